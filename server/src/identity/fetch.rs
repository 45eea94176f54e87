//! [`Provider`]: where an issuer's keys are, by OpenID Connect Discovery 1.0, and one attempt to get them.

use std::path::Path;

use reqwest::header::ACCEPT;
use reqwest::{Client, StatusCode, Url, redirect};
use serde::Deserialize;
use thiserror::Error;

use super::keyset::{KeySet, TENANT_MARK};
use super::token::{object, shown};
use crate::authorities::authorities;
use crate::limits::{ISSUER_BYTES_MAX, ISSUER_TIMEOUT};

/// Entra's name for "the tenants of all organisations", where a document for all of them stands.
const ALL_TENANTS: &str = "organizations";
/// Below an issuer (Discovery, section 4).
const DOCUMENT: &str = ".well-known/openid-configuration";

/// Where to ask for an issuer's keys.
pub(super) struct Provider {
    issuer: String,
    document: Url,
    client: Client,
}

/// Why there are no new keys. For the operator's log.
#[derive(Debug, Error)]
pub(super) enum FetchError {
    #[error("the answer of {url} was not complete after {} s", ISSUER_TIMEOUT.as_secs())]
    Slow { url: String },
    #[error("{url} cannot be reached: {source}")]
    Unreachable {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("{url} answers {status}, where 200 was expected; redirects are not followed")]
    Status { url: String, status: StatusCode },
    #[error("the answer of {url} has more than the {ISSUER_BYTES_MAX} bytes allowed")]
    TooLarge { url: String },
    #[error("{url} gives no discovery document: a JSON object with `issuer` and `jwks_uri` was expected")]
    Document { url: String },
    #[error(
        "{url} is the document of the issuer {found}, and {expected:?} is configured; they must be the same byte for byte"
    )]
    Issuer { url: String, found: String, expected: String },
    #[error("the `jwks_uri` of {url} is not https (http is for an issuer on this machine)")]
    Insecure { url: String },
    #[error("{url}: {reason}")]
    Keys { url: String, reason: String },
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
}

impl Provider {
    /// `document` is where the issuer's document is, should it not be below the issuer. Connects to nothing.
    ///
    /// # Errors
    /// A sentence about the key of the configuration that is wrong.
    pub(super) fn new(issuer: &str, document: Option<&str>, ca_file: Option<&Path>) -> Result<Self, String> {
        let below = || format!("{}/{DOCUMENT}", issuer.replace(TENANT_MARK, ALL_TENANTS).trim_end_matches('/'));
        let document = document.map_or_else(below, str::to_owned);
        let document: Url = document.parse().map_err(|error| format!("{document:?} is no address: {error}"))?;
        if !is_safe(&document) {
            return Err(format!("{document} is not https (http is for an issuer on this machine)"));
        }
        // reqwest is built without a provider of its own; a second installation is refused and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .user_agent(concat!("shortlist/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .timeout(ISSUER_TIMEOUT)
            // One request in ten minutes needs no connection that stays.
            .pool_max_idle_per_host(0);
        if is_loopback(&document) {
            // A proxy cannot reach this machine's own.
            builder = builder.no_proxy();
        }
        if let Some(path) = ca_file {
            builder = builder.tls_certs_merge(authorities(path)?);
        }
        let client = builder.build().map_err(|error| format!("no client for {document} can be made: {error}"))?;
        Ok(Self { issuer: issuer.to_owned(), document, client })
    }

    /// Reads the document and the keys it leads to, within [`ISSUER_TIMEOUT`] in all.
    pub(super) async fn keys(&self) -> Result<KeySet, FetchError> {
        let slow = |_| Err(FetchError::Slow { url: self.document.to_string() });
        tokio::time::timeout(ISSUER_TIMEOUT, self.read()).await.unwrap_or_else(slow)
    }

    async fn read(&self) -> Result<KeySet, FetchError> {
        let keys = address_of_keys(&self.issuer, &self.document, &self.get(&self.document).await?)?;
        KeySet::of_jwks(&self.get(&keys).await?, true)
            .map_err(|reason| FetchError::Keys { url: keys.to_string(), reason })
    }

    async fn get(&self, url: &Url) -> Result<Vec<u8>, FetchError> {
        let unreachable =
            |source: reqwest::Error| FetchError::Unreachable { url: url.to_string(), source: source.without_url() };
        let mut response =
            self.client.get(url.clone()).header(ACCEPT, "application/json").send().await.map_err(unreachable)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status { url: url.to_string(), status: response.status() });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > ISSUER_BYTES_MAX {
                return Err(FetchError::TooLarge { url: url.to_string() });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// Where the keys of `issuer` are, by the document that came from `url`.
fn address_of_keys(issuer: &str, url: &Url, body: &[u8]) -> Result<Url, FetchError> {
    let document: Document = object(body).ok_or_else(|| FetchError::Document { url: url.to_string() })?;
    if document.issuer != issuer {
        let (found, expected) = (shown(&document.issuer), issuer.to_owned());
        return Err(FetchError::Issuer { url: url.to_string(), found, expected });
    }
    let keys: Url = document.jwks_uri.parse().map_err(|_| FetchError::Document { url: url.to_string() })?;
    // An issuer elsewhere has no business on this machine.
    if !is_safe(&keys) || (is_loopback(&keys) && !is_loopback(url)) {
        return Err(FetchError::Insecure { url: url.to_string() });
    }
    Ok(keys)
}

/// Where the keys of the issuer `https://id.example` are, by a discovery document. For fuzzing, which has no use for a provider.
#[doc(hidden)]
pub fn read_discovery(body: &[u8]) -> Option<String> {
    let issuer = "https://id.example";
    let url = format!("{issuer}/{DOCUMENT}").parse().ok()?;
    address_of_keys(issuer, &url, body).ok().map(String::from)
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Provider({})", self.document)
    }
}

fn is_safe(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
