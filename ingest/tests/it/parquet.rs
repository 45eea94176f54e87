//! The Parquet source, with files of this project's own writer and of DuckDB's.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    StringDictionaryBuilder,
};
use arrow::datatypes::Int32Type;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::ParquetMetaDataReader;
use parquet::file::properties::WriterProperties;
use shortlist_index::Tool;
use shortlist_ingest::error::SourceError;
use shortlist_ingest::source::jsonl::Jsonl;
use shortlist_ingest::source::parquet::Parquet;
use shortlist_ingest::source::{Fetched, Source};

use crate::support::{Pass, peer_file, peer_python, read_all};

type Column = (&'static str, ArrayRef);

fn read(path: &Path) -> Result<Pass, SourceError> {
    read_all(&Parquet::new("files", path))
}

/// What the two kinds of file may not agree on: which kind they are.
fn alike(tools: Vec<Tool>) -> Vec<Tool> {
    let plain = |mut tool: Tool| {
        tool.provenance.source_type.clear();
        tool
    };
    tools.into_iter().map(plain).collect()
}

fn texts<'a>(values: impl IntoIterator<Item = impl Into<Option<&'a str>>>) -> ArrayRef {
    Arc::new(values.into_iter().map(Into::into).collect::<StringArray>())
}

fn write(path: &Path, columns: Vec<Column>, compression: Compression) {
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)));
    let batch = batch.expect("columns of one length");
    let properties =
        WriterProperties::builder().set_compression(compression).set_max_row_group_row_count(Some(2)).build();
    let mut writer =
        ArrowWriter::try_new(File::create(path).expect("a file"), batch.schema(), Some(properties)).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
}

/// Three good rows, for tests that make one thing wrong.
fn columns() -> Vec<Column> {
    vec![
        ("id", texts(["n:a", "n:b", "n:c"])),
        ("namespace", texts(["n", "n", "n"])),
        ("name", texts(["a", "b", "c"])),
        ("description", texts(["does a", "does b", "does c"])),
    ]
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("tools.parquet");
    (dir, path)
}

#[test]
fn a_row_becomes_a_tool_whatever_packs_its_column() {
    let (_dir, path) = place();
    let mut tags = ListBuilder::new(StringBuilder::new());
    tags.append_value([Some("y"), Some("x")]);
    tags.append_null();
    tags.append_value(Vec::<Option<&str>>::new());
    let tags: ArrayRef = Arc::new(tags.finish());
    let mut titles = StringDictionaryBuilder::<Int32Type>::new();
    titles.extend([Some("A"), None, Some("A")]);
    let titles: ArrayRef = Arc::new(titles.finish());
    let zstd = Compression::ZSTD(ZstdLevel::default());
    for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, zstd] {
        let mut columns = columns();
        columns.push(("tags", Arc::clone(&tags)));
        columns.push(("title", Arc::clone(&titles)));
        columns
            .push(("input_schema", texts([Some("{\"type\":\"object\",\"properties\":{\"p\":{}}}"), None, Some("{}")])));
        columns.push(("deprecation", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))));
        columns.push(("owner", Arc::new(Int64Array::from(vec![1, 2, 3]))));
        write(&path, columns, compression);
        let (_, tools, rejections) = read(&path).expect("readable");
        assert_eq!(rejections, [], "{compression}");
        let refs: Vec<String> = tools.iter().map(|tool| tool.reference.to_string()).collect();
        assert_eq!(refs, ["files://n.a", "files://n.b", "files://n.c"], "{compression}");
        assert_eq!((&tools[0].tags[..], tools[0].title.as_deref()), (&["x".to_owned(), "y".to_owned()][..], Some("A")));
        assert!(tools[0].deprecation.is_some() && tools[2].deprecation.is_none());
        let schemas: Vec<_> =
            tools.iter().map(|tool| tool.input_schema.as_ref().map(|schema| schema.as_str())).collect();
        assert_eq!(schemas, [Some("{\"properties\":{\"p\":{}},\"type\":\"object\"}"), None, Some("{}")]);
    }
}

#[test]
fn a_packing_that_says_nothing_of_what_it_unpacks_to_is_refused() {
    let (_dir, path) = place();
    write(&path, columns(), Compression::GZIP(Default::default()));
    let error = read(&path).expect_err("a gzip page is as long as it likes");
    assert!(matches!(error, SourceError::NoCatalog { .. }), "{error}");
    let error = error.to_string();
    assert!(["tools.parquet", "gzip", "Snappy", "zstd"].iter().all(|part| error.contains(part)), "{error}");
}

#[test]
fn a_bad_row_is_rejected_with_its_number_and_the_rest_goes_on() {
    let (_dir, path) = place();
    let check = |name: &'static str, column: ArrayRef, record: &str, reason: &str| {
        let mut columns = columns();
        columns.retain(|(known, _)| *known != name);
        columns.push((name, column));
        write(&path, columns, Compression::SNAPPY);
        let (_, tools, rejections) = read(&path).expect("readable");
        let [rejection] = &rejections[..] else { panic!("one row of {name} is bad: {rejections:?}") };
        assert_eq!(tools.len(), 2, "{name}");
        assert_eq!(rejection.record, record, "{name}");
        assert!(rejection.reason.contains(reason), "{rejection:?} should say {reason:?}");
    };
    check("id", texts([Some("n:a"), None, Some("n:c")]), "row 2", "the row is not of the format: invalid type: null");
    check("id", texts(["n:a", "n:b", "n:a"]), "row 3: n:a", "an earlier row has the same identity files://n.a");
    check("input_schema", texts(["{}", "{", "{}"]), "row 2", "its \"input_schema\" is no JSON");
    check("input_schema", texts(["{}", "{}", "[]"]), "row 3: n:c", "input schema cannot be taken");
    check("version", texts([None, Some("1"), None]), "row 2: n:b", "not a semantic version");
    let large = "x".repeat(3 * 1024 * 1024);
    check("description", texts(["a", large.as_str(), "c"]), "row 2", "has more than the 2097152 bytes allowed");
    let mut scopes = ListBuilder::new(ListBuilder::new(StringBuilder::new()));
    scopes.append_null();
    scopes.values().append_value([Some("s"), None]);
    scopes.append(true);
    scopes.append_null();
    check("required_scopes", Arc::new(scopes.finish()), "row 2", "is not of the format: invalid type: null");
}

#[test]
fn a_column_that_is_absent_or_of_another_type_ends_the_pass() {
    let (_dir, path) = place();
    let check = |change: &dyn Fn(&mut Vec<Column>), parts: &[&str]| {
        let mut columns = columns();
        change(&mut columns);
        write(&path, columns, Compression::SNAPPY);
        let error = read(&path).expect_err("another shape");
        assert!(matches!(error, SourceError::NoCatalog { .. }), "{error}");
        assert!(parts.iter().all(|part| error.to_string().contains(part)), "{error} should say {parts:?}");
    };
    check(&|columns| drop(columns.remove(0)), &["tools.parquet", "no column \"id\"", "namespace"]);
    let bytes = || -> ArrayRef { Arc::new(BinaryArray::from_vec(vec![b"a", b"b", b"c"])) };
    check(&|columns| columns[2].1 = bytes(), &["\"name\" of Binary", "holds texts"]);
    check(&|columns| columns.push(("tags", texts(["a", "b", "c"]))), &["\"tags\" of Utf8", "lists of texts"]);
    check(&|columns| columns.push(("required_scopes", texts(["a", "b", "c"]))), &["required_scopes", "lists of lists"]);
    let numbers = || -> ArrayRef { Arc::new(Int64Array::from(vec![1, 2, 3])) };
    check(&|columns| columns.push(("input_schema", numbers())), &["input_schema", "Int64", "JSON as text"]);
    check(&|columns| columns.push(("execution", numbers())), &["execution", "structs of texts and booleans"]);
}

#[test]
fn an_unchanged_file_is_not_read_again() {
    let (_dir, path) = place();
    write(&path, columns(), Compression::SNAPPY);
    let (state, _, _) = read(&path).expect("readable");
    let source = Parquet::new("files", &path);
    let again = source.fetch(Some(&state), &mut |_| panic!("nothing is to be given")).expect("readable");
    assert_eq!(again, Fetched::Unchanged);
    write(&path, columns(), Compression::UNCOMPRESSED);
    let again = source.fetch(Some(&state), &mut |_| {}).expect("readable");
    assert!(matches!(again, Fetched::Complete(after) if after != state));
}

#[test]
fn a_file_damaged_anywhere_ends_the_pass_or_gives_rows_and_never_a_panic() {
    let (_dir, path) = place();
    let mut columns = columns();
    columns.push(("title", texts(["one title", "another title", "a third"])));
    write(&path, columns, Compression::SNAPPY);
    let good = fs::read(&path).expect("it is there");
    let mut rng = fastrand::Rng::with_seed(21);
    let mut n_refused = 0;
    for round in 0..400 {
        let mut bytes = good.clone();
        match round % 4 {
            0 => bytes.truncate(rng.usize(..good.len())),
            1 => bytes.splice(rng.usize(..good.len()).., vec![0; 40]).for_each(drop),
            _ => {
                for _ in 0..=rng.usize(..3) {
                    let place = rng.usize(..bytes.len());
                    bytes[place] ^= 1 << rng.u32(..8);
                }
            }
        }
        fs::write(&path, &bytes).expect("written");
        match read(&path) {
            Ok((_, tools, rejections)) => assert!(tools.len() + rejections.len() <= 3, "round {round}"),
            Err(error) => {
                n_refused += 1;
                assert!(error.to_string().contains("tools.parquet"), "round {round}: {error}");
            }
        }
    }
    assert!(n_refused > 200, "{n_refused}");
    let error = read(&path.with_file_name("absent.parquet")).expect_err("not there").to_string();
    assert!(error.contains("absent.parquet"), "{error}");
}

#[test]
fn no_room_is_made_for_pages_that_claim_more_than_a_column_may_have() {
    let (_dir, path) = place();
    write(&path, columns(), Compression::SNAPPY);
    let good = fs::read(&path).expect("it is there");
    // A dictionary comes first: its kind, its bytes unpacked and packed, and a struct that begins with its number of words.
    assert!(matches!(good[4..13], [0x15, 4, 0x15, _, 0x15, _, 0x4c, 0x15, 4]), "{:?}", &good[4..13]);
    let refused = |at: usize, bytes: &[u8]| {
        fs::write(&path, [&good[..at], bytes, &good[at + 1..]].concat()).expect("written");
        read(&path).expect_err("it claims too much")
    };
    // 2^31 - 1 of either.
    for at in [7, 12] {
        let error = refused(at, &[0xfe, 0xff, 0xff, 0xff, 0x0f]);
        assert!(matches!(error, SourceError::TooLarge { .. }), "{at}: {error}");
    }
    // The size a second time, which is the one that the reader would believe.
    let error = refused(10, &[0x05, 4, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0x5c]).to_string();
    assert!(error.contains("the pages of a column are not what is said of them"), "{error}");
}

#[test]
fn a_column_of_fewer_bytes_than_none_ends_the_pass() {
    let (_dir, path) = place();
    write(&path, columns(), Compression::SNAPPY);
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&File::open(&path).expect("it opens"));
    let metadata = metadata.expect("readable");
    let chunk = metadata.row_group(0).column(0);
    // A positive number as Thrift writes it; the last bit of the first byte is its sign.
    let written = |number: i64| {
        let (mut left, mut bytes) = (number * 2, Vec::new());
        while left > 0x7f {
            bytes.push(((left & 0x7f) | 0x80) as u8);
            left >>= 7;
        }
        bytes.push(left as u8);
        bytes
    };
    let before = [vec![0x16], written(chunk.uncompressed_size()), vec![0x16]].concat();
    let sizes = [before.clone(), written(chunk.compressed_size()), vec![0x26]].concat();
    let mut bytes = fs::read(&path).expect("it is there");
    let at = bytes.windows(sizes.len()).position(|window| window == sizes).expect("the footer has them");
    bytes[at + before.len()] |= 1;
    fs::write(&path, bytes).expect("written");
    let error = read(&path).expect_err("it lies nowhere").to_string();
    assert!(error.contains("the pages of a column are not what is said of them"), "{error}");
}

/// Runs DuckDB on a JSONL file.
fn convert(from: &Path, to: &Path, compression: &str) {
    let output = Command::new(peer_python("duckdb"))
        .arg(peer_file("duckdb_parquet.py"))
        .args([from, to])
        .arg(compression)
        .output()
        .expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_duckdb_writes_gives_the_tools_of_the_lines_that_it_read() {
    let (dir, path) = place();
    let lines = dir.path().join("tools.jsonl");
    let text = r#"{"id":"shop.eu:GET /orders","namespace":"shop.eu","name":"get_orders","title":"Orders","description":"Lists orders.","tags":["b","a"],"input_schema":{"type":"object","properties":{"page":{"type":"integer"}}}}
{"id":"refund","namespace":"billing","name":"refund","description":"Pays back.","version":"2.1.0","annotations":{"destructive":true},"execution":{"mode":"async","auth_type":"oauth2","requires_obo":true},"required_scopes":[["pay","read"],["admin"]],"deprecation":"Use credit.","owner":7}
{"id":"Ω","namespace":"письма","name":"отправить","description":"Отправляет письмо."}
"#;
    fs::write(&lines, text).expect("written");
    let (_, expected, _) = read_all(&Jsonl::new("files", &lines)).expect("readable");
    assert_eq!(expected.len(), 3);
    for compression in ["snappy", "zstd", "uncompressed"] {
        convert(&lines, &path, compression);
        let (_, tools, rejections) = read(&path).expect("readable");
        assert_eq!(rejections, [], "{compression}");
        assert_eq!(alike(tools), alike(expected.clone()), "{compression}");
    }
    // Another packing than those that are known.
    convert(&lines, &path, "brotli");
    let error = read(&path).expect_err("brotli is not built in").to_string();
    assert!(error.contains("brotli"), "{error}");
}

#[test]
fn the_shared_sets_are_the_same_in_parquet() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/relevance");
    if !shared.is_dir() {
        eprintln!("not checked: {} is absent; it lies beside the project on a developer's machine", shared.display());
        return;
    }
    let (_dir, path) = place();
    for (set, n_tools) in [("azure_mcp", 347), ("bfcl", 1_390), ("metatool", 199), ("sealtools", 4_076)] {
        let lines = shared.join(set).join("tools.jsonl");
        convert(&lines, &path, "zstd");
        let (_, tools, rejections) = read(&path).expect("readable");
        assert_eq!((tools.len(), rejections), (n_tools, Vec::new()), "{set}");
        let (_, expected, _) = read_all(&Jsonl::new("files", &lines)).expect("readable");
        assert_eq!(alike(tools), alike(expected), "{set}");
    }
}
