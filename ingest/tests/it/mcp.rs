//! The MCP source against servers that other people wrote: Microsoft's, the protocol's own, and one made with its SDK.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use shortlist_index::Annotations;
use shortlist_ingest::network::Places;
use shortlist_ingest::source::mcp::{Handshake, Mcp, McpConfig};
use shortlist_ingest::source::{Fetched, Record, Source, SourceState};
use shortlist_ingest::sync::Outcome;
use shortlist_ingest::testing::{Peer, loopback};

use crate::support::{Place, peer_file, peer_node, peer_python};

const LONG: Duration = Duration::from_secs(120);

pub fn open(config: &McpConfig) -> Mcp {
    let variable = |name: &str| std::env::var(name).ok();
    let places = Places { folder: Path::new("."), variable: &variable };
    Mcp::new(config, &loopback(), &places).expect("a valid configuration")
}

/// A whole pass.
pub fn read(source: &Mcp) -> (Vec<Record>, SourceState) {
    let mut records = Vec::new();
    match source.fetch(None, &mut |record| records.push(record)) {
        Ok(Fetched::Complete(state)) => (records, state),
        other => panic!("{other:?}"),
    }
}

fn text(path: PathBuf) -> String {
    path.into_os_string().into_string().expect("a path of this repository is text")
}

/// Syncs a server twice: everything that it lists is searchable, under these refs among others, and the second pass has
/// nothing to publish. Gives the number of tools and what the source remembers.
fn sync_twice(source: Mcp, expected: &[&str]) -> (u64, SourceState) {
    let name = source.name().to_owned();
    let place = Place::new();
    let sources: Vec<Box<dyn Source>> = vec![Box::new(source)];
    let first = place.sync(&sources).expect("a pass");
    let report = &first.sources[&name];
    assert_eq!((&report.outcome, report.n_rejected), (&Outcome::Read, 0), "{report:?}");
    assert!(first.published && report.n_ingested == report.n_searchable, "{report:?}");
    let snapshot = place.served().expect("a generation");
    let refs: Vec<String> = snapshot.tools().map(|tool| tool.reference.to_string()).collect();
    assert_eq!(refs.len() as u64, report.n_searchable);
    for reference in expected {
        assert!(refs.iter().any(|known| known == reference), "{reference} is not among {refs:?}");
    }
    assert!(snapshot.tools().all(|tool| tool.provenance.source_type == "mcp_proxy"));
    let state = snapshot.manifest().sources[&name].state.clone();

    let second = place.sync(&sources).expect("a pass");
    assert!(!second.published, "{second:?}");
    assert_eq!(second.sources[&name].n_unchanged, report.n_searchable);
    assert_eq!(second.n_embedded, 0);
    (report.n_searchable, state)
}

fn state(revision: &str, server: &str) -> SourceState {
    BTreeMap::from([("revision".into(), revision.into()), ("server".into(), server.into())])
}

#[test]
fn azure_lists_its_tools() {
    let node = peer_node("mcp-npm");
    let program = [text(node.program().into()), text(node.file("@azure/mcp/index.js"))];
    let command = [program[0].as_str(), program[1].as_str(), "server", "start", "--mode", "all"];
    let mut config = McpConfig::program("azure", &command);
    config.env = BTreeMap::from([("AZURE_MCP_COLLECT_TELEMETRY".to_owned(), "false".to_owned())]);
    let expected = ["azure://azure.subscription_list", "azure://azure.storage_account_create"];
    let (n_tools, state_of_it) = sync_twice(open(&config), &expected);
    assert_eq!(n_tools, AZURE_TOOLS);
    assert_eq!(state_of_it, state("2025-11-25", "Azure MCP Server 2.0.5"));
}

/// As `@azure/mcp` 2.0.5 lists them with every one shown.
const AZURE_TOOLS: u64 = 235;

/// The tools of the protocol's own server that need nothing of a client.
const EVERYTHING: [&str; 3] =
    ["everything://everything.echo", "everything://everything.get-sum", "everything://everything.get-env"];

#[test]
fn everything_lists_its_tools_over_its_standard_output() {
    let node = peer_node("mcp-npm");
    let script = text(node.file("@modelcontextprotocol/server-everything/dist/index.js"));
    let config = McpConfig::program("everything", &[&text(node.program().into()), &script, "stdio"]);
    let source = open(&config);
    let (records, _) = read(&source);
    let sum = records.iter().flatten().find(|tool| tool.name == "get-sum").expect("it adds numbers");
    assert!(sum.description.contains("sum of two numbers"), "{}", sum.description);
    let parameters = sum.input_schema.as_ref().expect("a schema").parameters();
    assert_eq!(parameters.iter().map(|parameter| parameter.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(records.iter().flatten().any(|tool| tool.output_schema.is_some()), "one of them says what it gives");
    assert!(source.announces_changes());
    let (n_tools, state_of_it) = sync_twice(source, &EVERYTHING);
    assert_eq!(n_tools, EVERYTHING_TOOLS);
    assert_eq!(state_of_it["revision"], "2025-11-25");
}

/// As `server-everything` 2026.8.31 lists them for a client that can do nothing.
const EVERYTHING_TOOLS: u64 = 13;

#[test]
fn everything_lists_its_tools_over_http_in_the_old_way() {
    let node = peer_node("mcp-npm");
    let peer = Peer::listening(|port| {
        let mut command = node.script("@modelcontextprotocol/server-everything/dist/index.js");
        command.arg("streamableHttp").env("PORT", port.to_string());
        command
    });
    let peer = peer.expect("it listens");
    let config = McpConfig::at("everything", &format!("{}/mcp", peer.base_url()));
    let (n_tools, state_of_it) = sync_twice(open(&config), &EVERYTHING);
    assert_eq!(n_tools, EVERYTHING_TOOLS);
    assert_eq!(state_of_it["revision"], "2025-11-25");
}

#[test]
fn git_and_time_list_their_tools() {
    let python = text(peer_python("mcp"));
    let check = |name: &str, module: &str, n_expected: u64, expected: &[&str]| {
        let mut config = McpConfig::program(name, &[&python, "-m", module]);
        // They are made with the SDK, which says "private" unless told otherwise; these servers know no users.
        config.shared_listing = true;
        let (n_tools, state_of_it) = sync_twice(open(&config), expected);
        assert_eq!((n_tools, state_of_it["revision"].as_str()), (n_expected, "2026-07-28"), "{name}: {state_of_it:?}");

        let older = McpConfig { handshake: Handshake::Initialize, ..config };
        let (n_tools, state_of_it) = sync_twice(open(&older), expected);
        assert_eq!((n_tools, state_of_it["revision"].as_str()), (n_expected, "2025-11-25"), "{name}: {state_of_it:?}");
    };
    check("git", "mcp_server_git", 12, &["git://git.git_status", "git://git.git_commit"]);
    check("time", "mcp_server_time", 2, &["time://time.get_current_time", "time://time.convert_time"]);
}

/// The SDK's server; `scope` is what it says of its listing.
fn sdk(scope: &str) -> Peer {
    let python = peer_python("mcp");
    let peer = Peer::listening(|port| {
        let mut command = Command::new(&python);
        command.arg(peer_file("mcp_sdk_server.py")).arg(port.to_string()).arg(scope);
        command
    });
    peer.expect("it listens")
}

/// One request outside the protocol; the body of the answer.
fn ask(address: SocketAddr, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
}

#[test]
fn the_stateless_revision_is_spoken_where_the_server_knows_it() {
    let peer = sdk("public");
    let config = McpConfig::at("weather", &format!("{}/mcp", peer.base_url()));
    let source = open(&config);
    let (records, state_of_it) = read(&source);
    assert_eq!(state_of_it, state("2026-07-28", "Weather desk 1.2.3"));
    assert_eq!(source.fresh_for(), Some(Duration::from_secs(90)));
    assert_eq!(
        ask(peer.address(), "GET", "/seen"),
        r#"["2026-07-28 server/discover","2026-07-28 tools/list"]"#,
        "no handshake, no session"
    );
    let tool = |name: &str| records.iter().flatten().find(|tool| tool.name == name).expect("a tool");
    let forecast = tool("forecast");
    assert_eq!(forecast.reference.to_string(), "weather://weather.forecast");
    assert_eq!(forecast.title.as_deref(), Some("Weather forecast"));
    assert_eq!(forecast.tags, ["claims:read_only"], "a claim, and no fact");
    assert_eq!(forecast.annotations, Annotations { open_world: Some(true), ..Annotations::default() });
    assert!(forecast.output_schema.as_ref().is_some_and(|schema| schema.as_str().contains("celsius")));
    let delete = tool("delete_station");
    assert_eq!((delete.annotations.read_only, delete.annotations.destructive), (Some(false), Some(true)));
    sync_twice(source, &["weather://weather.forecast", "weather://weather.delete_station"]);

    let trusted = McpConfig { trust_annotations: true, namespace: Some("sky".into()), ..config };
    let (records, _) = read(&open(&trusted));
    let forecast = records.iter().flatten().find(|tool| tool.name == "forecast").expect("a tool");
    assert_eq!(
        (forecast.reference.to_string().as_str(), forecast.annotations.read_only),
        ("weather://sky.forecast", Some(true))
    );
}

#[test]
fn a_change_that_the_server_announces_wakes_whoever_waits() {
    let peer = sdk("public");
    let source = open(&McpConfig::at("weather", &format!("{}/mcp", peer.base_url())));
    assert!(!source.announces_changes(), "nobody knows yet");
    assert_eq!(read(&source).0.iter().flatten().count(), 2);
    assert!(source.announces_changes());
    assert!(!source.wait_for_change(Duration::ZERO), "nothing changed yet");
    let woken = std::thread::scope(|scope| {
        let waiter = scope.spawn(|| source.wait_for_change(LONG));
        ask(peer.address(), "POST", "/grow");
        waiter.join().expect("no panic")
    });
    assert!(woken);
    let (records, _) = read(&source);
    assert!(records.iter().flatten().any(|tool| tool.name == "sunrise"));
    assert!(!source.wait_for_change(Duration::ZERO), "it was read since");
}

#[test]
fn a_private_listing_is_taken_only_on_the_operators_word() {
    let peer = sdk("private");
    let config = McpConfig::at("weather", &format!("{}/mcp?key=s3cret", peer.base_url()));
    let mut n_records = 0;
    let error = open(&config).fetch(None, &mut |_| n_records += 1).expect_err("it is private").to_string();
    assert!(error.contains("private to the user") && error.contains("shared_listing"), "{error}");
    assert!(!error.contains("s3cret") && n_records == 0, "{error}");

    let (records, _) = read(&open(&McpConfig { shared_listing: true, ..config }));
    assert_eq!(records.len(), 2);
}
