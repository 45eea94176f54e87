//! [`Floors`]: how good each set's search must stay, and the check of it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use shortlist_index::Models;

use crate::bounded::read_text;
use crate::dataset::BadTools;
use crate::error::BenchError;
use crate::relevance::{Options, measure};
use crate::report::Part;
use crate::sets::Sets;
use crate::setting::Setting;

/// The largest file of floors, in bytes.
const BYTES_MAX: u64 = 1 << 20;

/// For sets by name, and for settings by name, the least nDCG@10.
///
/// ```toml
/// [azure_mcp]
/// lexical = { ndcg_at_10 = 0.897, classes = { keywords = 0.9 } }
/// hybrid = { ndcg_at_10 = 0.94, queries = 150 }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Floors(BTreeMap<String, Vec<(Setting, Floor)>>);

/// The least that a setting must reach on a set.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Floor {
    /// The mean nDCG@10 over the queries, 0 to 1.
    pub ndcg_at_10: f64,
    /// How many of the set's queries are asked ([`crate::Dataset::sample`]), at least one; all where it is absent.
    pub queries: Option<usize>,
    /// The mean over the asked queries of a class, by [`shortlist_index::QueryClass::name`]: a gain elsewhere must not hide what one kind of query
    /// loses. The plain baseline knows no classes.
    #[serde(default)]
    pub classes: BTreeMap<String, f64>,
}

/// A floor and what was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The set.
    pub set: String,
    /// The setting.
    pub setting: Setting,
    /// The class of query, where the floor is for one.
    pub class: Option<String>,
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

    fn new(set: &str, setting: Setting, class: Option<&str>, floor: f64, part: &Part) -> Self {
        Self {
            set: set.to_owned(),
            setting,
            class: class.map(str::to_owned),
            n_queries: part.n_queries,
            floor,
            ndcg_at_10: part.figures.ndcg_at_10,
        }
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
                let least = std::iter::once(&floor.ndcg_at_10).chain(floor.classes.values());
                if !least.copied().all(|least| least > 0.0 && least <= 1.0) || floor.queries == Some(0) {
                    return Err(format!(
                        "{set}.{setting}: a floor lies above 0 and up to 1, and queries is at least 1"
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
            for (setting, floor) in floors {
                let dataset =
                    floor.queries.map(|n_queries| dataset.sample(n_queries)).unwrap_or_else(|| dataset.clone());
                let options = Options {
                    settings: vec![*setting],
                    embedding_cache: Some(embedding_cache.to_owned()),
                    ..Options::default()
                };
                for run in measure(&dataset, models, &options, &|_| {})?.runs {
                    checked.push(Checked::new(set, *setting, None, floor.ndcg_at_10, &run.overall));
                    for (class, &least) in &floor.classes {
                        let part = run.classes.get(class).ok_or_else(|| BenchError::NoSuchClass {
                            floor: format!("{set}.{setting}"),
                            class: class.clone(),
                            there: run.classes.keys().cloned().collect::<Vec<_>>().join(", "),
                        })?;
                        checked.push(Checked::new(set, *setting, Some(class), least, part));
                    }
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
                floors.iter().map(move |(setting, floor)| (set.as_str(), setting.to_string(), floor.clone()))
            })
            .collect();
        let floor = |ndcg_at_10, queries| Floor { ndcg_at_10, queries, classes: BTreeMap::new() };
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
        check("[a]\nhybrid = { ndcg_at_10 = 0.5, classes = { intent = 1.5 } }", "up to 1");
    }

    #[test]
    fn what_lies_at_its_floor_has_not_fallen() {
        let checked = |ndcg_at_10| Checked {
            set: "a".to_owned(),
            setting: Setting::Plain,
            class: None,
            n_queries: 1,
            floor: 0.5,
            ndcg_at_10,
        };
        assert!(!checked(0.5).fell() && !checked(0.6).fell() && checked(0.499_999).fell());
    }
}
