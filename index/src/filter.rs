//! [`Filter`]: what a caller asks to narrow a search to. It can only take away from a grant.

/// Exact values, never patterns. An empty list does not narrow; within a list any one value is enough.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only these namespaces.
    pub namespaces: Vec<String>,
    /// Only these sources.
    pub sources: Vec<String>,
    /// Only tools with one of these tags.
    pub tags: Vec<String>,
    /// Only tools that claim this about being read-only.
    pub read_only: Option<bool>,
    /// Only tools that claim this about being destructive.
    pub destructive: Option<bool>,
    /// Deprecated tools are found too; without it they are left out.
    pub include_deprecated: bool,
}
