//! MCP over HTTP: messages of both eras, what is refused, and what the audit says of it.

mod attacks;
mod messages;
mod protected;

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Server, Who};

const MODERN: &str = "2026-07-28";

/// A request to the door with nothing wrong in its head.
pub fn request(who: &Who) -> axum::http::request::Builder {
    let request = who.request(Method::POST, "/mcp").header("host", "localhost:8080");
    request.header("content-type", "application/json").header("accept", "application/json, text/event-stream")
}

/// A message of the eras that began with a handshake.
pub async fn send(server: &Server, who: &Who, message: Value) -> Answer {
    server.send(request(who).body(Body::from(message.to_string())).expect("a request")).await
}

/// A call of a tool.
pub async fn call(server: &Server, who: &Who, tool: &str, arguments: Value) -> Answer {
    let params = json!({ "name": tool, "arguments": arguments });
    send(server, who, json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params })).await
}

/// A message of the era without a handshake, with the headers that it must have.
pub async fn modern(server: &Server, who: &Who, method: &str, mut params: Value) -> Answer {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let mut request = request(who).header("mcp-protocol-version", MODERN).header("mcp-method", method);
    if let Some(name) = params["name"].as_str() {
        request = request.header("mcp-name", name.to_owned());
    }
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    server.send(request.body(Body::from(message.to_string())).expect("a request")).await
}
