//! [`OpenApiConfig`]: which documents an OpenAPI source reads.

use std::path::PathBuf;

use reqwest::Url;
use serde::Deserialize;

use crate::network::{AuthKeys, OAuthConfig};

/// One OpenAPI source, as it stands in `shortlist.toml` under `[[source]]` with `type = "openapi"`: files or an address.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenApiConfig {
    /// The operator's name for the source: the first part of its refs.
    pub name: String,
    /// The document, or the folder of documents (`*.json`, `*.yaml`, `*.yml`, also those of folders inside it).
    pub path: Option<PathBuf>,
    /// The address of one document.
    pub url: Option<String>,
    /// The namespace of a single document (the source's name unless it is set); what stands before the paths of a folder's.
    pub namespace: Option<String>,
    /// The environment variable that holds the bearer token of the address.
    pub token_env: Option<String>,
    /// The file that holds it.
    pub token_file: Option<PathBuf>,
    /// The token server of the address.
    pub oauth: Option<OAuthConfig>,
    /// Whether the token may be sent over plain HTTP to another machine.
    #[serde(default)]
    pub allow_plain_http: bool,
}

impl OpenApiConfig {
    /// Whether the keys go together; asked while the configuration is read, before anything is opened.
    ///
    /// # Errors
    /// A sentence that names the keys.
    pub fn check(&self) -> Result<(), String> {
        let keys = self.auth_keys();
        keys.check()?;
        let has_credentials = keys.token_env.is_some() || keys.token_file.is_some() || keys.oauth.is_some();
        match (&self.path, &self.url) {
            (Some(_), None) if has_credentials => Err("it has credentials, and a \"path\" needs none".to_owned()),
            (Some(_), None) => Ok(()),
            (None, Some(url)) => {
                Url::parse(url).map(|_| ()).map_err(|error| format!("its \"url\" is no address: {error}"))
            }
            (Some(_), Some(_)) => Err("it has both \"path\" and \"url\"; make it two sources".to_owned()),
            (None, None) => Err("it has neither \"path\" nor \"url\"".to_owned()),
        }
    }

    /// The keys that name its credentials.
    pub fn auth_keys(&self) -> AuthKeys<'_> {
        AuthKeys {
            token_env: self.token_env.as_deref(),
            token_file: self.token_file.as_deref(),
            oauth: self.oauth.as_ref(),
        }
    }
}
