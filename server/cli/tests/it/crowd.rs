//! 32 slow or broken clients at once, and a good one that notices nothing.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use reqwest::blocking::Client;
use serde_json::{Value, json};

use crate::program::{Program, crosscheck};
use crate::serve::{SECRET, Server, eventually};

const N_CLIENTS: usize = 32;
/// What the good client asks for in a round.
const N_ASKED: usize = 40;
const ROUNDS: usize = 5;
/// By how much the server may grow after the first round. It is some hundred bytes for each connection, were they kept.
const GROWTH_KB_MAX: usize = 64 * 1024;

/// One misbehaviour, once.
type Misbehaves = fn(TcpStream, &mut fastrand::Rng, &AtomicBool) -> std::io::Result<()>;

const KINDS: [Misbehaves; 8] =
    [slow_head, slow_body, half_closed, rubbish, rubbish_of_tls, idle, never_reads, leaves_in_the_middle];

fn head(more: &str) -> String {
    format!(
        "POST /v1/search_tools HTTP/1.1\r\nhost: here\r\nx-shortlist-secret: {SECRET}\r\nx-shortlist-user: mallory\r\n\
         content-type: application/json\r\n{more}\r\n"
    )
}

fn request() -> String {
    let body = json!({ "query": "create an issue", "limit": 50, "detail": "full" }).to_string();
    head(&format!("content-length: {}\r\n", body.len())) + &body
}

/// Byte after byte, with pauses, until the server has enough or the test has.
fn drip(mut stream: TcpStream, done: &AtomicBool) -> std::io::Result<()> {
    while !done.load(Ordering::SeqCst) {
        stream.write_all(b"x")?;
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn slow_head(mut stream: TcpStream, _: &mut fastrand::Rng, done: &AtomicBool) -> std::io::Result<()> {
    stream.write_all(b"POST /v1/search_tools HTTP/1.1\r\nx: ")?;
    drip(stream, done)
}

fn slow_body(mut stream: TcpStream, _: &mut fastrand::Rng, done: &AtomicBool) -> std::io::Result<()> {
    stream.write_all(head("content-length: 60000\r\n").as_bytes())?;
    drip(stream, done)
}

fn half_closed(mut stream: TcpStream, _: &mut fastrand::Rng, _: &AtomicBool) -> std::io::Result<()> {
    stream.write_all(request().as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    stream.read_to_end(&mut Vec::new()).map(drop)
}

fn rubbish(mut stream: TcpStream, rng: &mut fastrand::Rng, _: &AtomicBool) -> std::io::Result<()> {
    // Some of it begins like HTTP/2.
    let begin: &[u8] = if rng.bool() { b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" } else { b"" };
    let bytes: Vec<u8> = (0..4_096).map(|_| rng.u8(..)).collect();
    stream.write_all(begin)?;
    stream.write_all(&bytes)?;
    stream.read_to_end(&mut Vec::new()).map(drop)
}

fn rubbish_of_tls(mut stream: TcpStream, rng: &mut fastrand::Rng, _: &AtomicBool) -> std::io::Result<()> {
    let mut bytes = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec();
    bytes.extend((0..rng.usize(0..600)).map(|_| rng.u8(..)));
    stream.write_all(&bytes)?;
    stream.shutdown(Shutdown::Write)?;
    stream.read_to_end(&mut Vec::new()).map(drop)
}

fn idle(stream: TcpStream, _: &mut fastrand::Rng, done: &AtomicBool) -> std::io::Result<()> {
    let address = stream.peer_addr()?;
    let more: Vec<TcpStream> = (0..8).filter_map(|_| TcpStream::connect(address).ok()).collect();
    while !done.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(more);
    Ok(())
}

fn never_reads(mut stream: TcpStream, _: &mut fastrand::Rng, done: &AtomicBool) -> std::io::Result<()> {
    stream.set_write_timeout(Some(Duration::from_millis(200)))?;
    let request = request();
    // Until the server takes no more.
    while !done.load(Ordering::SeqCst) && stream.write_all(request.as_bytes()).is_ok() {}
    while !done.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn leaves_in_the_middle(mut stream: TcpStream, rng: &mut fastrand::Rng, _: &AtomicBool) -> std::io::Result<()> {
    stream.write_all(request().as_bytes())?;
    let mut some = vec![0; rng.usize(0..600)];
    stream.read_exact(&mut some)
}

/// All of them misbehave, again and again, while the good client asks.
fn round(server: &Server, address: &str, client: &Client, seed: u64) {
    let done = AtomicBool::new(false);
    let n_begun: Vec<AtomicUsize> = (0..N_CLIENTS).map(|_| AtomicUsize::new(0)).collect();
    std::thread::scope(|scope| {
        for (n, n_begun) in n_begun.iter().enumerate() {
            let (done, mut rng) = (&done, fastrand::Rng::with_seed(seed * 1_000 + n as u64));
            scope.spawn(move || {
                while !done.load(Ordering::SeqCst) {
                    // It ends with whatever the server makes of it; there is always a next one.
                    if let Ok(stream) = TcpStream::connect(address) {
                        let _ = stream.set_read_timeout(Some(Duration::from_millis(500)));
                        n_begun.fetch_add(1, Ordering::SeqCst);
                        let _ = KINDS[n % KINDS.len()](stream, &mut rng, done);
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
        }
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually("the crowd", || n_begun.iter().all(|n| n.load(Ordering::SeqCst) > 0));
            for n in 0..N_ASKED {
                let request = client.post(format!("{}/v1/search_tools", server.base));
                let request = request.header("x-shortlist-user", "alice").header("x-shortlist-secret", SECRET);
                let answer = request.json(&json!({ "query": "create an issue" })).send().expect("an answer");
                assert_eq!(answer.status().as_u16(), 200, "request {n}");
                assert!(answer.json::<Value>().expect("JSON")["hits"][0]["ref"].is_string());
            }
        }));
        // The others must be told before the scope waits for them.
        done.store(true, Ordering::SeqCst);
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
}

fn n_sockets(server: &Server) -> usize {
    let files = std::fs::read_dir(format!("/proc/{}/fd", server.child.id())).expect("it runs");
    let targets = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

fn resident_kb(server: &Server) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// The crowd comes, round after round; what it took is given back after each.
fn crowd(server: &Server, client: &Client) {
    let address = server.base.split_once("://").expect("an address").1.to_owned();
    let before = n_sockets(server);
    let mut resident_after_one = 0;
    for n in 0..ROUNDS {
        round(server, &address, client, n as u64);
        // The good client keeps its own connection.
        eventually("the end of the crowd's connections", || n_sockets(server) <= before + 1);
        if n == 0 {
            resident_after_one = resident_kb(server);
        }
    }
    let grown = resident_kb(server).saturating_sub(resident_after_one);
    assert!(grown <= GROWTH_KB_MAX, "{grown} kB more than after the first round");
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

fn program() -> Program {
    let program = Program::new();
    let tools = crosscheck().join("tools.jsonl");
    program.json(&["sync", "--json", "--jsonl", &format!("test={}", tools.display())]);
    let policy = "[[rule]]\neffect = \"allow\"\nto = [\"everyone\"]\nrefs = [\"*\"]\n";
    std::fs::write(program.home().join("policy.toml"), policy).expect("written");
    program
}

#[test]
fn thirty_two_slow_or_broken_clients_harm_nobody_else() {
    let program = program();
    let server = Server::start_with(&program, &[], &[]);
    crowd(&server, &server.client);
}

#[test]
fn thirty_two_slow_or_broken_clients_harm_nobody_over_tls_either() {
    let program = program();
    let (authority_key, key) = (KeyPair::generate().expect("a key"), KeyPair::generate().expect("a key"));
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&authority_key).expect("a certificate").pem();
    let issuer = Issuer::new(params, authority_key);
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("an address");
    program.write("server.pem", &params.signed_by(&key, &issuer).expect("a certificate").pem());
    program.write("server-key.pem", &key.serialize_pem());
    let config = "[gateway]\npeers = [\"127.0.0.1\"]\n\n\
                  [tls]\ncertificate_file = \"server.pem\"\nkey_file = \"server-key.pem\"\n";
    let config = program.write("serve.toml", config);
    let mut server = Server::start_with(&program, &["--config", config.to_str().expect("UTF-8")], &[]);
    server.base = server.base.replace("http://", "https://");
    let authority = reqwest::Certificate::from_pem(authority.as_bytes()).expect("a certificate");
    let client = Client::builder().no_proxy().tls_certs_only([authority]).build().expect("a client");
    crowd(&server, &client);
}
