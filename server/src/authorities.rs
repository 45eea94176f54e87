//! [`authorities`]: certificates of authorities that an operator trusts besides the system's.

use std::path::Path;

use reqwest::Certificate;

/// The certificates in a file.
///
/// # Errors
/// A sentence, when it cannot be read or holds none in PEM.
pub(crate) fn authorities(path: &Path) -> Result<Vec<Certificate>, String> {
    let pem = std::fs::read(path).map_err(|error| format!("`ca_file` {}: {error}", path.display()))?;
    let authorities = Certificate::from_pem_bundle(&pem).unwrap_or_default();
    if authorities.is_empty() {
        return Err(format!("`ca_file` {} holds no certificate in PEM", path.display()));
    }
    Ok(authorities)
}
