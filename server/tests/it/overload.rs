//! Too much work, work that takes too long, work that panics: the caller is told, and the server goes on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use serde_json::json;
use shortlist_index::{EmbedError, Embedder, Embedding, HashingEmbedder, ModelFingerprint, TextRole};
use shortlist_server::Config;

use crate::harness::{ALICE, EVERYTHING, Patience, Server, embedder, home, publish, random_tools};
use crate::mcp::call;
use crate::metrics::{read, series};

/// Hashes like the real one, but first tells that it was called and waits until it may go on.
pub struct Gated {
    inner: Arc<HashingEmbedder>,
    entered: Mutex<Sender<()>>,
    go_on: Mutex<Receiver<()>>,
    pub closed: AtomicBool,
}

impl Gated {
    pub fn new() -> (Arc<Self>, Receiver<()>, Sender<()>) {
        let ((entered, was_entered), (let_go, go_on)) = (channel(), channel());
        let closed = AtomicBool::new(true);
        let gated = Self { inner: embedder(), entered: Mutex::new(entered), go_on: Mutex::new(go_on), closed };
        (Arc::new(gated), was_entered, let_go)
    }
}

impl Embedder for Gated {
    fn fingerprint(&self) -> &ModelFingerprint {
        self.inner.fingerprint()
    }

    fn dimension(&self) -> usize {
        self.inner.dimension()
    }

    fn embed(&self, role: TextRole, text: &str) -> Result<Embedding, EmbedError> {
        assert!(!text.contains("panic"), "asked to: {text}");
        if self.closed.load(Ordering::SeqCst) {
            self.entered.lock().expect("no panic here").send(()).expect("the test listens");
            // Without a test at the other end it goes on.
            let _ = self.go_on.lock().expect("no panic here").recv();
        }
        self.inner.embed(role, text)
    }
}

/// A server whose searches stop at the gate.
pub fn gated(configure: impl FnOnce(&mut Config)) -> (Arc<Server>, Arc<Gated>, Receiver<()>, Sender<()>) {
    let home = home(EVERYTHING);
    publish(home.path(), random_tools(&mut fastrand::Rng::with_seed(11), 30));
    let (gate, entered, go_on) = Gated::new();
    (Arc::new(Server::over(home, configure, gate.clone())), gate, entered, go_on)
}

#[tokio::test]
async fn who_comes_when_the_queue_is_full_is_sent_away_at_once() {
    let (server, _, entered, go_on) = gated(|config| (config.n_running, config.n_waiting) = (1, 1));
    let mut first = Box::pin(server.search(&ALICE, "file"));
    let mut second = Box::pin(server.search(&ALICE, "list"));
    // A poll takes each as far as it can go: the first onto its thread, the second into the queue.
    std::future::poll_fn(|context| {
        assert!(first.as_mut().poll(context).is_pending() && second.as_mut().poll(context).is_pending());
        Poll::Ready(())
    })
    .await;
    entered.recv().expect("the first computes");
    let third = server.search(&ALICE, "delete").await;
    third.problem(503, "overloaded");
    assert_eq!(third.header("retry-after"), "1");
    assert_eq!(server.get(&ALICE, "/livez").await.status, 200, "health needs no place in the queue");
    go_on.send(()).expect("the first waits");
    go_on.send(()).expect("the second will");
    first.await.ok();
    second.await.ok();
    go_on.send(()).expect("the gate listens");
    server.search(&ALICE, "delete").await.ok();
}

#[tokio::test]
async fn whoever_hangs_up_gives_up_their_place_in_the_queue_over_mcp_too() {
    let telemetry = read();
    let of_config = telemetry.clone();
    let (server, gate, entered, go_on) = gated(|config| {
        (config.n_running, config.n_waiting) = (1, 1);
        config.telemetry = of_config;
    });
    let waiting = async |n: f64| {
        let patience = Patience::new();
        while series(&telemetry)["shortlist_work_waiting"] != n {
            patience.check();
            tokio::task::yield_now().await;
        }
    };
    let asks = |query: &'static str, over_mcp: bool| {
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            match over_mcp {
                true => call(&server, &ALICE, "search_tools", json!({ "query": query })).await,
                false => server.search(&ALICE, query).await,
            }
        })
    };
    let first = asks("file", false);
    let patience = Patience::new();
    while entered.try_recv().is_err() {
        patience.check();
        tokio::task::yield_now().await;
    }
    for over_mcp in [false, true] {
        let second = asks("list", over_mcp);
        waiting(1.0).await;
        server.search(&ALICE, "delete").await.problem(503, "overloaded");
        second.abort();
        waiting(0.0).await;
    }
    gate.closed.store(false, Ordering::SeqCst);
    go_on.send(()).expect("the first waits");
    first.await.expect("no panic").ok();
    server.search(&ALICE, "delete").await.ok();
}

#[tokio::test]
async fn what_takes_too_long_is_told_so_and_keeps_its_place_until_it_ends() {
    let (server, gate, entered, go_on) = gated(|config| {
        (config.n_running, config.n_waiting) = (1, 0);
        config.request_timeout = Duration::from_millis(50);
    });
    server.search(&ALICE, "file").await.problem(503, "timeout");
    entered.recv().expect("it computes");
    // The thread is still taken, so nobody else gets it.
    server.search(&ALICE, "list").await.problem(503, "overloaded");
    gate.closed.store(false, Ordering::SeqCst);
    go_on.send(()).expect("it waits");
    let patience = Patience::new();
    loop {
        let answer = server.search(&ALICE, "list").await;
        if answer.status == 200 {
            break;
        }
        // On a machine that is slow at the moment it may also be the time that is over.
        assert_eq!(answer.status, 503);
        patience.check();
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_panic_is_an_error_without_details_and_the_server_lives() {
    let (server, gate, ..) = gated(|config| (config.n_running, config.n_waiting) = (1, 0));
    gate.closed.store(false, Ordering::SeqCst);
    for _ in 0..3 {
        let answer = server.search(&ALICE, "panic now").await;
        let problem = answer.problem(500, "internal");
        assert!(problem.get("detail").is_none() && !problem.to_string().contains("panic"));
    }
    server.search(&ALICE, "file").await.ok();
}
