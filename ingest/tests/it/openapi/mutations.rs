//! Whatever becomes of one part of a document, the operations that do not rest on it stay as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use fastrand::Rng;
use serde_json::{Value, json};
use shortlist_index::Tool;
use shortlist_ingest::error::SourceError;

use super::{fetch, folder_of, shop};
use crate::support::Pass;

const ROUNDS: usize = 3_000;
const SEED: u64 = 20_261_124;

#[test]
fn a_damaged_part_costs_only_the_operations_that_rest_on_it() {
    let text = fs::read_to_string(shop("orders.json")).expect("readable");
    let whole: Value = serde_json::from_str(&text).expect("JSON");
    let dir = folder_of(&[("orders.json", &text)]);
    let path = dir.path().join("orders.json");
    let before = by_foreign_id(fetch(&path)).0;
    let rests_on: BTreeMap<String, BTreeSet<String>> = operations(&whole)
        .into_iter()
        .map(|(foreign_id, pointer)| (foreign_id, everything_that_counts(&whole, &pointer)))
        .collect();
    assert_eq!(before.keys().collect::<Vec<_>>(), rests_on.keys().collect::<Vec<_>>());

    let mut pointers = Vec::new();
    collect_pointers(&whole, String::new(), &mut pointers);
    let mut rng = Rng::with_seed(SEED);
    let mut n_changed = 0;
    for round in 0..ROUNDS {
        let pointer = &pointers[rng.usize(1..pointers.len())];
        let mut damaged = whole.clone();
        let with = rng.u8(..4).ne(&0).then(|| anything(&mut rng, 3));
        replace(&mut damaged, pointer, with.clone());
        fs::write(&path, damaged.to_string()).expect("written");
        let shown = format!("seed {SEED}, round {round}: {pointer} becomes {with:?}");
        let pass = fetch(&path);
        if pass.is_err() {
            assert!(["/openapi", "/paths"].contains(&pointer.as_str()), "{shown}: {:?}", pass.err());
            continue;
        }
        let (after, rejected) = by_foreign_id(pass);
        for (foreign_id, parts) in &rests_on {
            let touched = parts.iter().any(|part| is_above(part, pointer) || is_above(pointer, part));
            if !touched {
                assert_eq!(after.get(foreign_id), before.get(foreign_id), "{shown}");
            }
            n_changed += usize::from(touched && after.get(foreign_id) != before.get(foreign_id));
            let still_there = operations(&damaged).contains_key(foreign_id);
            let accounted = after.contains_key(foreign_id) || rejected.contains(foreign_id);
            assert!(!still_there || accounted, "{shown}: {foreign_id} vanished");
        }
    }
    assert!(n_changed > ROUNDS / 10, "the damage is seen at all: {n_changed}");
}

fn by_foreign_id(pass: Result<Pass, SourceError>) -> (BTreeMap<String, Tool>, BTreeSet<String>) {
    let (_, tools, rejections) = pass.expect("readable");
    let tools = tools.into_iter().map(|tool| (tool.provenance.foreign_id.clone(), tool)).collect();
    (tools, rejections.into_iter().map(|rejection| rejection.record).collect())
}

/// The operations of a document, with where they stand.
fn operations(document: &Value) -> BTreeMap<String, String> {
    let mut operations = BTreeMap::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for method in item.as_object().into_iter().flat_map(|item| item.keys()) {
            if ["get", "put", "post", "delete"].contains(&method.as_str()) && path.starts_with('/') {
                let pointer = format!("/paths/{}/{method}", path.replace('/', "~1"));
                operations.insert(format!("apis:{} {path}", method.to_uppercase()), pointer);
            }
        }
    }
    operations
}

/// Where everything stands that may change an operation: itself, what its path says beside it, what both refer to, and what
/// the document says of all.
fn everything_that_counts(document: &Value, pointer: &str) -> BTreeSet<String> {
    let item = pointer.rsplit_once('/').expect("a path").0;
    let mut parts =
        BTreeSet::from(["/openapi", "/info", "/security", "/components/securitySchemes"].map(str::to_owned));
    let mut unseen = vec![pointer.to_owned()];
    unseen.extend(["parameters", "$ref", "summary", "description"].map(|key| format!("{item}/{key}")));
    while let Some(part) = unseen.pop() {
        if let Some(value) = document.pointer(&part) {
            let mut references = Vec::new();
            collect_references(value, &mut references);
            unseen.extend(references.into_iter().filter(|reference| !parts.contains(reference)));
        }
        parts.insert(part);
    }
    parts
}

fn collect_references(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            references
                .extend(map.get("$ref").and_then(Value::as_str).map(|text| text.trim_start_matches('#').to_owned()));
            map.values().for_each(|value| collect_references(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| collect_references(value, references)),
        _ => {}
    }
}

fn collect_pointers(value: &Value, at: String, pointers: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            collect_pointers(value, format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), pointers);
        }),
        Value::Array(items) => items.iter().enumerate().for_each(|(place, value)| {
            collect_pointers(value, format!("{at}/{place}"), pointers);
        }),
        _ => {}
    }
    pointers.insert(0, at);
}

/// Puts something in a value's place, or takes it out.
fn replace(document: &mut Value, pointer: &str, with: Option<Value>) {
    let (above, last) = pointer.rsplit_once('/').expect("a pointer");
    let last = last.replace("~1", "/").replace("~0", "~");
    match (document.pointer_mut(above).expect("it is there"), with) {
        (Value::Object(map), Some(value)) => _ = map.insert(last, value),
        (Value::Object(map), None) => _ = map.remove(&last),
        (Value::Array(items), Some(value)) => items[last.parse::<usize>().expect("a place")] = value,
        (Value::Array(items), None) => _ = items.remove(last.parse().expect("a place")),
        _ => unreachable!("only lists and objects hold something"),
    }
}

/// Any JSON, and now and then what looks as if it belonged there.
fn anything(rng: &mut Rng, depth: usize) -> Value {
    match rng.usize(..if depth == 0 { 6 } else { 10 }) {
        0 => Value::Null,
        1 => rng.bool().into(),
        2 => rng.i64(-3..300).into(),
        3 => json!(rng.f64() * 1e300),
        4 => ["", "a", "#/components/schemas/Order", "\u{202E}", "oauth2", "x".repeat(3_000).as_str()][rng.usize(..6)]
            .into(),
        5 => {
            let targets = ["#/components/schemas/Note", "#/paths", "#", "a.json#/b", "#/x~"];
            json!({ "$ref": targets[rng.usize(..targets.len())] })
        }
        6 | 7 => (0..rng.usize(..4)).map(|_| anything(rng, depth - 1)).collect::<Vec<_>>().into(),
        _ => {
            let keys = ["type", "properties", "schema", "in", "name", "items", "allOf", "content", "login", "$ref"];
            let members =
                (0..rng.usize(..4)).map(|_| (keys[rng.usize(..keys.len())].to_owned(), anything(rng, depth - 1)));
            Value::Object(members.collect())
        }
    }
}

/// Whether one pointer is that of a value that holds the other, or the same.
fn is_above(above: &str, below: &str) -> bool {
    below.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
