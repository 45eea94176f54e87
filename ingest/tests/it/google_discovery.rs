//! The Discovery source, over the pinned real documents and over written ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use shortlist_index::Tool;
use shortlist_ingest::error::SourceError;
use shortlist_ingest::source::google_discovery::GoogleDiscovery;
use shortlist_ingest::source::google_discovery::selection::WELL_KNOWN_APIS;
use shortlist_ingest::source::{Fetched, Source};
use tempfile::TempDir;

use crate::assets::pulled;
use crate::support::{Pass, read_all};

fn fetch(folder: &Path, apis: &[&str]) -> Result<Pass, SourceError> {
    let apis: Vec<String> = apis.iter().map(|&api| api.to_owned()).collect();
    read_all(&GoogleDiscovery::new("google", folder, &apis))
}

fn input(tool: &Tool) -> Value {
    tool.input_schema.as_ref().expect("an input schema").to_value()
}

#[test]
fn all_real_methods_become_tools_with_refs_of_their_own() {
    let (_, tools, rejections) = fetch(&pulled("google-discovery"), &[]).expect("readable");
    // 28,137 methods; 139 of them stand in three documents that the package carries twice.
    assert_eq!((tools.len(), rejections.len()), (27_998, 139));
    assert!(rejections.iter().all(|rejection| rejection.reason.contains("already read")));
    let by_ref: BTreeMap<String, &Tool> = tools.iter().map(|tool| (tool.reference.to_string(), tool)).collect();
    assert_eq!(by_ref.len(), tools.len());
    let namespaces: BTreeSet<&str> = tools.iter().map(|tool| tool.reference.namespace()).collect();
    assert_eq!(namespaces.len(), 353);
    assert_eq!(tools.iter().filter(|tool| tool.required_scopes.is_none()).count(), 274);

    let schema_bytes =
        |tool: &Tool| [&tool.input_schema, &tool.output_schema].map(|s| s.as_ref().map_or(0, |s| s.as_str().len()));
    let bytes: usize = tools.iter().flat_map(schema_bytes).sum();
    assert!((1_000..5_000).contains(&(bytes / tools.len())), "the mean schema has {} bytes", bytes / tools.len());
    let largest = tools.iter().flat_map(schema_bytes).max();
    assert!(largest < Some(32 * 1024), "{largest:?}");

    let list = by_ref["google://drive.files.list@3.0.0"];
    assert_eq!((list.name.as_str(), list.annotations.read_only), ("files.list", Some(true)));
    assert!(list.tags.contains(&"Google Drive API".to_owned()));
    let held = |scope: &str| BTreeSet::from([format!("https://www.googleapis.com/auth/{scope}")]);
    assert!(
        list.required_scopes.is_met_by(&held("drive.readonly")) && !list.required_scopes.is_met_by(&held("gmail.send"))
    );
    assert_eq!(input(list)["properties"]["pageSize"]["x-location"], "query");
    assert_eq!(input(list)["properties"].get("alt"), None, "parameters of every method say nothing of this one");

    let insert = input(by_ref["google://calendar.events.insert@3.0.0"]);
    assert_eq!(insert["required"], json!(["calendarId", "body"]));
    assert_eq!(insert["properties"]["body"]["required"], json!(["end", "start"]));
    assert_eq!(insert["properties"]["body"]["properties"]["start"]["properties"]["dateTime"]["format"], "date-time");
    assert_eq!(by_ref["google://drive.files.delete@3.0.0"].annotations.destructive, Some(true));
    assert!(by_ref.contains_key("google://admin_reports.channels.stop@1.0.0"));
    assert!(by_ref.contains_key("google://admin_directory.channels.stop@1.0.0"));
}

#[test]
fn the_well_known_apis_have_about_5000_methods_in_one_version_each() {
    let (_, tools, rejections) = fetch(&pulled("google-discovery"), WELL_KNOWN_APIS).expect("readable");
    assert_eq!((tools.len(), rejections.len()), (5_012, 0));
    let drive: BTreeSet<String> = tools
        .iter()
        .filter(|tool| tool.reference.namespace() == "drive")
        .filter_map(|tool| tool.reference.version().map(ToString::to_string))
        .collect();
    assert_eq!(drive, BTreeSet::from(["3.0.0".to_owned()]));
}

/// A document with one method, and a folder that holds it.
fn folder_of(documents: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in documents {
        fs::write(dir.path().join(name), text).expect("written");
    }
    dir
}

fn document(version: &str, methods: Value, schemas: Value) -> String {
    json!({
        "kind": "discovery#restDescription", "name": "shop", "version": version, "title": "Shop API",
        "parameters": { "alt": { "type": "string", "location": "query" } },
        "resources": { "orders": { "methods": methods } }, "schemas": schemas,
    })
    .to_string()
}

fn method(name: &str, verb: &str) -> Value {
    json!({ "id": format!("shop.orders.{name}"), "httpMethod": verb, "description": "Does something.", "path": "o" })
}

#[test]
fn parameters_are_written_as_json_schema() {
    let mut list = method("list", "GET");
    list["parameters"] = json!({
        "shop": { "type": "string", "required": true, "location": "path", "pattern": "^s/[^/]+$" },
        "size": { "type": "integer", "format": "int32", "default": "20", "minimum": "1", "maximum": "500", "location": "query" },
        "deep": { "type": "boolean", "default": "false", "location": "query" },
        "states": {
            "type": "string", "repeated": true, "location": "query", "description": "Which ones.",
            "enum": ["open", "shut"], "enumDescriptions": ["Still open.", ""],
        },
    });
    let dir = folder_of(&[("shop.json", &document("v1", json!({ "list": list }), json!({})))]);
    let (_, tools, _) = fetch(dir.path(), &[]).expect("readable");
    assert_eq!(
        input(&tools[0]),
        json!({
            "type": "object",
            "required": ["shop"],
            "properties": {
                "shop": { "type": "string", "pattern": "^s/[^/]+$", "x-location": "path" },
                "size": { "type": "integer", "format": "int32", "default": 20, "minimum": 1, "maximum": 500, "x-location": "query" },
                "deep": { "type": "boolean", "default": false, "x-location": "query" },
                "states": {
                    "type": "array", "description": "Which ones.", "x-location": "query",
                    "items": { "type": "string", "enum": ["open", "shut"], "x-enum-descriptions": ["Still open.", ""] },
                },
            },
        })
    );
}

#[test]
fn references_are_resolved_and_circles_end() {
    let mut insert = method("insert", "POST");
    insert["request"] = json!({ "$ref": "Order" });
    insert["response"] = json!({ "$ref": "Order" });
    insert["parameters"] = json!({ "body": { "type": "string", "location": "query" } });
    let schemas = json!({
        "Order": { "id": "Order", "type": "object", "description": "An order.", "properties": {
            "id": { "type": "string", "readOnly": true },
            "total": { "type": "any", "annotations": { "required": ["shop.orders.insert"] } },
            "lines": { "type": "array", "items": { "$ref": "Line" } },
            "extra": { "type": "object", "additionalProperties": { "$ref": "Absent" } },
        } },
        "Line": { "type": "object", "description": "A line.", "properties": {
            "of": { "$ref": "Order", "description": "Its order." },
        } },
    });
    let dir = folder_of(&[("shop.json", &document("v1", json!({ "insert": insert }), schemas))]);
    let (_, tools, _) = fetch(dir.path(), &[]).expect("readable");
    let body = |own: Value| {
        let mut body = json!({ "type": "object", "description": "An order.", "properties": {
            "total": {},
            "lines": { "type": "array", "items": { "type": "object", "description": "A line.", "properties": {
                "of": { "type": "object", "description": "Its order." },
            } } },
            "extra": { "type": "object", "additionalProperties": { "type": "object", "description": "Absent" } },
        } });
        own.as_object().expect("an object").iter().for_each(|(key, value)| body[key] = value.clone());
        body
    };
    let taken = input(&tools[0]);
    assert_eq!(
        taken["properties"]["request_body"],
        body(json!({ "required": ["total"] })),
        "what the server sets is left out"
    );
    assert_eq!(taken["required"], json!(["request_body"]));
    let given = tools[0].output_schema.as_ref().expect("an output schema").to_value();
    assert_eq!(given["properties"]["id"], json!({ "type": "string" }));
    assert_eq!(given["properties"]["lines"], body(json!({}))["properties"]["lines"]);
}

#[test]
fn a_schema_that_explodes_stays_within_its_budget() {
    // Each schema refers ten times to the next: ten million fields if all were followed.
    let fields = |next: usize| -> Value {
        (0..10)
            .map(|i| (format!("f{i}"), json!({ "$ref": format!("S{next}") })))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let schemas: serde_json::Map<String, Value> =
        (0..8).map(|i| (format!("S{i}"), json!({ "type": "object", "properties": fields(i + 1) }))).collect();
    let wide: serde_json::Map<String, Value> = (0..5_000)
        .map(|i| (format!("field{i}"), json!({ "type": "string", "description": "x".repeat(100) })))
        .collect();
    let mut schemas = Value::Object(schemas);
    schemas["Wide"] = json!({ "type": "object", "properties": wide });
    let with = |name: &str, request: &str| {
        let mut value = method(name, "POST");
        value["request"] = json!({ "$ref": request });
        value
    };
    let methods = json!({ "a": with("a", "S0"), "b": with("b", "Wide"), "c": with("c", "Absent") });
    let dir = folder_of(&[("shop.json", &document("v1", methods, schemas))]);
    let (_, tools, rejections) = fetch(dir.path(), &[]).expect("readable");
    assert_eq!((tools.len(), rejections.len()), (3, 0));
    for tool in &tools {
        let bytes = tool.input_schema.as_ref().expect("an input schema").as_str().len();
        assert!(bytes < 20_000, "{} has {bytes} bytes", tool.reference);
    }
    assert!(input(&tools[0])["properties"]["body"]["properties"]["f9"]["properties"].is_object(), "two levels fit");
    assert_eq!(input(&tools[1])["properties"]["body"]["properties"]["field0"], json!({ "type": "string" }));
}

#[test]
fn the_verb_tells_what_a_call_does() {
    let methods = json!({
        "get": method("get", "GET"), "delete": method("delete", "DELETE"), "update": method("update", "PUT"),
        "patch": method("patch", "PATCH"), "insert": method("insert", "POST"), "search": method("searchAll", "POST"),
        "purge": method("batchDelete", "POST"),
    });
    let dir = folder_of(&[("shop.json", &document("v1", methods, json!({})))]);
    let (_, tools, _) = fetch(dir.path(), &[]).expect("readable");
    let claims: BTreeMap<&str, _> = tools
        .iter()
        .map(|t| (t.name.as_str(), (t.annotations.read_only, t.annotations.destructive, t.annotations.idempotent)))
        .collect();
    assert_eq!(claims["orders.get"], (Some(true), Some(false), Some(true)));
    assert_eq!(claims["orders.delete"], (Some(false), Some(true), Some(true)));
    assert_eq!(claims["orders.update"], (Some(false), None, Some(true)));
    assert_eq!(claims["orders.patch"], (Some(false), None, None));
    assert_eq!(claims["orders.insert"], (Some(false), None, None));
    assert_eq!(claims["orders.searchAll"], (None, None, None), "a search by POST changes nothing, perhaps");
    assert_eq!(claims["orders.batchDelete"], (Some(false), Some(true), None));
}

#[test]
fn what_is_broken_rejects_only_itself() {
    let mut bad_scopes = method("open", "POST");
    bad_scopes["scopes"] = json!("everything");
    let mut deprecated = method("old", "GET");
    deprecated["deprecated"] = json!(true);
    let methods = json!({
        "fine": method("fine", "GET"), "old": deprecated, "scopes": bad_scopes, "text": "no method",
        "noid": { "httpMethod": "GET" }, "noverb": { "id": "shop.orders.noverb" },
        "params": { "id": "shop.orders.params", "httpMethod": "GET", "parameters": [] },
    });
    let deep = format!("{{\"name\":\"deep\",\"version\":\"v1\",\"x\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    let dir = folder_of(&[
        ("deep.json", &deep),
        ("half.json", "{\"name\": \"half\", "),
        ("index.json", r#"{"kind":"discovery#directoryList","items":[]}"#),
        ("noname.json", "{}"),
        ("notes.txt", "not read"),
        ("odd.json", r#"{"name":"odd","version":"latest version"}"#),
        ("shop.json", &document("v1", methods, json!({}))),
    ]);
    let (_, tools, rejections) = fetch(dir.path(), &[]).expect("readable");
    let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["orders.fine", "orders.old"]);
    assert!(tools[1].deprecation.as_ref().is_some_and(|note| note.contains("Shop API v1")));
    let mut found: Vec<(&str, &str)> = rejections.iter().map(|r| (r.record.as_str(), r.reason.as_str())).collect();
    found.sort_unstable();
    let expected = [
        ("deep.json", "recursion limit"),
        ("half.json", "not JSON"),
        ("noname.json", "\"name\" and a \"version\""),
        ("odd.json", "no API version"),
        ("shop:v1:orders.noid", "\"id\" is to be"),
        ("shop:v1:orders.text", "not a JSON object"),
        ("shop:v1:shop.orders.noverb", "httpMethod"),
        ("shop:v1:shop.orders.open", "\"scopes\""),
        ("shop:v1:shop.orders.params", "\"parameters\""),
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for ((record, reason), (expected_record, part)) in found.iter().zip(expected) {
        assert!(record == &expected_record && reason.contains(part), "{record}: {reason:?} should say {part:?}");
    }
}

#[test]
fn what_is_no_file_rejects_only_itself() {
    use std::os::unix::ffi::OsStrExt;
    let dir = folder_of(&[("shop.json", &document("v1", json!({ "get": method("get", "GET") }), json!({})))]);
    fs::create_dir(dir.path().join("folder.json")).expect("a folder");
    let pipe = dir.path().join("pipe.json");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    std::os::unix::fs::symlink("/dev/zero", dir.path().join("zero.json")).expect("a link");
    fs::write(dir.path().join(std::ffi::OsStr::from_bytes(b"\xFF.json")), "{}").expect("a file");
    std::os::unix::fs::symlink(dir.path().join("shop.json"), dir.path().join("again.json")).expect("a link");
    let (_, tools, rejections) = fetch(dir.path(), &[]).expect("readable");
    assert_eq!(tools.len(), 1);
    let records: Vec<&str> = rejections.iter().map(|rejection| rejection.record.as_str()).collect();
    assert_eq!(
        records,
        ["folder.json", "pipe.json", "zero.json", "\u{FFFD}.json", "shop:v1:shop.orders.get"],
        "{rejections:?}"
    );
}

#[test]
fn apis_are_chosen_by_version_or_by_name_with_the_newest_stable_version() {
    let one = |version: &str| document(version, json!({ "get": method("get", "GET") }), json!({}));
    let dir = folder_of(&[
        ("1.json", &one("v1")),
        ("2.json", &one("v2")),
        ("3.json", &one("v3beta1")),
        ("4.json", &one("part_v1alpha")),
    ]);
    let refs = |apis: &[&str]| -> Vec<String> {
        let (_, tools, _) = fetch(dir.path(), apis).expect("readable");
        tools.iter().map(|tool| tool.reference.to_string()).collect()
    };
    assert_eq!(refs(&["shop"]), ["google://shop.orders.get@2.0.0", "google://shop_part.orders.get@1.0.0-alpha"]);
    assert_eq!(
        refs(&["shop:v1", "shop:v3beta1"]),
        ["google://shop.orders.get@1.0.0", "google://shop.orders.get@3.0.0-beta.1"]
    );
    assert_eq!(refs(&[]).len(), 4);
    let error = fetch(dir.path(), &["shop", "mall:v1"]).expect_err("no such API").to_string();
    assert!(error.contains("\"mall:v1\"") && error.contains("drive:v3"), "{error}");
}

#[test]
fn an_unchanged_folder_is_not_read_again_but_any_change_is_seen() {
    let text = document("v1", json!({ "get": method("get", "GET") }), json!({}));
    let dir = folder_of(&[("shop.json", &text)]);
    let (state, ..) = fetch(dir.path(), &[]).expect("readable");
    let source = GoogleDiscovery::new("google", dir.path(), &[]);
    let again = source.fetch(Some(&state), &mut |_| panic!("nothing is to be given")).expect("readable");
    assert_eq!(again, Fetched::Unchanged);
    let selected = GoogleDiscovery::new("google", dir.path(), &["shop".to_owned()]);
    assert_ne!(selected.fetch(Some(&state), &mut |_| ()).expect("readable"), Fetched::Unchanged, "another selection");
    fs::write(dir.path().join("shop.json"), text.replace("Does", "Did ")).expect("written");
    assert_ne!(source.fetch(Some(&state), &mut |_| ()).expect("readable"), Fetched::Unchanged, "another content");
    let empty = tempfile::tempdir().expect("a temporary folder");
    assert!(matches!(fetch(empty.path(), &[]), Err(SourceError::NoCatalog { .. })));
}

#[test]
fn methods_and_resources_that_cannot_be_read_are_rejected_and_do_not_vanish() {
    let folder = folder_of(&[(
        "shop.v1.json",
        &json!({
            "kind": "discovery#restDescription", "name": "shop", "version": "v1", "title": "Shop API",
            "methods": ["get"],
            "resources": {
                "orders": { "methods": { "list": method("list", "GET") }, "resources": "none" },
                "carts": { "methods": 7 },
                "users": [],
                "empty": {},
            },
        })
        .to_string(),
    )]);
    let (_, tools, rejections) = fetch(folder.path(), &[]).expect("readable");
    assert_eq!(tools.len(), 1);
    let mut records: Vec<&str> = rejections.iter().map(|rejection| rejection.record.as_str()).collect();
    records.sort_unstable();
    assert_eq!(records, ["shop:v1:carts.methods", "shop:v1:methods", "shop:v1:orders.resources", "shop:v1:users"]);
    assert!(rejections.iter().all(|rejection| rejection.reason.contains("not a JSON object")), "{rejections:?}");
}
