//! OpenAPI documents of every kind. The public directory's 2,600 are in `openapi_directory`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use shortlist_index::Tool;
use shortlist_ingest::error::SourceError;
use shortlist_ingest::network::Network;
use shortlist_ingest::source::openapi::{OpenApi, OpenApiConfig};
use shortlist_ingest::source::{Fetched, Source, SourceState};
use shortlist_ingest::testing::loopback;
use tempfile::TempDir;

use crate::support::{Pass, bearer, read_all};
use crate::wire::{Wire, reply};

mod mutations;

/// Documents written for these tests.
pub(crate) fn shop(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/openapi/shop").join(file)
}

fn fetch(path: &Path) -> Result<Pass, SourceError> {
    read_all(&OpenApi::new("apis", path, None))
}

fn by_ref(tools: &[Tool]) -> BTreeMap<String, &Tool> {
    tools.iter().map(|tool| (tool.reference.to_string(), tool)).collect()
}

fn input(tool: &Tool) -> Value {
    tool.input_schema.as_ref().expect("an input schema").to_value()
}

fn output(tool: &Tool) -> Value {
    tool.output_schema.as_ref().expect("an output schema").to_value()
}

fn scopes(tool: &Tool) -> Value {
    serde_json::to_value(&tool.required_scopes).expect("JSON")
}

/// A folder that holds these files.
fn folder_of(documents: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in documents {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        fs::write(path, text).expect("written");
    }
    dir
}

fn document(paths: Value) -> String {
    json!({ "openapi": "3.0.0", "info": { "title": "Shop" }, "paths": paths }).to_string()
}

#[test]
fn a_document_of_openapi_3_0_becomes_tools() {
    let (_, tools, rejections) = fetch(&shop("orders.json")).expect("readable");
    assert_eq!(rejections, []);
    let tools = by_ref(&tools);
    let refs: Vec<&str> = tools.keys().map(String::as_str).collect();
    assert_eq!(
        refs,
        [
            "apis://apis.GET%20%2Forders%2F%7Border%7D",
            "apis://apis.cancelOrder",
            "apis://apis.getStatus",
            "apis://apis.listOrders",
            "apis://apis.placeOrder",
            "apis://apis.replaceNotes",
        ]
    );

    let list = tools["apis://apis.listOrders"];
    assert_eq!((list.name.as_str(), list.title.as_deref()), ("listOrders", Some("List orders")));
    assert_eq!(list.description, "Every order of a shop, the newest first.");
    assert_eq!(list.tags, ["Order desk", "orders", "reading"]);
    assert_eq!(list.provenance.foreign_id, "apis:GET /orders");
    assert_eq!((list.execution.mode.as_deref(), list.execution.auth_type.as_deref()), (Some("http"), Some("oauth2")));
    assert_eq!((list.annotations.read_only, list.annotations.idempotent), (Some(true), Some(true)));
    assert_eq!(scopes(list), json!([["orders.read"]]));
    assert_eq!(
        input(list),
        json!({ "type": "object", "required": ["X-Shop"], "properties": {
            "X-Shop": { "type": "string", "description": "Which shop.", "x-location": "header" },
            "limit": { "type": "integer", "minimum": 1, "maximum": 100, "default": 20, "x-location": "query" },
            "state": { "type": "string", "enum": ["open", "sent", "cancelled"], "description": "How far it is.",
                "x-location": "query" },
        } })
    );
    let order = &output(list)["items"];
    assert_eq!(order["required"], json!(["customer"]));
    assert_eq!(order["properties"]["lines"]["items"]["required"], json!(["article"]));

    let place = tools["apis://apis.placeOrder"];
    assert_eq!(scopes(place), json!([["orders.read", "orders.write"]]), "a key opens nothing");
    assert_eq!(place.description, "Place an order", "a summary is better than nothing");
    let body = &input(place)["properties"]["body"];
    assert_eq!((&body["required"], &body["x-media-type"]), (&json!(["customer", "lines"]), &json!("application/json")));
    assert_eq!(input(place)["required"], json!(["X-Shop", "body"]));

    let cancel = tools["apis://apis.cancelOrder"];
    assert_eq!((cancel.annotations.destructive, cancel.output_schema.as_ref()), (Some(true), None));
    assert_eq!(cancel.execution.auth_type.as_deref(), Some("api_key+oauth2"));
    assert_eq!(cancel.deprecation.as_deref(), Some("Order desk marks this operation as deprecated."));
    assert_eq!(input(cancel)["required"], json!(["order", "X-Shop"]), "what the path names is needed");

    let status = tools["apis://apis.getStatus"];
    assert!(status.required_scopes.is_none() && status.execution.auth_type.is_none());
    assert_eq!(status.description, "GET /status", "there is something to find it by");
}

#[test]
fn a_document_of_swagger_2_0_becomes_the_same_kind_of_tools() {
    let (_, tools, rejections) = fetch(&shop("lamps.yaml")).expect("readable");
    assert_eq!(rejections, []);
    let tools = by_ref(&tools);
    let update = tools["apis://apis.Lamps_Update"];
    assert_eq!((scopes(update), update.execution.auth_type.as_deref()), (json!([["switch"]]), Some("oauth2")));
    assert_eq!(
        input(update),
        json!({ "type": "object", "required": ["lamp", "body"], "properties": {
            "lamp": { "type": "string", "description": "Which lamp.", "x-location": "path" },
            "body": { "type": "object", "required": ["brightness"], "x-location": "body", "x-media-type": "application/json",
                "properties": {
                    "brightness": { "type": "integer", "minimum": 0, "maximum": 100 },
                    "mode": { "type": "string", "enum": ["on", "off", "no"] },
                } },
        } })
    );
    let get = tools["apis://apis.Lamps_Get"];
    assert_eq!((get.required_scopes.is_none(), get.execution.auth_type.as_deref()), (true, Some("http_basic")));
    assert_eq!(output(get)["properties"]["mode"]["enum"], json!(["on", "off", "no"]));
    let upload = &input(tools["apis://apis.Lamps_UploadPicture"])["properties"]["body"];
    assert_eq!((&upload["required"], &upload["x-media-type"]), (&json!(["picture"]), &json!("multipart/form-data")));
    assert_eq!(upload["properties"]["picture"], json!({ "type": "string", "format": "binary" }));
    assert_eq!(upload["properties"]["taken"]["default"], json!("2020-01-01"));
}

#[test]
fn a_folder_is_read_with_its_parts_and_its_paths_as_namespaces() {
    let (_, tools, rejections) = fetch(&shop("")).expect("readable");
    let namespaces: BTreeSet<&str> = tools.iter().map(|tool| tool.reference.namespace()).collect();
    assert_eq!(namespaces, BTreeSet::from(["books", "lamps", "orders"]));
    assert_eq!(rejections.len(), 1, "the part of another document is nothing of its own: {rejections:?}");
    assert_eq!(rejections[0].record, "books:GET /outside");
    assert!(rejections[0].reason.contains("no file of this folder"), "{rejections:?}");

    let tools = by_ref(&tools);
    let books = tools["apis://books.GET%20%2Fbooks"];
    assert_eq!((books.name.as_str(), scopes(books)), ("GET /books", json!([["admin"], ["books", "profile"]])));
    assert_eq!(
        output(books)["items"]["properties"]["pages"],
        json!({ "type": ["integer", "null"], "exclusiveMinimum": 0 })
    );
    assert_eq!(tools["apis://books.addBook"].description, "The books.");
    let find = tools["apis://books.Find%20a%20book"];
    assert_eq!(input(find)["properties"]["isbn"], json!({ "type": ["string", "integer"], "x-location": "path" }));
    assert!(output(find)["properties"]["title"].is_object());
    let delete = tools["apis://books.DELETE%20%2Fbooks%2F%7Bisbn%7D"];
    assert_eq!(delete.name, "DELETE /books/{isbn}", "an id that looks like another operation is none");
    assert!(delete.required_scopes.is_none(), "anybody may");
}

#[test]
fn the_operator_may_say_what_the_namespace_is() {
    let namespaces = |path: &str| -> BTreeSet<String> {
        let source = OpenApi::new("apis", shop(path), Some("house".to_owned()));
        let (_, tools, _) = read_all(&source).expect("readable");
        tools.iter().map(|tool| tool.reference.namespace().to_owned()).collect()
    };
    assert_eq!(namespaces("lamps.yaml"), BTreeSet::from(["house".to_owned()]));
    assert_eq!(namespaces(""), ["house/books", "house/lamps", "house/orders"].map(str::to_owned).into());
}

#[test]
fn one_odd_value_rejects_its_operation_and_no_other() {
    let fine = json!({ "operationId": "fine", "responses": {} });
    let text = document(json!({
        "/a": {
            "get": fine, "post": "text", "put": { "tags": "all" }, "delete": { "security": [{ "lost": [] }] },
            "patch": { "parameters": [{ "in": "query" }] },
        },
        "/b": 7,
        "/c": { "$ref": "#/nowhere" },
        "/d": { "get": { "operationId": 3, "summary": [], "description": {}, "deprecated": "yes", "responses": 7 } },
        "/e": { "GET": { "operationId": "twice" }, "get": { "operationId": "twice" }, "post": { "operationId": "twice" } },
        "/f": { "get": { "operationId": "bell\u{7}" } },
        "/h\u{7}": { "get": { "operationId": "hidden" } },
        "/g": { "additionalOperations": { "COPY": { "operationId": "copy" } }, "query": { "operationId": "ask" } },
    }));
    let dir = folder_of(&[("shop.json", &text)]);
    let (_, tools, rejections) = fetch(dir.path()).expect("readable");
    let names: BTreeSet<&str> = tools.iter().map(|tool| tool.reference.name()).collect();
    let expected = ["GET /d", "GET /e", "GET /f", "POST /e", "ask", "copy", "fine"];
    assert_eq!(names, BTreeSet::from(expected));
    let mut found: Vec<(&str, &str)> = rejections.iter().map(|r| (r.record.as_str(), r.reason.as_str())).collect();
    found.sort_unstable();
    let expected = [
        ("shop:/b", "not an object"),
        ("shop:/c", "leads nowhere"),
        ("shop:DELETE /a", "defined nowhere"),
        ("shop:GET /e", "once more"),
        ("shop:GET /h", "U+0007"),
        ("shop:PATCH /a", "\"name\""),
        ("shop:POST /a", "not an object"),
        ("shop:PUT /a", "\"tags\""),
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for ((record, reason), (expected_record, part)) in found.iter().zip(expected) {
        assert!(record == &expected_record && reason.contains(part), "{record}: {reason:?} should say {part:?}");
    }
}

#[test]
fn a_broken_document_of_a_folder_rejects_itself() {
    let fine = document(json!({ "/a": { "get": {} } }));
    let deep = format!("{{\"openapi\":\"3.0.0\",\"x\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    let dir = folder_of(&[
        ("a.json", &fine),
        ("a.yaml", &fine),
        ("deep.json", &deep),
        ("half.json", "{\"openapi\": "),
        ("inner/b.YAML", &fine),
        ("new.json", "{\"openapi\": \"4.0\"}"),
        ("notes.txt", "not read"),
        (".hidden/c.json", "{"),
        ("odd.yml", "openapi: 3.0.0\npaths: []\n"),
        ("package.json", "{\"name\": \"package\"}"),
        ("tabs.yaml", "openapi: 3.0.0\n\tpaths: {}\n"),
    ]);
    let (_, tools, rejections) = fetch(dir.path()).expect("readable");
    let namespaces: Vec<&str> = tools.iter().map(|tool| tool.reference.namespace()).collect();
    assert_eq!(namespaces, ["a", "inner/b"]);
    let mut found: Vec<(&str, &str)> = rejections.iter().map(|r| (r.record.as_str(), r.reason.as_str())).collect();
    found.sort_unstable();
    let expected = [
        ("a.yaml", "a.json has the same name"),
        ("deep.json", "recursion limit"),
        ("half.json", "not JSON"),
        ("new.json", "version \"4.0\""),
        ("odd.yml", "\"paths\" is not an object"),
        ("package.json", "describes no API"),
        ("tabs.yaml", "YAML"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for ((record, reason), (expected_record, part)) in found.iter().zip(expected) {
        assert!(record == &expected_record && reason.contains(part), "{record}: {reason:?} should say {part:?}");
    }
}

#[test]
fn a_single_document_that_is_broken_ends_the_pass() {
    let dir = folder_of(&[("half.json", "{\"openapi\": "), ("list.yaml", "- 1\n"), ("empty/notes.txt", "")]);
    let check = |path: &str, part: &str| {
        let error = fetch(&dir.path().join(path)).expect_err(part).to_string();
        assert!(error.contains(part), "{error:?} should say {part:?}");
    };
    check("half.json", "not JSON");
    check("list.yaml", "describes no API");
    check("absent.yaml", "could not read");
    check("empty", "no *.json");
}

#[test]
fn unchanged_documents_are_not_read_again_but_any_change_is_seen() {
    let text = document(json!({ "/a": { "get": { "summary": "Does" } } }));
    let dir = folder_of(&[("shop.json", &text), ("inner/part.yaml", "a: 1\n")]);
    for path in [dir.path().to_owned(), dir.path().join("shop.json")] {
        let source = OpenApi::new("apis", &path, None);
        let (state, ..) = fetch(&path).expect("readable");
        let again = source.fetch(Some(&state), &mut |_| panic!("nothing is to be given")).expect("readable");
        assert_eq!(again, Fetched::Unchanged);
        let other = OpenApi::new("apis", &path, Some("other".to_owned()));
        assert_ne!(other.fetch(Some(&state), &mut |_| ()).expect("readable"), Fetched::Unchanged, "other names");
        fs::write(dir.path().join("shop.json"), text.replace("Does", "Did ")).expect("written");
        assert_ne!(source.fetch(Some(&state), &mut |_| ()).expect("readable"), Fetched::Unchanged, "other content");
        fs::write(dir.path().join("shop.json"), &text).expect("written");
    }
    let (state, ..) = fetch(dir.path()).expect("readable");
    fs::write(dir.path().join("inner/part.yaml"), "a: 2\n").expect("written");
    let source = OpenApi::new("apis", dir.path(), None);
    assert_ne!(source.fetch(Some(&state), &mut |_| ()).expect("readable"), Fetched::Unchanged, "a part's content");
}

#[test]
fn the_same_content_in_another_place_is_read_again() {
    let text = document(json!({ "/a": { "get": { "summary": "Does" } } }));
    let dir = folder_of(&[("shop.json", &text)]);
    let (folder, file) = (dir.path().to_owned(), dir.path().join("shop.json"));
    for (before, after, namespace) in [(&folder, &file, "apis"), (&file, &folder, "shop")] {
        let (state, ..) = fetch(before).expect("readable");
        let mut namespaces = BTreeSet::new();
        let read = OpenApi::new("apis", after, None).fetch(Some(&state), &mut |record| {
            namespaces.insert(record.expect("a tool").reference.namespace().to_owned());
        });
        assert!(matches!(read, Ok(Fetched::Complete(_))), "{read:?}");
        assert_eq!(namespaces, BTreeSet::from([namespace.to_owned()]));
    }

    // Some servers number their ETags, so that two addresses have the same.
    let peer = server(&Arc::new(Mutex::new(("\"1\"", text))));
    let at = |path: &str| OpenApi::at_url(&config(peer.url(path)), &loopback(), bearer("s3cret")).expect("open");
    let (state, ..) = read_all(&at("/staging?key=hidden")).expect("readable");
    assert!(!format!("{state:?}").contains("hidden"), "{state:?}");
    let read = at("/prod?key=hidden").fetch(Some(&state), &mut |_| ());
    assert!(matches!(read, Ok(Fetched::Complete(_))), "{read:?}");
    assert!(peer.take_asked().iter().all(|asked| asked.header("if-none-match").is_none()));
}

#[test]
fn a_single_document_says_that_the_files_beside_it_are_not_read() {
    let (beside, own) = (json!({ "$ref": "paths/pets.yaml" }), json!({ "$ref": "shop.json#/paths/~1shops" }));
    let text = document(json!({ "/pets": beside, "/own": own, "/shops": { "get": {} } }));
    let dir = folder_of(&[("shop.json", &text), ("paths/pets.yaml", "get: {}\n")]);
    let (_, tools, rejections) = fetch(&dir.path().join("shop.json")).expect("readable");
    assert_eq!((tools.len(), rejections.len()), (2, 1), "{rejections:?}");
    assert!(rejections[0].reason.contains("name the folder"), "{rejections:?}");
    let (_, tools, rejections) = fetch(dir.path()).expect("readable");
    assert_eq!((tools.len(), rejections.len()), (3, 0), "{rejections:?}");
}

#[cfg(unix)]
#[test]
fn links_are_followed_inside_the_folder_only() {
    let outside = folder_of(&[("secret.json", &document(json!({ "/secret": { "get": {} } })))]);
    let dir = folder_of(&[("..data/real.json", &document(json!({ "/a": { "get": {} } })))]);
    let link = |target: &Path, name: &str| std::os::unix::fs::symlink(target, dir.path().join(name)).expect("linked");
    link(Path::new("..data/real.json"), "mounted.json");
    link(&outside.path().join("secret.json"), "outside.json");
    link(outside.path(), "folder");
    link(dir.path(), "circle");
    let (_, tools, rejections) = fetch(dir.path()).expect("readable");
    let refs: Vec<String> = tools.iter().map(|tool| tool.reference.to_string()).collect();
    assert_eq!((refs, rejections), (vec!["apis://mounted.GET%20%2Fa".to_owned()], vec![]));
}

#[test]
fn paths_that_are_too_long_for_a_ref_are_tools_all_the_same() {
    let long = |end: &str| format!("/{}{end}", "{a}/".repeat(200));
    let mut paths = json!({});
    for end in ["one", "two"] {
        paths[long(end)] = json!({ "get": {} });
    }
    let dir = folder_of(&[("shop.json", &document(paths))]);
    let (_, tools, rejections) = fetch(dir.path()).expect("readable");
    assert_eq!((tools.len(), rejections.len()), (2, 0));
    assert_ne!(tools[0].reference, tools[1].reference);
    assert_eq!(tools[0].provenance.foreign_id, format!("shop:GET {}", long("one")));
}

/// A server of one document that may change, for whoever has the token.
fn server(document: &Arc<Mutex<(&'static str, String)>>) -> Wire {
    let document = Arc::clone(document);
    Wire::start(move |asked, to| {
        let (etag, text) = document.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if asked.header("authorization") != Some("Bearer s3cret") {
            reply(to, "401 Unauthorized", &[], b"")
        } else if asked.header("if-none-match") == Some(etag) {
            reply(to, "304 Not Modified", &[("ETag", etag)], b"")
        } else {
            reply(to, "200 OK", &[("ETag", etag)], text.as_bytes())
        }
    })
}

fn config(url: String) -> OpenApiConfig {
    OpenApiConfig {
        name: "apis".to_owned(),
        path: None,
        url: Some(url),
        namespace: None,
        token_env: None,
        token_file: None,
        oauth: None,
        allow_plain_http: false,
    }
}

#[test]
fn a_document_behind_an_address_is_sent_once_until_it_changes() {
    let text = fs::read_to_string(shop("lamps.yaml")).expect("readable");
    let document = Arc::new(Mutex::new(("\"1\"", text.clone())));
    let set = |to: (&'static str, String)| *document.lock().unwrap_or_else(PoisonError::into_inner) = to;
    let peer = server(&document);
    let source = OpenApi::at_url(&config(peer.url("/lamps?key=hidden")), &loopback(), bearer("s3cret")).expect("open");
    let again = |state: &SourceState| source.fetch(Some(state), &mut |_| panic!("nothing is to be given"));

    let (state, tools, rejections) = read_all(&source).expect("readable");
    assert_eq!((tools.len(), rejections.len()), (3, 0));
    assert_eq!(tools[0].reference.namespace(), "apis");
    assert_eq!(again(&state).expect("reachable"), Fetched::Unchanged);
    let asked = peer.take_asked();
    assert_eq!((asked.len(), asked[1].header("if-none-match")), (2, Some("\"1\"")));

    set(("\"2\"", text.clone()));
    assert_eq!(again(&state).expect("reachable"), Fetched::Unchanged, "another ETag of the same bytes");
    set(("\"1\"", text.clone()));
    let mut older = state.clone();
    older.insert("mapping".to_owned(), "0".to_owned());
    let read = source.fetch(Some(&older), &mut |_| ()).expect("reachable");
    assert_eq!(read, Fetched::Complete(state.clone()), "an ETag says nothing of this program");
    set(("\"3\"", text.replace("Lamps_Get", "Lamps_Show")));
    let mut names = BTreeSet::new();
    let read = source.fetch(Some(&state), &mut |record| _ = names.insert(record.expect("a tool").tool.name));
    assert!(matches!(read, Ok(Fetched::Complete(_))) && names.contains("Lamps_Show"), "{names:?}");

    set(("\"4\"", "openapi: [".to_owned()));
    let error = read_all(&source).expect_err("half a document").to_string();
    assert!(error.contains("YAML") && error.contains("/lamps ") && !error.contains("hidden"), "{error}");
}

#[test]
fn an_address_is_held_to_the_operators_rules() {
    let peer = server(&Arc::new(Mutex::new(("\"1\"", String::new()))));
    let open = |url: String, network: &Network| OpenApi::at_url(&config(url), network, None);
    let refused = open(peer.url("/"), &Network::public_only()).err().map(|error| error.to_string());
    assert!(refused.as_ref().is_some_and(|error| error.contains("127.0.0.1")), "{refused:?}");
    assert!(open("not an address".to_owned(), &loopback()).is_err());
    let source = open(peer.url("/"), &loopback()).expect("allowed");
    let error = read_all(&source).expect_err("without a token").to_string();
    assert!(error.contains("401"), "{error}");
}
