//! [`Filter`]: what a caller asks to narrow a search to. It can only take away from a grant.

use crate::tool::Annotations;

/// Exact values, never patterns. An empty list does not narrow; within a list any one value is enough.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only these namespaces.
    pub namespaces: Vec<String>,
    /// Only these sources.
    pub sources: Vec<String>,
    /// Only tools with one of these tags.
    pub tags: Vec<String>,
    /// Only tools that claim the same of their effects, of each that is given.
    pub annotations: Annotations,
    /// Deprecated tools are found too; without it they are left out.
    pub include_deprecated: bool,
}
