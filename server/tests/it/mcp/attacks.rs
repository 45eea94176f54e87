//! Messages that mean harm: from web pages, under false names, with heads that contradict bodies, too large, too deep.

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use super::{MODERN, modern, request, send};
use crate::harness::{ALICE, Answer, EVERYTHING, Server, embedder, home, publish, tool};

fn server() -> Server {
    Server::start(vec![tool("m://a.b", "c")], EVERYTHING)
}

fn list() -> String {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string()
}

async fn with(server: &Server, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
    let mut request = ALICE.request(Method::POST, "/mcp");
    let usual = [
        ("host", "localhost"),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
    ];
    for (name, value) in usual.iter().filter(|(name, _)| headers.iter().all(|(other, _)| name != other)).chain(headers)
    {
        request = request.header(*name, *value);
    }
    server.send(request.body(body.into()).expect("a request")).await
}

/// A JSON-RPC error that no handler has made.
fn refusal(answer: &Answer, status: u16, code: i64) {
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (status, "application/json"), "{text}");
    assert_eq!(answer.json()["error"]["code"], code, "{text}");
}

#[tokio::test]
async fn a_web_page_gets_nothing_whatever_name_it_gave_the_server() {
    let server = server();
    with(&server, &[], list()).await.ok();
    for origin in [
        "https://evil.example",
        "http://localhost.evil.example",
        "null",
        "https://127.0.0.1",
        "http://10.0.0.1",
        "x",
        "",
    ] {
        with(&server, &[("origin", origin)], list()).await.problem(403, "forbidden");
    }
    for host in ["evil.example", "localhost.evil.example", "evil.example:8080", "0.0.0.0", "127.0.0.1.nip.io", "[::2]"]
    {
        with(&server, &[("host", host)], list()).await.problem(403, "forbidden");
    }
    for origin in ["http://localhost:6274", "http://127.0.0.1", "http://[::1]:8080"] {
        with(&server, &[("origin", origin)], list()).await.ok();
    }
    for host in ["127.0.0.1:9", "[::1]:8080", "LOCALHOST"] {
        with(&server, &[("host", host)], list()).await.ok();
    }
    for host in ["", "a b", "localhost@evil.example/"] {
        assert!(with(&server, &[("host", host)], list()).await.status.is_client_error(), "{host}");
    }
    let nameless = ALICE.request(Method::POST, "/mcp").header("content-type", "application/json");
    let nameless = nameless.header("accept", "application/json, text/event-stream").body(Body::from(list()));
    refusal(&server.send(nameless.expect("a request")).await, 400, -32_600);
}

#[tokio::test]
async fn names_and_pages_that_the_operator_lists_are_let_in() {
    let home = home(EVERYTHING);
    publish(home.path(), vec![tool("m://a.b", "c")]);
    let configure = |config: &mut shortlist_server::Config| {
        config.mcp.public_url = Some("https://tools.example".to_owned());
        config.mcp.allowed_hosts = vec!["tools.internal:8443".to_owned()];
        config.mcp.allowed_origins = vec!["https://chat.example:443".to_owned()];
    };
    let server = Server::over(home, configure, embedder());
    for host in ["tools.example", "tools.internal:8443", "localhost:1"] {
        with(&server, &[("host", host), ("origin", "https://chat.example")], list()).await.ok();
    }
    with(&server, &[("host", "tools.internal:1")], list()).await.problem(403, "forbidden");
    for origin in ["http://chat.example", "https://chat.example:8443", "https://tools.example"] {
        with(&server, &[("origin", origin)], list()).await.problem(403, "forbidden");
    }
}

#[tokio::test]
async fn a_head_that_contradicts_its_body_is_refused() {
    let server = server();
    let call = |name: &str| {
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "name": name, "arguments": {},
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": MODERN,
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        } })
        .to_string()
    };
    let version = ("mcp-protocol-version", MODERN);
    let (method, name) = (("mcp-method", "tools/call"), ("mcp-name", "list_namespaces"));
    with(&server, &[version, method, name], call("list_namespaces")).await.ok();
    for headers in [
        vec![version, ("mcp-method", "tools/list"), name],
        vec![version, method, ("mcp-name", "search_tools")],
        vec![version, method, name, name],
        vec![version, method],
        vec![version, name],
        vec![method, name],
        vec![("mcp-protocol-version", "2025-11-25"), method, name],
    ] {
        let answer = with(&server, &headers, call("list_namespaces")).await;
        assert_eq!(answer.status, 400, "{headers:?}: {}", String::from_utf8_lossy(&answer.body));
        assert!(answer.json()["error"]["code"].is_i64(), "{headers:?}");
    }
}

#[tokio::test]
async fn what_is_no_message_is_refused_in_words_that_a_client_reads() {
    let server = server();
    let check = async |body: &str, code: i64| {
        let answer = with(&server, &[], body.to_owned()).await;
        refusal(&answer, 400, code);
        answer
    };
    for body in ["", "{", "\u{feff}{}", "{} {}", &"[".repeat(2_000), &("{\"a\":".repeat(500) + "1" + &"}".repeat(500))]
    {
        check(body, -32_700).await;
    }
    for body in [
        "[]",
        &format!("[{},{}]", list(), list()),
        "7",
        "null",
        "\"x\"",
        "{}",
        r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
    ] {
        check(body, -32_600).await;
    }
    let odd = json!({ "jsonrpc": "2.0", "id": "x", "method": "tools/call", "params": { "name": 5 } });
    let odd = with(&server, &[], odd.to_string()).await.ok();
    assert_eq!((&odd["id"], &odd["error"]["code"]), (&json!("x"), &json!(-32_602)));
    // An answer to a question that the server never asked.
    check(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, -32_600).await;

    with(&server, &[("content-type", "text/plain")], list()).await.problem(415, "unsupported_media_type");
    with(&server, &[("accept", "text/html")], list()).await.problem(406, "not_acceptable");
    let large = format!("{{\"jsonrpc\":\"2.0\",\"x\":\"{}\"}}", "x".repeat(64 * 1024));
    with(&server, &[], large).await.problem(413, "body_too_large");
    for method in [Method::GET, Method::DELETE, Method::PUT] {
        let request = ALICE.request(method, "/mcp").body(Body::empty()).expect("a request");
        server.send(request).await.problem(405, "method_not_allowed");
    }
    let below = ALICE.request(Method::POST, "/mcp/x").body(Body::empty()).expect("a request");
    server.send(below).await.problem(404, "no_such_route");
}

#[tokio::test]
async fn versions_methods_and_tools_that_do_not_exist_are_protocol_errors() {
    let server = server();
    let error = async |message: Value| send(&server, &ALICE, message).await.json()["error"].take();
    let unknown = error(json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "rm" } })).await;
    assert_eq!(unknown["code"], -32_602);
    assert!(unknown["message"].as_str().is_some_and(|text| text.contains("search_tools") && !text.contains("rm")));
    assert_eq!(error(json!({ "jsonrpc": "2.0", "id": 1, "method": "x/y" })).await["code"], -32_601);
    let new = modern(&server, &ALICE, "tools/call", json!({ "name": "rm" })).await;
    assert_eq!(new.json()["error"]["code"], -32_602);
    refusal(&modern(&server, &ALICE, "resources/list", json!({})).await, 404, -32_601);

    let future = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": { "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2099-01-01", "io.modelcontextprotocol/clientCapabilities": {} } } });
    let headers = [("mcp-protocol-version", "2099-01-01"), ("mcp-method", "tools/list")];
    let answer = with(&server, &headers, future.to_string()).await;
    assert_eq!(answer.status, 400);
    assert!(answer.json()["error"]["data"]["supported"].to_string().contains(MODERN));
    refusal(&with(&server, &[("mcp-protocol-version", "banana")], list()).await, 400, -32_600);
}

#[tokio::test]
async fn a_session_is_nothing_to_the_server() {
    let server = server();
    let hello = request(&ALICE).header("mcp-session-id", "somebody-elses").header("last-event-id", "1");
    let answer = server.send(hello.body(Body::from(list())).expect("a request")).await;
    answer.ok();
    assert!(!answer.headers.contains_key("mcp-session-id"));
}
