//! [`AppState`]: what every request shares.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use shortlist_index::{Models, Store};
use tokio::sync::{RwLock, Semaphore};

use crate::audit::Audit;
use crate::config::{Config, ConnectionLimits, McpSettings};
use crate::cursor::CursorKey;
use crate::engine::Engine;
use crate::identity::{Identifier, Identities};
use crate::policy::Policies;
use crate::rate::RateLimiter;
use crate::secret::Secret;
use crate::serve::{Places, Tls};
use crate::statuses::StatusWatch;
use crate::telemetry::{self, Metrics, Telemetry};
use crate::watch::GenerationWatch;

/// What every request shares. Cheap to clone.
#[derive(Clone)]
pub struct AppState(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) engine: Arc<Engine>,
    pub(crate) policies: Policies,
    pub(crate) identity: Identifier,
    pub(crate) rates: RateLimiter,
    pub(crate) audit: Option<Audit>,
    pub(crate) cursors: CursorKey,
    pub(crate) generations: GenerationWatch,
    pub(crate) statuses: StatusWatch,
    pub(crate) connections: ConnectionLimits,
    pub(crate) places: Arc<Places>,
    pub(crate) tls: Option<Tls>,
    pub(crate) mcp: McpSettings,
    pub(crate) telemetry: Telemetry,
    pub(crate) metrics: Arc<Metrics>,
    /// One permit for each grant that is resolved away from the threads that answer.
    pub(crate) resolving: Arc<Semaphore>,
    /// Held for reading by each request that goes on without its connection: who has it for writing has waited for all.
    pub(crate) lasting: Arc<RwLock<()>>,
    pub(crate) drain_timeout: Duration,
    pub(crate) poll_interval: Duration,
}

impl AppState {
    /// Loads the policy, the API keys and the current generation. None needs to be there: the server starts, says so in the log and at
    /// `/readyz`, shows nothing, and takes them when they come. Blocks on the disk.
    pub fn new(config: Config, models: Models) -> Self {
        let state = Self::unseen(config, models);
        state.refresh();
        state
    }

    /// For a program that answers one viewer on this machine and nobody else: the current generation of a home, and the policy
    /// where one decides what the viewer sees. Blocks on the disk.
    pub fn local(home: &Path, policy: Option<PathBuf>, models: Models) -> Self {
        let identity = Identities { gateway: None, issuers: Vec::new(), keys_file: home.join("keys.json") };
        let has_policy = policy.is_some();
        let policy = policy.unwrap_or_else(|| home.join("policy.toml"));
        let state = Self::unseen(Config::new(home.to_owned(), policy, Secret::for_this_process(), identity), models);
        state.refresh_catalog();
        if has_policy {
            state.refresh_access();
        }
        state
    }

    /// Before the first look.
    fn unseen(config: Config, models: Models) -> Self {
        let meter = config.telemetry.meter();
        let metrics = Arc::new(Metrics::new(&meter));
        let n_running = config.n_running.max(1);
        let engine = Engine::new(models, n_running, config.n_waiting, config.request_timeout, Arc::clone(&metrics));
        let state = Self(Arc::new(Shared {
            engine: Arc::new(engine),
            policies: Policies::new(config.policy, &config.home),
            cursors: CursorKey::new(&config.secret),
            identity: Identifier::new(config.identity),
            rates: RateLimiter::new(config.rates),
            audit: config.audit,
            generations: GenerationWatch::new(Store::new(&config.home)),
            statuses: StatusWatch::new(Store::new(&config.home)),
            places: Places::new(config.connections.n_max, config.connections.n_per_peer_max),
            connections: config.connections,
            tls: config.tls,
            mcp: config.mcp,
            telemetry: config.telemetry,
            metrics,
            resolving: Arc::new(Semaphore::new(n_running)),
            lasting: Arc::default(),
            drain_timeout: config.drain_timeout,
            poll_interval: config.poll_interval,
        }));
        telemetry::observe(&meter, &state.0);
        state
    }

    /// Looks once at the API keys, the policy with its run-time rules, the certificate and the current generation, and takes over what is new
    /// and good; begins to fetch the keys of issuers where it is time to. The server does this each second by itself; an
    /// operator's command or a test may want it now. Blocks on the disk.
    pub fn refresh(&self) {
        self.refresh_access();
        self.refresh_catalog();
    }

    pub(crate) fn refresh_access(&self) {
        self.0.identity.refresh();
        self.0.policies.reload();
        if let Some(tls) = &self.0.tls {
            tls.refresh();
        }
    }

    pub(crate) fn refresh_catalog(&self) {
        self.0.generations.look(&self.0.engine, &self.0.policies);
        self.0.engine.prepare(&self.0.policies.in_force());
        self.0.statuses.look();
    }

    /// The number of the generation that serves, if any does.
    pub fn generation(&self) -> Option<u64> {
        self.0.engine.number()
    }

    /// How many connections are open.
    pub fn n_connections(&self) -> usize {
        self.0.places.n()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use shortlist_index::{Embedder, HashingEmbedder, NewGeneration, Pattern, TextRole, Tool, ToolRef};

    use super::*;

    const DIMENSION: usize = 8;

    /// A generation of one tool.
    fn publish(home: &Path, embedder: &HashingEmbedder) {
        let tool = Tool::new(ToolRef::new("m", "a", "b", None).expect("a ref"), "Does b.");
        let vector = embedder.embed(TextRole::Document, &tool.embedding_text()).expect("a vector");
        let generation = NewGeneration {
            tools: vec![(tool, vector)],
            embedder: embedder.fingerprint().clone(),
            dimension: DIMENSION,
            sources: BTreeMap::new(),
            created_unix_s: 0,
        };
        let store = Store::new(home);
        store.publish(&store.lock().expect("a lock"), generation, &mut |_| {}).expect("it is published");
    }

    #[test]
    fn what_the_policy_matches_is_looked_for_before_anybody_asks() {
        let (home, embedder) = (tempfile::tempdir().expect("a folder"), HashingEmbedder::new(DIMENSION));
        let policy = home.path().join("policy.toml");
        let rule =
            |pattern: &str| format!("[[rule]]\neffect = \"allow\"\nto = [\"everyone\"]\nrefs = [\"{pattern}\"]\n");
        let [first, second] = ["*.b", "*a*b"].map(|text| Pattern::new(text).expect("a pattern"));
        std::fs::write(&policy, rule("*.b")).expect("a policy");
        publish(home.path(), &embedder);
        let models = Models { embedder: Some(Arc::new(embedder.clone())), reranker: None };
        let identity = Identities { gateway: None, issuers: Vec::new(), keys_file: home.path().join("keys.json") };
        let state = AppState::new(
            Config::new(home.path().to_owned(), policy.clone(), Secret::for_this_process(), identity),
            models,
        );
        let at_hand = |pattern: &Pattern| state.0.engine.look_at(|snapshot| snapshot.has_at_hand(pattern));
        assert_eq!((at_hand(&first), at_hand(&second)), (Some(true), Some(false)));

        std::fs::write(&policy, rule("*.b") + &rule("*a*b")).expect("a policy");
        state.refresh();
        assert_eq!(at_hand(&second), Some(true), "another policy");

        publish(home.path(), &embedder);
        state.refresh();
        assert_eq!(state.generation(), Some(2));
        assert_eq!((at_hand(&first), at_hand(&second)), (Some(true), Some(true)), "another generation");
    }
}
