//! The JSONL source.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use shortlist_index::ScopeRequirement;
use shortlist_ingest::error::SourceError;
use shortlist_ingest::source::jsonl::Jsonl;
use shortlist_ingest::source::{Fetched, Source};

use crate::support::{Pass, read_all};

fn fetch(path: &Path) -> Result<Pass, SourceError> {
    read_all(&Jsonl::new("files", path))
}

fn file_of(dir: &tempfile::TempDir, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join("tools.jsonl");
    fs::write(&path, bytes).expect("written");
    path
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("written");
    encoder.finish().expect("packed")
}

const LINES: &str = r#"{"id":"shop.eu:GET /orders","namespace":"shop.eu","name":"get_orders","title":"Orders","description":"Lists orders.","tags":["b","a","b"],"input_schema":{"type":"object","properties":{"page":{"type":"integer"}}}}

{"id":"refund","namespace":"billing","name":"refund","description":"Pays back.","version":"2.1.0","annotations":{"destructive":true},"execution":{"mode":"async","auth_type":"oauth2","requires_obo":true},"required_scopes":[["pay","read"],["admin"]],"deprecation":"Use credit.","owner":"ignored"}
{"id":"refund","namespace":"billing","name":"refund","description":"Pays back.","version":"3.0.0","title":null,"deprecation":false}
"#;

#[test]
fn a_line_becomes_a_tool_with_all_it_says() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (_, tools, rejections) = fetch(&file_of(&dir, LINES.as_bytes())).expect("readable");
    assert_eq!(rejections, []);
    let refs: Vec<String> = tools.iter().map(|tool| tool.reference.to_string()).collect();
    assert_eq!(
        refs,
        ["files://shop%2Eeu.GET%20%2Forders", "files://billing.refund@2.1.0", "files://billing.refund@3.0.0"]
    );
    let [orders, refund, newer] = &tools[..] else { panic!("three tools") };
    assert_eq!((orders.name.as_str(), orders.title.as_deref()), ("get_orders", Some("Orders")));
    assert_eq!(orders.tags, ["a", "b"]);
    assert_eq!(orders.provenance.foreign_id, "shop.eu:GET /orders");
    assert_eq!(refund.annotations.destructive, Some(true));
    assert_eq!(refund.execution.mode.as_deref(), Some("async"));
    assert!(refund.execution.requires_obo);
    let held = |scopes: &[&str]| scopes.iter().map(|&scope| scope.to_owned()).collect();
    assert!(refund.required_scopes.is_met_by(&held(&["admin"])) && !refund.required_scopes.is_met_by(&held(&["pay"])));
    assert_eq!(refund.deprecation.as_deref(), Some("Use credit."));
    assert_eq!((newer.deprecation.as_deref(), &newer.required_scopes), (None, &ScopeRequirement::none()));
}

#[test]
fn a_packed_file_is_known_by_its_bytes_and_gives_the_same() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (_, plain, _) = fetch(&file_of(&dir, LINES.as_bytes())).expect("readable");
    let (_, packed, _) = fetch(&file_of(&dir, &zipped(LINES.as_bytes()))).expect("readable");
    assert_eq!(plain, packed);
}

#[test]
fn a_bad_line_is_rejected_with_its_number_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let check = |line: &str, record: &str, reason: &str| {
        let text = format!("{}\n{line}\n{}", tool("first"), tool("last"));
        let (_, tools, rejections) = fetch(&file_of(&dir, text.as_bytes())).expect("readable");
        assert_eq!(tools.len(), 2, "{line}");
        let [rejection] = &rejections[..] else { panic!("{line} is to be rejected: {rejections:?}") };
        assert!(rejection.record.contains(record), "{rejection:?} should name {record:?}");
        assert!(rejection.reason.contains(reason), "{rejection:?} should say {reason:?}");
    };
    check("{\"id\":", "line 2", "EOF while parsing a value at column 6");
    check("[1,2]", "line 2", "the line is not of the format");
    check("{\"id\":\"a\",\"name\":\"a\"}", "line 2", "missing field `namespace`");
    check(&tool("first"), "line 2: first", "an earlier line has the same identity files://n.first");
    check(&tool("n:first"), "line 2: n:first", "an earlier line has the same identity files://n.first");
    check(&tool(""), "line 2", "the identity is empty");
    check(&tool("a\u{202E}b"), "line 2", "the invisible character U+202E");
    check(&tool(&"x".repeat(500)), "line 2", "500 characters");
    check(&tool("a").replace('}', ",\"version\":\"1.0\"}"), "line 2: a", "not a semantic version");
    check(&tool("a").replace('}', ",\"tags\":\"t\"}"), "line 2", "expected a sequence");
    check(&tool("a").replace('}', ",\"input_schema\":[]}"), "line 2: a", "input schema cannot be taken");
    check(&tool("a").replace('}', ",\"required_scopes\":[\"s\"]}"), "line 2", "the line is not of the format");
    check(&tool("a").replace('}', ",\"required_scopes\":[[\"\"]]}"), "line 2: a", "a required scope is empty");
    check(&tool("a").replace('}', ",\"deprecation\":1}"), "line 2", "a text or a boolean");
    let deep = format!(",\"input_schema\":{}1{}}}", "{\"a\":".repeat(200), "}".repeat(200));
    check(&(tool("a").trim_end_matches('}').to_owned() + &deep), "line 2", "recursion limit");
    check("\u{FF}\u{0}", "line 2", "the line is not of the format");
}

fn tool(id: &str) -> String {
    format!("{{\"id\":\"{id}\",\"namespace\":\"n\",\"name\":\"tool\",\"description\":\"d\"}}")
}

#[test]
fn an_unchanged_file_is_not_read_again() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = file_of(&dir, LINES.as_bytes());
    let (state, _, _) = fetch(&path).expect("readable");
    let source = Jsonl::new("files", &path);
    let again = source.fetch(Some(&state), &mut |_| panic!("nothing is to be given")).expect("readable");
    assert_eq!(again, Fetched::Unchanged);
    // One letter of the same length.
    fs::write(&path, LINES.replace("Pays back.", "Pays Back.")).expect("written");
    let mut n_records = 0;
    let again = source.fetch(Some(&state), &mut |_| n_records += 1).expect("readable");
    assert!(matches!(again, Fetched::Complete(after) if after != state));
    assert_eq!(n_records, 3);
}

#[test]
fn half_a_catalog_ends_the_pass() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let packed = zipped(LINES.repeat(100).as_bytes());
    let error = fetch(&file_of(&dir, &packed[..packed.len() / 2])).expect_err("cut off");
    assert!(matches!(error, SourceError::Io { .. }), "{error}");
    let error = fetch(&dir.path().join("absent.jsonl")).expect_err("not there").to_string();
    assert!(error.contains("absent.jsonl") && error.contains("\"files\""), "{error}");
}

#[test]
fn bytes_that_are_no_text_reject_their_line_alone() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut bytes = tool("first").into_bytes();
    bytes.extend_from_slice(b"\n{\"id\":\"\xFF\xFE\",\"namespace\":\"n\",\"name\":\"x\"}\n");
    bytes.extend_from_slice(tool("last").as_bytes());
    let (_, tools, rejections) = fetch(&file_of(&dir, &bytes)).expect("readable");
    assert_eq!(tools.len(), 2);
    assert_eq!((rejections.len(), rejections[0].record.as_str()), (1, "line 2"));
}

#[test]
fn what_is_no_file_ends_the_pass_instead_of_being_waited_for() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let pipe = dir.path().join("pipe.jsonl");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    for path in [pipe.as_path(), dir.path(), Path::new("/dev/zero")] {
        let error = fetch(path).expect_err("no file");
        assert!(matches!(error, SourceError::Io { .. }) && error.to_string().contains("regular file"), "{error}");
    }
    // A link is as good as the file it leads to.
    let link = dir.path().join("link.jsonl");
    std::os::unix::fs::symlink(file_of(&dir, LINES.as_bytes()), &link).expect("a link");
    assert_eq!(fetch(&link).expect("readable").1.len(), 3);
}

#[test]
fn a_file_larger_than_any_catalog_is_not_read() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("sparse.jsonl");
    fs::File::create(&path).and_then(|file| file.set_len(5 * 1024 * 1024 * 1024)).expect("a sparse file");
    assert!(matches!(fetch(&path), Err(SourceError::TooLarge { unit: "bytes", .. })));
}

#[test]
fn the_shared_sets_are_taken_whole() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/relevance");
    if !shared.is_dir() {
        eprintln!("not checked: {} is absent; it lies beside the project on a developer's machine", shared.display());
        return;
    }
    for (file, n_tools) in [
        ("azure_mcp/tools.jsonl", 347),
        ("bfcl/tools.jsonl", 1_390),
        ("metatool/tools.jsonl", 199),
        ("sealtools/tools.jsonl", 4_076),
        ("catalog_openapi/tools.jsonl.gz", 115_824),
    ] {
        let (_, tools, rejections) = fetch(&shared.join(file)).expect("readable");
        assert_eq!((tools.len(), rejections), (n_tools, Vec::new()), "{file}");
    }
}
