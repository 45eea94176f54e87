//! Rules that are added and removed while the server runs: effective on the next request, kept through restarts, and never
//! guessed at where they cannot be read.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{ALICE, Answer, BOB, EVERYTHING, Server, Who, embedder, home, publish, tool, write_policy};

const ROOT: Who = Who { user: "root", scopes: "" };
const ADMINS: &str = "admins = [\"user:root\"]\n";
const DOOR: &str = "/v1/admin/policy";
const RULES: &str = "/v1/admin/policy/rules";

fn server() -> Server {
    Server::start(tools(), ADMINS)
}

fn tools() -> Vec<shortlist_index::Tool> {
    vec![
        tool("m://github.create_issue", "Creates an issue in a repository."),
        tool("m://atlassian.create_issue@1.0.0", "Creates an issue in a Jira project."),
    ]
}

fn allow(user: &str, namespace: &str) -> Value {
    json!({ "effect": "allow", "to": [format!("user:{user}")], "namespaces": [namespace] })
}

async fn add(server: &Server, rule: Value) -> Answer {
    server.post(&ROOT, RULES, rule).await
}

async fn remove(server: &Server, id: &str) -> Answer {
    with_match(server, Method::DELETE, &format!("{RULES}/{id}"), None, "").await
}

async fn roll_back(server: &Server, version: u64) -> Answer {
    server.post(&ROOT, "/v1/admin/policy/roll_back", json!({ "version": version })).await
}

async fn with_match(server: &Server, method: Method, path: &str, etag: Option<&str>, body: &str) -> Answer {
    let mut request = ROOT.request(method, path).header("content-type", "application/json");
    if let Some(etag) = etag {
        request = request.header("if-match", etag);
    }
    server.send(request.body(Body::from(body.to_owned())).expect("a request")).await
}

fn id(answer: &Answer) -> String {
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()["made"]["added"].as_str().expect("an id").to_owned()
}

async fn seen(server: &Server, who: &Who) -> Vec<String> {
    let hits = server.search(who, "create an issue").await.ok()["hits"].clone();
    hits.as_array().expect("hits").iter().map(|hit| hit["ref"].as_str().expect("a ref").to_owned()).collect()
}

fn restarted(home: TempDir) -> Server {
    Server::over(home, |_| {}, embedder())
}

/// The files of the versions, oldest first.
fn files(home: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(home.join("grants")).expect("the folder").map(|entry| entry.expect("it").path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    files.sort();
    files
}

#[tokio::test]
async fn a_grant_is_effective_on_the_next_request_and_survives_a_restart_and_so_does_its_removal() {
    let server = server();
    assert!(seen(&server, &ALICE).await.is_empty());
    let added = add(&server, allow("alice", "github")).await;
    assert_eq!(seen(&server, &ALICE).await, ["m://github.create_issue"]);
    assert!(seen(&server, &BOB).await.is_empty());
    let state = server.get(&ROOT, DOOR).await;
    assert_eq!(state.header("etag"), added.header("etag"));
    assert_eq!(state.header("etag"), format!("{:?}", state.ok()["version"].as_str().expect("a version")));
    let rule = state.ok()["run_time"]["rules"][0].clone();
    assert_eq!(
        (&rule["id"], &rule["by"], &rule["rule"]),
        (&json!("r1"), &json!("user:root"), &allow("alice", "github"))
    );
    assert!(rule["unix_s"].as_u64().is_some_and(|unix_s| unix_s > 1_700_000_000));

    let server = restarted(server.home);
    assert_eq!(seen(&server, &ALICE).await, ["m://github.create_issue"]);
    assert_eq!(server.get(&ROOT, DOOR).await.body, state.body);
    remove(&server, &id(&added)).await.ok();
    assert!(seen(&server, &ALICE).await.is_empty());
    remove(&server, &id(&added)).await.problem(404, "no_such_rule");
    let server = restarted(server.home);
    assert!(seen(&server, &ALICE).await.is_empty());

    // A deny wins over the file's own rules, and the file's changes leave the run-time rules alone.
    write_policy(server.home.path(), &format!("{ADMINS}{EVERYTHING}"));
    server.state.refresh();
    assert_eq!(seen(&server, &ALICE).await.len(), 2);
    add(&server, json!({ "effect": "deny", "to": ["everyone"], "refs": ["m://atlassian.create_issue"] })).await;
    assert_eq!(seen(&server, &ALICE).await, ["m://github.create_issue"]);
    let question = json!({ "ref": "m://atlassian.create_issue", "query": "issue", "user": "alice" });
    let why = server.post(&ROOT, "/v1/admin/why_not", question).await.ok();
    assert_eq!(why["rules"], json!({ "allowed_by": [1], "denied_by": ["r3"] }));
    assert!(why["explanation"].as_str().is_some_and(|text| text.contains("denied by run-time rule r3")), "{why}");
}

#[tokio::test]
async fn a_user_granted_only_github_tools_cannot_find_or_read_atlassian_tools_even_by_exact_name() {
    for at_run_time in [false, true] {
        let rule = "[[rule]]\neffect = \"allow\"\nto = [\"user:bob\"]\nnamespaces = [\"github\"]\n";
        let policy = if at_run_time { ADMINS.to_owned() } else { format!("{ADMINS}{rule}") };
        let server = Server::start(tools(), &policy);
        let without = Server::start(tools()[..1].to_vec(), &policy);
        if at_run_time {
            id(&add(&server, allow("bob", "github")).await);
            id(&add(&without, allow("bob", "github")).await);
        }
        assert_eq!(seen(&server, &BOB).await, ["m://github.create_issue"]);
        for name in ["m://atlassian.create_issue", "m://atlassian.create_issue@1.0.0"] {
            let read = server.get(&BOB, &format!("/v1/tools/{name}")).await;
            read.problem(404, "tool_not_found");
            assert_eq!(read, without.get(&BOB, &format!("/v1/tools/{name}")).await);
            let asked = json!({ "refs": [name] });
            let details = server.post(&BOB, "/v1/get_tool_details", asked.clone()).await;
            assert_eq!(details.ok()["tools"][0], json!({ "ref": name, "found": false }));
            assert_eq!(details, without.post(&BOB, "/v1/get_tool_details", asked).await);
        }
        for query in ["m://atlassian.create_issue", "atlassian create_issue", "Creates an issue in a Jira project."] {
            for mode in ["lexical", "dense", "hybrid"] {
                let asked = json!({ "query": query, "mode": mode, "detail": "full", "explain": true });
                let found = server.post(&BOB, "/v1/search_tools", asked.clone()).await;
                assert!(!String::from_utf8_lossy(&found.body).contains("atlassian"), "{query} {mode}");
                assert_eq!(found, without.post(&BOB, "/v1/search_tools", asked).await, "{query} {mode}");
            }
        }
        let listed = server.post(&BOB, "/v1/list_namespaces", json!({})).await;
        assert_eq!(listed.ok()["namespaces"], json!([{ "source": "m", "namespace": "github", "n_tools": 1 }]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_that_is_sent_after_the_answer_to_a_removal_sees_the_tool() {
    let server = Arc::new(Server::over(
        {
            let home = home(ADMINS);
            publish(home.path(), tools());
            home
        },
        |config| config.n_waiting = 1_000,
        embedder(),
    ));
    // Counted up before each change is asked for, and again when it is answered: odd while it is under way.
    let phase = Arc::new(AtomicUsize::new(0));
    let (stop, n_sure) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let askers: Vec<_> = (0..6)
        .map(|_| {
            let (server, phase) = (Arc::clone(&server), Arc::clone(&phase));
            let (stop, n_sure) = (Arc::clone(&stop), Arc::clone(&n_sure));
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let before = phase.load(Ordering::SeqCst);
                    let sees = !seen(&server, &ALICE).await.is_empty();
                    // The phases: 0 none, 1 being added, 2 granted, 3 being removed, and round again. What began and ended in
                    // one phase is certain.
                    if phase.load(Ordering::SeqCst) == before && before.is_multiple_of(2) {
                        assert_eq!(sees, before % 4 == 2, "in phase {before}");
                        n_sure.fetch_add(1, Ordering::SeqCst);
                    }
                }
            })
        })
        .collect();
    for _ in 0..40 {
        phase.fetch_add(1, Ordering::SeqCst);
        let added = id(&add(&server, allow("alice", "github")).await);
        phase.fetch_add(1, Ordering::SeqCst);
        assert_eq!(seen(&server, &ALICE).await.len(), 1);
        phase.fetch_add(1, Ordering::SeqCst);
        remove(&server, &added).await.ok();
        phase.fetch_add(1, Ordering::SeqCst);
        assert!(seen(&server, &ALICE).await.is_empty());
        let before = n_sure.load(Ordering::SeqCst);
        while n_sure.load(Ordering::SeqCst) < before + 6 {
            assert!(!askers.iter().any(|asker| asker.is_finished()), "an asker saw what it must not, or met a failure");
            tokio::task::yield_now().await;
        }
    }
    stop.store(true, Ordering::SeqCst);
    for asker in askers {
        asker.await.expect("no asker saw what it must not");
    }
}

#[tokio::test]
async fn if_match_lets_one_of_two_concurrent_changes_through() {
    let server = server();
    let seen_by_both = server.get(&ROOT, DOOR).await;
    let etag = seen_by_both.header("etag");
    let body = allow("alice", "github").to_string();
    let first = with_match(&server, Method::POST, RULES, Some(etag), &body).await;
    assert_eq!(id(&first), "r1");
    let other = allow("bob", "github").to_string();
    let refused =
        with_match(&server, Method::POST, RULES, Some(etag), &other).await.problem(412, "precondition_failed");
    assert!(refused["detail"].as_str().is_some_and(|text| text.contains(first.header("etag"))), "{refused}");
    let delete = |etag: String| {
        let server = &server;
        async move { with_match(server, Method::DELETE, &format!("{RULES}/r1"), Some(&etag), "").await }
    };
    delete(etag.to_owned()).await.problem(412, "precondition_failed");
    // A weak tag never matches here; of a list any may.
    delete(format!("W/{}", first.header("etag"))).await.problem(412, "precondition_failed");
    assert_eq!(seen(&server, &ALICE).await.len(), 1);
    delete(format!("\"x\", {}", first.header("etag"))).await.ok();
    assert!(seen(&server, &ALICE).await.is_empty());
    // A change of the file is another version too.
    let etag = server.get(&ROOT, DOOR).await.header("etag").to_owned();
    write_policy(server.home.path(), &format!("{ADMINS}# reviewed\n"));
    server.state.refresh();
    with_match(&server, Method::POST, RULES, Some(&etag), &body).await.problem(412, "precondition_failed");
    with_match(&server, Method::POST, RULES, Some("*"), &body).await;
    assert_eq!(seen(&server, &ALICE).await.len(), 1);

    // Without If-Match all of many at once are kept.
    let many: Vec<String> = (0..20).map(|n| format!("user{n}")).collect();
    let added = many.iter().map(|user| add(&server, allow(user, "github")));
    let ids: std::collections::BTreeSet<String> = futures(added).await.iter().map(id).collect();
    assert_eq!(ids.len(), 20);
    assert_eq!(server.get(&ROOT, DOOR).await.ok()["run_time"]["rules"].as_array().map(Vec::len), Some(21));
}

#[tokio::test]
async fn the_version_of_many_rules_is_good_for_if_match_to_a_client_that_takes_gzip() {
    let server = server();
    for n in 0..20 {
        id(&add(&server, allow(&format!("user{n}"), "github")).await);
    }
    let request = ROOT.request(Method::GET, DOOR).header("accept-encoding", "gzip");
    let state = server.send(request.body(Body::empty()).expect("a request")).await;
    assert_eq!((state.status.as_u16(), state.header("content-encoding")), (200, ""));
    assert!(state.body.len() > shortlist_server::limits::COMPRESS_BYTES_MIN as usize);
    with_match(&server, Method::DELETE, &format!("{RULES}/r1"), Some(state.header("etag")), "").await.ok();
}

/// All of them at once.
async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut all: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        for (one, output) in &mut all {
            if output.is_none()
                && let std::task::Poll::Ready(ready) = one.as_mut().poll(context)
            {
                *output = Some(ready);
            }
        }
        if all.iter().all(|(_, output)| output.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    all.into_iter().filter_map(|(_, output)| output).collect()
}

#[tokio::test]
async fn a_broken_newest_version_shows_nothing_until_an_admin_says_which_one_is_right() {
    let server = Server::start(tools(), &format!("{ADMINS}{EVERYTHING}"));
    add(&server, json!({ "effect": "deny", "to": ["user:alice"], "refs": ["m://github.*"] })).await;
    add(&server, json!({ "effect": "deny", "to": ["user:alice"], "refs": ["m://atlassian.*"] })).await;
    assert!(seen(&server, &ALICE).await.is_empty());
    let newest = files(server.home.path()).pop().expect("two versions");
    let whole = std::fs::read(&newest).expect("it is there");
    for broken in [&whole[..whole.len() / 2], &[b"x", &whole[1..]].concat(), b""] {
        std::fs::write(&newest, broken).expect("damage");
        let server = restarted(copy(server.home.path()));
        for who in [&ALICE, &BOB] {
            assert!(seen(&server, who).await.is_empty(), "the version before would show what this one denies");
        }
        let ready = server.get(&ALICE, "/readyz").await;
        assert_eq!((ready.status.as_u16(), &ready.json()["checks"][1]["ok"]), (503, &json!(false)));
        let state = server.get(&ROOT, DOOR).await.ok();
        let reason = state["run_time"]["refusal"].as_str().expect("a reason").to_owned();
        assert!(reason.contains("00000002-") && reason.contains("SHA-256") && reason.contains("roll_back"), "{reason}");
        assert!(state["version"].as_str().is_some_and(|version| version.ends_with("+refused")), "{state}");
        assert_eq!(state["run_time"]["version"], Value::Null);
        add(&server, allow("bob", "github")).await.problem(409, "run_time_rules_refused");
        remove(&server, "r1").await.problem(409, "run_time_rules_refused");
        let rows = server.get(&ROOT, "/v1/admin/policy/versions").await.ok();
        assert!(rows["versions"][0]["refusal"].is_string() && rows["versions"][1]["n_rules"] == 1, "{rows}");
        roll_back(&server, 2).await.problem(409, "run_time_rules_refused");

        let mended = roll_back(&server, 1).await.ok();
        assert_eq!((&mended["run_time_version"], &mended["made"]), (&json!(3), &json!({ "rolled_back": 1 })));
        assert_eq!(seen(&server, &ALICE).await, ["m://atlassian.create_issue@1.0.0"]);
        assert_eq!(seen(&server, &BOB).await.len(), 2);
        assert_eq!(server.get(&ALICE, "/readyz").await.status, 200);
    }

    // In a server that runs, too, and there the repaired file mends it by itself.
    let server = restarted(copy(server.home.path()));
    std::fs::write(files(server.home.path()).pop().expect("it"), &whole).expect("repair");
    server.state.refresh();
    assert_eq!(seen(&server, &BOB).await.len(), 2);
    let first = files(server.home.path()).remove(0);
    for stranger in ["00000003-x.json", "3-.json", "rules.json"] {
        let stranger = server.home.path().join("grants").join(stranger);
        std::fs::copy(&first, &stranger).expect("a copy");
        server.state.refresh();
        assert!(seen(&server, &BOB).await.is_empty(), "{}", stranger.display());
        std::fs::remove_file(&stranger).expect("it is there");
        server.state.refresh();
        assert_eq!(seen(&server, &BOB).await.len(), 2);
    }
    // Whoever takes the newest version away brings nothing back.
    std::fs::remove_file(files(server.home.path()).pop().expect("it")).expect("it is there");
    server.state.refresh();
    assert!(seen(&server, &BOB).await.is_empty());
    roll_back(&server, 0).await.ok();
    assert_eq!(seen(&server, &ALICE).await.len(), 2);
}

#[tokio::test]
async fn of_two_versions_with_one_number_none_is_guessed() {
    let server = server();
    let added = id(&add(&server, allow("alice", "github")).await);
    let other = restarted(copy(server.home.path()));
    remove(&server, &added).await.ok();
    id(&add(&other, allow("bob", "github")).await);
    let second = files(other.home.path()).pop().expect("two versions");
    let beside = server.home.path().join("grants").join(second.file_name().expect("a name"));
    std::fs::copy(&second, &beside).expect("a copy");
    server.state.refresh();
    let state = server.get(&ROOT, DOOR).await.ok();
    let reason = state["run_time"]["refusal"].as_str().expect("a reason").to_owned();
    assert!(reason.contains("two versions 2") && reason.contains("move the wrong one"), "{reason}");
    let refused = roll_back(&server, 2).await.problem(409, "run_time_rules_refused");
    assert_eq!(refused["detail"], reason.as_str());
    // An earlier one is there once, and after it the two are as unclear as before.
    roll_back(&server, 1).await.ok();
    assert_eq!(seen(&server, &ALICE).await.len(), 1);
    roll_back(&server, 2).await.problem(409, "run_time_rules_refused");
    std::fs::remove_file(&beside).expect("it is there");
    roll_back(&server, 2).await.ok();
    assert!(seen(&server, &ALICE).await.is_empty() && seen(&server, &BOB).await.is_empty());
}

fn copy(home: &Path) -> TempDir {
    let copy = crate::harness::home(&std::fs::read_to_string(home.join("policy.toml")).expect("a policy"));
    publish(copy.path(), tools());
    std::fs::create_dir(copy.path().join("grants")).expect("a folder");
    for file in files(home) {
        std::fs::copy(&file, copy.path().join("grants").join(file.file_name().expect("a name"))).expect("a copy");
    }
    copy
}

#[tokio::test]
async fn a_crash_at_any_point_of_a_change_leaves_the_old_rules_or_the_new_ones() {
    let server = server();
    let added = id(&add(&server, allow("alice", "github")).await);
    let before = copy(server.home.path());
    remove(&server, &added).await.ok();
    let newest = files(server.home.path()).pop().expect("two versions");
    let whole = std::fs::read(&newest).expect("it is there");
    // Before the rename: whatever was written is no version yet, and the next change overwrites it.
    for written in [0, 1, whole.len() / 2, whole.len()] {
        let home = copy(before.path());
        std::fs::write(home.path().join("grants/unfinished"), &whole[..written]).expect("it is written");
        let server = restarted(home);
        assert_eq!(seen(&server, &ALICE).await.len(), 1, "{written} bytes");
        remove(&server, &added).await.ok();
        assert!(seen(&server, &ALICE).await.is_empty());
    }
    // After it, and before the swap: it is what counts from the start.
    std::fs::copy(&newest, before.path().join("grants").join(newest.file_name().expect("a name"))).expect("a copy");
    let server = restarted(before);
    assert!(seen(&server, &ALICE).await.is_empty());
}

#[tokio::test]
async fn rolling_back_brings_rules_back_as_they_were_and_is_a_version_itself() {
    let server = server();
    let first = id(&add(&server, allow("alice", "github")).await);
    id(&add(&server, allow("alice", "atlassian")).await);
    remove(&server, &first).await.ok();
    assert_eq!(seen(&server, &ALICE).await, ["m://atlassian.create_issue@1.0.0"]);
    let after = roll_back(&server, 2).await.ok();
    assert_eq!(after["run_time_version"], 4);
    assert_eq!(seen(&server, &ALICE).await.len(), 2);
    roll_back(&server, 1).await.ok();
    assert_eq!(seen(&server, &ALICE).await, ["m://github.create_issue"]);
    assert_eq!(server.get(&ROOT, DOOR).await.ok()["run_time"]["rules"][0]["id"], first.as_str());
    roll_back(&server, 99).await.problem(404, "no_such_version");
    let rows = server.get(&ROOT, "/v1/admin/policy/versions").await.ok();
    let made: Vec<&Value> = rows["versions"].as_array().expect("rows").iter().map(|row| &row["made"]).collect();
    let expected = [
        json!({ "rolled_back": 1 }),
        json!({ "rolled_back": 2 }),
        json!({ "removed": first }),
        json!({ "added": "r2" }),
        json!({ "added": "r1" }),
    ];
    assert_eq!(made, expected.iter().collect::<Vec<_>>());
    // The same rule twice would make a removal no revocation.
    let mut same = allow("alice", "github");
    same["note"] = json!("again");
    let refused = add(&server, same).await.problem(409, "rule_exists");
    assert_eq!(refused["detail"], "It is r1.");
}

#[tokio::test]
async fn old_versions_go_and_the_newest_never_does() {
    let server = server();
    for round in 0..55 {
        let added = id(&add(&server, allow("alice", "github")).await);
        assert_eq!(added, format!("r{}", 2 * round + 1));
        remove(&server, &added).await.ok();
    }
    let left = files(server.home.path());
    assert_eq!(left.len(), shortlist_server::limits::RUN_TIME_VERSIONS_KEPT);
    assert!(left[99].to_string_lossy().contains("/00000110-") && left[0].to_string_lossy().contains("/00000011-"));
    roll_back(&server, 10).await.problem(404, "no_such_version");
    roll_back(&server, 11).await.ok();
    assert_eq!(seen(&server, &ALICE).await.len(), 1);
}

#[tokio::test]
async fn several_servers_over_one_home_follow_each_other_at_their_next_look() {
    let first = server();
    let second = {
        let mut config = crate::harness::config(first.home.path());
        config.n_waiting = 10;
        let models = shortlist_index::Models { embedder: Some(embedder()), reranker: None };
        shortlist_server::AppState::new(config, models)
    };
    let app = shortlist_server::app(second.clone());
    let second_sees = async || {
        let body = Body::from(json!({ "query": "issue" }).to_string());
        let request = ALICE.request(Method::POST, "/v1/search_tools").header("content-type", "application/json");
        let answer = crate::harness::send(app.clone(), request.body(body).expect("a request")).await.ok();
        answer["hits"].as_array().expect("hits").len()
    };
    let added = id(&add(&first, allow("alice", "github")).await);
    second.refresh();
    assert_eq!(second_sees().await, 1);
    // The second changes without having looked since: it builds on what the first has done.
    id(&add(&first, allow("bob", "github")).await);
    let body = Body::from(allow("alice", "atlassian").to_string());
    let request = ROOT.request(Method::POST, RULES).header("content-type", "application/json");
    let answer = crate::harness::send(app.clone(), request.body(body).expect("a request")).await;
    assert_eq!(id(&answer), "r3");
    assert_eq!(second_sees().await, 2);
    first.state.refresh();
    assert_eq!((seen(&first, &ALICE).await.len(), seen(&first, &BOB).await.len()), (2, 1));
    remove(&first, &added).await.ok();
    second.refresh();
    assert_eq!(second_sees().await, 1);
}

#[tokio::test]
async fn what_is_no_rule_is_refused_and_admins_stay_what_the_file_says() {
    let server = server();
    let refused = add(&server, json!({ "effect": "allow", "to": ["everyone"] })).await.problem(400, "invalid_value");
    assert!(refused["detail"].as_str().is_some_and(|text| text.contains("selects nothing")), "{refused}");
    add(&server, json!({ "effect": "allow", "to": ["everyone"], "refs": ["["] })).await.problem(400, "invalid_value");
    add(&server, json!({ "effect": "allow", "to": ["x"], "refs": ["*"] })).await.problem(400, "invalid_value");
    add(&server, json!({ "effect": "allow", "to": ["everyone"], "refs": ["*"], "admins": ["user:eve"] }))
        .await
        .problem(400, "unknown_field");
    add(&server, json!(["allow", ["everyone"], ["*"]])).await.problem(400, "invalid_value");
    assert!(!server.home.path().join("grants").exists(), "nothing was written");
    // Who is denied everything at run time is an admin all the same, and can take it back.
    let shut = id(&add(&server, json!({ "effect": "deny", "to": ["everyone"], "refs": ["*"] })).await);
    remove(&server, &shut).await.ok();
    // A broken file is told here too, while the good one before it serves.
    write_policy(server.home.path(), "[[rule");
    server.state.refresh();
    let state = server.get(&ROOT, DOOR).await.ok();
    assert_eq!((&state["file"]["loaded"], &state["file"]["n_rules"]), (&json!(true), &json!(0)));
    assert!(state["file"]["refusal"].as_str().is_some_and(|text| text.contains("not valid TOML")), "{state}");
    let ready = server.get(&ALICE, "/readyz").await.ok();
    assert!(ready["checks"][1]["ok"] == true && ready["checks"][1]["reason"].is_string(), "{ready}");
    // A file that is gone takes everything away, its admins included.
    std::fs::remove_file(server.home.path().join("policy.toml")).expect("it is there");
    server.state.refresh();
    server.get(&ROOT, DOOR).await.problem(404, "no_such_route");
}
