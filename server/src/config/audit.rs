//! The section `[audit]`: where decisions are recorded, and how safely.
//!
//! ```toml
//! [audit]
//! folder = "audit"           # "off" records nothing; without it, audit in the home
//! on_failure = "count"       # or "refuse": nothing is shown that cannot be recorded
//! durability = "flush"       # or "fsync": a record outlives a loss of power
//! queries = false            # true records the texts of queries, too
//! rotate_bytes = 67108864
//! keep_days = 400            # and keep_files; without either, every file is kept
//! ```

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::audit::{AuditConfig, Durability, OnFailure};
use crate::limits::AUDIT_LINE_BYTES_MAX;

/// What turns the log off, in a folder's place.
const OFF: &str = "off";

/// How the audit log is kept, as far as somebody said.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSettings {
    /// The log's folder, or `off`.
    pub folder: Option<PathBuf>,
    /// What happens to requests whose decision cannot be recorded.
    pub on_failure: Option<OnFailure>,
    /// How safe a record is when its answer leaves.
    pub durability: Option<Durability>,
    /// Whether the texts of queries are recorded.
    pub queries: bool,
    /// The bytes of a file after which the next begins.
    pub rotate_bytes: Option<u64>,
    /// How many files are kept.
    pub keep_files: Option<usize>,
    /// For how many days a file is kept.
    pub keep_days: Option<u64>,
}

impl AuditSettings {
    /// The log's configuration, in the folder `usual` where no other is named; `None` where it is turned off.
    pub fn config(self, usual: PathBuf) -> Option<AuditConfig> {
        let folder = self.folder.unwrap_or(usual);
        let config = AuditConfig::new(folder);
        (config.folder.as_os_str() != OFF).then(|| AuditConfig {
            on_failure: self.on_failure.unwrap_or(config.on_failure),
            durability: self.durability.unwrap_or(config.durability),
            queries: self.queries,
            rotate_bytes: self.rotate_bytes.unwrap_or(config.rotate_bytes),
            keep_files: self.keep_files,
            keep_days: self.keep_days,
            folder: config.folder,
        })
    }

    /// Checks the numbers, and makes the folder one beside the configuration.
    pub(super) fn checked(self, beside: &Path) -> Result<Self, String> {
        if self.rotate_bytes.is_some_and(|bytes| bytes < AUDIT_LINE_BYTES_MAX as u64) {
            return Err(format!(
                "[audit]: `rotate_bytes` is {AUDIT_LINE_BYTES_MAX} or more, for a file holds a record at least"
            ));
        }
        if self.keep_files == Some(0) || self.keep_days == Some(0) {
            return Err("[audit]: `keep_files` and `keep_days` are 1 or more; leave them out to keep all".to_owned());
        }
        let folder = self.folder.map(|folder| if folder.as_os_str() == OFF { folder } else { beside.join(folder) });
        Ok(Self { folder, ..self })
    }
}
