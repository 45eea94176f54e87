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
//! is asked once, and its other pages need none. The same question is put after a read: a catalog that changed while it was
//! read may have moved an action from a page not yet read to one already read, so it is read again.
//!
//! A pass that dies leaves its pages in a journal, and the next goes on at the cursor after them. What
//! it resumes is asked with everything else whether it is still current, so a resumed pass is as good as one without a break.
//!
//! When one page of a catalog changed, all of them are read. The pages that did not could be kept beside the generation and
//! asked with `If-None-Match`, which saves their bodies but none of the requests; at 200 actions a page it is the requests
//! that take the time, and a second copy of the catalog would have to be kept true to the first.

mod config;
mod journal;
mod page;
mod pass;
mod record;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use reqwest::Url;
use sha2::{Digest, Sha256};
use shortlist_index::check_source;

use self::journal::Journal;
use self::pass::{Pass, Reading, Stamp};
use super::{Fetched, Record, Source, SourceState};
use crate::error::SourceError;
use crate::network::{Auth, Client, ClientOptions, Got, Network, Pause, printable};

pub use self::config::{AutomationHubConfig, EtagCovers, FieldMap};

/// The kind's name in configuration and provenance.
pub const SOURCE_TYPE: &str = "automation_hub";

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
/// The longest time for one pass, in seconds: a day.
const PASS_TIMEOUT_S_MAX: u64 = 24 * 3600;
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
    /// Where an unfinished pass is kept.
    resume: Option<PathBuf>,
    /// [`CATALOG_BYTES_MAX`], but for a test that would not wait for so many.
    bytes_max: u64,
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
        if !(1..=PASS_TIMEOUT_S_MAX).contains(&config.pass_timeout_s) {
            let given = config.pass_timeout_s;
            return Err(wrong(format!("pass_timeout_s is 1 to {PASS_TIMEOUT_S_MAX} seconds, not {given}")));
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
        Ok(Self { config, actions, client, resume: None, bytes_max: CATALOG_BYTES_MAX })
    }

    /// Keeps the pages of a pass in this folder, its own, while it runs; what a pass that died left there is gone on with.
    #[must_use]
    pub fn resuming_in(mut self, folder: impl Into<PathBuf>) -> Self {
        self.resume = Some(folder.into());
        self
    }

    fn pass_timeout(&self) -> Duration {
        Duration::from_secs(self.config.pass_timeout_s)
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
        SOURCE_TYPE
    }

    fn fetch(&self, since: Option<&SourceState>, sink: &mut dyn FnMut(Record)) -> Result<Fetched, SourceError> {
        let pass = Pass::begin(self);
        let mut journal = Journal::open(self.resume.as_deref(), self.configuration(), SystemTime::now());
        if let Some(stamps) = since.and_then(|state| self.remembered(state))
            && pass.still_current(&stamps)?
        {
            journal.restart();
            return Ok(Fetched::Unchanged);
        }
        let mut n_reads = 0;
        while n_reads < READS_MAX {
            let reading = pass.read(&mut journal)?;
            // What was resumed may well be old by now, and is no sign of a catalog that never rests.
            n_reads += usize::from(journal.n_replayed() == 0);
            let is_good = match &reading {
                Some(Reading { stamps, .. }) if pass.can_ask(stamps) => pass.still_current(stamps)?,
                // Nobody can say, so what was read counts.
                Some(_) => true,
                None => false,
            };
            journal.restart();
            if let Some(reading) = reading.filter(|_| is_good) {
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

/// Reads a page of a hub that is set up as usual, as a pass does. For fuzzing, which has no use for a hub.
#[doc(hidden)]
pub fn read_page(body: &[u8]) -> Vec<Record> {
    let config = AutomationHubConfig::new("hub", "https://hub.example");
    let page = Url::parse("https://hub.example").ok().and_then(|url| page::Page::parse(body, &config, &url).ok());
    let actions = page.map(|page| page.actions).unwrap_or_default();
    actions.into_iter().map(|action| record::record(action, &config, "an action")).collect()
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
        let mut nowhere = Journal::open(None, String::new(), SystemTime::now());
        let n_bytes = Pass::begin(&hub).read(&mut nowhere).expect("a pass").expect("a whole one").n_bytes;
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
