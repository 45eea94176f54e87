//! [`Web`]: a document behind an address.

use std::time::Duration;

use reqwest::Url;
use sha2::{Digest, Sha256};
use shortlist_index::hex;

use super::parse::DOCUMENT_BYTES_MAX;
use crate::error::SourceError;
use crate::network::{Auth, Client, ClientOptions, Got, Network, contract, printable};

/// For one attempt: 64 MB at a megabyte a second.
const TIMEOUT: Duration = Duration::from_secs(64);

/// A document as it was sent.
pub(super) struct Page {
    /// Its bytes.
    pub body: Vec<u8>,
    /// What the server calls this state of it, where it says anything.
    pub etag: Option<String>,
}

/// An address and how it is reached.
pub(super) struct Web {
    source: String,
    url: Url,
    client: Client,
}

impl Web {
    pub fn new(
        source: &str,
        url: &str,
        network: &Network,
        auth: Option<Auth>,
        allow_plain_http: bool,
    ) -> Result<Self, SourceError> {
        let url = Url::parse(url).map_err(|error| SourceError::NoCatalog {
            name: source.to_owned(),
            detail: format!("its \"url\" is no address: {error}"),
        })?;
        let options = ClientOptions {
            timeout: TIMEOUT,
            bytes_max: DOCUMENT_BYTES_MAX,
            accept: "application/json, application/yaml, application/vnd.oai.openapi+json, */*;q=0.5",
            allow_plain_http,
            ..ClientOptions::default()
        };
        let client = network.client(source, &url, auth, options)?;
        Ok(Self { source: source.to_owned(), url, client })
    }

    /// The address, without what may be secret.
    pub fn shown(&self) -> String {
        printable(&self.url)
    }

    /// SHA-256 of the whole address, in hexadecimal, for its query may hold a key.
    pub fn address_sha256(&self) -> String {
        hex(&Sha256::digest(self.url.as_str()))
    }

    /// The document; `None` when it is what it was when it had `etag`.
    pub fn get(&self, etag: Option<&str>) -> Result<Option<Page>, SourceError> {
        match self.client.get(&self.url, etag)? {
            Got::NotModified => Ok(None),
            Got::Page { body, etag } => Ok(Some(Page { body, etag })),
            Got::Gone => Err(contract(
                &self.source,
                &self.url,
                "the document is gone for good (410); take the source out, or give its new address",
            )),
        }
    }
}
