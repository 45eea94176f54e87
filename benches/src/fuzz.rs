//! What is fuzzed: every parser of bytes that come from outside, as a function that must take any bytes.
//!
//! `benches/fuzz` runs them under libFuzzer, which looks for new paths through the code; `cargo test` runs each over its
//! seeds and over some thousand mutations of them, so that none rots. A target fails by a panic: of the code, or of a promise
//! that it checks.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Method, StatusCode};
use shortlist_index::{Grant, Pattern, ToolRef};
use shortlist_ingest::config::Config as SyncConfig;
use shortlist_ingest::source::google_discovery::GoogleDiscovery;
use shortlist_ingest::source::jsonl::Jsonl;
use shortlist_ingest::source::openapi::OpenApi;
use shortlist_ingest::source::parquet::Parquet;
use shortlist_ingest::source::{Record, Source, arcade, automation_hub, mcp};
use shortlist_server::{Policy, Principal};
use tempfile::TempDir;

use crate::server::{self, ONE};

/// A parser, and bytes that it takes or nearly takes.
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// Must return, whatever the bytes are.
    pub run: fn(&[u8]),
    /// Where mutation begins.
    pub seeds: &'static [&'static [u8]],
}

/// All targets.
pub const TARGETS: [Target; 11] = [
    Target { name: "refs", run: refs, seeds: &[b"google://drive.files.list@1.0.0-beta.2", b"m://a%2Eb.GET%20%2Fc"] },
    Target { name: "policy", run: policy, seeds: &[POLICY] },
    Target { name: "sync_config", run: sync_config, seeds: &[SYNC_CONFIG] },
    Target {
        name: "request",
        run: request,
        seeds: &[
            b"\x00\n\n{\"query\":\"a\",\"filter\":{\"tags\":[\"t\"]},\"cursor\":\"AQAAAAAAAAAB\",\"max_tokens\":200}",
            b"\x01\n\n{\"refs\":[\"m://closed.tool_000010\"]}",
            b"\x02\n\n{\"prefix\":\"o\",\"limit\":1}",
            b"\x03m%3A%2F%2Fopen.tool_000001\n\"1-ab\", W/\"x\", *\n",
            b"\x04/v1/admin/sources?x\nBearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.\n{}",
        ],
    },
    Target {
        name: "jsonl",
        run: jsonl,
        seeds: &[b"{\"id\":\"a\",\"namespace\":\"n\",\"name\":\"b\",\"description\":\"c\",\"input_schema\":{\"type\":\"object\"}}\n"],
    },
    Target { name: "parquet", run: parquet, seeds: &[b"PAR1\x15\x00\x15\x10\x15\x14PAR1"] },
    Target { name: "google_discovery", run: google_discovery, seeds: &[DISCOVERY] },
    Target { name: "openapi", run: openapi, seeds: &[OPENAPI, SWAGGER] },
    Target { name: "automation_hub", run: hub, seeds: &[HUB] },
    Target { name: "arcade", run: worker, seeds: &[ARCADE] },
    Target { name: "mcp", run: listing, seeds: &[MCP] },
];

const POLICY: &[u8] = b"admins = [\"user:root\"]\n[[rule]]\neffect = \"allow\"\nto = [\"group:a\", \"everyone\"]\nrefs = [\"g*://?.*@2.*\"]\n\
    scopes_held = true\n[[rule]]\neffect = \"deny\"\nto = [\"role:b\"]\ntags = [\"*x\"]\nread_only = true\n";
const SYNC_CONFIG: &[u8] = b"[network]\nallow = [\"10.0.0.0/8\"]\n[[source]]\nname = \"a\"\ntype = \"jsonl\"\npath = \"a.jsonl\"\nevery = \"10m\"\n\
    [[source]]\nname = \"b\"\ntype = \"mcp_proxy\"\ncommand = [\"x\"]\n";
const DISCOVERY: &[u8] = br#"{"name":"drive","version":"v3","title":"Drive","auth":{"oauth2":{"scopes":{"s":{}}}},
    "schemas":{"F":{"id":"F","type":"object","properties":{"f":{"$ref":"F"}}}},"resources":{"files":{"methods":{"list":
    {"id":"drive.files.list","httpMethod":"GET","path":"files","scopes":["s"],"parameters":{"q":{"type":"string"}},
    "request":{"$ref":"F"},"response":{"$ref":"F"}}}}}}"#;
const OPENAPI: &[u8] = b"openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths:\n  /a/{b}:\n    parameters: [{name: b, in: path, required: true}]\n    \
    get:\n      operationId: x\n      security: [{o: [s]}]\n      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/A'}}}}\n\
    components:\n  securitySchemes: {o: {type: oauth2, flows: {}}}\n  schemas: {A: {type: object, properties: {a: {$ref: '#/components/schemas/A'}}}}\n";
const SWAGGER: &[u8] = br##"{"swagger":"2.0","info":{"title":"T","version":"1"},"paths":{"/a":{"post":{"parameters":[{"in":"body","name":"b",
    "schema":{"$ref":"#/definitions/A"}},{"in":"formData","name":"f","type":"file"}],"responses":{"200":{"description":"d"}}}}},
    "definitions":{"A":{"allOf":[{"$ref":"#/definitions/A"}]}}}"##;
const HUB: &[u8] =
    br#"{"actions":[{"id":"billing:refund@2.1.0","title":"Refund","description":"d","inputSchema":{"type":"object"},
    "requiredPermissions":["a"],"annotations":{"readOnlyHint":true},"deprecated":true}],"nextCursor":"x"}"#;
const ARCADE: &[u8] = br#"[{"name":"Send","fully_qualified_name":"Mail.Send@1.0","description":"d","toolkit":{"name":"Mail","version":"1.0"},
    "input":{"parameters":[{"name":"to","required":true,"value_schema":{"val_type":"array","inner_val_type":"string","enum":null}}]},
    "output":{"value_schema":{"val_type":"json"}},"requirements":{"authorization":{"provider_id":"google","provider_type":"oauth2","oauth2":{"scopes":["s"]}}}}]"#;
const MCP: &[u8] = br#"{"tools":[{"name":"a","title":"A","description":"d","inputSchema":{"type":"object","properties":{"x":{"type":"string"}}},
    "annotations":{"readOnlyHint":true,"destructiveHint":false}}],"nextCursor":"","ttlMs":1000,"cacheScope":"public"}"#;

/// A ref is printed as it was read; a pattern matches what it is.
fn refs(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(reference) = text.parse::<ToolRef>() {
        let printed = reference.to_string();
        assert_eq!(printed.parse::<ToolRef>().as_ref(), Ok(&reference), "{text:?} is printed as {printed:?}");
    }
    let (pattern, value) = text.split_once('\n').unwrap_or((text, text));
    if let Ok(pattern) = Pattern::new(pattern) {
        let _ = pattern.matches(value);
    }
}

/// Whatever parses grants nothing to whom no rule names.
fn policy(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(policy) = Policy::parse(text) else { return };
    let _ = policy.grant(&Principal::user("a").with_groups(["a"]).with_roles(["b"]));
    if !text.contains("everyone") && !text.contains("\\") {
        let nobody = policy.grant(&Principal::user("nobody that a rule could name"));
        assert_eq!(nobody.fingerprint(), Grant::nothing().fingerprint(), "{text:?}");
    }
}

fn sync_config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = SyncConfig::parse(text, Path::new("shortlist.toml"));
}

/// The doors: the first byte picks one, then a line for the path or the user, a line for another header, and the body. Nothing
/// fails inside, and nobody sees a hidden tool.
fn request(bytes: &[u8]) {
    static SERVER: OnceLock<(Router, tokio::runtime::Runtime, TempDir)> = OnceLock::new();
    let (router, runtime, _) = SERVER.get_or_init(|| {
        let home = tempfile::tempdir().expect("a folder");
        let router = server::catalog(40, &ONE).and_then(|tools| server::router(home.path(), tools)).expect("a server");
        (router, tokio::runtime::Runtime::new().expect("threads"), home)
    });
    let Some((&door, rest)) = bytes.split_first() else { return };
    let mut lines = rest.splitn(3, |&byte| byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (path, header, body) = (String::from_utf8_lossy(line()).into_owned(), line(), line());
    let (method, path, name) = match door % 5 {
        0 => (Method::POST, "/v1/search_tools".to_owned(), "x-shortlist-groups"),
        1 => (Method::POST, "/v1/get_tool_details".to_owned(), "x-shortlist-scopes"),
        2 => (Method::POST, "/v1/list_namespaces".to_owned(), "x-request-id"),
        3 => (Method::GET, format!("/v1/tools/{path}"), "if-none-match"),
        _ => (Method::POST, path, "authorization"),
    };
    let mut request = server::request(&method, &path);
    if let Ok(value) = HeaderValue::from_bytes(header) {
        request = request.header(name, value);
    }
    // What is no URI cannot be sent.
    let Ok(request) = request.body(Body::from(body.to_vec())) else { return };
    let answer = runtime.block_on(async {
        let response = server::send(router.clone(), request).await;
        (response.status(), to_bytes(response.into_body(), usize::MAX).await.expect("it is in memory"))
    });
    assert_ne!(answer.0, StatusCode::INTERNAL_SERVER_ERROR);
    let text = String::from_utf8_lossy(&answer.1);
    assert!(!text.contains("\"closed\"") && !text.contains("\"namespace\":\"c"), "a hidden tool is told: {text}");
}

fn jsonl(bytes: &[u8]) {
    with_file("tools.jsonl", bytes, |path| check(&Jsonl::new("a", path)));
}

fn parquet(bytes: &[u8]) {
    with_file("tools.parquet", bytes, |path| check(&Parquet::new("a", path)));
}

fn google_discovery(bytes: &[u8]) {
    with_file("drive.v3.json", bytes, |path| {
        check(&GoogleDiscovery::new("a", path.parent().unwrap_or(path), &[]));
    });
}

fn openapi(bytes: &[u8]) {
    with_file("api.yaml", bytes, |path| check(&OpenApi::new("a", path, None)));
}

fn hub(bytes: &[u8]) {
    automation_hub::read_page(bytes).into_iter().for_each(check_record);
}

fn worker(bytes: &[u8]) {
    arcade::read_list(bytes).into_iter().for_each(check_record);
}

fn listing(bytes: &[u8]) {
    mcp::read_page(bytes).into_iter().for_each(check_record);
}

/// Gives the bytes to `read` as a file.
fn with_file(name: &str, bytes: &[u8], read: impl FnOnce(&Path)) {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| tempfile::tempdir().expect("a folder")).path();
    // One folder for each thread and target, for tests run in parallel.
    let folder = folder.join(format!("{:?}-{name}", std::thread::current().id()));
    fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(name);
    fs::write(&path, bytes).expect("the disk has room");
    read(&path);
}

fn check(source: &dyn Source) {
    let mut identities = BTreeSet::new();
    // A pass that cannot be complete is an error, and what it gave before is thrown away.
    let _ = source.fetch(None, &mut |record| {
        if let Ok(tool) = &record {
            assert!(identities.insert(tool.reference.to_string()), "{} came twice", tool.reference);
        }
        check_record(record);
    });
}

/// A tool's ref reads back, and a rejection says why.
fn check_record(record: Record) {
    match record {
        Ok(tool) => {
            assert_eq!(tool.reference.to_string().parse::<ToolRef>().as_ref(), Ok(&tool.reference));
            let _ = (tool.embedding_text(), tool.content_hash());
        }
        Err(rejection) => assert!(!rejection.reason.is_empty()),
    }
}
