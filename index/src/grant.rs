//! [`Grant`]: what may be seen, before it meets a catalog. Default deny; deny wins (Cedar's semantics).

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::hex;
use crate::tool::{Annotations, Tool};

/// The most bytes a pattern may have.
pub const PATTERN_BYTES_MAX: usize = 512;

/// Matches a whole value: `*` stands for any run of characters (dots and slashes too, and none), `?` for exactly one, all else
/// for itself. Case-sensitive. Cheap to clone.
///
/// Brackets, braces and backslashes, which globs elsewhere give a meaning, are refused: a rule that reads them as something
/// else than its author meant could allow too much.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(Arc<str>);

/// A text that is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{pattern:?} is not a pattern: {reason}; write * for any characters and ? for one")]
pub struct PatternError {
    /// What was given, cut to 80 characters.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Pattern {
    /// Takes a pattern.
    ///
    /// # Errors
    /// [`PatternError`] when it is empty, longer than [`PATTERN_BYTES_MAX`], or has one of `[]{}\`.
    pub fn new(pattern: &str) -> Result<Self, PatternError> {
        let refuse = |reason: String| PatternError { pattern: pattern.chars().take(80).collect(), reason };
        if pattern.is_empty() || pattern.len() > PATTERN_BYTES_MAX {
            return Err(refuse(format!("it has {} bytes, and 1 to {PATTERN_BYTES_MAX} are allowed", pattern.len())));
        }
        match pattern.chars().find(|&c| matches!(c, '[' | ']' | '{' | '}' | '\\')) {
            Some(c) => Err(refuse(format!("{c:?} has no meaning here"))),
            None => Ok(Self(pattern.into())),
        }
    }

    /// Whether the whole of `value` matches. O(pattern x value) at worst.
    pub fn matches(&self, value: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(mut rest) = parts.next().and_then(|first| without_prefix(value, first)) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        // Each part between two stars may stand anywhere; the first place leaves most to the others.
        for part in parts {
            match after_first(rest, part) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        let n_last = last.chars().count();
        let n_rest = rest.chars().count();
        n_rest >= n_last && {
            let at = rest.char_indices().nth(n_rest - n_last).map_or(rest.len(), |(at, _)| at);
            without_prefix(&rest[at..], last).is_some_and(str::is_empty)
        }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What every value that matches begins with: all before the first `*` or `?`.
    pub(crate) fn prefix(&self) -> &str {
        self.literals().next().unwrap_or_default()
    }

    /// Whether the prefix is all that is asked of a value.
    pub(crate) fn is_prefix(&self) -> bool {
        self.0.strip_suffix('*') == Some(self.prefix())
    }

    /// Texts that every value that matches has somewhere, the first at its beginning; they may be empty.
    pub(crate) fn literals(&self) -> impl Iterator<Item = &str> {
        self.0.split(['*', '?'])
    }
}

/// What follows `prefix` in `value`, a `?` standing for any one character; `None` where it does not begin so.
fn without_prefix<'a>(value: &'a str, prefix: &str) -> Option<&'a str> {
    let mut rest = value.chars();
    prefix.chars().all(|wanted| rest.next().is_some_and(|c| wanted == '?' || wanted == c)).then_some(rest.as_str())
}

/// What follows the first place in `value` where `part` stands, a `?` in it standing for any one character.
fn after_first<'a>(value: &'a str, part: &str) -> Option<&'a str> {
    if !part.contains('?') {
        return value.find(part).map(|at| &value[at + part.len()..]);
    }
    value.char_indices().find_map(|(at, _)| without_prefix(&value[at..], part))
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Picks tools. Every part that is not empty must match, and within a part any one entry is enough; with all parts empty
/// every tool is picked.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    /// Matched against the printed ref, with its version and without: `google://drive.*.delete` is that tool in every
    /// version, `hub://*@2.*` every tool's second.
    pub refs: Vec<Pattern>,
    /// Matched against the namespace.
    pub namespaces: Vec<Pattern>,
    /// Matched against the source's name.
    pub sources: Vec<Pattern>,
    /// Matched against each tag.
    pub tags: Vec<Pattern>,
    /// Matched against each scope that the tool requires in some alternative.
    pub required_scopes: Vec<Pattern>,
    /// Only tools whose required scopes are met by those the grant's holder holds. A tool that requires none is met.
    pub scopes_held: bool,
    /// Only tools that claim the same of their effects, of each that is given; a tool that claims nothing is not picked.
    pub annotations: Annotations,
}

impl Selector {
    /// Whether it picks one tool for a holder of these scopes: what the bitmaps of a generation say of all tools at once.
    pub fn picks(&self, tool: &Tool, held_scopes: &BTreeSet<String>) -> bool {
        let Self { refs, namespaces, sources, tags, required_scopes, scopes_held, annotations } = self;
        let any = |patterns: &[Pattern], values: &[&str]| {
            patterns.is_empty() || values.iter().any(|value| patterns.iter().any(|pattern| pattern.matches(value)))
        };
        let reference = tool.reference.to_string();
        let name = reference.split('@').next().unwrap_or(&reference);
        any(refs, &[name, &reference])
            && any(namespaces, &[tool.reference.namespace()])
            && any(sources, &[tool.reference.source()])
            && any(tags, &tool.tags.iter().map(String::as_str).collect::<Vec<_>>())
            && any(required_scopes, &tool.required_scopes.scopes().collect::<Vec<_>>())
            && (!scopes_held || tool.required_scopes.is_met_by(held_scopes))
            && annotations.are_claimed_by(&tool.annotations)
    }
}

/// What somebody may see: allowed by some selector, denied by none.
///
/// There is no `Default`: to see everything or nothing is said in so many words.
#[derive(Clone, Debug)]
pub struct Grant {
    pub(crate) allow: Vec<Selector>,
    pub(crate) deny: Vec<Selector>,
    pub(crate) held_scopes: BTreeSet<String>,
}

impl Grant {
    /// Sees every tool. For operators and benches.
    pub fn everything() -> Self {
        Self::new(vec![Selector::default()], Vec::new(), BTreeSet::new())
    }

    /// Sees no tool.
    pub fn nothing() -> Self {
        Self::new(Vec::new(), Vec::new(), BTreeSet::new())
    }

    /// Sees what some `allow` picks and no `deny` does. `held_scopes` are what [`Selector::scopes_held`] compares with.
    pub fn new(allow: Vec<Selector>, deny: Vec<Selector>, held_scopes: BTreeSet<String>) -> Self {
        Self { allow, deny, held_scopes }
    }

    /// Equal grants have equal fingerprints: 64 hexadecimal characters, for cache keys and cursors.
    pub fn fingerprint(&self) -> String {
        // Debug prints every field, quoted and escaped, in a fixed order.
        hex::encode(&Sha256::digest(format!("{self:?}").as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_the_whole_value() {
        let check = |pattern: &str, value: &str, expected: bool| {
            assert_eq!(Pattern::new(pattern).expect("a pattern").matches(value), expected, "{pattern} {value}");
        };
        check("google://drive.*", "google://drive.files.list", true);
        check("google://drive.*", "google://drive.a/b", true);
        check("google://drive.*", "google://drive.", true);
        check("google://drive.*", "xgoogle://drive.files.list", false);
        check("google://drive.*", "google://Drive.files.list", false);
        check("*.delete", "google://a.b.delete", true);
        check("*.delete", "google://a.b.delete2", false);
        check("*a*a*", "aa", true);
        check("*a*a*", "a", false);
        check("a*a", "a", false);
        check("*", "", true);
        check("?ог*", "погода", true);
        check("??*да", "погода", true);
        check("??????", "погода", true);
        check("?????", "погода", false);
        check("same", "same", true);
        check("same", "same.", false);
    }

    #[test]
    fn matching_agrees_with_the_plain_recursion() {
        fn plain(pattern: &[char], value: &[char]) -> bool {
            match (pattern, value) {
                ([], []) => true,
                (['*', more @ ..], _) => plain(more, value) || (!value.is_empty() && plain(pattern, &value[1..])),
                ([p, more @ ..], [v, rest @ ..]) => (*p == '?' || p == v) && plain(more, rest),
                _ => false,
            }
        }
        let mut rng = fastrand::Rng::with_seed(7);
        let mut text = |alphabet: &[char], n: usize| -> Vec<char> {
            (0..rng.usize(0..n)).map(|_| alphabet[rng.usize(..alphabet.len())]).collect()
        };
        for _ in 0..50_000 {
            let (pattern, value) = (text(&['a', 'ж', '*', '?'], 7), text(&['a', 'ж'], 8));
            let written: String = pattern.iter().collect();
            let Ok(compiled) = Pattern::new(&written) else { continue };
            let value_text: String = value.iter().collect();
            assert_eq!(compiled.matches(&value_text), plain(&pattern, &value), "{written} {value_text}");
        }
    }

    #[test]
    fn what_could_be_read_otherwise_is_refused() {
        for pattern in ["a[bc]", "{a,b}", "a\\*", "", &"a".repeat(513)] {
            assert!(Pattern::new(pattern).is_err(), "{pattern}");
        }
        assert!(Pattern::new("a[").expect_err("a bracket").to_string().contains("'[' has no meaning here"));
    }

    #[test]
    fn fingerprints_tell_grants_apart() {
        let drive = Selector { namespaces: vec![Pattern::new("drive").expect("a glob")], ..Selector::default() };
        let held = |scope: &str| BTreeSet::from([scope.to_owned()]);
        let all = [
            Grant::everything(),
            Grant::nothing(),
            Grant::new(vec![drive.clone()], vec![], held("a")),
            Grant::new(vec![drive.clone()], vec![], held("b")),
            Grant::new(vec![], vec![drive.clone()], held("a")),
        ];
        let distinct: BTreeSet<String> = all.iter().map(Grant::fingerprint).collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(Grant::new(vec![drive.clone()], vec![], held("a")).fingerprint(), all[2].fingerprint());
    }
}
