//! `search_tools` on the wire.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shortlist_index::{Annotations, Mode};
use utoipa::ToSchema;

use super::tool::AnnotationsBody;

/// What `search_tools` takes.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct SearchToolsRequest {
    /// What the tool should do, in plain words, or a tool's name.
    #[schema(min_length = 1, max_length = 8000)]
    pub(in crate::http) query: String,
    /// Hits on a page.
    #[schema(minimum = 1, maximum = 50, default = 10)]
    pub(in crate::http) limit: Option<usize>,
    /// Only tools of these namespaces.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub(in crate::http) namespaces: Vec<String>,
    /// Narrows the search further. Filters only ever take away from what the caller may see.
    #[serde(default, deserialize_with = "crate::object::object")]
    pub(in crate::http) filter: SearchFilter,
    /// How much each hit tells; `summary` unless said.
    pub(in crate::http) detail: Option<Detail>,
    /// The most tokens the answer may take, estimated as a quarter of its bytes. Hits fall to lower levels of detail, best
    /// hits last, and those that fit at none are left out (`omitted`), to be had with `next_cursor`.
    #[schema(minimum = 200, maximum = 100_000)]
    pub(in crate::http) max_tokens: Option<usize>,
    /// `next_cursor` of the page before, with the same query, filters, limit, mode, rerank and exact.
    #[schema(max_length = 128)]
    pub(in crate::http) cursor: Option<String>,
    /// Whether hits carry their rank and score in each stage.
    #[serde(default)]
    pub(in crate::http) explain: bool,
    /// Which stages search; `hybrid` unless said.
    pub(in crate::http) mode: Option<SearchMode>,
    /// Whether the reranker orders the best hits anew.
    #[serde(default)]
    pub(in crate::http) rerank: bool,
    /// Whether every vector is compared, where else a graph may miss a neighbour. Slower on the largest catalogs.
    #[serde(default)]
    pub(in crate::http) exact: bool,
}

/// Exact values; an empty list does not narrow, and within a list any value is enough.
#[derive(Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::http) struct SearchFilter {
    /// Only tools of these sources.
    #[schema(max_items = 64)]
    pub(in crate::http) sources: Vec<String>,
    /// Only tools with one of these tags.
    #[schema(max_items = 64)]
    pub(in crate::http) tags: Vec<String>,
    /// Only tools that claim this about being read-only.
    pub(in crate::http) read_only: Option<bool>,
    /// Only tools that claim this about being destructive.
    pub(in crate::http) destructive: Option<bool>,
    /// Only tools that claim this about being idempotent.
    pub(in crate::http) idempotent: Option<bool>,
    /// Only tools that claim this about reaching beyond a closed set of entities.
    pub(in crate::http) open_world: Option<bool>,
    /// Deprecated tools are found too.
    pub(in crate::http) include_deprecated: bool,
}

impl SearchFilter {
    /// The claims that it asks for.
    pub(in crate::http) fn annotations(&self) -> Annotations {
        let Self { read_only, destructive, idempotent, open_world, .. } = *self;
        Annotations { read_only, destructive, idempotent, open_world }
    }
}

/// How much a hit tells. Each level adds to the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::http) enum Detail {
    /// Ref, name, namespace, title, score.
    Name,
    /// One line of what it does.
    Summary,
    /// The names and types of its parameters.
    Signature,
    /// Its description, annotations and schemas.
    Full,
}

/// Which stages search.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::http) enum SearchMode {
    /// BM25 alone.
    Lexical,
    /// Vectors alone.
    Dense,
    /// Both, fused.
    Hybrid,
}

impl From<SearchMode> for Mode {
    fn from(mode: SearchMode) -> Self {
        match mode {
            SearchMode::Lexical => Self::Lexical,
            SearchMode::Dense => Self::Dense,
            SearchMode::Hybrid => Self::Hybrid,
        }
    }
}

/// What `search_tools` gives.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct SearchToolsAnswer {
    /// Best first; equal scores in the order of their refs.
    pub(in crate::http) hits: Vec<HitBody>,
    /// Asks for the hits after these; null when there are none.
    pub(in crate::http) next_cursor: Option<String>,
    /// The generation of the catalog that answered.
    pub(in crate::http) generation: u64,
    /// Stages that failed and were left out: `dense`, `rerank`.
    pub(in crate::http) degraded: Vec<&'static str>,
    /// Whether `max_tokens` made hits fall to a lower level of detail, or left some out.
    pub(in crate::http) truncated: bool,
    /// Hits of this page that `max_tokens` left out; `next_cursor` starts with them.
    pub(in crate::http) omitted: usize,
}

/// One tool that was found.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct HitBody {
    /// The tool's public identity.
    #[serde(rename = "ref")]
    pub(in crate::http) reference: String,
    /// What its source calls it.
    pub(in crate::http) name: String,
    /// Its namespace.
    pub(in crate::http) namespace: String,
    /// A short human title, where its source gives one.
    pub(in crate::http) title: Option<String>,
    /// Its score in the last stage that ran; comparable within one answer only.
    pub(in crate::http) score: f32,
    /// The level of detail of this hit.
    pub(in crate::http) detail: Detail,
    /// From `summary` on: one line of what it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) summary: Option<String>,
    /// From `summary` on, where it is deprecated: why or since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) deprecation: Option<String>,
    /// From `signature` on: its own parameters, required ones first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) parameters: Option<Vec<ParameterBody>>,
    /// At `full`: what it does, in its source's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) description: Option<String>,
    /// At `full`: what it claims about its effects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) annotations: Option<AnnotationsBody>,
    /// At `full`: the JSON Schema of what it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) input_schema: Option<Value>,
    /// At `full`: the JSON Schema of what it gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) output_schema: Option<Value>,
    /// Where it came from in each stage, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) explanation: Option<ExplanationBody>,
}

/// One parameter of a tool.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct ParameterBody {
    /// Its name.
    pub(in crate::http) name: String,
    /// Its JSON type, where the schema states a single one.
    #[serde(rename = "type")]
    pub(in crate::http) kind: Option<String>,
    /// Whether it has to be given.
    pub(in crate::http) required: bool,
}

/// A hit's way through the stages.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct ExplanationBody {
    /// Its place by BM25; null where that did not run or did not reach it.
    pub(in crate::http) lexical: Option<PlaceBody>,
    /// Its place by vectors; likewise.
    pub(in crate::http) dense: Option<PlaceBody>,
    /// Its score after fusion.
    pub(in crate::http) fused: f32,
    /// The reranker's score, where it read this hit.
    pub(in crate::http) rerank: Option<f32>,
}

/// A place in one stage.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct PlaceBody {
    /// 1 is best.
    pub(in crate::http) rank: usize,
    /// BM25 or cosine.
    pub(in crate::http) score: f32,
}
