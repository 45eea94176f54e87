//! [`Refs`]: which tools' refs match a pattern.
//!
//! A policy has many patterns and a catalog many tools; comparing each with each takes seconds. So a pattern is compared
//! only with refs that begin as it does, where these are few, and all others share one pass over the catalog, in which an
//! Aho-Corasick automaton finds the rarest literal of each. What was found is kept, for another principal mostly has the same
//! rules. [`Pattern::matches`] decides in either case.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use aho_corasick::{AhoCorasick, BuildError};
use roaring::RoaringBitmap;

use super::table::ToolTable;
use crate::grant::Pattern;
use crate::places::Layered;

/// Where at most so many refs begin as a pattern does, they are compared one by one: cheaper than a part of a pass.
const FEW: usize = 1_000;
/// Refs in which literals are counted, to find out which are rare.
const SAMPLE: usize = 2_000;
/// The most bytes that the kept bitmaps may take; beyond it they are found anew.
const KEPT_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Patterns that one pass looks for before they are asked for: few enough that, up to half a million tools, their bitmaps fit into half
/// of that room.
const PREPARED_AT_ONCE: usize = 256;

/// The documents of each pattern.
pub(super) type ByPattern = HashMap<Pattern, Arc<RoaringBitmap>>;

/// All refs of a generation, ready for patterns.
pub(super) struct Refs {
    /// The documents by their printed refs, byte by byte. Their own order is another: by parts, decoded, versions by
    /// precedence.
    by_text: Vec<u32>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    found: ByPattern,
    bytes: usize,
}

impl Refs {
    /// Sorts the refs.
    pub fn read(tables: &Layered<ToolTable>) -> Self {
        let mut by_text: Vec<u32> = (0..tables.len() as u32).collect();
        // They are nearly sorted already, which the sort makes use of.
        by_text.sort_by_key(|&document| text(tables, document));
        Self { by_text, kept: Mutex::default() }
    }

    /// The documents that each pattern matches, with the version in their refs or without.
    pub fn matching<'p>(&self, patterns: impl Iterator<Item = &'p Pattern>, tables: &Layered<ToolTable>) -> ByPattern {
        let wanted: BTreeSet<&Pattern> = patterns.collect();
        let mut found = ByPattern::with_capacity(wanted.len());
        if wanted.is_empty() {
            return found;
        }
        let mut missing = Vec::new();
        {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            for pattern in wanted {
                match kept.found.get(pattern) {
                    Some(documents) => drop(found.insert(pattern.clone(), Arc::clone(documents))),
                    None => missing.push(pattern),
                }
            }
        }
        let mut of_pass = Vec::new();
        for pattern in missing {
            let range = self.beginning(pattern.prefix(), tables);
            let begins = self.by_text[range].iter().copied();
            let documents = if pattern.is_prefix() {
                begins.collect()
            } else if begins.len() <= FEW {
                begins.filter(|&document| matches(pattern, text(tables, document))).collect()
            } else {
                of_pass.push(pattern);
                continue;
            };
            found.insert(pattern.clone(), self.keep(pattern, documents));
        }
        for (pattern, documents) in of_pass.iter().zip(pass(&of_pass, tables)) {
            found.insert((*pattern).clone(), self.keep(pattern, documents));
        }
        found
    }

    /// Finds what the patterns match before a grant has them, for as long as half of the room for bitmaps is free: so it
    /// never costs those that are in use.
    pub fn prepare<'p>(&self, patterns: impl Iterator<Item = &'p Pattern>, tables: &Layered<ToolTable>) {
        let wanted: Vec<&Pattern> = patterns.collect::<BTreeSet<_>>().into_iter().collect();
        for some in wanted.chunks(PREPARED_AT_ONCE) {
            if self.kept.lock().unwrap_or_else(PoisonError::into_inner).bytes > KEPT_BYTES_MAX / 2 {
                return;
            }
            self.matching(some.iter().copied(), tables);
        }
    }

    /// Whether it is at hand what a pattern matches.
    pub fn has_at_hand(&self, pattern: &Pattern) -> bool {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).found.contains_key(pattern)
    }

    /// The places of the refs that begin so.
    fn beginning(&self, prefix: &str, tables: &Layered<ToolTable>) -> Range<usize> {
        let start = self.by_text.partition_point(|&document| text(tables, document) < prefix);
        let after = &self.by_text[start..];
        start..start + after.partition_point(|&document| text(tables, document).starts_with(prefix))
    }

    fn keep(&self, pattern: &Pattern, documents: RoaringBitmap) -> Arc<RoaringBitmap> {
        let documents = Arc::new(documents);
        let bytes = pattern.as_str().len() + documents.serialized_size();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes + bytes > KEPT_BYTES_MAX {
            *kept = Kept::default();
        }
        if kept.found.insert(pattern.clone(), Arc::clone(&documents)).is_none() {
            kept.bytes += bytes;
        }
        documents
    }
}

/// The documents of each of the patterns, in one pass over all refs.
fn pass(patterns: &[&Pattern], tables: &Layered<ToolTable>) -> Vec<RoaringBitmap> {
    let mut found = vec![RoaringBitmap::new(); patterns.len()];
    let documents = 0..tables.len() as u32;
    if patterns.is_empty() {
        return found;
    }
    // Patterns without a literal (`??*`) have an empty one, which stands everywhere.
    let Ok(literals) = rarest_literals(patterns, tables).and_then(AhoCorasick::new) else {
        // More patterns than an automaton can have: the slow way is right too.
        for document in documents {
            for (pattern, found) in patterns.iter().zip(&mut found) {
                if matches(pattern, text(tables, document)) {
                    found.insert(document);
                }
            }
        }
        return found;
    };
    // The document that each pattern was last compared with: a literal may stand in a ref several times.
    let mut compared = vec![None; patterns.len()];
    for document in documents {
        let text = text(tables, document);
        for literal in literals.find_overlapping_iter(text) {
            let place = literal.pattern().as_usize();
            if compared[place].replace(document) != Some(document) && matches(patterns[place], text) {
                found[place].insert(document);
            }
        }
    }
    found
}

/// Of each pattern the literal that stands in the fewest places, by a sample of refs: a verb stands in every tenth ref, a number
/// hardly anywhere, and what has the literal is compared with the pattern. Of equals the longest.
fn rarest_literals<'p>(patterns: &[&'p Pattern], tables: &Layered<ToolTable>) -> Result<Vec<&'p str>, BuildError> {
    let literals: BTreeSet<&str> = patterns.iter().flat_map(|pattern| pattern.literals()).collect();
    let literals: Vec<&str> = literals.into_iter().collect();
    let automaton = AhoCorasick::new(&literals)?;
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for document in (0..tables.len()).step_by(tables.len().div_ceil(SAMPLE).max(1)) {
        for found in automaton.find_overlapping_iter(text(tables, document as u32)) {
            *counts.entry(literals[found.pattern().as_usize()]).or_default() += 1;
        }
    }
    let rarest = |pattern: &&'p Pattern| {
        pattern.literals().min_by_key(|&literal| (counts.get(literal), Reverse(literal.len()))).unwrap_or_default()
    };
    Ok(patterns.iter().map(rarest).collect())
}

/// A name stands for all its versions: `@` occurs in a ref only before the version.
fn matches(pattern: &Pattern, reference: &str) -> bool {
    let name = reference.split('@').next().unwrap_or(reference);
    pattern.matches(name) || pattern.matches(reference)
}

fn text(tables: &Layered<ToolTable>, document: u32) -> &str {
    let (table, row) = tables.at(document);
    table.reference_text(row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::Tool;
    use crate::tool_ref::ToolRef;

    #[test]
    fn a_pattern_is_looked_for_by_its_rarest_literal() {
        let tool = |number: usize| {
            let name = format!("item-{number}.recalculate");
            Tool::new(ToolRef::new("hub", "team", &name, None).expect("a ref"), "")
        };
        let mut tools: Vec<Tool> = (0..300).map(tool).collect();
        tools.sort_by(|a, b| a.reference.cmp(&b.reference));
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("tools.arrow");
        ToolTable::write(&path, &tools).expect("a table is written");
        let tables = Layered::whole(ToolTable::open(&path).expect("it opens"), tools.len());
        let patterns =
            ["*-77.*recalculate", "*recalculate", "*item-?.*", "??*"].map(|p| Pattern::new(p).expect("a pattern"));
        let patterns: Vec<&Pattern> = patterns.iter().collect();
        let literals = rarest_literals(&patterns, &tables).expect("an automaton");
        assert_eq!(literals, ["-77.", "recalculate", "item-", ""]);
        let found: Vec<u64> = pass(&patterns, &tables).iter().map(RoaringBitmap::len).collect();
        assert_eq!(found, [1, 300, 10, 300]);
    }
}
