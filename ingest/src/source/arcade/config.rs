//! [`ArcadeConfig`]: where a worker is and what it believes.

use std::path::PathBuf;

use serde::Deserialize;

/// Seconds for one request unless configured.
const TIMEOUT_S: u64 = 30;

/// One Arcade worker, as it stands in `shortlist.toml` under `[[source]]` with `type = "arcade"`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArcadeConfig {
    /// The operator's name for the source: the first part of its refs.
    pub name: String,
    /// The address in front of `/worker/tools`, without credentials and without a query.
    pub base_url: String,
    /// The environment variable that holds the worker's secret. Opened by whoever builds the source; so is the next.
    #[serde(default)]
    pub secret_env: Option<String>,
    /// The file that holds the worker's secret; read for each request, so that it may be replaced.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// Seconds for one request from connecting to the last byte, 1 to 600.
    #[serde(default = "timeout_s")]
    pub timeout_s: u64,
    /// Whether the token may be sent over plain HTTP to another machine.
    #[serde(default)]
    pub allow_plain_http: bool,
}

impl ArcadeConfig {
    /// A worker with every default, and no secret yet.
    pub fn new(name: &str, base_url: &str) -> Self {
        Self {
            name: name.to_owned(),
            base_url: base_url.to_owned(),
            secret_env: None,
            secret_file: None,
            timeout_s: TIMEOUT_S,
            allow_plain_http: false,
        }
    }

    /// Whether the secret is named once.
    ///
    /// # Errors
    /// A sentence that names the keys.
    pub fn check(&self) -> Result<(), String> {
        match (&self.secret_env, &self.secret_file) {
            (Some(_), Some(_)) => Err("it has both \"secret_env\" and \"secret_file\"".to_owned()),
            (None, None) => Err("it has neither \"secret_env\" nor \"secret_file\", and a worker answers to nobody \
                                 without its secret"
                .to_owned()),
            _ => Ok(()),
        }
    }
}

fn timeout_s() -> u64 {
    TIMEOUT_S
}
