//! A log that cannot be written: requests are refused, or served and counted, and it is never silent.

use std::fs;
use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use serde_json::json;
use shortlist_server::audit::OnFailure;

use super::{audited, check, decisions, folder, is_good, over, records};
use crate::harness::{ALICE, Answer, Patience, Server, tool};

const POLICY: &str = "admins = [\"user:alice\"]\n[[rule]]\neffect = \"allow\"\nto = [\"everyone\"]\nrefs = [\"*\"]\n";

fn server(on_failure: OnFailure) -> Server {
    audited(vec![tool("m://a.b", "c")], POLICY, |config| config.on_failure = on_failure)
}

async fn ready(server: &Server) -> (u16, serde_json::Value) {
    let answer = server.get(&ALICE, "/readyz").await;
    let check =
        answer.json()["checks"].as_array().expect("checks").iter().find(|check| check["name"] == "audit").cloned();
    (answer.status.as_u16(), check.expect("it is checked"))
}

/// Takes the folder away, and gives what puts it back.
fn vanish(server: &Server) -> impl FnOnce() + use<> {
    let (folder, aside) = (folder(server), server.home.path().join("unmounted"));
    fs::rename(&folder, &aside).expect("it is moved");
    move || fs::rename(aside, folder).expect("it is moved back")
}

fn nothing_is_shown(answer: &Answer) {
    let problem = answer.problem(503, "audit_unavailable");
    assert_eq!(answer.header("retry-after"), "1");
    assert!(problem.get("detail").is_none() && !problem.to_string().contains("m://a.b"));
}

#[tokio::test]
async fn with_refuse_nothing_is_shown_that_is_not_recorded() {
    let server = server(OnFailure::Refuse);
    server.search(&ALICE, "c").await.ok();
    let put_back = vanish(&server);
    for _ in 0..3 {
        nothing_is_shown(&server.search(&ALICE, "c").await);
        nothing_is_shown(&server.get(&ALICE, "/v1/tools/m://a.b").await);
        nothing_is_shown(&server.get(&ALICE, "/v1/admin/sources").await);
    }
    let (status, told) = ready(&server).await;
    assert_eq!((status, &told["ok"]), (503, &json!(false)));
    put_back();
    // It recovers without a request, since none is sent to a server that is not ready.
    let patience = Patience::new();
    while ready(&server).await.0 != 200 {
        patience.check();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.search(&ALICE, "c").await.ok();
    let gap = records(&folder(&server)).into_iter().find(|record| record["kind"] == "gap").expect("it says so");
    assert_eq!((&gap["missed"], &gap["n_missed"]), (&json!("refused"), &json!(9)));
    assert!(gap["since"].as_str() <= gap["time"].as_str());
    assert_eq!(decisions(&folder(&server)).len(), 2);
    is_good(&folder(&server));
    assert_eq!(check(&folder(&server)).n_missed, 9);
}

#[tokio::test]
async fn with_refuse_no_change_is_begun_that_cannot_be_recorded_and_one_that_was_made_is_told() {
    const RULES: &str = "/v1/admin/policy/rules";
    let server = server(OnFailure::Refuse);
    let rule = |user: &str| json!({ "effect": "deny", "to": [format!("user:{user}")], "refs": ["*"] });
    assert_eq!(server.post(&ALICE, RULES, rule("bob")).await.status, 201);
    let put_back = vanish(&server);
    // That the log fails is found with the first record.
    let told = server.post(&ALICE, RULES, rule("carol")).await.problem(503, "audit_unavailable");
    assert!(told["detail"].as_str().is_some_and(|detail| detail.contains("GET /v1/admin/policy")), "{told}");
    nothing_is_shown(&server.post(&ALICE, RULES, rule("dave")).await);
    let removal = ALICE.request(Method::DELETE, &format!("{RULES}/r1")).body(Body::empty()).expect("a request");
    nothing_is_shown(&server.send(removal).await);
    // A question changes nothing, though it has a body.
    let question = json!({ "ref": "m://a.b", "query": "c", "user": "bob" });
    nothing_is_shown(&server.post(&ALICE, "/v1/admin/why_not", question).await);
    put_back();
    let patience = Patience::new();
    while ready(&server).await.0 != 200 {
        patience.check();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let policy = server.get(&ALICE, "/v1/admin/policy").await.ok();
    let rules = policy["run_time"]["rules"].as_array().expect("a list");
    let denied: Vec<&serde_json::Value> = rules.iter().map(|rule| &rule["rule"]["to"][0]).collect();
    assert_eq!(denied, ["user:bob", "user:carol"], "what is told as made is there, and nothing else");
    // The log tells the same of them, each by what became of it.
    let records = records(&folder(&server));
    let gaps = records.iter().filter(|record| record["kind"] == "gap");
    let missed: Vec<_> = gaps.map(|gap| (&gap["missed"], &gap["n_missed"])).collect();
    assert_eq!(missed, [(&json!("refused"), &json!(3)), (&json!("made"), &json!(1))]);
    assert_eq!(check(&folder(&server)).n_missed, 4);
    is_good(&folder(&server));
}

#[tokio::test]
async fn a_question_that_is_answered_as_the_log_begins_to_fail_is_no_change() {
    let server = server(OnFailure::Refuse);
    let question = json!({ "ref": "m://a.b", "query": "c", "user": "bob" });
    server.post(&ALICE, "/v1/admin/why_not", question.clone()).await.ok();
    let _put_back = vanish(&server);
    nothing_is_shown(&server.post(&ALICE, "/v1/admin/why_not", question).await);
}

#[tokio::test]
async fn with_count_it_serves_on_and_says_how_many_are_lost() {
    let server = server(OnFailure::Count);
    server.search(&ALICE, "c").await.ok();
    let put_back = vanish(&server);
    for _ in 0..5 {
        server.search(&ALICE, "c").await.ok();
    }
    let (status, told) = ready(&server).await;
    assert_eq!((status, &told["ok"]), (200, &json!(true)), "its tools can be had");
    assert!(told["reason"].as_str().is_some_and(|reason| reason.contains("audit")), "{told}");
    put_back();
    server.search(&ALICE, "c").await.ok();
    let status = server.get(&ALICE, "/v1/admin/audit?limit=1").await.ok()["log"].clone();
    assert_eq!((&status["failing"], &status["n_missed"]), (&json!(false), &json!(5)));
    assert_eq!(ready(&server).await.1, json!({ "name": "audit", "ok": true }));
    let gap = records(&folder(&server)).into_iter().find(|record| record["kind"] == "gap").expect("it says so");
    assert_eq!((&gap["missed"], &gap["n_missed"]), (&json!("served"), &json!(5)));
    is_good(&folder(&server));
}

#[tokio::test]
async fn a_log_that_cannot_be_opened_at_the_start_is_told_and_taken_when_it_can() {
    let home = crate::harness::home(POLICY);
    crate::harness::publish(home.path(), vec![tool("m://a.b", "c")]);
    let place = home.path().join("audit");
    fs::write(&place, "not a folder").expect("it is written");
    let server = over(home, |config| config.on_failure = OnFailure::Refuse);
    nothing_is_shown(&server.search(&ALICE, "c").await);
    assert_eq!(ready(&server).await.0, 503);
    // Nobody makes the folder by hand.
    fs::remove_file(&place).expect("it is there");
    server.search(&ALICE, "c").await.ok();
    let kinds: Vec<String> = super::kinds(&place);
    assert_eq!(kinds, ["begin", "gap", "decision"]);
    is_good(&place);
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_no_file_is_not_written() {
    let server = server(OnFailure::Refuse);
    server.search(&ALICE, "c").await.ok();
    let file = super::files(&folder(&server)).pop().expect("one");
    fs::remove_file(&file).expect("it is there");
    std::os::unix::fs::symlink("/dev/full", &file).expect("a link");
    nothing_is_shown(&server.search(&ALICE, "c").await);
    fs::remove_file(&file).expect("it is there");
    server.search(&ALICE, "c").await.ok();
}
