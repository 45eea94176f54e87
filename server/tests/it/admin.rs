//! The admin doors: what they tell, and that they are not there for anybody else.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use shortlist_index::{Health, SourceFault, SourceStatus, SourceStatuses, Store};

use crate::harness::{ALICE, Answer, BOB, Server, Who, locked, tool, write_policy};

const ROOT: Who = Who { user: "root", scopes: "" };
const POLICY: &str = "admins = [\"user:root\"]\n\
    [[rule]]\neffect = \"allow\"\nto = [\"user:alice\"]\nnamespaces = [\"github\"]\n\
    [[rule]]\neffect = \"allow\"\nto = [\"everyone\"]\nnamespaces = [\"jira\"]\n\
    [[rule]]\neffect = \"deny\"\nto = [\"user:bob\"]\nrefs = [\"*.create_issue\"]\n";

fn server(policy: &str) -> Server {
    let tools = vec![
        tool("m://github.create_issue", "Creates an issue in a repository."),
        tool("m://jira.create_issue", "Creates an issue in a project."),
        tool("m://jira.close_issue", "Closes an issue."),
    ];
    Server::start(tools, policy)
}

fn question(reference: &str, user: &str) -> Value {
    json!({ "ref": reference, "query": "create an issue", "user": user })
}

#[tokio::test]
async fn to_whoever_is_no_admin_there_is_no_such_route() {
    for policy in [POLICY, &POLICY.replace("admins = [\"user:root\"]\n", "")] {
        let server = server(policy);
        let nowhere = server.get(&ALICE, "/v1/nowhere").await;
        nowhere.problem(404, "no_such_route");
        let who = if policy == POLICY { vec![ALICE, BOB] } else { vec![ALICE, BOB, ROOT] };
        let mut answers: Vec<Answer> = Vec::new();
        for who in &who {
            for path in [
                "/v1/admin/sources",
                "/v1/admin/why_not",
                "/v1/admin/policy",
                "/v1/admin/policy/rules",
                "/v1/admin/policy/rules/r1",
                "/v1/admin/policy/versions",
                "/v1/admin/policy/roll_back",
                "/v1/admin/audit",
                "/v1/admin/audit?limit=1",
                "/v1/admin",
                "/v1/admin/none",
            ] {
                answers.push(server.get(who, path).await);
                answers.push(server.post(who, path, question("m://jira.create_issue", "bob")).await);
                answers.push(server.post(who, path, json!({ "nonsense": 1 })).await);
                for method in [Method::DELETE, Method::PUT, Method::PATCH, Method::OPTIONS, Method::TRACE] {
                    let request = who.request(method, path).header("if-match", "*");
                    answers.push(server.send(request.body(Body::empty()).expect("a request")).await);
                }
            }
        }
        // Root's name without the secret, from an address that is no peer, or with no identity at all.
        let bare = |address: [u8; 4], secret: &str| {
            let request = Request::builder().uri("/v1/admin/sources").header("x-request-id", "the-test");
            let request = request.extension(ConnectInfo(SocketAddr::from((address, 4000))));
            let request = request.header("x-shortlist-user", "root").header("x-shortlist-secret", secret);
            request.body(Body::empty()).expect("a request")
        };
        answers.push(server.send(bare([127, 0, 0, 1], "wrong")).await);
        answers.push(server.send(bare([9, 9, 9, 9], crate::harness::SECRET)).await);
        for answer in &answers {
            assert_eq!(*answer, nowhere);
        }
    }
}

#[tokio::test]
async fn an_admin_learns_which_rule_keeps_a_tool_from_somebody() {
    let server = server(POLICY);
    let ask = async |reference: &str, user: &str| {
        server.post(&ROOT, "/v1/admin/why_not", question(reference, user)).await.ok()
    };
    let none = ask("m://github.create_issue", "carol").await;
    assert_eq!((&none["reason"], &none["rules"]), (&json!("no_grant"), &json!({ "allowed_by": [], "denied_by": [] })));
    let denied = ask("m://jira.create_issue", "bob").await;
    assert_eq!(denied["rules"], json!({ "allowed_by": [2], "denied_by": [3] }));
    let text = denied["explanation"].as_str().expect("a sentence");
    assert!(text.contains("denied by rule 3"), "{text}");
    assert_eq!((&denied["generation"], &denied["ref"]), (&json!(1), &json!("m://jira.create_issue")));
    let seen = ask("m://github.create_issue", "alice").await;
    assert_eq!((&seen["reason"], seen["rank"].as_u64().is_some_and(|rank| rank <= 2)), (&json!("in_answer"), true));
    assert_eq!(ask("m://github.delete_issue", "alice").await["reason"], "no_such_source");

    // Whatever a rule can name, the question can too.
    let rules = [("role:ops", "roles"), ("tenant:acme", "tenant"), ("service:hub", "service"), ("scope:s", "scopes")];
    for (subject, field) in rules {
        let rule = format!("[[rule]]\neffect = \"allow\"\nto = [\"{subject}\"]\nnamespaces = [\"github\"]\n");
        write_policy(server.home.path(), &format!("{POLICY}{rule}"));
        server.state.refresh();
        let name = subject.split_once(':').expect("a subject").1;
        let mut asked = question("m://github.create_issue", "carol");
        asked[field] = if field.ends_with('s') { json!([name]) } else { json!(name) };
        if field == "service" {
            // What a service is allowed counts where it asks for itself.
            asked.as_object_mut().expect("an object").remove("user");
        }
        let why = server.post(&ROOT, "/v1/admin/why_not", asked).await.ok();
        assert_eq!(
            (&why["reason"], &why["rules"]["allowed_by"]),
            (&json!("in_answer"), &json!([4])),
            "{subject}: {why}"
        );
    }

    // A wrong question is answered as at any door.
    let wrong = server.post(&ROOT, "/v1/admin/why_not", json!({ "ref": "m://a.b", "query": "x" })).await;
    wrong.problem(400, "invalid_value");
    let mut long = question("m://a.b", "bob");
    long["groups"] = json!(vec!["g"; 301]);
    assert_eq!(server.post(&ROOT, "/v1/admin/why_not", long).await.problem(400, "invalid_value")["pointer"], "/groups");
    server
        .post(&ROOT, "/v1/admin/why_not", json!({ "ref": "m://a.b", "query": " ", "user": "x" }))
        .await
        .problem(400, "invalid_value");
    server.get(&ROOT, "/v1/admin/why_not").await.problem(405, "method_not_allowed");

    // A right that is taken away is gone with the policy.
    write_policy(server.home.path(), "");
    server.state.refresh();
    server.get(&ROOT, "/v1/admin/sources").await.problem(404, "no_such_route");
}

#[tokio::test]
async fn a_stale_source_is_told_to_admins_and_hinted_at_to_nobody_by_name() {
    let server = server(POLICY);
    let ready = server.get(&ALICE, "/readyz").await.ok();
    assert_eq!(ready["checks"][3], json!({ "name": "sources", "ok": true }));

    let store = Store::new(server.home.path());
    let well = SourceStatus::after(None, "automation_hub", Health::Ok, 100, None);
    let fault = SourceFault::new(200, "unreachable", "source \"hub\" could not reach it");
    let ill = SourceStatus::after(Some(&well), "automation_hub", Health::Stale, 200, Some(fault));
    let lock = locked(&store);
    store.set_statuses(&lock, &SourceStatuses::from([("hub".to_owned(), ill)])).expect("they are written");
    server.state.refresh();

    let row = server.get(&ROOT, "/v1/admin/sources").await.ok()["sources"][0].clone();
    assert_eq!((&row["name"], &row["state"], &row["since_unix_s"]), (&json!("hub"), &json!("stale"), &json!(200)));
    assert!(row["age_s"].as_u64().is_some_and(|age| age > 1_000_000), "{row}");
    assert_eq!((&row["last_fault"]["class"], &row["n_failures"]), (&json!("unreachable"), &json!(1)));
    let ready = server.get(&ALICE, "/readyz").await.ok();
    assert_eq!(ready["ready"], true, "its last good tools serve");
    let reason = ready["checks"][3]["reason"].as_str().expect("a hint");
    assert!(!reason.contains("hub"), "{reason}");

    // A damaged file changes nothing that serves, and what was known is still told.
    std::fs::write(server.home.path().join("sources.json"), "[").expect("damage");
    server.state.refresh();
    assert_eq!(server.get(&ROOT, "/v1/admin/sources").await.ok()["sources"][0]["state"], "stale");
}
