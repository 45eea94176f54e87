//! What sources may reach, and the client they reach it with, over real sockets.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Url;
use shortlist_ingest::error::SourceError;
use shortlist_ingest::network::{Client, ClientOptions, Got, Network, NetworkConfig, NetworkError};

use crate::support::{Waits, bearer};
use crate::wire::{Authority, ForwardProxy, Wire, reply};

/// A network that allows these, and knows names by this list: at each question the next addresses, the last ones for ever.
fn network(allow: &[&str], names: &[(&str, &[&[&str]])]) -> Network {
    configured(&NetworkConfig { allow: nets(allow), ..NetworkConfig::default() }, names)
}

fn configured(config: &NetworkConfig, names: &[(&str, &[&[&str]])]) -> Network {
    let parse = |addresses: &&[&str]| -> Vec<IpAddr> {
        addresses.iter().map(|address| address.parse().expect("an address")).collect()
    };
    let known: BTreeMap<String, Mutex<Vec<Vec<IpAddr>>>> = names
        .iter()
        .map(|(name, answers)| ((*name).to_owned(), Mutex::new(answers.iter().rev().map(parse).collect())))
        .collect();
    let lookup = move |name: &str| -> io::Result<Vec<IpAddr>> {
        let answers = known.get(name).ok_or(io::ErrorKind::NotFound)?;
        let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(if answers.len() > 1 { answers.pop() } else { answers.last().cloned() }.unwrap_or_default())
    };
    Network::with_lookup(config, Arc::new(lookup)).expect("a network")
}

fn nets(allow: &[&str]) -> Vec<ipnet::IpNet> {
    allow.iter().map(|net| net.parse().expect("a network")).collect()
}

/// The usual options, without waiting between attempts.
fn options(waits: &Waits) -> ClientOptions {
    ClientOptions { pause: waits.pause(), ..ClientOptions::default() }
}

fn client(network: &Network, base: &str, token: Option<&str>) -> Client {
    let base = Url::parse(base).expect("an address");
    network.client("hub", &base, token.and_then(bearer), options(&Waits::default())).expect("a client")
}

fn get(client: &Client, url: &str) -> Result<Got, SourceError> {
    client.get(&Url::parse(url).expect("an address"), None)
}

fn body(got: Result<Got, SourceError>) -> String {
    match got.expect("an answer") {
        Got::Page { body, .. } => String::from_utf8(body).expect("text"),
        other => format!("{other:?}"),
    }
}

/// The refusal, which is told with the entry of `allow` that would permit the address.
fn refusal(got: Result<Got, SourceError>) -> NetworkError {
    let error = got.expect_err("a refusal");
    assert!(error.to_string().contains("\"hub\""), "{error}");
    match error {
        SourceError::Forbidden { error, .. } => *error,
        other => panic!("{other}"),
    }
}

fn assert_needs(error: &NetworkError, entry: &str) {
    assert!(matches!(error, NetworkError::Address { .. }), "{error}");
    assert!(error.to_string().contains(&format!("add \"{entry}\" to allow under [network]")), "{error}");
}

fn hello() -> Wire {
    Wire::start(|_, to| reply(to, "200 OK", &[], b"hello"))
}

#[test]
fn this_machine_is_reached_only_where_it_is_allowed() {
    let peer = hello();
    let url = Url::parse(&peer.url("/")).expect("an address");
    let refused = Network::public_only().client("hub", &url, None, ClientOptions::default()).map(|_| ());
    assert!(refused.is_err_and(|error| error.to_string().contains("\"127.0.0.1/32\"")));
    assert!(peer.take_asked().is_empty());
    let allowed = network(&["127.0.0.1/32"], &[]);
    assert_eq!(body(get(&client(&allowed, &peer.url("/"), None), &peer.url("/"))), "hello");
}

#[test]
fn a_name_that_leads_elsewhere_the_second_time_is_refused_the_second_time() {
    let peer = hello();
    let network = network(&["127.0.0.0/8"], &[("hub.example", &[&["127.0.0.1"], &["10.0.0.1"]])]);
    let url = peer.url_as("hub.example", "/");
    let client = client(&network, &url, None);
    assert_eq!(body(get(&client, &url)), "hello");
    assert_needs(&refusal(get(&client, &url)), "10.0.0.1/32");
    assert_eq!(peer.take_asked().len(), 1);
}

#[test]
fn one_forbidden_address_refuses_the_whole_name_before_any_connection() {
    let peer = hello();
    for (addresses, entry) in [
        (["127.0.0.1", "10.0.0.1"], "10.0.0.1/32"),
        (["169.254.169.254", "127.0.0.1"], "169.254.169.254/32"),
        (["127.0.0.1", "fd00::1"], "fd00::1/128"),
        (["127.0.0.1", "64:ff9b::a00:1"], "64:ff9b::a00:1/128"),
        (["127.0.0.1", "::ffff:10.0.0.1"], "10.0.0.1/32"),
    ] {
        let network = network(&["127.0.0.0/8"], &[("hub.example", &[&addresses])]);
        let url = peer.url_as("hub.example", "/");
        assert_needs(&refusal(get(&client(&network, &url, None), &url)), entry);
    }
    assert!(peer.take_asked().is_empty());
}

#[test]
fn localhost_is_this_machine_by_whatever_name() {
    for name in ["localhost", "hub.localhost"] {
        let url = Url::parse(&format!("http://{name}:1/")).expect("an address");
        let refused = Network::public_only().check(&url).expect_err("this machine");
        assert_needs(&refused, "127.0.0.1/32");
    }
    // By the system's own resolver.
    let peer = hello();
    let config = NetworkConfig { allow: nets(&["127.0.0.0/8", "::1/128"]), ..NetworkConfig::default() };
    let network = Network::new(&config).expect("a network");
    let url = peer.url_as("localhost", "/");
    assert_eq!(body(get(&client(&network, &url, None), &url)), "hello");
}

#[test]
fn a_redirect_to_a_private_address_is_refused_by_address_and_by_name() {
    let inside = Wire::start_on(Ipv4Addr::new(127, 0, 0, 2), |_, to| reply(to, "200 OK", &[], b"inside"));
    let network = network(&["127.0.0.1/32"], &[("inside.example", &[&["127.0.0.2"]])]);
    for to in [inside.url("/"), inside.url_as("inside.example", "/")] {
        let peer = Wire::start(move |_, answer| reply(answer, "302 Found", &[("Location", &to)], b""));
        assert_needs(&refusal(get(&client(&network, &peer.url("/"), None), &peer.url("/"))), "127.0.0.2/32");
        assert_eq!(peer.take_asked().len(), 1, "a refusal is not tried again");
    }
    assert!(inside.take_asked().is_empty());
}

#[test]
fn credentials_stay_on_their_origin() {
    let other = hello();
    let network = network(&["127.0.0.0/8"], &[("other.example", &[&["127.0.0.1"]])]);
    for to in [other.url("/x"), other.url_as("other.example", "/x")] {
        let peer = Wire::start(move |_, answer| reply(answer, "307 Temporary Redirect", &[("Location", &to)], b""));
        let refused = refusal(get(&client(&network, &peer.url("/"), Some("s3cret")), &peer.url("/")));
        assert!(matches!(refused, NetworkError::OtherOrigin(_)), "{refused}");
        assert!(other.take_asked().is_empty(), "the other host was asked");

        // Without credentials there is nothing to lose, and the redirect is followed.
        assert_eq!(body(get(&client(&network, &peer.url("/"), None), &peer.url("/"))), "hello");
        let asked = other.take_asked();
        assert_eq!((asked.len(), asked[0].header("authorization")), (1, None));
    }
    // Nor does a source get them sent elsewhere by asking for another address itself.
    let home = hello();
    let refused = refusal(get(&client(&network, &home.url("/"), Some("s3cret")), &other.url("/")));
    assert!(matches!(refused, NetworkError::OtherOrigin(_)), "{refused}");
    assert!(other.take_asked().is_empty());
}

#[test]
fn a_redirect_on_the_origin_is_followed_with_credentials_and_not_in_a_circle() {
    let peer = Wire::start(|asked, to| match asked.target.as_str() {
        "/old" => reply(to, "301 Moved Permanently", &[("Location", "/new?a=b")], b""),
        "/circle" => reply(to, "302 Found", &[("Location", "circle")], b""),
        "/nowhere" => reply(to, "302 Found", &[], b""),
        _ => reply(to, "200 OK", &[], b"new"),
    });
    let client = client(&network(&["127.0.0.0/8"], &[]), &peer.url("/"), Some("s3cret"));
    assert_eq!(body(get(&client, &peer.url("/old"))), "new");
    let asked = peer.take_asked();
    assert_eq!(asked[1].target, "/new?a=b");
    assert!(asked.iter().all(|asked| asked.header("authorization") == Some("Bearer s3cret")));
    assert!(matches!(refusal(get(&client, &peer.url("/circle"))), NetworkError::Redirects(5)));
    assert_eq!(peer.take_asked().len(), 6);
    let error = get(&client, &peer.url("/nowhere")).expect_err("no answer");
    assert!(matches!(error, SourceError::Status { status: 302, .. }), "{error}");
}

#[test]
fn a_body_is_bounded_as_it_is_sent_and_as_it_is_unpacked() {
    let packed = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    };
    let (small, bomb) = (packed(b"small"), packed(&vec![b' '; 64 * 1024 * 1024]));
    assert!(bomb.len() < 100_000, "{} bytes unpack to 64 MiB", bomb.len());
    let peer = Wire::start(move |asked, to| match asked.target.as_str() {
        "/said" => write!(to, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"),
        "/endless" => {
            write!(to, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            loop {
                write!(to, "400\r\n{}\r\n", "x".repeat(1_024))?;
            }
        }
        "/exact" => reply(to, "200 OK", &[], &[b'x'; 100_000]),
        "/small" => reply(to, "200 OK", &[("Content-Encoding", "gzip")], &small),
        "/bomb" => reply(to, "200 OK", &[("Content-Encoding", "gzip")], &bomb),
        "/broken" => reply(to, "200 OK", &[("Content-Encoding", "gzip")], &small[..small.len() - 3]),
        _ => reply(to, "200 OK", &[("Content-Encoding", "br")], b"?"),
    });
    let base = Url::parse(&peer.url("/")).expect("an address");
    let options = ClientOptions { bytes_max: 100_000, ..options(&Waits::default()) };
    let client = network(&["127.0.0.0/8"], &[]).client("hub", &base, None, options).expect("a client");
    for path in ["/said", "/endless", "/bomb"] {
        let error = get(&client, &peer.url(path)).expect_err("too large");
        assert!(matches!(error, SourceError::TooLarge { max: 100_000, .. }), "{path}: {error}");
        assert_eq!(peer.take_asked().len(), 1, "{path} is not tried again");
    }
    assert_eq!(body(get(&client, &peer.url("/exact"))).len(), 100_000);
    assert_eq!(body(get(&client, &peer.url("/small"))), "small");
    assert_eq!(peer.take_asked()[1].header("accept-encoding"), Some("gzip"));
    let error = get(&client, &peer.url("/broken")).expect_err("damaged");
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error}");
    assert_eq!(peer.take_asked().len(), 5, "damage on the way may pass");
    let error = get(&client, &peer.url("/brotli")).expect_err("not offered");
    assert!(matches!(error, SourceError::Contract { .. }) && error.to_string().contains("br"), "{error}");
}

#[test]
fn an_answer_that_drips_is_not_waited_for() {
    // A byte now and then, in the head or in the body: each read is quick, and the whole never ends.
    let peer = Wire::start(|asked, to| {
        if asked.target == "/body" {
            write!(to, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")?;
        } else {
            write!(to, "HTTP/1.1 200 OK\r\nX-Slow: ")?;
        }
        loop {
            to.write_all(b"x")?;
            to.flush()?;
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let base = Url::parse(&peer.url("/")).expect("an address");
    let waits = Waits::default();
    let options = ClientOptions { timeout: Duration::from_millis(200), ..options(&waits) };
    let client = network(&["127.0.0.0/8"], &[]).client("hub", &base, None, options).expect("a client");
    for path in ["/head", "/body"] {
        let error = get(&client, &peer.url(path)).expect_err("it never ends").to_string();
        assert!(error.contains("not complete after 200ms"), "{error}");
        assert_eq!(waits.take().len(), 4, "{path}");
    }
}

#[test]
fn a_server_that_asks_for_patience_gets_it_within_reason() {
    let n_asked = Arc::new(AtomicUsize::new(0));
    let retry_after = Arc::new(Mutex::new(Vec::<String>::new()));
    let peer = {
        let (n_asked, retry_after) = (Arc::clone(&n_asked), Arc::clone(&retry_after));
        Wire::start(move |_, to| {
            let n = n_asked.fetch_add(1, Ordering::Relaxed);
            let told = retry_after.lock().unwrap_or_else(PoisonError::into_inner).get(n).cloned();
            let date = ("Date", "Tue, 14 Nov 2023 22:13:20 GMT");
            match told {
                Some(told) => reply(to, "429 Too Many Requests", &[("Retry-After", &told), date], b""),
                None => reply(to, "200 OK", &[], b"at last"),
            }
        })
    };
    let base = Url::parse(&peer.url("/")).expect("an address");
    let waits = Waits::default();
    let client = network(&["127.0.0.0/8"], &[]).client("hub", &base, None, options(&waits)).expect("a client");
    let plan = |told: &[&str]| {
        n_asked.store(0, Ordering::Relaxed);
        *retry_after.lock().unwrap_or_else(PoisonError::into_inner) =
            told.iter().map(|&told| told.to_owned()).collect();
        waits.take()
    };
    // Seconds, and a date: half a minute after the server's own.
    plan(&["7", "Tue, 14 Nov 2023 22:13:50 GMT"]);
    assert_eq!(body(client.get(&base, None)), "at last");
    let waited = waits.take();
    assert_eq!(waited.len(), 2);
    assert!((7.0..=7.7).contains(&waited[0]) && (30.0..=33.0).contains(&waited[1]), "{waited:?}");

    // A storm: every answer asks for two minutes more. The patience ends before the attempts do.
    plan(&["120"; 9]);
    let error = client.get(&base, None).expect_err("a storm");
    assert!(matches!(error, SourceError::Status { status: 429, .. }), "{error}");
    assert!(error.to_string().contains("120 seconds"), "{error}");
    assert_eq!(waits.take().len(), 2);

    // More than anybody waits for in a pass: left to the next one.
    plan(&["86400"]);
    let error = client.get(&base, None).expect_err("tomorrow");
    assert!(error.to_string().contains("86400 seconds"), "{error}");
    assert!(waits.take().is_empty());
}

#[test]
fn a_certificate_of_the_companys_own_is_trusted_where_it_is_named() {
    let authority = Authority::new();
    let peer = Wire::start_tls(authority.server("hub.example"), |_, to| reply(to, "200 OK", &[], b"encrypted"));
    let names: &[(&str, &[&[&str]])] = &[("hub.example", &[&["127.0.0.1"]]), ("other.example", &[&["127.0.0.1"]])];
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, authority.pem()).expect("a file");
    let url = peer.url_as("hub.example", "/");

    let stranger = network(&["127.0.0.0/8"], names);
    let error = get(&client(&stranger, &url, Some("s3cret")), &url).expect_err("an unknown authority");
    assert!(error.to_string().contains("certificate"), "{error}");
    assert!(peer.take_asked().is_empty());

    let config = NetworkConfig { allow: nets(&["127.0.0.0/8"]), ca_file: Some(ca_file), ..NetworkConfig::default() };
    let company = configured(&config, names);
    assert_eq!(body(get(&client(&company, &url, Some("s3cret")), &url)), "encrypted");
    assert_eq!(peer.take_asked()[0].header("authorization"), Some("Bearer s3cret"));
    let wrong = peer.url_as("other.example", "/");
    let error = get(&client(&company, &wrong, Some("s3cret")), &wrong).expect_err("a certificate of another name");
    assert!(error.to_string().contains("certificate"), "{error}");
    assert!(peer.take_asked().is_empty());

    // Who began encrypted does not end in the clear.
    let plain = hello();
    let to = plain.url_as("other.example", "/");
    let peer = Wire::start_tls(authority.server("hub.example"), move |_, answer| {
        reply(answer, "302 Found", &[("Location", &to)], b"")
    });
    let url = peer.url_as("hub.example", "/");
    let refused = refusal(get(&client(&company, &url, None), &url));
    assert!(matches!(refused, NetworkError::Downgrade(_)), "{refused}");
    assert!(plain.take_asked().is_empty());
}

#[test]
fn a_proxy_resolves_names_and_forwards_both_schemes() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, authority.pem()).expect("a file");
    // Nobody on this side knows the hub, and the proxy itself stands at an address that no source may reach.
    let through = |proxy: &ForwardProxy| {
        let config = NetworkConfig {
            // Neither the blank nor the letter is of an address as it is sent.
            proxy: Some(format!(" http://me:pr^0xy@proxy.example:{}", proxy.address.port())),
            ca_file: Some(ca_file.clone()),
            ..NetworkConfig::default()
        };
        configured(&config, &[("proxy.example", &[&["127.0.0.1"]])])
    };

    let peer = hello();
    let proxy = ForwardProxy::start(peer.address);
    let network = through(&proxy);
    let url = "http://hub.example/catalog";
    assert_eq!(body(get(&client(&network, url, None), url)), "hello");
    let asked = proxy.take_asked();
    assert_eq!((asked[0].method.as_str(), asked[0].target.as_str()), ("GET", url));
    assert_eq!(asked[0].header("proxy-authorization"), Some("Basic bWU6cHJeMHh5"));

    // A literal address is checked all the same, and the proxy's own name is not a source's to reach.
    for url in ["http://10.0.0.1/", "https://169.254.169.254/latest/", "http://[fd00::1]/"] {
        let refused = network.check(&Url::parse(url).expect("an address"));
        assert!(matches!(refused, Err(NetworkError::Address { .. })), "{url}");
    }
    assert!(proxy.take_asked().is_empty());

    let peer = Wire::start_tls(authority.server("hub.example"), |_, to| reply(to, "200 OK", &[], b"encrypted"));
    let proxy = ForwardProxy::start(peer.address);
    let network = through(&proxy);
    let url = "https://hub.example/catalog";
    assert_eq!(body(get(&client(&network, url, Some("s3cret")), url)), "encrypted");
    let asked = proxy.take_asked();
    assert_eq!((asked[0].method.as_str(), asked[0].target.as_str()), ("CONNECT", "hub.example:443"));
    assert_eq!(asked[0].header("proxy-authorization"), Some("Basic bWU6cHJeMHh5"));
    assert_eq!(asked[0].header("authorization"), None, "the proxy sees no credentials of the hub's");
    let asked = peer.take_asked();
    assert_eq!(asked[0].header("authorization"), Some("Bearer s3cret"));
    assert_eq!(asked[0].header("proxy-authorization"), None, "the hub sees none of the proxy's");
}

#[test]
fn a_proxy_that_is_no_address_is_refused_without_its_password() {
    let schemes = ["socks5://me:pr0xy@proxy.example", "ftp://me:pr0xy@proxy.example"];
    for proxy in ["proxy example", "http://me:pr0xy@prox{y.example"].into_iter().chain(schemes) {
        let config = NetworkConfig { proxy: Some(proxy.to_owned()), ..NetworkConfig::default() };
        let error = Network::new(&config).map(|_| ()).expect_err("no proxy").to_string();
        assert!(error.contains("proxy of [network]") && !error.contains("pr0xy@"), "{error}");
    }
}

#[test]
fn clients_of_other_libraries_are_held_to_the_same_rules() {
    let inside = hello();
    let to = inside.url_as("other.example", "/");
    let peer = Wire::start(move |asked, answer| match asked.target.as_str() {
        "/away" => reply(answer, "302 Found", &[("Location", &to)], b""),
        _ => reply(answer, "200 OK", &[], b"hello"),
    });
    let names: &[(&str, &[&[&str]])] = &[("hub.example", &[&["127.0.0.1"]]), ("other.example", &[&["127.0.0.1"]])];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let ask = |network: &Network, path: &str| {
        let url = Url::parse(&peer.url_as("hub.example", path)).expect("an address");
        let client = network.async_client("hub", &url)?.build().expect("a client");
        let answer = runtime.block_on(async { client.get(url).send().await?.text().await });
        Ok::<_, SourceError>(answer.map_err(|error| format!("{error:?}")))
    };
    assert_eq!(ask(&network(&["127.0.0.0/8"], names), "/").expect("a client"), Ok("hello".to_owned()));
    let refused = ask(&network(&[], names), "/").expect("a client").expect_err("a private address");
    assert!(refused.contains("127.0.0.1"), "{refused}");
    let refused = ask(&network(&["127.0.0.0/8"], names), "/away").expect("a client").expect_err("another host");
    assert!(refused.contains("OtherOrigin"), "{refused}");
    assert!(inside.take_asked().is_empty());
    let literal = Url::parse(&peer.url("/")).expect("an address");
    assert!(matches!(Network::public_only().async_client("hub", &literal), Err(SourceError::Forbidden { .. })));
}

const PROXIED: &str = "SHORTLIST_TEST_NETWORK_PROXIED";
const DIRECT: &str = "SHORTLIST_TEST_NETWORK_DIRECT";

/// The child of the test below. As an ordinary test it does nothing.
#[test]
fn child() {
    let variable = |name| std::env::var(name).ok();
    let (Some(proxied), Some(direct)) = (variable(PROXIED), variable(DIRECT)) else { return };
    let network = network(&["127.0.0.0/8"], &[("direct.example", &[&["127.0.0.1"]])]);
    assert_eq!(body(get(&client(&network, &proxied, None), &proxied)), "hello");
    assert_eq!(body(get(&client(&network, &direct, None), &direct)), "hello");
    let encrypted = "https://hub.example/catalog";
    let refused = refusal(get(&client(&network, encrypted, None), encrypted));
    assert!(matches!(refused, NetworkError::Config { key: "proxy", .. }), "{refused}");
    assert!(!refused.to_string().contains("pr^0xy"), "{refused}");
}

#[test]
fn the_environments_proxy_is_used_but_for_what_it_excepts() {
    let peer = hello();
    let proxy = ForwardProxy::start(peer.address);
    let ended = std::process::Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "network::child", "--nocapture", "--test-threads=1"])
        .env(PROXIED, "http://hub.example/catalog")
        .env(DIRECT, peer.url_as("direct.example", "/"))
        .env("HTTP_PROXY", format!("http://127.0.0.1:{}", proxy.address.port()))
        .env("HTTPS_PROXY", "http://me:pr^0xy@127.0.0.1:1")
        .env("NO_PROXY", "direct.example")
        .output()
        .expect("a child");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let targets: Vec<String> = proxy.take_asked().into_iter().map(|asked| asked.target).collect();
    assert_eq!(targets, ["http://hub.example/catalog"]);
    assert_eq!(peer.take_asked().len(), 2);
}
