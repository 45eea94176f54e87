//! `shortlist mcp`.

use anyhow::{Context, Result};
use shortlist_server::telemetry::Telemetry;
use shortlist_server::{AppState, Viewer, serve_stdio};

use super::serve::{log, stop_signal};
use crate::args::McpArgs;
use crate::models;
use crate::models::Sessions;
use crate::places::PlaceArgs;

/// Serves over the standard streams until the input ends or the program is told to stop. The streams belong to the protocol, so
/// the log is on standard error.
pub fn run(places: &PlaceArgs, args: &McpArgs) -> Result<()> {
    log(false, &Telemetry::none());
    let home = places.home();
    let (policy, viewer) = match args.viewer.principal_and_policy()? {
        Some((principal, policy)) => (Some(policy), Viewer::As(principal)),
        None => (None, Viewer::Operator),
    };
    let models = models::load(places, args.rerank, Sessions::PerCore)?.0;
    let state = AppState::local(&home, policy, models);
    let generation = state.generation();
    tracing::info!(generation, "serving MCP over the standard streams");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let (input, output) = (tokio::io::stdin(), tokio::io::stdout());
        tokio::select! {
            served = serve_stdio(state, viewer, input, output) => served.context("MCP over the standard streams"),
            () = stop_signal() => Ok(()),
        }
    });
    // A read of the standard input that is under way cannot be called off, and would hold the end up.
    runtime.shutdown_background();
    served
}
