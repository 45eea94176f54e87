//! Grants and filters against one generation's tools.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};

use arrow::error::ArrowError;
use roaring::{MultiOps, RoaringBitmap};

use super::refs::{ByPattern, Refs};
use super::table::ToolTable;
use crate::allowed::AllowedSet;
use crate::filter::Filter;
use crate::grant::{Grant, Pattern, Selector};
use crate::places::Layered;
use crate::scopes::ScopeRequirement;
use crate::tool::Annotations;
use crate::tool_ref::ToolRef;
use crate::unseen::Asked;

/// What grants and filters ask about the tools, as bitmaps made once when a generation is opened: resolving a selector
/// then costs the namespaces, tags and scopes that begin as its patterns do, not its tools. [`Refs`] knows the refs.
pub(super) struct Attributes {
    n_tools: u32,
    refs: Refs,
    namespaces: Vec<NamespaceRange>,
    /// The tools of each namespace, whichever the source.
    by_namespace: BTreeMap<String, RoaringBitmap>,
    by_source: BTreeMap<String, RoaringBitmap>,
    /// Runs of versions of one tool, oldest first; tools with a single version have none.
    families: Vec<Range<u32>>,
    /// Those of each family's versions that are pre-releases.
    prereleases: RoaringBitmap,
    by_tag: BTreeMap<String, RoaringBitmap>,
    /// The tools that name each scope in some alternative.
    by_scope: BTreeMap<String, RoaringBitmap>,
    /// The different requirements, each with the tools that have it.
    requirements: BTreeMap<String, (ScopeRequirement, RoaringBitmap)>,
    /// The tools that claim `false` and `true` of each effect, in the order of [`Annotations::named`].
    claims: [[RoaringBitmap; 2]; 4],
    deprecated: RoaringBitmap,
}

/// A namespace of a source and where its tools stand: in ref order they are neighbours.
pub(crate) struct NamespaceRange {
    pub source: String,
    pub namespace: String,
    pub documents: Range<u32>,
}

impl Attributes {
    /// The namespace that a document is in. O(log n).
    pub fn namespace_of(&self, document: u32) -> Option<&NamespaceRange> {
        let after = self.namespaces.partition_point(|range| range.documents.start <= document);
        self.namespaces.get(after.checked_sub(1)?)
    }

    /// All versions of the tool that a document is one of, oldest first; `None` where it is the only one. O(log n).
    pub fn family_of(&self, document: u32) -> Option<&Range<u32>> {
        let after = self.families.partition_point(|family| family.start <= document);
        self.families.get(after.checked_sub(1)?).filter(|family| family.contains(&document))
    }

    /// One pass over the tables.
    pub fn read(tables: &Layered<ToolTable>) -> Result<Self, ArrowError> {
        let n_tools = u32::try_from(tables.len()).map_err(|_| ArrowError::ComputeError("too many tools".to_owned()))?;
        let mut attributes = Self {
            n_tools,
            refs: Refs::read(tables),
            namespaces: Vec::new(),
            by_namespace: BTreeMap::new(),
            by_source: BTreeMap::new(),
            families: Vec::new(),
            prereleases: RoaringBitmap::new(),
            by_tag: BTreeMap::new(),
            by_scope: BTreeMap::new(),
            requirements: BTreeMap::new(),
            claims: Default::default(),
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
                attributes.by_tag.entry(tag).or_default().insert(document);
            }
            let requirement = table.required_scopes_text(row);
            match attributes.requirements.get_mut(requirement) {
                Some((_, documents)) => drop(documents.insert(document)),
                None => {
                    let entry = (table.required_scopes(row)?, RoaringBitmap::from([document]));
                    attributes.requirements.insert(requirement.to_owned(), entry);
                }
            }
            for (bitmaps, (_, claim)) in attributes.claims.iter_mut().zip(table.annotations(row).named()) {
                if let Some(claim) = claim {
                    bitmaps[usize::from(claim)].insert(document);
                }
            }
            if table.is_deprecated(row) {
                attributes.deprecated.insert(document);
            }
            before = Some(reference);
        }
        for NamespaceRange { source, namespace, documents } in &attributes.namespaces {
            attributes.by_source.entry(source.clone()).or_default().insert_range(documents.clone());
            attributes.by_namespace.entry(namespace.clone()).or_default().insert_range(documents.clone());
        }
        for (requirement, documents) in attributes.requirements.values() {
            for scope in requirement.scopes() {
                *attributes.by_scope.entry(scope.to_owned()).or_default() |= documents;
            }
        }
        Ok(attributes)
    }

    /// The refs.
    pub fn refs(&self) -> &Refs {
        &self.refs
    }

    /// The namespaces in ref order.
    pub fn namespaces(&self) -> &[NamespaceRange] {
        &self.namespaces
    }

    /// The documents that a grant shows. Each different pattern over refs is looked for once.
    pub fn granted(&self, grant: &Grant, tables: &Layered<ToolTable>) -> RoaringBitmap {
        let selectors = || grant.allow.iter().chain(&grant.deny);
        let by_pattern = self.refs.matching(selectors().flat_map(|selector| &selector.refs), tables);
        let met = if selectors().any(|selector| selector.scopes_held) {
            self.requiring(|requirement| requirement.is_met_by(&grant.held_scopes))
        } else {
            RoaringBitmap::new()
        };
        let union =
            |selectors: &[Selector]| selectors.iter().map(|each| self.selected(each, &by_pattern, &met)).union();
        union(&grant.allow) - union(&grant.deny)
    }

    /// The documents that a selector picks; `met` are those whose required scopes are held.
    fn selected(&self, selector: &Selector, by_pattern: &ByPattern, met: &RoaringBitmap) -> RoaringBitmap {
        let Selector { refs, namespaces, sources, tags, required_scopes, scopes_held, annotations } = selector;
        let of_refs = || refs.iter().filter_map(|pattern| by_pattern.get(pattern)).map(|found| &**found).union();
        let parts = [
            (!refs.is_empty()).then(of_refs),
            (!namespaces.is_empty()).then(|| matching(&self.by_namespace, namespaces)),
            (!sources.is_empty()).then(|| matching(&self.by_source, sources)),
            (!tags.is_empty()).then(|| matching(&self.by_tag, tags)),
            (!required_scopes.is_empty()).then(|| matching(&self.by_scope, required_scopes)),
            scopes_held.then(|| met.clone()),
            self.claiming(annotations),
        ];
        parts.into_iter().flatten().reduce(|selected, part| selected & part).unwrap_or_else(|| self.all())
    }

    /// Of the readable documents, those that a search may find by their version: the newest of each family. Deprecated ones
    /// are among them; what a request leaves out is [`Attributes::filtered`]'s to say.
    pub fn newest(&self, readable: &RoaringBitmap) -> RoaringBitmap {
        let mut newest = readable.clone();
        for family in &self.families {
            if let Some(kept) = self.newest_of(family.clone().filter(|&document| readable.contains(document))) {
                newest.remove_range(family.clone());
                newest.insert(kept);
            }
        }
        newest
    }

    /// The newest of a tool's versions, which come oldest first: the last release, else the last pre-release.
    pub fn newest_of(&self, mut versions: impl DoubleEndedIterator<Item = u32> + Clone) -> Option<u32> {
        let release = versions.clone().rev().find(|&document| !self.prereleases.contains(document));
        release.or_else(|| versions.next_back())
    }

    /// A filter without the values that none of the set's readable tools has; `None` where that leaves nothing of a list,
    /// and so of the catalog. A value that hidden tools have costs a look at them once, then as much as one that no tool
    /// has.
    pub fn seen(&self, filter: &Filter, allowed: &AllowedSet) -> Option<Filter> {
        let readable = allowed.readable();
        let keep = |asked: Asked, values: &[String], having: &BTreeMap<String, RoaringBitmap>| {
            let seen = |value: &&String| {
                let documents = having.get(*value).filter(|_| !allowed.unseen().holds(asked, value));
                let seen = documents.map(|documents| !documents.is_disjoint(readable));
                if seen == Some(false) {
                    allowed.unseen().insert(asked, value);
                }
                seen == Some(true)
            };
            let kept: Vec<String> = values.iter().filter(seen).cloned().collect();
            (values.is_empty() || !kept.is_empty()).then_some(kept)
        };
        Some(Filter {
            namespaces: keep(Asked::Namespace, &filter.namespaces, &self.by_namespace)?,
            sources: keep(Asked::Source, &filter.sources, &self.by_source)?,
            tags: keep(Asked::Tag, &filter.tags, &self.by_tag)?,
            annotations: filter.annotations,
            include_deprecated: filter.include_deprecated,
        })
    }

    /// What of `newest` a filter leaves.
    pub fn filtered(&self, newest: &RoaringBitmap, filter: &Filter) -> RoaringBitmap {
        let Filter { namespaces, sources, tags, annotations, include_deprecated } = filter;
        let mut left = newest.clone();
        for (values, map) in [(namespaces, &self.by_namespace), (sources, &self.by_source), (tags, &self.by_tag)] {
            if !values.is_empty() {
                left &= values.iter().filter_map(|value| map.get(value)).union();
            }
        }
        if let Some(claiming) = self.claiming(annotations) {
            left &= claiming;
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

    /// The documents that claim all of this; `None` where nothing is asked.
    fn claiming(&self, annotations: &Annotations) -> Option<RoaringBitmap> {
        let asked = self.claims.iter().zip(annotations.named());
        let parts: Vec<&RoaringBitmap> =
            asked.filter_map(|(bitmaps, (_, claim))| Some(&bitmaps[usize::from(claim?)])).collect();
        (!parts.is_empty()).then(|| parts.into_iter().intersection())
    }

    fn requiring(&self, wanted: impl Fn(&ScopeRequirement) -> bool) -> RoaringBitmap {
        let met = self.requirements.values().filter(|(requirement, _)| wanted(requirement));
        met.map(|(_, documents)| documents).union()
    }
}

/// The documents of all values that match some pattern. Only values that begin as a pattern does are compared with it.
fn matching(map: &BTreeMap<String, RoaringBitmap>, patterns: &[Pattern]) -> RoaringBitmap {
    let of = |pattern: &Pattern| {
        let (pattern, prefix) = (pattern.clone(), pattern.prefix().to_owned());
        let begins = map.range::<str, _>((Bound::Included(&*prefix), Bound::Unbounded));
        let begins = begins.take_while(move |(value, _)| value.starts_with(&prefix));
        begins.filter(move |(value, _)| pattern.matches(value)).map(|(_, documents)| documents)
    };
    patterns.iter().flat_map(of).union()
}
