//! `shortlist.toml`: which catalogs are read, and what they may be read from.
//!
//! ```toml
//! [network]                        # without it, public addresses only
//! allow = ["10.0.0.0/8"]           # networks that sources may reach although they are private
//! proxy = "http://proxy.example:3128"  # without it, the environment's HTTP_PROXY, HTTPS_PROXY and NO_PROXY
//! ca_file = "company-ca.pem"       # certificates trusted besides the system's
//!
//! [[source]]
//! name = "google"
//! type = "google_discovery"
//! folder = "documents"             # without it, the pinned documents are fetched
//! apis = ["drive", "gmail:v1"]     # without it, all of them
//!
//! [[source]]
//! name = "tools"
//! type = "jsonl"
//! path = "tools.jsonl.gz"
//!
//! [[source]]
//! name = "hub"
//! type = "automation_hub"
//! base_url = "https://hub.example"
//! token_env = "HUB_TOKEN"          # or token_file, or oauth = { token_url, client_id, client_secret_env, … }
//!
//! [[source]]
//! name = "apis"
//! type = "openapi"
//! path = "apis"                    # a document, or a folder of them; or url = "https://…" with credentials as above
//!
//! [[source]]
//! name = "git"
//! type = "mcp_proxy"
//! command = ["mcp-server-git"]     # or url = "https://…"
//! ```
//!
//! Paths are relative to the file's own folder. A key that nobody reads is an error: it is a misspelt one.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use shortlist_index::check_source;
use thiserror::Error;

use crate::assets::{AssetError, Assets, Progress};
use crate::error::SourceError;
use crate::handling::Handling;
use crate::network::{Auth, AuthKeys, Network, NetworkConfig, NetworkError, Places, Secret};
use crate::source::Source;
use crate::source::arcade::{self, Arcade, ArcadeConfig};
use crate::source::automation_hub::{AutomationHub, AutomationHubConfig};
use crate::source::google_discovery::GoogleDiscovery;
use crate::source::jsonl::Jsonl;
use crate::source::mcp::{self, Mcp, McpConfig};
use crate::source::openapi::{OpenApi, OpenApiConfig};
use crate::source::parquet::{self, Parquet};
use crate::source::unopened::Unopened;

/// The largest configuration file, in bytes: one of a thousand sources is smaller.
const CONFIG_BYTES_MAX: u64 = 1024 * 1024;
/// The asset that a `google_discovery` source without a folder reads.
pub const DISCOVERY_ASSET: &str = "google-discovery";

/// The sources of a configuration, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    path: PathBuf,
    /// What the sources may reach.
    pub network: NetworkConfig,
    /// The sources in the order of the file.
    pub sources: Vec<SourceConfig>,
    /// How the readings of each are handled, by the source's name.
    pub handling: BTreeMap<String, Handling>,
}

/// One source of a configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceConfig {
    /// `type = "google_discovery"`
    GoogleDiscovery(GoogleDiscoveryConfig),
    /// `type = "jsonl"`
    Jsonl(FileConfig),
    /// `type = "parquet"`
    Parquet(FileConfig),
    /// `type = "automation_hub"`
    AutomationHub(Box<AutomationHubConfig>),
    /// `type = "openapi"`
    OpenApi(Box<OpenApiConfig>),
    /// `type = "arcade"`
    Arcade(ArcadeConfig),
    /// `type = "mcp_proxy"`
    Mcp(Box<McpConfig>),
}

/// A folder of Discovery documents.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoogleDiscoveryConfig {
    /// The source's name.
    pub name: String,
    /// The folder; `None` means the pinned documents.
    pub folder: Option<PathBuf>,
    /// The APIs that are wanted, such as `drive` or `drive:v3`; empty means all.
    #[serde(default)]
    pub apis: Vec<String>,
}

/// A file of the exchange format.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileConfig {
    /// The source's name.
    pub name: String,
    /// The file: lines plain or gzip, or Parquet.
    pub path: PathBuf,
}

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file cannot be read: the configuration, or one that it names.
    #[error("cannot read {path}: {error}", path = path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The file is no TOML, or holds a key that nobody reads.
    #[error("{path} cannot be used: {reason}", path = path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with the line where it is.
        reason: String,
    },
    /// One source is wrong.
    #[error("{path}: source number {number}{named} cannot be used: {reason}", path = path.display())]
    Source {
        /// Which file.
        path: PathBuf,
        /// Which `[[source]]`, from 1.
        number: usize,
        /// Its name with a space before it, where it has one.
        named: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The credentials that a source is configured with are not there.
    #[error("{path}: source {name:?} cannot be opened: {reason}", path = path.display())]
    NoCredentials {
        /// Which file.
        path: PathBuf,
        /// Which source.
        name: String,
        /// What is missing; never the secret.
        reason: String,
    },
    /// A file that a source needs could not be fetched.
    #[error(transparent)]
    Asset(#[from] AssetError),
    /// A source refuses its configuration.
    #[error(transparent)]
    Refused(#[from] SourceError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    #[serde(default)]
    network: NetworkConfig,
    #[serde(default)]
    source: Vec<toml::Table>,
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`] that names the file, the source and the key.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let io_error = |error| ConfigError::Io { path: path.to_owned(), error };
        let bytes = fs::metadata(path).map_err(io_error)?.len();
        if bytes > CONFIG_BYTES_MAX {
            let reason = format!("it has {bytes} bytes, more than the {CONFIG_BYTES_MAX} allowed");
            return Err(ConfigError::File { path: path.to_owned(), reason });
        }
        Self::parse(&fs::read_to_string(path).map_err(io_error)?, path)
    }

    /// Parses a text; `path` is where it came from, for messages and as the place that relative paths start from.
    ///
    /// # Errors
    /// [`ConfigError`] that names the file, the source and the key.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let file: ConfigFile = toml::from_str(text).map_err(|error| ConfigError::File {
            path: path.to_owned(),
            reason: error.to_string().trim_end().to_owned(),
        })?;
        let mut sources = Vec::new();
        let mut handling = BTreeMap::new();
        for (position, mut table) in file.source.into_iter().enumerate() {
            let name = table.get("name").and_then(toml::Value::as_str).unwrap_or_default().to_owned();
            let refuse = |reason: String| ConfigError::Source {
                path: path.to_owned(),
                number: position + 1,
                named: if name.is_empty() { String::new() } else { format!(" {name:?}") },
                reason,
            };
            let handled = Handling::take(&mut table).map_err(refuse)?;
            let source = SourceConfig::parse(table).map_err(refuse)?;
            check_source(source.name()).map_err(|error| refuse(error.to_string()))?;
            if handling.insert(source.name().to_owned(), handled).is_some() {
                return Err(refuse("another source has the same name".to_owned()));
            }
            sources.push(source);
        }
        Ok(Self { path: path.to_owned(), network: file.network, sources, handling })
    }

    /// Makes the sources. A `google_discovery` source without a folder gets the pinned documents, fetched when they are
    /// not there; `variable` looks up an environment variable, for tokens; below `home`, sources keep what they had of an
    /// unfinished pass.
    ///
    /// A source that cannot be opened, for its token or asset is missing or it refuses its configuration, does not stop
    /// the others: it is among the sources, and each of its passes fails with the reason
    /// ([`SourceError::NotOpened`]).
    pub fn open(
        &self,
        home: &Path,
        assets: &Assets,
        progress: &dyn Progress,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Vec<Box<dyn Source>> {
        let network = self.network();
        let network = || {
            network.clone().map_err(|error| ConfigError::File { path: self.path.clone(), reason: error.to_string() })
        };
        let open = |source: &SourceConfig| -> Result<Box<dyn Source>, ConfigError> {
            Ok(match source {
                SourceConfig::GoogleDiscovery(config) => {
                    let folder = match &config.folder {
                        Some(folder) => self.relative(folder),
                        None => assets.ensure(DISCOVERY_ASSET, progress)?,
                    };
                    Box::new(GoogleDiscovery::new(&config.name, folder, &config.apis))
                }
                SourceConfig::Jsonl(config) => Box::new(Jsonl::new(&config.name, self.relative(&config.path))),
                SourceConfig::Parquet(config) => Box::new(Parquet::new(&config.name, self.relative(&config.path))),
                SourceConfig::AutomationHub(config) => {
                    let auth = self.auth(&config.name, &config.auth_keys(), variable)?;
                    let hub = AutomationHub::new((**config).clone(), &network()?, auth)?;
                    Box::new(hub.resuming_in(home.join("resume").join(&config.name)))
                }
                SourceConfig::OpenApi(config) => Box::new(match &config.path {
                    Some(path) => OpenApi::new(&config.name, self.relative(path), config.namespace.clone()),
                    None => {
                        let auth = self.auth(&config.name, &config.auth_keys(), variable)?;
                        OpenApi::at_url(config, &network()?, auth)?
                    }
                }),
                SourceConfig::Arcade(config) => {
                    Box::new(Arcade::new(config, &network()?, self.secret(config, variable)?)?)
                }
                SourceConfig::Mcp(config) => {
                    Box::new(Mcp::new(config, &network()?, &Places { folder: self.folder(), variable })?)
                }
            })
        };
        let or_why_not = |source: &SourceConfig| -> Box<dyn Source> {
            open(source)
                .unwrap_or_else(|error| Box::new(Unopened::new(source.name(), source.source_type(), error.to_string())))
        };
        self.sources.iter().map(or_why_not).collect()
    }

    /// What the sources may reach.
    fn network(&self) -> Result<Network, NetworkError> {
        let ca_file = self.network.ca_file.as_deref().map(|path| self.relative(path));
        Network::new(&NetworkConfig { ca_file, ..self.network.clone() })
    }

    /// The credentials of a source, `None` where it is configured with none.
    fn auth(
        &self,
        name: &str,
        keys: &AuthKeys<'_>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Auth>, ConfigError> {
        keys.open(&Places { folder: self.folder(), variable }).map_err(|reason| ConfigError::NoCredentials {
            path: self.path.clone(),
            name: name.to_owned(),
            reason,
        })
    }

    /// The secret of a worker.
    fn secret(&self, config: &ArcadeConfig, variable: &dyn Fn(&str) -> Option<String>) -> Result<Secret, ConfigError> {
        let places = Places { folder: self.folder(), variable };
        let secret = Secret::open(config.secret_env.as_deref(), config.secret_file.as_deref(), &places);
        secret
            .and_then(|secret| secret.ok_or_else(|| "it names no secret".to_owned()))
            .map_err(|reason| ConfigError::NoCredentials { path: self.path.clone(), name: config.name.clone(), reason })
    }

    fn relative(&self, path: &Path) -> PathBuf {
        self.folder().join(path)
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

impl SourceConfig {
    /// The operator's name of the source.
    pub fn name(&self) -> &str {
        match self {
            Self::GoogleDiscovery(config) => &config.name,
            Self::Jsonl(config) | Self::Parquet(config) => &config.name,
            Self::AutomationHub(config) => &config.name,
            Self::OpenApi(config) => &config.name,
            Self::Arcade(config) => &config.name,
            Self::Mcp(config) => &config.name,
        }
    }

    /// The kind, as it stands in the file and as the opened source says it.
    fn source_type(&self) -> &'static str {
        match self {
            Self::GoogleDiscovery(_) => "google_discovery",
            Self::Jsonl(_) => "jsonl",
            Self::Parquet(_) => parquet::SOURCE_TYPE,
            Self::AutomationHub(_) => "automation_hub",
            Self::OpenApi(_) => "openapi",
            Self::Arcade(_) => arcade::SOURCE_TYPE,
            Self::Mcp(_) => mcp::SOURCE_TYPE,
        }
    }

    /// Reads `type`, and the rest as that type has it.
    fn parse(mut table: toml::Table) -> Result<Self, String> {
        fn of<T: DeserializeOwned>(table: toml::Table) -> Result<T, String> {
            table.try_into().map_err(|error: toml::de::Error| error.to_string().trim_end().to_owned())
        }
        let known = "there are \"google_discovery\", \"jsonl\", \"parquet\", \"automation_hub\", \"openapi\", \"arcade\" \
                     and \"mcp_proxy\"";
        match table.remove("type") {
            Some(toml::Value::String(kind)) => match kind.as_str() {
                "google_discovery" => of(table).map(Self::GoogleDiscovery),
                "jsonl" => of(table).map(Self::Jsonl),
                "openapi" => {
                    let config: OpenApiConfig = of(table)?;
                    config.check()?;
                    Ok(Self::OpenApi(Box::new(config)))
                }
                "parquet" => of(table).map(Self::Parquet),
                "automation_hub" => {
                    let config: AutomationHubConfig = of(table)?;
                    config.auth_keys().check()?;
                    Ok(Self::AutomationHub(Box::new(config)))
                }
                "arcade" => {
                    let config: ArcadeConfig = of(table)?;
                    config.check()?;
                    Ok(Self::Arcade(config))
                }
                mcp::SOURCE_TYPE => {
                    let config: McpConfig = of(table)?;
                    config.check()?;
                    Ok(Self::Mcp(Box::new(config)))
                }
                _ => Err(format!("its \"type\" is {kind:?}; {known}")),
            },
            Some(_) => Err(format!("its \"type\" is no text; {known}")),
            None => Err(format!("it has no \"type\"; {known}")),
        }
    }
}

#[cfg(test)]
mod tests;
