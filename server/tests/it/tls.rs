//! HTTPS, with certificates of the tests' own authorities and a client that nobody here wrote.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use shortlist_server::{AppState, Settings, Tls, TlsError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{EVERYTHING, SECRET, Server, embedder, home, publish, tool};
use crate::socket::{Running, builder, search, start};

/// An authority, as a client has it.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// Certificate and key of a server on this machine.
    fn pair(&self) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("an address");
        (params.signed_by(&key, &self.issuer).expect("a certificate").pem(), key.serialize_pem())
    }

    fn client(&self, configure: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder) -> reqwest::Client {
        let authority = reqwest::Certificate::from_pem(self.pem.as_bytes()).expect("a certificate");
        // Each request shakes hands anew, so that it sees the certificate of the moment.
        let builder = builder().tls_certs_only([authority]).pool_max_idle_per_host(0);
        configure(builder).build().expect("a client")
    }
}

fn files(folder: &Path) -> (PathBuf, PathBuf) {
    (folder.join("server.pem"), folder.join("server-key.pem"))
}

fn write(folder: &Path, (certificate, key): &(String, String)) {
    let (certificate_file, key_file) = files(folder);
    std::fs::write(certificate_file, certificate).expect("written");
    std::fs::write(key_file, key).expect("written");
}

async fn server(authority: &Authority, handshake: Duration) -> (Server, Running) {
    let home = home(EVERYTHING);
    publish(home.path(), vec![tool("m://mail.send", "Sends a mail.")]);
    write(home.path(), &authority.pair());
    let (certificate, key) = files(home.path());
    let tls = Tls::load(certificate, key).expect("a good pair");
    let configure = |config: &mut shortlist_server::Config| {
        config.tls = Some(tls);
        config.connections.handshake = handshake;
        // Only `refresh` looks.
        config.poll_interval = Duration::from_secs(3_600);
    };
    let server = Server::over(home, configure, embedder());
    let mut running = start(server.state.clone()).await;
    running.url = running.url.replace("http://", "https://");
    (server, running)
}

const LONG: Duration = Duration::from_secs(600);

async fn status(client: &reqwest::Client, running: &Running) -> Option<u16> {
    search(client, &running.url, "send mail").send().await.ok().map(|answer| answer.status().as_u16())
}

async fn refreshed(state: &AppState) {
    let state = state.clone();
    tokio::task::spawn_blocking(move || state.refresh()).await.expect("no panic");
}

#[tokio::test]
async fn a_real_client_speaks_both_versions_of_http_over_tls() {
    let authority = Authority::new();
    let (_server, running) = server(&authority, LONG).await;
    for (client, version) in [
        (authority.client(|builder| builder), reqwest::Version::HTTP_2),
        (authority.client(reqwest::ClientBuilder::http1_only), reqwest::Version::HTTP_11),
    ] {
        let answer = search(&client, &running.url, "send mail").send().await.expect("an answer");
        assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
    }
    assert_eq!(status(&Authority::new().client(|builder| builder), &running).await, None, "another authority");
    let plain = running.url.replace("https://", "http://");
    assert!(crate::socket::client().get(format!("{plain}/livez")).send().await.is_err(), "no HTTP without TLS");
}

#[tokio::test]
async fn a_changed_certificate_is_taken_over_and_a_broken_one_never() {
    let (old, new) = (Authority::new(), Authority::new());
    let (server, running) = server(&old, LONG).await;
    let folder = server.home.path();
    let (of_old, of_new) = (old.client(|builder| builder), new.client(|builder| builder));
    let is_old = async || status(&of_old, &running).await == Some(200) && status(&of_new, &running).await.is_none();
    assert!(is_old().await);

    let (certificate, key) = new.pair();
    let (certificate_file, key_file) = files(folder);
    // The new certificate with the old key, then rubbish, then nothing, then a key that is none.
    std::fs::write(&certificate_file, &certificate).expect("written");
    refreshed(&server.state).await;
    assert!(is_old().await);
    for rubbish in ["rubbish", "", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&certificate_file, rubbish).expect("written");
        refreshed(&server.state).await;
        assert!(is_old().await, "{rubbish}");
    }
    std::fs::remove_file(&certificate_file).expect("it is there");
    refreshed(&server.state).await;
    assert!(is_old().await);
    std::fs::write(&certificate_file, &certificate).expect("written");
    std::fs::write(&key_file, &certificate).expect("written");
    refreshed(&server.state).await;
    assert!(is_old().await);

    write(folder, &(certificate, key));
    refreshed(&server.state).await;
    assert_eq!(status(&of_new, &running).await, Some(200));
    assert_eq!(status(&of_old, &running).await, None);
}

#[tokio::test]
async fn a_handshake_that_does_not_come_holds_nobody_up_and_ends() {
    let authority = Authority::new();
    let (server, running) = server(&authority, Duration::from_secs(2)).await;
    let address = running.url.strip_prefix("https://").expect("an address").to_owned();
    let mut slow = Vec::new();
    // Nothing, the beginning of a handshake, HTTP without TLS, and rubbish.
    for begun in [&b""[..], b"\x16\x03\x01\x02\x00", b"\x16\x03\x01\x02\x00\x01\x00", b""] {
        for _ in 0..8 {
            let mut stream = TcpStream::connect(&address).await.expect("a connection");
            stream.write_all(begun).await.expect("it is taken");
            slow.push(stream);
        }
    }
    let client = authority.client(|builder| builder);
    for _ in 0..5 {
        assert_eq!(status(&client, &running).await, Some(200));
    }
    for mut stream in slow {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
    for rubbish in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xFF; 4_096]] {
        let mut stream = TcpStream::connect(&address).await.expect("a connection");
        let _ = stream.write_all(rubbish).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP"));
    }
    drop(client);
    let patience = crate::harness::Patience::new();
    while server.state.n_connections() > 0 {
        patience.check();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn the_configuration_names_what_is_wrong_with_the_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new();
    let config = folder.path().join("serve.toml");
    std::fs::write(folder.path().join("secret"), SECRET).expect("written");
    std::fs::write(&config, "[tls]\ncertificate_file = \"server.pem\"\nkey_file = \"server-key.pem\"\n")
        .expect("written");
    let error = || Settings::load(&config).expect_err("refused").to_string();
    assert!(error().contains("[tls]: cannot read") && error().contains("server.pem"), "{}", error());
    write(folder.path(), &authority.pair());
    assert!(Settings::load(&config).expect("good").tls.is_some());
    let (certificate, key) = files(folder.path());
    std::fs::write(&key, authority.pair().1).expect("written");
    assert!(error().contains("cannot be used with the key"), "{}", error());
    assert!(matches!(Tls::load(certificate.clone(), key.clone()), Err(TlsError::Pair { .. })));
    std::fs::write(&key, "rubbish").expect("written");
    assert!(error().contains("no private key in PEM"), "{}", error());
    std::fs::write(&certificate, "").expect("written");
    assert!(error().contains("no certificate in PEM"), "{}", error());
}
