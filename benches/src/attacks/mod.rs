//! [`measure`]: how much of what is asked a poisoned catalog captures, with and without the index's defences.
//!
//! Somebody who may publish one tool in a hundred forges them in each of several ways ([`Attack`]), and the judged queries of
//! a set are asked. Captured is a query with a forged tool among its first five hits: as many as agents mostly read. What the
//! index does against it (`demote` of a search) is measured by asking twice. A text that reads like an honest one cannot be
//! told by its wording; against those stands the operator's quarantine, which is measured by a real sync.

mod forge;
mod kind;
mod orders;
mod quarantined;
mod vocabulary;

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;
use shortlist_index::{Confidence, Grant, Models, SearchRequest, Snapshot, Suspicion, Tool, search};

use self::forge::{Forge, SOURCE};
use crate::catalog_index::CatalogIndex;
use crate::dataset::{BadTools, Dataset, read_tools};
use crate::error::BenchError;
use crate::metrics::ndcg;
use crate::queries::JudgedQuery;

pub use self::kind::Attack;

/// Hits that count as read.
const TOP: usize = 5;
/// The fewest forged tools, so that each kind of a mixed attack has one.
const FORGED_MIN: usize = 6;

/// What an attack is measured on.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Only this split of the set's queries.
    pub split: Option<String>,
    /// So many of them are asked, spread evenly; the others, one at least, are what the attacker knows.
    pub n_queries: usize,
    /// Forged tools, as a share of the catalog; six at least.
    pub share: f64,
}

/// What attacks on one set capture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AttackReport {
    /// The set.
    pub set: String,
    /// The split whose queries are asked; `None` for all.
    pub split: Option<String>,
    /// Tools of the set.
    pub n_tools: usize,
    /// Forged tools put to them in each attack.
    pub n_forged: usize,
    /// Queries asked.
    pub n_queries: usize,
    /// The set by itself.
    pub clean: Row,
    /// Each attack.
    pub attacks: BTreeMap<Attack, Row>,
    /// All attacks at once on a source whose new texts wait for approval.
    pub quarantined: Row,
}

/// One catalog, asked without and with defences.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Row {
    /// Forged tools whose text the index suspects.
    pub n_suspected: usize,
    /// Without defences.
    pub before: Outcome,
    /// With them.
    pub after: Outcome,
}

/// What came of the queries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Outcome {
    /// The share with a forged tool among the first five hits.
    pub captured: f64,
    /// The share with a forged tool as the first hit.
    pub first: f64,
    /// The share with a forged tool as the first hit of which the answer says that it is `strong` or `exact`.
    pub sure: f64,
    /// Mean nDCG@10; a forged tool is not relevant.
    pub ndcg_at_10: f64,
}

/// Measures every attack on a set.
///
/// Costs the embedding of every tool that `cache` does not hold, an index for each attack, and two searches for each query
/// of each.
///
/// # Errors
/// [`BenchError`], also when there is no embedding model, or no query of the split.
pub fn measure(
    dataset: &Dataset,
    models: &Models,
    cache: Option<&Path>,
    options: &Options,
) -> Result<AttackReport, BenchError> {
    let (set, known) = divided(dataset, options)?;
    let n_forged = ((set.tools.len() as f64 * options.share).round() as usize).max(FORGED_MIN);
    let forge = Forge::new(&set, &known);
    let row = |forged: &[Tool]| {
        let tools: Vec<Tool> = set.tools.iter().chain(forged).cloned().collect();
        let index = CatalogIndex::build(&tools, models.embedder.as_deref(), cache, &|_| {})?;
        asked(&index.snapshot, models, &set.queries, forged)
    };
    let clean = row(&[])?;
    let attacks = Attack::ALL
        .iter()
        .map(|&attack| Ok((attack, row(&forge.tools(attack, n_forged)?)?)))
        .collect::<Result<_, BenchError>>()?;
    let forged = forge.tools(Attack::Mixed, n_forged)?;
    let home =
        tempfile::tempdir().map_err(|error| BenchError::Io { action: "write", path: std::env::temp_dir(), error })?;
    let served = quarantined::serve(&set.tools, &forged, models, cache, home.path())?;
    Ok(AttackReport {
        set: set.description.set.clone(),
        split: options.split.clone(),
        n_tools: set.tools.len(),
        n_forged,
        n_queries: set.queries.len(),
        clean,
        attacks,
        quarantined: asked(&served, models, &set.queries, &forged)?,
    })
}

/// The set with the queries that are asked, and the others of the split.
fn divided(dataset: &Dataset, options: &Options) -> Result<(Dataset, Vec<JudgedQuery>), BenchError> {
    let is_of = |query: &&JudgedQuery| options.split.is_none() || query.split == options.split;
    let queries: Vec<JudgedQuery> = dataset.queries.iter().filter(is_of).cloned().collect();
    if queries.len() < 2 {
        return Err(BenchError::NoSplit {
            set: dataset.description.set.clone(),
            split: options.split.clone().unwrap_or_else(|| "all".to_owned()),
        });
    }
    let n_asked = options.n_queries.clamp(1, queries.len() - 1);
    let whole = Dataset::counted(dataset.tools.clone(), queries, dataset.description.clone());
    let set = whole.sample(n_asked);
    let known = whole.queries.into_iter().filter(|query| set.queries.iter().all(|one| one.id != query.id));
    let known = known.collect();
    Ok((set, known))
}

/// Asks every query without and with defences.
fn asked(snapshot: &Snapshot, models: &Models, queries: &[JudgedQuery], forged: &[Tool]) -> Result<Row, BenchError> {
    let n_suspected = forged.iter().filter(|tool| Suspicion::of(tool).is_some()).count();
    let outcome = |demote| outcome(snapshot, models, queries, demote);
    Ok(Row { n_suspected, before: outcome(false)?, after: outcome(true)? })
}

fn outcome(snapshot: &Snapshot, models: &Models, queries: &[JudgedQuery], demote: bool) -> Result<Outcome, BenchError> {
    let everything = snapshot.allow(&Grant::everything());
    let ask = |query: &JudgedQuery| {
        let request = SearchRequest { demote, ..SearchRequest::new(query.query.as_str()) };
        let answer = search(snapshot, models, &everything, &request)
            .map_err(|error| BenchError::Search { query: query.id.clone(), error })?;
        if let Some(degraded) = answer.degraded.first().cloned() {
            let (stage, reason) = (degraded.stage, degraded.reason);
            return Err(BenchError::Degraded { query: query.id.clone(), stage, mode: "hybrid".to_owned(), reason });
        }
        let is_forged: Vec<bool> = answer.hits.iter().map(|hit| hit.tool.reference.source() == SOURCE).collect();
        let first = is_forged.first().copied().unwrap_or(false);
        let ranked: Vec<u32> = answer.hits.iter().map(|hit| query.grade(&hit.tool.provenance.foreign_id)).collect();
        let judged: Vec<u32> = query.relevant.values().copied().collect();
        let share = |is: bool| f64::from(u8::from(is));
        Ok(Outcome {
            captured: share(is_forged.iter().take(TOP).any(|&forged| forged)),
            first: share(first),
            sure: share(first && answer.confidence >= Some(Confidence::Strong)),
            ndcg_at_10: ndcg(&ranked, &judged, 10),
        })
    };
    let outcomes: Vec<Outcome> = queries.par_iter().map(ask).collect::<Result<_, BenchError>>()?;
    let mean = |of: fn(&Outcome) -> f64| outcomes.iter().map(of).sum::<f64>() / outcomes.len().max(1) as f64;
    Ok(Outcome {
        captured: mean(|one| one.captured),
        first: mean(|one| one.first),
        sure: mean(|one| one.sure),
        ndcg_at_10: mean(|one| one.ndcg_at_10),
    })
}

/// What the index suspects in a catalog.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditReport {
    /// The catalog's file.
    pub file: String,
    /// Its tools.
    pub n_tools: usize,
    /// Those that are suspected, by why, in the file's order: their ids, and what of the text is suspicious.
    pub suspected: BTreeMap<Suspicion, Vec<(String, String)>>,
}

/// Judges every tool of a catalog (JSON lines, plain or gzip); records that are no tools are passed over.
///
/// # Errors
/// [`BenchError`] when it cannot be read, or holds no tool.
pub fn audit(path: &Path) -> Result<AuditReport, BenchError> {
    let (tools, _) = read_tools("audit", path, BadTools::Skip)?;
    let mut suspected: BTreeMap<Suspicion, Vec<(String, String)>> = BTreeMap::new();
    for tool in &tools {
        if let Some(suspicion) = Suspicion::of(tool) {
            suspected
                .entry(suspicion)
                .or_default()
                .push((tool.provenance.foreign_id.clone(), tool.description.clone()));
        }
    }
    Ok(AuditReport { file: path.display().to_string(), n_tools: tools.len(), suspected })
}
