//! The doors, over the real server in this process. Nothing fails inside, and nobody sees a hidden tool.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Method, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use shortlist_server::Settings;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::error::BenchError;
use crate::server::{self, ONE, failed};

/// What the gateway signs its tokens with.
const TOKEN_SECRET: &str = "a secret of the gateway that signs";
/// Whose tokens are believed; they do not age, so that seeds stay good.
const TOKENS: &str = "[[gateway_token]]\nname = \"hub\"\nissuer = \"https://hub.example\"\naudience = \"shortlist\"\n\
    secret_file = \"token-secret\"\nmax_age = \"40000d\"\n";

/// Any request: the first byte picks a door, then a line for the path or the user, a line for another header, and the body.
pub(super) fn request(bytes: &[u8]) {
    let Some((&door, rest)) = bytes.split_first() else { return };
    let mut lines = rest.splitn(3, |&byte| byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (path, header, body) = (String::from_utf8_lossy(line()).into_owned(), line(), line());
    let (method, path, name) = match door % 5 {
        0 => (Method::POST, "/v1/search_tools".to_owned(), "x-shortlist-groups"),
        1 => (Method::POST, "/v1/get_tool_details".to_owned(), "x-shortlist-scopes"),
        2 => (Method::POST, "/v1/list_namespaces".to_owned(), "x-request-id"),
        3 => (Method::GET, format!("/v1/tools/{path}"), "if-none-match"),
        _ => (Method::POST, path, "authorization"),
    };
    let mut request = server::request(&method, &path);
    if let Ok(value) = HeaderValue::from_bytes(header) {
        request = request.header(name, value);
    }
    // What is no URI cannot be sent.
    if let Ok(request) = request.body(Body::from(body.to_vec())) {
        answer(request);
    }
}

/// A message of MCP: a line each for the protocol's version, the method and the name in the head, then the body. Whatever is
/// answered with a body is JSON.
pub(super) fn message(bytes: &[u8]) {
    let mut lines = bytes.splitn(4, |&byte| byte == b'\n');
    let mut request = server::request(&Method::POST, "/mcp").header("host", "localhost");
    request = request.header("accept", "application/json, text/event-stream");
    for name in ["mcp-protocol-version", "mcp-method", "mcp-name"] {
        let value = lines.next().filter(|line| !line.is_empty()).map(HeaderValue::from_bytes);
        if let Some(Ok(value)) = value {
            request = request.header(name, value);
        }
    }
    let body = Body::from(lines.next().unwrap_or_default().to_vec());
    let (status, body) = whole_answer(request.body(body).expect("a request"));
    let is_json = serde_json::from_slice::<serde_json::Value>(&body).is_ok();
    assert!(if status == StatusCode::ACCEPTED { body.is_empty() } else { is_json }, "{status}");
}

/// A token as it comes, which nobody can have signed; or, after a zero, a head and claims in a line each, which are signed as
/// the gateway does, so that what stands behind the signature is read too.
pub(super) fn token(bytes: &[u8]) {
    let (token, signed) = match bytes.split_first() {
        Some((0, rest)) => (sign(rest), true),
        _ => (bytes.to_vec(), false),
    };
    let Ok(value) = HeaderValue::from_bytes(&[b"Bearer ", token.as_slice()].concat()) else { return };
    let request = Request::post("/v1/list_namespaces").header("content-type", "application/json");
    let Ok(request) = request.header("authorization", value).body(Body::from("{}")) else { return };
    let status = answer(request);
    assert!(signed || status != StatusCode::OK, "a token that nobody signed is believed");
}

fn sign(lines: &[u8]) -> Vec<u8> {
    let mut parts = lines.splitn(2, |&byte| byte == b'\n').map(|part| URL_SAFE_NO_PAD.encode(part));
    let signed = format!("{}.{}", parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let mut mac = Hmac::<Sha256>::new_from_slice(TOKEN_SECRET.as_bytes()).expect("a key of any length");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())).into_bytes()
}

fn answer(request: Request<Body>) -> StatusCode {
    whole_answer(request).0
}

fn whole_answer(request: Request<Body>) -> (StatusCode, Vec<u8>) {
    static SERVER: OnceLock<(Router, Runtime, TempDir)> = OnceLock::new();
    let (router, runtime, _) = SERVER.get_or_init(|| {
        let home = tempfile::tempdir().expect("a folder");
        let router = start(home.path()).expect("a server");
        (router, Runtime::new().expect("threads"), home)
    });
    let (status, body) = runtime.block_on(async {
        let response = server::send(router.clone(), request).await;
        (response.status(), to_bytes(response.into_body(), usize::MAX).await.expect("it is in memory"))
    });
    assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR);
    let text = String::from_utf8_lossy(&body);
    assert!(!text.contains("[\"closed\"]") && !text.contains("\"namespace\":\"c"), "a hidden tool is told: {text}");
    (status, body.to_vec())
}

fn start(home: &Path) -> Result<Router, BenchError> {
    let settings = home.join("serve.toml");
    fs::write(home.join("token-secret"), TOKEN_SECRET).map_err(failed)?;
    fs::write(&settings, TOKENS).map_err(failed)?;
    let issuers = Settings::load(&settings).map_err(failed)?.issuers;
    server::router(home, server::catalog(40, &ONE)?, |config| config.identity.issuers = issuers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_is_signed_gets_an_answer() {
        let claims =
            br#"{"iss":"https://hub.example","aud":"shortlist","sub":"mallory","exp":4102444800,"iat":1700000000}"#;
        let token = sign(&[b"{\"alg\":\"HS256\"}\n", &claims[..]].concat());
        let request = Request::post("/v1/list_namespaces").header("content-type", "application/json");
        let request = request.header("authorization", [b"Bearer ", token.as_slice()].concat());
        assert_eq!(answer(request.body(Body::from("{}")).expect("a request")), StatusCode::OK);
    }
}
