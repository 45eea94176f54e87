//! The built binary, with the real runtime, the real models and the real catalog.
//!
//! What is missing is fetched into the checkout's own folder of assets, or found where `SHORTLIST_ASSETS` says.

mod audit;
mod demo;
mod errors;
#[cfg(unix)]
mod identity;
mod kill;
mod ledger;
mod models;
mod policy;
mod program;
#[cfg(unix)]
mod remote;
mod serve;
mod watch;
