//! [`TokenServer`]: tokens by OAuth 2.0 client credentials.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use form_urlencoded::{Serializer, byte_serialize};
use reqwest::header::HeaderValue;
use reqwest::{StatusCode, Url};
use serde::Deserialize;

use super::auth::Secret;
use super::client::{Client, ClientOptions};
use super::error::contract;
use super::retry::Pause;
use super::token::Token;
use super::url::printable;
use super::{Auth, Network};
use crate::error::SourceError;

/// The largest answer of a token server.
const ANSWER_BYTES_MAX: u64 = 256 * 1024;
/// A token is renewed this long before it ends, or a tenth of its life before, whichever is shorter: an answer may be long
/// on its way.
const RENEWED_BEFORE: Duration = Duration::from_secs(60);
/// The longest life that is believed.
const LIFE_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// `oauth = { … }` of a source: where its tokens come from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuthConfig {
    /// The token endpoint. It is reached by the same rules as the catalog.
    pub token_url: String,
    /// The client's name at the token server.
    pub client_id: String,
    /// The environment variable that holds the client's secret.
    pub client_secret_env: Option<String>,
    /// The file that holds the client's secret, read again for every token.
    pub client_secret_file: Option<PathBuf>,
    /// The scopes to ask for, with spaces between them.
    pub scope: Option<String>,
    /// The API that the token is for, where the server asks for it.
    pub audience: Option<String>,
    /// How the client shows its secret.
    #[serde(default)]
    pub client_auth: ClientAuth,
}

/// How a client shows its secret to the token server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// In an `Authorization: Basic` header, which every server has to take.
    #[default]
    Basic,
    /// In the form, which some prefer.
    Post,
}

/// What a source asks a token server with.
#[derive(Clone)]
pub struct ClientCredentials {
    /// The token endpoint.
    pub token_url: Url,
    /// The client's name.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
    /// The scopes to ask for.
    pub scope: Option<String>,
    /// The API that the token is for.
    pub audience: Option<String>,
    /// How the secret is shown.
    pub client_auth: ClientAuth,
}

/// A token endpoint, reached by the same rules as every address.
pub(super) struct TokenServer {
    source: String,
    client: Client,
    credentials: ClientCredentials,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    token_type: String,
    expires_in: Option<Seconds>,
}

/// The specification says a number; some servers send a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(f64),
    Text(String),
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

impl TokenServer {
    pub(super) fn new(
        network: &Network,
        source: &str,
        credentials: ClientCredentials,
        timeout: Duration,
        allow_plain_http: bool,
        pause: Arc<Pause>,
    ) -> Result<Self, SourceError> {
        let options = ClientOptions {
            timeout,
            bytes_max: ANSWER_BYTES_MAX,
            accept: "application/json",
            allow_plain_http,
            pause: Box::new(move |time| pause(time)),
        };
        let url = &credentials.token_url;
        super::client::check_encrypted(source, url, allow_plain_http)?;
        let client = network.client(source, url, None::<Auth>, options)?;
        Ok(Self { source: source.to_owned(), client, credentials })
    }

    /// A new token, and until when to use it; without an end where the server names none.
    pub(super) fn fetch(&self) -> Result<(Token, Option<Instant>), SourceError> {
        let asked = Instant::now();
        let ClientCredentials { token_url, client_id, client_secret, scope, audience, client_auth } = &self.credentials;
        let secret = client_secret.read().map_err(|reason| self.unusable(reason))?;
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        for (key, value) in [("scope", scope), ("audience", audience)] {
            if let Some(value) = value {
                form.append_pair(key, value);
            }
        }
        let header = match client_auth {
            ClientAuth::Basic => Some(basic(client_id, &secret)),
            ClientAuth::Post => {
                form.append_pair("client_id", client_id).append_pair("client_secret", secret.reveal());
                None
            }
        };
        let answer = self.client.post_form(token_url, &form.finish(), header)?;
        if answer.status != StatusCode::OK {
            return Err(self.refused(answer.status, &answer.body));
        }
        let wrong = |detail: &str| contract(&self.source, token_url, detail);
        // What the parser says could quote the token.
        let granted: Granted = serde_json::from_slice(&answer.body)
            .map_err(|_| wrong("a token server answers with access_token and token_type in JSON, and this did not"))?;
        if !granted.token_type.eq_ignore_ascii_case("bearer") {
            return Err(wrong("the token is not of the type Bearer"));
        }
        let token = Token::new(&granted.access_token).ok_or_else(|| wrong("the token is empty"))?;
        Ok((token, granted.expires_in.and_then(life).map(|life| asked + usable(life))))
    }

    /// The error code is one of a short list, and is told; the description may quote what was sent, and is not.
    fn refused(&self, status: StatusCode, body: &[u8]) -> SourceError {
        let is_code = |code: &String| {
            code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
        };
        let code = serde_json::from_slice::<Refused>(body).ok().map(|refused| refused.error).filter(is_code);
        let what = code.map(|code| format!("{code:?}")).unwrap_or_else(|| status.to_string());
        self.unusable(format!(
            "the token server {} gives no token and answers {what}; check client_id, the client's secret and the scope",
            printable(&self.credentials.token_url)
        ))
    }

    fn unusable(&self, reason: String) -> SourceError {
        SourceError::Credentials { name: self.source.clone(), reason }
    }
}

/// RFC 6749, section 2.3.1: both parts are form-encoded first.
fn basic(client_id: &str, secret: &Token) -> HeaderValue {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(client_id), encoded(secret.reveal()));
    let header = format!("Basic {}", STANDARD.encode(pair));
    // Base64 is all header characters.
    let mut value = HeaderValue::from_str(&header).unwrap_or_else(|_| HeaderValue::from_static("Basic"));
    value.set_sensitive(true);
    value
}

fn life(seconds: Seconds) -> Option<Duration> {
    let seconds = match seconds {
        Seconds::Number(seconds) => seconds,
        Seconds::Text(text) => text.trim().parse().ok()?,
    };
    Duration::try_from_secs_f64(seconds).ok().map(|life| life.min(LIFE_MAX))
}

fn usable(life: Duration) -> Duration {
    life - RENEWED_BEFORE.min(life / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_it_ends() {
        assert_eq!(usable(Duration::from_secs(3_600)), Duration::from_secs(3_540));
        assert_eq!(usable(Duration::from_secs(100)), Duration::from_secs(90));
        assert_eq!(usable(Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn lives_are_read_as_numbers_and_texts() {
        let life = |json: &str| life(serde_json::from_str(json).expect("a life"));
        assert_eq!(life("3600"), Some(Duration::from_secs(3_600)));
        assert_eq!(life("\"3600\""), Some(Duration::from_secs(3_600)));
        assert_eq!(life("1e300"), None);
        assert_eq!(life("1e9"), Some(LIFE_MAX));
        assert_eq!(life("-5"), None);
        assert_eq!(life("\"soon\""), None);
    }

    #[test]
    fn names_and_secrets_are_encoded_before_they_are_joined() {
        let secret = Token::new("p%s:s ü").expect("a secret");
        let header = basic("a:b", &secret);
        let text = header.to_str().expect("text").strip_prefix("Basic ").expect("Basic").to_owned();
        let decoded = STANDARD.decode(text).expect("base64");
        assert_eq!(String::from_utf8(decoded).expect("text"), "a%3Ab:p%25s%3As+%C3%BC");
        assert!(header.is_sensitive());
    }
}
