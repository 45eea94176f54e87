//! [`Arcade`]: the tools of an Arcade worker, read over HTTP.
//!
//! The contract: `GET {base_url}/worker/tools` answers a JSON list of tool definitions to whoever shows a JWT that is signed
//! (HS256) with the worker's secret and says `aud` "worker" and `ver` "1". A toolkit is a namespace, and its version that of
//! each of its tools.
//!
//! A tool that wants a user's authorization at a provider must be called on behalf of that user. Its OAuth scopes become
//! required scopes, all of them needed, each with its provider in front, for `read` is a scope of many: `google:openid`. A
//! provider that is wanted without scopes is a required scope by its name alone: `slack`. A provider of the deployment's
//! own, which a tool names by `id`, has an `@` in front: `@crm:contacts:read`, or `google@google-eu:openid` where both are
//! named. Secrets are the worker's and nothing that a caller must hold.
//!
//! A tool whose requirements cannot be read to the last key is rejected, and so is one with a parameter of an unknown type.

mod config;
mod definition;
mod requirements;
mod schema;
mod token;
mod version;

use std::collections::HashSet;
use std::time::Duration;

use reqwest::Url;
use serde_json::Value;
use sha2::{Digest, Sha256};
use shortlist_index::{check_source, hex};

use super::{Fetched, Record, Source, SourceState};
use crate::error::SourceError;
use crate::network::{Auth, Client, ClientOptions, Got, Network, Pause, Secret, contract};
use crate::normalize::{normalize, rejection};

pub use self::config::ArcadeConfig;

/// The kind's name in configuration and provenance.
pub const SOURCE_TYPE: &str = "arcade";
/// The largest answer taken: 5,000 tools of ten kilobytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The most tools of one worker; the largest toolkits have a few hundred.
const TOOLS_MAX: usize = 100_000;
/// The longest timeout of one request, in seconds.
const TIMEOUT_S_MAX: u64 = 600;
/// Raised when the same answer would become other tools, so that a remembered state does not hide the change.
const MAPPING: &str = "1";

/// A source of type `arcade`.
pub struct Arcade {
    name: String,
    tools: Url,
    client: Client,
}

impl Arcade {
    /// Checks the configuration; connects to nothing. `secret` is what the configuration's keys lead to.
    ///
    /// # Errors
    /// [`SourceError`] when a name, address or limit is out of its range, the network does not lead to the worker, or the
    /// token would travel in the clear.
    pub fn new(config: &ArcadeConfig, network: &Network, secret: Secret) -> Result<Self, SourceError> {
        Self::with_pause(config, network, secret, Box::new(std::thread::sleep))
    }

    /// As [`Arcade::new`], with another way to wait between attempts.
    ///
    /// # Errors
    /// As [`Arcade::new`].
    pub fn with_pause(
        config: &ArcadeConfig,
        network: &Network,
        secret: Secret,
        pause: Pause,
    ) -> Result<Self, SourceError> {
        let wrong = |detail: String| SourceError::NoCatalog { name: config.name.clone(), detail };
        check_source(&config.name).map_err(|error| wrong(error.to_string()))?;
        let tools = tools_url(&config.base_url).map_err(wrong)?;
        if !(1..=TIMEOUT_S_MAX).contains(&config.timeout_s) {
            return Err(wrong(format!("timeout_s is 1 to {TIMEOUT_S_MAX} seconds, not {}", config.timeout_s)));
        }
        let options = ClientOptions {
            timeout: Duration::from_secs(config.timeout_s),
            bytes_max: ANSWER_BYTES_MAX,
            allow_plain_http: config.allow_plain_http,
            pause,
            ..ClientOptions::default()
        };
        let auth = Auth::Minted(Box::new(move || token::mint(&secret.read()?)));
        let client = network.client(&config.name, &tools, Some(auth), options)?;
        Ok(Self { name: config.name.clone(), tools, client })
    }

    /// The worker's answer. What a status means depends on what was asked, and here that is known.
    fn get(&self) -> Result<Vec<u8>, SourceError> {
        let advice = |status| match status {
            401 | 403 => Some(
                "so it did not accept the worker secret; secret_env or secret_file leads to the same secret that the worker \
                 has as ARCADE_WORKER_SECRET, and the two clocks agree to a minute",
            ),
            404 => Some(
                "so there is no worker: base_url is the part before /worker/tools, and a worker lists its tools only when \
                 it has an ARCADE_WORKER_SECRET",
            ),
            _ => None,
        };
        match self.client.get(&self.tools, None) {
            Ok(Got::Page { body, .. }) => Ok(body),
            Ok(Got::Gone | Got::NotModified) => {
                Err(contract(&self.name, &self.tools, "the list of tools is sent whenever it is asked for"))
            }
            Err(SourceError::Status { name, url, status, advice: general }) => {
                let advice = advice(status).map_or(general, str::to_owned);
                Err(SourceError::Status { name, url, status, advice })
            }
            Err(error) => Err(error),
        }
    }

    fn record(&self, position: usize, value: Value, seen: &mut HashSet<String>) -> Record {
        let tool = record(&self.name, position, value)?;
        if seen.insert(tool.reference.to_string()) {
            Ok(tool)
        } else {
            let reason = format!("an earlier tool has the same identity {}", tool.reference);
            Err(rejection(&tool.provenance.foreign_id, reason))
        }
    }
}

impl Source for Arcade {
    fn name(&self) -> &str {
        &self.name
    }

    fn source_type(&self) -> &'static str {
        SOURCE_TYPE
    }

    fn fetch(&self, since: Option<&SourceState>, sink: &mut dyn FnMut(Record)) -> Result<Fetched, SourceError> {
        let body = self.get()?;
        // A worker has no ETags; its answer's own digest tells the same, one transfer later.
        let state = SourceState::from([
            ("mapping".to_owned(), MAPPING.to_owned()),
            ("address".to_owned(), self.tools.to_string()),
            ("sha256".to_owned(), hex(&Sha256::digest(&body))),
        ]);
        if since == Some(&state) {
            return Ok(Fetched::Unchanged);
        }
        let broken = |detail: String| contract(&self.name, &self.tools, detail);
        let tools: Vec<Value> = match serde_json::from_slice(&body) {
            Ok(Value::Array(tools)) => tools,
            Ok(_) => return Err(broken("the answer is a list of tools, and this is no list".to_owned())),
            Err(error) => return Err(broken(format!("the answer is JSON, and this is not: {error}"))),
        };
        if tools.len() > TOOLS_MAX {
            let what = "the worker's list".to_owned();
            return Err(SourceError::TooLarge { name: self.name.clone(), what, max: TOOLS_MAX as u64, unit: "tools" });
        }
        let mut seen = HashSet::new();
        for (index, tool) in tools.into_iter().enumerate() {
            sink(self.record(index + 1, tool, &mut seen));
        }
        Ok(Fetched::Complete(state))
    }
}

/// Reads a worker's list, as a pass does. For fuzzing, which has no use for a worker.
#[doc(hidden)]
pub fn read_list(body: &[u8]) -> Vec<Record> {
    let tools: Vec<Value> = serde_json::from_slice(body).unwrap_or_default();
    tools.into_iter().enumerate().map(|(index, tool)| record("desk", index + 1, tool)).collect()
}

/// One tool of the list, at its place from 1.
fn record(source: &str, position: usize, value: Value) -> Record {
    let draft = definition::draft(value, position).map_err(|refusal| rejection(&refusal.record, refusal.reason))?;
    normalize(draft, source, SOURCE_TYPE)
}

fn tools_url(base: &str) -> Result<Url, String> {
    let mut url = Url::parse(base).map_err(|error| format!("base_url {base:?} is no address: {error}"))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("base_url is the part before /worker/tools and has no query".to_owned());
    }
    url.path_segments_mut()
        .map_err(|()| "base_url begins with https:// or http://".to_owned())?
        .pop_if_empty()
        .extend(["worker", "tools"]);
    Ok(url)
}
