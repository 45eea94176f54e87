//! [`measure`]: every query of a set, asked and scored.

use std::path::PathBuf;
use std::time::Instant;

use rayon::prelude::*;
use shortlist_index::{
    AllowedSet, Degraded, Grant, LIMIT_MAX, Mode, Models, QueryClass, SearchRequest, Snapshot, Tool, search,
};

use crate::catalog_index::CatalogIndex;
use crate::dataset::Dataset;
use crate::error::BenchError;
use crate::metrics::Figures;
use crate::plain::PlainIndex;
use crate::queries::JudgedQuery;
use crate::report::{Asked, QueryName, Ranking, Report, Run};
use crate::setting::Setting;

/// How many hits of a query are looked at: the most that one page holds. The figures need 20; MRR takes no notice of a
/// relevant tool below this.
pub const DEPTH: usize = LIMIT_MAX;

/// How to measure.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The ways of searching, each over all queries and on the same index.
    pub settings: Vec<Setting>,
    /// A folder of the bench's own where vectors of tools are kept between runs; `None` embeds every time.
    pub embedding_cache: Option<PathBuf>,
    /// Give tools that say the same places of their own, which a search does not unless it is told to.
    pub no_collapse: bool,
}

/// How far a measurement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many more tools have their vectors, of as many as the set has.
    Embedded(usize),
    /// One more query was answered, of the set's queries times the settings.
    Asked,
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
    let needs_vectors = options.settings.iter().any(|setting| setting.embeds());
    let embedder = models.embedder.as_deref().filter(|_| needs_vectors);
    let reranks = options.settings.iter().any(|setting| setting.reranks());
    let reranker = models.reranker.as_deref().filter(|_| reranks);

    let start = Instant::now();
    let index = CatalogIndex::build(&dataset.tools, embedder, options.embedding_cache.as_deref(), &|n_tools| {
        on_progress(Progress::Embedded(n_tools));
    })?;
    let allowed = index.snapshot.allow(&Grant::everything());
    let index_s = start.elapsed().as_secs_f64();

    let plain = PlainIndex::build(&dataset.tools)?;
    let (snapshot, collapse) = (&index.snapshot, !options.no_collapse);
    let asker = Asker { tools: &dataset.tools, snapshot, models, allowed: &allowed, collapse, plain };
    let runs =
        options.settings.iter().map(|&setting| asker.run(setting, dataset, on_progress)).collect::<Result<_, _>>()?;
    let name = |query: &JudgedQuery| QueryName { id: query.id.clone(), split: query.split.clone() };
    Ok(Report {
        dataset: dataset.description.clone(),
        embedder: embedder.map(|embedder| embedder.fingerprint().0.clone()),
        reranker: reranker.map(|reranker| reranker.fingerprint().0.clone()),
        no_collapse: options.no_collapse,
        n_threads: rayon::current_num_threads(),
        index_s,
        queries: dataset.queries.iter().map(name).collect(),
        runs,
    })
}

fn check_models(models: &Models, settings: &[Setting]) -> Result<(), BenchError> {
    for &setting in settings {
        let missing = match setting {
            _ if setting.embeds() && models.embedder.is_none() => Some("an embedding model"),
            _ if setting.reranks() && models.reranker.is_none() => Some("a reranking model"),
            _ => None,
        };
        if let Some(model) = missing {
            return Err(BenchError::NoModel { mode: setting.to_string(), model });
        }
    }
    Ok(())
}

/// Puts queries to one index.
struct Asker<'a> {
    /// In the order of the plain index.
    tools: &'a [Tool],
    snapshot: &'a Snapshot,
    models: &'a Models,
    allowed: &'a AllowedSet,
    collapse: bool,
    plain: PlainIndex,
}

impl Asker<'_> {
    fn run(
        &self,
        setting: Setting,
        dataset: &Dataset,
        on_progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Run, BenchError> {
        // The first search of a mode pays for lazy loading, which is not the query's doing.
        if let Some(first) = dataset.queries.first() {
            self.ask(setting, first)?;
        }
        let start = Instant::now();
        let asked: Vec<Asked> = dataset
            .queries
            .par_iter()
            .map(|query| self.ask(setting, query).inspect(|_| on_progress(Progress::Asked)))
            .collect::<Result<_, _>>()?;
        let wall_s = start.elapsed().as_secs_f64();
        Ok(Run::new(setting.mode(), setting.reranks(), dataset, asked, wall_s))
    }

    fn ask(&self, setting: Setting, query: &JudgedQuery) -> Result<Asked, BenchError> {
        let start = Instant::now();
        let tools = match setting {
            Setting::Search { mode, rerank } => self.search(mode, rerank, query)?,
            Setting::Plain => {
                let places = self.plain.search(&query.query, DEPTH)?;
                places.into_iter().map(|place| self.tools[place].provenance.foreign_id.clone()).collect()
            }
        };
        let latency = start.elapsed();
        let ranked: Vec<u32> = tools.iter().map(|tool| query.grade(tool)).collect();
        let judged: Vec<u32> = query.relevant.values().copied().collect();
        Ok(Asked {
            figures: Figures::of(&ranked, &judged),
            ranking: Ranking {
                query: query.id.clone(),
                tools,
                class: Some(QueryClass::of(&query.query).name().to_owned()),
            },
            latency,
        })
    }

    fn search(&self, mode: Mode, rerank: bool, query: &JudgedQuery) -> Result<Vec<String>, BenchError> {
        let collapse = self.collapse;
        let request =
            SearchRequest { limit: DEPTH, mode, rerank, collapse, ..SearchRequest::new(query.query.as_str()) };
        let answer = search(self.snapshot, self.models, self.allowed, &request)
            .map_err(|error| BenchError::Search { query: query.id.clone(), error })?;
        match answer.degraded.first().cloned() {
            Some(Degraded { stage, reason }) => {
                Err(BenchError::Degraded { query: query.id.clone(), stage, mode: mode.to_string(), reason })
            }
            None => Ok(answer.hits.into_iter().map(|hit| hit.tool.provenance.foreign_id).collect()),
        }
    }
}
