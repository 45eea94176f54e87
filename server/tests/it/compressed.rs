//! Compression, both ways.

use std::io::Read;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use flate2::read::GzDecoder;
use serde_json::json;
use shortlist_server::limits::COMPRESS_BYTES_MIN;

use crate::harness::{ALICE, Answer, EVERYTHING, Server, random_tools, tool};

fn server() -> Server {
    let mut tools = random_tools(&mut fastrand::Rng::with_seed(5), 60);
    tools.push(tool("m://small.tool", "Small."));
    tools.push(tool("m://large.tool", &"Large. ".repeat(400)));
    Server::start(tools, EVERYTHING)
}

async fn get(server: &Server, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request =
        headers.iter().fold(ALICE.request(Method::GET, path), |request, (name, value)| request.header(*name, *value));
    server.send(request.body(Body::empty()).expect("a request")).await
}

fn unpacked(answer: &Answer) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(&answer.body[..]).read_to_end(&mut bytes).expect("gzip");
    bytes
}

#[tokio::test]
async fn a_large_answer_is_compressed_for_whoever_takes_it_and_its_etag_is_weak_then() {
    let server = server();
    let path = "/v1/tools/m://large.tool";
    let plain = get(&server, path, &[]).await;
    assert_eq!((plain.status, plain.header("content-encoding")), (StatusCode::OK, ""));
    let packed = get(&server, path, &[("accept-encoding", "br, gzip")]).await;
    assert_eq!((packed.status, packed.header("content-encoding")), (StatusCode::OK, "gzip"));
    assert!(packed.body.len() * 2 < plain.body.len() && unpacked(&packed) == plain.body);
    assert_eq!(packed.header("etag"), format!("W/{}", plain.header("etag")));
    let varies = |answer: &Answer| {
        let values = answer.headers.get_all("vary").iter().map(|value| value.to_str().expect("a text"));
        values.collect::<Vec<_>>().join(", ").contains("accept-encoding")
    };
    assert!(varies(&packed) && varies(&plain), "a cache must know in both cases");
    // Either ETag is good for a later question, compressed or not.
    for etag in [plain.header("etag"), packed.header("etag")] {
        for encoding in ["gzip", "identity"] {
            let again = get(&server, path, &[("accept-encoding", encoding), ("if-none-match", etag)]).await;
            assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
        }
    }
}

#[tokio::test]
async fn what_is_small_or_not_wanted_stays_as_it_is() {
    let server = server();
    let small = get(&server, "/v1/tools/m://small.tool", &[("accept-encoding", "gzip")]).await;
    assert!(small.body.len() < COMPRESS_BYTES_MIN as usize);
    assert_eq!(small.header("content-encoding"), "");
    let plain = get(&server, "/v1/tools/m://large.tool", &[]).await;
    for refused in ["identity", "gzip;q=0", "br", "*;q=0", "identity;q=0", "nonsense,,;q"] {
        let answer = get(&server, "/v1/tools/m://large.tool", &[("accept-encoding", refused)]).await;
        assert_eq!((answer.status, &answer.body), (StatusCode::OK, &plain.body), "{refused}");
        assert_eq!(answer.header("etag"), plain.header("etag"));
    }
}

#[tokio::test]
async fn what_strangers_may_have_is_no_work_for_the_server() {
    let server = server();
    let document = get(&server, "/v1/openapi.json", &[("accept-encoding", "gzip")]).await;
    assert_eq!((document.status, document.header("content-encoding")), (StatusCode::OK, ""));
    assert!(document.body.len() > COMPRESS_BYTES_MIN as usize);
}

#[tokio::test]
async fn the_edge_is_at_the_limit() {
    // A tool whose body has exactly so many bytes.
    let n_bytes = |n: usize| format!("m://edge.tool{n}");
    let start = |description: usize| Server::start(vec![tool(&n_bytes(1), &"x".repeat(description))], EVERYTHING);
    let path = "/v1/get_tool_details";
    let ask = async |server: &Server, encoding: &str| {
        let request = ALICE.request(Method::POST, path).header("content-type", "application/json");
        let request = request.header("accept-encoding", encoding);
        server.send(request.body(Body::from(json!({ "refs": [n_bytes(1)] }).to_string())).expect("a request")).await
    };
    // The summary repeats the beginning, so the length is found by asking.
    let around = 300;
    let base = ask(&start(around), "identity").await.body.len();
    let missing = COMPRESS_BYTES_MIN as usize - base;
    for (less, expected) in [(1, ""), (0, "gzip")] {
        let server = start(around + missing - less);
        assert_eq!(ask(&server, "identity").await.body.len(), COMPRESS_BYTES_MIN as usize - less);
        assert_eq!(ask(&server, "gzip").await.header("content-encoding"), expected);
    }
}

#[tokio::test]
async fn a_packed_body_is_refused_with_what_is_taken() {
    let server = server();
    let ask = async |encoding: &str| {
        let request = ALICE.request(Method::POST, "/v1/search_tools").header("content-type", "application/json");
        let request = request.header("content-encoding", encoding).body(Body::from("{\"query\":\"file\"}"));
        server.send(request.expect("a request")).await
    };
    ask("identity").await.ok();
    for encoding in ["gzip", "br", "deflate, gzip", ""] {
        let answer = ask(encoding).await;
        answer.problem(415, "unsupported_media_type");
        assert_eq!((answer.header("accept-encoding"), answer.header("accept")), ("identity", "application/json"));
    }
}
