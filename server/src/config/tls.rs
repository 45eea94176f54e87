//! `[tls]` of a configuration file.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::serve::Tls;

/// The section as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsFile {
    certificate_file: PathBuf,
    key_file: PathBuf,
}

impl TlsFile {
    pub(super) fn load(self, folder: &Path) -> Result<Tls, String> {
        let Self { certificate_file, key_file } = self;
        Tls::load(folder.join(certificate_file), folder.join(key_file)).map_err(|error| format!("[tls]: {error}"))
    }
}
