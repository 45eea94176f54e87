//! `shortlist.toml`: which catalogs are read.
//!
//! ```toml
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
//! token_env = "HUB_TOKEN"
//! ```
//!
//! Paths are relative to the file's own folder. A key that nobody reads is an error: it is a misspelt one.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use shortlist_index::check_source;
use thiserror::Error;

use crate::assets::{AssetError, Assets, Progress};
use crate::error::SourceError;
use crate::source::Source;
use crate::source::automation_hub::{AutomationHub, AutomationHubConfig, Token};
use crate::source::google_discovery::GoogleDiscovery;
use crate::source::jsonl::Jsonl;
use crate::source::unopened::Unopened;

/// The largest configuration file, in bytes: one of a thousand sources is smaller.
const CONFIG_BYTES_MAX: u64 = 1024 * 1024;
/// The asset that a `google_discovery` source without a folder reads.
pub const DISCOVERY_ASSET: &str = "google-discovery";

/// The sources of a configuration, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    path: PathBuf,
    /// The sources in the order of the file.
    pub sources: Vec<SourceConfig>,
}

/// One source of a configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceConfig {
    /// `type = "google_discovery"`
    GoogleDiscovery(GoogleDiscoveryConfig),
    /// `type = "jsonl"`
    Jsonl(JsonlConfig),
    /// `type = "automation_hub"`
    AutomationHub(Box<AutomationHubConfig>),
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

/// A JSONL file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonlConfig {
    /// The source's name.
    pub name: String,
    /// The file, plain or gzip.
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
    /// The token that a source is configured with is not there.
    #[error("{path}: source {name:?} takes its token from {place}, and there is none; set it, or take the key out", path = path.display())]
    NoToken {
        /// Which file.
        path: PathBuf,
        /// Which source.
        name: String,
        /// The variable or file that should hold it.
        place: String,
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
        let mut names = BTreeSet::new();
        for (position, table) in file.source.into_iter().enumerate() {
            let name = table.get("name").and_then(toml::Value::as_str).unwrap_or_default().to_owned();
            let refuse = |reason: String| ConfigError::Source {
                path: path.to_owned(),
                number: position + 1,
                named: if name.is_empty() { String::new() } else { format!(" {name:?}") },
                reason,
            };
            let source = SourceConfig::parse(table).map_err(refuse)?;
            check_source(source.name()).map_err(|error| refuse(error.to_string()))?;
            if !names.insert(source.name().to_owned()) {
                return Err(refuse("another source has the same name".to_owned()));
            }
            sources.push(source);
        }
        Ok(Self { path: path.to_owned(), sources })
    }

    /// Makes the sources. A `google_discovery` source without a folder gets the pinned documents, fetched when they are
    /// not there; `variable` looks up an environment variable, for tokens.
    ///
    /// A source that cannot be opened, for its token or asset is missing or it refuses its configuration, does not stop
    /// the others: it is among the sources, and each of its passes fails with the reason
    /// ([`SourceError::NotOpened`]).
    pub fn open(
        &self,
        assets: &Assets,
        progress: &dyn Progress,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Vec<Box<dyn Source>> {
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
                SourceConfig::AutomationHub(config) => {
                    Box::new(AutomationHub::new((**config).clone(), self.token(config, variable)?)?)
                }
            })
        };
        let or_why_not = |source: &SourceConfig| -> Box<dyn Source> {
            open(source)
                .unwrap_or_else(|error| Box::new(Unopened::new(source.name(), source.source_type(), error.to_string())))
        };
        self.sources.iter().map(or_why_not).collect()
    }

    /// The token of a hub, `None` where it is configured with none.
    fn token(
        &self,
        config: &AutomationHubConfig,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Token>, ConfigError> {
        let (place, text) = match (&config.token_env, &config.token_file) {
            (None, None) => return Ok(None),
            (Some(name), _) => (format!("the environment variable {name}"), variable(name)),
            (None, Some(file)) => {
                let path = self.relative(file);
                let text = fs::read_to_string(&path).map_err(|error| ConfigError::Io { path: path.clone(), error })?;
                (format!("the file {}", path.display()), Some(text))
            }
        };
        match text.as_deref().and_then(Token::new) {
            Some(token) => Ok(Some(token)),
            None => Err(ConfigError::NoToken { path: self.path.clone(), name: config.name.clone(), place }),
        }
    }

    fn relative(&self, path: &Path) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }
}

impl SourceConfig {
    /// The operator's name of the source.
    pub fn name(&self) -> &str {
        match self {
            Self::GoogleDiscovery(config) => &config.name,
            Self::Jsonl(config) => &config.name,
            Self::AutomationHub(config) => &config.name,
        }
    }

    /// The kind, as it stands in the file and as the opened source says it.
    fn source_type(&self) -> &'static str {
        match self {
            Self::GoogleDiscovery(_) => "google_discovery",
            Self::Jsonl(_) => "jsonl",
            Self::AutomationHub(_) => "automation_hub",
        }
    }

    /// Reads `type`, and the rest as that type has it.
    fn parse(mut table: toml::Table) -> Result<Self, String> {
        fn of<T: DeserializeOwned>(table: toml::Table) -> Result<T, String> {
            table.try_into().map_err(|error: toml::de::Error| error.to_string().trim_end().to_owned())
        }
        let known = "there are \"google_discovery\", \"jsonl\" and \"automation_hub\"";
        match table.remove("type") {
            Some(toml::Value::String(kind)) => match kind.as_str() {
                "google_discovery" => of(table).map(Self::GoogleDiscovery),
                "jsonl" => of(table).map(Self::Jsonl),
                "automation_hub" => {
                    let config: AutomationHubConfig = of(table)?;
                    match (&config.token_env, &config.token_file) {
                        (Some(_), Some(_)) => Err("it has both \"token_env\" and \"token_file\"".to_owned()),
                        _ => Ok(Self::AutomationHub(Box::new(config))),
                    }
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
