//! [`grant()`]: a catalog without the tools that answer a query, as if they were not there.

use std::collections::BTreeSet;

use shortlist_index::{Grant, Pattern, Selector, Tool, identifier_words};

use crate::queries::JudgedQuery;

/// A namespace that holds more of the catalog than this is a drawer for everything, and its tools are no siblings.
const FAMILY_SHARE_MAX: f64 = 0.1;
/// In such a drawer, tools are siblings that have so much of their names in common (Jaccard).
const FAMILY_NAMES_MIN: f64 = 0.5;

/// A grant of everything but the tools that answer a query and their siblings: those of the same namespace, or, where that
/// holds more than a tenth of the catalog, those of like names. What it leaves must not answer the query.
pub(crate) fn grant(tools: &[Tool], query: &JudgedQuery) -> Grant {
    let gold: Vec<&Tool> = tools.iter().filter(|tool| query.grade(&tool.provenance.foreign_id) > 0).collect();
    let in_namespace = |namespace: &str| tools.iter().filter(|tool| tool.reference.namespace() == namespace).count();
    let is_family =
        |tool: &Tool| in_namespace(tool.reference.namespace()) as f64 <= FAMILY_SHARE_MAX * tools.len() as f64;
    let gold: Vec<(&Tool, bool)> = gold.into_iter().map(|tool| (tool, is_family(tool))).collect();
    let denied = tools.iter().filter(|tool| gold.iter().any(|&(gold, family)| is_sibling(tool, gold, family)));
    let deny = denied
        .map(|tool| {
            let pattern = Pattern::new(&tool.reference.to_string());
            // A ref that is no pattern (it holds a bracket) denies everything: the query is then no example.
            Selector { refs: pattern.into_iter().collect(), ..Selector::default() }
        })
        .collect();
    Grant::new(vec![Selector::default()], deny, BTreeSet::new())
}

fn is_sibling(tool: &Tool, gold: &Tool, is_family: bool) -> bool {
    if is_family {
        return tool.reference.namespace() == gold.reference.namespace();
    }
    let words = |tool: &Tool| -> BTreeSet<String> {
        identifier_words(&tool.name).into_iter().map(|word| word.to_lowercase()).collect()
    };
    let (a, b) = (words(tool), words(gold));
    let common = a.intersection(&b).count() as f64;
    common / (a.len() as f64 + b.len() as f64 - common) >= FAMILY_NAMES_MIN
}
