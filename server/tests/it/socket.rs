//! The server on a real socket, with a client that nobody here wrote.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use shortlist_server::{AppState, RunError, run};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::harness::{EVERYTHING, Patience, SECRET, Server, publish, tool};
use crate::overload::gated;

pub struct Running {
    pub url: String,
    pub stop: oneshot::Sender<()>,
    pub ended: JoinHandle<Result<(), RunError>>,
}

/// Serves on a free port of its own until told to stop.
pub async fn start(state: AppState) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (stop, stopped) = oneshot::channel::<()>();
    let ended = tokio::spawn(run(listener, state, async {
        let _ = stopped.await;
    }));
    Running { url, stop, ended }
}

pub fn client() -> reqwest::Client {
    builder().build().expect("a client")
}

pub fn builder() -> reqwest::ClientBuilder {
    // Whoever comes second finds the same provider installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy()
}

pub fn search(client: &reqwest::Client, url: &str, query: &str) -> reqwest::RequestBuilder {
    let request = client.post(format!("{url}/v1/search_tools")).json(&json!({ "query": query }));
    request.header("x-shortlist-secret", SECRET).header("x-shortlist-user", "alice")
}

#[tokio::test]
async fn a_real_client_gets_real_answers_and_new_generations_come_by_themselves() {
    let home = crate::harness::home(EVERYTHING);
    publish(home.path(), vec![tool("m://mail.send", "Sends a mail.")]);
    let configure = |config: &mut shortlist_server::Config| config.poll_interval = Duration::from_millis(5);
    let server = Server::over(home, configure, crate::harness::embedder());
    let running = start(server.state.clone()).await;
    let client = client();
    let answer = search(&client, &running.url, "send mail").send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.json::<Value>().await.expect("JSON")["hits"][0]["ref"], "m://mail.send");
    let path = format!("{}/v1/tools/m%3A%2F%2Fmail.send", running.url);
    let tool_answer = client.get(&path).header("x-shortlist-secret", SECRET).header("x-shortlist-user", "a");
    assert_eq!(tool_answer.send().await.expect("an answer").status(), 200);
    assert_eq!(client.get(&path).send().await.expect("an answer").status(), 401);

    publish(server.home.path(), vec![tool("m://mail.send", "Sends a mail."), tool("m://mail.read", "Reads mail.")]);
    let patience = Patience::new();
    loop {
        patience.check();
        let answer = search(&client, &running.url, "mail").send().await.expect("an answer");
        if answer.json::<Value>().await.expect("JSON")["generation"] == 2 {
            break;
        }
    }
    running.stop.send(()).expect("it runs");
    running.ended.await.expect("no panic").expect("it ends as asked");
    assert!(search(&client, &running.url, "mail").send().await.is_err(), "nobody listens any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_request_is_finished_before_the_server_ends() {
    let (server, gate, entered, go_on) = gated(|_| {});
    let running = start(server.state.clone()).await;
    let request = tokio::spawn(search(&client(), &running.url, "file").send());
    tokio::task::spawn_blocking(move || entered.recv()).await.expect("no panic").expect("it computes");
    running.stop.send(()).expect("it runs");
    gate.closed.store(false, Ordering::SeqCst);
    assert!(!running.ended.is_finished());
    go_on.send(()).expect("it waits");
    let answer = request.await.expect("no panic").expect("an answer");
    assert_eq!(answer.status(), 200);
    assert!(answer.json::<Value>().await.expect("JSON")["hits"].is_array());
    running.ended.await.expect("no panic").expect("it ends as asked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_does_not_wait_for_ever() {
    let (server, gate, entered, go_on) = gated(|config| config.drain_timeout = Duration::from_millis(50));
    let running = start(server.state.clone()).await;
    let request = tokio::spawn(search(&client(), &running.url, "file").send());
    tokio::task::spawn_blocking(move || entered.recv()).await.expect("no panic").expect("it computes");
    running.stop.send(()).expect("it runs");
    let ended = running.ended.await.expect("no panic");
    assert!(matches!(ended, Err(RunError::DrainTimeout { .. })));
    gate.closed.store(false, Ordering::SeqCst);
    go_on.send(()).expect("it waits");
    request.abort();
}
