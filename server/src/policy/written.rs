//! [`WrittenPolicy`] and [`WrittenRule`]: what a policy's file says and an admin sends, before anybody believes it.
//!
//! One shape for TOML, JSON, the admin doors and the disk; the JSON Schema is made of it, so that none of them can drift.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::openapi::schema::{Array, ArrayBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::rule::Effect;
use crate::limits::{POLICY_LIST_MAX, POLICY_NOTE_CHARS_MAX, POLICY_RULES_MAX};
use crate::object::Object;

/// Who may see which tools. Nothing is visible unless a rule allows it, and a deny wins.
#[derive(Deserialize, ToSchema)]
#[schema(as = Policy)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenPolicy {
    /// Who may ask at the admin doors: `user:…`, `group:…` and so on, but not `everyone`.
    #[serde(default)]
    #[schema(schema_with = admins)]
    pub(super) admins: Vec<String>,
    /// Whose searches compare every vector, where a graph may miss one; `everyone` is possible.
    #[serde(default)]
    #[schema(schema_with = exact)]
    pub(super) exact: Vec<String>,
    /// The rules; their order does not matter.
    #[serde(default)]
    #[schema(schema_with = rules)]
    pub(super) rule: Vec<Object<WrittenRule>>,
}

/// One rule: to whom it allows or denies which tools. Everything that is written about the tools must be true of one, and
/// within a list any entry is enough; something must be written (`refs = ["*"]` is every tool).
///
/// In patterns `*` is any text and `?` any character.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[schema(as = Rule)]
#[serde(deny_unknown_fields)]
pub struct WrittenRule {
    /// Whether it allows or denies; a deny wins over every allow.
    pub effect: Effect,
    /// Whom it concerns: `user:…`, `group:…`, `role:…`, `tenant:…`, `scope:…` (whoever holds it), `service:…` or `everyone`.
    #[schema(schema_with = subjects)]
    pub to: Vec<String>,
    /// Patterns over refs, `google://drive.*`; one without a version means every version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = patterns)]
    pub refs: Option<Vec<String>>,
    /// Patterns over namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = patterns)]
    pub namespaces: Option<Vec<String>>,
    /// Patterns over the sources' names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = patterns)]
    pub sources: Option<Vec<String>>,
    /// Patterns over tags. What an untrusted server claims of its tools is a tag (`claims:read_only`) and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = patterns)]
    pub tags: Option<Vec<String>>,
    /// Patterns over the scopes that a tool requires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = patterns)]
    pub required_scopes: Option<Vec<String>>,
    /// Only tools whose required scopes the asker holds; a tool that requires none is met.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(default = false)]
    pub scopes_held: bool,
    /// Only tools that are said to change nothing (or, with `false`, to change something).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// Only tools that are said to delete or overwrite (or not to).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destructive: Option<bool>,
    /// Only tools that are said to change nothing more when called again (or not).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotent: Option<bool>,
    /// Only tools that are said to reach beyond a closed set of entities (or not).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_world: Option<bool>,
    /// Why it is there, for reviewers; it decides nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub note: Option<String>,
}

/// The JSON Schema (2020-12) of a policy, for editors and reviews. What it lets pass may still be refused: a rule that
/// selects nothing, or a text that is too long in bytes.
pub fn schema() -> Value {
    let mut schemas: Vec<(String, RefOr<Schema>)> = vec![(WrittenRule::name().into_owned(), WrittenRule::schema())];
    WrittenRule::schemas(&mut schemas);
    let definitions: serde_json::Map<String, Value> =
        schemas.iter().map(|(name, schema)| (name.clone(), json!(schema))).collect();
    let mut schema = json!(WrittenPolicy::schema());
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("A Shortlist policy");
    schema["$defs"] = Value::Object(definitions);
    // An OpenAPI document keeps its types elsewhere than a schema that stands alone.
    let text = schema.to_string().replace("#/components/schemas/", "#/$defs/");
    serde_json::from_str(&text).unwrap_or(schema)
}

const SUBJECT: &str = "^(user|group|role|tenant|scope|service):[\\s\\S]+$";
const SUBJECT_OR_EVERYONE: &str = "^(everyone|(user|group|role|tenant|scope|service):[\\s\\S]+)$";
const PATTERN: &str = "^[^\\[\\]{}\\\\]+$";

fn admins() -> Array {
    texts(SUBJECT).description(Some("Who may ask at the admin doors; not `everyone`.")).build()
}

fn exact() -> Array {
    let described = "Whose searches compare every vector, where a graph may miss one; `everyone` is possible.";
    texts(SUBJECT_OR_EVERYONE).description(Some(described)).build()
}

fn subjects() -> Array {
    let described =
        "Whom it concerns: `user:…`, `group:…`, `role:…`, `tenant:…`, `scope:…`, `service:…` or `everyone`.";
    texts(SUBJECT_OR_EVERYONE).description(Some(described)).min_items(Some(1)).build()
}

/// May be null, which is the same as left out.
fn patterns() -> Array {
    texts(PATTERN).schema_type(SchemaType::from_iter([Type::Array, Type::Null])).min_items(Some(1)).build()
}

fn texts(pattern: &str) -> ArrayBuilder {
    let text = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).pattern(Some(pattern));
    ArrayBuilder::new().items(text).max_items(Some(POLICY_LIST_MAX))
}

fn rules() -> Array {
    let rule = utoipa::openapi::Ref::from_schema_name(WrittenRule::name());
    ArrayBuilder::new().items(rule).max_items(Some(POLICY_RULES_MAX)).build()
}

/// A note within its limit.
pub(super) fn check_note(note: Option<&String>) -> Result<(), String> {
    match note.map(|note| note.chars().count()) {
        Some(chars) if chars > POLICY_NOTE_CHARS_MAX => {
            Err(format!("`note` has {chars} characters, and at most {POLICY_NOTE_CHARS_MAX} are kept"))
        }
        _ => Ok(()),
    }
}
