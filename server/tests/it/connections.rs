//! The limits on connections, over real sockets.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use shortlist_server::{AppState, Config, ConnectionLimits, limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{EVERYTHING, Patience, SECRET, Server, embedder, home, publish, tool};
use crate::overload::gated;
use crate::socket::{Running, builder, client, search, start};

const HEALTH: &str = "GET /livez HTTP/1.1\r\nhost: here\r\n\r\n";
const SOON: Duration = Duration::from_millis(50);

async fn server(set: impl FnOnce(&mut ConnectionLimits)) -> (Server, Running) {
    let home = home(EVERYTHING);
    publish(home.path(), vec![tool("m://mail.send", "Sends a mail.")]);
    let server = Server::over(home, |config: &mut Config| set(&mut config.connections), embedder());
    let running = start(server.state.clone()).await;
    (server, running)
}

pub fn address(running: &Running) -> SocketAddr {
    running.url.strip_prefix("http://").expect("an address").parse().expect("an address")
}

async fn connect(running: &Running) -> TcpStream {
    TcpStream::connect(address(running)).await.expect("a connection")
}

/// From another address of this machine.
#[cfg(target_os = "linux")]
async fn connect_from(running: &Running, host: u8) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from(([127, 0, 0, host], 0))).expect("all of 127.0.0.0/8 is this machine");
    socket.connect(address(running)).await.expect("a connection")
}

/// Everything until the other end closes.
async fn to_the_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is an end as well.
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Asks, reads one answer and leaves the connection open.
async fn health(stream: &mut TcpStream) -> bool {
    let mut bytes = Vec::new();
    if stream.write_all(HEALTH.as_bytes()).await.is_err() {
        return false;
    }
    while !bytes.ends_with(b"{\"status\":\"ok\"}") {
        match stream.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return false,
            Ok(_) => {}
        }
    }
    bytes.starts_with(b"HTTP/1.1 200")
}

async fn until_open(state: &AppState, n: usize) {
    let patience = Patience::new();
    while state.n_connections() != n {
        patience.check();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let (server, running) = server(|limits| limits.head = SOON).await;
    for begun in ["", "G", "GET /livez HTTP/1.1\r\nhost: he", "PRI * HTTP/2.0\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    {
        let mut stream = connect(&running).await;
        stream.write_all(begun.as_bytes()).await.expect("it is taken");
        assert!(!to_the_end(&mut stream).await.contains("200 OK"), "{begun}");
    }
    // The second head on a connection has the same time, from its first byte on, and waiting for it is another matter.
    let mut stream = connect(&running).await;
    assert!(health(&mut stream).await);
    tokio::time::sleep(SOON * 3).await;
    assert!(health(&mut stream).await, "an idle connection is not a slow head");
    stream.write_all(b"GET /li").await.expect("it is taken");
    assert_eq!(to_the_end(&mut stream).await, "");
    until_open(&server.state, 0).await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_working_one_is_not() {
    let (server, running) = server(|limits| limits.idle = SOON).await;
    let mut stream = connect(&running).await;
    for _ in 0..5 {
        assert!(health(&mut stream).await);
    }
    assert_eq!(to_the_end(&mut stream).await, "");
    until_open(&server.state, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_takes_too_long_ends_its_connection() {
    let (server, _gate, entered, go_on) = gated(|config| config.connections.answer = SOON);
    let running = start(server.state.clone()).await;
    let asked = search(&client(), &running.url, "file").send().await;
    assert!(asked.is_err(), "the connection was closed");
    tokio::task::spawn_blocking(move || entered.recv()).await.expect("no panic").expect("it was computed");
    go_on.send(()).expect("it waits");
    until_open(&server.state, 0).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_peer_has_its_share_of_the_connections_and_another_one_the_rest() {
    let (server, running) = server(|limits| (limits.n_max, limits.n_per_peer_max) = (3, 2)).await;
    let mut mine = [connect(&running).await, connect(&running).await];
    for stream in &mut mine {
        assert!(health(stream).await);
    }
    assert!(!health(&mut connect(&running).await).await, "one more is closed");
    let mut other = connect_from(&running, 2).await;
    assert!(health(&mut other).await, "somebody else is served");
    for stream in &mut mine {
        assert!(health(stream).await, "and so are those that were there");
    }
    let [first, _second] = mine;
    drop(first);
    until_open(&server.state, 2).await;
    assert!(health(&mut connect(&running).await).await, "a place that was given back is taken again");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn when_all_places_are_taken_an_idle_connection_makes_room() {
    let (_server, running) = server(|limits| (limits.n_max, limits.n_per_peer_max) = (2, 1)).await;
    let (mut first, mut second) = (connect(&running).await, connect_from(&running, 2).await);
    assert!(health(&mut first).await && health(&mut second).await);
    let mut third = connect_from(&running, 3).await;
    assert!(health(&mut third).await);
    assert_eq!(to_the_end(&mut first).await, "", "the one that was idle for longest is gone");
    assert!(health(&mut second).await);
}

#[tokio::test]
async fn heads_are_limited_in_bytes_and_headers() {
    let (_server, running) = server(|_| {}).await;
    let status = async |headers: String| {
        let mut stream = connect(&running).await;
        let request = format!("GET /livez HTTP/1.1\r\nhost: here\r\nconnection: close\r\n{headers}\r\n");
        // What is refused may be refused before it was read.
        let _ = stream.write_all(request.as_bytes()).await;
        to_the_end(&mut stream).await.get(9..12).unwrap_or_default().to_owned()
    };
    let lines = |n: usize| (0..n).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    assert_eq!(status(lines(limits::HEADERS_MAX - 2)).await, "200");
    assert_eq!(status(lines(limits::HEADERS_MAX - 1)).await, "431");
    let long = |n: usize| format!("x: {}\r\n", "y".repeat(n));
    assert_eq!(status(long(limits::HEAD_BYTES_MAX - 100)).await, "200");
    assert_eq!(status(long(limits::HEAD_BYTES_MAX)).await, "431");
}

#[tokio::test]
async fn http_2_serves_many_requests_on_one_connection_within_its_limits() {
    let (server, running) = server(|_| {}).await;
    let client = builder().http2_prior_knowledge().build().expect("a client");
    let asked = |n: usize| {
        let request = client.get(format!("{}/livez", running.url)).header("x", "y".repeat(n));
        async move { request.send().await.map(|answer| (answer.version(), answer.status().as_u16())) }
    };
    // Those that come before the first connection is there open their own.
    asked(1).await.expect("an answer");
    let answers = futures_util::future::join_all((0..200).map(|_| asked(1))).await;
    for answer in answers {
        assert_eq!(answer.expect("an answer"), (reqwest::Version::HTTP_2, 200));
    }
    assert!(server.state.n_connections() < 10, "they share connections");
    // RFC 9113 counts 32 bytes more for each header.
    assert_eq!(asked(limits::HEAD_BYTES_MAX - 1_000).await.expect("an answer").1, 200);
    // A client that knows the limit does not even send it.
    assert!(asked(limits::HEAD_BYTES_MAX).await.map_or(true, |(_, status)| status == 431));
}

#[tokio::test]
async fn a_body_that_does_not_come_is_told_so_and_others_are_served_meanwhile() {
    let (_server, running) = server(|_| {}).await;
    let mut slow = connect(&running).await;
    let head = format!(
        "POST /v1/search_tools HTTP/1.1\r\nhost: here\r\nx-shortlist-secret: {SECRET}\r\nx-shortlist-user: a\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{\"query\":"
    );
    slow.write_all(head.as_bytes()).await.expect("it is taken");
    let answer = search(&client(), &running.url, "send mail").send().await.expect("an answer");
    assert_eq!(answer.json::<Value>().await.expect("JSON")["hits"][0]["ref"], json!("m://mail.send"));
    let mut answered = vec![0; 12];
    slow.read_exact(&mut answered).await.expect("an answer");
    assert_eq!(String::from_utf8_lossy(&answered), "HTTP/1.1 408");
}
