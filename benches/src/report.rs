//! [`Report`]: what was measured on one set, as it is printed, saved and compared.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, Description};
use crate::metrics::{Figures, percentile};
use crate::queries::JudgedQuery;
use crate::setting;

/// How many of the queries that went worst are kept with what was found.
const HARDEST: usize = 10;
/// How many of their hits.
const FOUND: usize = 3;
/// Saved figures of single queries are rounded to so many digits: as many as ir-measures is compared by.
const DIGITS: f64 = 1e6;

/// What was measured on one set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// On what.
    pub dataset: Description,
    /// The embedding model's fingerprint; `None` where no mode needed one.
    pub embedder: Option<String>,
    /// The reranking model's fingerprint; `None` where none ran, and in files from before it was kept.
    #[serde(default)]
    pub reranker: Option<String>,
    /// Whether tools that say the same had places of their own; `false` in files from before it was kept.
    #[serde(default)]
    pub no_collapse: bool,
    /// Queries that were asked at a time. Latencies are those of a machine busy with so many.
    pub n_threads: usize,
    /// Reading the model's vectors or making them, building the index and opening it, in seconds.
    pub index_s: f64,
    /// The queries, in the order of every run's figures.
    pub queries: Vec<QueryName>,
    /// One for each setting, in their order.
    pub runs: Vec<Run>,
}

/// A query as a report names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryName {
    /// Its id in the set.
    pub id: String,
    /// The part of the set that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
}

/// One setting over all queries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// `bm25-plain`, `lexical`, `dense` or `hybrid`.
    pub mode: String,
    /// Whether the reranker ran.
    pub rerank: bool,
    /// Over all queries.
    pub overall: Part,
    /// Over the queries of each split; empty where the set has none.
    pub splits: BTreeMap<String, Part>,
    /// Over the queries of each class; empty where the setting knows none.
    pub classes: BTreeMap<String, Part>,
    /// Over the queries with more than one relevant tool; `None` where there is none.
    #[serde(default)]
    pub several: Option<Part>,
    /// All queries together, in seconds.
    pub wall_s: f64,
    /// Each query's nDCG@10, in the order of the report's queries, to six digits.
    pub ndcg_at_10_by_query: Vec<f64>,
    /// The queries of the lowest nDCG@10, worst first.
    pub hardest: Vec<Hard>,
    /// What was found, in the queries' order. Not in the JSON: that is what TREC's run files are for.
    #[serde(skip)]
    pub rankings: Vec<Ranking>,
}

/// The means over a set's queries, or over a part of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    /// The tools' ids in the set, best first, at most [`crate::relevance::DEPTH`].
    pub tools: Vec<String>,
    /// What kind of query the search took it for, where it says so.
    pub class: Option<String>,
}

/// A query that went badly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hard {
    /// Its id.
    pub id: String,
    /// Its words.
    pub query: String,
    /// Its nDCG@10.
    pub ndcg_at_10: f64,
    /// The relevant tools, each with its rank, or without where it is not among the hits.
    pub wanted: Vec<(String, Option<usize>)>,
    /// The first hits.
    pub found: Vec<String>,
}

/// A query's result before it is averaged.
pub(crate) struct Asked {
    pub(crate) ranking: Ranking,
    pub(crate) figures: Figures,
    pub(crate) latency: Duration,
}

impl Report {
    /// The parts of a run over this set: all, then each split, with the places of its queries.
    pub fn parts(&self) -> Vec<(String, Vec<usize>)> {
        let mut splits: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, query) in self.queries.iter().enumerate() {
            if let Some(split) = &query.split {
                splits.entry(split).or_default().push(place);
            }
        }
        let all = ("all".to_owned(), (0..self.queries.len()).collect());
        std::iter::once(all).chain(splits.into_iter().map(|(split, places)| (split.to_owned(), places))).collect()
    }

    /// The run of a setting, by its name.
    pub fn run(&self, setting: &str) -> Option<&Run> {
        self.runs.iter().find(|run| run.setting() == setting)
    }
}

impl Run {
    /// The setting's name, such as `hybrid+rerank`.
    pub fn setting(&self) -> String {
        setting::name(&self.mode, self.rerank)
    }

    /// Averages what was asked of a set, in the queries' order.
    pub(crate) fn new(mode: String, rerank: bool, dataset: &Dataset, asked: Vec<Asked>, wall_s: f64) -> Self {
        Self {
            mode,
            rerank,
            overall: part(&asked.iter().collect::<Vec<_>>()),
            splits: parts(dataset.queries.iter().map(|query| query.split.as_deref()).zip(&asked)),
            classes: parts(asked.iter().map(|asked| (asked.ranking.class.as_deref(), asked))),
            several: several(&dataset.queries, &asked),
            wall_s,
            ndcg_at_10_by_query: asked.iter().map(|asked| rounded(asked.figures.ndcg_at_10)).collect(),
            hardest: hardest(&dataset.queries, &asked),
            rankings: asked.into_iter().map(|asked| asked.ranking).collect(),
        }
    }
}

/// The means of each label; what has none counts in the whole only.
fn parts<'a>(labelled: impl Iterator<Item = (Option<&'a str>, &'a Asked)>) -> BTreeMap<String, Part> {
    let mut by_label: BTreeMap<&str, Vec<&Asked>> = BTreeMap::new();
    for (label, asked) in labelled {
        if let Some(label) = label {
            by_label.entry(label).or_default().push(asked);
        }
    }
    by_label.into_iter().map(|(label, asked)| (label.to_owned(), part(&asked))).collect()
}

/// The means of the queries that want more than one tool.
fn several(queries: &[JudgedQuery], asked: &[Asked]) -> Option<Part> {
    let wants_several = |query: &JudgedQuery| query.relevant.values().filter(|grade| **grade > 0).count() > 1;
    let asked: Vec<&Asked> =
        queries.iter().zip(asked).filter(|(query, _)| wants_several(query)).map(|(_, asked)| asked).collect();
    (!asked.is_empty()).then(|| part(&asked))
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

fn hardest(queries: &[JudgedQuery], asked: &[Asked]) -> Vec<Hard> {
    let mut pairs: Vec<(&JudgedQuery, &Asked)> = queries.iter().zip(asked).collect();
    // Stable, so that of equals the earlier query comes first.
    pairs.sort_by(|(_, a), (_, b)| a.figures.ndcg_at_10.total_cmp(&b.figures.ndcg_at_10));
    let imperfect = pairs.into_iter().take_while(|(_, asked)| asked.figures.ndcg_at_10 < 1.0);
    let hard = imperfect.take(HARDEST).map(|(query, asked)| {
        let tools = &asked.ranking.tools;
        let rank = |wanted: &String| tools.iter().position(|tool| tool == wanted).map(|place| place + 1);
        let wanted = query.relevant.iter().filter(|(_, grade)| **grade > 0);
        Hard {
            id: query.id.clone(),
            query: query.query.clone(),
            ndcg_at_10: rounded(asked.figures.ndcg_at_10),
            wanted: wanted.map(|(tool, _)| (tool.clone(), rank(tool))).collect(),
            found: tools.iter().take(FOUND).cloned().collect(),
        }
    });
    hard.collect()
}

fn rounded(figure: f64) -> f64 {
    (figure * DIGITS).round() / DIGITS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(class: Option<&str>, ndcg_at_10: f64) -> Asked {
        Asked {
            ranking: Ranking {
                query: "q".to_owned(),
                tools: vec!["a".to_owned(), "b".to_owned()],
                class: class.map(str::to_owned),
            },
            figures: Figures { ndcg_at_10, ..Figures::default() },
            latency: Duration::from_millis(1),
        }
    }

    #[test]
    fn queries_are_grouped_by_a_label_that_some_of_them_have() {
        let asked =
            [asked(Some("keyword"), 1.0), asked(None, 0.0), asked(Some("intent"), 0.4), asked(Some("intent"), 0.6)];
        let parts = parts(asked.iter().map(|asked| (asked.ranking.class.as_deref(), asked)));
        let means: Vec<(&str, usize, f64)> =
            parts.iter().map(|(label, part)| (label.as_str(), part.n_queries, part.figures.ndcg_at_10)).collect();
        assert_eq!(means, [("intent", 2, 0.5), ("keyword", 1, 1.0)]);
    }

    #[test]
    fn the_hardest_queries_come_worst_first_and_say_what_came_instead() {
        let query = |id: &str, wanted: &str| JudgedQuery {
            id: id.to_owned(),
            query: "words".to_owned(),
            relevant: BTreeMap::from([(wanted.to_owned(), 1), ("b".to_owned(), 0)]),
            split: None,
        };
        let queries = [query("1", "a"), query("2", "z"), query("3", "b")];
        let hard = hardest(&queries, &[asked(None, 1.0), asked(None, 0.0), asked(None, 0.630_929_75)]);
        assert_eq!(
            hard.iter().map(|hard| hard.id.as_str()).collect::<Vec<_>>(),
            ["2", "3"],
            "what is perfect is not hard"
        );
        assert_eq!(hard[0].wanted, [("z".to_owned(), None)]);
        assert_eq!(hard[0].found, ["a", "b"]);
        assert_eq!(hard[1].ndcg_at_10, 0.63093);
    }
}
