//! [`Decisions`]: what an operator decided about texts that changed, in `quarantine.json` beside the generations.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::store::{Store, WriteLock};
use crate::schema::Schema;
use crate::suspicion::Suspicion;
use crate::tool::Tool;

/// The file's name in the store's folder.
const FILE: &str = "quarantine.json";
/// The largest file that is read: decisions about 100,000 tools take a tenth of it.
const BYTES_MAX: u64 = 128 * 1024 * 1024;
/// The most tools of each kind that are remembered.
pub const DECISIONS_MAX: usize = 100_000;

/// Decisions about texts, by the tool's ref and the text's hash. A decision is about one text: another one is another
/// question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Decisions {
    /// Texts that may be served.
    pub approved: BTreeMap<String, String>,
    /// Texts that may not.
    pub refused: BTreeMap<String, String>,
    /// The texts that tools had when they went, so that one that comes back with another text, or as another version, is no
    /// new tool.
    pub gone: BTreeMap<String, String>,
}

/// A text that waits for an operator's decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// The tool's ref.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The hash of the waiting text, which a decision names.
    pub text_hash: String,
    /// Whether the tool is not searchable until then; else it serves at its approved text.
    pub is_new: bool,
    /// The waiting text; `None` where a source's waiting texts are too many to be kept at once. It comes when others are
    /// decided.
    pub text: Option<PendingText>,
}

/// What agents would read of a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingText {
    /// What its source calls it.
    pub name: String,
    /// A short human title.
    pub title: Option<String>,
    /// What it says that it does.
    pub description: String,
    /// The JSON Schema of what it takes, as text.
    pub input_schema: Option<String>,
    /// The JSON Schema of what it gives, as text.
    pub output_schema: Option<String>,
    /// Why it should not be used any more.
    pub deprecation: Option<String>,
}

impl PendingText {
    /// What agents would read of this tool.
    pub fn of(tool: &Tool) -> Self {
        let schema = |schema: &Option<Schema>| schema.as_ref().map(|schema| schema.as_str().to_owned());
        Self {
            name: tool.name.clone(),
            title: tool.title.clone(),
            description: tool.description.clone(),
            input_schema: schema(&tool.input_schema),
            output_schema: schema(&tool.output_schema),
            deprecation: tool.deprecation.clone(),
        }
    }

    /// What it gives cause to suspect. Costs a pass over it.
    pub fn suspicion(&self) -> Option<Suspicion> {
        let texts = [&self.name, self.title.as_deref().unwrap_or_default(), &self.description];
        let input = self.input_schema.as_deref().and_then(|schema| Schema::from_json(schema).ok());
        Suspicion::of_texts(texts, input.as_ref())
    }

    /// Its size in bytes.
    pub fn n_bytes(&self) -> usize {
        let Self { name, title, description, input_schema, output_schema, deprecation } = self;
        let optional = [title, input_schema, output_schema, deprecation].into_iter().flatten();
        name.len() + description.len() + optional.map(String::len).sum::<usize>()
    }
}

impl Store {
    /// What operators decided; nothing at first.
    ///
    /// # Errors
    /// [`StoreError::Decisions`] when the file cannot be read or is not one of this program's.
    pub fn decisions(&self) -> Result<Decisions, StoreError> {
        self.read_state(FILE, BYTES_MAX).map_err(|error| match error {
            StoreError::Statuses { path, reason } => StoreError::Decisions { path, reason },
            StoreError::Io { path, source, .. } => StoreError::Decisions { path, reason: source.to_string() },
            other => other,
        })
    }

    /// Replaces the decisions in one step.
    ///
    /// # Errors
    /// [`StoreError`] when the disk refuses; the decisions before are still there.
    pub fn set_decisions(&self, lock: &WriteLock, decisions: &Decisions) -> Result<(), StoreError> {
        self.write_state(lock, FILE, decisions)
    }
}
