//! A tool definition as a worker gives it -> [`Draft`].

use serde::Deserialize;
use serde_json::Value;
use shortlist_index::{Annotations, Execution};

use super::requirements::Requirements;
use super::schema::{self, Input, Output};
use super::version;
use crate::draft::Draft;

/// What is read of a definition. Other keys are ignored: none that is known changes who may see or call the tool.
#[derive(Debug, Deserialize)]
struct Definition {
    name: String,
    toolkit: Toolkit,
    #[serde(default)]
    description: Option<String>,
    input: Input,
    output: Option<Output>,
    requirements: Requirements,
    #[serde(default)]
    deprecation_message: Option<String>,
    #[serde(default)]
    metadata: Option<Metadata>,
}

#[derive(Debug, Deserialize)]
struct Toolkit {
    name: String,
    #[serde(default)]
    version: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    classification: Option<Classification>,
    behavior: Option<Behavior>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Classification {
    service_domains: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Behavior {
    operations: Option<Vec<String>>,
    read_only: Option<bool>,
    destructive: Option<bool>,
    idempotent: Option<bool>,
    open_world: Option<bool>,
}

/// What can be said of a definition that became no draft.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Its name, or its position.
    pub(super) record: String,
    /// A sentence.
    pub(super) reason: String,
}

/// Maps one definition; `position` in the list, from 1, names it where it has no name.
pub(super) fn draft(value: Value, position: usize) -> Result<Draft, Refusal> {
    let record = match value.get("fully_qualified_name").and_then(Value::as_str) {
        Some(name) if !name.trim().is_empty() => name.to_owned(),
        _ => format!("tool {position} of the list"),
    };
    let parsed: Result<Definition, _> = serde_path_to_error::deserialize(value);
    let parsed = parsed.map_err(|error| format!("{} cannot be read: {}", error.path(), error.inner()));
    parsed.and_then(mapped).map_err(|reason| Refusal { record, reason })
}

fn mapped(definition: Definition) -> Result<Draft, String> {
    let Definition { name, toolkit, description, input, output, requirements, deprecation_message, metadata } =
        definition;
    let version = toolkit.version.as_deref().map(version::to_semver).transpose()?;
    // The words that a call names the tool by, in Arcade's own notation.
    let foreign_id = match &toolkit.version {
        Some(version) => format!("{}.{name}@{version}", toolkit.name),
        None => format!("{}.{name}", toolkit.name),
    };
    let Metadata { classification, behavior } = metadata.unwrap_or_default();
    let behavior = behavior.unwrap_or_default();
    let operations = behavior.operations.unwrap_or_default().into_iter().map(|word| format!("operation:{word}"));
    let domains = classification.unwrap_or_default().service_domains.unwrap_or_default();
    Ok(Draft {
        foreign_id,
        namespace: toolkit.name,
        name,
        version,
        description: description.unwrap_or_default(),
        input_schema: Some(schema::of_input(&input)?),
        output_schema: output.as_ref().map(schema::of_output).transpose()?.flatten(),
        annotations: Annotations {
            read_only: behavior.read_only,
            destructive: behavior.destructive,
            idempotent: behavior.idempotent,
            open_world: behavior.open_world,
        },
        tags: domains.into_iter().chain(operations).collect(),
        execution: Execution {
            mode: None,
            auth_type: requirements.auth_type().map(str::to_owned),
            requires_obo: requirements.needs_user(),
        },
        required_scopes: requirements.scopes()?,
        deprecation: deprecation_message,
        ..Draft::default()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn definition() -> Value {
        json!({
            "name": "SendMail", "fully_qualified_name": "Desk.SendMail", "description": "Sends.",
            "toolkit": { "name": "Desk", "description": null, "version": "1.0" },
            "input": { "parameters": [] }, "output": null,
            "requirements": { "authorization": null, "secrets": null, "metadata": null },
            "something_new": 7,
        })
    }

    fn reason(path: &str, odd: Value) -> String {
        let mut value = definition();
        let (parent, key) = path.rsplit_once('/').expect("a pointer");
        value.pointer_mut(parent).expect("its parent")[key] = odd;
        draft(value, 7).map(|draft| format!("taken: {draft:?}")).unwrap_or_else(|refusal| refusal.reason)
    }

    #[test]
    fn a_plain_tool_is_taken_and_named_in_arcades_words() {
        let draft = draft(definition(), 1).expect("a draft");
        assert_eq!(draft.foreign_id, "Desk.SendMail@1.0");
        assert_eq!((draft.namespace.as_str(), draft.version.as_deref()), ("Desk", Some("1.0.0")));
        assert!(draft.required_scopes.is_none() && !draft.execution.requires_obo);
    }

    #[test]
    fn an_odd_value_is_told_by_its_place() {
        let check = |path: &str, odd: Value, part: &str| {
            let reason = reason(path, odd.clone());
            assert!(!reason.starts_with("taken") && reason.contains(part), "{path} = {odd}: {reason}");
        };
        check("/name", json!(7), "name cannot be read");
        check("/toolkit/version", json!("latest"), "\"latest\"");
        check("/toolkit", json!(null), "toolkit cannot be read");
        check("/input", json!([]), "input");
        check("/input/parameters", json!([{"name": "a"}]), "input.parameters[0]");
        check("/metadata", json!({"behavior": {"read_only": "yes"}}), "metadata.behavior.read_only");
        check("/deprecation_message", json!(true), "deprecation_message");
    }

    #[test]
    fn requirements_that_cannot_be_read_never_become_none() {
        for odd in [
            json!(null),
            json!([]),
            json!("none"),
            json!({"authorization": [], "secrets": null}),
            json!({"role": "admin"}),
        ] {
            let reason = reason("/requirements", odd.clone());
            assert!(!reason.starts_with("taken"), "{odd}: {reason}");
        }
        let mut value = definition();
        value.as_object_mut().expect("an object").remove("requirements");
        let refusal = draft(value, 1).expect_err("nothing is said of its requirements");
        assert!(refusal.record == "Desk.SendMail" && refusal.reason.contains("requirements"), "{refusal:?}");
    }

    #[test]
    fn what_is_no_object_is_named_by_its_position() {
        assert_eq!(draft(json!(7), 3).expect_err("no tool").record, "tool 3 of the list");
    }
}
