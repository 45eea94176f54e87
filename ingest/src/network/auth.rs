//! [`Auth`]: what a source shows of itself, and how that is renewed.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::HeaderValue;

use super::oauth::{ClientCredentials, TokenServer};
use super::token::Token;
use super::{Network, Pause};
use crate::error::SourceError;

/// The longest secret file: a token of 64 KiB no longer fits any server's headers.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// How a source proves who it is. Whatever it is, it becomes an `Authorization: Bearer` header.
pub enum Auth {
    /// The secret itself. A file is read again when the server no longer accepts what it held.
    Bearer(Secret),
    /// Tokens of a token server, by OAuth 2.0 client credentials (RFC 6749, section 4.4).
    ClientCredentials(ClientCredentials),
    /// A token made for each request, such as a JWT that lives for a minute.
    Minted(Box<Mint>),
}

/// Makes a token, or says in a sentence (without secrets) why it cannot.
pub type Mint = dyn Fn() -> Result<Token, String> + Send + Sync;

/// Where a secret comes from.
#[derive(Clone)]
pub enum Secret {
    /// It was read already: the environment does not change.
    Fixed(Token),
    /// A file that may be replaced, as rotated secrets are.
    File(PathBuf),
}

impl Secret {
    /// The secret as it is now.
    ///
    /// # Errors
    /// A sentence that names the file and holds nothing of it.
    pub fn read(&self) -> Result<Token, String> {
        let path = match self {
            Self::Fixed(token) => return Ok(token.clone()),
            Self::File(path) => path,
        };
        let bytes = crate::files::read(path, SECRET_BYTES_MAX)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        std::str::from_utf8(&bytes)
            .ok()
            .and_then(Token::new)
            .ok_or_else(|| format!("{} holds no text that could be a secret", path.display()))
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bearer(_) => "Bearer(…)",
            Self::ClientCredentials(_) => "ClientCredentials(…)",
            Self::Minted(_) => "Minted(…)",
        })
    }
}

/// The credentials of one client, as they stand at the moment.
pub(super) struct Session {
    source: String,
    kind: Kind,
    held: Mutex<Option<Held>>,
}

enum Kind {
    Bearer(Secret),
    Tokens(Box<TokenServer>),
    Minted(Box<Mint>),
}

/// A header, and until when it is good where that is known.
struct Held {
    header: HeaderValue,
    until: Option<Instant>,
}

impl Session {
    /// A secret is read at once, so that a missing one is found before the first request.
    pub(super) fn open(
        network: &Network,
        source: &str,
        auth: Auth,
        timeout: Duration,
        allow_plain_http: bool,
        pause: Arc<Pause>,
    ) -> Result<Self, SourceError> {
        let kind = match auth {
            Auth::Bearer(secret) => Kind::Bearer(secret),
            Auth::Minted(mint) => Kind::Minted(mint),
            Auth::ClientCredentials(credentials) => Kind::Tokens(Box::new(TokenServer::new(
                network,
                source,
                credentials,
                timeout,
                allow_plain_http,
                pause,
            )?)),
        };
        let session = Self { source: source.to_owned(), kind, held: Mutex::new(None) };
        if matches!(session.kind, Kind::Bearer(_)) {
            session.header()?;
        }
        Ok(session)
    }

    /// The header of the next request.
    pub(super) fn header(&self) -> Result<HeaderValue, SourceError> {
        // Held while a token is fetched, so that two requests do not fetch two.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match &*held {
            Some(Held { header, until }) if until.is_none_or(|until| Instant::now() < until) => Ok(header.clone()),
            _ => self.make(&mut held),
        }
    }

    /// Another header after the server refused this one; `None` when there is no other.
    pub(super) fn renewed(&self, refused: &HeaderValue) -> Result<Option<HeaderValue>, SourceError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(self.kind, Kind::Minted(_)) {
            return Ok(None);
        }
        // Somebody else may have renewed it meanwhile.
        if let Some(Held { header, .. }) = held.as_ref().filter(|held| held.header != *refused) {
            return Ok(Some(header.clone()));
        }
        Ok(Some(self.make(&mut held)?).filter(|header| header != refused))
    }

    fn make(&self, held: &mut Option<Held>) -> Result<HeaderValue, SourceError> {
        *held = None;
        let (token, until) = match &self.kind {
            Kind::Bearer(secret) => (secret.read().map_err(|reason| self.unusable(reason))?, None),
            Kind::Tokens(server) => server.fetch()?,
            Kind::Minted(mint) => (mint().map_err(|reason| self.unusable(reason))?, None),
        };
        let header = token.bearer().map_err(|reason| self.unusable(reason))?;
        if !matches!(self.kind, Kind::Minted(_)) {
            *held = Some(Held { header: header.clone(), until });
        }
        Ok(header)
    }

    fn unusable(&self, reason: String) -> SourceError {
        SourceError::Credentials { name: self.source.clone(), reason }
    }
}
