//! Grants and filters against one generation's tools.

use std::collections::BTreeMap;
use std::ops::Range;

use arrow::error::ArrowError;
use roaring::RoaringBitmap;

use super::table::ToolTable;
use crate::allowed::AllowedSet;
use crate::filter::Filter;
use crate::grant::{Grant, Pattern, Selector};
use crate::places::Layered;
use crate::scopes::ScopeRequirement;
use crate::tool_ref::ToolRef;
use crate::unseen::Asked;

/// What grants and filters ask about the tools, as bitmaps made once when a generation is opened: resolving a selector
/// then costs its distinct namespaces, tags and scopes, not its tools (patterns over refs apart).
pub(super) struct Attributes {
    n_tools: u32,
    namespaces: Vec<NamespaceRange>,
    /// Runs of versions of one tool, oldest first; tools with a single version have none.
    families: Vec<Range<u32>>,
    /// Those of each family's versions that are pre-releases.
    prereleases: RoaringBitmap,
    tags: BTreeMap<String, RoaringBitmap>,
    /// The different requirements, each with the tools that have it.
    requirements: BTreeMap<String, (ScopeRequirement, RoaringBitmap)>,
    read_only: [RoaringBitmap; 2],
    destructive: [RoaringBitmap; 2],
    deprecated: RoaringBitmap,
}

/// A namespace of a source and where its tools stand: in ref order they are neighbours.
pub(super) struct NamespaceRange {
    pub source: String,
    pub namespace: String,
    pub documents: Range<u32>,
}

impl Attributes {
    /// One pass over the tables.
    pub fn read(tables: &Layered<ToolTable>) -> Result<Self, ArrowError> {
        let n_tools = u32::try_from(tables.len()).map_err(|_| ArrowError::ComputeError("too many tools".to_owned()))?;
        let mut attributes = Self {
            n_tools,
            namespaces: Vec::new(),
            families: Vec::new(),
            prereleases: RoaringBitmap::new(),
            tags: BTreeMap::new(),
            requirements: BTreeMap::new(),
            read_only: Default::default(),
            destructive: Default::default(),
            deprecated: RoaringBitmap::new(),
        };
        let mut before: Option<ToolRef> = None;
        for document in 0..n_tools {
            let (table, row) = tables.at(document);
            let reference = table.reference(row)?;
            if before.as_ref().is_some_and(|before| *before >= reference) {
                return Err(ArrowError::ComputeError(format!("document {document}: {reference} is out of order")));
            }
            match attributes.namespaces.last_mut() {
                Some(last) if (&*last.source, &*last.namespace) == (reference.source(), reference.namespace()) => {
                    last.documents.end = document + 1;
                }
                _ => attributes.namespaces.push(NamespaceRange {
                    source: reference.source().to_owned(),
                    namespace: reference.namespace().to_owned(),
                    documents: document..document + 1,
                }),
            }
            if before.as_ref().is_some_and(|before| before.same_family(&reference)) {
                match attributes.families.last_mut() {
                    Some(family) if family.end == document => family.end = document + 1,
                    _ => attributes.families.push(document - 1..document + 1),
                }
            }
            if reference.version().is_some_and(|version| !version.pre.is_empty()) {
                attributes.prereleases.insert(document);
            }
            for tag in table.tags(row)? {
                attributes.tags.entry(tag).or_default().insert(document);
            }
            let requirement = table.required_scopes_text(row);
            match attributes.requirements.get_mut(requirement) {
                Some((_, documents)) => drop(documents.insert(document)),
                None => {
                    let entry = (table.required_scopes(row)?, RoaringBitmap::from([document]));
                    attributes.requirements.insert(requirement.to_owned(), entry);
                }
            }
            let annotations = table.annotations(row);
            if let Some(claim) = annotations.read_only {
                attributes.read_only[usize::from(claim)].insert(document);
            }
            if let Some(claim) = annotations.destructive {
                attributes.destructive[usize::from(claim)].insert(document);
            }
            if table.is_deprecated(row) {
                attributes.deprecated.insert(document);
            }
            before = Some(reference);
        }
        Ok(attributes)
    }

    /// The namespaces in ref order.
    pub fn namespaces(&self) -> &[NamespaceRange] {
        &self.namespaces
    }

    /// The documents that a grant shows.
    pub fn granted(&self, grant: &Grant, tables: &Layered<ToolTable>) -> RoaringBitmap {
        let union = |selectors: &[Selector]| {
            selectors.iter().fold(RoaringBitmap::new(), |all, selector| all | self.selected(selector, grant, tables))
        };
        union(&grant.allow) - union(&grant.deny)
    }

    /// The documents that a selector picks.
    fn selected(&self, selector: &Selector, grant: &Grant, tables: &Layered<ToolTable>) -> RoaringBitmap {
        let Selector { refs, namespaces, sources, tags, required_scopes, scopes_held, read_only } = selector;
        let mut selected = self.all();
        if !namespaces.is_empty() || !sources.is_empty() {
            let any = |patterns: &[Pattern], value: &str| {
                patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(value))
            };
            selected &= self.in_namespaces(|range| any(namespaces, &range.namespace) && any(sources, &range.source));
        }
        if !tags.is_empty() {
            selected &= union(self.tags.iter().filter(|(tag, _)| tags.iter().any(|p| p.matches(tag))).map(|(_, b)| b));
        }
        if !required_scopes.is_empty() {
            selected &= self.requiring(|requirement| {
                requirement.scopes().any(|scope| required_scopes.iter().any(|pattern| pattern.matches(scope)))
            });
        }
        if *scopes_held {
            selected &= self.requiring(|requirement| requirement.is_met_by(&grant.held_scopes));
        }
        if let Some(claim) = read_only {
            selected &= &self.read_only[usize::from(*claim)];
        }
        if !refs.is_empty() {
            let matches = |document: &u32| {
                let (table, row) = tables.at(*document);
                let reference = table.reference_text(row);
                // A name stands for all its versions: '@' occurs in a ref only before the version.
                let name = reference.split('@').next().unwrap_or(reference);
                refs.iter().any(|pattern| pattern.matches(name) || pattern.matches(reference))
            };
            selected = selected.iter().filter(matches).collect();
        }
        selected
    }

    /// Of the readable documents, those that a search without a filter may find: the newest of each family.
    pub fn newest(&self, readable: &RoaringBitmap) -> RoaringBitmap {
        let mut newest = readable.clone();
        for family in &self.families {
            if let Some(kept) = self.newest_of(family.clone(), readable) {
                newest.remove_range(family.clone());
                newest.insert(kept);
            }
        }
        newest
    }

    /// The newest readable version among `family`: the last release, else the last pre-release.
    pub fn newest_of(&self, family: Range<u32>, readable: &RoaringBitmap) -> Option<u32> {
        let versions = || family.clone().rev().filter(|&document| readable.contains(document));
        versions().find(|&document| !self.prereleases.contains(document)).or_else(|| versions().next())
    }

    /// A filter without the values that none of the set's readable tools has; `None` where that leaves nothing of a list,
    /// and so of the catalog. A value that hidden tools have costs a look at them once, then as much as one that no tool
    /// has.
    pub fn seen(&self, filter: &Filter, allowed: &AllowedSet) -> Option<Filter> {
        let readable = allowed.readable();
        let in_ranges = |wanted: &dyn Fn(&NamespaceRange) -> bool| -> Option<bool> {
            let mut ranges = self.namespaces.iter().filter(|range| wanted(range)).peekable();
            ranges.peek()?;
            Some(ranges.any(|range| readable.range_cardinality(range.documents.clone()) > 0))
        };
        let keep = |asked: Asked, values: &[String], is_seen: &dyn Fn(&str) -> Option<bool>| -> Option<Vec<String>> {
            let seen = |value: &&String| {
                if allowed.unseen().holds(asked, value) {
                    return false;
                }
                let seen = is_seen(value);
                if seen == Some(false) {
                    allowed.unseen().insert(asked, value);
                }
                seen == Some(true)
            };
            let kept: Vec<String> = values.iter().filter(seen).cloned().collect();
            (values.is_empty() || !kept.is_empty()).then_some(kept)
        };
        Some(Filter {
            namespaces: keep(Asked::Namespace, &filter.namespaces, &|value| {
                in_ranges(&|range| range.namespace == value)
            })?,
            sources: keep(Asked::Source, &filter.sources, &|value| in_ranges(&|range| range.source == value))?,
            tags: keep(Asked::Tag, &filter.tags, &|value| Some(!self.tags.get(value)?.is_disjoint(readable)))?,
            ..*filter
        })
    }

    /// What of `newest` a filter leaves.
    pub fn filtered(&self, newest: &RoaringBitmap, filter: &Filter) -> RoaringBitmap {
        let Filter { namespaces, sources, tags, read_only, destructive, include_deprecated } = filter;
        let mut left = newest.clone();
        if !namespaces.is_empty() || !sources.is_empty() {
            let any = |values: &[String], value: &String| values.is_empty() || values.contains(value);
            left &= self.in_namespaces(|range| any(namespaces, &range.namespace) && any(sources, &range.source));
        }
        if !tags.is_empty() {
            left &= union(tags.iter().filter_map(|tag| self.tags.get(tag)));
        }
        if let Some(claim) = read_only {
            left &= &self.read_only[usize::from(*claim)];
        }
        if let Some(claim) = destructive {
            left &= &self.destructive[usize::from(*claim)];
        }
        if !include_deprecated {
            left -= &self.deprecated;
        }
        left
    }

    fn all(&self) -> RoaringBitmap {
        let mut all = RoaringBitmap::new();
        all.insert_range(0..self.n_tools);
        all
    }

    fn in_namespaces(&self, wanted: impl Fn(&NamespaceRange) -> bool) -> RoaringBitmap {
        let mut found = RoaringBitmap::new();
        for range in self.namespaces.iter().filter(|range| wanted(range)) {
            found.insert_range(range.documents.clone());
        }
        found
    }

    fn requiring(&self, wanted: impl Fn(&ScopeRequirement) -> bool) -> RoaringBitmap {
        union(self.requirements.values().filter(|(requirement, _)| wanted(requirement)).map(|(_, documents)| documents))
    }
}

fn union<'a>(bitmaps: impl Iterator<Item = &'a RoaringBitmap>) -> RoaringBitmap {
    bitmaps.fold(RoaringBitmap::new(), |all, bitmap| all | bitmap)
}
