//! [`AuthKeys`]: the keys by which a source's table names its credentials, and what stands behind them.

use std::path::Path;

use reqwest::Url;

use super::auth::{Auth, Secret};
use super::oauth::{ClientCredentials, OAuthConfig};
use super::token::Token;

/// `token_env`, `token_file` and `oauth` of one source; at most one of them is set.
#[derive(Clone, Copy)]
pub struct AuthKeys<'a> {
    /// The environment variable that holds a bearer token.
    pub token_env: Option<&'a str>,
    /// The file that holds a bearer token.
    pub token_file: Option<&'a Path>,
    /// The token server.
    pub oauth: Option<&'a OAuthConfig>,
}

/// Where names in a configuration lead.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    /// The folder that relative paths start from.
    pub folder: &'a Path,
    /// The environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

impl AuthKeys<'_> {
    /// Whether the keys go together; asked while the configuration is read, before anything is opened.
    ///
    /// # Errors
    /// A sentence that names the keys.
    pub fn check(&self) -> Result<(), String> {
        let set = [("token_env", self.token_env.is_some()), ("token_file", self.token_file.is_some())];
        let set = set.into_iter().chain([("oauth", self.oauth.is_some())]).filter(|(_, is_set)| *is_set);
        let set: Vec<String> = set.map(|(key, _)| format!("{key:?}")).collect();
        if set.len() > 1 {
            return Err(format!("it has {}; one source has one kind of credentials", set.join(" and ")));
        }
        let Some(oauth) = self.oauth else { return Ok(()) };
        match (&oauth.client_secret_env, &oauth.client_secret_file) {
            (Some(_), Some(_)) => {
                Err("its \"oauth\" has both \"client_secret_env\" and \"client_secret_file\"".to_owned())
            }
            (None, None) => {
                Err("its \"oauth\" has neither \"client_secret_env\" nor \"client_secret_file\"".to_owned())
            }
            _ => Url::parse(&oauth.token_url)
                .map(|_| ())
                .map_err(|error| format!("its \"token_url\" is no address: {error}")),
        }
    }

    /// The credentials; `None` where no key is set. A variable is read here, a file when it is needed.
    ///
    /// # Errors
    /// A sentence that names the variable that is not set, or the key that is wrong.
    pub fn open(&self, places: &Places<'_>) -> Result<Option<Auth>, String> {
        self.check()?;
        if let Some(secret) = Secret::open(self.token_env, self.token_file, places)? {
            return Ok(Some(Auth::Bearer(secret)));
        }
        let Some(oauth) = self.oauth else { return Ok(None) };
        let secret = Secret::open(oauth.client_secret_env.as_deref(), oauth.client_secret_file.as_deref(), places)?;
        Ok(Some(Auth::ClientCredentials(ClientCredentials {
            token_url: Url::parse(&oauth.token_url).map_err(|error| error.to_string())?,
            client_id: oauth.client_id.clone(),
            client_secret: secret.ok_or("its \"oauth\" names no secret")?,
            scope: oauth.scope.clone(),
            audience: oauth.audience.clone(),
            client_auth: oauth.client_auth,
        })))
    }
}

impl Secret {
    /// The secret behind a pair of keys, an environment variable's name and a file; `None` where neither is set.
    ///
    /// # Errors
    /// A sentence, when the variable is not set.
    pub fn open(env: Option<&str>, file: Option<&Path>, places: &Places<'_>) -> Result<Option<Self>, String> {
        match (env, file) {
            (Some(name), _) => match (places.variable)(name).as_deref().and_then(Token::new) {
                Some(token) => Ok(Some(Self::Fixed(token))),
                None => Err(format!(
                    "its credentials are in the environment variable {name}, which is not set; set it, or take the key out"
                )),
            },
            (None, Some(file)) => Ok(Some(Self::File(places.folder.join(file)))),
            (None, None) => Ok(None),
        }
    }
}
