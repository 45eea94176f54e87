//! `shortlist serve`.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Error, Result, ensure};
use shortlist_index::{Models, Store};
use shortlist_server::audit::Audit;
use shortlist_server::limits::AUDIT_CLOSE_TIMEOUT;
use shortlist_server::telemetry::{Telemetry, TelemetryConfig, serve_metrics};
use shortlist_server::{AppState, AuditSettings, Config, HeaderIdentity, Identities, Settings, read_secret};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::args::ServeArgs;
use crate::command::keys::KEYS_FILE;
use crate::follow;
use crate::models;
use crate::models::Sessions;
use crate::places::PlaceArgs;

/// Where it listens unless something is said.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
/// Whose identity headers count unless something is said: this machine's.
const PEERS: [&str; 2] = ["127.0.0.1", "::1"];

/// How long the end waits for threads that are busy: as long as for the last record of the audit.
const BLOCKED_TIMEOUT: Duration = AUDIT_CLOSE_TIMEOUT;

/// Serves until it is told to stop.
pub fn run(places: &PlaceArgs, args: &ServeArgs) -> Result<()> {
    let home = places.home();
    let settings = args.config.as_deref().map(Settings::load).transpose()?.unwrap_or_default();
    let listen = args.listen.or(settings.listen).unwrap_or(LISTEN);
    let metrics_listen = args.metrics_listen.or(settings.telemetry.metrics_listen);
    let otlp = settings.telemetry.otlp.clone();
    let telemetry = Telemetry::start(&TelemetryConfig { page: metrics_listen.is_some(), otlp })?;
    log(args.json, &telemetry);
    let config = Config { telemetry, ..config(&home, args, settings)? };
    if let Some(from) = &args.from {
        follow::follow(from, Store::new(&home), args.follow_every)?;
    }
    serve(listen, metrics_listen, config, models::load(places, args.rerank, Sessions::PerCore)?.0)
}

/// The configuration: what the flags say, then what the file says, then what is usual.
fn config(home: &Path, args: &ServeArgs, settings: Settings) -> Result<Config> {
    let secret = match &args.secret_file {
        Some(path) => read_secret(path).map_err(Error::msg)?,
        None => settings.secret.context(
            "the server needs a secret of its own: `openssl rand -hex 32 > secret`, then --secret-file secret, or \
             secret_file = \"secret\" in the file that --config names",
        )?,
    };
    // Without a file, there is the gateway alone that the flags describe.
    let gateway = match settings.gateway {
        None if args.config.is_some() && args.peer.is_empty() => None,
        gateway => {
            let (peers, own) = gateway.map_or((None, None), |gateway| (gateway.peers, gateway.secret));
            let usual = || PEERS.iter().map(|peer| peer.parse()).collect::<Result<Vec<_>, _>>();
            let peers = if args.peer.is_empty() { peers.map_or_else(usual, Ok)? } else { args.peer.clone() };
            Some(HeaderIdentity { peers, secret: own.unwrap_or_else(|| secret.clone()) })
        }
    };
    let keys_file = settings.keys_file.unwrap_or_else(|| home.join(KEYS_FILE));
    let identity = Identities { gateway, issuers: settings.issuers, keys_file };
    ensure!(
        !identity.is_nobody(),
        "nobody could be identified: write [gateway], [[issuer]] or [[gateway_token]] into the configuration, or make a \
         key for a service with `shortlist keys create --service NAME`"
    );
    let policy = args.policy.clone().or(settings.policy).unwrap_or_else(|| home.join("policy.toml"));
    let audit = AuditSettings {
        folder: args.audit.clone().or(settings.audit.folder.clone()),
        on_failure: args.audit_on_failure.or(settings.audit.on_failure),
        ..settings.audit
    };
    let audit = audit.config(audit_folder(home)).map(|config| Audit::start(config, &secret)).transpose()?;
    let mut config = Config::new(home.to_owned(), policy, secret, identity);
    config.audit = audit;
    config.tls = settings.tls;
    config.mcp = settings.mcp;
    config.connections = settings.connections;
    config.rates = settings.rates;
    Ok(config)
}

/// Where decisions are recorded unless another folder is named.
pub fn audit_folder(home: &Path) -> PathBuf {
    home.join("audit")
}

/// Serves as configured, the metrics on an address of their own if there is one.
pub fn serve(listen: SocketAddr, metrics_listen: Option<SocketAddr>, config: Config, models: Models) -> Result<()> {
    let telemetry = config.telemetry.clone();
    let tls = config.tls.is_some();
    let ends = telemetry.clone();
    let state = AppState::new(config, models);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(async move {
        let bind = async |address, flag| {
            let bound = tokio::net::TcpListener::bind(address).await;
            bound.with_context(|| format!("cannot listen on {address}; name another address with {flag}"))
        };
        if let Some(address) = metrics_listen {
            let listener = bind(address, "--metrics-listen").await?;
            tracing::info!(metrics.address = %listener.local_addr()?, "the metrics page is at /metrics");
            tokio::spawn(serve_metrics(listener, telemetry));
        }
        let listener = bind(listen, "--listen").await?;
        tracing::info!(address = %listener.local_addr()?, tls, generation = state.generation(), "serving");
        shortlist_server::run(listener, state, stop_signal()).await.map_err(Into::into)
    });
    // Without a limit it would wait for whatever still computes or reads, and a disk that hangs does so for ever. Requests
    // had their time to finish before.
    runtime.shutdown_timeout(BLOCKED_TIMEOUT);
    ends.shut_down();
    served
}

/// Done at the first SIGINT or SIGTERM.
pub async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
        }
        Err(error) => {
            tracing::warn!(error = %error, "SIGTERM will not be heard; stop with SIGINT");
            let _ = interrupt.await;
        }
    }
    #[cfg(not(unix))]
    let _ = interrupt.await;
}

/// Logs to standard error, at level info unless RUST_LOG says otherwise; traces go where they are collected.
pub fn log(json: bool, telemetry: &Telemetry) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,ort=warn,tantivy=warn,hnsw_rs=warn"));
    // rmcp's log repeats whole messages, with their queries. What an operator needs of it our own log says.
    let filter = filter.add_directive("rmcp=error".parse().expect("a directive"));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match json {
        true => lines.json().boxed(),
        false => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).with(telemetry.layer()).init();
}
