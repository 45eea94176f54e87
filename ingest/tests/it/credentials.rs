//! How a source proves who it is, against servers that check.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Url;
use shortlist_ingest::error::SourceError;
use shortlist_ingest::network::{
    Auth, Client, ClientAuth, ClientCredentials, ClientOptions, Got, Network, Secret, Token,
};
use shortlist_ingest::testing::loopback;

use crate::support::Waits;
use crate::wire::{Asked, Wire, reply};

/// A catalog that wants this token, which may change.
fn catalog(wanted: &Arc<Mutex<String>>) -> Wire {
    let wanted = Arc::clone(wanted);
    Wire::start(move |asked, to| {
        let wanted = format!("Bearer {}", wanted.lock().unwrap_or_else(PoisonError::into_inner));
        match asked.header("authorization") == Some(wanted.as_str()) {
            true => reply(to, "200 OK", &[], b"catalog"),
            false => reply(to, "401 Unauthorized", &[], b""),
        }
    })
}

/// A token server that gives `token-1`, `token-2`, …, and a catalog that takes the newest one.
struct Pair {
    tokens: Wire,
    catalog: Wire,
    wanted: Arc<Mutex<String>>,
}

impl Pair {
    fn start(expires_in: &'static str) -> Self {
        let wanted = Arc::new(Mutex::new("none".to_owned()));
        let (n_given, newest) = (AtomicUsize::new(0), Arc::clone(&wanted));
        let tokens = Wire::start(move |_, to| {
            let token = format!("token-{}", n_given.fetch_add(1, Ordering::Relaxed) + 1);
            newest.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&token);
            let body = format!("{{\"access_token\":\"{token}\",\"token_type\":\"bearer\"{expires_in}}}");
            reply(to, "200 OK", &[("Content-Type", "application/json")], body.as_bytes())
        });
        Self { tokens, catalog: catalog(&wanted), wanted }
    }

    fn client(&self, change: impl FnOnce(&mut ClientCredentials)) -> Client {
        let mut credentials = credentials(&self.tokens);
        change(&mut credentials);
        client(&loopback(), &self.catalog, Auth::ClientCredentials(credentials)).expect("a client")
    }

    fn asks(&self) -> Vec<Asked> {
        self.tokens.take_asked()
    }
}

fn credentials(tokens: &Wire) -> ClientCredentials {
    ClientCredentials {
        token_url: Url::parse(&tokens.url("/oauth/token")).expect("an address"),
        client_id: "shortlist".to_owned(),
        client_secret: Secret::Fixed(Token::new("s3cret").expect("a secret")),
        scope: Some("catalog.read actions.read".to_owned()),
        audience: None,
        client_auth: ClientAuth::Basic,
    }
}

fn client(network: &Network, catalog: &Wire, auth: Auth) -> Result<Client, SourceError> {
    let base = Url::parse(&catalog.url("/")).expect("an address");
    let options = ClientOptions { pause: Waits::default().pause(), ..ClientOptions::default() };
    network.client("hub", &base, Some(auth), options)
}

fn get(client: &Client, catalog: &Wire) -> Result<Got, SourceError> {
    client.get(&Url::parse(&catalog.url("/")).expect("an address"), None)
}

fn failure(got: Result<Got, SourceError>) -> String {
    let error = got.expect_err("a failure").to_string();
    assert!(!error.contains("s3cret") && !error.contains("token-"), "a secret in {error}");
    error
}

#[test]
fn a_token_is_asked_for_once_and_used_until_it_ends() {
    let pair = Pair::start(",\"expires_in\":3600");
    let client = pair.client(|_| ());
    for _ in 0..3 {
        assert!(get(&client, &pair.catalog).is_ok());
    }
    let asks = pair.asks();
    assert_eq!(asks.len(), 1);
    assert_eq!((asks[0].method.as_str(), asks[0].target.as_str()), ("POST", "/oauth/token"));
    assert_eq!(asks[0].header("authorization"), Some("Basic c2hvcnRsaXN0OnMzY3JldA=="));
    assert_eq!(asks[0].header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(asks[0].body, "grant_type=client_credentials&scope=catalog.read+actions.read");

    // One that has ended is replaced before it is refused: the catalog never saw it twice.
    let pair = Pair::start(",\"expires_in\":\"0\"");
    let client = pair.client(|_| ());
    for _ in 0..3 {
        assert!(get(&client, &pair.catalog).is_ok());
    }
    assert_eq!(pair.asks().len(), 3);
    assert_eq!(pair.catalog.take_asked().len(), 3);
}

#[test]
fn a_token_that_is_revoked_is_replaced_once() {
    let pair = Pair::start("");
    let client = pair.client(|_| ());
    assert!(get(&client, &pair.catalog).is_ok());
    *pair.wanted.lock().unwrap_or_else(PoisonError::into_inner) = "another".to_owned();
    assert!(get(&client, &pair.catalog).is_ok(), "the newest token is taken");
    assert_eq!((pair.asks().len(), pair.catalog.take_asked().len()), (2, 3));

    // A catalog that takes none is asked twice and no more.
    let nobody = catalog(&Arc::new(Mutex::new("nobody's".to_owned())));
    let client =
        self::client(&loopback(), &nobody, Auth::ClientCredentials(credentials(&pair.tokens))).expect("a client");
    assert!(failure(get(&client, &nobody)).contains("401"));
    assert_eq!((pair.asks().len(), nobody.take_asked().len()), (2, 2));
}

#[test]
fn the_secret_may_be_shown_in_the_form_and_the_audience_named() {
    let pair = Pair::start(",\"expires_in\":60");
    let client = pair.client(|credentials| {
        credentials.client_auth = ClientAuth::Post;
        credentials.scope = None;
        credentials.audience = Some("https://hub.example/api".to_owned());
    });
    assert!(get(&client, &pair.catalog).is_ok());
    let asks = pair.asks();
    assert_eq!(asks[0].header("authorization"), None);
    let expected = "grant_type=client_credentials&audience=https%3A%2F%2Fhub.example%2Fapi\
                    &client_id=shortlist&client_secret=s3cret";
    assert_eq!(asks[0].body, expected);
}

#[test]
fn what_a_token_server_answers_instead_is_told_without_secrets() {
    let catalog = catalog(&Arc::new(Mutex::new("none".to_owned())));
    let check = |status: &'static str, body: &'static str, n_asks: usize, part: &str| {
        let tokens = Wire::start(move |_, to| reply(to, status, &[], body.as_bytes()));
        let auth = Auth::ClientCredentials(credentials(&tokens));
        let client = client(&loopback(), &catalog, auth).expect("a client");
        let error = failure(get(&client, &catalog));
        assert!(error.contains(part) && error.contains("/oauth/token"), "{error}");
        assert_eq!(tokens.take_asked().len(), n_asks, "{status}");
    };
    let quoting = "{\"error\":\"invalid_client\",\"error_description\":\"the secret s3cret is wrong\"}";
    check("401 Unauthorized", quoting, 1, "\"invalid_client\"");
    check("400 Bad Request", "{\"error\":\"the s3cret was wrong\"}", 1, "400");
    check("400 Bad Request", "<html>", 1, "400");
    check("302 Found", "", 1, "302");
    check("503 Service Unavailable", "", 5, "503");
    check("200 OK", "{\"access_token\":\"token-1 s3cret\"}", 1, "token_type");
    check("200 OK", "{\"access_token\":\"token-1\",\"token_type\":\"mac\"}", 1, "Bearer");
    check("200 OK", "{\"access_token\":\" \",\"token_type\":\"Bearer\"}", 1, "empty");
    assert!(catalog.take_asked().is_empty());
}

#[test]
fn the_token_server_is_held_to_the_rules_of_every_address() {
    let catalog = catalog(&Arc::new(Mutex::new("none".to_owned())));
    let at = |token_url: &str| {
        let tokens = Wire::start(|_, _| Err(io::ErrorKind::Other.into()));
        let token_url = Url::parse(token_url).expect("an address");
        let auth = Auth::ClientCredentials(ClientCredentials { token_url, ..credentials(&tokens) });
        client(&loopback(), &catalog, auth).map(|_| ()).map_err(|error| error.to_string())
    };
    assert!(at("https://10.0.0.1/token").is_err_and(|error| error.contains("\"10.0.0.1/32\"")));
    assert!(at("http://id.example/token").is_err_and(|error| error.contains("unencrypted")));
    assert!(at("https://me:s3cret@id.example/token").is_err_and(|error| !error.contains("s3cret")));
    assert_eq!(at("https://id.example/token"), Ok(()));
}

#[test]
fn a_token_file_that_was_replaced_is_read_again_when_the_old_token_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("token");
    std::fs::write(&file, "token-a\n").expect("a file");
    let wanted = Arc::new(Mutex::new("token-a".to_owned()));
    let catalog = catalog(&wanted);
    let client = client(&loopback(), &catalog, Auth::Bearer(Secret::File(file.clone()))).expect("a client");
    assert!(get(&client, &catalog).is_ok());
    std::fs::write(&file, "token-b\n").expect("a file");
    assert!(get(&client, &catalog).is_ok(), "the old one is still good");
    *wanted.lock().unwrap_or_else(PoisonError::into_inner) = "token-b".to_owned();
    catalog.take_asked();
    assert!(get(&client, &catalog).is_ok());
    assert_eq!(catalog.take_asked().len(), 2);
    // The file says nothing new, so the refusal stands.
    *wanted.lock().unwrap_or_else(PoisonError::into_inner) = "token-c".to_owned();
    assert!(failure(get(&client, &catalog)).contains("401"));
    assert_eq!(catalog.take_asked().len(), 1);
    std::fs::remove_file(&file).expect("a file");
    assert!(failure(get(&client, &catalog)).contains("cannot read"));
}

#[test]
fn a_secret_file_that_cannot_be_one_is_refused_before_anything_is_sent() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let catalog = catalog(&Arc::new(Mutex::new("none".to_owned())));
    let empty = folder.path().join("empty");
    std::fs::write(&empty, " \n").expect("a file");
    let large = folder.path().join("large");
    std::fs::write(&large, "x".repeat(100_000)).expect("a file");
    for path in [folder.path().join("absent"), folder.path().to_owned(), empty, large, "/dev/zero".into()] {
        let opened = client(&loopback(), &catalog, Auth::Bearer(Secret::File(path.clone()))).map(|_| ());
        let error = opened.expect_err("no secret");
        assert!(matches!(error, SourceError::Credentials { .. }), "{error}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
    assert!(catalog.take_asked().is_empty());
}

#[test]
fn a_minted_token_is_made_for_each_request() {
    let n_made = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&n_made);
    let mint = move || match counter.fetch_add(1, Ordering::Relaxed) {
        2 => Err("the key is gone".to_owned()),
        n => Token::new(&format!("token-{n}")).ok_or_else(String::new),
    };
    let peer = Wire::start(|asked, to| match asked.target.as_str() {
        "/no" => reply(to, "401 Unauthorized", &[], b""),
        _ => reply(to, "200 OK", &[], b""),
    });
    let client = client(&loopback(), &peer, Auth::Minted(Box::new(mint))).expect("a client");
    assert!(get(&client, &peer).is_ok());
    assert!(failure(client.get(&Url::parse(&peer.url("/no")).expect("an address"), None)).contains("401"));
    let sent: Vec<_> =
        peer.take_asked().iter().filter_map(|asked| asked.header("authorization").map(str::to_owned)).collect();
    assert_eq!(sent, ["Bearer token-0", "Bearer token-1"]);
    assert!(failure(get(&client, &peer)).contains("the key is gone"));
    assert_eq!(n_made.load(Ordering::Relaxed), 3);
}
