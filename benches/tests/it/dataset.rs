//! Reading sets.

use std::path::Path;

use shortlist_benches::{BadTools, Dataset};
use shortlist_index::QUERY_CHARS_MAX;

use crate::support::Files;

const TOOLS: &str = "{\"id\":\"a\",\"namespace\":\"n\",\"name\":\"alpha\",\"description\":\"Counts apples.\"}\n\
                     {\"id\":\"b\",\"namespace\":\"n\",\"name\":\"beta\",\"description\":\"Counts pears.\"}\n";
const QUERY: &str = "{\"id\":\"1\",\"query\":\"apples\",\"relevant\":{\"a\":1}}\n";

#[test]
fn a_bad_line_of_the_queries_is_named_by_file_and_line() {
    let check = |line: &str, reason: &str| {
        let read = Files::new(TOOLS, &format!("{QUERY}\n{line}\n")).read();
        let error = read.map(|dataset| dataset.queries.len()).expect_err(reason).to_string();
        assert!(error.contains("queries.jsonl, line 3: "), "{error}");
        assert!(error.contains(reason), "{error}");
    };
    check("{", "EOF");
    check(r#"{"id":"2","query":"x"}"#, "missing field `relevant`");
    check(r#"{"id":"2","query":" ","relevant":{"a":1}}"#, "the query is empty");
    check(r#"{"id":"","query":"x","relevant":{"a":1}}"#, "the id has 1 to");
    check(r#"{"id":"2","query":"x","relevant":{"a":1},"split":""}"#, "the split has 1 to");
    check(r#"{"id":"1","query":"x","relevant":{"a":1}}"#, "same id");
    check(r#"{"id":"2","query":"x","relevant":{}}"#, "no tool is relevant");
    check(r#"{"id":"2","query":"x","relevant":{"a":0}}"#, "no tool is relevant");
    check(r#"{"id":"2","query":"x","relevant":{"":1}}"#, "empty id");
    check(r#"{"id":"2","query":"x","relevant":{"a":-1}}"#, "invalid value");
    check(r#"{"id":"2","query":"x","relevant":{"a":101}}"#, "a grade is 0 to 100");
    let long = "x".repeat(QUERY_CHARS_MAX + 1);
    check(&format!(r#"{{"id":"2","query":"{long}","relevant":{{"a":1}}}}"#), "characters, more than the");
    check(&"x".repeat((1 << 20) + 1), "more than the 1048576 bytes");
}

#[test]
fn a_bad_tool_stops_the_measurement_unless_its_absence_is_accepted() {
    let files = Files::new(&format!("{TOOLS}{{\"id\":\"c\"}}\n"), QUERY);
    let error = files.read().expect_err("line 3 is no tool").to_string();
    assert!(error.contains("tools.jsonl, line 3"), "{error}");

    let dataset =
        Dataset::read(&files.tools(), &files.queries(), None, BadTools::Skip).expect("two tools are left to measure");
    assert_eq!((dataset.description.n_tools, dataset.description.n_rejected), (2, 1));
    assert!(dataset.description.rejections[0].starts_with("line 3"), "{:?}", dataset.description.rejections);
}

#[test]
fn empty_and_absent_files_say_so() {
    let error = |tools: &str, queries: &str| Files::new(tools, queries).read().expect_err("nothing there").to_string();
    assert!(error(TOOLS, "\n \n").contains("queries.jsonl holds no query"));
    assert!(error("", QUERY).contains("tools.jsonl holds no tool"));
    let files = Files::new(TOOLS, QUERY);
    let gone = files.dir.path().join("gone.jsonl");
    let error = Dataset::read(&files.tools(), &gone, None, BadTools::Refuse).expect_err("no such file").to_string();
    assert!(error.contains("could not read") && error.contains("gone.jsonl"), "{error}");
}

#[test]
fn a_limit_takes_the_first_queries_and_reads_no_further() {
    let files = Files::new(TOOLS, &format!("{QUERY}not JSON\n"));
    let dataset =
        Dataset::read(&files.tools(), &files.queries(), Some(1), BadTools::Refuse).expect("the first line is good");
    assert_eq!(dataset.queries.len(), 1);
}

#[test]
fn the_shared_sets_are_read_whole() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/relevance");
    if !shared.is_dir() {
        eprintln!("SKIPPED: ../shared/relevance is absent, so its sets were not read");
        return;
    }
    for (set, n_tools, n_queries) in
        [("azure_mcp", 347, 952), ("bfcl", 1_390, 2_000), ("metatool", 199, 2_000), ("sealtools", 4_076, 2_000)]
    {
        let dir = shared.join(set);
        let dataset =
            Dataset::read(&dir.join("tools.jsonl"), &dir.join("queries.jsonl"), None, BadTools::Refuse).expect(set);
        let description = &dataset.description;
        assert_eq!((description.n_tools, description.n_queries), (n_tools, n_queries), "{set}");
        assert_eq!(description.n_relevant_absent, 0, "{set}");
    }
}
