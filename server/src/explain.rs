//! [`explain`]: why a tool is not in an answer, with the rules and the source behind it.

use serde::Serialize;
use shortlist_index::{
    Grant, Models, SearchError, SearchRequest, Snapshot, SourceStatuses, ToolRef, Verdict, WhyNot, why_not,
};
use utoipa::ToSchema;

use crate::ledger::{SourceRow, source_rows};
use crate::policy::{Policy, RulesFor};
use crate::principal::Principal;

/// Why a tool is not in an answer, for an operator.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Explained {
    /// A sentence.
    pub explanation: String,
    /// `ref`, `reason` (such as `no_grant`, `rejected`, `beyond_page`), `generation`, `degraded`, and what belongs to the
    /// reason, such as `rank`.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub why: WhyNot,
    /// The rules that decide about the tool for the asker; absent where there is no such tool, or no asker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<RulesFor>,
    /// The tool's source, where it is not well: what it has published since is not here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceRow>,
}

/// Explains. `viewer` is the asker under the policy that decides, also about whether every vector is compared; without one,
/// everything may be seen. `asked` is a ref, or what the source calls the record; `now` is in seconds of Unix time.
///
/// # Errors
/// [`SearchError`] as for a search.
pub fn explain(
    snapshot: &Snapshot,
    models: &Models,
    viewer: Option<(&Policy, &Principal)>,
    statuses: &SourceStatuses,
    now: u64,
    request: &SearchRequest,
    asked: &str,
) -> Result<Explained, SearchError> {
    let grant = viewer.map_or_else(Grant::everything, |(policy, principal)| policy.grant(principal));
    let exact = request.exact || viewer.is_some_and(|(policy, principal)| policy.is_exact(principal));
    let request = SearchRequest { exact, ..request.clone() };
    let why = why_not(snapshot, models, &snapshot.allow(&grant), &request, asked)?;
    let reference: Option<ToolRef> = why.reference.as_ref().and_then(|reference| reference.parse().ok());
    let tool = reference.as_ref().and_then(|reference| snapshot.tool_of(reference));
    let rules = tool.and_then(|tool| viewer.map(|(policy, principal)| policy.rules_for(principal, &tool)));
    let source = reference.and_then(|reference| {
        let rows = source_rows(Some(snapshot.manifest()), statuses, now);
        rows.into_iter().find(|row| row.name == reference.source() && row.state != "ok")
    });
    let mut explanation = why.verdict.to_string();
    if let (Verdict::NoGrant, Some(rules)) = (&why.verdict, &rules) {
        explanation += &format!(": {rules}");
    }
    if let Some(row) = &source {
        explanation +=
            &format!("; its source is {}, so what it published since is not here", row.state.replace('_', " "));
    }
    Ok(Explained { explanation, why, rules, source })
}
