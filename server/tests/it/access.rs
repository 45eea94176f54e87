//! The server is the bouncer: what a caller may not see has no influence on any answer.

use serde_json::{Value, json};
use shortlist_index::Tool;

use crate::mcp;

use crate::harness::{
    ALICE, Answer, BOB, EVERYTHING, NAMESPACES, SCOPES, Server, WORDS, Who, pick, random_tools, tool,
};

/// A random policy for alice, with the plain rule it stands for as its oracle.
struct Access {
    namespaces: Vec<&'static str>,
    by_scope: bool,
    denied_tag: Option<&'static str>,
    denied_versions: bool,
}

impl Access {
    fn random(rng: &mut fastrand::Rng) -> Self {
        Self {
            namespaces: NAMESPACES.into_iter().filter(|_| rng.u8(..3) == 0).collect(),
            by_scope: rng.bool(),
            denied_tag: rng.bool().then(|| pick(rng, &["beta", "internal"])),
            denied_versions: rng.u8(..3) == 0,
        }
    }

    fn policy(&self) -> String {
        let mut policy = String::new();
        if !self.namespaces.is_empty() {
            policy +=
                &format!("[[rule]]\neffect = \"allow\"\nto = [\"user:alice\"]\nnamespaces = {:?}\n", self.namespaces);
        }
        if self.by_scope {
            let both = format!("required_scopes = [\"*\"]\nscopes_held = true\nto = [\"scope:{}\"]\n", SCOPES[0]);
            policy += &format!("[[rule]]\neffect = \"allow\"\n{both}");
        }
        if let Some(tag) = self.denied_tag {
            policy += &format!("[[rule]]\neffect = \"deny\"\nto = [\"everyone\"]\ntags = [\"{tag}\"]\n");
        }
        if self.denied_versions {
            policy += "[[rule]]\neffect = \"deny\"\nto = [\"user:alice\"]\nrefs = [\"*@2.*\"]\n";
        }
        policy
    }

    fn sees(&self, tool: &Tool) -> bool {
        let by_namespace = self.namespaces.contains(&tool.reference.namespace());
        let held = [SCOPES[0].to_owned()].into();
        let by_scope = self.by_scope && !tool.required_scopes.is_none() && tool.required_scopes.is_met_by(&held);
        let tagged = self.denied_tag.is_some_and(|tag| tool.tags.iter().any(|t| t == tag));
        let versioned = self.denied_versions && tool.reference.version().is_some_and(|version| version.major == 2);
        (by_namespace || by_scope) && !tagged && !versioned
    }
}

const WHO: Who = Who { user: "alice", scopes: SCOPES[0] };

/// Every answer of every door to the same requests, all pages included.
async fn all_answers(server: &Server, rng: &mut fastrand::Rng, refs: &[String]) -> Vec<Answer> {
    let mut answers = Vec::new();
    for detail in ["name", "summary", "signature", "full"] {
        for mode in ["lexical", "dense", "hybrid"] {
            let n_words = rng.usize(1..4);
            let query: Vec<&str> = (0..n_words).map(|_| pick(rng, &WORDS)).collect();
            let mut body = json!({
                "query": query.join(" "), "limit": rng.usize(1..30), "detail": detail, "mode": mode, "explain": rng.bool(),
                "filter": { "include_deprecated": rng.bool() },
            });
            if rng.u8(..4) == 0 {
                body["max_tokens"] = json!(rng.usize(200..2_000));
            }
            if rng.u8(..4) == 0 {
                body["namespaces"] = json!([pick(rng, &NAMESPACES), pick(rng, &NAMESPACES)]);
            }
            if rng.u8(..4) == 0 {
                body["filter"]["tags"] = json!(["beta"]);
                body["filter"]["read_only"] = json!(rng.bool());
            }
            follow(server, "/v1/search_tools", body, &mut answers).await;
        }
    }
    follow(server, "/v1/list_namespaces", json!({ "limit": 3 }), &mut answers).await;
    answers.push(server.post(&WHO, "/v1/list_namespaces", json!({ "prefix": "b" })).await);
    for shape in ["anthropic", "openai"] {
        let body = json!({ "query": pick(rng, &WORDS), "shape": shape });
        answers.push(server.post(&WHO, "/v1/search_tools", body).await);
    }
    for some in refs.chunks(20) {
        answers.push(server.post(&WHO, "/v1/get_tool_details", json!({ "refs": some })).await);
        answers.push(mcp::call(server, &WHO, "get_tool_details", json!({ "refs": some })).await);
    }
    for reference in refs {
        answers.push(server.get(&WHO, &format!("/v1/tools/{reference}")).await);
    }
    answers
}

async fn follow(server: &Server, door: &str, mut body: Value, answers: &mut Vec<Answer>) {
    // More pages than any of these lists has: an endless cursor is a failure too.
    for _ in 0..200 {
        let answer = server.post(&WHO, door, body.clone()).await;
        // The same over MCP, which gives the same, and text of its own.
        let over_mcp = mcp::call(server, &WHO, door.trim_start_matches("/v1/"), body.clone()).await;
        assert_eq!(over_mcp.ok()["result"]["structuredContent"], answer.ok());
        answers.push(over_mcp);
        body["cursor"] = answer.ok()["next_cursor"].clone();
        answers.push(answer);
        if body["cursor"].is_null() {
            return;
        }
    }
    unreachable!("the cursors of {door} do not end");
}

#[tokio::test]
async fn every_answer_is_as_if_the_catalog_held_the_callers_tools_alone() {
    for seed in 0..16 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let tools = random_tools(&mut rng, 60 + 20 * seed as usize);
        let access = Access::random(&mut rng);
        let visible: Vec<Tool> = tools.iter().filter(|tool| access.sees(tool)).cloned().collect();
        // Refs with and without their versions: of the visible, the hidden and the missing.
        let mut refs: Vec<String> = tools.iter().map(|tool| tool.reference.to_string()).collect();
        rng.shuffle(&mut refs);
        refs.truncate(25);
        refs.extend(refs.clone().iter().map(|text| text.split('@').next().expect("a ref").to_owned()));
        refs.push("google://drive.nothing".to_owned());

        let full = Server::start(tools, &access.policy());
        let alone = Server::start(visible.clone(), &access.policy());
        let mut again = rng.clone();
        let answers = all_answers(&full, &mut rng, &refs).await;
        let expected = all_answers(&alone, &mut again, &refs).await;
        assert_eq!(answers.len(), expected.len(), "seed {seed}");
        for (answer, expected) in answers.iter().zip(&expected) {
            assert_eq!(
                (answer.status, String::from_utf8_lossy(&answer.body), &answer.headers),
                (expected.status, String::from_utf8_lossy(&expected.body), &expected.headers),
                "seed {seed}"
            );
        }
        check_inside(&answers, &visible, seed);
    }
}

/// No ref in any answer is outside what the plain rule allows.
fn check_inside(answers: &[Answer], visible: &[Tool], seed: u64) {
    let visible: Vec<String> = visible.iter().map(|tool| tool.reference.to_string()).collect();
    let mut n_seen = 0;
    for answer in answers.iter().filter(|answer| answer.status.is_success()) {
        let mut body = answer.json();
        if body["result"].is_object() {
            body = body["result"]["structuredContent"].take();
        }
        let hits = body["hits"].as_array().into_iter().flatten();
        let tools = body["tools"].as_array().into_iter().flatten().map(|found| &found["tool"]);
        for reference in hits.chain(tools).filter_map(|tool| tool["ref"].as_str()) {
            assert!(visible.iter().any(|visible| visible == reference), "seed {seed}: {reference} is hidden");
            n_seen += 1;
        }
    }
    assert!(n_seen > 0 || visible.is_empty(), "seed {seed}: the test saw nothing");
}

#[tokio::test]
async fn a_hidden_tool_and_a_missing_tool_answer_alike_at_every_door() {
    let policy = "[[rule]]\neffect = \"allow\"\nto = [\"user:alice\"]\nrefs = [\"*\"]\n\
                  [[rule]]\neffect = \"allow\"\nto = [\"user:bob\"]\nnamespaces = [\"github\"]\n";
    let hidden = tool("m://atlassian.create_issue@1.0.0", "Creates an issue in Jira.");
    let open = tool("m://github.create_issue", "Creates an issue.");
    let server = Server::start(vec![hidden, open.clone()], policy);
    let without = Server::start(vec![open], policy);
    let reference = "m://atlassian.create_issue";
    assert_eq!(server.get(&ALICE, &format!("/v1/tools/{reference}")).await.ok()["namespace"], "atlassian");

    for reference in [reference, "m://atlassian.create_issue@1.0.0", "m://atlassian.create_issue@9.9.9"] {
        let path = format!("/v1/tools/{reference}");
        let answer = server.get(&BOB, &path).await;
        answer.problem(404, "tool_not_found");
        assert_eq!(answer, without.get(&BOB, &path).await);
        assert_eq!(answer, server.get(&BOB, "/v1/tools/m://none.none").await, "not even the ref is in it");
        let body = json!({ "refs": [reference, "m://github.create_issue"] });
        let details = server.post(&BOB, "/v1/get_tool_details", body.clone()).await;
        assert_eq!(details, without.post(&BOB, "/v1/get_tool_details", body).await);
        assert_eq!(details.ok()["tools"][0], json!({ "ref": reference, "found": false }));
    }
    for query in ["create_issue", "atlassian", "m://atlassian.create_issue", "jira issue"] {
        assert_eq!(server.search(&BOB, query).await, without.search(&BOB, query).await);
        let mut narrowed = json!({ "query": query, "namespaces": ["atlassian"] });
        assert_eq!(server.post(&BOB, "/v1/search_tools", narrowed.clone()).await.ok()["hits"], json!([]));
        narrowed["namespaces"] = json!(["none"]);
        assert_eq!(server.post(&BOB, "/v1/search_tools", narrowed).await.ok()["hits"], json!([]));
    }
    let namespaces = server.post(&BOB, "/v1/list_namespaces", json!({ "prefix": "atl" })).await.ok();
    assert_eq!(namespaces["namespaces"], json!([]));
}

#[tokio::test]
async fn who_has_no_rule_sees_nothing() {
    let policy = EVERYTHING.replace("everyone", "group:staff");
    let server = Server::start(vec![tool("m://a.b", "c")], &policy);
    assert_eq!(server.search(&ALICE, "c").await.ok()["hits"], json!([]));
    assert_eq!(server.post(&ALICE, "/v1/list_namespaces", json!({})).await.ok()["namespaces"], json!([]));
}
