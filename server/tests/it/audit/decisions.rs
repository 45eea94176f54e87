//! What is recorded.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use shortlist_server::audit::query_hmac;

use super::{audited, decisions, folder, is_good, kinds, over, records, secret};
use crate::harness::{ALICE, Answer, BOB, EVERYTHING, SECRET, Server, Who, pick, tool};

const POLICY: &str = "admins = [\"user:root\"]\n\
    [[rule]]\neffect = \"allow\"\nto = [\"user:alice\", \"user:root\"]\nrefs = [\"*\"]\n\
    [[rule]]\neffect = \"allow\"\nto = [\"user:bob\"]\nnamespaces = [\"github\"]\n";
const REFS: [&str; 5] = [
    "m://github.create_issue",
    "m://github.fork",
    "m://atlassian.create_issue@1.0.0",
    "m://atlassian.close_issue",
    "m://none.such_tool",
];

fn tools() -> Vec<shortlist_index::Tool> {
    REFS[..4].iter().map(|reference| tool(reference, "Does something with an issue.")).collect()
}

/// One request of the list, sent by somebody or by nobody.
struct Sent {
    id: String,
    method: Method,
    path: String,
    body: Option<Value>,
    user: Option<&'static str>,
}

impl Sent {
    fn request(&self) -> Request<Body> {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(&self.path)
            .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 4000))))
            .header("x-request-id", &self.id)
            .header("x-shortlist-secret", if self.user.is_some() { SECRET } else { "not the secret of the server" })
            .header("x-shortlist-user", self.user.unwrap_or("alice"))
            .header("cookie", "session=a-token-of-somebody");
        if self.body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = self.body.as_ref().map_or_else(Body::empty, |body| Body::from(body.to_string()));
        request.body(body).expect("a request")
    }
}

/// What the log must say of an answer, from the request and the answer alone.
fn expected(sent: &Sent, answer: &Answer) -> Value {
    let path = sent.path.split('?').next().expect("a path");
    let success = answer.status.as_u16() < 400;
    let code = if success { "ok".to_owned() } else { answer.json()["code"].as_str().expect("a code").to_owned() };
    let below = path.strip_prefix("/v1/").expect("a door");
    // To whoever is no admin there is no such route, and no more says the log; but what they asked for.
    let door = match below {
        _ if code == "no_such_route" => "none",
        _ if below.starts_with("tools/") => "tools",
        _ => below,
    };
    let list = |value: &Value, key: &str| -> Vec<Value> {
        value.as_array().into_iter().flatten().map(|one| one[key].clone()).collect()
    };
    let body = if success && !answer.body.is_empty() { answer.json() } else { Value::Null };
    let (mut returned, mut denied) = (Value::Null, Vec::new());
    if success {
        match door {
            "search_tools" => {
                let alternatives = list(&body["hits"], "alternatives");
                let alternatives = alternatives.iter().flat_map(|of_hit| of_hit.as_array().into_iter().flatten());
                returned = list(&body["hits"], "ref").iter().chain(alternatives).cloned().collect();
            }
            "get_tool_details" => {
                let tools: Vec<Value> = body["tools"].as_array().expect("tools").clone();
                let (found, missing): (Vec<_>, Vec<_>) = tools.into_iter().partition(|tool| tool["found"] == true);
                returned = found.into_iter().map(|tool| tool["tool"]["ref"].clone()).collect();
                denied = missing.into_iter().map(|tool| tool["ref"].clone()).collect();
            }
            "tools" if answer.status == 304 => returned = json!([below.strip_prefix("tools/").expect("a ref")]),
            "tools" => returned = json!([body["ref"]]),
            "list_namespaces" => {
                let name = |one: &Value| {
                    format!("{}://{}", one["source"].as_str().expect("text"), one["namespace"].as_str().expect("text"))
                };
                returned = body["namespaces"].as_array().expect("some").iter().map(name).collect();
            }
            "admin/audit" => {
                returned = body["records"].as_array().expect("some").iter().map(|one| one["seq"].to_string()).collect();
            }
            _ => {}
        }
    }
    let outcome = match answer.status.as_u16() {
        200..400 if denied.is_empty() => "allow",
        200..400 if returned.as_array().is_some_and(|refs| !refs.is_empty()) => "partial",
        200..400 => "deny",
        401 | 404 => "deny",
        400 if code == "bad_cursor" => "deny",
        _ => "invalid",
    };
    json!({
        "request_id": sent.id, "method": sent.method.as_str(), "door": door, "user": sent.user, "outcome": outcome,
        "status": answer.status.as_u16(), "code": code, "returned": returned, "denied": denied,
    })
}

/// The same members of a record.
fn told(record: &Value) -> Value {
    let mut told = json!({ "denied": [] });
    for key in ["request_id", "method", "door", "user", "outcome", "status", "code", "returned", "denied"] {
        if let Some(value) = record.get(key) {
            told[key] = value.clone();
        } else if told.get(key).is_none() {
            told[key] = Value::Null;
        }
    }
    told
}

fn random(rng: &mut fastrand::Rng, place: usize, cursors: &[String]) -> Sent {
    let user = *rng.choice(&[Some("alice"), Some("bob"), Some("eve"), Some("root"), None]).expect("five");
    let refs: Vec<&str> = (0..rng.usize(1..4)).map(|_| pick(rng, &REFS)).collect();
    let post = |path: &str, body: Value| (Method::POST, format!("/v1/{path}"), Some(body));
    let get = |path: String| (Method::GET, format!("/v1/{path}"), None);
    let search = json!({ "query": "create an issue", "limit": 1 });
    let (method, path, body) = match rng.u8(..14) {
        0 => post("search_tools", json!({ "query": format!("issue number {place}") })),
        1 => post("search_tools", search),
        2 if !cursors.is_empty() => {
            let mut search = search;
            search["cursor"] = rng.choice(cursors).expect("one").clone().into();
            post("search_tools", search)
        }
        3 => post("get_tool_details", json!({ "refs": refs })),
        4 => post("get_tool_details", json!({ "refs": ["not a ref"] })),
        5 | 6 => get(format!("tools/{}", refs[0])),
        7 => post("list_namespaces", json!({ "limit": 1 })),
        8 => get("admin/sources".to_owned()),
        9 => post("admin/why_not", json!({ "ref": refs[0], "query": "issue", "user": "bob" })),
        10 => get(format!("admin/audit?limit=3&user={}", user.unwrap_or("x"))),
        11 => get(rng.choice(&["nowhere", "admin", "admin/none", "tools/x"]).expect("four").to_string()),
        12 => post("search_tools", json!({ "query": "x", "colour": 1 })),
        _ => get("search_tools".to_owned()),
    };
    Sent { id: format!("request-{place}"), method, path, body, user }
}

#[tokio::test]
async fn every_allow_and_deny_decision_can_be_retrieved_from_the_log() {
    let server = audited(tools(), POLICY, |_| {});
    let mut rng = fastrand::Rng::with_seed(4);
    let (mut cursors, mut list) = (Vec::new(), Vec::new());
    for place in 0..600 {
        let sent = random(&mut rng, place, &cursors);
        let answer = server.send(sent.request()).await;
        if sent.path == "/v1/search_tools" && answer.status == 200 {
            cursors.extend(answer.json()["next_cursor"].as_str().map(str::to_owned));
        }
        list.push((expected(&sent, &answer), sent));
        if place % 50 == 0 {
            // These show nothing of the catalog, and are no decisions.
            for path in ["/livez", "/readyz", "/v1/openapi.json", "/none"] {
                let none =
                    Sent { id: String::new(), method: Method::GET, path: path.to_owned(), body: None, user: None };
                server.send(none.request()).await;
            }
        }
    }
    // Nothing is missing, nothing is there besides, and the order is that of the answers.
    let found = decisions(&folder(&server));
    assert_eq!(found.len(), list.len());
    for (record, (expected, _)) in found.iter().zip(&list) {
        assert_eq!(told(record), *expected, "{record}");
    }
    // Each kind of decision was among them.
    for outcome in ["allow", "partial", "deny", "invalid"] {
        assert!(list.iter().any(|(expected, _)| expected["outcome"] == outcome), "{outcome}");
    }
    for code in ["unauthenticated", "tool_not_found", "no_such_route", "bad_cursor", "bad_ref", "method_not_allowed"] {
        assert!(list.iter().any(|(expected, _)| expected["code"] == code), "{code}");
    }

    // What else stands in them.
    for (record, (expected, sent)) in found.iter().zip(&list) {
        if let Some(refs) = sent.body.as_ref().and_then(|body| body.get("refs")).filter(|_| expected["status"] == 200) {
            assert_eq!(record["asked"]["refs"], *refs);
        }
        let query = sent.body.as_ref().and_then(|body| body["query"].as_str()).filter(|_| expected["status"] == 200);
        if let Some(query) = query {
            assert_eq!(record["asked"]["query_hmac"], query_hmac(&secret(), query));
        }
        if expected["door"] == "none" {
            assert_eq!(record["asked"]["path"], sent.path.split('?').next().expect("a path"));
        }
        assert_eq!(record["unidentified"].is_string(), sent.user.is_none());
        assert!(record["policy"].as_str().expect("a version").ends_with("+0"), "{record}");
        let is_shown = record["returned"].is_array() && !record["door"].as_str().expect("text").starts_with("admin");
        if is_shown {
            assert_eq!(record["generation"], 1);
            assert!(record["grant"].is_string());
        }
    }

    // Each is found by its request's id at the admin door, and by whatever else is known of it.
    let ask = async |parameters: &str| {
        let path = format!("/v1/admin/audit?{parameters}");
        let ask = Sent { id: "the-admin".to_owned(), method: Method::GET, path, body: None, user: Some("root") };
        server.send(ask.request()).await.ok()
    };
    for (record, (_, sent)) in found.iter().zip(&list).step_by(7) {
        let answer = ask(&format!("request_id={}", sent.id)).await;
        assert_eq!(answer["records"], json!([record]));
        assert_eq!(answer["next_before"], Value::Null);
    }
    let denied = |record: &&Value| record["user"] == "bob" && record["outcome"] == "deny";
    let expected: Vec<&Value> = found.iter().rev().filter(denied).take(500).collect();
    assert!(expected.len() > 10);
    assert_eq!(ask("user=bob&outcome=deny&limit=500").await["records"], json!(expected));
    assert!(
        !ask("outcome=deny&ref=m://atlassian.create_issue&user=bob").await["records"]
            .as_array()
            .expect("some")
            .is_empty()
    );
    // Pages follow each other to the beginning, which the reading itself does not move.
    let mut pages = Vec::new();
    let mut next = "door=tools&limit=9".to_owned();
    loop {
        let answer = ask(&next).await;
        pages.extend(answer["records"].as_array().expect("some").clone());
        let Some(before) = answer["next_before"].as_u64() else { break };
        next = format!("door=tools&limit=9&before={before}");
    }
    let at_tools: Vec<&Value> = found.iter().rev().filter(|record| record["door"] == "tools").collect();
    assert_eq!(json!(pages), json!(at_tools));
    is_good(&folder(&server));

    // What was asked of the log stands in the log.
    let last = decisions(&folder(&server)).pop().expect("one");
    assert_eq!(
        (&last["user"], &last["door"], &last["asked"]["door"]),
        (&json!("root"), &json!("admin/audit"), &json!("tools"))
    );
    for (parameters, pointer) in [("limit=0", "/limit"), ("since=yesterday", "/since"), ("colour=1", "")] {
        let path = format!("/v1/admin/audit?{parameters}");
        let ask = Sent { id: "wrong".to_owned(), method: Method::GET, path, body: None, user: Some("root") };
        assert_eq!(server.send(ask.request()).await.problem(400, "invalid_value")["pointer"], pointer);
    }
}

#[tokio::test]
async fn what_an_admin_does_as_somebody_is_found_by_the_key_of_either() {
    let server = audited(tools(), POLICY, |_| {});
    let root = Who { user: "root", scopes: "" };
    let request = root.request(Method::GET, "/v1/tools/m://github.fork").header("x-shortlist-act-as", "bob");
    server.send(request.body(Body::empty()).expect("a request")).await.ok();
    let record = decisions(&folder(&server)).pop().expect("one");
    let told = (&record["user"], &record["actor"], &record["actor_user"]);
    assert_eq!(told, (&json!("bob"), &json!("user:root"), &json!("root")));
    for (user, expected) in [("bob", json!([record])), ("root", json!([record])), ("alice", json!([]))] {
        let found = server.get(&root, &format!("/v1/admin/audit?door=tools&user={user}")).await.ok();
        assert_eq!(found["records"], expected, "{user}");
    }
}

#[tokio::test]
async fn no_secret_no_token_and_no_query_is_in_the_log_unless_queries_are_wanted() {
    let server = audited(tools(), POLICY, |_| {});
    let query = "a query about Frankfurt";
    let send = async |server: &Server| {
        for user in [Some("alice"), None] {
            let body = Some(json!({ "query": query }));
            let path = "/v1/search_tools?access_token=a-token-in-the-address".to_owned();
            server.send(Sent { id: "x".to_owned(), method: Method::POST, path, body, user }.request()).await;
            let path = "/v1/nowhere?access_token=a-token-in-the-address".to_owned();
            server.send(Sent { id: "x".to_owned(), method: Method::GET, path, body: None, user }.request()).await;
        }
        super::files(&folder(server))
            .iter()
            .map(|file| std::fs::read_to_string(file).expect("UTF-8"))
            .collect::<String>()
    };
    let text = send(&server).await;
    for absent in ["Frankfurt", SECRET, "a-token", "not the secret"] {
        assert!(!text.contains(absent), "{absent}");
    }
    assert_eq!(text.lines().count(), 5);

    let server = audited(tools(), POLICY, |config| config.queries = true);
    let text = send(&server).await;
    assert!(text.contains(query));
    assert!(!text.contains(SECRET) && !text.contains("a-token"));
}

#[tokio::test]
async fn hidden_and_missing_answer_alike_and_are_recorded_alike() {
    let server = audited(tools(), POLICY, |_| {});
    let plain = Server::start(tools(), POLICY);
    let (hidden, missing) = ("m://atlassian.close_issue", "m://atlassian.other_issue");
    for server in [&server, &plain] {
        let one = server.get(&BOB, &format!("/v1/tools/{hidden}")).await;
        one.problem(404, "tool_not_found");
        assert_eq!(one, server.get(&BOB, &format!("/v1/tools/{missing}")).await);
        assert_eq!(one, plain.get(&BOB, &format!("/v1/tools/{hidden}")).await, "nothing of the log is in an answer");
        let nowhere = server.get(&BOB, "/v1/admin/audit").await;
        assert_eq!(nowhere, server.get(&BOB, "/v1/nowhere").await);
    }
    // The same work: the two records differ in their refs and in the chain, in no other member and by no byte of length.
    let found = decisions(&folder(&server));
    let stripped = |record: &Value| {
        let mut record = record.clone();
        for key in ["seq", "time", "prev", "hash", "seal"] {
            record[key] = Value::Null;
        }
        assert_eq!(record["asked"]["refs"].as_array().map(Vec::len), Some(1));
        record["asked"]["refs"] = Value::Null;
        record
    };
    assert_eq!(stripped(&found[0]), stripped(&found[1]));
    assert_eq!(found[0].to_string().len(), found[1].to_string().len());
}

#[tokio::test]
async fn work_that_times_out_or_panics_is_recorded_too() {
    let home = crate::harness::home(EVERYTHING);
    crate::harness::publish(home.path(), tools());
    let (gate, ..) = crate::overload::Gated::new();
    gate.closed.store(false, std::sync::atomic::Ordering::SeqCst);
    let config = shortlist_server::audit::AuditConfig::new(home.path().join("audit"));
    let audit = shortlist_server::audit::Audit::start(config, &secret()).expect("nobody else writes it");
    let server = Server::over(home, |config| config.audit = Some(audit), gate);
    server.search(&ALICE, "panic now").await.problem(500, "internal");
    let last = decisions(&folder(&server)).pop().expect("one");
    assert_eq!(
        (&last["outcome"], &last["code"], &last["user"]),
        (&json!("error"), &json!("internal"), &json!("alice"))
    );
    assert_eq!(last["asked"]["query_hmac"], query_hmac(&secret(), "panic now"));
    assert_eq!(last["returned"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_at_the_same_time_make_one_chain() {
    let server = audited(tools(), EVERYTHING, |_| {});
    let mut running = tokio::task::JoinSet::new();
    for task in 0..16 {
        let app = server.app.clone();
        running.spawn(async move {
            for place in 0..60 {
                let path = format!("/v1/tools/{}", REFS[place % REFS.len()]);
                let id = format!("{task}-{place}");
                let sent = Sent { id: id.clone(), method: Method::GET, path, body: None, user: Some("alice") };
                crate::harness::send(app.clone(), sent.request()).await;
            }
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.expect("no panic");
    }
    let found = decisions(&folder(&server));
    let mut ids: Vec<&str> = found.iter().map(|record| record["request_id"].as_str().expect("an id")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 16 * 60);
    let numbers: Vec<u64> =
        records(&folder(&server)).iter().map(|record| record["seq"].as_u64().expect("one")).collect();
    assert!(numbers.iter().copied().eq(1..=16 * 60 + 1), "dense, after the begin");
    is_good(&folder(&server));
}

#[tokio::test]
async fn the_chain_goes_on_over_restarts_and_two_servers_cannot_share_it() {
    let mut server = audited(tools(), EVERYTHING, |_| {});
    for _ in 0..3 {
        server.search(&ALICE, "issue").await.ok();
        let config = shortlist_server::audit::AuditConfig::new(folder(&server));
        let second = shortlist_server::audit::Audit::start(config, &secret());
        assert!(matches!(second, Err(shortlist_server::audit::AuditError::Locked(_))));
        let folder = folder(&server);
        let Server { home, state, app } = server;
        drop((state, app));
        super::wait_for_the_end(&folder);
        server = over(home, |_| {});
    }
    let expected = ["begin", "decision", "end"].repeat(3);
    assert_eq!(kinds(&folder(&server))[..9], expected);
    let begins: Vec<Value> = records(&folder(&server)).into_iter().filter(|record| record["kind"] == "begin").collect();
    assert_eq!(begins[0]["ended_well"], Value::Null);
    assert!(begins[1..].iter().all(|begin| begin["ended_well"] == true));
    is_good(&folder(&server));
}
