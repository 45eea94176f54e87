//! `shortlist serve` with a real identity provider whose keys rotate while requests run, and `shortlist keys`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use shortlist_ingest::testing::{Node, Peer, python};

use crate::program::{Program, tool};
use crate::serve::Server;

/// How often the provider's keys rotate while requests run.
const ROTATIONS: usize = 8;
/// How long anything here may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// An identity provider on this machine.
struct Provider {
    peer: Peer,
    client: Client,
}

impl Provider {
    fn start() -> Self {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let assets = std::env::var_os("SHORTLIST_ASSETS").map_or(crates.join("data/assets"), PathBuf::from);
        let interpreter =
            python(&assets, &crates.join("ingest/tests/peers/node.txt")).expect("pip can install Node.js");
        let pins = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/identity");
        let node = Node::install(&assets, &interpreter, &pins).expect("npm can install the provider");
        let module = node.file("oauth2-mock-server/dist/index.mjs");
        let peer = Peer::listening(|port| {
            let mut command = Command::new(node.program());
            command.arg(pins.join("provider.mjs")).arg(&module).arg(port.to_string());
            command
        });
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().build().expect("a client");
        let this = Self { peer: peer.expect("it starts"), client };
        // It listens before it has its address.
        eventually("the provider", || this.document()["issuer"] == this.peer.base_url());
        this
    }

    fn document(&self) -> Value {
        let url = format!("{}/.well-known/openid-configuration", self.peer.base_url());
        self.client.get(url).send().and_then(Response::json).unwrap_or_default()
    }

    /// A token for this audience with these claims.
    fn token(&self, audience: &str, claims: &Value) -> String {
        let claims = claims.to_string();
        let form = [("grant_type", "client_credentials"), ("aud", audience), ("claims", &claims)];
        let body: String = form.map(|(name, value)| format!("{name}={}", encoded(value))).join("&");
        let request = self.client.post(format!("{}/token", self.peer.base_url())).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer: Value = request.send().expect("an answer").json().expect("JSON");
        answer["access_token"].as_str().expect("a token").to_owned()
    }

    fn post(&self, path: &str) {
        let answer = self.client.post(format!("{}/{path}", self.peer.base_url())).send().expect("an answer");
        assert!(answer.status().is_success());
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A home with two tools, and a policy that lets Alice see one of them and the service `crm` the other.
fn program() -> Program {
    let program = Program::new();
    program
        .sync(&[tool("github", "create_issue", "Creates an issue."), tool("jira", "close_issue", "Closes an issue.")]);
    let rule = |to: &str, namespace: &str| {
        format!("[[rule]]\neffect = \"allow\"\nto = [\"{to}\"]\nnamespaces = [\"{namespace}\"]\n")
    };
    let policy = rule("user:t1/alice", "github") + &rule("service:crm", "jira");
    std::fs::write(program.home().join("policy.toml"), policy).expect("written");
    program
}

fn list(server: &Server, bearer: &str) -> RequestBuilder {
    server.client.post(format!("{}/v1/list_namespaces", server.base)).bearer_auth(bearer).json(&json!({}))
}

/// The namespaces that somebody sees, or the status of a refusal.
fn namespaces(server: &Server, bearer: &str) -> Result<Vec<String>, u16> {
    let answer = list(server, bearer).send().expect("an answer");
    if !answer.status().is_success() {
        return Err(answer.status().as_u16());
    }
    let answer: Value = answer.json().expect("JSON");
    let rows = answer["namespaces"].as_array().expect("a list").iter();
    Ok(rows.map(|row| row["namespace"].as_str().expect("a name").to_owned()).collect())
}

#[test]
fn keys_rotate_while_requests_run_and_no_good_token_is_refused_and_no_bad_one_taken() {
    let (program, provider) = (program(), Provider::start());
    let issuer = provider.peer.base_url();
    let config = program.write(
        "serve.toml",
        &format!(
            "[[issuer]]\nname = \"idp\"\nissuer = \"{issuer}\"\naudience = \"api://shortlist\"\nretry_keys = \"200ms\"\n\
             refresh_keys = \"500ms\"\n\n[limits]\nrequests_per_second = 1000000\nburst = 1000000\n\
             refused_per_second = 1000000\nrefused_burst = 1000000\n"
        ),
    );
    let debug = [("RUST_LOG".to_owned(), "debug".to_owned())];
    let server = Server::start_with(&program, &["--config", config.to_str().expect("UTF-8")], &debug);
    let alice = json!({ "tid": "t1", "oid": "alice" });
    let first = provider.token("api://shortlist", &alice);
    assert_eq!(namespaces(&server, &first), Ok(vec!["github".to_owned()]));

    let (done, n_good, n_bad) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let mut n_met = 0;
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    let token = provider.token("api://shortlist", &alice);
                    assert_eq!(namespaces(&server, &token), Ok(vec!["github".to_owned()]));
                    n_good.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                let good = provider.token("api://shortlist", &alice);
                let (message, signature) = good.rsplit_once('.').expect("three parts");
                let bob = provider.token("api://shortlist", &json!({ "tid": "t1", "oid": "bob" }));
                let (other, _) = bob.rsplit_once('.').expect("three parts");
                let bad = [
                    format!("{other}.{signature}"),
                    format!("{message}."),
                    provider.token("api://other", &alice),
                    provider.token("api://shortlist", &json!({ "tid": "t1", "oid": "alice", "exp": 1 })),
                    provider
                        .token("api://shortlist", &json!({ "tid": "t1", "oid": "alice", "iss": "http://x.example" })),
                    provider.token("api://shortlist", &json!({ "tid": "t1", "oid": "alice", "hasgroups": true })),
                ];
                for token in &bad {
                    assert_eq!(namespaces(&server, token), Err(401));
                    n_bad.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        for _ in 0..ROTATIONS {
            provider.post("rotate");
            // The new key is met, many times, before the next one comes; or a thread has failed, which ends the rest.
            let (good, bad) = (n_good.load(Ordering::SeqCst) + 6, n_bad.load(Ordering::SeqCst) + 12);
            let until = Instant::now() + PATIENCE;
            let has_met = || n_good.load(Ordering::SeqCst) >= good && n_bad.load(Ordering::SeqCst) >= bad;
            while !has_met() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(10));
            }
            n_met += usize::from(has_met());
        }
        done.store(true, Ordering::SeqCst);
    });
    assert_eq!(n_met, ROTATIONS, "tokens of every key were asked with");
    // Its key is published still, and then no more.
    assert_eq!(namespaces(&server, &first), Ok(vec!["github".to_owned()]));
    provider.post("forget");
    eventually("the end of the old key", || namespaces(&server, &first) == Err(401));
    let last = provider.token("api://shortlist", &alice);
    assert_eq!(namespaces(&server, &last), Ok(vec!["github".to_owned()]));
    // Headers count for nothing where no gateway is configured.
    let request = server.client.post(format!("{}/v1/list_namespaces", server.base)).json(&json!({}));
    let answer = request.header("x-shortlist-user", "t1/alice").header("x-shortlist-secret", crate::serve::SECRET);
    let answer = answer.send().expect("an answer");
    assert_eq!(answer.status().as_u16(), 401);

    let log = server.log();
    assert!(log.contains("keys are here") && log.contains("request without identity"), "{log}");
    let said = answer.text().expect("a body") + &log;
    for token in [&first, &last] {
        for part in token.split('.') {
            assert!(!said.contains(part), "a part of a token is in the log or in an answer");
        }
    }
}

#[test]
fn an_api_key_is_made_used_and_revoked_while_the_server_runs() {
    let program = program();
    let config = program.write("serve.toml", "");
    let config = config.to_str().expect("UTF-8");
    let secret = program.write("secret", crate::serve::SECRET);
    // Neither flag nor file says who could be identified.
    let nobody = program.fail(&["serve", "--config", config, "--secret-file", secret.to_str().expect("UTF-8")]);
    assert!(nobody.contains("shortlist keys create"), "{nobody}");
    let bare = program.fail(&["serve"]);
    assert!(bare.contains("--secret-file"), "{bare}");

    let made = program.json(&["keys", "create", "--service", "crm", "--on-behalf-of", "--expires", "90d", "--json"]);
    let (id, key) = (made["id"].as_str().expect("an id"), made["key"].as_str().expect("a key"));
    assert_eq!(made["expires_unix_s"].as_u64(), made["created_unix_s"].as_u64().map(|made| made + 90 * 24 * 3_600));
    let listed = program.json(&["keys", "--json"]);
    assert_eq!((listed[0]["id"].as_str(), listed[0]["on_behalf_of"].as_bool()), (Some(id), Some(true)));
    assert!(program.succeed(&["keys", "list"]).contains("crm"));
    let hidden = key.strip_prefix(&format!("slk_{id}_")).expect("its id");
    assert!(!std::fs::read_to_string(program.home().join("keys.json")).expect("it is there").contains(hidden));

    let server = Server::start_with(&program, &["--config", config], &[]);
    assert_eq!(namespaces(&server, key), Ok(vec!["jira".to_owned()]));
    let for_alice = list(&server, key).header("x-shortlist-user", "t1/alice").send().expect("an answer");
    assert!(for_alice.text().expect("a body").contains("github"));

    let plain = program.succeed(&["keys", "create", "--service", "crm"]);
    let plain = plain.trim();
    eventually("the new key", || namespaces(&server, plain).is_ok());
    assert_eq!(list(&server, plain).header("x-shortlist-user", "t1/alice").send().expect("an answer").status(), 401);
    program.succeed(&["keys", "revoke", id]);
    eventually("the revocation", || namespaces(&server, key) == Err(401));
    assert_eq!(namespaces(&server, plain), Ok(vec!["jira".to_owned()]));
    assert!(program.fail(&["keys", "revoke", id]).contains("keys list"));
    assert!(program.fail(&["keys", "create", "--service", "a b"]).contains("no name for a service"));
    assert!(!server.log().contains(hidden));
}
