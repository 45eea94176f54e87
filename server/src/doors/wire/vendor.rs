//! Answers of `search_tools` in vendors' shapes, on the wire.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::SearchToolsAnswer;

/// In whose shape an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Shape {
    /// Anthropic's custom tool search.
    Anthropic,
    /// OpenAI's client-executed `tool_search`.
    Openai,
}

/// What `search_tools` gives, in the shape that was asked for.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ShapedAnswer {
    /// Without `shape`.
    Own(SearchToolsAnswer),
    /// With `shape` `anthropic`.
    Anthropic(AnthropicAnswer),
    /// With `shape` `openai`.
    OpenAi(OpenAiAnswer),
}

/// For Anthropic's custom tool search.
#[derive(Serialize, ToSchema)]
pub(crate) struct AnthropicAnswer {
    /// The `content` of the `tool_result` that answers the search, best first.
    pub(crate) content: Vec<ToolReference>,
    /// The definitions that it names; every one must be in `tools` of the next request.
    pub(crate) tools: Vec<AnthropicTool>,
    /// Which tool each name means.
    pub(crate) refs: BTreeMap<String, String>,
    /// By the names of tools, the tool's own key of each argument that has another in `tools`: a call is made with its own.
    /// Tools whose own keys the vendor takes are left out, and all of it where there are no others.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) arguments: BTreeMap<String, BTreeMap<String, String>>,
    /// Asks for the tools after these; null when there are none.
    pub(crate) next_cursor: Option<String>,
    /// The generation of the catalog that answered.
    pub(crate) generation: u64,
    /// Stages that failed and were left out: `dense`, `rerank`.
    pub(crate) degraded: Vec<&'static str>,
}

/// A content block that loads a tool.
#[derive(Serialize, ToSchema)]
pub(crate) struct ToolReference {
    /// `tool_reference`.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// The name of its definition.
    pub(crate) tool_name: String,
}

/// A definition of a tool for Anthropic's models.
#[derive(Serialize, ToSchema)]
pub(crate) struct AnthropicTool {
    /// Made of the ref; letters, digits, `_` and `-`.
    #[schema(max_length = 64)]
    pub(crate) name: String,
    /// What it does, in its source's words.
    pub(crate) description: String,
    /// The JSON Schema of what it takes. The keys of arguments are at most 64 letters, digits, `_`, `.` and `-`; where the
    /// tool's own are not, `arguments` of the answer leads to them.
    pub(crate) input_schema: Value,
    /// The model sees it once a `tool_reference` names it.
    pub(crate) defer_loading: bool,
}

/// For OpenAI's client-executed `tool_search`.
#[derive(Serialize, ToSchema)]
pub(crate) struct OpenAiAnswer {
    /// The item that answers the `tool_search_call`, once its `call_id` is added.
    pub(crate) output: OpenAiOutput,
    /// Which tool each name means.
    pub(crate) refs: BTreeMap<String, String>,
    /// Asks for the tools after these; null when there are none.
    pub(crate) next_cursor: Option<String>,
    /// The generation of the catalog that answered.
    pub(crate) generation: u64,
    /// Stages that failed and were left out: `dense`, `rerank`.
    pub(crate) degraded: Vec<&'static str>,
}

/// An item of the Responses API's input.
#[derive(Serialize, ToSchema)]
pub(crate) struct OpenAiOutput {
    /// `tool_search_output`.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// `client`.
    pub(crate) execution: &'static str,
    /// `completed`.
    pub(crate) status: &'static str,
    /// The tools that are loaded by it, best first.
    pub(crate) tools: Vec<OpenAiFunction>,
}

/// A definition of a function for OpenAI's models.
#[derive(Serialize, ToSchema)]
pub(crate) struct OpenAiFunction {
    /// `function`.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// Made of the ref; letters, digits, `_` and `-`.
    #[schema(max_length = 64)]
    pub(crate) name: String,
    /// What it does, in its source's words.
    pub(crate) description: String,
    /// The JSON Schema of what it takes.
    pub(crate) parameters: Value,
    /// False: sources' schemas are not of the kind that OpenAI can hold a model to.
    pub(crate) strict: bool,
    /// It was not among the tools that the model saw at first.
    pub(crate) defer_loading: bool,
}
