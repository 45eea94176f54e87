//! The exact scan: every allowed vector is compared with the query.

use simsimd::SpatialSimilarity;

use super::vectors::{Vectors, quantise};
use crate::allowed::AllowedSet;
use crate::fusion::{Scored, best};
use crate::places::Layered;

/// How many times `k` candidates of the 8-bit scan are scored again in f32. The rounding moves a vector by a place or two,
/// hardly by a hundred, so in practice the result is the f32 ranking's; either way it depends on the allowed vectors alone.
const OVERSAMPLING: usize = 2;

/// The `k` nearest of the allowed documents, by cosine.
///
/// Reads one byte a dimension of each allowed vector, then the best candidates in f32. Each vector has its own scale, so
/// what a document scores depends on it and the query alone. Cost: O(allowed x dimension).
pub(super) fn scan(vectors: &Layered<Vectors>, query: &[f32], allowed: &AllowedSet, k: usize) -> Vec<Scored> {
    rescore(vectors, query, coarse(vectors, query, allowed.searchable().iter(), k), k)
}

/// The best of `documents` by their 8-bit codes: enough of them that the `k` nearest are among them.
pub(super) fn coarse(
    vectors: &Layered<Vectors>,
    query: &[f32],
    documents: impl Iterator<Item = u32>,
    k: usize,
) -> Vec<Scored> {
    let (query_codes, _) = quantise(query);
    let scored = documents.map(|document| {
        let (vectors, row) = vectors.at(document);
        let (codes, scale) = vectors.codes(row);
        let product = i8::dot(codes, &query_codes).unwrap_or(f64::MIN);
        // The query's own scale is the same for all and changes no rank.
        Scored { document, score: (product * f64::from(scale)) as f32 }
    });
    best(scored, k * OVERSAMPLING)
}

/// Scores the candidates in f32 and keeps the `k` best.
pub(super) fn rescore(vectors: &Layered<Vectors>, query: &[f32], candidates: Vec<Scored>, k: usize) -> Vec<Scored> {
    best(
        candidates
            .into_iter()
            .map(|Scored { document, .. }| Scored { document, score: cosine(vectors, query, document) }),
        k,
    )
}

/// The cosine of the query and a document; both have length 1.
pub(crate) fn cosine(vectors: &Layered<Vectors>, query: &[f32], document: u32) -> f32 {
    let (vectors, row) = vectors.at(document);
    f32::dot(vectors.exact(row), query).unwrap_or(f64::MIN) as f32
}

/// The plain twin of [`scan`]: f32 throughout, no SIMD, every document.
#[cfg(test)]
pub(super) fn exhaustive(vectors: &Layered<Vectors>, query: &[f32], allowed: &AllowedSet, k: usize) -> Vec<Scored> {
    let all = (0..vectors.len() as u32).filter(|&document| allowed.is_searchable(document)).map(|document| {
        let (vectors, row) = vectors.at(document);
        let score = vectors.exact(row).iter().zip(query).map(|(a, b)| a * b).sum();
        Scored { document, score }
    });
    best(all, k)
}
