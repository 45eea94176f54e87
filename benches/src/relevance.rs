//! [`measure`]: every query of a set, asked and scored.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use serde::Serialize;
use shortlist_index::{AllowedSet, Degraded, Grant, LIMIT_MAX, Mode, Models, SearchRequest, Snapshot, search};

use crate::catalog_index::CatalogIndex;
use crate::dataset::{Dataset, Description};
use crate::error::BenchError;
use crate::metrics::{Figures, percentile};
use crate::queries::JudgedQuery;

/// How many hits of a query are looked at: the most that one page holds. The figures need 20; MRR takes no notice of a
/// relevant tool below this.
pub const DEPTH: usize = LIMIT_MAX;

/// One way of searching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Which legs run.
    pub mode: Mode,
    /// Whether the reranker does.
    pub rerank: bool,
}

/// How to measure.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The ways of searching, each over all queries and on the same index.
    pub settings: Vec<Setting>,
    /// A folder of the bench's own where vectors of tools are kept between runs; `None` embeds every time.
    pub embedding_cache: Option<PathBuf>,
}

/// How far a measurement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many more tools have their vectors, of as many as the set has.
    Embedded(usize),
    /// One more query was answered, of the set's queries times the settings.
    Asked,
}

/// What was measured on one set.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// On what.
    pub dataset: Description,
    /// The embedding model's fingerprint; `None` where no mode needed one.
    pub embedder: Option<String>,
    /// Queries that were asked at a time. Latencies are those of a machine busy with so many.
    pub n_threads: usize,
    /// Reading the model's vectors or making them, building the index and opening it, in seconds.
    pub index_s: f64,
    /// One for each setting, in their order.
    pub runs: Vec<Run>,
}

/// One setting over all queries.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// `lexical`, `dense` or `hybrid`.
    pub mode: String,
    /// Whether the reranker ran.
    pub rerank: bool,
    /// Over all queries.
    pub overall: Part,
    /// Over the queries of each split; empty where the set has none.
    pub splits: BTreeMap<String, Part>,
    /// All queries together, in seconds.
    pub wall_s: f64,
    /// What was found, in the queries' order. Not in the JSON: that is what TREC's run files are for.
    #[serde(skip)]
    pub rankings: Vec<Ranking>,
}

/// The means over a set's queries, or over a part of them.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// Queries in it.
    pub n_queries: usize,
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// The median time of one query, in milliseconds.
    pub latency_p50_ms: f64,
    /// What 95 of 100 queries stay below, in milliseconds.
    pub latency_p95_ms: f64,
}

/// What one query found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranking {
    /// The query's id.
    pub query: String,
    /// The tools' ids in the set, best first, at most [`DEPTH`].
    pub tools: Vec<String>,
}

/// Indexes the set and asks its queries in every setting, with everything visible.
///
/// Costs the embedding of every tool that no cache holds, then a search for each query and setting, on all cores.
/// `on_progress` is called from any thread. The figures do not depend on the number of cores; times do.
///
/// # Errors
/// [`BenchError`], also when a stage failed that a setting names: what is left would be the figure of something else.
pub fn measure(
    dataset: &Dataset,
    models: &Models,
    options: &Options,
    on_progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report, BenchError> {
    check_models(models, &options.settings)?;
    let needs_vectors = options.settings.iter().any(|setting| setting.mode != Mode::Lexical);
    let embedder = models.embedder.as_deref().filter(|_| needs_vectors);

    let start = Instant::now();
    let index = CatalogIndex::build(&dataset.tools, embedder, options.embedding_cache.as_deref(), &|n_tools| {
        on_progress(Progress::Embedded(n_tools));
    })?;
    let allowed = index.snapshot.allow(&Grant::everything());
    let index_s = start.elapsed().as_secs_f64();

    let asker = Asker { snapshot: &index.snapshot, models, allowed: &allowed };
    let runs = options
        .settings
        .iter()
        .map(|&setting| asker.run(setting, &dataset.queries, on_progress))
        .collect::<Result<_, _>>()?;
    Ok(Report {
        dataset: dataset.description.clone(),
        embedder: embedder.map(|embedder| embedder.fingerprint().0.clone()),
        n_threads: rayon::current_num_threads(),
        index_s,
        runs,
    })
}

fn check_models(models: &Models, settings: &[Setting]) -> Result<(), BenchError> {
    for &Setting { mode, rerank } in settings {
        let missing = match mode {
            Mode::Dense | Mode::Hybrid if models.embedder.is_none() => Some("an embedding model"),
            _ if rerank && models.reranker.is_none() => Some("a reranking model"),
            _ => None,
        };
        if let Some(model) = missing {
            return Err(BenchError::NoModel { mode: mode.to_string(), model });
        }
    }
    Ok(())
}

/// Puts queries to one index.
struct Asker<'a> {
    snapshot: &'a Snapshot,
    models: &'a Models,
    allowed: &'a AllowedSet,
}

/// A query's result before it is averaged.
struct Asked {
    ranking: Ranking,
    figures: Figures,
    latency: Duration,
}

impl Asker<'_> {
    fn run(
        &self,
        setting: Setting,
        queries: &[JudgedQuery],
        on_progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Run, BenchError> {
        // The first search of a mode pays for lazy loading, which is not the query's doing.
        if let Some(first) = queries.first() {
            self.ask(setting, first)?;
        }
        let start = Instant::now();
        let asked: Vec<Asked> = queries
            .par_iter()
            .map(|query| self.ask(setting, query).inspect(|_| on_progress(Progress::Asked)))
            .collect::<Result<_, _>>()?;
        let wall_s = start.elapsed().as_secs_f64();

        let mut by_split: BTreeMap<String, Vec<&Asked>> = BTreeMap::new();
        for (query, asked) in queries.iter().zip(&asked) {
            if let Some(split) = &query.split {
                by_split.entry(split.clone()).or_default().push(asked);
            }
        }
        Ok(Run {
            mode: setting.mode.to_string(),
            rerank: setting.rerank,
            overall: part(&asked.iter().collect::<Vec<_>>()),
            splits: by_split.into_iter().map(|(split, asked)| (split, part(&asked))).collect(),
            wall_s,
            rankings: asked.into_iter().map(|asked| asked.ranking).collect(),
        })
    }

    fn ask(&self, setting: Setting, query: &JudgedQuery) -> Result<Asked, BenchError> {
        let request = SearchRequest {
            limit: DEPTH,
            mode: setting.mode,
            rerank: setting.rerank,
            ..SearchRequest::new(query.query.as_str())
        };
        let start = Instant::now();
        let answer = search(self.snapshot, self.models, self.allowed, &request)
            .map_err(|error| BenchError::Search { query: query.id.clone(), error })?;
        let latency = start.elapsed();
        if let Some(Degraded { stage, reason }) = answer.degraded.first().cloned() {
            let (query, mode) = (query.id.clone(), setting.mode.to_string());
            return Err(BenchError::Degraded { query, stage, mode, reason });
        }

        let tools: Vec<String> = answer.hits.into_iter().map(|hit| hit.tool.provenance.foreign_id).collect();
        let ranked: Vec<u32> = tools.iter().map(|tool| query.grade(tool)).collect();
        let judged: Vec<u32> = query.relevant.values().copied().collect();
        Ok(Asked {
            figures: Figures::of(&ranked, &judged),
            ranking: Ranking { query: query.id.clone(), tools },
            latency,
        })
    }
}

fn part(asked: &[&Asked]) -> Part {
    let figures: Vec<Figures> = asked.iter().map(|asked| asked.figures).collect();
    let mut latencies_ms: Vec<f64> = asked.iter().map(|asked| asked.latency.as_secs_f64() * 1e3).collect();
    latencies_ms.sort_by(f64::total_cmp);
    Part {
        n_queries: asked.len(),
        figures: Figures::mean(&figures),
        latency_p50_ms: percentile(&latencies_ms, 0.5),
        latency_p95_ms: percentile(&latencies_ms, 0.95),
    }
}
