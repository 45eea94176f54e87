//! A policy takes effect when its file changes, and a broken one never does.

use serde_json::json;

use crate::harness::{ALICE, EVERYTHING, Server, embedder, home, publish, tool, write_policy};

async fn n_hits(server: &Server) -> usize {
    server.search(&ALICE, "refund").await.ok()["hits"].as_array().expect("hits").len()
}

fn tools() -> Vec<shortlist_index::Tool> {
    vec![tool("m://billing.refund", "Refunds an order."), tool("m://orders.refund", "Refunds an order.")]
}

#[tokio::test]
async fn a_changed_policy_takes_effect_and_a_broken_one_does_not() {
    let server = Server::start(tools(), EVERYTHING);
    assert_eq!(n_hits(&server).await, 2);
    let billing = EVERYTHING.replace("refs = [\"*\"]", "namespaces = [\"billing\"]");
    write_policy(server.home.path(), &billing);
    server.state.refresh();
    assert_eq!(n_hits(&server).await, 1);

    for broken in ["[[rule", "[[rule]]\neffect = \"allow\"\nto = [\"everyone\"]\n", &format!("{EVERYTHING}oops = 1\n")]
    {
        write_policy(server.home.path(), broken);
        server.state.refresh();
        assert_eq!(n_hits(&server).await, 1, "{broken}");
    }
    std::fs::remove_file(server.home.path().join("policy.toml")).expect("the policy was there");
    server.state.refresh();
    assert_eq!(n_hits(&server).await, 0, "without a policy nothing is visible");
    assert_eq!(server.get(&ALICE, "/readyz").await.status, 503);

    write_policy(server.home.path(), EVERYTHING);
    server.state.refresh();
    assert_eq!(n_hits(&server).await, 2);
    write_policy(server.home.path(), "");
    server.state.refresh();
    assert_eq!(n_hits(&server).await, 0, "the policy without rules is one, and allows nothing");
}

#[tokio::test]
async fn a_server_without_a_good_policy_shows_nothing_and_is_not_ready() {
    for policy in [None, Some("[[rule")] {
        let home = home(policy.unwrap_or_default());
        if policy.is_none() {
            std::fs::remove_file(home.path().join("policy.toml")).expect("the policy was there");
        }
        publish(home.path(), tools());
        let server = Server::over(home, |_| {}, embedder());
        assert_eq!(n_hits(&server).await, 0);
        let ready = server.get(&ALICE, "/readyz").await;
        assert_eq!(ready.status, 503);
        let checks = ready.json()["checks"].clone();
        assert_eq!((&checks[1]["name"], &checks[1]["ok"]), (&json!("policy"), &json!(false)));
        write_policy(server.home.path(), EVERYTHING);
        server.state.refresh();
        assert_eq!(n_hits(&server).await, 2);
        assert_eq!(server.get(&ALICE, "/readyz").await.ok()["ready"], true);
    }
}
