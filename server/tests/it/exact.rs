//! Where a graph serves, whoever asks exactly, or whom the policy names, gets answers that miss nothing.

use serde_json::{Value, json};
use shortlist_index::Tool;

use crate::harness::{ALICE, BOB, Server, WORDS, Who, pick, tool};

/// More than the tools from which on a generation has a graph.
const N_TOOLS: usize = 75_500;
/// What is hidden of them: few enough that the graph is walked all the same, enough that a catalog of the rest has none.
const N_HIDDEN: usize = 1_000;
/// Different texts among them.
const N_TEXTS: usize = 250;
const POLICY: &str = "admins = [\"user:root\"]\nexact = [\"user:bob\"]\n[[rule]]\neffect = \"allow\"\nto = [\"everyone\"]\nnamespaces = [\"open\"]\n";

const ROOT: Who = Who { user: "root", scopes: "" };

/// Copies of few different texts, as catalogs of forks are: in such a crowd a walk misses whole clusters. The hidden ones
/// are spread among the others.
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

async fn hits(server: &Server, who: &Who, query: &str, exact: bool) -> Value {
    let body = json!({ "query": query, "mode": "dense", "limit": 50, "exact": exact, "explain": true });
    server.post(who, "/v1/search_tools", body).await.ok()["hits"].take()
}

#[tokio::test]
async fn an_exact_search_misses_nothing_where_a_graph_serves() {
    let tools = tools();
    let open: Vec<Tool> = tools.iter().filter(|tool| tool.reference.namespace() == "open").cloned().collect();
    assert!(open.len() < 75_000 && open.len() * 10 > tools.len() * 9);
    let (full, alone) = (Server::start(tools, POLICY), Server::start(open, POLICY));
    let graph = |server: &Server| server.home.path().join("generations/1/base/graph").exists();
    assert!(graph(&full) && !graph(&alone));

    let mut rng = fastrand::Rng::with_seed(12);
    let (mut n_missed, mut n_explained) = (0, 0);
    for _ in 0..100 {
        let n_words = rng.usize(2..8);
        let query = words(&mut rng, n_words);
        let expected = hits(&alone, &ALICE, &query, false).await;
        assert_eq!(hits(&full, &ALICE, &query, true).await, expected, "asked for: {query}");
        assert_eq!(hits(&full, &BOB, &query, false).await, expected, "named in the policy: {query}");
        let walked = hits(&full, &ALICE, &query, false).await;
        n_missed += u32::from(walked != expected);
        let is_missed = |hit: &&Value| !walked.as_array().expect("hits").iter().any(|found| found["ref"] == hit["ref"]);
        if let Some(missed) = expected.as_array().expect("hits").iter().find(is_missed) {
            n_explained += 1;
            for (user, exact, found) in [("bob", false, true), ("alice", true, true), ("alice", false, false)] {
                let body = json!({
                    "ref": missed["ref"], "query": query, "user": user, "exact": exact, "mode": "dense", "limit": 50,
                });
                let why = full.post(&ROOT, "/v1/admin/why_not", body).await.ok();
                assert_eq!(why["reason"] == "in_answer", found, "{user}: {why}");
            }
        }
    }
    assert!(n_missed > 0, "the graph was walked where nobody asked for exactness");
    assert!(n_explained > 0, "and it is explained as it was answered");
}
