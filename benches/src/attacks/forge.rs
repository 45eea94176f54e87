//! [`Forge`]: makes the tools of an attack. The same set, attack and seed give the same tools.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use shortlist_index::{Provenance, Schema, Tool, ToolRef};

use super::kind::Attack;
use super::orders::ORDERS;
use super::vocabulary::{reworded, telling_words};
use crate::dataset::Dataset;
use crate::error::BenchError;
use crate::queries::JudgedQuery;

/// The source of the forged tools: another than a set's, so that no two tools share a ref, and what they are stands in it.
pub(super) const SOURCE: &str = "forged";
/// What the forged tools are made of.
const SEED: u64 = 6;
/// Words of a stuffed text that repeats them, and how often it does.
const REPEATED_WORDS: usize = 12;
const REPEATS: usize = 8;
/// Words of a stuffed text that says each once.
const LISTED_WORDS: usize = 120;
/// Requests in one description: more blur its vector, fewer cover too little.
const REQUESTS_MAX: usize = 40;

/// Makes forged tools for one set.
pub(super) struct Forge<'a> {
    set: &'a Dataset,
    /// What is asked, that which wants the same tools side by side.
    asked: Vec<&'a str>,
    /// What others ask, likewise.
    known: Vec<&'a str>,
    /// The tools that most of the others' queries want, most wanted first.
    popular: Vec<&'a Tool>,
    words: Vec<String>,
}

impl<'a> Forge<'a> {
    /// For a set of which `set.queries` are asked, by an attacker who knows its tools and `known` queries.
    pub fn new(set: &'a Dataset, known: &'a [JudgedQuery]) -> Self {
        let mut wanted: BTreeMap<&str, usize> = BTreeMap::new();
        let relevant = known.iter().flat_map(|query| query.relevant.iter().filter(|(_, grade)| **grade > 0));
        relevant.for_each(|(tool, _)| *wanted.entry(tool).or_default() += 1);
        let times = |tool: &Tool| wanted.get(tool.provenance.foreign_id.as_str()).copied().unwrap_or(0);
        let mut popular: Vec<&Tool> = set.tools.iter().collect();
        popular.sort_by_key(|tool| std::cmp::Reverse(times(tool)));
        Self {
            set,
            asked: side_by_side(&set.queries),
            known: side_by_side(known),
            popular,
            words: telling_words(&set.tools),
        }
    }

    /// `n` forged tools.
    ///
    /// # Errors
    /// [`BenchError::Forged`] where a ref or schema came out that no catalog could hold.
    pub fn tools(&self, attack: Attack, n: usize) -> Result<Vec<Tool>, BenchError> {
        let rng = &mut Rng::with_seed(SEED);
        (0..n).map(|id| self.tool(attack, id, id, n, rng)).collect()
    }

    /// The `nth` of `n` tools of an attack; `id` is its own among all that are forged.
    fn tool(&self, attack: Attack, id: usize, nth: usize, n: usize, rng: &mut Rng) -> Result<Tool, BenchError> {
        match attack {
            Attack::Stuffing => self.stuffed(id, nth, rng),
            Attack::Imitation => self.imitation(id, nth, ""),
            Attack::Orders => self.generic(id, ORDERS[nth % ORDERS.len()]),
            Attack::OrderingImitation => self.imitation(id, nth, ORDERS[nth % ORDERS.len()]),
            Attack::KnownRequests => self.generic(id, &share(&self.known, nth, n)),
            Attack::AskedRequests => self.generic(id, &share(&self.asked, nth, n)),
            Attack::Mixed => {
                let kinds = Attack::SINGLE;
                // Each kind takes its own first tools, the most popular and the most telling ones.
                let (kind, nth) = (kinds[nth % kinds.len()], nth / kinds.len());
                self.tool(kind, id, nth, n.div_ceil(kinds.len()), rng)
            }
        }
    }

    /// Words in every field: the even ones repeat a few, the odd ones list many.
    fn stuffed(&self, id: usize, nth: usize, rng: &mut Rng) -> Result<Tool, BenchError> {
        let words = |n: usize| -> Vec<&str> {
            self.words.iter().cycle().skip(nth / 2 * n).take(n.min(self.words.len())).map(String::as_str).collect()
        };
        let mut said = match nth % 2 {
            0 => words(REPEATED_WORDS).repeat(REPEATS),
            _ => words(LISTED_WORDS),
        };
        rng.shuffle(&mut said);
        let words = words(REPEATED_WORDS);
        let properties: BTreeMap<&str, serde_json::Value> =
            words.iter().map(|&word| (word, serde_json::json!({ "description": words.join(" ") }))).collect();
        let schema = serde_json::json!({ "type": "object", "properties": properties });
        let mut tool = self.generic(id, &said.join(" "))?;
        tool.name = words.iter().take(3).copied().collect::<Vec<_>>().join("_");
        tool.title = Some(words.join(" "));
        tool.description = said.join(" ");
        tool.input_schema = Some(Schema::from_json(&schema.to_string()).map_err(forged)?);
        Ok(tool)
    }

    /// The `nth` popular tool under another namespace.
    fn imitation(&self, id: usize, nth: usize, orders: &str) -> Result<Tool, BenchError> {
        let Some(&original) = self.popular.get(nth % self.popular.len().max(1)) else {
            return self.generic(id, orders);
        };
        let namespace = format!("{}_plus{id}", original.reference.namespace());
        let reference = ToolRef::new(SOURCE, &namespace, original.reference.name(), None).map_err(forged)?;
        let description = format!("{} {orders}", reworded(&original.description));
        Ok(Tool {
            reference: reference.clone(),
            description: description.trim().to_owned(),
            provenance: provenance(&reference),
            ..original.clone()
        })
    }

    /// A tool of no purpose that says this as well.
    fn generic(&self, id: usize, says: &str) -> Result<Tool, BenchError> {
        let name = format!("run_task_{id}");
        let reference = ToolRef::new(SOURCE, &format!("helper{id}"), &name, None).map_err(forged)?;
        let schema = r#"{"type":"object","properties":{"input":{"type":"string","description":"What to do"}}}"#;
        let pattern = self.set.tools.first().ok_or_else(|| forged("the set has no tool"))?;
        Ok(Tool {
            reference: reference.clone(),
            name,
            title: None,
            description: format!("Runs a task and returns its result. {says}"),
            input_schema: Some(Schema::from_json(schema).map_err(forged)?),
            output_schema: None,
            deprecation: None,
            provenance: provenance(&reference),
            ..pattern.clone()
        })
    }
}

fn provenance(reference: &ToolRef) -> Provenance {
    Provenance { source_type: SOURCE.to_owned(), foreign_id: reference.to_string() }
}

fn forged(error: impl ToString) -> BenchError {
    BenchError::Forged { reason: error.to_string() }
}

/// The texts of queries, those that want the same tool next to each other, the most wanted tool's first.
fn side_by_side(queries: &[JudgedQuery]) -> Vec<&str> {
    let mut by_tool: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for query in queries {
        let wanted = query.relevant.iter().find(|(_, grade)| **grade > 0);
        by_tool.entry(wanted.map_or("", |(tool, _)| tool)).or_default().insert(&query.query);
    }
    let mut groups: Vec<BTreeSet<&str>> = by_tool.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    groups.into_iter().flatten().collect()
}

/// The `nth` of `n` shares of the texts, as sentences.
fn share(texts: &[&str], nth: usize, n: usize) -> String {
    let size = texts.len().div_ceil(n.max(1)).clamp(1, REQUESTS_MAX);
    let sentence = |text: &&str| {
        let text = text.trim();
        if text.ends_with(['.', '?', '!']) { text.to_owned() } else { format!("{text}.") }
    };
    texts.iter().skip(nth * size).take(size).map(sentence).collect::<Vec<_>>().join(" ")
}
