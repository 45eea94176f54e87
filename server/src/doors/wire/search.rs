//! `search_tools` on the wire.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shortlist_index::{Annotations, Confidence, Mode, Signals};
use utoipa::ToSchema;
use utoipa::openapi::schema::Array;

use super::schema::values;
use super::tool::AnnotationsBody;
use super::vendor::Shape;

/// What `search_tools` takes.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchToolsRequest {
    /// What the tool should do, in plain words, or a tool's name.
    #[schema(min_length = 1, max_length = 8000, pattern = r"\S")]
    pub(crate) query: String,
    /// Hits on a page.
    #[serde(default, deserialize_with = "crate::whole::some_whole")]
    #[schema(minimum = 1, maximum = 50, default = 10)]
    pub(crate) limit: Option<usize>,
    /// Only tools of these namespaces.
    #[serde(default)]
    #[schema(schema_with = namespaces)]
    pub(crate) namespaces: Vec<String>,
    /// Narrows the search further. Filters only ever take away from what the caller may see.
    #[serde(default, deserialize_with = "crate::object::object")]
    pub(crate) filter: SearchFilter,
    /// How much each hit tells; `summary` unless said.
    pub(crate) detail: Option<Detail>,
    /// The most tokens the answer may take, estimated as a quarter of its bytes. Hits fall to lower levels of detail, best
    /// hits last, and those that fit at none are left out (`omitted`), to be had with `next_cursor`. Over MCP it is 100,000
    /// unless said, and the short text beside the answer is not counted.
    #[serde(default, deserialize_with = "crate::whole::some_whole")]
    #[schema(minimum = 200, maximum = 100_000)]
    pub(crate) max_tokens: Option<usize>,
    /// `next_cursor` of the page before, with the same query, filters, limit, mode, rerank, exact, whole and collapse.
    #[schema(max_length = 128)]
    pub(crate) cursor: Option<String>,
    /// Whether hits carry their rank and score in each stage.
    #[serde(default)]
    pub(crate) explain: bool,
    /// Which stages search; `hybrid` unless said.
    pub(crate) mode: Option<SearchMode>,
    /// Whether the reranker orders the best hits anew.
    #[serde(default)]
    pub(crate) rerank: bool,
    /// Whether every vector is compared, where else sketches of them may hide a neighbour. Slower on large catalogs.
    #[serde(default)]
    pub(crate) exact: bool,
    /// Whether the query is searched as one text alone. Else one that asks for several things is searched part by part as well,
    /// and each hit says which `part` it serves.
    #[serde(default)]
    pub(crate) whole: bool,
    /// Whether tools that say the same (forks, mirrors) share one place. The best of them then names the others in `alternatives`.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub(crate) collapse: bool,
    /// For agents of a vendor's models: the answer in the shape that the vendor's own tool search takes, with whole definitions.
    /// `detail` and `max_tokens` are left out then.
    pub(crate) shape: Option<Shape>,
}

/// Exact values; an empty list does not narrow, and within a list any value is enough.
#[derive(Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SearchFilter {
    /// Only tools of these sources.
    #[schema(schema_with = sources)]
    pub(crate) sources: Vec<String>,
    /// Only tools with one of these tags.
    #[schema(schema_with = tags)]
    pub(crate) tags: Vec<String>,
    /// Only tools that claim this about being read-only.
    pub(crate) read_only: Option<bool>,
    /// Only tools that claim this about being destructive.
    pub(crate) destructive: Option<bool>,
    /// Only tools that claim this about being idempotent.
    pub(crate) idempotent: Option<bool>,
    /// Only tools that claim this about reaching beyond a closed set of entities.
    pub(crate) open_world: Option<bool>,
    /// Deprecated tools are found too.
    pub(crate) include_deprecated: bool,
}

pub(crate) fn yes() -> bool {
    true
}

fn namespaces() -> Array {
    values("Only tools of these namespaces.")
}

fn sources() -> Array {
    values("Only tools of these sources.")
}

fn tags() -> Array {
    values("Only tools with one of these tags.")
}

impl SearchFilter {
    /// The claims that it asks for.
    pub(crate) fn annotations(&self) -> Annotations {
        let Self { read_only, destructive, idempotent, open_world, .. } = *self;
        Annotations { read_only, destructive, idempotent, open_world }
    }
}

/// How much a hit tells. Each level adds to the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Detail {
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
pub(crate) enum SearchMode {
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
pub(crate) struct SearchToolsAnswer {
    /// Best first; equal scores in the order of their refs.
    pub(crate) hits: Vec<HitBody>,
    /// The pieces of the query that ask for something of their own, in its order; empty where it asks for one thing. Each is cut
    /// where `max_tokens` has no room for it.
    pub(crate) parts: Vec<String>,
    /// Whether the first hit is likely what was asked for: `exact`, `strong`, `weak` or `none`, as it is without hits. Null
    /// where only one stage searched and found something that the query does not name.
    pub(crate) confidence: Option<ConfidenceBody>,
    /// What to do about a confidence of `weak` or `none`; else null.
    pub(crate) advice: Option<&'static str>,
    /// Asks for the hits after these; null when there are none.
    pub(crate) next_cursor: Option<String>,
    /// The generation of the catalog that answered.
    pub(crate) generation: u64,
    /// Stages that failed and were left out: `dense`, `rerank`.
    pub(crate) degraded: Vec<&'static str>,
    /// Whether `max_tokens` made hits fall to a lower level of detail, or left some out.
    pub(crate) truncated: bool,
    /// Hits of this page that `max_tokens` left out; `next_cursor` starts with them, and where none fits, after the first of
    /// them, which fits nowhere.
    pub(crate) omitted: usize,
}

/// Whether a first hit is likely what was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ConfidenceBody {
    /// The query is its name or ref.
    Exact,
    /// It is likely what was asked for.
    Strong,
    /// It is like it, and may be something else.
    Weak,
    /// No hit is like what was asked for.
    None,
}

impl ConfidenceBody {
    /// What a caller can do about it.
    pub(crate) fn advice(self) -> Option<&'static str> {
        match self {
            Self::Exact | Self::Strong => None,
            Self::Weak => {
                Some("These may not be what you mean: read what they do before you use one, or say it in other words.")
            }
            Self::None => {
                Some("None of these seems to do it. Say it in other words, or see list_namespaces for what there is.")
            }
        }
    }
}

impl From<Confidence> for ConfidenceBody {
    fn from(confidence: Confidence) -> Self {
        match confidence {
            Confidence::Exact => Self::Exact,
            Confidence::Strong => Self::Strong,
            Confidence::Weak => Self::Weak,
            Confidence::None => Self::None,
        }
    }
}

/// One tool that was found.
#[derive(Serialize, ToSchema)]
pub(crate) struct HitBody {
    /// The tool's public identity.
    #[serde(rename = "ref")]
    pub(crate) reference: String,
    /// What its source calls it.
    pub(crate) name: String,
    /// Its namespace.
    pub(crate) namespace: String,
    /// A short human title, where its source gives one.
    pub(crate) title: Option<String>,
    /// The part of the query that it serves best: its place in `parts`, from 0. Left out where there are none, or only the
    /// query as a whole found it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) part: Option<usize>,
    /// Its score in the last stage that ran; comparable within one answer only.
    pub(crate) score: f32,
    /// The level of detail of this hit.
    pub(crate) detail: Detail,
    /// Refs of tools that say the same in another place, and of its other versions: at most three. Absent where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) alternatives: Option<Vec<String>>,
    /// How many more alternatives there are. Absent where none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) more_alternatives: Option<usize>,
    /// From `summary` on: one line of what it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) summary: Option<String>,
    /// From `summary` on, where it is deprecated: why or since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deprecation: Option<String>,
    /// From `signature` on: its own parameters, required ones first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parameters: Option<Vec<ParameterBody>>,
    /// At `full`: what it does, in its source's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    /// At `full`: what it claims about its effects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) annotations: Option<AnnotationsBody>,
    /// At `full`: the JSON Schema of what it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) input_schema: Option<Value>,
    /// At `full`: the JSON Schema of what it gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output_schema: Option<Value>,
    /// Where it came from in each stage, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) explanation: Option<ExplanationBody>,
}

/// One parameter of a tool.
#[derive(Serialize, ToSchema)]
pub(crate) struct ParameterBody {
    /// Its name.
    pub(crate) name: String,
    /// Its JSON type, where the schema states a single one.
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    /// Whether it has to be given.
    pub(crate) required: bool,
}

/// A hit's way through the stages: with the whole query, or with its part where only that found it.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExplanationBody {
    /// Its place by BM25; null where that did not run or did not reach it.
    pub(crate) lexical: Option<PlaceBody>,
    /// Its place by vectors; likewise.
    pub(crate) dense: Option<PlaceBody>,
    /// As what kind of text the query was read, or the part that this hit serves; it decides what the signals count: `identifier`, `keywords`, `intent`,
    /// `passage` or `other_script`.
    pub(crate) class: &'static str,
    /// What fusion went by; null where a single stage searched.
    pub(crate) signals: Option<SignalsBody>,
    /// Its score after fusion.
    pub(crate) fused: f32,
    /// The reranker's score, where it read this hit.
    pub(crate) rerank: Option<f32>,
    /// Its rank among what its part of the query finds; 1 is best. Null where it serves none.
    pub(crate) part_rank: Option<usize>,
    /// Why it was put behind ten more: its text `gives_orders` to the model that reads it, or `lists_requests`. Absent where it
    /// was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) suspicion: Option<&'static str>,
}

/// What fusion knows of a hit besides its places.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignalsBody {
    /// How far its BM25 score stands out from those of the best, in standard deviations.
    pub(crate) lexical: f32,
    /// How far its cosine stands out, likewise.
    pub(crate) dense: f32,
    /// Its cosine with the query.
    pub(crate) cosine: f32,
    /// The share of the query's words that it holds, rare ones counting more and those of asking less.
    pub(crate) cover: f32,
    /// The share of its name's words that stand in the query.
    pub(crate) name_cover: f32,
}

impl From<Signals> for SignalsBody {
    fn from(signals: Signals) -> Self {
        let Signals { lexical, dense, cosine, cover, name_cover } = signals;
        Self { lexical, dense, cosine, cover, name_cover }
    }
}

/// A place in one stage.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlaceBody {
    /// 1 is best.
    pub(crate) rank: usize,
    /// BM25 or cosine.
    pub(crate) score: f32,
}
