//! The server as its callers meet it: the real router over real generations on disk, and once a real socket.

mod harness;
#[path = "../../src/identity/signer.rs"]
mod signer;

mod access;
mod admin;
mod attacks;
mod audit;
mod budget;
mod compressed;
mod connections;
mod cursors;
mod doors;
mod exact;
mod generations;
mod http2;
mod identity;
mod issuer;
mod limits;
mod mcp;
mod metrics;
mod overload;
mod policy;
mod rates;
mod run_time;
mod settings;
mod socket;
mod tls;
mod vendor;
