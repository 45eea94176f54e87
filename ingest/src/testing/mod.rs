//! Peers for tests and for trying things out: real servers on a real socket, which misbehave when told to.

mod catalog;
mod hub_server;
#[cfg(unix)]
mod node;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod python;
#[cfg(unix)]
mod s3;

use crate::network::{Network, NetworkConfig};

pub use catalog::{CatalogError, actions_of_jsonl};
pub use hub_server::{Fault, HubServer, Request};
#[cfg(unix)]
pub use node::Node;
#[cfg(unix)]
pub use process::{Peer, PeerError};
#[cfg(unix)]
pub use python::python;
#[cfg(unix)]
pub use s3::S3Server;

/// The network of tests: this machine.
pub fn loopback() -> Network {
    let allow = ["127.0.0.0/8", "::1/128"].iter().filter_map(|net| net.parse().ok()).collect();
    Network::new(&NetworkConfig { allow, ..NetworkConfig::default() }).unwrap_or_else(|_| Network::public_only())
}
