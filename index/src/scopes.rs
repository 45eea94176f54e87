//! [`ScopeRequirement`]: which scopes a tool's caller must hold.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Alternatives, each a set of scopes that must all be held: `drive` **or** (`files` **and** `meta`).
///
/// One shape serves every source: Google's "any one of these" is alternatives of one scope each, an Arcade worker's or an
/// Automation Hub's "all of these" is one alternative, OpenAPI's `security` is both. No alternative at all means that
/// nothing is required.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScopeRequirement(BTreeSet<BTreeSet<String>>);

impl ScopeRequirement {
    /// Nothing is required.
    pub fn none() -> Self {
        Self::default()
    }

    /// Any one of the scopes is enough; an empty list requires nothing.
    pub fn any_of<S: Into<String>>(scopes: impl IntoIterator<Item = S>) -> Self {
        Self(scopes.into_iter().map(|scope| BTreeSet::from([scope.into()])).collect())
    }

    /// All of the scopes are needed; an empty list requires nothing.
    pub fn all_of<S: Into<String>>(scopes: impl IntoIterator<Item = S>) -> Self {
        Self::alternatives([scopes.into_iter().map(Into::into).collect()])
    }

    /// Any one of the alternatives is enough. An empty alternative is always met, so with it nothing is required.
    pub fn alternatives(alternatives: impl IntoIterator<Item = BTreeSet<String>>) -> Self {
        let alternatives: BTreeSet<BTreeSet<String>> = alternatives.into_iter().collect();
        if alternatives.contains(&BTreeSet::new()) { Self::none() } else { Self(alternatives) }
    }

    /// Whether somebody who holds `held` meets it.
    pub fn is_met_by(&self, held: &BTreeSet<String>) -> bool {
        self.0.is_empty() || self.0.iter().any(|alternative| alternative.is_subset(held))
    }

    /// Whether nothing is required.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Every scope that stands in some alternative.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flatten().map(String::as_str)
    }

    /// The alternatives, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &BTreeSet<String>> {
        self.0.iter()
    }

    /// One text for each requirement: a JSON array of arrays, sorted.
    pub(crate) fn to_canonical(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Takes back what [`Self::to_canonical`] gave.
    pub(crate) fn from_canonical(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(scopes: &[&str]) -> BTreeSet<String> {
        scopes.iter().map(|&scope| scope.to_owned()).collect()
    }

    #[test]
    fn any_one_or_all_together() {
        let any = ScopeRequirement::any_of(["a", "b"]);
        let all = ScopeRequirement::all_of(["a", "b"]);
        assert!(any.is_met_by(&held(&["b"])) && !any.is_met_by(&held(&["c"])));
        assert!(all.is_met_by(&held(&["a", "b", "c"])) && !all.is_met_by(&held(&["a"])));
    }

    #[test]
    fn an_empty_alternative_requires_nothing() {
        assert!(ScopeRequirement::all_of(Vec::<String>::new()).is_none());
        assert!(ScopeRequirement::none().is_met_by(&held(&[])));
    }

    #[test]
    fn the_canonical_text_is_taken_back() {
        let both = ScopeRequirement::alternatives([held(&["b", "a"]), held(&["c"])]);
        assert_eq!(both.to_canonical(), r#"[["a","b"],["c"]]"#);
        assert_eq!(ScopeRequirement::from_canonical(&both.to_canonical()), Some(both));
    }
}
