//! [`Settings`]: the file that `shortlist serve --config` reads. Everything in it may be left out.
//!
//! ```toml
//! secret_file = "secret"               # or secret_env; no secret ever stands in this file itself
//! policy = "policy.toml"               # relative paths begin at this file's folder
//! keys_file = "keys.json"
//! listen = "127.0.0.1:8080"
//! public_url = "https://tools.example" # where clients reach it; then it says whose tokens it takes
//!
//! [gateway]                            # headers from a peer that has authenticated the user
//! peers = ["10.1.0.0/16"]
//! secret_file = "gateway-secret"       # or secret_env; without either, the secret above
//!
//! [tls]                                # HTTPS instead of HTTP; changed files are taken over
//! certificate_file = "server.pem"      # with the authorities above it, the server's own certificate first
//! key_file = "server-key.pem"
//!
//! [limits]
//! connections = 800                    # open at the same time
//! connections_per_peer = 600
//! requests_per_second = 100            # of one user or service, on average
//! burst = 400                          # and after a pause
//! refused_per_second = 20              # of one peer, without an identity that is accepted
//! refused_burst = 100
//!
//! [audit]                              # see `audit`
//!
//! [mcp]                                # see `mcp`
//!
//! [[issuer]]                           # tokens of an identity provider; see `tokens`
//! [[gateway_token]]                    # tokens that a gateway signs by itself
//!
//! [telemetry]                          # see `telemetry`
//! metrics_listen = "127.0.0.1:9464"
//! ```

use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use super::audit::AuditSettings;
use super::limits::{ConnectionLimits, LimitsFile};
use super::mcp::{McpFile, McpSettings};
use super::telemetry::{TelemetryFile, TelemetrySettings};
use super::tls::TlsFile;
use super::tokens::{self, GatewayTokenFile, IssuerFile};
use crate::identity::TokenIssuer;
use crate::limits::CONFIG_BYTES_MAX;
use crate::network::Network;
use crate::rate::Rates;
use crate::secret::Secret;
use crate::serve::Tls;

/// What a configuration file says, validated.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The address to serve on.
    pub listen: Option<SocketAddr>,
    /// The policy file.
    pub policy: Option<PathBuf>,
    /// The server's own secret.
    pub secret: Option<Secret>,
    /// The file of API keys.
    pub keys_file: Option<PathBuf>,
    /// Identity by headers, where the file has the section.
    pub gateway: Option<GatewaySettings>,
    /// Whose signed tokens are believed: gateways, then identity providers.
    pub issuers: Vec<TokenIssuer>,
    /// The certificate to show.
    pub tls: Option<Tls>,
    /// How many connections there may be.
    pub connections: ConnectionLimits,
    /// How decisions are recorded.
    pub audit: AuditSettings,
    /// How often callers may ask.
    pub rates: Rates,
    /// To whom the MCP door answers, and how the server is reached.
    pub mcp: McpSettings,
    /// Who reads what the server measures.
    pub telemetry: TelemetrySettings,
}

/// Identity by headers.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// Where the peer's connections come from.
    pub peers: Option<Vec<Network>>,
    /// What the peer proves itself with, where it is not the server's own secret.
    pub secret: Option<Secret>,
}

/// Why there is no configuration.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Not TOML, or not of this shape.
    #[error("the configuration {} is not valid: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, and the parser's words.
        reason: String,
    },
    /// A value is wrong.
    #[error("the configuration {}: {reason}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Which key it is and what to write.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsFile {
    listen: Option<SocketAddr>,
    policy: Option<PathBuf>,
    secret_file: Option<PathBuf>,
    secret_env: Option<String>,
    keys_file: Option<PathBuf>,
    gateway: Option<GatewayFile>,
    tls: Option<TlsFile>,
    public_url: Option<String>,
    #[serde(default)]
    mcp: McpFile,
    #[serde(default)]
    limits: LimitsFile,
    #[serde(default)]
    issuer: Vec<IssuerFile>,
    #[serde(default)]
    gateway_token: Vec<GatewayTokenFile>,
    #[serde(default)]
    audit: AuditSettings,
    #[serde(default)]
    telemetry: TelemetryFile,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GatewayFile {
    peers: Option<Vec<String>>,
    secret_file: Option<PathBuf>,
    secret_env: Option<String>,
}

impl Settings {
    /// Reads a configuration file, and the secrets and keys that it names.
    ///
    /// # Errors
    /// [`SettingsError`] names the key and says what to write.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let text = read(path).map_err(|reason| SettingsError::Read { path: path.to_owned(), reason })?;
        // What the error shows of the text itself could be a secret that somebody wrote into it.
        let syntax = |error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            SettingsError::Syntax { path: path.to_owned(), reason: format!("line {line}: {}", error.message()) }
        };
        let file = toml::from_str(&text).map_err(syntax)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::of(file, folder).map_err(|reason| SettingsError::Value { path: path.to_owned(), reason })
    }

    fn of(file: SettingsFile, folder: &Path) -> Result<Self, String> {
        let at = |path: PathBuf| folder.join(path);
        let gateway = file.gateway.map(|gateway| {
            let network = |text: &String| text.parse().map_err(|error| format!("`peers` of [gateway]: {error}"));
            let peers = gateway.peers.map(|peers| peers.iter().map(network).collect::<Result<_, _>>()).transpose()?;
            let secret = secret(folder, gateway.secret_file, gateway.secret_env);
            Ok::<_, String>(GatewaySettings { peers, secret: secret.map_err(|reason| format!("[gateway]: {reason}"))? })
        });
        Ok(Self {
            listen: file.listen,
            policy: file.policy.map(at),
            secret: secret(folder, file.secret_file, file.secret_env)?,
            keys_file: file.keys_file.map(at),
            gateway: gateway.transpose()?,
            issuers: tokens::issuers(folder, file.gateway_token, file.issuer)?,
            tls: file.tls.map(|tls| tls.load(folder)).transpose()?,
            connections: file.limits.connections()?,
            audit: file.audit.checked(folder)?,
            rates: file.limits.rates()?,
            mcp: McpSettings::of(file.public_url, file.mcp)?,
            telemetry: file.telemetry.settings(folder).map_err(|reason| format!("[telemetry]: {reason}"))?,
        })
    }
}

/// Reads a secret from a file of its own.
///
/// # Errors
/// A sentence, when the file cannot be read or holds no good secret.
pub fn read_secret(path: &Path) -> Result<Secret, String> {
    let text = read(path).map_err(|reason| format!("cannot read the secret from {}: {reason}", path.display()))?;
    Secret::new(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The secret behind a pair of keys; `None` where neither is set.
pub(super) fn secret(folder: &Path, file: Option<PathBuf>, variable: Option<String>) -> Result<Option<Secret>, String> {
    match (file, variable) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err("`secret_file` and `secret_env` are both set; keep one".to_owned()),
        (Some(file), None) => {
            read_secret(&folder.join(file)).map(Some).map_err(|reason| format!("`secret_file`: {reason}"))
        }
        (None, Some(variable)) => {
            let text = std::env::var(&variable)
                .map_err(|_| format!("`secret_env`: the environment variable {variable:?} is not set"))?;
            Secret::new(&text).map(Some).map_err(|error| format!("`secret_env` {variable:?}: {error}"))
        }
    }
}

/// A file's text, never more of it than a configuration may have.
pub(super) fn read(path: &Path) -> Result<String, String> {
    String::from_utf8(read_bytes(path, CONFIG_BYTES_MAX)?).map_err(|_| "it is not UTF-8".to_owned())
}

/// A file of at most so many bytes.
pub(crate) fn read_bytes(path: &Path, n_max: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(n_max + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    match bytes.len() as u64 > n_max {
        true => Err(format!("it has more than the {n_max} bytes allowed")),
        false => Ok(bytes),
    }
}
