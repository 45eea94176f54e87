//! [`Mcp`]: the tools of an MCP server, as `tools/list` gives them.
//!
//! A server is a program that is started for the pass and killed after it with all that it started, or an address that is
//! reached by streamable HTTP. Both eras of the protocol are spoken: the stateless revision 2026-07-28, and the handshake of
//! those before it.
//!
//! A listing is read page by page as untyped JSON, so that one odd tool is a rejection and not the loss of its page. A listing
//! that breaks off, never ends, or was made for one user ends the pass: what is absent from it would look as if it were gone,
//! and what is in it was not meant for everybody.
//!
//! MCP has no ETag. A server that announces changes is kept connected while somebody waits for them
//! ([`Source::wait_for_change`]), and its listing is then read over the same connection.

mod child;
mod config;
mod guard;
mod http;
mod listing;
mod live;
mod probe;
mod record;
mod session;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use reqwest::Url;
use reqwest::header::HeaderName;
use sha2::{Digest, Sha256};
use shortlist_index::check_source;
use tokio::runtime::Builder;

use self::child::Program;
use self::http::Address;
use self::live::{Changes, Live, Waited};
use self::session::{About, Plan, Session, Target};
use super::{Fetched, Record, Source, SourceState};
use crate::error::SourceError;
use crate::network::{Network, Places, Secret, Token, check_encrypted};
use crate::normalize::{normalize, rejection};

pub use self::config::{Handshake, McpConfig};

/// The kind's name in configuration and provenance.
pub const SOURCE_TYPE: &str = "mcp_proxy";

/// The variables of our own environment that every program gets. Everything else, our secrets above all, is named in
/// `env_from` or stays here.
pub const ENVIRONMENT: [&str; 9] = ["HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"];

/// The shortest and the longest time before a server that went away is looked for again.
const RETRY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(300)];

/// A source of type `mcp_proxy`.
pub struct Mcp {
    plan: Plan,
    reader: Reader,
    last: Mutex<Last>,
    live: Mutex<Option<Arc<Live>>>,
    /// When a server that went away is looked for again, and the pause before that.
    retry: Mutex<Option<(Instant, Duration)>>,
}

/// Reads a page of a listing, as a pass does. For fuzzing, which has no use for a server.
#[doc(hidden)]
pub fn read_page(body: &[u8]) -> Vec<Record> {
    let reader = Reader { namespace: "tools".to_owned(), trust_annotations: false, timeout: Duration::ZERO };
    let mut records = Vec::new();
    let mut sink = |position: &str, tool| records.push(reader.record("mcp", position, tool));
    if let Ok(page) = serde_json::from_slice(body) {
        // A page that is refused gives what came before its fault.
        let _ = listing::Listing::new(listing::Limits::default(), false).take(page, &mut sink);
    }
    records
}

/// What the last complete pass left.
#[derive(Default)]
struct Last {
    fresh_for: Option<Duration>,
    announces: bool,
    digest: Option<[u8; 32]>,
}

/// How a listing becomes records.
struct Reader {
    namespace: String,
    trust_annotations: bool,
    timeout: Duration,
}

/// A listing read to its end.
struct Pass {
    records: Vec<Record>,
    about: About,
    fresh_for: Option<Duration>,
    /// Of all records; equal listings have equal digests.
    digest: [u8; 32],
}

impl Mcp {
    /// Checks the configuration and looks up what it names; starts nothing and touches no network.
    ///
    /// # Errors
    /// [`SourceError`] when a key is out of its range, an address is not allowed, a secret would travel in the clear, or a
    /// variable that is named is not set.
    pub fn new(config: &McpConfig, network: &Network, places: &Places<'_>) -> Result<Self, SourceError> {
        let wrong = |detail: String| SourceError::NoCatalog { name: config.name.clone(), detail };
        check_source(&config.name).map_err(|error| wrong(error.to_string()))?;
        config.check().map_err(wrong)?;
        let unset = |reason: String| SourceError::Credentials { name: config.name.clone(), reason };
        let target = match &config.url {
            Some(url) => Target::Address(Box::new(address(config, url, network, places)?)),
            None => Target::Program(Program {
                command: config.command.clone(),
                environment: environment(config, places).map_err(unset)?,
                cwd: config.cwd.as_deref().map(|folder| places.folder.join(folder)),
            }),
        };
        let plan = Plan {
            source: config.name.clone(),
            target,
            handshake: config.handshake,
            shared_listing: config.shared_listing,
            connect_timeout: Duration::from_secs(config.connect_timeout_s),
            request_timeout: Duration::from_secs(config.request_timeout_s),
        };
        let reader = Reader {
            namespace: config.namespace.clone().unwrap_or_else(|| config.name.clone()),
            trust_annotations: config.trust_annotations,
            timeout: Duration::from_secs(config.pass_timeout_s),
        };
        Ok(Self { plan, reader, last: Mutex::default(), live: Mutex::default(), retry: Mutex::default() })
    }

    /// Over the connection that is kept, where there is one: a program's tools may be those of that very process.
    fn read(&self) -> Result<Pass, SourceError> {
        if let Some(live) = self.live() {
            match live.read(&self.plan, &self.reader) {
                Ok(pass) => return Ok(pass),
                // It may have gone away; a new connection tells.
                Err(_) => self.forget(&live),
            }
        }
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(|error| self.plan.no_runtime(&error))?;
        runtime.block_on(async {
            let mut session = self.plan.open(&Arc::<Changes>::default()).await?;
            let pass = self.reader.read(&self.plan, &mut session).await;
            session.close().await;
            pass
        })
    }

    /// The connection that is kept, while it stands.
    fn live(&self) -> Option<Arc<Live>> {
        lock(&self.live).as_ref().filter(|live| !live.is_over()).cloned()
    }

    fn listen(&self) -> Result<Arc<Live>, SourceError> {
        if let Some(live) = self.live() {
            return Ok(live);
        }
        let known = lock(&self.last).digest;
        let live = Arc::new(Live::open(&self.plan, &self.reader, known)?);
        *lock(&self.live) = Some(Arc::clone(&live));
        Ok(live)
    }

    fn forget(&self, dead: &Arc<Live>) {
        let mut live = lock(&self.live);
        if live.as_ref().is_some_and(|live| Arc::ptr_eq(live, dead)) {
            *live = None;
        }
    }
}

impl Reader {
    async fn read(&self, plan: &Plan, session: &mut Session) -> Result<Pass, SourceError> {
        let mut records: Vec<Record> = Vec::new();
        let mut digest = Sha256::new();
        let mut sink = |position: &str, tool: serde_json::Value| {
            let record = self.record(&plan.source, position, tool);
            match &record {
                Ok(tool) => digest.update(tool.content_hash().0),
                Err(rejected) => digest.update(format!("{}\n{}\n", rejected.record, rejected.reason)),
            }
            records.push(record);
        };
        let listing = match tokio::time::timeout(self.timeout, session.list(plan, &mut sink)).await {
            Ok(listing) => listing?,
            Err(_) => {
                let seconds = self.timeout.as_secs();
                return Err(plan.no_listing(format!("its listing had not come to its end after {seconds} s")));
            }
        };
        let (about, fresh_for) = (session.about(), listing.fresh_for());
        Ok(Pass { records, about, fresh_for, digest: digest.finalize().into() })
    }

    /// One tool of a listing; `position` names it where it has no name.
    fn record(&self, source: &str, position: &str, tool: serde_json::Value) -> Record {
        let draft = record::draft(tool, &self.namespace, self.trust_annotations);
        normalize(draft.map_err(|reason| rejection(position, reason))?, source, SOURCE_TYPE)
    }
}

impl Source for Mcp {
    fn name(&self) -> &str {
        &self.plan.source
    }

    fn source_type(&self) -> &'static str {
        SOURCE_TYPE
    }

    /// The state tells which server answered in which revision of the protocol. There is nothing to ask a server by, so a
    /// pass is always complete.
    fn fetch(&self, _: Option<&SourceState>, sink: &mut dyn FnMut(Record)) -> Result<Fetched, SourceError> {
        let pass = self.read()?;
        *lock(&self.last) =
            Last { fresh_for: pass.fresh_for, announces: pass.about.announces, digest: Some(pass.digest) };
        pass.records.into_iter().for_each(sink);
        let About { revision, server, .. } = pass.about;
        Ok(Fetched::Complete(SourceState::from([("revision".to_owned(), revision), ("server".to_owned(), server)])))
    }

    fn fresh_for(&self) -> Option<Duration> {
        lock(&self.last).fresh_for
    }

    fn announces_changes(&self) -> bool {
        lock(&self.last).announces
    }

    /// Connects and stays connected. A server that went away is looked for again, at growing intervals, however often this is
    /// called.
    fn wait_for_change(&self, at_most: Duration) -> bool {
        let now = Instant::now();
        let until = now.checked_add(at_most).unwrap_or(now);
        loop {
            let now = Instant::now();
            let retry = *lock(&self.retry);
            match retry {
                Some((at, _)) if at >= until => {
                    thread::sleep(until.saturating_duration_since(now));
                    return false;
                }
                Some((at, _)) => thread::sleep(at.saturating_duration_since(now)),
                None => {}
            }
            // While it waits, a pass may use the connection.
            if let Ok(live) = self.listen() {
                let waited = live.changes.wait(until);
                if waited != Waited::Over {
                    *lock(&self.retry) = None;
                    return waited == Waited::Changed;
                }
                self.forget(&live);
            }
            let mut retry = lock(&self.retry);
            let pause = retry.map_or(RETRY[0], |(_, pause)| pause.saturating_mul(2)).min(RETRY[1]);
            *retry = Some((Instant::now() + pause, pause));
        }
    }
}

fn address(config: &McpConfig, url: &str, network: &Network, places: &Places<'_>) -> Result<Address, SourceError> {
    let wrong = |detail: String| SourceError::NoCatalog { name: config.name.clone(), detail };
    let unset = |reason: String| SourceError::Credentials { name: config.name.clone(), reason };
    let url = Url::parse(url.trim()).map_err(|error| {
        wrong(format!("url is an address such as https://mcp.example/mcp, and this is none: {error}"))
    })?;
    // Says now what every pass would say.
    let _ = network.async_client(&config.name, &url)?;
    let token = Secret::open(config.token_env.as_deref(), config.token_file.as_deref(), places).map_err(unset)?;
    let mut headers = Vec::new();
    let variables = config.header_env.iter().map(|(name, variable)| (name, Some(variable.as_str()), None));
    let files = config.header_file.iter().map(|(name, file)| (name, None, Some(file.as_path())));
    for (name, variable, file) in variables.chain(files) {
        let header: HeaderName = name.parse().map_err(|_| wrong(format!("{name:?} is no name of a header")))?;
        if let Some(secret) = Secret::open(variable, file, places).map_err(unset)? {
            headers.push((header, secret));
        }
    }
    if token.is_some() || !headers.is_empty() {
        check_encrypted(&config.name, &url, config.allow_plain_http)?;
    }
    Ok(Address { url, network: network.clone(), token, headers })
}

/// The whole environment of a program.
fn environment(config: &McpConfig, places: &Places<'_>) -> Result<Vec<(String, Token)>, String> {
    let mut environment = Vec::new();
    let mut set = |name: &str, value: &str| environment.extend(Token::new(value).map(|value| (name.to_owned(), value)));
    for name in ENVIRONMENT {
        set(name, &(places.variable)(name).unwrap_or_default());
    }
    for name in &config.env_from {
        let value = (places.variable)(name);
        set(name, &value.ok_or_else(|| format!("the environment variable {name}, which env_from names, is not set"))?);
    }
    for (name, value) in &config.env {
        set(name, value);
    }
    Ok(environment)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
