//! `[telemetry]` of the configuration: who reads what the server measures.
//!
//! ```toml
//! [telemetry]
//! metrics_listen = "127.0.0.1:9464"            # GET /metrics, in Prometheus's format
//! otlp_endpoint = "http://127.0.0.1:4318"      # traces and metrics to a collector; else OTEL_EXPORTER_OTLP_ENDPOINT
//! otlp_headers_file = "collector-headers"      # lines such as `authorization: Bearer …`; or otlp_headers_env
//! ca_file = "company-ca.pem"                   # trusted besides the system's authorities
//! sample_ratio = 0.1                           # of the requests whose callers do not say; all of them without it
//! metrics_every = "30s"
//! attributes = { "deployment.environment.name" = "production" }
//! ```

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry_otlp::{
    OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
};
use reqwest::Url;
use serde::Deserialize;

use super::file::read;
use super::parse_duration;
use crate::telemetry::OtlpConfig;

/// The variables of the environment that name a collector where the configuration does not.
const ENDPOINTS: [&str; 3] =
    [OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT];

/// What is told to whom.
#[derive(Clone, Debug, Default)]
pub struct TelemetrySettings {
    /// The address of the metrics page; without it, there is none.
    pub metrics_listen: Option<SocketAddr>,
    /// The collector, where one is named here or in the environment.
    pub otlp: OtlpConfig,
}

/// The section as it is written.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TelemetryFile {
    metrics_listen: Option<SocketAddr>,
    otlp_endpoint: Option<String>,
    otlp_headers_file: Option<PathBuf>,
    otlp_headers_env: Option<String>,
    ca_file: Option<PathBuf>,
    sample_ratio: Option<f64>,
    metrics_every: Option<String>,
    attributes: BTreeMap<String, String>,
}

impl TelemetryFile {
    pub(super) fn settings(self, folder: &Path) -> Result<TelemetrySettings, String> {
        let headers = match (self.otlp_headers_file, self.otlp_headers_env) {
            (None, None) => HeaderMap::new(),
            (Some(_), Some(_)) => {
                return Err("`otlp_headers_file` and `otlp_headers_env` are both set; keep one".to_owned());
            }
            (Some(file), None) => {
                let path = folder.join(file);
                let text = read(&path).map_err(|reason| format!("`otlp_headers_file` {}: {reason}", path.display()))?;
                headers(&text).map_err(|reason| format!("`otlp_headers_file` {}: {reason}", path.display()))?
            }
            (None, Some(variable)) => {
                let text = std::env::var(&variable)
                    .map_err(|_| format!("`otlp_headers_env`: the environment variable {variable:?} is not set"))?;
                headers(&text).map_err(|reason| format!("`otlp_headers_env` {variable:?}: {reason}"))?
            }
        };
        if let Some(endpoint) = &self.otlp_endpoint {
            check("otlp_endpoint", endpoint, !headers.is_empty())?;
        } else if !headers.is_empty() {
            // They go wherever the environment says.
            for name in ENDPOINTS {
                if let Some(endpoint) = std::env::var(name).ok().filter(|endpoint| !endpoint.is_empty()) {
                    check(name, &endpoint, true)?;
                }
            }
        }
        if let Some(ratio) = self.sample_ratio.filter(|ratio| !(0.0..=1.0).contains(ratio)) {
            return Err(format!("`sample_ratio` is {ratio}, and 0 to 1 are allowed"));
        }
        let every = self.metrics_every.as_deref().map(parse_duration).transpose();
        let metrics_every = every.map_err(|reason| format!("`metrics_every`: {reason}"))?;
        if metrics_every.is_some_and(|every| every.as_millis() < 100) {
            return Err("`metrics_every` is at least 100ms".to_owned());
        }
        let otlp = OtlpConfig {
            endpoint: self.otlp_endpoint,
            headers,
            ca_file: self.ca_file.map(|path| folder.join(path)),
            sample_ratio: self.sample_ratio,
            metrics_every,
            attributes: self.attributes,
        };
        Ok(TelemetrySettings { metrics_listen: self.metrics_listen, otlp })
    }
}

/// Whether the collector's address, which `name` says, is one, and one that credentials may go to.
fn check(name: &str, endpoint: &str, has_headers: bool) -> Result<(), String> {
    // The address itself is not repeated: somebody may have written credentials into it.
    let url: Url = endpoint.parse().map_err(|error| format!("`{name}` is no address: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("`{name}` holds credentials; put them into `otlp_headers_file`"));
    }
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        "https" => Ok(()),
        "http" if !has_headers || is_loopback => Ok(()),
        "http" => Err(format!("`{name}` is not https, and its headers may hold credentials")),
        scheme => Err(format!("`{name}` begins with {scheme}:, and OTLP over http or https is spoken")),
    }
}

/// Headers, one a line. What is wrong is told by its line, for it may be a credential.
fn headers(text: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (place, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = || format!("line {} is no header; write NAME: VALUE", place + 1);
        let (name, value) = line.split_once(':').ok_or_else(wrong)?;
        let name: HeaderName = name.trim().parse().map_err(|_| wrong())?;
        let mut value: HeaderValue = value.trim().parse().map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_and_never_shown() {
        let read = headers("authorization: Bearer of-the-collector\n\n x-scope: a:b \n").expect("two headers");
        assert_eq!(
            (read["authorization"].as_bytes(), read["x-scope"].as_bytes()),
            (&b"Bearer of-the-collector"[..], &b"a:b"[..])
        );
        let config = OtlpConfig { headers: read, ..OtlpConfig::default() };
        assert!(!format!("{config:?}").contains("of-the-collector"));
        for wrong in ["of-the-collector", "a b: c", "a: \u{1}", ": c"] {
            let error = headers(&format!("a: b\n{wrong}")).expect_err("it is none");
            assert!(error.starts_with("line 2") && !error.contains("of-the"), "{error}");
        }
    }

    #[test]
    fn credentials_go_over_tls_or_stay_on_this_machine() {
        for (endpoint, has_headers, is_good) in [
            ("http://collector.example:4318", false, true),
            ("http://collector.example:4318", true, false),
            ("https://collector.example:4318", true, true),
            ("http://127.0.0.1:4318", true, true),
            ("http://[::1]:4318", true, true),
            ("http://localhost:4318/", true, true),
            ("https://u:p@collector.example", false, false),
            ("grpc://collector.example", false, false),
            ("collector", false, false),
        ] {
            assert_eq!(check("otlp_endpoint", endpoint, has_headers).is_ok(), is_good, "{endpoint}");
        }
    }
}
