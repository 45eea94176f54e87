//! [`Grant`]: what may be seen, before it meets a catalog. Default deny; deny wins (Cedar's semantics).

use std::collections::BTreeSet;
use std::fmt;

use globset::{GlobBuilder, GlobMatcher};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::hex;

/// The most bytes a pattern may have.
pub const PATTERN_BYTES_MAX: usize = 512;

/// A glob over a whole value: `*` matches any run of characters (dots and slashes too), `?` one, `[ab]` and `{a,b}` a
/// choice. Case-sensitive.
#[derive(Clone)]
pub struct Pattern(GlobMatcher);

/// A text that is no glob.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{pattern:?} is not a pattern: {reason}; write * for any characters, ? for one, and \\ before a literal one")]
pub struct PatternError {
    /// What was given, cut to 80 characters.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Pattern {
    /// Compiles a glob.
    ///
    /// # Errors
    /// [`PatternError`] when it is malformed or longer than [`PATTERN_BYTES_MAX`].
    pub fn new(glob: &str) -> Result<Self, PatternError> {
        let refuse = |reason: String| PatternError { pattern: glob.chars().take(80).collect(), reason };
        if glob.is_empty() || glob.len() > PATTERN_BYTES_MAX {
            return Err(refuse(format!("it has {} bytes, and 1 to {PATTERN_BYTES_MAX} are allowed", glob.len())));
        }
        GlobBuilder::new(glob)
            .literal_separator(false)
            .backslash_escape(true)
            .build()
            .map(|glob| Self(glob.compile_matcher()))
            .map_err(|error| refuse(error.kind().to_string()))
    }

    /// Whether the whole of `value` matches.
    pub fn matches(&self, value: &str) -> bool {
        self.0.is_match(value)
    }

    /// The glob as it was written.
    pub fn as_str(&self) -> &str {
        self.0.glob().glob()
    }
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
    /// Matched against the printed ref, `google://drive.*`.
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
    /// Only tools that claim this about being read-only; a tool that claims nothing is not picked.
    pub read_only: Option<bool>,
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
        let pattern = Pattern::new("google://drive.*").expect("a glob");
        assert!(pattern.matches("google://drive.files.list"));
        assert!(pattern.matches("google://drive.a/b"));
        assert!(!pattern.matches("xgoogle://drive.files.list"));
        assert!(!pattern.matches("google://Drive.files.list"));
    }

    #[test]
    fn a_malformed_pattern_says_why() {
        assert!(Pattern::new("a[").expect_err("unclosed").to_string().contains("unclosed character class"));
        assert!(Pattern::new("").is_err());
        assert!(Pattern::new(&"a".repeat(513)).is_err());
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
