//! Whoever asks exactly, or whom the policy names, gets the answer of a catalog of their tools alone, as everybody does.

use std::sync::Arc;

use serde_json::{Value, json};
use shortlist_index::{HashingEmbedder, Tool};

use crate::harness::{ALICE, BOB, Server, WORDS, Who, home, pick, publish_by, tool};

/// Those that are not hidden are enough for sketches.
const N_TOOLS: usize = 6_000;
/// What is hidden of them.
const N_HIDDEN: usize = 1_000;
/// Different texts among them.
const N_TEXTS: usize = 250;
const DIMENSION: usize = 256;
const POLICY: &str =
    "exact = [\"user:bob\"]\n[[rule]]\neffect = \"allow\"\nto = [\"everyone\"]\nnamespaces = [\"open\"]\n";

/// Copies of few different texts, as catalogs of forks are. The hidden ones are spread among the others.
fn tools() -> Vec<Tool> {
    let mut rng = fastrand::Rng::with_seed(11);
    let texts: Vec<String> = (0..N_TEXTS).map(|_| words(&mut rng, 30)).collect();
    let tools = (0..N_TOOLS).map(|number| {
        let namespace = if number % (N_TOOLS / N_HIDDEN) == 0 { "closed" } else { "open" };
        tool(&format!("m://{namespace}.t{number:05}"), &texts[number % N_TEXTS])
    });
    tools.collect()
}

fn words(rng: &mut fastrand::Rng, n_words: usize) -> String {
    (0..n_words).map(|_| pick(rng, &WORDS)).collect::<Vec<_>>().join(" ")
}

/// A server whose vectors have enough dimensions for sketches.
fn start(tools: Vec<Tool>) -> Server {
    let (home, embedder) = (home(POLICY), Arc::new(HashingEmbedder::new(DIMENSION)));
    publish_by(&embedder, home.path(), tools);
    Server::over(home, |_| {}, embedder)
}

async fn hits(server: &Server, who: &Who, query: &str, exact: bool) -> Value {
    let body = json!({ "query": query, "mode": "dense", "limit": 50, "exact": exact, "explain": true });
    server.post(who, "/v1/search_tools", body).await.ok()["hits"].take()
}

#[tokio::test]
async fn an_exact_answer_is_that_of_the_callers_tools_alone() {
    let tools = tools();
    let open: Vec<Tool> = tools.iter().filter(|tool| tool.reference.namespace() == "open").cloned().collect();
    assert_eq!(open.len(), N_TOOLS - N_HIDDEN);
    let (full, alone) = (start(tools), start(open));

    let mut rng = fastrand::Rng::with_seed(12);
    let mut n_missed = 0;
    for _ in 0..100 {
        let n_words = rng.usize(2..8);
        let query = words(&mut rng, n_words);
        assert_eq!(hits(&full, &ALICE, &query, false).await, hits(&alone, &ALICE, &query, false).await, "{query}");
        let expected = hits(&alone, &ALICE, &query, true).await;
        n_missed += u32::from(hits(&full, &ALICE, &query, false).await != expected);
        assert_eq!(hits(&full, &ALICE, &query, true).await, expected, "asked for: {query}");
        assert_eq!(hits(&full, &BOB, &query, false).await, expected, "named in the policy: {query}");
    }
    assert!(n_missed > 0, "sketches were asked where nobody asked for exactness");
}
