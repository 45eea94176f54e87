//! Attacks on the doors that no other test names: look-alikes, paths, requests that two servers would read in two ways, and
//! bodies that never end. `SECURITY.md` lists all of them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Method, Request};
use futures_util::stream;
use serde_json::json;

use crate::harness::{ALICE, Answer, BOB, EVERYTHING, SECRET, Server, Who, tool};
use crate::socket::{Running, start};

const ROOT: Who = Who { user: "root", scopes: "" };
const POLICY: &str = "admins = [\"user:root\"]\n\
    [[rule]]\neffect = \"allow\"\nto = [\"user:alice\"]\nnamespaces = [\"github\"]\n\
    [[rule]]\neffect = \"allow\"\nto = [\"user:root\"]\nrefs = [\"*\"]\n";

fn server() -> Server {
    Server::start(vec![tool("m://github.star", "Stars."), tool("m://jira.close", "Closes an issue.")], POLICY)
}

#[tokio::test]
async fn look_alikes_are_other_tools_and_other_people() {
    let server = server();
    server.get(&ALICE, "/v1/tools/m://github.star").await.ok();
    server.get(&ROOT, "/v1/tools/m://jira.close").await.ok();
    // Cyrillic letters, another case, full width, and letters that cannot be seen.
    for twin in
        ["m://gіthub.star", "m://GitHub.star", "m://github.stａr", "m://github.st\u{200b}ar", "m://github.star\u{301}"]
    {
        let escaped: String = twin.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = server.get(&ALICE, &format!("/v1/tools/{escaped}")).await;
        assert!([400, 404].contains(&answer.status.as_u16()), "{twin}");
        assert_eq!(answer.status, server.get(&ROOT, &format!("/v1/tools/{escaped}")).await.status, "{twin}");
    }
    for twin in ["Alice", "alice\u{20}\u{20}x", "ALICE", "alice/", "alice@x"] {
        let who = Who { user: twin, scopes: "" };
        assert_eq!(server.search(&who, "star").await.ok()["hits"], json!([]), "{twin}");
    }
    let mut request = ALICE.request(Method::GET, "/v1/tools/m://github.star").body(Body::empty()).expect("a request");
    let cyrillic = axum::http::HeaderValue::from_bytes("аlice".as_bytes()).expect("opaque bytes");
    request.headers_mut().insert("x-shortlist-user", cyrillic);
    server.send(request).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn no_spelling_of_a_path_opens_an_admin_door() {
    let server = server();
    server.get(&ROOT, "/v1/admin/sources").await.ok();
    let nowhere = server.get(&BOB, "/v1/nowhere").await;
    for path in [
        "//v1/admin/sources",
        "/v1//admin/sources",
        "/v1/admin//sources",
        "/v1/%61dmin/sources",
        "/v1/admin%2Fsources",
        "/%76%31/admin/sources",
        "/V1/admin/sources",
        "/v1/ADMIN/sources",
        "/v1/admin/sources/",
        "/v1/admin/sources;a=b",
        "/v1/./admin/sources",
        "/v1/x/../admin/sources",
        "/v1/admin/sources?admin=true",
        "/v1/admin/sources%00",
        "/v1/admin\\sources",
    ] {
        // What is no URI cannot be sent.
        let Ok(request) = BOB.request(Method::GET, path).body(Body::empty()) else { continue };
        assert_eq!(server.send(request).await, nowhere, "{path}");
    }
    // Inside a ref it is a ref.
    let answer = server.get(&BOB, "/v1/tools/../admin/sources").await;
    answer.problem(400, "bad_ref");
}

/// Sends bytes as they are, and gives all that comes until the server closes or is silent for a second.
fn raw(address: &str, bytes: &str) -> String {
    let mut connection = TcpStream::connect(address).expect("it listens");
    connection.set_read_timeout(Some(Duration::from_secs(1))).expect("a timeout");
    connection.write_all(bytes.as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = connection.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..n]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_request_that_two_servers_would_read_in_two_ways_is_not_answered_as_two() {
    let server = server();
    let Running { url, stop, .. } = start(server.state.clone()).await;
    let raw = async |bytes: &str| {
        let (address, bytes) = (url.replace("http://", ""), bytes.to_owned());
        tokio::task::spawn_blocking(move || raw(&address, &bytes)).await.expect("it does not panic")
    };
    let identity = format!("Host: a\r\nX-Shortlist-Secret: {SECRET}\r\nX-Shortlist-User: alice\r\n");
    let json = "Content-Type: application/json\r\n";
    let good = format!(
        "POST /v1/search_tools HTTP/1.1\r\n{identity}{json}Content-Length: 16\r\nConnection: close\r\n\r\n{{\"query\":\"star\"}}"
    );
    assert!(raw(&good).await.starts_with("HTTP/1.1 200"), "the plain one is answered");

    let hidden = format!(
        "GET /v1/tools/m://jira.close HTTP/1.1\r\nHost: a\r\nX-Shortlist-Secret: {SECRET}\r\nX-Shortlist-User: root\r\n\r\n"
    );
    let plain = good.replace("Connection: close\r\n", "");
    let both = raw(&format!("{plain}{hidden}")).await;
    assert!(both.matches("HTTP/1.1 200").count() == 2 && both.contains("jira"), "two plain ones are answered as two");

    let body = format!("0\r\n\r\n{hidden}");
    let head = format!("POST /v1/search_tools HTTP/1.1\r\n{identity}{json}");
    for lengths in [
        format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", body.len()),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {}\r\n", body.len()),
        format!("Content-Length: 0\r\nContent-Length: {}\r\n", body.len()),
        format!("Content-Length: 0, {}\r\n", body.len()),
        format!("Content-Length: +{}\r\n", body.len()),
        "Transfer-Encoding: chunked, identity\r\n".to_owned(),
        "Transfer-Encoding: xchunked\r\n".to_owned(),
        "Transfer-Encoding : chunked\r\n".to_owned(),
        format!("Content-Length : {}\r\n", body.len()),
    ] {
        let answer = raw(&format!("{head}{lengths}\r\n{body}")).await;
        let n_answers = answer.matches("HTTP/1.1 ").count();
        assert!(n_answers <= 1 && !answer.contains("jira"), "{lengths}{answer}");
        assert!(!answer.starts_with("HTTP/1.1 2"), "{lengths}{answer}");
    }
    let folded = format!(
        "GET /v1/tools/m://github.star HTTP/1.1\r\nHost: a\r\nX-Shortlist-Secret: {SECRET}\r\nX-A: b\r\n X-Shortlist-User: alice\r\nConnection: close\r\n\r\n"
    );
    let underscored = format!(
        "GET /v1/tools/m://github.star HTTP/1.1\r\nHost: a\r\nX_Shortlist_Secret: {SECRET}\r\nX_Shortlist_User: alice\r\nConnection: close\r\n\r\n"
    );
    for request in [folded, underscored] {
        let answer = raw(&request).await;
        assert!(answer.starts_with("HTTP/1.1 40"), "{request}{answer}");
    }
    assert!(raw(&good).await.starts_with("HTTP/1.1 200"), "it still serves");
    let _ = stop.send(());
}

#[tokio::test]
async fn a_body_that_never_ends_is_cut_off() {
    let server = Server::start(vec![tool("m://a.b", "c")], EVERYTHING);
    let send = |body: Body| {
        let request: Request<Body> = ALICE
            .request(Method::POST, "/v1/search_tools")
            .header("content-type", "application/json")
            .body(body)
            .expect("a request");
        server.send(request)
    };
    let spaces = || Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 8192]));
    let endless = send(Body::from_stream(stream::repeat_with(spaces)));
    let answer: Answer = endless.await;
    answer.problem(413, "body_too_large");
    // One byte, and then nothing: the time that a body may take is waited out for real.
    let silent = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{"))]);
    let silent = futures_util::StreamExt::chain(silent, stream::pending());
    send(Body::from_stream(silent)).await.problem(408, "body_timeout");
}
