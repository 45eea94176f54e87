//! [`NetworkConfig`]: the operator's `[network]` table.

use std::fmt;
use std::path::PathBuf;

use ipnet::IpNet;
use reqwest::Certificate;
use serde::{Deserialize, Deserializer};

use super::error::NetworkError;

/// The largest CA file: the bundles of whole operating systems are smaller.
const CA_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What sources may reach and how, for all of them. The default is public addresses only.
#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// Networks that sources may reach although they are not public, such as `10.0.0.0/8`; a single address is one too.
    #[serde(deserialize_with = "networks")]
    pub allow: Vec<IpNet>,
    /// The forward proxy, `http://` or `https://`, with credentials where it wants some; `NO_PROXY` still counts. Without
    /// it, the environment's `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`.
    pub proxy: Option<String>,
    /// A file of PEM certificates that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
}

impl NetworkConfig {
    /// The certificates of the CA file.
    pub(super) fn authorities(&self) -> Result<Vec<Certificate>, NetworkError> {
        let Some(path) = &self.ca_file else { return Ok(Vec::new()) };
        let wrong = |reason: String| NetworkError::Config {
            key: "ca_file",
            reason: format!("{} is a file of PEM certificates, and {reason}", path.display()),
        };
        let bytes = crate::files::read(path, CA_BYTES_MAX).map_err(|error| wrong(error.to_string()))?;
        let certificates =
            Certificate::from_pem_bundle(&bytes).map_err(|error| wrong(format!("this is none: {error}")))?;
        if certificates.is_empty() { Err(wrong("this holds none".to_owned())) } else { Ok(certificates) }
    }
}

/// The proxy may hold a password.
impl fmt::Debug for NetworkConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkConfig")
            .field("allow", &self.allow)
            .field("proxy", &self.proxy.as_ref().map(|_| "…"))
            .field("ca_file", &self.ca_file)
            .finish()
    }
}

fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| network(text).map_err(serde::de::Error::custom)).collect()
}

/// A network or a single address. Bits behind the prefix are a slip of the pen, and which one is meant is not guessed.
fn network(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse() {
        return Ok(IpNet::from(std::net::IpAddr::to_canonical(&address)));
    }
    let net: IpNet = text.parse().map_err(|_| format!("{text:?} is no network such as 10.0.0.0/8 and no address"))?;
    if net.addr() == net.network() {
        Ok(net)
    } else {
        Err(format!("{text:?} has address bits behind its prefix; write {} or the single address", net.trunc()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn parse(text: &str) -> Result<NetworkConfig, String> {
        toml::from_str(text).map_err(|error: toml::de::Error| error.to_string())
    }

    #[test]
    fn networks_and_single_addresses_are_read() {
        let config = parse("allow = ['10.0.0.0/8', '::1', '192.168.7.1', '::ffff:10.0.0.9']").expect("a table");
        let said: Vec<String> = config.allow.iter().map(IpNet::to_string).collect();
        assert_eq!(said, ["10.0.0.0/8", "::1/128", "192.168.7.1/32", "10.0.0.9/32"]);
        assert_eq!(parse("").expect("an empty table"), NetworkConfig::default());
    }

    #[test]
    fn what_is_no_network_is_refused_with_what_would_be_one() {
        let check = |text: &str, part: &str| {
            let error = parse(&format!("allow = ['{text}']")).expect_err("no network");
            assert!(error.contains(part), "{error}");
        };
        check("10.1.2.3/8", "write 10.0.0.0/8");
        check("intranet", "\"intranet\"");
        check("10.0.0.0/33", "10.0.0.0/33");
        assert!(parse("allows = []").is_err_and(|error| error.contains("allows")));
    }

    #[test]
    fn a_proxys_password_is_not_printed() {
        let config = parse("proxy = 'http://me:s3cret@proxy.example:3128'").expect("a table");
        assert!(!format!("{config:?}").contains("s3cret"));
    }

    #[test]
    fn a_ca_file_without_a_certificate_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("ca.pem");
        let error = |content: Option<&str>| {
            if let Some(content) = content {
                fs::write(&path, content).expect("a file");
            }
            let config = NetworkConfig { ca_file: Some(path.clone()), ..NetworkConfig::default() };
            config.authorities().map(|found| found.len()).expect_err("no authority").to_string()
        };
        for content in [None, Some(""), Some("-----BEGIN CERTIFICATE-----\nAAAA\n")] {
            let error = error(content);
            assert!(error.contains("ca_file") && error.contains("ca.pem"), "{error}");
        }
    }
}
