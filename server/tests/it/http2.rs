//! The limits on one connection in HTTP/2, on requests at the same time and on answers that nobody reads, with a client that
//! nobody here wrote.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Method, Request};
use h2::client::ResponseFuture;
use h2::{Ping, Reason, SendStream};
use serde_json::json;
use shortlist_index::Schema;
use shortlist_server::limits::HTTP2_STREAMS_MAX;
use shortlist_server::telemetry::Telemetry;
use tokio::io::{copy, duplex, join};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::connections::address;
use crate::harness::{ALICE, EVERYTHING, Patience, Server, embedder, home, publish, tool};
use crate::metrics::{read, series};
use crate::socket::start;

const N: usize = HTTP2_STREAMS_MAX as usize;

#[tokio::test]
async fn one_request_too_many_is_refused_or_waits_and_the_others_are_answered() {
    let home = home(EVERYTHING);
    publish(home.path(), vec![tool("m://mail.send", "Sends a mail.")]);
    let telemetry = read();
    let of_config = telemetry.clone();
    let server = Server::over(home, |config| config.telemetry = of_config, embedder());
    let running = start(server.state.clone()).await;

    // What the server says is held back until the client has sent one request more than it is about to be allowed.
    let (mut said, says) = TcpStream::connect(address(&running)).await.expect("a connection").into_split();
    let (heard, mut hears) = duplex(64 * 1024);
    let (go_on, may_go_on) = oneshot::channel::<()>();
    tokio::spawn(async move {
        if may_go_on.await.is_ok() {
            // It ends with the connection.
            let _ = copy(&mut said, &mut hears).await;
        }
    });
    let mut builder = h2::client::Builder::new();
    builder.initial_max_send_streams(N + 1);
    let (client, mut connection) = builder.handshake(join(heard, says)).await.expect("a handshake");
    let mut pings = connection.ping_pong().expect("nobody has taken it");
    let mut asked: VecDeque<Asked> =
        (0..=N).map(|_| client.clone().send_request(search(), false).expect("it does not know the limit")).collect();
    tokio::spawn(connection);
    until_in_flight(&telemetry, N).await;
    go_on.send(()).expect("it waits");

    let (beyond, _) = asked.pop_back().expect("the last");
    let refusal = beyond.await.expect_err("it is one too many");
    assert!(refusal.is_remote() && refusal.reason() == Some(Reason::REFUSED_STREAM), "{refusal}");
    assert_eq!(client.current_max_send_streams(), N, "so the client was told");

    // Now that the client knows, it waits for one of its own to end, and nothing is lost.
    let mut again = client.clone();
    asked.push_back(again.send_request(search(), false).expect("it may wait"));
    pings.ping(Ping::opaque()).await.expect("the connection is alive");
    assert!(poll_fn(|context| Poll::Ready(again.poll_ready(context).is_pending())).await);
    assert_eq!(in_flight(&telemetry), N as f64);
    assert_eq!(answered(asked.pop_front().expect("the first")).await, 200);
    poll_fn(|context| again.poll_ready(context)).await.expect("there is room for it now");
    for one in asked {
        assert_eq!(answered(one).await, 200);
    }
    let series = series(&telemetry);
    assert_eq!((series["shortlist_connections_open"], series["shortlist_connections_open_limit"]), (1.0, 800.0));
    until_in_flight(&telemetry, 0).await;
}

#[tokio::test]
async fn an_answer_of_which_nobody_reads_ends_its_connection() {
    let home = home(EVERYTHING);
    let mut large = tool("m://mail.send", "Sends a mail.");
    let schema = json!({ "description": "x".repeat(200_000) });
    large.input_schema = Some(Schema::from_value(&schema).expect("a schema"));
    publish(home.path(), vec![large]);
    let server = Server::over(home, |config| config.connections.answer = Duration::from_millis(500), embedder());
    let running = start(server.state.clone()).await;

    // Of the body it takes a single byte, so that all of it waits at the server.
    let stream = TcpStream::connect(address(&running)).await.expect("a connection");
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(1);
    let (mut client, connection) = builder.handshake(stream).await.expect("a handshake");
    let ended = tokio::spawn(connection);
    let (answer, mut body): Asked = client.send_request(search(), false).expect("it is the first");
    body.send_data(Bytes::from_static(br#"{"query":"send mail","detail":"full"}"#), true).expect("it is open");
    let _unread = answer.await;
    let patience = Patience::new();
    while !ended.is_finished() {
        patience.check();
        // Others on the same connection are answered, and keep it no longer.
        if let Ok((answer, _)) = client.send_request(health(), true) {
            let _ = answer.await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A request whose body is still to come.
type Asked = (ResponseFuture, SendStream<Bytes>);

fn search() -> Request<()> {
    let request = ALICE.request(Method::POST, "http://here/v1/search_tools");
    request.header("content-type", "application/json").body(()).expect("a request")
}

fn health() -> Request<()> {
    ALICE.request(Method::HEAD, "http://here/livez").body(()).expect("a request")
}

/// The status, once the body has come.
async fn answered((answer, mut body): Asked) -> u16 {
    body.send_data(Bytes::from_static(br#"{"query":"send mail"}"#), true).expect("it is open");
    answer.await.expect("an answer").status().as_u16()
}

fn in_flight(telemetry: &Telemetry) -> f64 {
    series(telemetry).get("shortlist_requests_in_flight").copied().unwrap_or_default()
}

async fn until_in_flight(telemetry: &Telemetry, n: usize) {
    let patience = Patience::new();
    while in_flight(telemetry) != n as f64 {
        patience.check();
        tokio::task::yield_now().await;
    }
}
