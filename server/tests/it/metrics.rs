//! The metrics page over what the doors do: every metric of the table, what moves it, and what never stands there.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use serde_json::json;
use shortlist_index::{Health, SourceFault, SourceReport, SourceStatus, SourceStatuses, Store};
use shortlist_server::Config;
use shortlist_server::audit::{Audit, AuditConfig};
use shortlist_server::limits::METRICS_CONNECTIONS_MAX;
use shortlist_server::telemetry::{Kind, METRICS, Telemetry, TelemetryConfig, serve_metrics};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{ALICE, BOB, EVERYTHING, Patience, Server, Who, embedder, home, publish, tool};
use crate::mcp::{call, modern, send as message};
use crate::overload::gated;

/// A server that is read, and who reads.
fn measured(policy: &str, configure: impl FnOnce(&mut Config)) -> (Server, Telemetry) {
    let telemetry = read();
    let home = home(policy);
    publish(home.path(), vec![tool("m://files.list", "Lists files."), tool("m://secret.plan", "Plans.")]);
    let telemetry_of_config = telemetry.clone();
    let configure = |config: &mut Config| {
        config.telemetry = telemetry_of_config;
        configure(config);
    };
    (Server::over(home, configure, embedder()), telemetry)
}

/// What somebody reads.
pub fn read() -> Telemetry {
    Telemetry::start(&TelemetryConfig { page: true, ..TelemetryConfig::default() }).expect("it starts")
}

/// The page's series: name and labels as they are written, and the value.
pub fn series(telemetry: &Telemetry) -> BTreeMap<String, f64> {
    let page = telemetry.page().expect("a page");
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.map(|line| line.rsplit_once(' ').expect("a value"));
    pairs.map(|(series, value)| (series.to_owned(), value.parse().expect("a number"))).collect()
}

#[tokio::test]
async fn requests_are_counted_by_door_and_code_and_unknown_paths_are_one() {
    let (server, telemetry) = measured(EVERYTHING, |_| {});
    server.search(&ALICE, "list files").await.ok();
    server.search(&BOB, "list files").await.ok();
    server.get(&ALICE, "/v1/tools/m://files.list").await.ok();
    server.get(&ALICE, "/v1/tools/m://files.missing").await.problem(404, "tool_not_found");
    for path in ["/v1/x", "/y", "/v1/admin/sources", "/v1/admin/none"] {
        server.get(&ALICE, path).await.problem(404, "no_such_route");
    }
    server.get(&ALICE, "/v1/search_tools").await.problem(405, "method_not_allowed");
    let nobody = axum::http::Request::get("/v1/tools/m://files.list").body(Body::empty()).expect("a request");
    server.send(nobody).await.problem(401, "unauthenticated");

    let series = series(&telemetry);
    let check = |name: &str, expected: f64| assert_eq!(series.get(name), Some(&expected), "{name} of {series:#?}");
    check(r#"shortlist_requests_total{code="ok",door="search_tools"}"#, 2.0);
    check(r#"shortlist_requests_total{code="ok",door="tools"}"#, 1.0);
    check(r#"shortlist_requests_total{code="tool_not_found",door="tools"}"#, 1.0);
    check(r#"shortlist_requests_total{code="unauthenticated",door="tools"}"#, 1.0);
    check(r#"shortlist_requests_total{code="no_such_route",door="none"}"#, 4.0);
    check(r#"shortlist_requests_total{code="method_not_allowed",door="search_tools"}"#, 1.0);
    check(r#"shortlist_request_duration_seconds_count{door="search_tools"}"#, 3.0);
    for stage in ["queue", "allow", "embed", "dense", "lexical", "fuse", "collapse", "fetch", "render"] {
        let expected = if matches!(stage, "queue" | "allow") { 4.0 } else { 2.0 };
        check(&format!(r#"shortlist_stage_duration_seconds_count{{stage="{stage}"}}"#), expected);
    }
    assert!(!series.contains_key(r#"shortlist_stage_duration_seconds_count{stage="rerank"}"#));
    check("shortlist_requests_in_flight", 0.0);
    check("shortlist_allowed_tools_count", 4.0);
    check(r#"shortlist_allowed_tools_bucket{le="0"}"#, 0.0);
    check(r#"shortlist_allowed_tools_bucket{le="10"}"#, 4.0);
    // Alice and Bob have the same grant.
    check(r#"shortlist_cache_lookups_total{cache="allowed_sets",result="miss"}"#, 1.0);
    check(r#"shortlist_cache_lookups_total{cache="allowed_sets",result="hit"}"#, 3.0);
    check(r#"shortlist_cache_lookups_total{cache="grants",result="miss"}"#, 2.0);
    check(r#"shortlist_identity_refusals_total{reason="peer"}"#, 1.0);
    check("shortlist_generation_number", 1.0);
    check("shortlist_generation_tools", 2.0);
    check("shortlist_embedder_fits", 1.0);
    check("shortlist_policy_rules", 1.0);
    check(r#"shortlist_policy_refused{part="file"}"#, 0.0);
}

#[tokio::test]
async fn the_tools_of_mcp_are_counted_each_by_itself_with_an_audit_and_without() {
    for is_audited in [false, true] {
        let (server, telemetry) = measured(EVERYTHING, |config| {
            let begin = || Audit::start(AuditConfig::new(config.home.join("audit")), &config.secret);
            config.audit = is_audited.then(|| begin().expect("it starts"));
        });
        call(&server, &ALICE, "search_tools", json!({ "query": "list files" })).await.ok();
        call(&server, &BOB, "search_tools", json!({ "query": "list files" })).await.ok();
        call(&server, &ALICE, "search_tools", json!({ "query": "x", "limit": 51 })).await.ok();
        call(&server, &ALICE, "get_tool_details", json!({ "refs": ["m://files.list"] })).await.ok();
        call(&server, &ALICE, "list_namespaces", json!({})).await.ok();
        for marked in ["marked", "mcp/marked"] {
            call(&server, &ALICE, marked, json!({})).await.ok();
        }
        modern(&server, &ALICE, "tools/list", json!({})).await.ok();
        message(&server, &ALICE, json!([])).await;
        let counted: Vec<(String, f64)> = series(&telemetry)
            .into_iter()
            .filter(|(name, _)| name.starts_with("shortlist_requests_total{"))
            .map(|(name, value)| (name.replace("shortlist_requests_total", ""), value))
            .collect();
        let expected = [
            (r#"{code="bad_message",door="mcp"}"#, 1.0),
            (r#"{code="bad_message",door="mcp/unknown_tool"}"#, 2.0),
            (r#"{code="invalid_value",door="mcp/search_tools"}"#, 1.0),
            (r#"{code="ok",door="mcp/get_tool_details"}"#, 1.0),
            (r#"{code="ok",door="mcp/list_namespaces"}"#, 1.0),
            (r#"{code="ok",door="mcp/list_tools"}"#, 1.0),
            (r#"{code="ok",door="mcp/search_tools"}"#, 2.0),
        ];
        assert_eq!(counted, expected.map(|(name, value)| (name.to_owned(), value)));
    }
}

#[tokio::test]
async fn what_is_degraded_found_in_vain_or_refused_is_counted() {
    let (server, telemetry) = measured(EVERYTHING, |_| {});
    let body = json!({ "query": "list files", "rerank": true });
    server.post(&ALICE, "/v1/search_tools", body).await.ok();
    let body = json!({ "query": "list files", "namespaces": ["nowhere"] });
    server.post(&ALICE, "/v1/search_tools", body).await.ok();
    let wrong = Who { user: "alice", ..Who::default() }.request(Method::GET, "/v1/tools/m://a.b");
    let wrong = wrong.header("x-shortlist-secret", "another secret of somebody");
    server.send(wrong.body(Body::empty()).expect("a request")).await.problem(401, "unauthenticated");
    std::fs::write(server.home.path().join("policy.toml"), "[[rule]]\n").expect("written");
    let patience = Patience::new();
    while series(&telemetry)[r#"shortlist_policy_refused{part="file"}"#] != 1.0 {
        patience.check();
        server.state.refresh();
    }
    std::fs::write(server.home.path().join("CURRENT"), "99\n").expect("written");
    server.state.refresh();
    let series = series(&telemetry);
    assert_eq!(series[r#"shortlist_searches_degraded_total{stage="rerank"}"#], 1.0);
    assert_eq!(series["shortlist_searches_empty_total"], 1.0);
    assert_eq!(series[r#"shortlist_identity_refusals_total{reason="header"}"#], 1.0);
    assert_eq!(series["shortlist_generation_refused"], 1.0, "{series:#?}");
    assert_eq!(series["shortlist_generation_number"], 1.0, "the one before serves");
}

#[tokio::test]
async fn the_load_stands_there_while_it_lasts_and_who_was_shed_is_counted() {
    let telemetry = read();
    let of_config = telemetry.clone();
    let (server, _gate, entered, go_on) = gated(|config| {
        (config.n_running, config.n_waiting) = (1, 1);
        config.telemetry = of_config;
    });
    let ask = |server: &std::sync::Arc<Server>| {
        let server = std::sync::Arc::clone(server);
        tokio::spawn(async move { server.search(&ALICE, "list").await })
    };
    let first = ask(&server);
    let entered = tokio::task::spawn_blocking(move || entered.recv().map(|()| entered)).await.expect("no panic");
    let _entered = entered.expect("the first computes");
    let second = ask(&server);
    let patience = Patience::new();
    while series(&telemetry)["shortlist_work_waiting"] != 1.0 {
        patience.check();
        tokio::task::yield_now().await;
    }
    server.search(&ALICE, "list").await.problem(503, "overloaded");
    let busy = series(&telemetry);
    assert_eq!((busy["shortlist_work_running"], busy["shortlist_work_running_limit"]), (1.0, 1.0));
    assert_eq!(busy["shortlist_work_waiting_limit"], 1.0);
    assert_eq!(busy["shortlist_requests_in_flight"], 2.0);
    drop(go_on);
    first.await.expect("no panic").ok();
    second.await.expect("no panic").ok();
    let patience = Patience::new();
    while series(&telemetry)["shortlist_work_running"] != 0.0 {
        patience.check();
        tokio::task::yield_now().await;
    }
    let idle = series(&telemetry);
    assert_eq!((idle["shortlist_requests_in_flight"], idle["shortlist_work_waiting"]), (0.0, 0.0));
    assert_eq!(idle[r#"shortlist_requests_total{code="overloaded",door="search_tools"}"#], 1.0);
}

#[tokio::test]
async fn sources_are_told_apart_and_a_source_that_goes_leaves_the_page() {
    let (server, telemetry) = measured(EVERYTHING, |_| {});
    let store = Store::new(server.home.path());
    let fault = SourceFault::new(7, "unreachable", "nobody answers");
    let stale = SourceStatus::after(None, "jsonl", Health::Stale, 7, Some(fault));
    let set = |statuses: &[(&str, &SourceStatus)]| {
        let lock = store.lock().expect("nobody else writes");
        let statuses: SourceStatuses =
            statuses.iter().map(|(name, status)| ((*name).to_owned(), (*status).clone())).collect();
        store.set_statuses(&lock, &statuses).expect("written");
        let now = std::time::SystemTime::now();
        let file = std::fs::File::options().append(true).open(server.home.path().join("sources.json")).expect("a file");
        file.set_modified(now + std::time::Duration::from_secs(statuses.len() as u64)).expect("set");
        server.state.refresh();
    };
    set(&[("hub", &stale), ("files \"of\" Ann", &SourceStatus::after(None, "jsonl", Health::Ok, 9, None))]);
    let both = series(&telemetry);
    assert_eq!(both[r#"shortlist_source_state{source="hub",state="stale"}"#], 1.0);
    assert_eq!(both[r#"shortlist_source_failures{source="hub"}"#], 1.0);
    assert!(!both.contains_key(r#"shortlist_source_age_seconds{source="hub"}"#), "it was never read");
    assert_eq!(both[r#"shortlist_source_state{source="files \"of\" Ann",state="ok"}"#], 1.0);
    assert!(both[r#"shortlist_source_age_seconds{source="files \"of\" Ann"}"#] > 1e9);
    assert_eq!(
        both[r#"shortlist_source_records{outcome="rejected",source="hub"}"#],
        SourceReport::default().n_rejected as f64
    );
    set(&[("hub", &SourceStatus::after(Some(&stale), "jsonl", Health::Ok, 8, None))]);
    let one = series(&telemetry);
    assert_eq!(one[r#"shortlist_source_state{source="hub",state="ok"}"#], 1.0);
    assert!(!one.contains_key(r#"shortlist_source_state{source="hub",state="stale"}"#));
    assert!(!one.keys().any(|series| series.contains("Ann")), "{one:#?}");
}

/// What may stand in labels, by their names; whatever else does was let in by mistake.
#[tokio::test]
async fn the_page_is_the_table_and_its_labels_hold_no_word_of_a_request() {
    let (server, telemetry) = measured(EVERYTHING, |config| {
        let folder = config.home.join("audit");
        config.audit = Some(Audit::start(AuditConfig::new(folder), &config.secret).expect("it starts"));
    });
    let marked = Who { user: "marked-user", scopes: "marked-scope" };
    let body = json!({ "query": "marked-query", "namespaces": ["marked-namespace"], "rerank": true });
    server.post(&marked, "/v1/search_tools", body).await.ok();
    server.get(&marked, "/v1/tools/marked://marked.marked").await.problem(404, "tool_not_found");
    server.get(&marked, "/marked/path?marked=1").await.problem(404, "no_such_route");
    let bearer = axum::http::Request::get("/v1/tools/m://a.b").header("authorization", "Bearer marked-token");
    server.send(bearer.body(Body::empty()).expect("a request")).await.problem(401, "unauthenticated");
    let page = telemetry.page().expect("a page");
    assert!(!page.contains("marked") && !page.contains("m://") && !page.contains("secret"), "{page}");

    let mut names = BTreeSet::new();
    let help: BTreeMap<&str, &str> =
        page.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' ')).collect();
    for line in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').expect("a kind");
        let Some(metric) = METRICS.iter().find(|metric| metric.page_name() == name) else {
            assert_eq!(name, "target_info", "it is not in the table");
            continue;
        };
        let expected = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        assert_eq!((kind, help[name]), (expected, metric.help), "{name}");
        names.insert(name.to_owned());
        let lines = page.lines().filter(|line| {
            let behind = line.strip_prefix(name).unwrap_or_default();
            ["{", " ", "_bucket{", "_sum{", "_count{"].iter().any(|begin| behind.starts_with(begin))
        });
        for line in lines {
            let labels = line.split_once('{').map_or("", |(_, labels)| labels);
            for label in labels.split("\",").filter_map(|label| label.split_once("=\"")).map(|(label, _)| label) {
                assert!(metric.labels.contains(&label) || label == "le", "{label} in {line}");
            }
        }
    }
    // What there is nothing of here has no lines: issuers, sources, a collector.
    let missing: BTreeSet<String> = METRICS.iter().map(|metric| metric.page_name()).collect();
    let missing: Vec<&String> = missing.difference(&names).collect();
    assert!(
        missing.iter().all(|name| {
            name.starts_with("shortlist_issuer_")
                || name.starts_with("shortlist_source_")
                || name.starts_with("shortlist_telemetry_")
                || (cfg!(not(target_os = "linux")) && name.starts_with("process_"))
        }),
        "{missing:?}"
    );
}

#[tokio::test]
async fn the_page_has_an_address_of_its_own_and_the_doors_have_no_page() {
    let (server, telemetry) = measured(EVERYTHING, |_| {});
    server.get(&ALICE, "/metrics").await.problem(404, "no_such_route");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(serve_metrics(listener, telemetry));
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answer = client.get(format!("{base}/metrics")).send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert!(answer.text().await.expect("a body").contains("shortlist_generation_number 1"));
    for path in ["/", "/v1/search_tools", "/livez"] {
        assert_eq!(client.get(format!("{base}{path}")).send().await.expect("an answer").status().as_u16(), 404);
    }
    assert!(Telemetry::none().page().is_none());
}

#[tokio::test]
async fn the_page_takes_no_more_connections_than_it_may_have() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(serve_metrics(listener, read()));
    let mut silent = Vec::new();
    for _ in 0..METRICS_CONNECTIONS_MAX {
        silent.push(TcpStream::connect(address).await.expect("a connection"));
    }
    let mut one_more = TcpStream::connect(address).await.expect("the system takes it");
    one_more.write_all(b"GET /metrics HTTP/1.1\r\nhost: here\r\n\r\n").await.expect("it is sent");
    let mut answer = String::new();
    let mut read = pin!(one_more.read_to_string(&mut answer));
    // Whoever hangs up makes room.
    assert!(tokio::time::timeout(Duration::from_millis(100), read.as_mut()).await.is_err(), "it waits");
    silent.pop();
    read.await.expect("one request, then the end");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn a_search_that_panics_is_counted_and_nothing_stays_in_flight() {
    let telemetry = read();
    let of_config = telemetry.clone();
    let (server, gate, _entered, _go_on) = gated(|config| config.telemetry = of_config);
    gate.closed.store(false, Ordering::SeqCst);
    server.search(&ALICE, "panic").await.problem(500, "internal");
    let after = series(&telemetry);
    assert_eq!(after[r#"shortlist_requests_total{code="internal",door="search_tools"}"#], 1.0);
    assert_eq!(after["shortlist_requests_in_flight"], 0.0);
    assert!(!after.contains_key(r#"shortlist_stage_duration_seconds_count{stage="embed"}"#), "it was not left");
}
