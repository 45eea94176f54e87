//! What operators see, read by programs that no one here wrote: Prometheus's client, Grafana's types, a collector of
//! OpenTelemetry's own messages. And what nobody may see there.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use reqwest::blocking::{Client, RequestBuilder};
use serde_json::{Value, json};
use shortlist_ingest::testing::{Peer, python};
use shortlist_server::telemetry::METRICS;

use crate::program::{Program, tool};
use crate::serve::{SECRET, Server, eventually};

/// The collector's own credential.
const COLLECTOR_SECRET: &str = "the-collectors-own-secret";
/// A caller's trace, and its span in it.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

fn folder(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

fn interpreter() -> PathBuf {
    let assets = std::env::var_os("SHORTLIST_ASSETS").map_or(folder("../../data/assets"), PathBuf::from);
    python(&assets, &folder("tests/peers/telemetry.txt")).expect("pip can install the peers")
}

/// A collector on this machine.
struct Collector {
    peer: Peer,
    client: Client,
}

impl Collector {
    fn start(interpreter: &Path) -> Self {
        let peer = Peer::listening(|port| {
            let mut command = Command::new(interpreter);
            command.arg(folder("tests/peers/telemetry/collector.py")).arg(port.to_string());
            command.args(["x-collector-key", COLLECTOR_SECRET]);
            command
        });
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().build().expect("a client");
        Self { peer: peer.expect("it starts"), client }
    }

    fn received(&self) -> Value {
        let answer = self.client.get(format!("{}/received", self.peer.base_url())).send().expect("an answer");
        answer.json().expect("JSON")
    }

    fn turn(&self, state: &str) {
        let answer = self.client.post(format!("{}/{state}", self.peer.base_url())).send().expect("an answer");
        assert!(answer.status().is_success());
    }

    /// All spans that it took.
    fn spans(&self) -> Vec<Value> {
        let received = self.received();
        let mut spans = Vec::new();
        for resource in each(&received["traces"], "resourceSpans") {
            each(&json!([resource]), "scopeSpans").for_each(|scope| spans.extend(list(&scope["spans"])));
        }
        spans
    }

    fn metric_names(&self) -> BTreeSet<String> {
        let received = self.received();
        let scopes = each(&received["metrics"], "resourceMetrics").flat_map(|resource| list(&resource["scopeMetrics"]));
        let metrics: Vec<Value> = scopes.flat_map(|scope| list(&scope["metrics"])).collect();
        metrics.iter().filter_map(|metric| metric["name"].as_str().map(str::to_owned)).collect()
    }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// The values of a list's objects under this name, one list after the other.
fn each(of: &Value, name: &str) -> impl Iterator<Item = Value> {
    list(of).into_iter().flat_map(|object| list(&object[name])).collect::<Vec<_>>().into_iter()
}

/// A home with two tools, and a server over it that tells everything there is to tell.
fn serve(program: &Program, collector: &Collector, every: &str, variables: &[(&str, &str)]) -> Server {
    program.write("headers", &format!("x-collector-key: {COLLECTOR_SECRET}\n"));
    let config = program.write(
        "serve.toml",
        &format!(
            "[gateway]\n[[issuer]]\nname = \"idp\"\nissuer = \"http://127.0.0.1:9/idp\"\naudience = \"a\"\n\
             [telemetry]\nmetrics_listen = \"127.0.0.1:0\"\notlp_endpoint = \"{}\"\notlp_headers_file = \"headers\"\n\
             metrics_every = \"{every}\"\nattributes = {{ \"deployment.environment.name\" = \"test\" }}\n",
            collector.peer.base_url()
        ),
    );
    let ours = "info,shortlist=trace,shortlist_server=trace,shortlist_index=trace,shortlist_ingest=trace";
    let mut all = vec![("RUST_LOG".to_owned(), ours.to_owned())];
    all.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Server::start_with(program, &["--config", config.to_str().expect("UTF-8")], &all)
}

fn program() -> Program {
    let program = Program::new();
    program.sync(&[tool("github", "create_issue", "Creates an issue."), tool("jira", "close_issue", "Closes one.")]);
    let rule = |to: &str| format!("[[rule]]\neffect = \"allow\"\nto = [\"{to}\"]\nnamespaces = [\"github\"]\n");
    let policy =
        "admins = [\"user:marked-admin\"]\n".to_owned() + &rule("user:marked-user") + &rule("user:marked-admin");
    std::fs::write(program.home().join("policy.toml"), policy).expect("written");
    program
}

fn metrics_page(server: &Server) -> String {
    let log = server.log();
    let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut addresses = events.filter_map(|event| event["fields"]["metrics.address"].as_str().map(str::to_owned));
    let address = addresses.next().expect("it says where the page is");
    let answer = server.client.get(format!("http://{address}/metrics")).send().expect("an answer");
    assert!(answer.status().is_success());
    answer.text().expect("a body")
}

/// The value of a series, as it is written on the page.
fn value(page: &str, series: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().expect("a number"))
}

/// Every door, asked well and badly; whatever a caller can write is marked.
fn ask_everything(server: &Server) {
    let request = |method: &str, path: &str| {
        let method = method.parse().expect("a method");
        let request = server.client.request(method, format!("{}{path}", server.base));
        request.header("tracestate", "marked=state").header("baggage", "marked=baggage").header("user-agent", "marked")
    };
    let by_gateway = |request: RequestBuilder, user: &str| {
        let request = request.header("x-shortlist-user", user).header("x-shortlist-groups", "marked-group");
        let request = request.header("x-shortlist-roles", "marked-role").header("x-shortlist-tenant", "marked-tenant");
        request.header("x-shortlist-scopes", "marked-scope").header("x-shortlist-secret", SECRET)
    };
    let send = |request: RequestBuilder| request.send().expect("an answer").status().as_u16();
    let search = |body: &Value| by_gateway(request("POST", "/v1/search_tools").json(body), "marked-user");
    let trace = format!("00-{TRACE}-{SPAN}-01");
    let good = json!({ "query": "create a marked-query issue", "rerank": true, "namespaces": ["github"] });
    assert_eq!(send(search(&good).header("traceparent", trace)), 200);
    assert_eq!(send(search(&json!({ "query": "marked-query", "namespaces": ["marked-namespace"] }))), 200);
    for bad in [
        json!({ "query": "marked-query", "marked-field": 1 }),
        json!({ "query": "marked-query", "limit": 9_999 }),
        json!({ "query": "marked-query", "limit": "marked-limit" }),
        json!({ "query": "marked-query", "cursor": "marked-cursor" }),
        json!({ "query": "marked-query", "mode": "marked-mode" }),
        json!({ "query": "marked ".repeat(2_000) }),
    ] {
        assert_eq!(send(search(&bad)), 400);
    }
    let raw =
        |body: &'static str| request("POST", "/v1/search_tools").header("content-type", "application/json").body(body);
    assert_eq!(send(by_gateway(raw("{\"query\": \"marked-query"), "marked-user")), 400);
    let refs = json!({ "refs": ["test://github.create_issue", "marked://marked.marked"] });
    assert_eq!(send(by_gateway(request("POST", "/v1/get_tool_details").json(&refs), "marked-user")), 200);
    assert_eq!(
        send(by_gateway(request("POST", "/v1/list_namespaces").json(&json!({ "prefix": "marked" })), "marked-user")),
        200
    );
    for (path, status) in [
        ("/v1/tools/test:%2F%2Fgithub.create_issue?marked=1", 200),
        ("/v1/tools/marked:%2F%2Fmarked.marked", 404),
        ("/v1/tools/marked", 400),
        ("/v1/marked?marked=1", 404),
        ("/marked", 404),
        ("/v1/admin/marked", 404),
    ] {
        assert_eq!(send(by_gateway(request("GET", path), "marked-user")), status, "{path}");
    }
    // Nobody, in every way.
    let nobody = || request("GET", "/v1/tools/test:%2F%2Fgithub.create_issue");
    let claims = "eyJhbGciOiJSUzI1NiIsImtpZCI6Im1hcmtlZCJ9.eyJpc3MiOiJodHRwOi8vMTI3LjAuMC4xOjkvaWRwIiwiYXVkIjoiYSIsInN1YiI6Im1hcmtlZCJ9.bWFya2Vk";
    for request in [
        nobody(),
        nobody().header("authorization", "Bearer marked-token"),
        nobody().header("authorization", "marked-scheme marked-token"),
        nobody().header("authorization", "Bearer slk_marked_marked-key"),
        nobody().bearer_auth(claims),
        nobody().header("x-shortlist-user", "marked-user").header("x-shortlist-secret", "marked-secret-of-somebody"),
        by_gateway(nobody(), "marked-user").header("authorization", "Bearer marked-token"),
        by_gateway(nobody(), "marked-user").header("x-shortlist-act-as", "marked-other"),
    ] {
        assert_eq!(send(request), 401);
    }
    // Admins, as themselves and as somebody else.
    let admin = |request: RequestBuilder| by_gateway(request, "marked-admin");
    assert_eq!(send(admin(request("GET", "/v1/admin/sources"))), 200);
    let why = json!({ "tool": "test://github.create_issue", "query": "marked-query" });
    assert!(send(admin(request("POST", "/v1/admin/why_not").json(&why))) < 500);
    let rule =
        json!({ "effect": "allow", "to": ["user:marked-other"], "namespaces": ["marked*"], "note": "marked-note" });
    assert_eq!(send(admin(request("POST", "/v1/admin/policy/rules").json(&rule))), 201);
    let acting = admin(request("POST", "/v1/search_tools").json(&json!({ "query": "marked-query" })));
    assert_eq!(send(acting.header("x-shortlist-act-as", "marked-other")), 200);
}

#[test]
fn what_operators_see_is_read_by_their_own_programs_and_holds_no_word_of_a_request() {
    let interpreter = interpreter();
    let (program, collector) = (program(), Collector::start(&interpreter));
    let delay = ("OTEL_BSP_SCHEDULE_DELAY", "100");
    let server =
        serve(&program, &collector, "200ms", &[delay, ("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=tools")]);
    ask_everything(&server);
    let is_search = |span: &Value| span["name"] == "POST /v1/search_tools" && span["traceId"].is_string();
    eventually("the spans", || collector.spans().iter().filter(|span| is_search(span)).count() >= 9);

    // The page, the dashboard and the alerts, by their own readers.
    let page = metrics_page(&server);
    let mut reader = Command::new(&interpreter);
    reader.arg(folder("tests/peers/telemetry/page.py")).arg(folder("../telemetry"));
    let mut reader =
        reader.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    reader.stdin.take().expect("it is piped").write_all(page.as_bytes()).expect("it reads");
    let output = reader.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let samples = read["samples"].as_object().expect("samples");
    assert!(read["n_alerts"].as_u64() > Some(15) && read["n_panels"].as_u64() > Some(20));
    // Nobody holds a key of the issuer that does not answer, so its age is the one thing that has no value here.
    let ageless = "shortlist_issuer_keys_age_seconds";
    for name in list(&read["asked"]) {
        let name = name.as_str().expect("a name");
        assert!(samples.contains_key(name) || name == ageless, "{name} is asked for and is not on the page\n{page}");
    }
    for metric in METRICS {
        let (name, series) = (metric.page_name(), format!("{}_count", metric.page_name()));
        assert!(samples.contains_key(&name) || samples.contains_key(&series) || name == ageless, "{name}\n{page}");
    }
    // An export in the midst of the asking holds what was counted until then: the rest comes with the next.
    let expected = || METRICS.iter().filter(|metric| metric.page_name() != ageless).map(|metric| metric.name);
    eventually(&format!("all of {:?}", expected().collect::<Vec<_>>()), || {
        let names = collector.metric_names();
        expected().all(|name| names.contains(name))
    });

    // The caller's trace goes on, through the stages.
    let spans = collector.spans();
    let traced: Vec<&Value> = spans.iter().filter(|span| id(&span["traceId"]) == TRACE).collect();
    let request = traced.iter().find(|span| is_search(span)).expect("the span of the request");
    assert_eq!((id(&request["parentSpanId"]), &request["kind"]), (SPAN.to_owned(), &json!("SPAN_KIND_SERVER")));
    let stages: BTreeSet<&str> = traced
        .iter()
        .filter(|span| span["parentSpanId"] == request["spanId"])
        .filter_map(|span| span["name"].as_str())
        .collect();
    for stage in ["queue", "allow", "embed", "dense", "lexical", "fuse", "rerank", "collapse", "fetch", "render"] {
        assert!(stages.contains(stage), "{stage} is not among {stages:?}");
    }
    let received = collector.received();
    let said = received["traces"][0]["resourceSpans"][0]["resource"]["attributes"].to_string();
    for attribute in ["\"shortlist\"", "service.version", "deployment.environment.name", "service.namespace"] {
        assert!(said.contains(attribute), "{attribute} is not in {said}");
    }

    let log = server.log();
    assert!(log.contains("search answered") && log.contains("request without identity") && log.contains(TRACE));
    for (name, text) in [("the log", log), ("the page", page), ("what the collector got", received.to_string())] {
        let text = text.to_lowercase();
        for secret in ["marked", "create_issue", "eyjhbgci", SECRET, COLLECTOR_SECRET] {
            let shown = text.find(secret);
            assert!(
                shown.is_none(),
                "{secret} is in {name}: {:?}",
                shown.and_then(|at| text.get(at.saturating_sub(200)..))
            );
        }
    }
}

/// Protobuf's JSON writes bytes in base64; OTLP's ids are read in hexadecimal.
fn id(base64: &Value) -> String {
    let digit = |b: u8| match b {
        b'A'..=b'Z' => Some(u32::from(b - b'A')),
        b'a'..=b'z' => Some(u32::from(b - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(b - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (mut bits, mut n_bits, mut hex) = (0_u32, 0, String::new());
    for value in base64.as_str().unwrap_or_default().bytes().filter_map(digit) {
        bits = bits << 6 | value;
        n_bits += 6;
        while n_bits >= 4 {
            n_bits -= 4;
            hex += &format!("{:x}", bits >> n_bits & 15);
        }
    }
    hex.truncate(hex.len() / 2 * 2);
    hex
}

#[test]
fn a_collector_that_is_down_harms_nobody_and_the_end_sends_what_waits() {
    let interpreter = interpreter();
    let (program, collector) = (program(), Collector::start(&interpreter));
    collector.turn("down");
    // Spans wait for ten minutes, or for the end.
    let variables = [("OTEL_BSP_SCHEDULE_DELAY", "600000")];
    let mut server = serve(&program, &collector, "200ms", &variables);
    let found = server.search("marked-user", "create an issue");
    assert_eq!(found, ["test://github.create_issue"]);
    let failed = r#"shortlist_telemetry_exports_total{outcome="failed",signal="metrics"}"#;
    eventually("a failure that is counted", || value(&metrics_page(&server), failed) >= 3.0);
    assert_eq!(server.search("marked-user", "create an issue"), found);
    let warned = server.log().matches("the collector does not take what is sent").count();
    assert_eq!(warned, 1, "it is said once\n{}", server.log());
    collector.turn("up");
    eventually("the recovery", || server.log().contains("the collector takes what is sent again"));
    assert!(collector.spans().is_empty());
    server.stop();
    assert!(collector.spans().iter().filter(|span| span["name"] == "POST /v1/search_tools").count() == 2);
}
