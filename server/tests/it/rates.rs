//! How often somebody may ask.

use axum::body::Body;
use axum::http::{Method, Request};
use shortlist_server::audit::{Audit, AuditConfig};
use shortlist_server::{Config, Rate, Rates, Secret};

use crate::harness::{ALICE, Answer, BOB, EVERYTHING, SECRET, Server, Who, embedder, home, publish, tool};

/// So slow that no test sees another one being allowed.
const FOUR: Rate = Rate { per_second: 1, burst: 4 };
const MANY: Rate = Rates::MOST.calls;

fn server(rates: Rates, more: impl FnOnce(&mut Config)) -> Server {
    let home = home(EVERYTHING);
    publish(home.path(), vec![tool("m://mail.send", "Sends a mail.")]);
    let configure = |config: &mut Config| {
        config.rates = rates;
        more(config);
    };
    Server::over(home, configure, embedder())
}

async fn bare(server: &Server, path: &str) -> Answer {
    server.send(Request::get(path).header("x-request-id", "the-test").body(Body::empty()).expect("a request")).await
}

async fn bearer(server: &Server, token: &str) -> Answer {
    let request = Request::get("/v1/namespaces").header("authorization", format!("Bearer {token}"));
    server.send(request.header("x-request-id", "the-test").body(Body::empty()).expect("a request")).await
}

/// One request more than allowed. A machine so slow that a second passes meanwhile allows one more each time.
async fn exhaust(server: &Server, who: &Who) -> (u32, Answer) {
    for n in 0.. {
        let answer = server.get(who, "/v1/namespaces").await;
        if answer.status != 200 {
            return (n, answer);
        }
        assert!(n < 100, "there is no limit");
    }
    unreachable!("the loop has no end")
}

#[tokio::test]
async fn a_caller_is_told_when_to_come_again_and_nobody_else_is() {
    let server = server(Rates { calls: FOUR, refusals: MANY }, |_| {});
    let (n, refused) = exhaust(&server, &ALICE).await;
    assert!(n >= FOUR.burst, "the burst was {n}");
    refused.problem(429, "rate_limited");
    let wait: u32 = refused.header("retry-after").parse().expect("seconds");
    assert!((1..=2).contains(&wait), "{wait}");
    // Other groups or scopes make nobody another caller.
    let scoped = Who { user: "alice", scopes: "more" };
    let (n, refused) = exhaust(&server, &scoped).await;
    assert!(n < FOUR.burst, "they were counted together");
    refused.problem(429, "rate_limited");
    // Another one is, and health is nobody's.
    server.get(&BOB, "/v1/namespaces").await.ok();
    for _ in 0..20 {
        assert_eq!(bare(&server, "/livez").await.status, 200);
        assert_eq!(bare(&server, "/readyz").await.status, 200);
        assert_eq!(bare(&server, "/v1/openapi.json").await.status, 200);
    }
}

#[tokio::test]
async fn a_refusal_tells_nothing_of_what_was_asked() {
    let server = server(Rates { calls: FOUR, refusals: MANY }, |_| {});
    let (_, first) = exhaust(&server, &ALICE).await;
    for path in ["/v1/tools/m://mail.send", "/v1/tools/m://mail.missing", "/v1/nowhere", "/v1/admin/policy"] {
        let mut answer = server.get(&ALICE, path).await;
        assert_eq!(answer.header("allow"), "");
        // The seconds may have changed.
        answer.headers.insert("retry-after", first.headers["retry-after"].clone());
        assert_eq!(answer, first, "{path}");
    }
}

#[tokio::test]
async fn bad_tokens_are_not_looked_at_for_ever_and_a_good_gateway_is_served_meanwhile() {
    let server = server(Rates { calls: MANY, refusals: FOUR }, |_| {});
    for _ in 0..FOUR.burst {
        bearer(&server, "a.b.c").await.problem(401, "unauthenticated");
    }
    let mut n_refused = 0;
    for _ in 0..20 {
        let answer = bearer(&server, "d.e.f").await;
        n_refused += u32::from(answer.status == 429);
    }
    assert!(n_refused > 0);
    // The same peer with the secret of the gateway.
    server.get(&ALICE, "/v1/namespaces").await.ok();
    // Who says nothing at all is counted as well.
    let mut answer = bare(&server, "/v1/namespaces").await;
    while answer.status == 401 {
        answer = bare(&server, "/v1/namespaces").await;
    }
    answer.problem(429, "rate_limited");
    assert_eq!(answer.header("www-authenticate"), "");
}

#[tokio::test]
async fn who_acts_as_somebody_uses_up_their_own_share() {
    let policy = format!("admins = [\"user:alice\"]\n{EVERYTHING}");
    let server = server(Rates { calls: FOUR, refusals: MANY }, |_| {});
    crate::harness::write_policy(server.home.path(), &policy);
    server.state.refresh();
    for n in 0.. {
        let request = ALICE.request(Method::GET, "/v1/namespaces").header("x-shortlist-act-as", "bob");
        let answer = server.send(request.body(Body::empty()).expect("a request")).await;
        if answer.status == 429 {
            break;
        }
        assert!(answer.status == 200 && n < 100);
    }
    server.get(&BOB, "/v1/namespaces").await.ok();
}

#[tokio::test]
async fn a_flood_is_recorded_by_its_first_request_and_its_number() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = Secret::new(SECRET).expect("long enough");
    let audit = Audit::start(AuditConfig::new(folder.path().to_owned()), &secret).expect("a log");
    // Alice may ask again within the test.
    let rate = Rate { per_second: 20, burst: 4 };
    let server = server(Rates { calls: rate, refusals: MANY }, |config| config.audit = Some(audit));
    let (mut n_asked, mut n_refused, mut after) = (0, 0, None);
    let patience = crate::harness::Patience::new();
    while after.is_none() {
        patience.check();
        let answer = server.get(&ALICE, "/v1/namespaces").await;
        n_asked += 1;
        match answer.status.as_u16() {
            429 => n_refused += 1,
            // The first that is taken after enough were not.
            200 if n_refused >= 5 => after = Some(()),
            200 => {}
            status => unreachable!("{status}"),
        }
    }
    let mut records = Vec::new();
    for entry in std::fs::read_dir(folder.path()).expect("a folder") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).unwrap_or_default();
        records.extend(text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()));
    }
    records.retain(|record| record["kind"] == "decision");
    let told: u64 = records.iter().filter_map(|record| record["asked"]["refused_before"].as_u64()).sum();
    let refused = records.iter().filter(|record| record["code"] == "rate_limited").count();
    assert_eq!(told, n_refused, "every one is counted");
    assert!(refused > 0 && (refused as u64) < n_refused, "{refused} of {n_refused} have a record");
    assert_eq!(records.len() as u64, n_asked - n_refused + refused as u64);
}
