//! Tokens of an issuer that is asked for its keys over a real socket: rotation, floods, slowness and outage.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use shortlist_server::Settings;
use tokio::sync::watch;

use crate::harness::{Answer, Patience, Server, embedder, home, publish, tool};
use crate::signer::{Signer, jwks};

const POLICY: &str = "admins = [\"user:t1/root\"]\n\
    [[rule]]\neffect = \"allow\"\nto = [\"user:t1/alice\", \"service:crm\"]\nnamespaces = [\"github\"]\n\
    [[rule]]\neffect = \"allow\"\nto = [\"group:jira users\"]\nnamespaces = [\"jira\"]\n\
    [[rule]]\neffect = \"deny\"\nto = [\"service:hub\"]\nnamespaces = [\"github\"]\n";

/// An issuer on this machine.
#[derive(Clone)]
struct Provider {
    base: String,
    shared: Arc<Shared>,
}

struct Shared {
    /// What it answers at the address of its keys.
    keys: Mutex<Value>,
    /// What its document says otherwise.
    document: Mutex<Value>,
    n_fetches: AtomicUsize,
    is_down: AtomicBool,
    /// Whether answers about keys may go out.
    open: watch::Sender<bool>,
}

impl Provider {
    async fn start(signers: &[&Signer]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::new(Shared {
            keys: Mutex::new(jwks(signers)),
            document: Mutex::new(json!({ "issuer": base, "jwks_uri": format!("{base}/keys") })),
            n_fetches: AtomicUsize::new(0),
            is_down: AtomicBool::new(false),
            open: watch::channel(true).0,
        });
        let this = Self { base, shared };
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(document))
            .route("/keys", get(keys))
            .route("/elsewhere", get(|| async { (StatusCode::FOUND, [(header::LOCATION, "/keys")]) }))
            .with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        this
    }

    fn publish(&self, signers: &[&Signer]) {
        *self.shared.keys.lock().unwrap_or_else(PoisonError::into_inner) = jwks(signers);
    }

    fn say(&self, document: Value) {
        *self.shared.document.lock().unwrap_or_else(PoisonError::into_inner) = document;
    }

    fn n_fetches(&self) -> usize {
        self.shared.n_fetches.load(Ordering::SeqCst)
    }

    fn claims(&self, user: &str) -> Value {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock").as_secs();
        json!({ "iss": self.base, "aud": "api://shortlist", "exp": now + 600, "nbf": now, "iat": now,
            "tid": "t1", "oid": user })
    }
}

async fn document(State(provider): State<Provider>) -> Response {
    if provider.shared.is_down.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    provider.shared.document.lock().unwrap_or_else(PoisonError::into_inner).to_string().into_response()
}

async fn keys(State(provider): State<Provider>) -> Response {
    provider.shared.n_fetches.fetch_add(1, Ordering::SeqCst);
    let keys = provider.shared.keys.lock().unwrap_or_else(PoisonError::into_inner).to_string();
    let mut open = provider.shared.open.subscribe();
    let _ = open.wait_for(|open| *open).await;
    keys.into_response()
}

/// A server without a gateway that believes this issuer, with these lines more in its section.
fn server(provider: &Provider, more: &str) -> Server {
    let home = home(POLICY);
    publish(home.path(), vec![tool("m://github.fork", "Forks."), tool("m://jira.close", "Closes.")]);
    let path = home.path().join("serve.toml");
    let issuer = format!("issuer = \"{}\"\naudience = \"api://shortlist\"\n", provider.base);
    std::fs::write(&path, format!("[[issuer]]\nname = \"idp\"\n{issuer}{more}")).expect("written");
    let settings = Settings::load(&path).expect("a configuration");
    let configure = |config: &mut shortlist_server::Config| {
        config.identity.gateway = None;
        config.identity.issuers = settings.issuers;
    };
    Server::over(home, configure, embedder())
}

/// Lists namespaces with these headers.
async fn ask(server: &Server, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::post("/v1/list_namespaces").header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.header("x-request-id", "the-test");
    let request = request.extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 4000))));
    server.send(request.body(Body::from("{}")).expect("a request")).await
}

async fn with_token(server: &Server, token: &str) -> Answer {
    ask(server, &[("authorization", &format!("Bearer {token}"))]).await
}

fn namespaces(answer: &Answer) -> Vec<String> {
    let answer = answer.ok();
    let rows = answer["namespaces"].as_array().expect("a list").iter();
    rows.map(|row| row["namespace"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn a_token_is_who_it_says_and_every_other_is_refused_with_one_answer() {
    let signer = Signer::rsa("one");
    let provider = Provider::start(&[&signer]).await;
    let server = server(&provider, "retry_keys = \"100ms\"\n");
    let mut claims = provider.claims("alice");
    claims["groups"] = json!(["jira users"]);
    assert_eq!(namespaces(&with_token(&server, &signer.token(&claims)).await), ["github", "jira"]);
    assert_eq!(namespaces(&with_token(&server, &signer.token(&provider.claims("alice"))).await), ["github"]);
    assert!(namespaces(&with_token(&server, &signer.token(&provider.claims("eve"))).await).is_empty());

    let changed = |name: &str, value: Value| {
        let mut claims = provider.claims("alice");
        claims[name] = value;
        signer.token(&claims)
    };
    let header = |header: Value| signer.token_with(&header, &provider.claims("alice"));
    let other = Signer::rsa("one");
    let good = signer.token(&provider.claims("alice"));
    let wrong = [
        changed("iss", json!("https://other.example")),
        changed("aud", json!("api://other")),
        changed("exp", json!(1)),
        changed("nbf", json!(9e12)),
        changed("_claim_names", json!({ "groups": "src1" })),
        changed("groups", json!(7)),
        changed("oid", Value::Null),
        header(json!({ "alg": "none" })),
        header(json!({ "alg": "RS256" })),
        header(json!({ "alg": "RS256", "kid": "two" })),
        header(json!({ "alg": "RS256", "kid": "one", "crit": ["x"] })),
        header(json!({ "alg": "HS256", "kid": "one" })),
        Signer::hmac("one", signer.pem().as_bytes()).token(&provider.claims("alice")),
        other.token(&provider.claims("alice")),
        format!("{good}x"),
        "x".to_owned(),
        "slk_x_y".to_owned(),
    ];
    let mut answers = Vec::new();
    for token in &wrong {
        answers.push(with_token(&server, token).await);
    }
    let bearer = format!("Bearer {good}");
    answers.push(ask(&server, &[("authorization", &bearer), ("authorization", &bearer)]).await);
    answers.push(ask(&server, &[("authorization", &bearer), ("x-shortlist-user", "root")]).await);
    answers.push(ask(&server, &[("authorization", &bearer), ("x-shortlist-act-as", "t1/root")]).await);
    answers[0].problem(401, "unauthenticated");
    let challenges: Vec<_> = answers[0].headers.get_all("www-authenticate").iter().collect();
    assert_eq!(
        challenges,
        ["Shortlist-Gateway realm=\"shortlist\"", "Bearer realm=\"shortlist\", error=\"invalid_token\""]
    );
    for (answer, token) in answers.iter().zip(&wrong) {
        assert_eq!(*answer, answers[0], "{token}");
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    // Nobody who sent no token is told that one is invalid; the body is the same.
    let bare = ask(&server, &[]).await;
    assert_eq!((bare.status, &bare.body), (answers[0].status, &answers[0].body));
    assert!(!bare.headers.get_all("www-authenticate").iter().any(|value| format!("{value:?}").contains("error")));
}

#[tokio::test]
async fn tenants_are_kept_apart_where_any_is_accepted_and_their_claim_is_named() {
    let signer = Signer::p256("one");
    let provider = Provider::start(&[&signer]).await;
    let server = server(&provider, "algorithms = [\"ES256\"]\nclaims = { user = \"oid\", tenant = \"org_id\" }\n");
    let of = |tenant: Value| {
        let mut claims = provider.claims("alice");
        claims["groups"] = json!(["jira users"]);
        claims["org_id"] = tenant;
        signer.token(&claims)
    };
    // The rule is for a group of no tenant, and for t1's alice.
    assert_eq!(namespaces(&with_token(&server, &of(json!("t1"))).await), ["github"]);
    assert!(namespaces(&with_token(&server, &of(json!("t2"))).await).is_empty());
    with_token(&server, &of(Value::Null)).await.problem(401, "unauthenticated");
    with_token(&server, &signer.token(&provider.claims("t1/alice"))).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_new_key_is_fetched_when_a_token_has_it_and_an_old_one_is_forgotten() {
    let (one, two) = (Signer::rsa("one"), Signer::ed25519("two"));
    let provider = Provider::start(&[&one]).await;
    let server =
        server(&provider, "algorithms = [\"RS256\", \"EdDSA\"]\nretry_keys = \"100ms\"\nrefresh_keys = \"100ms\"\n");
    let (first, second) = (one.token(&provider.claims("alice")), two.token(&provider.claims("alice")));
    with_token(&server, &first).await.ok();
    with_token(&server, &second).await.problem(401, "unauthenticated");
    provider.publish(&[&one, &two]);
    with_token(&server, &second).await.ok();
    with_token(&server, &first).await.ok();

    provider.publish(&[&two]);
    let patience = Patience::new();
    while with_token(&server, &first).await.status == StatusCode::OK {
        patience.check();
        server.state.refresh();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    with_token(&server, &second).await.ok();
}

#[tokio::test]
async fn a_flood_of_made_up_keys_costs_one_fetch_at_a_time_and_holds_nobody_up() {
    let retry = Duration::from_millis(500);
    let signer = Signer::p256("one");
    let provider = Provider::start(&[&signer]).await;
    let server = Arc::new(server(&provider, "algorithms = [\"ES256\"]\nretry_keys = \"500ms\"\n"));
    let good = signer.token(&provider.claims("alice"));
    with_token(&server, &good).await.ok();
    let (begun, n_before) = (Instant::now(), provider.n_fetches());
    let flood: Vec<_> = (0..400)
        .map(|i| {
            let header = json!({ "alg": "ES256", "kid": format!("made up {i}") });
            let (server, token) = (Arc::clone(&server), signer.token_with(&header, &provider.claims("alice")));
            tokio::spawn(async move { with_token(&server, &token).await.status })
        })
        .collect();
    for _ in 0..50 {
        with_token(&server, &good).await.ok();
    }
    for answer in flood {
        assert_eq!(answer.await.expect("it ends"), StatusCode::UNAUTHORIZED);
    }
    let n_fetches = provider.n_fetches() - n_before;
    let allowed = 1 + usize::try_from(begun.elapsed().as_millis() / retry.as_millis()).expect("small");
    assert!((1..=allowed).contains(&n_fetches), "{n_fetches} fetches where {allowed} may be");
}

#[tokio::test]
async fn a_slow_issuer_holds_up_new_keys_alone() {
    let (one, two) = (Signer::p256("one"), Signer::p256("two"));
    let provider = Provider::start(&[&one]).await;
    let server = Arc::new(server(&provider, "algorithms = [\"ES256\"]\nretry_keys = \"100ms\"\n"));
    let (known, new) = (one.token(&provider.claims("alice")), two.token(&provider.claims("alice")));
    with_token(&server, &known).await.ok();
    provider.publish(&[&one, &two]);
    provider.shared.open.send_replace(false);
    let n_before = provider.n_fetches();
    let waits = {
        let (server, new) = (Arc::clone(&server), new.clone());
        tokio::spawn(async move { with_token(&server, &new).await })
    };
    let patience = Patience::new();
    while provider.n_fetches() == n_before {
        patience.check();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for _ in 0..20 {
        with_token(&server, &known).await.ok();
    }
    assert!(!waits.is_finished());
    provider.shared.open.send_replace(true);
    waits.await.expect("it ends").ok();
}

#[tokio::test]
async fn known_keys_outlive_an_outage_for_a_while_and_no_longer() {
    let (one, two) = (Signer::p256("one"), Signer::p256("two"));
    let provider = Provider::start(&[&one]).await;
    let server = server(
        &provider,
        "algorithms = [\"ES256\"]\nretry_keys = \"100ms\"\nrefresh_keys = \"100ms\"\nkeep_keys = \"3s\"\n",
    );
    let (known, new) = (one.token(&provider.claims("alice")), two.token(&provider.claims("alice")));
    with_token(&server, &known).await.ok();
    provider.shared.is_down.store(true, Ordering::SeqCst);
    provider.publish(&[&one, &two]);
    with_token(&server, &known).await.ok();
    with_token(&server, &new).await.problem(401, "unauthenticated");
    with_token(&server, &known).await.ok();
    let patience = Patience::new();
    while with_token(&server, &known).await.status == StatusCode::OK {
        patience.check();
        server.state.refresh();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    provider.shared.is_down.store(false, Ordering::SeqCst);
    with_token(&server, &known).await.ok();
    with_token(&server, &new).await.ok();
}

#[tokio::test]
async fn an_issuer_that_is_not_the_configured_one_is_not_believed() {
    let signer = Signer::p256("one");
    let provider = Provider::start(&[&signer]).await;
    let server = server(&provider, "algorithms = [\"ES256\"]\nretry_keys = \"100ms\"\n");
    let good = signer.token(&provider.claims("alice"));
    let base = &provider.base;
    let keys = format!("{base}/keys");
    for document in [
        json!({ "issuer": format!("{base}/"), "jwks_uri": keys }),
        json!({ "issuer": "https://other.example", "jwks_uri": keys }),
        json!({ "issuer": base, "jwks_uri": "http://203.0.113.9/keys" }),
        json!({ "issuer": base, "jwks_uri": "file:///etc/passwd" }),
        json!({ "issuer": base, "jwks_uri": format!("{base}/elsewhere") }),
        json!({ "issuer": base, "jwks_uri": format!("{base}/none") }),
        json!({ "issuer": base }),
        json!([base, keys]),
        json!({ "issuer": base, "jwks_uri": keys, "padding": "x".repeat(300_000) }),
    ] {
        provider.say(document.clone());
        let answer = with_token(&server, &good).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", document["jwks_uri"]);
    }
    provider.say(json!({ "issuer": base, "jwks_uri": keys }));
    for keys in [json!({}), json!({ "keys": [] }), json!({ "keys": [{ "kty": "oct", "k": "AAAA", "kid": "one" }] })] {
        *provider.shared.keys.lock().expect("no panic") = keys;
        assert_eq!(with_token(&server, &good).await.status, StatusCode::UNAUTHORIZED);
    }
    provider.publish(&[&signer]);
    with_token(&server, &good).await.ok();
}

#[tokio::test]
async fn an_admin_acts_as_somebody_and_is_none_meanwhile() {
    let signer = Signer::p256("one");
    let provider = Provider::start(&[&signer]).await;
    let server = server(&provider, "algorithms = [\"ES256\"]\n");
    let bearer = format!("Bearer {}", signer.token(&provider.claims("root")));
    let root = ("authorization", bearer.as_str());
    assert!(namespaces(&ask(&server, &[root]).await).is_empty());
    let (alice, jira) = (("x-shortlist-act-as", "t1/alice"), ("x-shortlist-act-as-groups", "jira users"));
    assert_eq!(namespaces(&ask(&server, &[root, alice]).await), ["github"]);
    assert_eq!(namespaces(&ask(&server, &[root, alice, jira]).await), ["github", "jira"]);
    ask(&server, &[root, jira]).await.problem(401, "unauthenticated");
    ask(&server, &[root, alice, alice]).await.problem(401, "unauthenticated");

    let admin = async |more: &[(&str, &str)]| {
        let mut request = Request::get("/v1/admin/sources").header("x-request-id", "the-test");
        for (name, value) in [&[root], more].concat() {
            request = request.header(name, value);
        }
        server.send(request.body(Body::empty()).expect("a request")).await
    };
    admin(&[]).await.ok();
    // Neither as a user nor as another admin, nor as oneself.
    admin(&[alice]).await.problem(404, "no_such_route");
    admin(&[("x-shortlist-act-as", "t1/root")]).await.problem(404, "no_such_route");
}

#[tokio::test]
async fn what_a_service_is_denied_stays_denied_as_whomever_an_admin_acts_through_it() {
    let provider = Provider::start(&[&Signer::p256("one")]).await;
    let server = server(&provider, "algorithms = [\"ES256\"]\n");
    let file = shortlist_server::KeyFile::new(server.home.path().join("keys.json"));
    let (_, key) = file.create("hub", true, None).expect("made");
    server.state.refresh();
    let bearer = format!("Bearer {key}");
    let (hub, root) = (("authorization", bearer.as_str()), ("x-shortlist-user", "t1/root"));
    let alice = [("x-shortlist-user", "t1/alice"), ("x-shortlist-groups", "jira users")];
    assert_eq!(namespaces(&ask(&server, &[&[hub][..], &alice].concat()).await), ["jira"]);
    let as_alice = [("x-shortlist-act-as", "t1/alice"), ("x-shortlist-act-as-groups", "jira users")];
    assert_eq!(namespaces(&ask(&server, &[&[hub, root][..], &as_alice].concat()).await), ["jira"]);
}

#[tokio::test]
async fn an_api_key_works_while_the_server_runs_until_it_is_revoked() {
    let provider = Provider::start(&[&Signer::p256("one")]).await;
    let server = server(&provider, "algorithms = [\"ES256\"]\n");
    let file = shortlist_server::KeyFile::new(server.home.path().join("keys.json"));
    let (record, key) = file.create("crm", true, None).expect("made");
    with_token(&server, &key).await.problem(401, "unauthenticated");
    server.state.refresh();
    assert_eq!(namespaces(&with_token(&server, &key).await), ["github"]);
    let bearer = format!("Bearer {key}");
    // What the service may see for itself is nothing that it may see for a user.
    let asks = async |more: &[(&str, &str)]| {
        namespaces(&ask(&server, &[&[("authorization", bearer.as_str())], more].concat()).await)
    };
    assert!(asks(&[("x-shortlist-user", "bob")]).await.is_empty());
    assert_eq!(asks(&[("x-shortlist-user", "bob"), ("x-shortlist-groups", "jira users")]).await, ["jira"]);
    file.revoke(&record.id).expect("it is there");
    server.state.refresh();
    with_token(&server, &key).await.problem(401, "unauthenticated");
}
