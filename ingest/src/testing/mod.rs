//! Peers for tests and for trying things out: real servers on a real socket, which misbehave when told to.

mod catalog;
mod hub_server;

pub use catalog::{CatalogError, actions_of_jsonl};
pub use hub_server::{Fault, HubServer, Request};
