//! A small folder of the rivals' harness.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::npy::tests::written;
use crate::dataset::sha256;

/// Documents, and the namespaces that they are in by turns.
pub(super) const N_DOCS: usize = 60;
const N_NAMESPACES: usize = 5;
const DIMENSION: usize = 8;

/// A folder as gen.py writes it: somebody who sees everything, and somebody who sees one namespace; each asks for two documents.
pub(crate) fn folder() -> TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let mut rng = fastrand::Rng::with_seed(11);
    let vectors: Vec<Vec<f32>> = (0..N_DOCS).map(|_| (0..DIMENSION).map(|_| rng.f32() - 0.5).collect()).collect();
    let write = |name: &str, text: &[u8]| fs::write(dir.path().join(name), text).expect("the folder is ours");
    let floats = |rows: &[Vec<f32>]| {
        let bytes: Vec<[u8; 4]> = rows.iter().flatten().map(|number| number.to_le_bytes()).collect();
        written("<f4", DIMENSION, &bytes)
    };
    let docs = (0..N_DOCS).map(|id| {
        let ns = id % N_NAMESPACES;
        json!({ "id": id, "tool_id": format!("ns{ns:03}/doc+{id}"), "namespace": format!("ns{ns:03}"), "ns": ns,
            "name": format!("doc+{id}"), "description": format!("does thing{id} and thing{}", id / 2) })
    });
    write("docs.jsonl", &lines(docs));
    write("vectors.npy", &floats(&vectors));
    let all: Vec<usize> = (0..N_NAMESPACES).collect();
    let user = |sel: f64, ns: &[usize]| {
        let namespaces: Vec<String> = ns.iter().map(|ns| format!("ns{ns:03}")).collect();
        json!({ "sel": sel, "ns": ns, "namespaces": namespaces, "n_docs": N_DOCS / N_NAMESPACES * ns.len(), "frac": sel })
    };
    let users = json!({ "users": { "u1_0": user(1.0, &all), "u0.1_0": user(0.1, &[2]) } });
    write("grants.json", users.to_string().as_bytes());

    let asked: [(f64, &str, usize); 4] = [(1.0, "u1_0", 7), (1.0, "u1_0", 8), (0.1, "u0.1_0", 12), (0.1, "u0.1_0", 13)];
    let queries = asked.iter().enumerate().map(|(qid, &(sel, user, target))| {
        json!({ "qid": qid, "sel": sel, "user": user, "text": format!("thing{target}"), "target": target,
            "aligned": sel == 1.0 || target % N_NAMESPACES == 2 })
    });
    write("queries.jsonl", &lines(queries));
    let query_vectors: Vec<Vec<f32>> = asked.iter().map(|&(.., target)| vectors[target].clone()).collect();
    write("queries.npy", &floats(&query_vectors));
    let nearest = asked.iter().flat_map(|&(sel, _, target)| {
        let visible = (0..N_DOCS).filter(|id| sel == 1.0 || id % N_NAMESPACES == 2);
        let mut near: Vec<usize> = visible.collect();
        near.sort_by(|&a, &b| cosine(&vectors[b], &vectors[target]).total_cmp(&cosine(&vectors[a], &vectors[target])));
        (0..20).map(move |place| near.get(place).map_or(-1, |&id| id as i32).to_le_bytes())
    });
    write("gt.npy", &written("<i4", 20, &nearest.collect::<Vec<_>>()));
    let sum = |file: &str| sha256(&dir.path().join(file)).expect("it is there");
    let sums = json!({ "docs.jsonl": sum("docs.jsonl"), "vectors.npy": sum("vectors.npy") });
    let meta = json!({ "n": N_DOCS, "dim": DIMENSION, "seed": 11, "sha256": sums });
    write("meta.json", meta.to_string().as_bytes());
    dir
}

/// Replaces text in a file of the folder.
pub(crate) fn change(folder: &Path, file: &str, from: &str, to: &str) {
    let path = folder.join(file);
    let text = fs::read_to_string(&path).expect("it is there");
    assert!(text.contains(from), "{file} has no {from}");
    fs::write(&path, text.replacen(from, to, 1)).expect("it is written");
}

fn lines(rows: impl Iterator<Item = Value>) -> Vec<u8> {
    rows.map(|row| row.to_string() + "\n").collect::<String>().into_bytes()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
