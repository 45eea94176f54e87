//! Compares vectors with the query: by their 8-bit codes, and the best in f32.

use simsimd::SpatialSimilarity;

use super::prefetch::prefetch;
use super::product::QueryCodes;
use super::vectors::{Vectors, quantise};
#[cfg(test)]
use crate::allowed::AllowedSet;
use crate::places::Layered;
use crate::scored::{Best, Scored, best};

/// How many candidates of the 8-bit scan are scored again in f32, besides `k`: a quarter of it, and no fewer than these. The rounding
/// moves a vector by a place or two, so in practice the result is the f32 ranking's; either way it depends on the allowed vectors
/// alone.
const SPARE_MIN: usize = 8;

/// How many rows ahead memory is asked for the next one: candidates lie scattered over the file.
const AHEAD: usize = 8;

/// The `k` nearest of some documents, by cosine.
///
/// Reads one byte a dimension of each vector, then the best candidates in f32; where all would be scored again, nothing but that.
/// Each vector has its own scale, so what a document scores depends on it and the query alone. Cost: O(documents x dimension).
pub(super) fn nearest_of(vectors: &Layered<Vectors>, query: &[f32], documents: &[u32], k: usize) -> Vec<Scored> {
    let n_again = k.saturating_add((k / 4).max(SPARE_MIN));
    if documents.len() <= n_again {
        return rescore(vectors, query, documents, k);
    }
    let candidates: Vec<u32> =
        coarse(vectors, query, documents, n_again).into_iter().map(|scored| scored.document).collect();
    rescore(vectors, query, &candidates, k)
}

/// The `n` best of `documents` by their 8-bit codes.
fn coarse(vectors: &Layered<Vectors>, query: &[f32], documents: &[u32], n: usize) -> Vec<Scored> {
    let query = QueryCodes::new(quantise(query).0);
    let mut best = Best::new(n);
    for (place, &document) in documents.iter().enumerate() {
        if let Some(&next) = documents.get(place + AHEAD) {
            let (vectors, row) = vectors.at(next);
            prefetch(vectors.codes(row).0);
        }
        let (vectors, row) = vectors.at(document);
        let (codes, scale) = vectors.codes(row);
        // The query's own scale is the same for all and changes no rank.
        let score = (f64::from(query.product(codes)) * f64::from(scale)) as f32;
        best.push(Scored { document, score });
    }
    best.into_sorted()
}

/// Scores the candidates in f32 and keeps the `k` best.
fn rescore(vectors: &Layered<Vectors>, query: &[f32], candidates: &[u32], k: usize) -> Vec<Scored> {
    let exactly = |(place, &document): (usize, &u32)| {
        if let Some(&next) = candidates.get(place + AHEAD) {
            let (vectors, row) = vectors.at(next);
            prefetch(vectors.exact(row));
        }
        Scored { document, score: cosine(vectors, query, document) }
    };
    best(candidates.iter().enumerate().map(exactly), k)
}

/// The cosine of the query and a document; both have length 1.
pub(crate) fn cosine(vectors: &Layered<Vectors>, query: &[f32], document: u32) -> f32 {
    let (vectors, row) = vectors.at(document);
    f32::dot(vectors.exact(row), query).unwrap_or(f64::MIN) as f32
}

/// The plain twin of a scan: f32 throughout, no SIMD, every document.
#[cfg(test)]
pub(super) fn exhaustive(vectors: &Layered<Vectors>, query: &[f32], allowed: &AllowedSet, k: usize) -> Vec<Scored> {
    let all = (0..vectors.len() as u32).filter(|&document| allowed.is_searchable(document)).map(|document| {
        let (vectors, row) = vectors.at(document);
        let score = vectors.exact(row).iter().zip(query).map(|(a, b)| a * b).sum();
        Scored { document, score }
    });
    best(all, k)
}
