//! `shortlist serve`.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use shortlist_index::{Models, Store};
use shortlist_server::{AppState, Config, HeaderIdentity, Secret};
use tracing_subscriber::EnvFilter;

use crate::args::ServeArgs;
use crate::follow;
use crate::models;
use crate::models::Sessions;
use crate::places::PlaceArgs;

/// Serves until it is told to stop.
pub fn run(places: &PlaceArgs, args: &ServeArgs) -> Result<()> {
    log(args.json);
    let home = places.home();
    let secret = std::fs::read_to_string(&args.secret_file)
        .with_context(|| format!("cannot read the secret from {}", args.secret_file.display()))?;
    let identity = HeaderIdentity { peers: args.peer.clone(), secret: Secret::new(&secret)? };
    if let Some(from) = &args.from {
        follow::follow(from, Store::new(&home), args.follow_every)?;
    }
    let policy = args.policy.clone().unwrap_or_else(|| home.join("policy.toml"));
    serve(args.listen, home, policy, identity, models::load(places, args.rerank, Sessions::PerCore)?.0)
}

/// Serves the store in `home`.
pub fn serve(
    listen: SocketAddr,
    home: PathBuf,
    policy: PathBuf,
    identity: HeaderIdentity,
    models: Models,
) -> Result<()> {
    let state = AppState::new(Config::new(home, policy, identity), models);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::bind(listen)
            .await
            .with_context(|| format!("cannot listen on {listen}; name another address with --listen"))?;
        tracing::info!(address = %listener.local_addr()?, generation = state.generation(), "serving");
        shortlist_server::run(listener, state, stop_signal()).await.map_err(Into::into)
    })
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

/// Logs to standard error, at level info unless RUST_LOG says otherwise.
pub fn log(json: bool) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,ort=warn,tantivy=warn,hnsw_rs=warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json {
        builder.json().init();
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).init();
    }
}
