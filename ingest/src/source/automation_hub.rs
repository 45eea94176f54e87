//! [`AutomationHub`]: the in-house warehouse of actions, read over HTTP.
//!
//! The contract: `GET {base_url}/api/catalog/actions?limit=&cursor=` answers a page of actions and the next cursor, which
//! is absent or null at the end. Actions are named `namespace:name@semver`. Pages carry ETags, and `If-None-Match` is
//! answered with 304. What the fields are called is configuration ([`FieldMap`]), for deployments differ.
//!
//! A bad action is a rejection. A bad page ends the pass: what it should have held cannot be told from what is gone.
//!
//! An ETag vouches for one address, so the state remembers one for each page, and the catalog counts as unchanged when
//! every page answers 304. A deployment whose first page's ETag covers the catalog says so ([`EtagCovers::Catalog`]) and
//! is asked once. The same question is put after a read: a catalog that changed while it was read may have moved an action
//! from a page not yet read to one already read, so it is read again.

mod config;
mod page;
mod record;

use std::collections::HashSet;
use std::time::Duration;

use reqwest::Url;
use sha2::{Digest, Sha256};
use shortlist_index::check_source;

use self::page::Page;
use super::{Fetched, Record, Source, SourceState};
use crate::error::SourceError;
use crate::network::{Auth, Client, ClientOptions, Got, Network, Pause, contract, printable};
use crate::normalize::{normalize, rejection};

pub use self::config::{AutomationHubConfig, EtagCovers, FieldMap};

/// The most records asked for on one page.
pub const PAGE_LIMIT_MAX: usize = 1_000;
/// The largest page taken: 1,000 actions of 16 KiB each, twice over.
const PAGE_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// The most pages of one catalog: 2,000,000 actions at the default page. More is a hub that never ends.
const PAGES_MAX: usize = 10_000;
/// The most actions of one catalog, ten times what an index is built for.
const ACTIONS_MAX: usize = 2_000_000;
/// The most bytes of one catalog, all pages together: they are held as tools until its end, and 200,000 actions of ten
/// kilobytes fit. Pages of the largest size would otherwise fill any memory long before there are too many.
const CATALOG_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// How often a catalog that changes while it is read is read from its start.
const READS_MAX: usize = 3;
/// The longest timeout of one request, in seconds.
const TIMEOUT_S_MAX: u64 = 600;
/// Raised when the same pages would become other tools, so that a remembered state does not hide the change.
const MAPPING: &str = "2";
/// The keys of the state.
const STATE_CONFIGURATION: &str = "configuration";
const STATE_PAGES: &str = "pages";

/// A source of type `automation_hub`.
pub struct AutomationHub {
    config: AutomationHubConfig,
    actions: Url,
    client: Client,
    /// [`CATALOG_BYTES_MAX`], but for a test that would not wait for so many.
    bytes_max: u64,
}

/// One page as it was read: its cursor (`None` for the first), its ETag where it had one, and its body's SHA-256.
type Stamp = (Option<String>, Option<String>, String);

/// A catalog read to its end.
struct Reading {
    records: Vec<Record>,
    stamps: Vec<Stamp>,
    /// Of the pages' bodies.
    n_bytes: u64,
}

impl AutomationHub {
    /// Checks the configuration; connects to nothing. `auth` is what the configuration's keys lead to
    /// ([`AutomationHubConfig::auth_keys`]).
    ///
    /// # Errors
    /// [`SourceError`] when a name, address or limit is out of its range, the network does not lead to the hub, or the
    /// credentials cannot be read or would travel in the clear.
    pub fn new(config: AutomationHubConfig, network: &Network, auth: Option<Auth>) -> Result<Self, SourceError> {
        Self::with_pause(config, network, auth, Box::new(std::thread::sleep))
    }

    /// As [`AutomationHub::new`], with another way to wait between attempts.
    ///
    /// # Errors
    /// As [`AutomationHub::new`].
    pub fn with_pause(
        config: AutomationHubConfig,
        network: &Network,
        auth: Option<Auth>,
        pause: Pause,
    ) -> Result<Self, SourceError> {
        let wrong = |detail: String| SourceError::NoCatalog { name: config.name.clone(), detail };
        check_source(&config.name).map_err(|error| wrong(error.to_string()))?;
        let actions = actions_url(&config.base_url).map_err(wrong)?;
        if !(1..=PAGE_LIMIT_MAX).contains(&config.page_limit) {
            return Err(wrong(format!("page_limit is 1 to {PAGE_LIMIT_MAX}, not {}", config.page_limit)));
        }
        if !(1..=TIMEOUT_S_MAX).contains(&config.timeout_s) {
            return Err(wrong(format!("timeout_s is 1 to {TIMEOUT_S_MAX} seconds, not {}", config.timeout_s)));
        }
        if config.fields.id.is_empty() {
            return Err(wrong("fields.id is the path of namespace:name@version and may not be empty".to_owned()));
        }
        let options = ClientOptions {
            timeout: Duration::from_secs(config.timeout_s),
            bytes_max: PAGE_BYTES_MAX,
            allow_plain_http: config.allow_plain_http,
            pause,
            ..ClientOptions::default()
        };
        let client = network.client(&config.name, &actions, auth, options)?;
        Ok(Self { config, actions, client, bytes_max: CATALOG_BYTES_MAX })
    }

    /// Gets a page. What a status means depends on what was asked, and here that is known.
    fn get(&self, url: &Url, etag: Option<&str>) -> Result<Got, SourceError> {
        self.client.get(url, etag).map_err(|error| match error {
            SourceError::Status { name, url, status: 404, .. } => {
                let advice =
                    "so base_url does not lead to a hub; it is the part before /api/catalog/actions".to_owned();
                SourceError::Status { name, url, status: 404, advice }
            }
            SourceError::Status { name, url, status: 400, .. } => {
                let advice = "so it did not understand the request; check page_limit and base_url".to_owned();
                SourceError::Status { name, url, status: 400, advice }
            }
            other => other,
        })
    }

    /// The address of a page.
    fn page_url(&self, cursor: Option<&str>) -> Url {
        let mut url = self.actions.clone();
        url.query_pairs_mut().append_pair("limit", &self.config.page_limit.to_string());
        if let Some(cursor) = cursor {
            url.query_pairs_mut().append_pair("cursor", cursor);
        }
        url
    }

    /// What decides which tools come of the same pages. A state of another configuration is not believed.
    fn configuration(&self) -> String {
        let AutomationHubConfig { page_limit, etag_covers, empty_cursor_ends, fields, .. } = &self.config;
        let text = format!("{MAPPING} {} {page_limit} {etag_covers:?} {empty_cursor_ends} {fields:?}", self.actions);
        shortlist_index::hex(&Sha256::digest(text.as_bytes()))
    }

    /// The pages that a state remembers; `None` when it is of another configuration or cannot be read.
    fn remembered(&self, state: &SourceState) -> Option<Vec<Stamp>> {
        let same = state.get(STATE_CONFIGURATION).is_some_and(|known| *known == self.configuration());
        if same { serde_json::from_str(state.get(STATE_PAGES)?).ok() } else { None }
    }

    /// Whether the pages are what they were. Without ETags that cannot be asked, and the answer is no.
    fn still_current(&self, stamps: &[Stamp]) -> Result<bool, SourceError> {
        let asked = match self.config.etag_covers {
            EtagCovers::Page => stamps,
            EtagCovers::Catalog => stamps.get(..1).unwrap_or_default(),
        };
        if asked.is_empty() || asked.iter().any(|(_, etag, _)| etag.is_none()) {
            return Ok(false);
        }
        for (cursor, etag, digest) in asked {
            match self.get(&self.page_url(cursor.as_deref()), etag.as_deref())? {
                Got::NotModified => {}
                // Some hubs send ETags and ignore the question, or make a new ETag for each answer. The same bytes prove
                // a page, but not what else a catalog's ETag speaks for.
                Got::Page { body, etag: now } => {
                    let same = match self.config.etag_covers {
                        EtagCovers::Page => hash(&body) == *digest,
                        EtagCovers::Catalog => now == *etag,
                    };
                    if !same {
                        return Ok(false);
                    }
                }
                Got::Gone => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Reads every page. `None` when a cursor expired or the catalog's ETag changed on the way: start again.
    fn read(&self) -> Result<Option<Reading>, SourceError> {
        let mut reading = Reading { records: Vec::new(), stamps: Vec::new(), n_bytes: 0 };
        let mut seen = HashSet::new();
        let mut cursor: Option<String> = None;
        loop {
            let url = self.page_url(cursor.as_deref());
            let (body, etag) = match self.get(&url, None)? {
                Got::Page { body, etag } => (body, etag),
                Got::Gone if cursor.is_some() => return Ok(None),
                Got::Gone | Got::NotModified => {
                    return Err(contract(
                        &self.config.name,
                        &url,
                        "the first page exists and is sent when it is asked for",
                    ));
                }
            };
            let first_etag = reading.stamps.first().map(|(_, etag, _)| etag);
            if self.config.etag_covers == EtagCovers::Catalog && first_etag.is_some_and(|first| *first != etag) {
                return Ok(None);
            }
            reading.n_bytes = reading.n_bytes.saturating_add(body.len() as u64);
            self.check_size(&reading)?;
            let page = Page::parse(&body, &self.config, &url)?;
            self.take(page.actions, &mut reading);
            reading.stamps.push((cursor, etag, hash(&body)));
            self.check_size(&reading)?;
            let Some(next) = page.next_cursor else { return Ok(Some(reading)) };
            if !seen.insert(next.clone()) {
                let hint = if next.is_empty() {
                    "; if an empty cursor means the end, set empty_cursor_ends = true"
                } else {
                    ""
                };
                let detail = format!("page {} gives a cursor that an earlier page gave{hint}", reading.stamps.len());
                return Err(contract(&self.config.name, &url, detail));
            }
            cursor = Some(next);
        }
    }

    fn take(&self, actions: Vec<serde_json::Value>, reading: &mut Reading) {
        let page = reading.stamps.len() + 1;
        for (index, action) in actions.into_iter().enumerate() {
            let position = format!("action {} of page {page}", index + 1);
            let record = match record::draft(action, &self.config.fields, &position) {
                Ok(draft) => normalize(draft, &self.config.name, self.source_type()),
                Err(refusal) => Err(rejection(&refusal.record, refusal.reason)),
            };
            reading.records.push(record);
        }
    }

    fn check_size(&self, reading: &Reading) -> Result<(), SourceError> {
        let too_large = |max: u64, unit: &'static str| SourceError::TooLarge {
            name: self.config.name.clone(),
            what: format!("the catalog at {}", printable(&self.actions)),
            max,
            unit,
        };
        match (reading.stamps.len(), reading.records.len()) {
            (n_pages, _) if n_pages >= PAGES_MAX => Err(too_large(PAGES_MAX as u64, "pages")),
            (_, n_actions) if n_actions > ACTIONS_MAX => Err(too_large(ACTIONS_MAX as u64, "actions")),
            _ if reading.n_bytes > self.bytes_max => Err(too_large(self.bytes_max, "bytes")),
            _ => Ok(()),
        }
    }

    fn state(&self, stamps: &[Stamp]) -> SourceState {
        // Texts always serialise; an empty list of pages is never believed, so even then nothing would go wrong.
        let pages = serde_json::to_string(stamps).unwrap_or_default();
        SourceState::from([(STATE_CONFIGURATION.to_owned(), self.configuration()), (STATE_PAGES.to_owned(), pages)])
    }
}

impl Source for AutomationHub {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn source_type(&self) -> &'static str {
        "automation_hub"
    }

    fn fetch(&self, since: Option<&SourceState>, sink: &mut dyn FnMut(Record)) -> Result<Fetched, SourceError> {
        if let Some(stamps) = since.and_then(|state| self.remembered(state))
            && self.still_current(&stamps)?
        {
            return Ok(Fetched::Unchanged);
        }
        for _ in 0..READS_MAX {
            let Some(reading) = self.read()? else { continue };
            let can_be_asked = reading.stamps.iter().all(|(_, etag, _)| etag.is_some());
            if !can_be_asked || self.still_current(&reading.stamps)? {
                reading.records.into_iter().for_each(sink);
                return Ok(Fetched::Complete(self.state(&reading.stamps)));
            }
        }
        Err(SourceError::Changed {
            name: self.config.name.clone(),
            what: format!("the catalog at {} ({READS_MAX} times)", printable(&self.actions)),
        })
    }
}

fn actions_url(base: &str) -> Result<Url, String> {
    let mut url = Url::parse(base.trim())
        .map_err(|error| format!("base_url is an address such as https://hub.example, and this is none: {error}"))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("base_url has a query or a fragment; it is the part before /api/catalog/actions".to_owned());
    }
    match url.path_segments_mut() {
        Ok(mut segments) => segments.pop_if_empty().extend(["api", "catalog", "actions"]),
        Err(()) => return Err("base_url has no host".to_owned()),
    };
    Ok(url)
}

fn hash(body: &[u8]) -> String {
    shortlist_index::hex(&Sha256::digest(body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Secret, Token};

    #[test]
    fn the_address_is_checked_before_anything_is_sent() {
        let check = |base: &str, expected: Result<&str, &str>| {
            let got = actions_url(base).map(String::from);
            let as_expected = match (&got, expected) {
                (Ok(url), Ok(expected)) => url == expected,
                (Err(reason), Err(part)) => reason.contains(part),
                _ => false,
            };
            assert!(as_expected, "{base}: {got:?}, expected {expected:?}");
        };
        check("https://hub.example", Ok("https://hub.example/api/catalog/actions"));
        check("https://hub.example/v2/", Ok("https://hub.example/v2/api/catalog/actions"));
        check("https://hub.example/?token=x", Err("query"));
        check("hub.example", Err("address"));
    }

    #[cfg(feature = "testing")]
    #[test]
    fn pages_that_together_are_too_large_end_the_pass() {
        let actions: Vec<_> = (0..6).map(|i| serde_json::json!({"id": format!("a:b{i}@1.0.0")})).collect();
        let server = crate::testing::HubServer::start(actions).expect("a loopback port");
        let config = AutomationHubConfig { page_limit: 1, ..AutomationHubConfig::new("hub", &server.base_url()) };
        let mut hub = AutomationHub::new(config, &crate::testing::loopback(), None).expect("a hub");
        let n_bytes = hub.read().expect("a pass").expect("a whole one").n_bytes;
        hub.bytes_max = n_bytes;
        assert!(hub.fetch(None, &mut |_| ()).is_ok());
        hub.bytes_max = n_bytes - 1;
        let mut n_records = 0;
        let error = hub.fetch(None, &mut |_| n_records += 1).expect_err("one byte too many");
        assert!(matches!(error, SourceError::TooLarge { max, unit: "bytes", .. } if max == n_bytes - 1), "{error}");
        assert_eq!(n_records, 0);
    }

    #[test]
    fn credentials_do_not_travel_in_the_clear_unless_told_to() {
        let network = Network::new(&toml::from_str("allow = ['127.0.0.0/8']").expect("a table")).expect("a network");
        let hub = |base: &str, plain: bool| {
            let config = AutomationHubConfig { allow_plain_http: plain, ..AutomationHubConfig::new("hub", base) };
            let auth = Token::new("s3cret").map(|token| Auth::Bearer(Secret::Fixed(token)));
            AutomationHub::new(config, &network, auth).map(|_| ()).map_err(|error| error.to_string())
        };
        assert!(hub("http://hub.example", false).is_err_and(|error| error.contains("unencrypted")));
        assert_eq!(hub("http://hub.example", true), Ok(()));
        assert_eq!(hub("http://127.0.0.1:1", false), Ok(()));
        assert_eq!(hub("https://hub.example", false), Ok(()));
        assert!(hub("https://me:s3cret@hub.example", true).is_err_and(|error| !error.contains("s3cret")));
        assert!(hub("ftp://hub.example", true).is_err_and(|error| error.contains("https://")));
    }
}
