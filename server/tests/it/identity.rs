//! Who is let in, and that nobody learns why they were not.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;

use crate::harness::{ALICE, Answer, EVERYTHING, SECRET, Server, tool};

const DOORS: [(&str, &str); 5] = [
    ("POST", "/v1/search_tools"),
    ("POST", "/v1/get_tool_details"),
    ("POST", "/v1/list_namespaces"),
    ("GET", "/v1/tools/m://a.b"),
    ("POST", "/mcp"),
];

async fn ask(server: &Server, door: (&str, &str), peer: Option<[u8; 4]>, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(door.0).uri(door.1).header("x-request-id", "the-test");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if let Some(address) = peer {
        request = request.extension(ConnectInfo(SocketAddr::from((address, 4000))));
    }
    server.send(request.body(Body::from("{}")).expect("a request")).await
}

#[tokio::test]
async fn every_door_refuses_whatever_is_wrong_with_the_same_answer() {
    let server = Server::start(vec![tool("m://a.b", "c")], EVERYTHING);
    let peer = Some([127, 0, 0, 1]);
    let secret = ("x-shortlist-secret", SECRET);
    let user = ("x-shortlist-user", "alice");
    let mut answers = Vec::new();
    for door in DOORS {
        answers.push(ask(&server, door, peer, &[]).await);
        answers.push(ask(&server, door, peer, &[user]).await);
        answers.push(ask(&server, door, peer, &[secret]).await);
        answers.push(ask(&server, door, peer, &[("x-shortlist-secret", "another secret, wrong"), user]).await);
        answers.push(ask(&server, door, Some([127, 0, 0, 2]), &[secret, user]).await);
        answers.push(ask(&server, door, None, &[secret, user]).await);
        answers.push(ask(&server, door, peer, &[secret, user, user]).await);
        answers.push(
            ask(&server, door, peer, &[secret, user, ("x-shortlist-groups", "a"), ("x-shortlist-groups", "b")]).await,
        );
        // An address in a header is not the connection's.
        answers.push(ask(&server, door, Some([9, 9, 9, 9]), &[secret, user, ("x-forwarded-for", "127.0.0.1")]).await);
    }
    answers[0].problem(401, "unauthenticated");
    assert!(answers[0].header("www-authenticate").starts_with("Shortlist-Gateway"));
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

#[tokio::test]
async fn the_good_identity_is_let_in() {
    let server = Server::start(vec![tool("m://a.b", "c")], EVERYTHING);
    server.search(&ALICE, "c").await.ok();
    server.get(&ALICE, "/v1/tools/m://a.b").await.ok();
}
