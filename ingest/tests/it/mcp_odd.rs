//! The MCP source against servers that misbehave. The test binary runs itself again as the server; the environment tells the
//! copy how to behave. Over HTTP the same server answers on a socket.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shortlist_ingest::error::SourceError;
use shortlist_ingest::network::{Network, Places};
use shortlist_ingest::source::mcp::{Mcp, McpConfig};
use shortlist_ingest::source::{Fetched, Record, Source};

use crate::mcp::{open, read};

const BEHAVIOUR: &str = "SHORTLIST_TEST_MCP";
const FILE: &str = "SHORTLIST_TEST_MCP_FILE";
const SECRET: &str = "SHORTLIST_TEST_MCP_SECRET";
const MIB: usize = 1024 * 1024;

/// The server over standard input and output. As an ordinary test it does nothing.
#[test]
fn server() {
    let Ok(behaviour) = std::env::var(BEHAVIOUR) else { return };
    let mut output = std::io::stdout();
    // The test harness has begun a line of its own. Real servers print there too.
    output.write_all(b"\nnot a message {\"\n").expect("written");
    let mut n_listings = 0;
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
        let listing = message["method"] == "tools/list";
        let Some(answer) = answer(&behaviour, &message, n_listings) else { continue };
        output.write_all(format!("{answer}\n").as_bytes()).and_then(|()| output.flush()).expect("written");
        n_listings += u64::from(listing);
        if listing && behaviour == "grows" && n_listings == 1 {
            let changed = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" });
            output.write_all(format!("{changed}\n").as_bytes()).expect("written");
        }
    }
    if behaviour == "deaf" {
        // Its input is closed, and it stays.
        thread::sleep(Duration::from_secs(600));
    }
    std::process::exit(0);
}

fn tool(name: &str) -> Value {
    json!({ "name": name, "description": "Does a thing.", "inputSchema": { "type": "object" } })
}

/// What is answered; `None` for what is not.
fn answer(behaviour: &str, message: &Value, n_listings: u64) -> Option<String> {
    let id = message.get("id")?;
    let result = |result: Value| Some(json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string());
    let is_modern = matches!(behaviour, "private" | "fresh" | "headers");
    match message["method"].as_str()? {
        _ if behaviour == "mute" => None,
        "server/discover" if is_modern => result(json!({
            "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": { "tools": {} },
            "ttlMs": 0, "cacheScope": "public",
        })),
        "initialize" if !is_modern => result(json!({
            "protocolVersion": "2025-11-25", "capabilities": { "tools": { "listChanged": behaviour == "grows" } },
            "serverInfo": { "name": "odd", "version": "1" },
        })),
        "tools/list" => list(behaviour, message["params"].get("cursor").and_then(Value::as_str), n_listings)
            .map(|page| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{page}}}"#)),
        _ => Some(json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32601, "message": "unknown" } }).to_string()),
    }
}

/// A page as text, for some of them are no JSON that could be made otherwise.
fn list(behaviour: &str, cursor: Option<&str>, n_listings: u64) -> Option<String> {
    let page = |tools: Value| json!({ "tools": tools });
    let more = |tools: Value, cursor: &str| json!({ "tools": tools, "nextCursor": cursor });
    let number = || cursor.and_then(|cursor| cursor.parse::<u64>().ok()).unwrap_or_default();
    let page = match behaviour {
        "empty cursor" => match cursor {
            None => more(json!([tool("first")]), ""),
            Some("") => page(json!([tool("second")])),
            Some(_) => page(json!([])),
        },
        "repeats" => more(json!([tool("again")]), "x"),
        "endless" => more(json!([]), &(number() + 1).to_string()),
        "crowd" => {
            let tools = (0..20_000).map(|i| json!({ "name": format!("t{}-{i}", number()) })).collect();
            more(Value::Array(tools), &(number() + 1).to_string())
        }
        "hostile" => {
            let nested = (0..40).fold(json!({}), |inner, _| json!({ "properties": { "a": inner } }));
            page(json!([
                tool("good"), { "description": "nameless" }, { "name": 7 }, "text", null, { "name": "a\u{202E}b" },
                { "name": "deep", "inputSchema": nested }, { "name": "listed", "inputSchema": [] },
                { "name": "large", "inputSchema": { "description": "x".repeat(300_000) } },
                { "name": "absurd", "annotations": { "readOnlyHint": "yes" }, "description": "Visible\u{200B} text." },
                tool("good"), tool("last"),
            ]))
        }
        // The header name is none, so a client of this revision is to leave the tool out; we tell what is there.
        "headers" => page(json!([
            tool("plain"),
            { "name": "region", "inputSchema": { "type": "object", "properties": { "a": { "type": "string", "x-mcp-header": "" } } } },
        ])),
        "giant" => return Some(format!("{{\"tools\":[],\"x\":\"{}\"}}", "x".repeat(17 * MIB))),
        "abyss" => return Some(format!("{{\"tools\":[{}{}]}}", "[".repeat(200), "]".repeat(200))),
        "silent" => return None,
        "dies" if cursor.is_some() => {
            eprintln!("the disk is on fire");
            std::process::exit(3);
        }
        "dies" => more(json!([tool("first")]), "next"),
        "private" => {
            json!({ "tools": [tool("mine")], "cacheScope": "private", "ttlMs": 1000, "resultType": "complete" })
        }
        "fresh" => json!({ "tools": [tool("a")], "cacheScope": "public", "ttlMs": 5000, "resultType": "complete" }),
        "grows" => page(if n_listings == 0 { json!([tool("a")]) } else { json!([tool("a"), tool("b")]) }),
        "file" => page(json!([tool(&fs::read_to_string(std::env::var(FILE).expect("a file")).expect("its text"))])),
        "environment" => page(std::env::vars().map(|(name, _)| tool(&name)).collect()),
        "leaves a child" => {
            let mut child = Command::new("sleep");
            let child = child.arg("600").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            page(json!([tool(&child.spawn().expect("a child").id().to_string())]))
        }
        _ => page(json!([tool("only")])),
    };
    Some(page.to_string())
}

fn odd(behaviour: &str) -> McpConfig {
    let this = std::env::current_exe().expect("this binary").into_os_string().into_string().expect("its path");
    let command = [this.as_str(), "--exact", "mcp_odd::server", "--nocapture", "--test-threads=1"];
    let mut config = McpConfig::program("odd", &command);
    config.env.insert(BEHAVIOUR.to_owned(), behaviour.to_owned());
    config
}

fn names(records: &[Record]) -> Vec<&str> {
    records.iter().flatten().map(|tool| tool.name.as_str()).collect()
}

fn failure(config: &McpConfig) -> SourceError {
    open(config).fetch(None, &mut |record| panic!("{record:?} was given")).expect_err("the pass fails")
}

#[test]
fn an_empty_cursor_leads_to_the_next_page() {
    assert_eq!(names(&read(&open(&odd("empty cursor"))).0), ["first", "second"]);
}

#[test]
fn a_listing_that_never_ends_is_ended() {
    let check = |behaviour: &str, expected: &str| {
        let error = failure(&odd(behaviour)).to_string();
        assert!(error.contains(expected), "{behaviour}: {error}");
    };
    check("repeats", "page 2 of tools/list: it gives a cursor that an earlier page gave");
    check("endless", "more than the 10000 pages allowed");
    check("crowd", "more than the 100000 tools allowed");
    check("giant", "a message of more than the 16777216 bytes allowed");
    check("abyss", "nested more than the 120 levels allowed");
}

#[test]
fn one_odd_tool_is_a_rejection_and_the_rest_goes_on() {
    let check = |config: &McpConfig| {
        let (records, _) = read(&open(config));
        // Which of two tools of one name stays is decided by whoever sees all records.
        assert_eq!(names(&records), ["good", "absurd", "good", "last"]);
        let absurd = records.iter().flatten().find(|tool| tool.name == "absurd").expect("it is kept");
        assert_eq!(absurd.description, "Visible text.");
        let rejected: Vec<String> = records
            .iter()
            .filter_map(|record| record.as_ref().err())
            .map(|rejection| format!("{}: {}", rejection.record, rejection.reason))
            .collect();
        let expected = [
            ("tool 2 of page 1", "no name"),
            ("tool 3 of page 1", "name is a number"),
            ("tool 4 of page 1", "this is a text"),
            ("tool 5 of page 1", "this is null"),
            ("ab", "U+202E"),
            ("deep", "48 levels"),
            ("listed", "not an array"),
            ("large", "bytes"),
        ];
        assert_eq!(rejected.len(), expected.len(), "{rejected:?}");
        for (rejected, (record, reason)) in rejected.iter().zip(expected) {
            assert!(rejected.starts_with(record) && rejected.contains(reason), "{rejected}, expected {reason}");
        }
    };
    check(&odd("hostile"));
    for streams in [false, true] {
        check(&over_http("hostile", streams));
    }
}

#[test]
fn a_server_that_does_not_answer_is_not_waited_for() {
    let check = |config: &McpConfig, expected: &str| {
        let started = Instant::now();
        let error = failure(config).to_string();
        assert!(error.contains(expected), "{error}");
        // A second, and the time that a program is given to end.
        assert!(started.elapsed() < Duration::from_secs(60), "{expected}");
    };
    check(&McpConfig { request_timeout_s: 1, ..odd("silent") }, "had not answered tools/list after 1 s");
    check(&McpConfig { connect_timeout_s: 1, ..odd("mute") }, "had not finished the handshake after 1 s");
    check(&McpConfig { pass_timeout_s: 1, ..odd("silent") }, "had not come to its end after 1 s");
    check(&McpConfig { request_timeout_s: 1, ..over_http("silent", false) }, "had not answered tools/list after 1 s");
    assert_eq!(names(&read(&open(&odd("deaf"))).0), ["only"], "one that stays is killed");
}

#[test]
fn a_server_that_dies_says_its_last_words() {
    let error = failure(&odd("dies")).to_string();
    assert!(error.contains("closed the connection") && error.contains("exit status: 3"), "{error}");
    assert!(error.contains("the disk is on fire"), "{error}");

    let error = failure(&McpConfig::program("odd", &["no-such-program-at-all", "s3cret"])).to_string();
    assert!(error.contains("no-such-program-at-all") && error.contains("cannot be started"), "{error}");
    assert!(!error.contains("s3cret"), "an argument in {error}");

    let error = failure(&McpConfig::program("odd", &["sh", "-c", "echo no licence >&2; exit 7"])).to_string();
    assert!(error.contains("exit status: 7") && error.contains("no licence"), "{error}");
}

#[test]
fn the_newest_revision_says_how_long_and_for_whom() {
    let source = open(&odd("fresh"));
    assert_eq!(read(&source).1["revision"], "2026-07-28");
    assert_eq!(source.fresh_for(), Some(Duration::from_secs(5)));
    assert!(!source.announces_changes());

    for config in [odd("private"), over_http("private", false), over_http("private", true)] {
        assert!(matches!(failure(&config), SourceError::PrivateListing { .. }));
        let shared = McpConfig { shared_listing: true, ..config };
        assert_eq!(names(&read(&open(&shared)).0), ["mine"]);
    }
}

#[test]
fn a_tool_that_the_client_library_would_leave_out_is_kept() {
    for streams in [false, true] {
        let (records, state) = read(&open(&over_http("headers", streams)));
        assert_eq!((names(&records), state["revision"].as_str()), (vec!["plain", "region"], "2026-07-28"));
    }
}

#[test]
fn a_program_that_announces_a_change_is_read_again_itself() {
    let source = open(&odd("grows"));
    assert_eq!(names(&read(&source).0), ["a"]);
    assert!(source.announces_changes());
    // It announces once its first listing was read, and then its own listing is another.
    assert!(source.wait_for_change(Duration::from_secs(120)));
    assert_eq!(names(&read(&source).0), ["a", "b"]);
    assert!(!source.wait_for_change(Duration::ZERO));
}

#[test]
fn a_change_that_nobody_heard_is_found_when_somebody_listens() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("name");
    fs::write(&file, "before").expect("written");
    let mut config = odd("file");
    config.env.insert(FILE.to_owned(), file.to_string_lossy().into_owned());
    let source = open(&config);
    assert_eq!(names(&read(&source).0), ["before"]);
    fs::write(&file, "after").expect("written");
    assert!(source.wait_for_change(Duration::from_secs(120)));
    assert_eq!(names(&read(&source).0), ["after"]);
    assert!(!source.wait_for_change(Duration::ZERO));
}

#[test]
fn a_program_gets_the_environment_that_it_is_given_and_no_more() {
    let mut config = odd("environment");
    config.env_from = vec![SECRET.to_owned()];
    let variable = |name: &str| match name {
        SECRET => Some("s3cret".to_owned()),
        "PATH" => Some("/usr/bin:/bin".to_owned()),
        _ => None,
    };
    let source = |config: &McpConfig, variable: &dyn Fn(&str) -> Option<String>| {
        Mcp::new(config, &Network::public_only(), &Places { folder: Path::new("."), variable })
    };
    let (records, _) = read(&source(&config, &variable).expect("a valid configuration"));
    let mut names = names(&records);
    names.sort_unstable();
    assert_eq!(names, ["PATH", BEHAVIOUR, SECRET]);

    let error = source(&config, &|_| None).map(|_| ()).expect_err("it is not set").to_string();
    assert!(error.contains(SECRET) && error.contains("env_from"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn all_that_a_program_started_ends_with_its_pass() {
    let (records, _) = read(&open(&odd("leaves a child")));
    let number = names(&records)[0].to_owned();
    let given_up = Instant::now() + Duration::from_secs(60);
    // A process that ended and that nobody asked about is a zombie.
    let lives = || fs::read_to_string(format!("/proc/{number}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    while lives() {
        assert!(Instant::now() < given_up, "{number} still runs");
        thread::yield_now();
    }
}

#[test]
fn an_address_is_checked_before_anything_is_sent() {
    let check = |config: McpConfig, expected: &str| {
        let variable = |_: &str| Some("s3cret".to_owned());
        let places = Places { folder: Path::new("."), variable: &variable };
        let source = Mcp::new(&config, &Network::public_only(), &places);
        let error = source.map(|_| ()).expect_err(expected).to_string();
        assert!(error.contains(expected) && !error.contains("s3cret"), "{error}, expected {expected}");
    };
    let at = |url: &str| McpConfig::at("odd", url);
    check(at("http://127.0.0.1:1/mcp"), "may not reach");
    check(at("http://[fd00::1]/mcp?key=s3cret"), "may not reach");
    check(at("https://me:s3cret@mcp.example/mcp"), "credentials");
    check(at("mcp.example"), "this is none");
    check(McpConfig { token_env: Some("A".into()), ..at("http://mcp.example/mcp") }, "unencrypted");
    let headers = BTreeMap::from([("X Key".to_owned(), "A".to_owned())]);
    check(McpConfig { header_env: headers, ..at("https://mcp.example/mcp") }, "no name of a header");
    check(McpConfig { command: vec!["a".into()], ..at("https://mcp.example/mcp") }, "both \"command\" and \"url\"");
    check(McpConfig { cwd: Some("a".into()), ..at("https://mcp.example/mcp") }, "belong to a \"command\"");
    check(McpConfig { token_env: Some("A".into()), ..McpConfig::program("odd", &["a"]) }, "env_from");
    check(McpConfig { pass_timeout_s: 0, ..McpConfig::program("odd", &["a"]) }, "1 to 3600 seconds");
    check(McpConfig::program("odd", &[]), "neither \"command\" nor \"url\"");
}

#[test]
fn a_server_over_http_gets_its_secrets_and_refuses_without_them() {
    let config = over_http("locked", false);
    let error = failure(&config).to_string();
    assert!(error.contains("credentials") && error.contains("token_env"), "{error}");

    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("key"), "k3y\n").expect("written");
    let config = McpConfig {
        token_env: Some("TOKEN".into()),
        header_file: BTreeMap::from([("X-Key".to_owned(), "key".into())]),
        ..config
    };
    let variable = |name: &str| (name == "TOKEN").then(|| "s3cret".to_owned());
    let places = Places { folder: folder.path(), variable: &variable };
    let source = Mcp::new(&config, &shortlist_ingest::testing::loopback(), &places).expect("a valid configuration");
    assert_eq!(names(&read(&source).0), ["only"]);
}

#[test]
fn an_answer_over_http_is_as_large_as_is_allowed_and_no_larger() {
    for streams in [false, true] {
        let error = failure(&over_http("giant", streams)).to_string();
        assert!(error.contains("16777216 bytes"), "{error}");
        let error = failure(&over_http("abyss", streams)).to_string();
        assert!(error.contains("recursion limit"), "{error}");
    }
    let error = failure(&over_http("repeats", true)).to_string();
    assert!(error.contains("page 2 of tools/list"), "{error}");
}

/// The server at an address, until the tests end. `streams`: whether it answers as an event stream.
fn over_http(behaviour: &str, streams: bool) -> McpConfig {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port");
    let address = listener.local_addr().expect("its address");
    let behaviour = behaviour.to_owned();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let behaviour = behaviour.clone();
            thread::spawn(move || serve(stream, &behaviour, streams));
        }
    });
    McpConfig::at("odd", &format!("http://{address}/mcp"))
}

/// Answers one request. An error is the client's leaving, which is its right.
fn serve(mut stream: TcpStream, behaviour: &str, streams: bool) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    while reader.read_line(&mut head)? > 2 {}
    let header = |name: &str| {
        head.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| key.eq_ignore_ascii_case(name))
    };
    let n_bytes = header("content-length").and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(0);
    let mut body = vec![0; n_bytes];
    reader.read_exact(&mut body)?;
    let mut send = |status: &str, kind: &str, body: &str| {
        let n = body.len();
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {n}\r\nConnection: close\r\n");
        stream.write_all(format!("{head}\r\n{body}").as_bytes())
    };
    let is_let_in = header("authorization").is_some_and(|(_, value)| value.trim() == "Bearer s3cret")
        && header("x-key").is_some_and(|(_, value)| value.trim() == "k3y");
    if behaviour == "locked" && !is_let_in {
        return send("401 Unauthorized\r\nWWW-Authenticate: Bearer", "text/plain", "");
    }
    let message: Value = match serde_json::from_slice(&body) {
        Ok(message) => message,
        Err(_) => return send("405 Method Not Allowed", "text/plain", ""),
    };
    match answer(behaviour, &message, 0) {
        Some(answer) if streams => send("200 OK", "text/event-stream", &format!("data: {answer}\n\n")),
        Some(answer) => send("200 OK", "application/json", &answer),
        None if message.get("id").is_none() => send("202 Accepted", "text/plain", ""),
        // It keeps the connection and says nothing, until the client leaves.
        None => stream.read(&mut [0]).map(|_| ()),
    }
}

#[test]
fn a_state_is_no_reason_to_believe_that_nothing_changed() {
    let source = open(&odd("fresh"));
    let (_, state) = read(&source);
    let mut n_records = 0;
    let fetched = source.fetch(Some(&state), &mut |_| n_records += 1).expect("a pass");
    assert_eq!((fetched, n_records), (Fetched::Complete(state), 1));
}
