//! One tool of a listing as a [`Draft`].

use serde_json::Value;
use shortlist_index::Annotations;

use super::listing::kind;
use crate::draft::Draft;

/// How the tags begin that hold a claim of the server's.
const CLAIM: &str = "claims:";

/// Reads a tool. The reason when it is none; what is wrong inside its schemas is found later.
///
/// Its effects are the claims of an outside party. A warning (it changes things, it may destroy) is believed, for nobody is
/// harmed by that; a reassurance becomes a tag, unless the operator vouches for the server: a policy that lets everybody see
/// what is read-only must not let a server decide that.
pub(super) fn draft(tool: Value, namespace: &str, trust_annotations: bool) -> Result<Draft, String> {
    let Value::Object(mut tool) = tool else {
        return Err(format!("a tool is an object, and this is {}", kind(&tool)));
    };
    let name = match tool.remove("name") {
        Some(Value::String(name)) => name,
        Some(other) => return Err(format!("its name is {}, not a text", kind(&other))),
        None => return Err("it has no name".to_owned()),
    };
    let mut text = |key: &str| match tool.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(format!("its {key} is {}, not a text", kind(&other))),
    };
    let (title, description) = (text("title")?, text("description")?);
    let claims = tool.remove("annotations").unwrap_or_default();
    // Older revisions have the title there.
    let title = title.or_else(|| Some(claims.get("title")?.as_str()?.to_owned()));
    let (annotations, tags) = effects(&claims, trust_annotations);
    Ok(Draft {
        foreign_id: name.clone(),
        namespace: namespace.to_owned(),
        name,
        title,
        description: description.unwrap_or_default(),
        input_schema: tool.remove("inputSchema"),
        output_schema: tool.remove("outputSchema").filter(|schema| !schema.is_null()),
        annotations,
        tags,
        ..Draft::default()
    })
}

/// What is believed, and what is only told. A hint that is no boolean says nothing.
fn effects(claims: &Value, trusted: bool) -> (Annotations, Vec<String>) {
    let mut tags = Vec::new();
    let mut judge = |hint: &str, word: &str, warning: bool| {
        let claim = claims.get(hint)?.as_bool()?;
        if trusted || claim == warning {
            return Some(claim);
        }
        tags.push(format!("{CLAIM}{}{word}", if claim { "" } else { "not_" }));
        None
    };
    let annotations = Annotations {
        read_only: judge("readOnlyHint", "read_only", false),
        destructive: judge("destructiveHint", "destructive", true),
        idempotent: judge("idempotentHint", "idempotent", false),
        open_world: judge("openWorldHint", "open_world", true),
    };
    (annotations, tags)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reassurance_is_told_and_a_warning_believed() {
        let tool = |read_only: bool, destructive: bool| {
            json!({ "name": "a", "annotations": {
                "readOnlyHint": read_only, "destructiveHint": destructive, "idempotentHint": true, "openWorldHint": false,
            }})
        };
        let soothing = draft(tool(true, false), "space", false).expect("a tool");
        assert_eq!(soothing.annotations, Annotations::default());
        let tags = ["claims:read_only", "claims:not_destructive", "claims:idempotent", "claims:not_open_world"];
        assert_eq!(soothing.tags, tags);

        let warning = draft(tool(false, true), "space", false).expect("a tool");
        assert_eq!((warning.annotations.read_only, warning.annotations.destructive), (Some(false), Some(true)));
        assert_eq!(warning.tags, ["claims:idempotent", "claims:not_open_world"]);

        let trusted = draft(tool(true, false), "space", true).expect("a tool");
        assert_eq!((trusted.annotations.read_only, trusted.annotations.open_world), (Some(true), Some(false)));
        assert!(trusted.tags.is_empty());
    }

    #[test]
    fn a_tool_keeps_what_it_says_and_odd_values_say_why() {
        let tool = json!({
            "name": "get/sum", "description": "Adds.", "inputSchema": { "type": "object" }, "outputSchema": null,
            "annotations": { "title": "Sum", "readOnlyHint": "yes" }, "icons": [], "_meta": { "a": 1 },
        });
        let tool = draft(tool, "space", false).expect("a tool");
        assert_eq!(
            (tool.foreign_id.as_str(), tool.namespace.as_str(), tool.name.as_str()),
            ("get/sum", "space", "get/sum")
        );
        assert_eq!((tool.title.as_deref(), tool.description.as_str()), (Some("Sum"), "Adds."));
        assert_eq!((tool.input_schema, tool.output_schema), (Some(json!({ "type": "object" })), None));
        assert!(tool.tags.is_empty() && tool.annotations == Annotations::default());

        let check = |tool: Value, expected: &str| {
            let reason = draft(tool, "space", false).expect_err(expected);
            assert!(reason.contains(expected), "{reason}");
        };
        check(json!(7), "this is a number");
        check(json!({}), "no name");
        check(json!({ "name": ["a"] }), "name is a list");
        check(json!({ "name": "a", "description": {} }), "description is an object");
    }
}
