//! The real server over a made-up catalog in this process, for what measures and fuzzes its doors.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, Response, StatusCode, request};
use serde_json::{Value, json};
use shortlist_index::{Embedder, HashingEmbedder, Models, NewGeneration, Provenance, Store, TextRole, Tool, ToolRef};
use shortlist_server::{AppState, Config, HeaderIdentity, Identities, Rates, Secret, app};
use tower::ServiceExt;

use crate::error::BenchError;
use crate::metrics::percentile;

/// The namespace of what the asker may see.
pub(crate) const OPEN: &str = "open";

/// What only hidden tools have.
pub(crate) struct Hidden {
    /// Their namespace, which is their tag too.
    pub namespace: &'static str,
    /// A word that many of them hold.
    pub common: &'static str,
    /// A word that the last of them holds.
    pub rare: &'static str,
    /// A word that none of them holds; for the comparison of nothing with nothing.
    pub missing: &'static str,
}

/// What the hidden tools of one catalog have.
pub(crate) const ONE: Hidden =
    Hidden { namespace: "closed", common: "qzxcommoo", rare: "qzxrarooo", missing: "qzxabsoon" };
/// What those of the other have in its place.
pub(crate) const OTHER: Hidden =
    Hidden { namespace: "classy", common: "qzxcomboo", rare: "qzxrazooo", missing: "qzxabsuun" };

/// Answers before any is counted.
pub(crate) const N_WARM: usize = 200;

/// What the asker's gateway proves itself with.
pub(crate) const SECRET: &str = "a secret of the benches";
const DIMENSION: usize = 384;
/// Words of the catalog's descriptions.
const N_WORDS: usize = 2_000;
/// Of a hundred tools, those that the asker may see.
const VISIBLE_PERCENT: usize = 10;
/// Of the hidden tools, one in so many holds the common hidden word.
const COMMON_EVERY: usize = 2;

/// A request, to be made many times.
pub(crate) struct Asked {
    method: Method,
    path: String,
    body: String,
}

impl Asked {
    pub(crate) fn get(path: String) -> Self {
        Self { method: Method::GET, path, body: String::new() }
    }

    pub(crate) fn post(door: &str, body: &Value) -> Self {
        Self { method: Method::POST, path: format!("/v1/{door}"), body: body.to_string() }
    }
}

/// What is measured where each request costs the same: the two doors that are asked most.
pub(crate) fn questions() -> [(&'static str, Asked); 2] {
    let tool = reference(OPEN, 1);
    [
        ("a search", Asked::post("search_tools", &json!({ "query": "word1 word2" }))),
        ("a tool by its ref", Asked::get(format!("/v1/tools/{tool}"))),
    ]
}

/// Median times of `n_answers` from each server, in microseconds. They are asked in turn, one at a time, and each comes
/// first as often as any other: whatever drifts hits all alike.
pub(crate) fn medians<const N: usize>(
    servers: &[Asker; N],
    asked: &Asked,
    n_answers: usize,
) -> Result<[f64; N], BenchError> {
    let mut times = [const { Vec::new() }; N];
    for round in 0..N_WARM + n_answers {
        for place in (0..N).map(|place| (place + round) % N) {
            let us = servers[place].ask(asked)?;
            times[place].extend((round >= N_WARM).then_some(us));
        }
    }
    Ok(times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        percentile(&times, 0.5)
    }))
}

/// Asks the router as somebody who may see [`OPEN`] alone.
pub(crate) struct Asker {
    router: Router,
    runtime: tokio::runtime::Runtime,
}

impl Asker {
    pub(crate) fn new(
        home: &Path,
        catalog: Vec<Tool>,
        configure: impl FnOnce(&mut Config),
    ) -> Result<Self, BenchError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Ok(Self { router: router(home, catalog, configure)?, runtime: runtime.map_err(failed)? })
    }

    /// Microseconds from the request to the whole of its answer.
    pub(crate) fn ask(&self, asked: &Asked) -> Result<f64, BenchError> {
        let request = request(&asked.method, &asked.path).body(Body::from(asked.body.clone())).map_err(failed)?;
        let router = self.router.clone();
        let start = Instant::now();
        let answer = self.runtime.block_on(async {
            let response = send(router, request).await;
            (response.status(), to_bytes(response.into_body(), usize::MAX).await)
        });
        let us = start.elapsed().as_secs_f64() * 1e6;
        answer.1.map_err(failed)?;
        if answer.0.is_server_error() || answer.0 == StatusCode::UNAUTHORIZED {
            return Err(BenchError::Timing(format!("{} answered {}", asked.path, answer.0)));
        }
        Ok(us)
    }
}

/// The doors of a server over this catalog, in the folder `home`, with a configuration that is the usual one but for
/// `configure`. Everybody may see [`OPEN`] alone. Vectors are made by hashing words.
pub(crate) fn router(
    home: &Path,
    catalog: Vec<Tool>,
    configure: impl FnOnce(&mut Config),
) -> Result<Router, BenchError> {
    fs::create_dir_all(home).map_err(failed)?;
    let embedder = Arc::new(HashingEmbedder::new(DIMENSION));
    publish(home, catalog, embedder.as_ref())?;
    let policy = home.join("policy.toml");
    let rule = format!("[[rule]]\neffect = \"allow\"\nto = [\"everyone\"]\nnamespaces = [\"{OPEN}\"]\n");
    fs::write(&policy, rule).map_err(failed)?;
    let secret = Secret::new(SECRET).map_err(failed)?;
    let gateway = HeaderIdentity { peers: vec!["127.0.0.1".parse().map_err(failed)?], secret: secret.clone() };
    let identity = Identities { gateway: Some(gateway), issuers: Vec::new(), keys_file: home.join("keys.json") };
    let mut config = Config::new(home.to_owned(), policy, secret, identity);
    config.rates = Rates::MOST;
    configure(&mut config);
    Ok(app(AppState::new(config, Models { embedder: Some(embedder), reranker: None })))
}

/// A request of somebody whom no rule names.
pub(crate) fn request(method: &Method, path: &str) -> request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1))))
        .header("x-shortlist-secret", SECRET)
        .header("x-shortlist-user", "mallory")
        .header("content-type", "application/json")
}

/// The router's answer; routers do not fail.
pub(crate) async fn send(router: Router, request: Request<Body>) -> Response<Body> {
    match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

pub(crate) fn failed(error: impl std::error::Error) -> BenchError {
    BenchError::Timing(error.to_string())
}

pub(crate) fn reference(namespace: &str, number: usize) -> String {
    format!("m://{namespace}.tool_{number:06}")
}

/// The last number of a tool that the asker may not see, in a catalog of so many.
pub(crate) fn last_hidden(n_tools: usize) -> usize {
    (0..n_tools).rev().find(|&number| !is_open(number)).unwrap_or_default()
}

fn is_open(number: usize) -> bool {
    number % 100 < VISIBLE_PERCENT
}

/// Tools of random words, made up by a fixed seed; the hidden ones hold words of their own too.
pub(crate) fn catalog(n_tools: usize, hidden: &Hidden) -> Result<Vec<Tool>, BenchError> {
    let mut rng = fastrand::Rng::with_seed(16);
    let last_hidden = last_hidden(n_tools);
    let tool = |number: usize| {
        let is_open = is_open(number);
        let namespace = if is_open { OPEN } else { hidden.namespace };
        let mut words: Vec<String> = (0..12).map(|_| format!("word{}", rng.usize(..N_WORDS))).collect();
        words.extend((!is_open && number.is_multiple_of(COMMON_EVERY)).then(|| hidden.common.to_owned()));
        words.extend((number == last_hidden).then(|| hidden.rare.to_owned()));
        let reference: ToolRef = reference(namespace, number).parse().map_err(failed)?;
        let provenance = Provenance { source_type: "bench".to_owned(), foreign_id: number.to_string() };
        let tags = vec![namespace.to_owned()];
        Ok(Tool { tags, provenance, ..Tool::new(reference, words.join(" ")) })
    };
    (0..n_tools).map(tool).collect()
}

fn publish(home: &Path, catalog: Vec<Tool>, embedder: &HashingEmbedder) -> Result<(), BenchError> {
    let embed = |tool: Tool| {
        let vector = embedder.embed(TextRole::Document, &tool.embedding_text()).map_err(failed)?;
        Ok((tool, vector))
    };
    let generation = NewGeneration {
        tools: catalog.into_iter().map(embed).collect::<Result<_, BenchError>>()?,
        embedder: embedder.fingerprint().clone(),
        dimension: DIMENSION,
        sources: BTreeMap::new(),
        created_unix_s: 0,
    };
    let store = Store::new(home);
    let lock = store.lock()?;
    store.publish(&lock, generation, &mut |_| {})?;
    Ok(())
}
