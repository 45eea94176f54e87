//! The built binary, with the real runtime, the real models and the real catalog.
//!
//! What is missing is fetched into the checkout's own folder of assets, or found where `SHORTLIST_ASSETS` says.

mod audit;
#[cfg(target_os = "linux")]
mod crowd;
mod demo;
mod errors;
#[cfg(unix)]
mod identity;
mod kill;
mod ledger;
#[cfg(unix)]
mod mcp;
mod models;
mod policy;
mod program;
#[cfg(unix)]
mod remote;
#[cfg(unix)]
mod schemathesis;
mod serve;
#[cfg(unix)]
mod telemetry;
mod watch;
