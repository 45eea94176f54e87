//! [`open`]: a folder of the rivals' harness, which its `gen.py` writes.
//!
//! Documents, the vectors that are given for them, users with their namespaces, and queries with their vectors and the true
//! nearest of what their users may see.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use shortlist_index::{Embedding, Provenance, RefError, Tool, ToolRef};

use super::npy::Matrix;
use super::workload::{Query, Source, User, Workload};
use crate::bounded::{each_line, read_text};
use crate::dataset::sha256;
use crate::error::BenchError;

/// The longest line, in bytes: a document's is a few hundred.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// The largest of the small files, in bytes: a thousand users of 200 namespaces each.
const SMALL_BYTES_MAX: u64 = 16 << 20;
/// The source that the documents come from.
const SOURCE: &str = "bench";

const META: &str = "meta.json";
const DOCS: &str = "docs.jsonl";
const VECTORS: &str = "vectors.npy";
const GRANTS: &str = "grants.json";
const QUERIES: &str = "queries.jsonl";
const QUERY_VECTORS: &str = "queries.npy";
const NEAREST: &str = "gt.npy";

/// `meta.json`: how much there is, and of which bytes.
#[derive(Deserialize)]
pub(super) struct Meta {
    n: usize,
    pub(super) dim: usize,
    sha256: BTreeMap<String, String>,
}

impl Meta {
    /// Names documents and vectors by the sums of their files.
    pub(super) fn name(&self) -> String {
        [DOCS, VECTORS].map(|file| self.sha256.get(file).map_or("?", String::as_str)).join("-")
    }
}

/// A line of `docs.jsonl`.
#[derive(Deserialize)]
struct Document {
    id: usize,
    ns: u32,
    namespace: String,
    name: String,
    description: String,
}

/// `grants.json`.
#[derive(Deserialize)]
struct Grants {
    users: BTreeMap<String, Grant>,
}

/// What a user of it may see.
#[derive(Deserialize)]
struct Grant {
    ns: HashSet<u32>,
    namespaces: Vec<String>,
    n_docs: usize,
}

/// A line of `queries.jsonl`.
#[derive(Deserialize)]
struct Asked {
    qid: usize,
    sel: f64,
    user: String,
    text: String,
    target: usize,
    aligned: bool,
}

pub(super) fn open(folder: &Path) -> Result<Workload, BenchError> {
    let meta: Meta = json(&folder.join(META))?;
    let mut namespace_of = Vec::new();
    let path = folder.join(DOCS);
    lines(&path, |place, document: Document| {
        (document.id == place).then_some(()).ok_or("its id is not its place, counted from 0")?;
        namespace_of.push(document.ns);
        Ok(())
    })?;
    if namespace_of.len() != meta.n {
        return Err(bad(&path, format!("it has {} documents, and {META} says {}", namespace_of.len(), meta.n)));
    }
    let path = folder.join(GRANTS);
    let mut users = Vec::new();
    for (name, Grant { ns, namespaces, n_docs }) in json::<Grants>(&path)?.users {
        // Who may see nothing has no share of it that could be returned.
        let n_seen = namespace_of.iter().filter(|&of| ns.contains(of)).count();
        if n_seen == 0 || n_seen != n_docs || namespaces.len() != ns.len() {
            return Err(bad(&path, format!("user {name} sees {n_seen} documents, and it says {n_docs}")));
        }
        users.push(User { name, ns, namespaces, n_docs });
    }
    let queries = queries(folder, &meta, &users)?;
    Ok(Workload { source: Source::Folder { path: folder.to_owned(), meta }, namespace_of, users, queries })
}

/// The queries; the users are sorted by name.
fn queries(folder: &Path, meta: &Meta, users: &[User]) -> Result<Vec<Query>, BenchError> {
    let (mut asked, mut texts) = (Vec::new(), HashSet::new());
    lines(&folder.join(QUERIES), |place, query: Asked| {
        let user = users.binary_search_by_key(&query.user.as_str(), |user| &user.name);
        let user = user.map_err(|_| "grants.json has no such user")?;
        let checks = [
            (query.qid == place, "its qid is not its place, counted from 0"),
            (query.target < meta.n, "there is no document of its target"),
            (query.sel > 0.0 && query.sel <= 1.0, "its sel is no share"),
            (texts.insert(query.text.clone()), "an earlier query has the same text, and may have another vector"),
        ];
        if let Some((_, wrong)) = checks.iter().find(|(holds, _)| !holds) {
            return Err(*wrong);
        }
        asked.push((user, query));
        Ok(())
    })?;
    let vectors = vectors(&folder.join(QUERY_VECTORS), asked.len(), meta.dim)?;
    let path = folder.join(NEAREST);
    let nearest: Matrix<i32> = Matrix::read(&path)?;
    if nearest.n_rows() != asked.len() {
        return Err(bad(&path, format!("it has {} rows for {} queries", nearest.n_rows(), asked.len())));
    }
    let rows = vectors.rows().zip(nearest.rows());
    let queries = asked.into_iter().zip(rows).map(|((user, query), (vector, nearest))| {
        // Where a user sees fewer than twenty documents, the row is filled up with -1.
        let nearest: Vec<usize> = nearest.iter().filter_map(|&document| usize::try_from(document).ok()).collect();
        if nearest.is_empty() {
            return Err(bad(&path, format!("its row {} names no document", query.qid)));
        }
        Ok(Query {
            share: query.sel,
            user,
            text: query.text,
            vector: Some(Embedding::from_unnormalised(vector.to_vec())),
            targets: vec![query.target],
            aligned: query.aligned,
            nearest,
        })
    });
    queries.collect()
}

/// The documents as the tools that a source would make of them, with their vectors where they are wanted.
pub(super) fn documents(folder: &Path, meta: &Meta, given: bool) -> Result<Vec<(Tool, Option<Embedding>)>, BenchError> {
    for file in [DOCS, VECTORS] {
        let (path, expected) = (folder.join(file), meta.sha256.get(file));
        let got = sha256(&path)?;
        if expected != Some(&got) {
            return Err(bad(&path, format!("its SHA-256 is {got}, and {META} says {expected:?}; run gen.py again")));
        }
    }
    let vectors = if given { Some(vectors(&folder.join(VECTORS), meta.n, meta.dim)?) } else { None };
    let mut vectors = vectors.as_ref().map(Matrix::rows);
    let (path, mut documents) = (folder.join(DOCS), Vec::with_capacity(meta.n));
    let mut refused = None;
    lines(&path, |place, document: Document| {
        let vector = vectors.as_mut().and_then(Iterator::next);
        match tool(document) {
            Ok(tool) => documents.push((tool, vector.map(|row| Embedding::from_unnormalised(row.to_vec())))),
            Err(error) => refused = refused.take().or(Some((place, error))),
        }
        Ok(())
    })?;
    match refused {
        Some((place, error)) => Err(bad(&path, format!("line {}: {error}", place + 1))),
        None => Ok(documents),
    }
}

fn tool(document: Document) -> Result<Tool, RefError> {
    let Document { id, namespace, name, description, .. } = document;
    let provenance = Provenance { source_type: SOURCE.to_owned(), foreign_id: id.to_string() };
    Ok(Tool { provenance, ..Tool::new(ToolRef::new(SOURCE, &namespace, &name, None)?, description) })
}

/// Vectors, as many and as long as they must be.
fn vectors(path: &Path, rows: usize, columns: usize) -> Result<Matrix<f32>, BenchError> {
    let matrix = Matrix::read(path)?;
    match (matrix.n_rows(), matrix.n_columns()) {
        got if got == (rows, columns) => Ok(matrix),
        (got, of) => Err(bad(path, format!("it has {got} rows of {of}, expected {rows} of {columns}"))),
    }
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T, BenchError> {
    let text = read_text(path, SMALL_BYTES_MAX)?;
    let text = text.ok_or_else(|| bad(path, format!("it has more than {SMALL_BYTES_MAX} bytes")))?;
    serde_json::from_str(&text).map_err(|error| bad(path, error.to_string()))
}

/// Reads one JSON object a line and gives each with its place, counted from 0.
fn lines<T: DeserializeOwned>(
    path: &Path,
    mut take: impl FnMut(usize, T) -> Result<(), &'static str>,
) -> Result<(), BenchError> {
    let bad = |line, reason| bad(path, format!("line {line}: {reason}"));
    each_line(path, LINE_BYTES_MAX, bad, |line, bytes| {
        let value = serde_json::from_slice(bytes).map_err(|error| bad(line, error.to_string()))?;
        take(line - 1, value).map_err(|reason| bad(line, reason.to_owned()))?;
        Ok(ControlFlow::Continue(()))
    })
}

fn bad(path: &Path, reason: String) -> BenchError {
    BenchError::Workload { path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::testing::{N_DOCS, change, folder};

    #[test]
    fn a_folder_is_read_with_its_users_and_queries_in_order() {
        let folder = folder();
        let workload = open(folder.path()).expect("a workload");
        assert_eq!((workload.n_docs(), workload.dimension(), workload.users.len()), (N_DOCS, Some(8), 2));
        assert_eq!(workload.shares(), [1.0, 0.1]);
        let query = &workload.queries[2];
        assert_eq!(workload.users[query.user].name, "u0.1_0");
        // All twelve that this user sees, the one that the query was made of first.
        assert_eq!((query.nearest.len(), query.nearest[0]), (12, 12));
        let documents = workload.documents(true).expect("documents");
        assert_eq!(documents[7].0.reference.to_string(), "bench://ns002.doc%2B7");
        assert!(documents.iter().all(|(_, vector)| vector.is_some()));
    }

    #[test]
    fn what_gen_py_does_not_write_is_refused_with_its_place() {
        let check = |file: &str, from: &str, to: &str, says: &str| {
            let folder = folder();
            change(folder.path(), file, from, to);
            let read = open(folder.path()).and_then(|workload| workload.documents(true).map(|_| ()));
            let error = read.expect_err("it is wrong").to_string();
            assert!(error.contains(file) && error.contains(says), "{error}");
        };
        check("docs.jsonl", "\"id\":3", "\"id\":4", "line 4: its id");
        check("docs.jsonl", "\"ns\":1", "\"ns\":-1", "line 2");
        check("docs.jsonl", "does thing5", "does thang5", "run gen.py again");
        check("grants.json", "\"n_docs\":12", "\"n_docs\":13", "sees 12 documents, and it says 13");
        check("queries.jsonl", "\"qid\":1", "\"qid\":7", "line 2: its qid");
        check("queries.jsonl", "thing8", "thing7", "line 2: an earlier query has the same text");
        check("queries.jsonl", "\"target\":12", "\"target\":60", "line 3: there is no document");
        check("queries.jsonl", "u0.1_0", "somebody", "line 3: grants.json has no such user");
        check("queries.jsonl", "\"sel\":0.1", "\"sel\":1.5", "line 3: its sel");
    }
}
