//! [`Floors`]: how good each set's search must stay, and the check of it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use shortlist_index::Models;

use crate::bounded::read_text;
use crate::dataset::BadTools;
use crate::error::BenchError;
use crate::relevance::{Options, measure};
use crate::sets::Sets;
use crate::setting::Setting;

/// The largest file of floors, in bytes.
const BYTES_MAX: u64 = 1 << 20;

/// For sets by name, and for settings by name, the least nDCG@10.
///
/// ```toml
/// [azure_mcp]
/// lexical = { ndcg_at_10 = 0.897 }
/// hybrid = { ndcg_at_10 = 0.94, queries = 150 }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Floors(BTreeMap<String, Vec<(Setting, Floor)>>);

/// The least that a setting must reach on a set.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Floor {
    /// The mean nDCG@10 over the queries, 0 to 1.
    pub ndcg_at_10: f64,
    /// How many of the set's queries are asked ([`crate::Dataset::sample`]), at least one; all where it is absent.
    pub queries: Option<usize>,
}

/// A floor and what was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The set.
    pub set: String,
    /// The setting.
    pub setting: Setting,
    /// Queries that were asked.
    pub n_queries: usize,
    /// The least allowed.
    pub floor: f64,
    /// What was reached.
    pub ndcg_at_10: f64,
}

impl Checked {
    /// Whether the figure lies below its floor.
    pub fn fell(&self) -> bool {
        self.ndcg_at_10 < self.floor
    }
}

impl Floors {
    /// Reads a file of floors.
    ///
    /// # Errors
    /// [`BenchError::Io`] where it cannot be read, [`BenchError::Floors`] where it says something else or nothing at all: a gate
    /// that checks nothing would pass for ever.
    pub fn read(path: &Path) -> Result<Self, BenchError> {
        let bad = |reason| BenchError::Floors { path: path.to_owned(), reason };
        match read_text(path, BYTES_MAX)? {
            Some(text) => Self::parse(&text).map_err(bad),
            None => Err(bad(format!("it has more than the {BYTES_MAX} bytes allowed"))),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let sets: BTreeMap<String, BTreeMap<String, Floor>> =
            toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        let mut floors = BTreeMap::new();
        for (set, by_setting) in sets {
            for (setting, floor) in by_setting {
                if !(floor.ndcg_at_10 > 0.0 && floor.ndcg_at_10 <= 1.0) || floor.queries == Some(0) {
                    return Err(format!(
                        "{set}.{setting}: ndcg_at_10 lies above 0 and up to 1, and queries is at least 1"
                    ));
                }
                let setting = setting.parse().map_err(|reason| format!("{set}: {reason}"))?;
                floors.entry(set.clone()).or_insert_with(Vec::new).push((setting, floor));
            }
        }
        if floors.is_empty() { Err("it holds no floor".to_owned()) } else { Ok(Self(floors)) }
    }

    /// Every setting that has a floor, so that the models can be loaded that it takes.
    pub fn settings(&self) -> Vec<Setting> {
        self.0.values().flatten().map(|(setting, _)| *setting).collect()
    }

    /// Measures each floor's set in its setting, in the file's alphabetical order. Vectors of tools are kept
    /// in `embedding_cache` between runs.
    ///
    /// # Errors
    /// [`BenchError`] where a set is absent or cannot be measured. A floor that was missed is none: see [`Checked::fell`].
    pub fn check(&self, sets: &Sets, models: &Models, embedding_cache: &Path) -> Result<Vec<Checked>, BenchError> {
        let mut checked = Vec::new();
        for (set, floors) in &self.0 {
            let dataset = sets.read(set, None, BadTools::Refuse)?;
            for &(setting, floor) in floors {
                let dataset =
                    floor.queries.map(|n_queries| dataset.sample(n_queries)).unwrap_or_else(|| dataset.clone());
                let options = Options {
                    settings: vec![setting],
                    embedding_cache: Some(embedding_cache.to_owned()),
                    ..Options::default()
                };
                for run in measure(&dataset, models, &options, &|_| {})?.runs {
                    checked.push(Checked {
                        set: set.clone(),
                        setting,
                        n_queries: run.overall.n_queries,
                        floor: floor.ndcg_at_10,
                        ndcg_at_10: run.overall.figures.ndcg_at_10,
                    });
                }
            }
        }
        Ok(checked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_are_by_set_and_setting() {
        let text = "[b]\nhybrid = { ndcg_at_10 = 0.5, queries = 150 }\n\"hybrid+rerank\" = { ndcg_at_10 = 1 }\n\
                    [a.bm25-plain]\nndcg_at_10 = 0.25\n";
        let Floors(floors) = Floors::parse(text).expect("three floors");
        let names: Vec<(&str, String, Floor)> = floors
            .iter()
            .flat_map(|(set, floors)| {
                floors.iter().map(move |(setting, floor)| (set.as_str(), setting.to_string(), *floor))
            })
            .collect();
        let floor = |ndcg_at_10, queries| Floor { ndcg_at_10, queries };
        assert_eq!(
            names,
            [
                ("a", "bm25-plain".to_owned(), floor(0.25, None)),
                ("b", "hybrid".to_owned(), floor(0.5, Some(150))),
                ("b", "hybrid+rerank".to_owned(), floor(1.0, None)),
            ]
        );
    }

    #[test]
    fn a_file_that_would_check_nothing_or_something_else_is_refused() {
        let check = |text: &str, reason: &str| {
            let error = Floors::parse(text).expect_err(reason);
            assert!(error.contains(reason), "{error}");
        };
        check("", "no floor");
        check("[a]\n", "no floor");
        check("[a]\nhybird = { ndcg_at_10 = 0.5 }", "\"hybird\" is no setting");
        check("[a]\nhybrid = { ndcg_at_10 = 0.0 }", "above 0");
        check("[a]\nhybrid = { ndcg_at_10 = 50 }", "up to 1");
        check("[a]\nhybrid = { ndcg_at_10 = nan }", "above 0");
        check("[a]\nhybrid = { ndcg_at_10 = 0.5, queries = 0 }", "at least 1");
        check("[a]\nhybrid = { ndcg_at_10 = 0.5, query = 9 }", "unknown field");
    }

    #[test]
    fn what_lies_at_its_floor_has_not_fallen() {
        let checked =
            |ndcg_at_10| Checked { set: "a".to_owned(), setting: Setting::Plain, n_queries: 1, floor: 0.5, ndcg_at_10 };
        assert!(!checked(0.5).fell() && !checked(0.6).fell() && checked(0.499_999).fell());
    }
}
