//! Integration tests of ingest, in one binary.

// A test that finds what cannot be says so by panicking; the lint is for code that serves.
#![allow(clippy::panic)]

mod arcade;
mod assets;
mod automation_hub;
mod credentials;
mod damage;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod faults;
mod google_discovery;
mod jsonl;
mod kill;
mod ledger;
mod mcp;
mod mcp_odd;
mod model;
mod network;
mod npm;
mod openapi;
mod openapi_directory;
mod parquet;
mod peers;
mod quarantine;
mod remote;
mod resume;
mod support;
mod sync;
mod watch;
mod wire;
