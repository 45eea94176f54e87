//! [`collapse`]: tools that say the same share one place.
//!
//! Catalogs hold the same program many times: forks and mirrors of one server, each under its own namespace, and ten copies of
//! one answer leave no place for the second answer. What is the same is judged strictly, for a tool that loses its place is
//! harder to find: the words of the name, of title and description and the names of the parameters are equal, so that nothing
//! but the namespace tells two tools apart; and the namespaces themselves are mostly the same. Two products of one vendor share
//! `operations.get` to the letter and are no forks of each other.
//!
//! All of it goes by what the asker may read, so it is the same on a catalog of that asker's tools alone.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hasher};
use std::ops::Range;

use arrow::error::ArrowError;

use crate::allowed::AllowedSet;
use crate::fusion::Candidate;
use crate::generation::Snapshot;
use crate::hit::Alternatives;
use crate::lexical::identifier_words;
use crate::query::ALTERNATIVES_MAX;
use crate::schema::Schema;
use crate::tool_ref::ToolRef;

/// The fewest words that a tool without parameters must say to be taken for another's copy: `Deletes a database.` is said of
/// every database there is.
const WORDS_MIN: usize = 4;
/// The most tools of a namespace that is compared with another. A larger one is a platform and not a server that people copy,
/// and comparing it would cost every search.
const NAMESPACE_TOOLS_MAX: usize = 512;
/// The most places of the same words that a candidate is compared with.
const PLACES_MAX: usize = 8;

/// Takes candidates that say the same as a better one out of the list, which must be best first, and names them there. Costs
/// the names of all candidates, the texts of those whose name another has too, and a parse of the schemas of those whose text too.
pub(crate) fn collapse(
    snapshot: &Snapshot,
    allowed: &AllowedSet,
    query: &str,
    candidates: Vec<Candidate>,
) -> Vec<Candidate> {
    let mut n_named: HashMap<u64, usize> = HashMap::with_capacity(candidates.len());
    let digests: Vec<u64> = candidates.iter().map(|one| squeezed(snapshot.name(one.document))).collect();
    digests.iter().for_each(|digest| *n_named.entry(*digest).or_default() += 1);
    if n_named.len() == candidates.len() {
        return candidates;
    }

    let query = plain(query);
    let mut copies = Copies::new(snapshot, allowed, &query);
    let mut first: Vec<Candidate> = Vec::with_capacity(candidates.len());
    // A suspected tool takes in no honest one and is named by none: what makes it suspected is not compared here.
    let mut places: HashMap<(bool, String, String), Vec<usize>> = HashMap::new();
    for (candidate, digest) in candidates.into_iter().zip(digests) {
        if n_named.get(&digest).is_some_and(|&n| n > 1) {
            let name = plain(snapshot.name(candidate.document));
            let text = plain(&snapshot.says(candidate.document).join(" "));
            let key = (candidate.suspicion.is_some(), name, text);
            let is_copy = |&&place: &&usize| {
                let better = first.get(place).map(|better| better.document);
                better.is_some_and(|better| copies.are(better, candidate.document, &key.1, &key.2))
            };
            let same = places.get(&key).and_then(|same| same.iter().take(PLACES_MAX).find(is_copy));
            if let Some(better) = same.copied().and_then(|place| first.get_mut(place)) {
                better.alternatives.push(candidate.document);
                continue;
            }
            places.entry(key).or_default().push(first.len());
        }
        first.push(candidate);
    }
    first
}

/// What shares a candidate's place: the copies that it took in, then its own other versions.
pub(crate) fn alternatives(
    snapshot: &Snapshot,
    allowed: &AllowedSet,
    candidate: &Candidate,
) -> Result<Alternatives, ArrowError> {
    let versions = snapshot.other_versions(candidate.document, allowed);
    let all: Vec<u32> = candidate.alternatives.iter().copied().chain(versions).collect();
    let named = all.iter().take(ALTERNATIVES_MAX).map(|&document| snapshot.reference(document));
    let refs: Vec<ToolRef> = named.collect::<Result<_, _>>()?;
    Ok(Alternatives { n_more: all.len() - refs.len(), refs })
}

/// Judges whether tools whose names and texts are the same are copies, as far as the asker may read their namespaces.
struct Copies<'a> {
    snapshot: &'a Snapshot,
    allowed: &'a AllowedSet,
    /// Its words.
    query: HashSet<&'a str>,
    /// The different names in each namespace, sorted, by its first document; none where there are too many.
    namespaces: HashMap<u32, Vec<&'a str>>,
    /// The names of the own parameters of each tool that was compared, sorted, by its document.
    parameters: HashMap<u32, Vec<String>>,
}

impl<'a> Copies<'a> {
    fn new(snapshot: &'a Snapshot, allowed: &'a AllowedSet, query: &'a str) -> Self {
        let query = query.split(' ').collect();
        Self { snapshot, allowed, query, namespaces: HashMap::new(), parameters: HashMap::new() }
    }

    /// Whether a tool of the same name and text as a better one is a copy of it: it takes the same parameters and stands in
    /// another namespace, at least half of the larger of the two namespaces is in both, and the query does not name its
    /// namespace, which alone tells them apart.
    fn are(&mut self, better: u32, other: u32, name: &str, text: &str) -> bool {
        let snapshot = self.snapshot;
        let (Some(one), Some(two)) = (snapshot.namespace_of(better), snapshot.namespace_of(other)) else {
            return false;
        };
        if one.documents == two.documents {
            return false;
        }
        let [of_one, of_two] = [one, two].map(|range| plain(&format!("{} {}", range.source, range.namespace)));
        let holds = |text: &str, word: &str| text.split(' ').any(|one| one == word);
        let told_by =
            |word: &str| self.query.contains(word) && ![&*of_one, name, text].into_iter().any(|text| holds(text, word));
        if of_two.split(' ').any(told_by) {
            return false;
        }
        for document in [better, other] {
            self.parameters.entry(document).or_insert_with(|| parameters(snapshot, document));
        }
        let parameters = &self.parameters[&better];
        if *parameters != self.parameters[&other] || (parameters.is_empty() && text.split(' ').count() < WORDS_MIN) {
            return false;
        }
        for range in [one, two] {
            let start = range.documents.start;
            if !self.namespaces.contains_key(&start) {
                self.namespaces.insert(start, self.names_in(range.documents.clone()));
            }
        }
        match (self.namespaces.get(&one.documents.start), self.namespaces.get(&two.documents.start)) {
            (Some(one), Some(two)) => 2 * n_shared(one, two) >= one.len().max(two.len()).max(1),
            _ => false,
        }
    }

    fn names_in(&self, documents: Range<u32>) -> Vec<&'a str> {
        let (snapshot, readable) = (self.snapshot, self.allowed.readable());
        if readable.range_cardinality(documents.clone()) > NAMESPACE_TOOLS_MAX as u64 {
            return Vec::new();
        }
        let mut names: Vec<&str> = readable.range(documents).map(|document| snapshot.name(document)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// The names of a tool's own parameters, sorted. Costs a parse of its schema.
fn parameters(snapshot: &Snapshot, document: u32) -> Vec<String> {
    let own = snapshot.input_schema(document).as_ref().map(Schema::own_parameters).unwrap_or_default();
    let mut names: Vec<String> = own.into_iter().map(|parameter| parameter.name).collect();
    names.sort_unstable();
    names
}

/// How many texts two sorted lists have in common.
fn n_shared(one: &[&str], two: &[&str]) -> usize {
    one.iter().filter(|name| two.binary_search(name).is_ok()).count()
}

/// A text's words in lower case, identifiers split, with one space between them.
fn plain(text: &str) -> String {
    identifier_words(text).join(" ").to_lowercase()
}

/// A number that is equal where [`plain`] texts are, and hardly ever elsewhere: of the letters and digits in lower case,
/// without what stands between them. It tells most names apart without their texts being made.
fn squeezed(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    let letters = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase);
    // A text in lower case has the other sigma at the end of a word, which a letter by itself does not know.
    letters.map(|c| if c == 'ς' { 'σ' } else { c }).for_each(|c| hasher.write_u32(u32::from(c)));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_plainly_the_same_are_squeezed_to_the_same() {
        for (one, two) in [("files.list", "filesList"), ("LIST_files", "list files"), ("ΟΔΟΣ", "οδος"), ("a-b", "A B")]
        {
            assert_eq!(plain(one), plain(two));
            assert_eq!(squeezed(one), squeezed(two));
        }
        assert_ne!(squeezed("files.list"), squeezed("file.lists.all"));
    }
}
