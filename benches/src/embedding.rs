//! [`measure`]: how long embedding models take, one beside the other.

use std::time::Instant;

use fastrand::Rng;
use serde::Serialize;
use shortlist_index::{Embedder, TextRole};

use crate::error::BenchError;
use crate::metrics::percentile;

/// Words of a query, from a terse one to a long request.
const QUERY_WORDS: [usize; 4] = [8, 20, 32, 100];
/// Texts that are embedded at once, as in a sync, and words of each.
const N_TEXTS: usize = 128;
const TEXT_WORDS: std::ops::Range<usize> = 20..120;
/// Words that English word pieces have whole.
const WORDS: [&str; 24] = [
    "create", "list", "update", "issue", "user", "file", "report", "order", "price", "calendar", "event", "message",
    "project", "search", "remove", "account", "payment", "image", "table", "record", "server", "the", "of", "with",
];
/// What the texts are drawn by.
const SEED: u64 = 7;

/// What one model takes.
#[derive(Clone, Debug, Serialize)]
pub struct EmbeddingReport {
    /// Its fingerprint.
    pub model: String,
    /// By length, one text at a time.
    pub queries: Vec<QueryTimes>,
    /// Texts of 20 to 120 words, so many a second, with all sessions of the model.
    pub texts_per_second: f64,
    /// How many times as many as the first model.
    pub of_first: f64,
}

/// One text after the other on one core.
#[derive(Clone, Debug, Serialize)]
pub struct QueryTimes {
    /// Words of the text; the model adds two pieces of its own.
    pub words: usize,
    /// Median, in milliseconds.
    pub p50_ms: f64,
    /// The fastest, likewise.
    pub best_ms: f64,
    /// The median as a part of the first model's.
    pub of_first: f64,
}

/// Gives the models the same texts, in turn and `rounds` times, so that what else the machine does falls on all of them.
///
/// # Errors
/// When a model fails.
pub fn measure(models: &[&dyn Embedder], rounds: usize) -> Result<Vec<EmbeddingReport>, BenchError> {
    let mut rng = Rng::with_seed(SEED);
    let mut text = |n: usize| (0..n).map(|_| WORDS[rng.usize(0..WORDS.len())]).collect::<Vec<_>>().join(" ");
    let queries: Vec<Vec<String>> =
        QUERY_WORDS.iter().map(|&words| (0..rounds).map(|_| text(words)).collect()).collect();
    let texts: Vec<String> =
        (0..N_TEXTS).map(|place| text(TEXT_WORDS.start + place * TEXT_WORDS.len() / N_TEXTS)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();

    let mut query_ms = vec![vec![Vec::new(); QUERY_WORDS.len()]; models.len()];
    let mut texts_s = vec![Vec::new(); models.len()];
    for round in 0..rounds {
        for (length, queries) in queries.iter().enumerate() {
            for (model, times) in models.iter().zip(&mut query_ms) {
                let start = Instant::now();
                model.embed(TextRole::Query, &queries[round])?;
                times[length].push(start.elapsed().as_secs_f64() * 1e3);
            }
        }
        // A batch takes as long as hundreds of queries.
        if round % 8 == 0 {
            for (model, times) in models.iter().zip(&mut texts_s) {
                let start = Instant::now();
                model.embed_all(TextRole::Document, &texts, &|_| {})?;
                times.push(start.elapsed().as_secs_f64());
            }
        }
    }
    for times in query_ms.iter_mut().flatten().chain(&mut texts_s) {
        times.sort_by(f64::total_cmp);
    }

    let p50 = |model: usize, length: usize| percentile(&query_ms[model][length], 0.5).max(f64::MIN_POSITIVE);
    let texts_per_second = |model: usize| N_TEXTS as f64 / percentile(&texts_s[model], 0.5).max(f64::MIN_POSITIVE);
    Ok((0..models.len())
        .map(|model| EmbeddingReport {
            model: models[model].fingerprint().0.clone(),
            queries: (0..QUERY_WORDS.len())
                .map(|length| QueryTimes {
                    words: QUERY_WORDS[length],
                    p50_ms: p50(model, length),
                    best_ms: percentile(&query_ms[model][length], 0.0),
                    of_first: p50(model, length) / p50(0, length),
                })
                .collect(),
            texts_per_second: texts_per_second(model),
            of_first: texts_per_second(model) / texts_per_second(0),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use shortlist_index::HashingEmbedder;

    use super::*;

    #[test]
    fn every_model_is_compared_with_the_first() {
        let (small, large) = (HashingEmbedder::new(16), HashingEmbedder::new(64));
        let reports = measure(&[&small, &large], 3).expect("nothing fails");
        assert_eq!(reports.len(), 2);
        assert_ne!(reports[0].model, reports[1].model);
        assert!(reports[0].of_first == 1.0 && reports[0].queries.iter().all(|times| times.of_first == 1.0));
        for report in &reports {
            let words: Vec<usize> = report.queries.iter().map(|times| times.words).collect();
            assert_eq!(words, QUERY_WORDS);
            assert!(report.texts_per_second > 0.0);
            assert!(report.queries.iter().all(|times| times.best_ms <= times.p50_ms && times.best_ms > 0.0));
        }
    }
}
