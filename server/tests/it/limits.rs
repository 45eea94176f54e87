//! Each limit at its edge, and each mistake with its code and place.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use shortlist_index::QUERY_CHARS_MAX;

use crate::harness::{ALICE, Answer, EVERYTHING, Server, random_tools};

fn server() -> Server {
    Server::start(random_tools(&mut fastrand::Rng::with_seed(3), 40), EVERYTHING)
}

async fn raw(server: &Server, path: &str, content_type: &str, body: impl Into<Body>) -> Answer {
    let request = ALICE.request(Method::POST, path).header("content-type", content_type).body(body.into());
    server.send(request.expect("a request")).await
}

#[tokio::test]
async fn values_at_the_edge_are_taken_and_past_it_refused_with_their_place() {
    let server = server();
    let search = |field: &'static str, value: Value| {
        let mut body = json!({ "query": "file" });
        body[field] = value;
        (body, "/v1/search_tools")
    };
    let filter = |field: &'static str, value: Value| {
        let mut body = json!({ "query": "file", "filter": {} });
        body["filter"][field] = value;
        (body, "/v1/search_tools")
    };
    let namespaces = |field: &'static str, value: Value| {
        let mut body = json!({});
        body[field] = value;
        (body, "/v1/list_namespaces")
    };
    let details = |refs: Vec<String>| (json!({ "refs": refs }), "/v1/get_tool_details");
    let text = |n: usize| json!("ж".repeat(n));
    let list = |n: usize| json!(vec!["x"; n]);
    let refs = |n: usize| vec!["m://a.b".to_owned(); n];
    let long_ref = |n: usize| vec![format!("m://a.{}", "b".repeat(n - 6))];
    // (good, bad, code and pointer of the bad)
    let cases = [
        (search("query", text(QUERY_CHARS_MAX)), search("query", text(QUERY_CHARS_MAX + 1)), "invalid_value", "/query"),
        (search("query", json!("x")), search("query", json!(" \n\t")), "invalid_value", "/query"),
        (search("limit", json!(50)), search("limit", json!(51)), "invalid_value", "/limit"),
        (search("limit", json!(1)), search("limit", json!(0)), "invalid_value", "/limit"),
        (search("limit", json!(null)), search("limit", json!(-1)), "invalid_value", "/limit"),
        (search("max_tokens", json!(200)), search("max_tokens", json!(199)), "invalid_value", "/max_tokens"),
        (search("max_tokens", json!(100_000)), search("max_tokens", json!(100_001)), "invalid_value", "/max_tokens"),
        (search("namespaces", list(64)), search("namespaces", list(65)), "invalid_value", "/namespaces"),
        (
            search("namespaces", json!([text(512)])),
            search("namespaces", json!(["a", text(513)])),
            "invalid_value",
            "/namespaces/1",
        ),
        (filter("tags", list(64)), filter("tags", list(65)), "invalid_value", "/filter/tags"),
        (filter("sources", list(64)), filter("sources", json!([1])), "invalid_value", "/filter/sources/0"),
        (filter("read_only", json!(true)), filter("read_only", json!("yes")), "invalid_value", "/filter/read_only"),
        (search("detail", json!("full")), search("detail", json!("everything")), "invalid_value", "/detail"),
        (search("mode", json!("dense")), search("mode", json!("magic")), "invalid_value", "/mode"),
        (search("explain", json!(true)), search("explian", json!(true)), "unknown_field", "/explian"),
        (filter("tags", list(1)), filter("tag", list(1)), "unknown_field", "/filter/tag"),
        (search("cursor", json!(null)), search("cursor", json!("x".repeat(129))), "bad_cursor", "/cursor"),
        (namespaces("limit", json!(500)), namespaces("limit", json!(501)), "invalid_value", "/limit"),
        (namespaces("limit", json!(1)), namespaces("limit", json!(0)), "invalid_value", "/limit"),
        (namespaces("prefix", text(512)), namespaces("prefix", text(513)), "invalid_value", "/prefix"),
        (namespaces("prefix", json!("")), namespaces("query", json!("x")), "unknown_field", "/query"),
        (details(refs(20)), details(refs(21)), "invalid_value", "/refs"),
        (details(refs(1)), details(refs(0)), "invalid_value", "/refs"),
        (details(long_ref(512)), details(long_ref(513)), "bad_ref", "/refs/0"),
        (details(refs(1)), details(vec!["m://a.b".into(), "nonsense".into()]), "bad_ref", "/refs/1"),
    ];
    for ((good, door), (bad, _), code, pointer) in cases {
        server.post(&ALICE, door, good).await.ok();
        let problem = server.post(&ALICE, door, bad.clone()).await.problem(400, code);
        assert_eq!(problem["pointer"], pointer, "{bad}");
    }
}

#[tokio::test]
async fn a_body_has_at_most_64_kib() {
    let server = server();
    let body = |bytes: usize| {
        let mut body = json!({ "query": "file" }).to_string();
        body.push_str(&" ".repeat(bytes - body.len()));
        body
    };
    assert_eq!(raw(&server, "/v1/search_tools", "application/json", body(65_536)).await.status, StatusCode::OK);
    raw(&server, "/v1/search_tools", "application/json", body(65_537)).await.problem(413, "body_too_large");
}

#[tokio::test]
async fn what_is_not_json_is_refused() {
    let server = server();
    for text in ["", "{", "{\"query\":\"a\"} x", "\u{0}", "{\"query\":\"a\",}"] {
        let answer = raw(&server, "/v1/search_tools", "application/json", text.to_owned()).await;
        answer.problem(400, "malformed_json");
    }
    raw(&server, "/v1/search_tools", "application/json", vec![b'"', 0xFF, b'"']).await.problem(400, "malformed_json");
    for text in [
        "[]",
        "[\"file\", 10]",
        "\"a\"",
        "null",
        "{}",
        "{\"query\":1}",
        "{\"query\":\"a\",\"query\":\"b\"}",
        "{\"query\":\"a\",\"filter\":[[\"hub\"]]}",
        "[".repeat(60_000).as_str(),
    ] {
        let answer = raw(&server, "/v1/search_tools", "application/json", text.to_owned()).await;
        answer.problem(400, "invalid_value");
    }
    for content_type in ["text/plain", "application/jsonx", "application/x-www-form-urlencoded"] {
        let answer = raw(&server, "/v1/search_tools", content_type, "{\"query\":\"a\"}").await;
        answer.problem(415, "unsupported_media_type");
    }
    raw(&server, "/v1/search_tools", "Application/JSON; charset=utf-8", "{\"query\":\"a\"}").await.ok();
}

#[tokio::test]
async fn pages_end_at_the_depth() {
    let server = Server::start(random_tools(&mut fastrand::Rng::with_seed(4), 400), EVERYTHING);
    for limit in [50, 30] {
        let mut body = json!({ "query": "file list delete create share user", "limit": limit, "detail": "name" });
        let mut refs = Vec::new();
        loop {
            let answer = server.post(&ALICE, "/v1/search_tools", body.clone()).await.ok();
            let hits = answer["hits"].as_array().expect("hits").iter();
            refs.extend(hits.map(|hit| hit["ref"].as_str().expect("a ref").to_owned()));
            if answer["next_cursor"].is_null() {
                break;
            }
            body["cursor"] = answer["next_cursor"].clone();
        }
        assert_eq!(refs.len(), shortlist_index::DEPTH_MAX);
        refs.sort();
        refs.dedup();
        assert_eq!(refs.len(), shortlist_index::DEPTH_MAX, "no hit comes twice");
    }
}
