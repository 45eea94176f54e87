//! [`Served`]: the server of `shortlist serve`, in this process.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use shortlist_index::Models;
use shortlist_server::audit::{Audit, AuditConfig};
use shortlist_server::{AppState, Config, HeaderIdentity, Identities, Rates, Secret, run};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::failed;
use crate::error::BenchError;
use crate::latency::Workload;
use crate::server::SECRET;

/// How long running requests may take when it is stopped.
const STOP: Duration = Duration::from_secs(5);

/// A server on a port of its own, until it is dropped.
pub(super) struct Served {
    pub(super) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    runtime: Option<Runtime>,
}

impl Served {
    /// Serves the generation in `home` to the workload's users, with the usual configuration: decisions are recorded in a folder
    /// of the home, and no rate of a single user is limited, for here are few who ask for many.
    pub(super) fn start(workload: &Workload, home: &Path, models: Models) -> Result<Self, BenchError> {
        let policy = home.join("policy.json");
        fs::write(&policy, policy_of(workload)).map_err(failed)?;
        let secret = Secret::new(SECRET).map_err(failed)?;
        let peers = vec!["127.0.0.1".parse().map_err(failed)?];
        let gateway = HeaderIdentity { peers, secret: secret.clone() };
        let identity = Identities { gateway: Some(gateway), issuers: Vec::new(), keys_file: home.join("keys.json") };
        let audit = Audit::start(AuditConfig::new(home.join("audit")), &secret).map_err(failed)?;
        let config =
            Config { audit: Some(audit), rates: Rates::MOST, ..Config::new(home.to_owned(), policy, secret, identity) };
        let state = AppState::new(config, models);
        if state.generation().is_none() {
            return Err(failed("it has no generation to serve"));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(failed)?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (stop, stopped) = oneshot::channel::<()>();
        // Whether it was told to stop or its owner is gone is the same to it.
        runtime.spawn(run(listener, state, async move { drop(stopped.await) }));
        Ok(Self { address, stop: Some(stop), runtime: Some(runtime) })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(STOP);
        }
    }
}

/// Each user's namespaces.
fn policy_of(workload: &Workload) -> String {
    let rules = workload
        .users
        .iter()
        .map(|user| json!({ "effect": "allow", "to": [format!("user:{}", user.name)], "namespaces": user.namespaces }));
    json!({ "rule": rules.collect::<Vec<_>>() }).to_string()
}
