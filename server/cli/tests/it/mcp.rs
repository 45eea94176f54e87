//! MCP as clients speak it that no one here wrote: the SDKs of Python and TypeScript, the inspector, the conformance suite.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};
use shortlist_ingest::testing::{Node, Peer, python};

use crate::program::{Program, tool};
use crate::serve::{SECRET, Server, policy};

const TOOLS: [&str; 3] = ["search_tools", "get_tool_details", "list_namespaces"];

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/mcp-clients")
}

fn assets() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::env::var_os("SHORTLIST_ASSETS").map_or(crates.join("data/assets"), PathBuf::from)
}

fn node() -> &'static Node {
    static NODE: OnceLock<Node> = OnceLock::new();
    NODE.get_or_init(|| {
        let pins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ingest/tests/peers/node.txt");
        let interpreter = python(&assets(), &pins).expect("pip can install Node.js");
        Node::install(&assets(), &interpreter, &peers()).expect("npm can install the clients")
    })
}

/// A home of two namespaces, of which alice may see one.
fn program() -> Program {
    let program = Program::new();
    let mut create = tool("github", "create_issue", "Creates an issue in a repository.");
    create["input_schema"] = json!({ "type": "object", "required": ["title"], "properties": {
        "title": { "type": "string" }, "labels": { "type": "array", "items": { "type": "string" } } } });
    program.sync(&[create, tool("jira", "create_issue", "Creates an issue in an Atlassian project.")]);
    policy(&program, &[("alice", "github")]);
    program
}

fn headers() -> String {
    json!({ "x-shortlist-user": "alice", "x-shortlist-secret": SECRET }).to_string()
}

/// What the command prints as JSON. Its standard error is shown when it fails.
fn run(mut command: Command, program: &Program) -> Value {
    command.env("SHORTLIST_HOME", program.home()).env_remove("RUST_LOG").env_remove("SHORTLIST_POLICY");
    let output = command.stdin(Stdio::null()).output().expect("it starts");
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {said}\n{failed}");
    serde_json::from_str(&said).unwrap_or_else(|_| unreachable!("{command:?} printed no JSON: {said}\n{failed}"))
}

/// What every client must have met, of either language and over either transport.
fn check(report: &Value) {
    assert_eq!((&report["server"], &report["instructions"]), (&json!("shortlist"), &json!(true)), "{report}");
    assert_eq!(report["tools"], json!(TOOLS));
    assert_eq!(report["refs"], json!(["test://github.create_issue"]), "jira is hidden");
    let text = report["text"].as_str().expect("a text");
    assert!(text.contains("test://github.create_issue (title: string, labels?: array)"), "{text}");
    assert_eq!((&report["details"], &report["namespaces"]), (&json!([true]), &json!(["github"])));
    for (what, advice) in [("mistake", "unknown_field at /colour"), ("missing", "search again")] {
        assert_eq!(report[what]["isError"], true, "{report}");
        assert!(report[what]["content"][0]["text"].as_str().is_some_and(|text| text.contains(advice)), "{report}");
    }
    assert_eq!(report["unknown"], -32_602);
}

/// The program that speaks over the standard streams, as alice. A client gives it little of its own environment.
fn stdio(program: &Program) -> Vec<String> {
    let policy = program.home().join("policy.toml").display().to_string();
    let (home, assets) = (program.home().display().to_string(), assets().display().to_string());
    let places = ["--home", &home, "--assets", &assets];
    let all = [env!("CARGO_BIN_EXE_shortlist"), "mcp", "--as", "alice", "--policy", &policy];
    all.into_iter().chain(places).map(str::to_owned).collect()
}

#[test]
fn the_client_of_the_typescript_sdk_finds_tools_over_http_and_over_the_standard_streams() {
    let program = program();
    let server = Server::start_with(&program, &[], &[]);
    let script = || {
        let mut command = Command::new(node().program());
        command.arg(peers().join("typescript.mjs")).arg(node().file("@modelcontextprotocol/sdk"));
        command
    };
    let mut over_http = script();
    over_http.args(["http", &format!("{}/mcp", server.base), &headers()]);
    check(&run(over_http, &program));
    let mut over_stdio = script();
    over_stdio.arg("stdio").args(stdio(&program));
    check(&run(over_stdio, &program));
}

#[test]
fn the_client_of_the_python_sdk_finds_tools_over_http_and_over_the_standard_streams() {
    let program = program();
    let server = Server::start_with(&program, &[], &[]);
    let interpreter = python(&assets(), &peers().join("python-mcp.txt")).expect("pip can install the SDK");
    let script = || {
        let mut command = Command::new(&interpreter);
        command.arg(peers().join("python_client.py"));
        command
    };
    let mut over_http = script();
    over_http.args(["http", &format!("{}/mcp", server.base), &headers()]);
    let report = run(over_http, &program);
    assert_eq!(report["version"], "2026-07-28");
    check(&report);
    let mut over_stdio = script();
    over_stdio.arg("stdio").args(stdio(&program));
    let report = run(over_stdio, &program);
    assert_eq!(report["version"], "2026-07-28");
    check(&report);
}

#[test]
fn the_inspector_lists_and_calls() {
    let program = program();
    let server = Server::start_with(&program, &[], &[]);
    let url = format!("{}/mcp", server.base);
    let cli = |target: &[&str], more: &[&str]| {
        let mut command = node().script("@modelcontextprotocol/inspector/clients/launcher/build/index.js");
        command.arg("--cli").args(target).args(more).env("HOME", program.home());
        run(command, &program)
    };
    let secret = format!("x-shortlist-secret: {SECRET}");
    let over_http = [&url, "--transport", "http", "--header", "x-shortlist-user: alice", "--header", &secret];
    let own = stdio(&program);
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    for target in [&over_http[..], &own] {
        let listed = cli(target, &["--method", "tools/list", "--strict"]);
        let names: Vec<&Value> = listed["tools"].as_array().expect("a list").iter().map(|tool| &tool["name"]).collect();
        assert_eq!(names, TOOLS);
        let call = ["--method", "tools/call", "--tool-name", "search_tools", "--tool-arg", "query=create an issue"];
        let found = cli(target, &call);
        assert_eq!(found["structuredContent"]["hits"][0]["ref"], "test://github.create_issue");
    }
}

#[test]
fn the_conformance_suite_finds_what_it_expects_of_both_revisions() {
    let program = program();
    let server = Server::start_with(&program, &[], &[]);
    // The suite cannot say who it is, so it comes by a gateway that can.
    let gateway = Peer::listening(|port| {
        let mut command = Command::new(node().program());
        let port = port.to_string();
        command.arg(peers().join("gateway.mjs")).args([&port, &server.base, "alice", SECRET]);
        command
    });
    let gateway = gateway.expect("it starts");
    for revision in ["2025-11-25", "2026-07-28"] {
        let mut command = node().script("@modelcontextprotocol/conformance/dist/index.js");
        command.args(["server", "--url", &format!("{}/mcp", gateway.base_url()), "--requirements", revision]);
        command.arg("--expected-failures").arg(peers().join(format!("expected-failures-{revision}.yaml")));
        let output = command.stdin(Stdio::null()).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{revision}: {said}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn the_vendors_own_types_take_the_answers_in_their_shapes() {
    let program = program();
    let server = Server::start_with(&program, &[], &[]);
    let shaped = |shape: &str| {
        let body = json!({ "query": "create an issue", "shape": shape });
        let answer: Value = server.post("search_tools", "alice", &body).json().expect("JSON");
        let refs: Vec<&Value> = answer["refs"].as_object().into_iter().flat_map(|refs| refs.values()).collect();
        assert_eq!(refs, ["test://github.create_issue"]);
        answer.to_string()
    };
    let interpreter = python(&assets(), &peers().join("python-mcp.txt")).expect("pip can install the SDKs");
    let mut command = Command::new(interpreter);
    command.arg(peers().join("vendor_shapes.py")).args([shaped("anthropic"), shaped("openai")]);
    let names = run(command, &program)["names"].take();
    assert!(names[0].as_str().is_some_and(|name| name.starts_with("github_create_issue_")), "{names}");
}

/// Ends with its input, says nothing on the standard output but messages, and does not mind a client that talks nonsense.
#[test]
fn the_standard_streams_carry_messages_alone_and_their_end_ends_the_program() {
    let program = program();
    let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } } });
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {
        "name": "list_namespaces", "_meta": { "x-request-id": "mine" } } });
    let large = "x".repeat(200_000);
    let script = format!("{hello}\n{initialized}\nno JSON\n{large}\n{call}\n");
    let input = program.write("input.jsonl", &script);
    // An operator sees everything.
    let mut command = program.command(&["mcp"]);
    let output = command.stdin(std::fs::File::open(input).expect("written")).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let messages: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect("a message")).collect();
    let answer = messages.iter().find(|message| message["id"] == 2).expect("an answer");
    assert_eq!(answer["result"]["structuredContent"]["namespaces"].as_array().map(Vec::len), Some(2), "{said}");
    assert_eq!(answer["result"]["_meta"]["x-request-id"], "mine");
    // A client that goes at once is no failure, and nobody is seen as without a policy.
    assert!(program.run(&["mcp"]).status.success());
    assert!(program.fail(&["mcp", "--as", "alice"]).contains("--policy"));
}
