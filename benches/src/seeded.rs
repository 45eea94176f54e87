//! [`Seeded`]: a catalog, queries and grants of a seed, for what is measured piece by piece (`benches/benches`).
//!
//! Words come by Zipf's law, tools in namespaces of forty, vectors in clouds around a hundred centres, and a query is words and
//! vector of a tool, both blurred. Nothing is learned from such a catalog about relevance.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use fastrand::Rng;
use shortlist_index::{
    AllowedSet, Embedding, Grant, ModelFingerprint, Models, NewGeneration, Pattern, PatternError, Selector, Snapshot,
    Store, Tool, ToolRef,
};

use crate::error::BenchError;
use crate::given::Given;

/// What everything is drawn by.
const SEED: u64 = 7;
/// Numbers in a vector, as the model of ours has them.
const DIMENSION: usize = 384;
/// Different words, and how many of them a description has.
const N_WORDS: usize = 20_000;
const DESCRIPTION_WORDS: usize = 18;
/// How many of them a query has.
const QUERY_WORDS: usize = 4;
/// Tools in a namespace.
const NAMESPACE: usize = 40;
/// Centres of the clouds; how far from its centre a tool lies, in each number, and how far a query from its tool, in all, where the
/// tool's vector has length 1.
const N_CENTRES: usize = 100;
const SPREAD: f32 = 0.8;
const BLUR: f32 = 0.5;
/// Queries.
const N_QUERIES: usize = 100;
/// Rules of the grant whose resolving is measured.
const N_RULES: usize = 1_000;

/// A generation that is open, with who may see what and what is asked.
pub struct Seeded {
    /// The generation.
    pub snapshot: Snapshot,
    /// The queries' vectors, looked up.
    pub models: Models,
    /// What is asked.
    pub queries: Vec<String>,
    /// Everything.
    pub everything: AllowedSet,
    /// One namespace in a hundred, and the first.
    pub percent: AllowedSet,
    /// A thousand different rules, each for the tools of a namespace whose numbers end alike.
    pub grant: Grant,
}

impl Seeded {
    /// Publishes the catalog, of at least one tool, into the empty folder `home`.
    ///
    /// # Errors
    /// [`BenchError`] when the generation cannot be written.
    pub fn publish(home: &Path, n_tools: usize) -> Result<(), BenchError> {
        let store = Store::new(home);
        let generation = NewGeneration {
            tools: drawn(n_tools)?.0,
            embedder: fingerprint(),
            dimension: DIMENSION,
            sources: BTreeMap::new(),
            created_unix_s: 0,
        };
        store.publish(&store.lock()?, generation, &mut |_| {})?;
        Ok(())
    }

    /// Opens what [`Seeded::publish`] made with as many tools.
    ///
    /// # Errors
    /// [`BenchError`] when there is no such generation.
    pub fn open(home: &Path, n_tools: usize) -> Result<Self, BenchError> {
        let snapshot = Store::new(home).open_current()?.snapshot;
        let (_, queries) = drawn(n_tools)?;
        let models =
            Models { embedder: Some(Arc::new(Given::new(fingerprint(), DIMENSION, queries.clone()))), reranker: None };
        let n_namespaces = n_tools.div_ceil(NAMESPACE).max(1);
        let some: Result<_, _> =
            (0..n_namespaces).step_by(100).map(|team| Pattern::new(&format!("team-{team}"))).collect();
        let some = Selector { namespaces: some.map_err(no_pattern)?, ..Selector::default() };
        let percent = Grant::new(vec![some], Vec::new(), Default::default());
        let rule = |number: usize| {
            let (team, digit) = (number % n_namespaces, number / n_namespaces % 10);
            let of_team = Pattern::new(&format!("*team-{team}.*{digit}")).map_err(no_pattern)?;
            Ok(Selector { refs: vec![of_team], ..Selector::default() })
        };
        let rules: Result<_, BenchError> = (0..N_RULES).map(rule).collect();
        Ok(Self {
            everything: snapshot.allow(&Grant::everything()),
            percent: snapshot.allow(&percent),
            grant: Grant::new(rules?, Vec::new(), Default::default()),
            queries: queries.into_iter().map(|(text, _)| text).collect(),
            snapshot,
            models,
        })
    }
}

fn fingerprint() -> ModelFingerprint {
    ModelFingerprint(format!("seeded, seed {SEED}, {DIMENSION} dimensions"))
}

type Vectors<T> = Vec<(T, Embedding)>;

/// The tools and the queries.
fn drawn(n_tools: usize) -> Result<(Vectors<Tool>, Vectors<String>), BenchError> {
    let mut rng = Rng::with_seed(SEED);
    let centres: Vec<Vec<f32>> = (0..N_CENTRES).map(|_| near(&mut rng, &[0.0; DIMENSION], 1.0)).collect();
    let mut tools = Vec::with_capacity(n_tools);
    for number in 0..n_tools {
        let words: Vec<String> = (0..DESCRIPTION_WORDS).map(|_| word(&mut rng)).collect();
        let name = format!("{}_{}_{number}", words[0], words[1]);
        let reference = ToolRef::new("seeded", &format!("team-{}", number / NAMESPACE), &name, None);
        let reference = reference.map_err(|error| BenchError::MadeUp(format!("a tool's ref: {error}")))?;
        let vector = near(&mut rng, &centres[number % N_CENTRES], SPREAD);
        tools.push((Tool::new(reference, words.join(" ")), Embedding::from_unnormalised(vector)));
    }
    let query = |place| {
        let (tool, vector): &(Tool, Embedding) = &tools[place];
        let words: Vec<&str> = tool.description.split(' ').collect();
        let text: Vec<&str> = (0..QUERY_WORDS).map(|_| words[rng.usize(..words.len())]).collect();
        let blurred = near(&mut rng, vector.as_slice(), BLUR / (DIMENSION as f32).sqrt());
        (text.join(" "), Embedding::from_unnormalised(blurred))
    };
    let queries = (0..n_tools).step_by((n_tools / N_QUERIES).max(1)).take(N_QUERIES).map(query).collect();
    Ok((tools, queries))
}

fn no_pattern(error: PatternError) -> BenchError {
    BenchError::MadeUp(format!("a rule: {error}"))
}

/// A point that differs from the centre by so much in every number, on average.
fn near(rng: &mut Rng, centre: &[f32], spread: f32) -> Vec<f32> {
    // The sum of twelve is near enough to a normal number, of variance 1.
    centre.iter().map(|at| at + spread * ((0..12).map(|_| rng.f32()).sum::<f32>() - 6.0)).collect()
}

/// A word; the nth has a share of 1/n.
fn word(rng: &mut Rng) -> String {
    let mut rank = (N_WORDS as f64).powf(rng.f64()) as usize;
    let mut word = String::new();
    while rank > 0 {
        word.push(char::from(b"bdfgklmnprstvz"[rank % 14]));
        word.push(char::from(b"aeiou"[rank / 14 % 5]));
        rank /= 70;
    }
    word
}

#[cfg(test)]
mod tests {
    use shortlist_index::{SearchRequest, search};

    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_and_its_queries_find_their_tools() {
        let home = tempfile::tempdir().expect("a folder");
        Seeded::publish(home.path(), 4_000).expect("it is published");
        let seeded = Seeded::open(home.path(), 4_000).expect("it opens");
        assert_eq!((seeded.everything.len(), seeded.percent.len(), seeded.queries.len()), (4_000, 40, 100));
        assert_eq!(drawn(4_000).expect("a catalog").1[0].0, seeded.queries[0]);
        let finds = |(place, query): (usize, &String)| {
            let answer = search(&seeded.snapshot, &seeded.models, &seeded.everything, &SearchRequest::new(query));
            let answer = answer.expect("an answer");
            assert!(answer.degraded.is_empty(), "{:?}", answer.degraded);
            answer.hits.iter().any(|hit| hit.tool.name.ends_with(&format!("_{}", place * 40)))
        };
        assert!(seeded.queries.iter().enumerate().filter(|&asked| finds(asked)).count() >= 95);
        // Ten digits in each of a hundred namespaces: every rule is another's, and together they pick everything.
        assert_eq!(seeded.snapshot.picked(&seeded.grant).len(), 4_000);
    }
}
