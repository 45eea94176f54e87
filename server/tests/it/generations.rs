//! Generations come and go while requests run.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;
use shortlist_index::{HashingEmbedder, Store, Tool};

use crate::harness::{ALICE, EVERYTHING, Server, embedder, home, locked, publish, publish_delta, random_tools};

/// A catalog whose every tool says which it is.
fn marked(mark: &str) -> Vec<Tool> {
    let mut tools = random_tools(&mut fastrand::Rng::with_seed(9), 80);
    tools.iter_mut().for_each(|tool| {
        tool.title = Some(mark.to_owned());
        tool.deprecation = None;
    });
    tools
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_swap_under_load_fails_no_query_and_mixes_no_answer() {
    let home = home(EVERYTHING);
    publish(home.path(), marked("1"));
    let server = Arc::new(Server::over(home, |config| config.n_waiting = 1_000, embedder()));
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..8)
        .map(|client| {
            let (server, stop, answered) = (Arc::clone(&server), Arc::clone(&stop), Arc::clone(&answered));
            tokio::spawn(async move {
                let mut rng = fastrand::Rng::with_seed(client);
                while !stop.load(Ordering::Relaxed) {
                    let query = crate::harness::pick(&mut rng, &crate::harness::WORDS);
                    let answer = server.search(&ALICE, query).await.ok();
                    let mark = json!(answer["generation"].to_string());
                    let hits = answer["hits"].as_array().expect("hits");
                    assert!(!hits.is_empty() && hits.iter().all(|hit| hit["title"] == mark), "{answer}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    // A hundred, by turns built whole and laid over the one before.
    for number in 2..=101_u64 {
        let server = Arc::clone(&server);
        let before = answered.load(Ordering::Relaxed);
        let publishing = tokio::task::spawn_blocking(move || {
            let publish = if number.is_multiple_of(2) { publish_delta } else { publish };
            assert_eq!(publish(server.home.path(), marked(&number.to_string())), number);
            server.state.refresh();
            assert_eq!(server.state.generation(), Some(number));
        });
        publishing.await.expect("the generation is taken");
        while answered.load(Ordering::Relaxed) < before + 8 {
            assert!(!clients.iter().any(|client| client.is_finished()), "a client met a failure");
            tokio::task::yield_now().await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("no client met a failure");
    }
}

fn damage(home: &Path, number: u64) {
    let file = home.join("generations").join(number.to_string()).join("base/tools.arrow");
    let mut bytes = std::fs::read(&file).expect("the file is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).expect("the file is damaged");
}

#[tokio::test]
async fn a_damaged_generation_is_refused_and_the_one_before_serves_on() {
    let server = Server::start(marked("1"), EVERYTHING);
    let before = server.search(&ALICE, "file").await;
    let number = publish(server.home.path(), marked("2"));
    damage(server.home.path(), number);
    server.state.refresh();
    server.state.refresh();
    assert_eq!(server.search(&ALICE, "file").await, before);

    // A server that starts now takes the newest that is whole, and the next good one when it comes.
    let restarted = Server::over(server.home, |_| {}, embedder());
    assert_eq!(restarted.search(&ALICE, "file").await, before);
    publish(restarted.home.path(), marked("3"));
    restarted.state.refresh();
    assert_eq!(restarted.state.generation(), Some(3));
}

#[tokio::test]
async fn a_damaged_current_stops_neither_a_server_that_starts_nor_one_that_runs() {
    for text in ["", "two", "\u{0}"] {
        let home = home(EVERYTHING);
        publish(home.path(), marked("1"));
        publish(home.path(), marked("2"));
        let current = home.path().join("CURRENT");
        std::fs::write(&current, text).expect("it is written");
        let server = Server::over(home, |_| {}, embedder());
        assert_eq!(server.state.generation(), Some(2), "{text:?}");
        server.state.refresh();
        assert_eq!(server.search(&ALICE, "file").await.ok()["generation"], 2, "{text:?}");
        assert_eq!(server.get(&ALICE, "/readyz").await.status, 200, "{text:?}");

        // Whatever is named when it can be read again is followed.
        let store = Store::new(server.home.path());
        store.set_current(&locked(&store), 1).expect("generation 1 is there");
        server.state.refresh();
        std::fs::write(&current, text).expect("it is written");
        server.state.refresh();
        assert_eq!(server.state.generation(), Some(1), "{text:?}");
    }
}

#[tokio::test]
async fn a_roll_back_is_followed() {
    let server = Server::start(marked("1"), EVERYTHING);
    let before = server.search(&ALICE, "file").await;
    publish(server.home.path(), marked("2"));
    server.state.refresh();
    assert_eq!(server.search(&ALICE, "file").await.ok()["generation"], 2);
    let store = Store::new(server.home.path());
    let lock = locked(&store);
    store.set_current(&lock, 1).expect("generation 1 is there");
    server.state.refresh();
    assert_eq!(server.search(&ALICE, "file").await, before);
}

#[tokio::test]
async fn a_server_without_a_generation_says_so_until_one_comes() {
    let server = Server::over(home(EVERYTHING), |_| {}, embedder());
    let answer = server.search(&ALICE, "file").await;
    answer.problem(503, "not_ready");
    assert_eq!(answer.header("retry-after"), "1");
    let ready = server.get(&ALICE, "/readyz").await;
    assert_eq!((ready.status.as_u16(), ready.json()["ready"].clone()), (503, json!(false)));
    assert_eq!(server.get(&ALICE, "/livez").await.status, 200);
    publish(server.home.path(), marked("1"));
    server.state.refresh();
    server.search(&ALICE, "file").await.ok();
    assert_eq!(server.get(&ALICE, "/readyz").await.status, 200);
}

#[tokio::test]
async fn another_model_than_the_generations_own_is_not_ready_and_degrades() {
    let home = home(EVERYTHING);
    publish(home.path(), marked("1"));
    let server = Server::over(home, |_| {}, Arc::new(HashingEmbedder::new(16)));
    assert_eq!(server.get(&ALICE, "/readyz").await.status, 503);
    let answer = server.search(&ALICE, "file").await.ok();
    assert_eq!(answer["degraded"], json!(["dense"]));
    assert!(!answer["hits"].as_array().expect("hits").is_empty());
}
