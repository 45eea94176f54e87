//! Cursors are good for their own request, caller and generation, and for nothing else.

use serde_json::{Value, json};

use crate::harness::{ALICE, BOB, EVERYTHING, Server, Who, config, publish, random_tools, write_policy};

fn server() -> Server {
    Server::start(random_tools(&mut fastrand::Rng::with_seed(5), 150), EVERYTHING)
}

fn request() -> Value {
    json!({ "query": "file", "limit": 5, "namespaces": ["drive", "media", "gmail"], "filter": { "read_only": true } })
}

async fn first_cursor(server: &Server, who: &Who) -> Value {
    let answer = server.post(who, "/v1/search_tools", request()).await.ok();
    assert!(answer["next_cursor"].is_string());
    answer["next_cursor"].clone()
}

fn with(mut body: Value, changes: &[(&str, Value)]) -> Value {
    for (field, value) in changes {
        body[field] = value.clone();
    }
    body
}

#[tokio::test]
async fn a_cursor_is_bound_to_request_principal_and_grant() {
    let server = server();
    let cursor = first_cursor(&server, &ALICE).await;
    let mine = with(request(), &[("cursor", cursor.clone())]);
    let second = server.post(&ALICE, "/v1/search_tools", mine.clone()).await.ok();
    assert_eq!(second["hits"].as_array().expect("hits").len(), 5);
    // How much a page tells may change on the way.
    let told = with(mine.clone(), &[("detail", json!("name")), ("explain", json!(true)), ("max_tokens", json!(5_000))]);
    let ref_of = |answer: &Value| answer["hits"][0]["ref"].clone();
    assert_eq!(ref_of(&server.post(&ALICE, "/v1/search_tools", told).await.ok()), ref_of(&second));

    for (field, value) in [
        ("query", json!("files")),
        ("limit", json!(6)),
        ("namespaces", json!(["drive"])),
        ("filter", json!({ "read_only": false })),
        ("mode", json!("lexical")),
        ("rerank", json!(true)),
        ("whole", json!(true)),
    ] {
        let other = with(mine.clone(), &[(field, value)]);
        server.post(&ALICE, "/v1/search_tools", other).await.problem(400, "bad_cursor");
    }
    server.post(&BOB, "/v1/search_tools", mine.clone()).await.problem(400, "bad_cursor");
    let scoped = Who { user: "alice", scopes: "more" };
    server.post(&scoped, "/v1/search_tools", mine.clone()).await.problem(400, "bad_cursor");
    let elsewhere = json!({ "cursor": cursor });
    server.post(&ALICE, "/v1/list_namespaces", elsewhere).await.problem(400, "bad_cursor");

    write_policy(server.home.path(), &EVERYTHING.replace("\"*\"", "\"*\", \"m://*\""));
    server.state.refresh();
    server.post(&ALICE, "/v1/search_tools", mine).await.problem(400, "bad_cursor");
}

#[tokio::test]
async fn a_cursor_of_a_generation_that_is_gone_is_stale() {
    let server = server();
    let mine = with(request(), &[("cursor", first_cursor(&server, &ALICE).await)]);
    publish(server.home.path(), random_tools(&mut fastrand::Rng::with_seed(6), 150));
    server.state.refresh();
    server.post(&ALICE, "/v1/search_tools", mine.clone()).await.problem(410, "stale_cursor");
    server.post(&BOB, "/v1/search_tools", mine).await.problem(400, "bad_cursor");
}

#[tokio::test]
async fn a_cursor_outlives_a_restart() {
    let server = server();
    let mine = with(request(), &[("cursor", first_cursor(&server, &ALICE).await)]);
    let before = server.post(&ALICE, "/v1/search_tools", mine.clone()).await;
    let restarted = Server::over(server.home, |_| {}, crate::harness::embedder());
    assert_eq!(restarted.post(&ALICE, "/v1/search_tools", mine.clone()).await, before);
    // The gateway's secret, which stays what it was, is another matter.
    let another = shortlist_server::Secret::new("another secret, as long").expect("long enough");
    let mut other = config(restarted.home.path());
    other.secret = another;
    let state = shortlist_server::AppState::new(other, shortlist_index::Models::default());
    let request = ALICE
        .request(axum::http::Method::POST, "/v1/search_tools")
        .header("content-type", "application/json")
        .body(axum::body::Body::from(mine.to_string()));
    let answer = crate::harness::send(shortlist_server::app(state), request.expect("a request")).await;
    answer.problem(400, "bad_cursor");
}

#[tokio::test]
async fn pages_of_namespaces_join_to_the_whole() {
    let server = server();
    let whole = server.post(&ALICE, "/v1/list_namespaces", json!({})).await.ok();
    let mut body = json!({ "limit": 5 });
    let mut pages = Vec::new();
    loop {
        let answer = server.post(&ALICE, "/v1/list_namespaces", body.clone()).await.ok();
        pages.extend(answer["namespaces"].as_array().expect("namespaces").clone());
        if answer["next_cursor"].is_null() {
            break;
        }
        body["cursor"] = answer["next_cursor"].clone();
    }
    assert_eq!(Value::from(pages), whole["namespaces"]);
}
