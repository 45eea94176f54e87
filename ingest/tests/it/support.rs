//! What several tests need: catalogs, a store in a folder of its own, and what it serves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use shortlist_index::{
    EmbedError, Embedder, Embedding, HashingEmbedder, ModelFingerprint, Rejection, Snapshot, Store, StoreError,
    TextRole, Tool,
};
use shortlist_ingest::error::SourceError;
use shortlist_ingest::network::{Auth, Pause, Secret, Token};
use shortlist_ingest::source::automation_hub::{AutomationHub, AutomationHubConfig};
use shortlist_ingest::source::{Fetched, Source, SourceState};
use shortlist_ingest::sync::{Quiet, SyncError, SyncOptions, SyncReport, sync};
use shortlist_ingest::testing::{HubServer, Node, S3Server, loopback, python};
use tempfile::TempDir;

/// Numbers in a test's vectors.
pub const DIMENSION: usize = 16;

/// An action that says little.
pub fn action(id: &str, description: &str) -> Value {
    json!({ "id": id, "description": description, "inputSchema": { "type": "object" } })
}

/// `n` actions in a few namespaces, all different.
pub fn actions(n: usize) -> Vec<Value> {
    let describe = |i: usize| format!("Action number {i} moves thing {} to place {}.", i % 7, i % 11);
    (0..n).map(|i| action(&format!("team{}:act_{i}@1.0.0", i % 3), &describe(i))).collect()
}

/// What a source waited for, instead of waiting.
#[derive(Clone, Default)]
pub struct Waits(Arc<Mutex<Vec<Duration>>>);

impl Waits {
    pub fn pause(&self) -> Pause {
        let waits = Arc::clone(&self.0);
        Box::new(move |time| waits.lock().unwrap_or_else(PoisonError::into_inner).push(time))
    }

    /// Those since the last call.
    pub fn take(&self) -> Vec<f64> {
        let waits = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        waits.iter().map(Duration::as_secs_f64).collect()
    }

    pub fn seconds(&self) -> Vec<f64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(Duration::as_secs_f64).collect()
    }
}

/// A hub that offers these actions.
pub fn start(actions: Vec<Value>) -> HubServer {
    HubServer::start(actions).expect("a loopback port")
}

/// Sources of these names, each reading its hub.
pub fn sources(hubs: &[(&str, &HubServer)]) -> Vec<Box<dyn Source>> {
    hubs.iter().map(|(name, server)| Box::new(hub(config(name, server))) as Box<dyn Source>).collect()
}

/// Takes whatever the source gives in a pass.
pub fn accept_shrink(name: &str) -> SyncOptions {
    SyncOptions { accept_shrink: [name.to_owned()].into(), ..SyncOptions::default() }
}

/// A configuration of the server, with small pages.
pub fn config(name: &str, server: &HubServer) -> AutomationHubConfig {
    AutomationHubConfig { page_limit: 10, ..AutomationHubConfig::new(name, &server.base_url()) }
}

/// A source that does not wait between attempts.
pub fn hub(config: AutomationHubConfig) -> AutomationHub {
    AutomationHub::with_pause(config, &loopback(), bearer("s3cret-token"), Waits::default().pause())
        .expect("a valid configuration")
}

/// A token that was read already.
pub fn bearer(token: &str) -> Option<Auth> {
    Token::new(token).map(|token| Auth::Bearer(Secret::Fixed(token)))
}

/// The interpreter of a peer, with what `tests/peers/<name>.txt` pins; installed once for all runs. `SHORTLIST_ASSETS` names
/// a folder that has it on a machine without network.
pub fn peer_python(name: &str) -> PathBuf {
    python(&assets(), &peer_file(&format!("{name}.txt"))).expect("pip can install the peer")
}

/// Node.js with the packages that `tests/peers/<name>/package-lock.json` pins; installed once for all runs.
pub fn peer_node(name: &str) -> Node {
    Node::install(&assets(), &peer_python("node"), &peer_file(name)).expect("npm can install the peer")
}

/// Where other people's files are kept.
fn assets() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/assets");
    std::env::var_os("SHORTLIST_ASSETS").map_or(here, PathBuf::from)
}

/// A real S3 server; fetched when it is not there yet.
#[cfg(unix)]
pub fn s3_server() -> S3Server {
    S3Server::start(&assets(), &peer_file("seaweedfs.txt")).expect("it starts")
}

/// A file of `tests/peers`.
pub fn peer_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name)
}

/// What a source gives when it is read for the first time: its state, the tools and the rejections, in their order.
pub type Pass = (SourceState, Vec<Tool>, Vec<Rejection>);

/// Reads a source that was never read.
pub fn read_all(source: &dyn Source) -> Result<Pass, SourceError> {
    let (mut tools, mut rejections) = (Vec::new(), Vec::new());
    let fetched = source.fetch(None, &mut |record| match record {
        Ok(normalized) => tools.push(normalized.tool),
        Err(rejection) => rejections.push(rejection),
    })?;
    match fetched {
        Fetched::Complete(state) => Ok((state, tools, rejections)),
        Fetched::Unchanged => panic!("there was no earlier pass"),
    }
}

/// A folder of generations, and what is done with it.
pub struct Place {
    home: TempDir,
    pub store: Store,
}

impl Place {
    pub fn new() -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let store = Store::new(home.path());
        Self { home, store }
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn sync(&self, sources: &[Box<dyn Source>]) -> Result<SyncReport, SyncError> {
        self.sync_with(sources, &HashingEmbedder::new(DIMENSION))
    }

    pub fn sync_with(&self, sources: &[Box<dyn Source>], embedder: &dyn Embedder) -> Result<SyncReport, SyncError> {
        once_free(|| sync(sources, &self.store, embedder, &mut Quiet, &SyncOptions::default()))
    }

    pub fn sync_as(&self, sources: &[Box<dyn Source>], options: &SyncOptions) -> Result<SyncReport, SyncError> {
        let embedder = HashingEmbedder::new(DIMENSION);
        once_free(|| sync(sources, &self.store, &embedder, &mut Quiet, options))
    }

    pub fn served(&self) -> Option<Snapshot> {
        served(&self.store)
    }

    /// Ref -> description of every tool that serves.
    pub fn tools(&self) -> BTreeMap<String, String> {
        self.served().map(|snapshot| tools(&snapshot)).unwrap_or_default()
    }
}

/// Tries again while another process has the write lock. In one test binary that may be a test's child, which holds every
/// file of this process for the moment between its fork and its exec.
pub fn once_free<T, E: Into<SyncError>>(mut attempt: impl FnMut() -> Result<T, E>) -> Result<T, SyncError> {
    for _ in 0..5_000 {
        match attempt().map_err(Into::into) {
            Err(SyncError::Store(StoreError::Busy(_))) => std::thread::sleep(Duration::from_millis(1)),
            result => return result,
        }
    }
    attempt().map_err(Into::into)
}

/// The generation that serves; `None` when there is none yet.
pub fn served(store: &Store) -> Option<Snapshot> {
    match store.open_current() {
        Ok(opened) => Some(opened.snapshot),
        Err(StoreError::Empty(_)) => None,
        Err(error) => {
            assert!(matches!(error, StoreError::Empty(_)), "the store does not open: {error}");
            None
        }
    }
}

/// Ref -> description of every tool.
pub fn tools(snapshot: &Snapshot) -> BTreeMap<String, String> {
    snapshot.tools().map(|tool| (tool.reference.to_string(), tool.description)).collect()
}

/// The hashing embedder, counting what it is given.
pub struct Counting {
    inner: HashingEmbedder,
    fingerprint: ModelFingerprint,
    n_texts: AtomicUsize,
}

impl Counting {
    pub fn new(fingerprint: &str) -> Self {
        Self {
            inner: HashingEmbedder::new(DIMENSION),
            fingerprint: ModelFingerprint(fingerprint.to_owned()),
            n_texts: AtomicUsize::new(0),
        }
    }

    /// Texts since the last call.
    pub fn take(&self) -> usize {
        self.n_texts.swap(0, Ordering::Relaxed)
    }
}

impl Embedder for Counting {
    fn fingerprint(&self) -> &ModelFingerprint {
        &self.fingerprint
    }

    fn dimension(&self) -> usize {
        self.inner.dimension()
    }

    fn embed(&self, role: TextRole, text: &str) -> Result<Embedding, EmbedError> {
        self.n_texts.fetch_add(1, Ordering::Relaxed);
        self.inner.embed(role, text)
    }
}
