//! What is fuzzed: every parser of bytes that come from outside, as a function that must take any bytes.
//!
//! `benches/fuzz` runs them under libFuzzer, which looks for new paths through the code; `cargo test` runs each over its
//! seeds and over some thousand mutations of them, so that none rots. A target fails by a panic: of the code, or of a promise
//! that it checks.

mod doors;
mod sources;
mod written;

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use tempfile::TempDir;

use self::doors::{message, request, token};
use self::sources::{google_discovery, hub, jsonl, listing, openapi, parquet, worker};
use self::written::{audit, discovery, key_file, keys, policy, refs, serve_config, sync_config};

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
pub const TARGETS: [Target; 18] = [
    Target { name: "refs", run: refs, seeds: &[b"google://drive.files.list@1.0.0-beta.2", b"m://a%2Eb.GET%20%2Fc"] },
    Target { name: "policy", run: policy, seeds: &[POLICY] },
    Target { name: "sync_config", run: sync_config, seeds: &[SYNC_CONFIG] },
    Target { name: "serve_config", run: serve_config, seeds: &[SERVE_CONFIG] },
    Target { name: "keys", run: keys, seeds: &[JWKS, PEM] },
    Target { name: "discovery", run: discovery, seeds: &[OPENID] },
    Target { name: "key_file", run: key_file, seeds: &[KEY_FILE] },
    Target { name: "audit", run: audit, seeds: &[AUDIT] },
    Target {
        name: "token",
        run: token,
        seeds: &[
            b"eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2h1Yi5leGFtcGxlIn0.",
            b"\x00{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"a\"}\n{\"iss\":\"https://hub.example\",\"aud\":[\"shortlist\"],\"sub\":\"a\",\
                \"exp\":4102444800,\"iat\":1700000000,\"nbf\":1700000000.5,\"groups\":[\"g\"],\"scp\":\"a b\",\"tid\":\"t\"}",
        ],
    },
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
    Target { name: "mcp_message", run: message, seeds: &MESSAGES },
];

const POLICY: &[u8] = b"admins = [\"user:root\"]\n[[rule]]\neffect = \"allow\"\nto = [\"group:a\", \"everyone\"]\nrefs = [\"g*://?.*@2.*\"]\n\
    scopes_held = true\n[[rule]]\neffect = \"deny\"\nto = [\"role:b\"]\ntags = [\"*x\"]\nread_only = true\n";
const SYNC_CONFIG: &[u8] = b"[network]\nallow = [\"10.0.0.0/8\"]\n[[source]]\nname = \"a\"\ntype = \"jsonl\"\npath = \"a.jsonl\"\nevery = \"10m\"\n\
    [[source]]\nname = \"b\"\ntype = \"mcp_proxy\"\ncommand = [\"x\"]\n";
const SERVE_CONFIG: &[u8] = b"listen = \"127.0.0.1:1\"\nsecret_file = \"secret\"\n[gateway]\npeers = [\"10.1.0.0/16\"]\n\
    [[issuer]]\nname = \"e\"\nissuer = \"https://e.example/{tenantid}\"\naudience = [\"a\"]\ntenants = [\"t\"]\nclock_skew = \"1s\"\n\
    claims = { user = [\"tid\", \"oid\"] }\n";
/// The keys of RFC 7517 (appendix A.1) and RFC 8037 (appendix A.2).
const JWKS: &[u8] = br#"{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"},{"kty":"RSA","n":"AQAB","e":"AQAB","alg":"RS256",
    "use":"sig","kid":"2"},{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
const PEM: &[u8] = b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
const OPENID: &[u8] = br#"{"issuer":"https://id.example","jwks_uri":"https://id.example/keys"}"#;
const KEY_FILE: &[u8] =
    br#"{"keys":[{"id":"0123456789ab","service":"crm","sha256":"00","created_unix_s":1,"on_behalf_of":true,"expires_unix_s":2}]}"#;
const AUDIT: &[u8] = b"{\"seq\":1,\"time\":\"2026-11-25T08:00:00Z\",\"prev\":\"00\",\"kind\":\"begin\",\"hash\":\"00\",\"seal\":\"00\"}\n{";
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

const MESSAGES: [&[u8]; 6] = [
    br#"2025-11-25


{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"a","version":"1"}}}"#,
    br#"


{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"search_tools","arguments":{"query":"qzxcommoo","detail":"full","limit":5}}}"#,
    br#"


{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_tool_details","arguments":{"refs":["m://closed.tool_000010","m://open.tool_000001"]},"_meta":{"x-request-id":"a","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}}"#,
    br#"2026-07-28
tools/call
list_namespaces
{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_namespaces","arguments":{"prefix":"c"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#,
    br#"2026-07-28
server/discover

{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#,
    br#"


{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"x"}}"#,
];

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
