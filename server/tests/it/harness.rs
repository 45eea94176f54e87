//! A home with generations and a policy, a server over it, and a caller.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use shortlist_index::{
    Embedder, Embedding, HashingEmbedder, Models, NewDelta, NewGeneration, Provenance, Schema, ScopeRequirement, Store,
    StoreError, TextRole, Tool, ToolRef, WriteLock,
};
use shortlist_server::{AppState, Config, HeaderIdentity, Identities, Rates, Secret, app};
use tempfile::TempDir;
use tower::ServiceExt;

pub const SECRET: &str = "a secret of the tests";
const DIMENSION: usize = 32;

/// Everybody sees everything.
pub const EVERYTHING: &str = "[[rule]]\neffect = \"allow\"\nto = [\"everyone\"]\nrefs = [\"*\"]\n";

/// A server and its home. The home is removed with it.
pub struct Server {
    pub home: TempDir,
    pub state: AppState,
    pub app: Router,
}

impl Server {
    /// A server over one generation of these tools, under this policy.
    pub fn start(tools: Vec<Tool>, policy: &str) -> Self {
        let home = home(policy);
        publish(home.path(), tools);
        Self::over(home, |_| {}, embedder())
    }

    /// A server over a home as it is.
    pub fn over(home: TempDir, configure: impl FnOnce(&mut Config), embedder: Arc<dyn Embedder>) -> Self {
        let mut config = config(home.path());
        configure(&mut config);
        let state = AppState::new(config, Models { embedder: Some(embedder), reranker: None });
        Self { app: app(state.clone()), state, home }
    }

    pub async fn post(&self, who: &Who, path: &str, body: Value) -> Answer {
        let request = who.request(Method::POST, path).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).expect("a request")).await
    }

    pub async fn get(&self, who: &Who, path: &str) -> Answer {
        self.send(who.request(Method::GET, path).body(Body::empty()).expect("a request")).await
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        send(self.app.clone(), request).await
    }

    pub async fn search(&self, who: &Who, query: &str) -> Answer {
        self.post(who, "/v1/search_tools", json!({ "query": query })).await
    }
}

/// Sends through the router, without a socket.
pub async fn send(app: Router, request: Request<Body>) -> Answer {
    let response = app.oneshot(request).await.expect("the router does not fail");
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("the body is in memory").to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a text"))
    }

    /// Checks that it is a problem of this status and code, written out as one, and gives it.
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{text}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{text}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("urn:shortlist:problem:{code}"));
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        assert!(problem["title"].is_string());
        problem
    }

    pub fn ok(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }
}

/// Ends a test that waits for something that never comes; without it, a failure would turn into an endless loop.
pub struct Patience(Instant);

impl Patience {
    pub fn new() -> Self {
        Self(Instant::now() + Duration::from_secs(30))
    }

    pub fn check(&self) {
        assert!(Instant::now() < self.0, "what the test waits for did not come");
    }
}

/// A caller, as the gateway names them.
#[derive(Clone, Default)]
pub struct Who {
    pub user: &'static str,
    pub scopes: &'static str,
}

pub const ALICE: Who = Who { user: "alice", scopes: "" };
pub const BOB: Who = Who { user: "bob", scopes: "" };

impl Who {
    pub fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 4000))))
            .header("x-shortlist-secret", SECRET)
            .header("x-shortlist-user", self.user)
            .header("x-shortlist-scopes", self.scopes)
            .header("x-request-id", "the-test")
    }
}

pub fn config(home: &Path) -> Config {
    let secret = Secret::new(SECRET).expect("long enough");
    let gateway = HeaderIdentity { peers: vec!["127.0.0.1".parse().expect("an address")], secret: secret.clone() };
    let identity = Identities { gateway: Some(gateway), issuers: Vec::new(), keys_file: home.join("keys.json") };
    let mut config = Config::new(home.to_owned(), home.join("policy.toml"), secret, identity);
    // The tests ask faster than anybody may.
    config.rates = Rates::MOST;
    config
}

pub fn home(policy: &str) -> TempDir {
    let home = tempfile::tempdir().expect("a folder");
    write_policy(home.path(), policy);
    home
}

pub fn write_policy(home: &Path, policy: &str) {
    std::fs::write(home.join("policy.toml"), policy).expect("the policy is written");
}

pub fn embedder() -> Arc<HashingEmbedder> {
    Arc::new(HashingEmbedder::new(DIMENSION))
}

/// The store's lock. A program that another test starts at this moment holds a copy of it until it runs.
pub fn locked(store: &Store) -> WriteLock {
    let patience = Patience::new();
    loop {
        match store.lock() {
            Err(StoreError::Busy(_)) => patience.check(),
            lock => return lock.expect("the home can be written"),
        }
    }
}

/// Publishes a generation of these tools, and gives its number.
pub fn publish(home: &Path, tools: Vec<Tool>) -> u64 {
    publish_by(&embedder(), home, tools)
}

/// Likewise, with another model.
pub fn publish_by(embedder: &HashingEmbedder, home: &Path, tools: Vec<Tool>) -> u64 {
    let generation = NewGeneration {
        tools: with_vectors(embedder, tools),
        embedder: embedder.fingerprint().clone(),
        dimension: embedder.dimension(),
        sources: BTreeMap::new(),
        created_unix_s: 0,
    };
    let store = Store::new(home);
    let lock = locked(&store);
    store.publish(&lock, generation, &mut |_| {}).expect("the generation is good")
}

/// Lays these tools over the generation that serves.
pub fn publish_delta(home: &Path, tools: Vec<Tool>) -> u64 {
    let delta = NewDelta {
        changed: with_vectors(&embedder(), tools),
        removed: Vec::new(),
        sources: BTreeMap::new(),
        created_unix_s: 0,
    };
    let store = Store::new(home);
    let lock = locked(&store);
    let parent = store.open_current().expect("a generation serves").snapshot;
    store.publish_delta(&lock, &parent, delta, &mut |_| {}).expect("the generation is good")
}

fn with_vectors(embedder: &HashingEmbedder, tools: Vec<Tool>) -> Vec<(Tool, Embedding)> {
    let embed =
        |tool: &Tool| embedder.embed(TextRole::Document, &tool.embedding_text()).expect("hashing does not fail");
    tools
        .into_iter()
        .map(|tool| {
            let vector = embed(&tool);
            (tool, vector)
        })
        .collect()
}

/// A tool with a ref, a description and nothing else.
pub fn tool(reference: &str, description: &str) -> Tool {
    let provenance = Provenance { source_type: "jsonl".to_owned(), foreign_id: String::new() };
    Tool { provenance, ..Tool::new(reference.parse().expect("a ref"), description) }
}

pub const WORDS: [&str; 24] = [
    "file",
    "list",
    "delete",
    "create",
    "share",
    "calendar",
    "event",
    "mail",
    "send",
    "message",
    "user",
    "group",
    "invoice",
    "refund",
    "order",
    "ship",
    "track",
    "search",
    "image",
    "resize",
    "translate",
    "weather",
    "stock",
    "quote",
];
pub const NAMESPACES: [&str; 6] = ["drive", "gmail", "billing", "calendar", "orders", "media"];
pub const SCOPES: [&str; 3] = ["https://scopes/read", "https://scopes/write", "https://scopes/admin"];

/// Random tools with every feature that access can turn on: sources, namespaces, versions, tags, scopes, annotations,
/// deprecation. The same seed gives the same tools.
pub fn random_tools(rng: &mut fastrand::Rng, n_tools: usize) -> Vec<Tool> {
    let mut tools: BTreeMap<ToolRef, Tool> = BTreeMap::new();
    while tools.len() < n_tools {
        let words = |rng: &mut fastrand::Rng, n: usize| -> Vec<&str> { (0..n).map(|_| pick(rng, &WORDS)).collect() };
        let version = if rng.bool() { format!("@{}.{}.0", rng.u8(1..3), rng.u8(..3)) } else { String::new() };
        let reference = format!(
            "{}://{}.{}{version}",
            pick(rng, &["google", "hub"]),
            pick(rng, &NAMESPACES),
            words(rng, 2).join("_")
        );
        let n_words = rng.usize(3..12);
        let mut tool = tool(&reference, &format!("{}.", words(rng, n_words).join(" ")));
        tool.title = rng.bool().then(|| words(rng, 3).join(" "));
        tool.annotations.read_only = *rng.choice(&[None, Some(true), Some(false)]).expect("three");
        tool.annotations.destructive = *rng.choice(&[None, Some(true), Some(false)]).expect("three");
        if rng.bool() {
            tool.tags.push(pick(rng, &["beta", "internal"]).to_owned());
        }
        if rng.u8(..3) == 0 {
            tool.required_scopes = ScopeRequirement::any_of([pick(rng, &SCOPES)]);
        }
        if rng.u8(..8) == 0 {
            tool.deprecation = Some("use another".to_owned());
        }
        let parameters = words(rng, 3).into_iter().map(|word| (word.to_owned(), json!({ "type": "string" })));
        let properties: serde_json::Map<String, Value> = parameters.collect();
        let schema = json!({ "type": "object", "properties": properties, "required": [properties.keys().next()] });
        tool.input_schema = Some(Schema::from_value(&schema).expect("a schema"));
        tools.insert(tool.reference.clone(), tool);
    }
    tools.into_values().collect()
}

pub fn pick<'a>(rng: &mut fastrand::Rng, from: &[&'a str]) -> &'a str {
    from[rng.usize(..from.len())]
}
