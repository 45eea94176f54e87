//! MCP: the same three doors for agents, over HTTP (`/mcp`) and over the standard streams.
//!
//! The protocol is rmcp's, in both of its eras: the stateless revision 2026-07-28 and the handshakes before it. What a tool
//! does is `doors`', so an answer over MCP is the answer over REST, written otherwise.

mod handler;
mod tools;

mod asking;
mod results;
mod stdio;
mod text;

pub(crate) use asking::{Asking, Outcome};
pub(crate) use handler::Handler;
pub use stdio::{StdioError, Viewer, serve_stdio};
