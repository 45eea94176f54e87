//! An action as the hub describes it -> [`Draft`].
//!
//! What a reader can live without is taken leniently; what identity and permission rest on is taken exactly or not at all.
//! An action whose required permissions cannot be read must not become one that requires none.

use serde_json::Value;
use shortlist_index::{Annotations, Execution, ScopeRequirement};

use super::SOURCE_TYPE;
use super::config::{AutomationHubConfig, FieldMap};
use super::page::{find, find_strictly, kind};
use crate::draft::Draft;
use crate::normalize::{normalize, rejection};
use crate::source::Record;

/// What can be said of a record that became no draft.
struct Refusal {
    /// Its id, or its position.
    record: String,
    /// A sentence.
    reason: String,
}

/// One action as a record of its hub. `position` names it where it has no id.
pub(super) fn record(action: Value, config: &AutomationHubConfig, position: &str) -> Record {
    let draft = draft(action, &config.fields, position);
    normalize(draft.map_err(|refusal| rejection(&refusal.record, refusal.reason))?, &config.name, SOURCE_TYPE)
}

fn draft(action: Value, fields: &FieldMap, position: &str) -> Result<Draft, Refusal> {
    let refuse = |record: &str, reason: String| Refusal { record: record.to_owned(), reason };
    if !action.is_object() {
        return Err(refuse(position, format!("an action is an object, not {}", kind(&action))));
    }
    let id = match find(&action, &fields.id) {
        Some(Value::String(id)) => id.clone(),
        Some(other) => return Err(refuse(position, format!("{:?} is a text, not {}", fields.id, kind(other)))),
        None => return Err(refuse(position, format!("it has no {:?}; see fields.id", fields.id))),
    };
    mapped(&action, fields, &id).map_err(|reason| refuse(&id, reason))
}

fn mapped(action: &Value, fields: &FieldMap, id: &str) -> Result<Draft, String> {
    let (namespace, name, version) = identity(id)?;
    Ok(Draft {
        foreign_id: id.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        ref_name: None,
        version: version.map(str::to_owned),
        title: text(action, &fields.title)?,
        description: text(action, &fields.description)?.unwrap_or_default(),
        input_schema: schema(action, &fields.input_schema),
        output_schema: schema(action, &fields.output_schema),
        annotations: Annotations {
            read_only: flag(action, &fields.read_only)?,
            destructive: flag(action, &fields.destructive)?,
            idempotent: flag(action, &fields.idempotent)?,
            open_world: flag(action, &fields.open_world)?,
        },
        tags: texts(action, &fields.tags)?,
        execution: Execution {
            mode: text(action, &fields.execution_mode)?,
            auth_type: text(action, &fields.auth_type)?,
            requires_obo: flag(action, &fields.requires_obo)?.unwrap_or(false),
        },
        required_scopes: ScopeRequirement::all_of(permissions(action, &fields.required_permissions)?),
        deprecation: deprecation(action, &fields.deprecation)?,
    })
}

/// `namespace:name@semver`; the version may be absent. The name may hold further colons, the version no `@`.
fn identity(id: &str) -> Result<(&str, &str, Option<&str>), String> {
    let (namespace, rest) =
        id.split_once(':').ok_or("its id is not namespace:name@version: there is no ':' in it".to_owned())?;
    Ok(match rest.rsplit_once('@') {
        Some((name, version)) => (namespace, name, Some(version)),
        None => (namespace, rest, None),
    })
}

fn schema(action: &Value, path: &str) -> Option<Value> {
    find(action, path).filter(|value| !value.is_null()).cloned()
}

fn text(action: &Value, path: &str) -> Result<Option<String>, String> {
    match find(action, path) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(format!("{path:?} is a text, not {}", kind(other))),
    }
}

fn flag(action: &Value, path: &str) -> Result<Option<bool>, String> {
    match find(action, path) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(other) => Err(format!("{path:?} is true or false, not {}", kind(other))),
    }
}

fn texts(action: &Value, path: &str) -> Result<Vec<String>, String> {
    list(find(action, path), path)
}

/// A place that cannot be read is no place without permissions.
fn permissions(action: &Value, path: &str) -> Result<Vec<String>, String> {
    list(find_strictly(action, path)?, path)
}

fn list(value: Option<&Value>, path: &str) -> Result<Vec<String>, String> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or_else(|| format!("{path:?} is a list of texts, and one of them is none")),
        Some(other) => Err(format!("{path:?} is a list of texts, not {}", kind(other))),
    }
}

/// Deployments say it with a flag, a sentence or an object. An empty sentence says nothing; an object says "deprecated"
/// whatever it holds.
fn deprecation(action: &Value, path: &str) -> Result<Option<String>, String> {
    match find(action, path) {
        None | Some(Value::Null | Value::Bool(false)) => Ok(None),
        Some(Value::Bool(true)) => Ok(Some(String::new())),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.trim().is_empty())),
        Some(Value::Object(parts)) => {
            let part = |key: &str| parts.get(key).and_then(Value::as_str);
            Ok(Some(
                part("message").or_else(|| part("reason")).or_else(|| part("since")).unwrap_or_default().to_owned(),
            ))
        }
        Some(other) => Err(format!("{path:?} is true, a text or an object, not {}", kind(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reason(action: Value) -> (String, String) {
        match draft(action, &FieldMap::default(), "action 7 of page 2") {
            Ok(draft) => (draft.foreign_id, "taken".to_owned()),
            Err(refusal) => (refusal.record, refusal.reason),
        }
    }

    #[test]
    fn an_id_is_taken_apart() {
        assert_eq!(identity("billing:refund@2.1.0"), Ok(("billing", "refund", Some("2.1.0"))));
        assert_eq!(identity("billing:refund:all"), Ok(("billing", "refund:all", None)));
        assert!(identity("refund@2.1.0").is_err());
    }

    #[test]
    fn permissions_that_cannot_be_read_never_become_none() {
        for odd in [json!("admin"), json!({"all": ["admin"]}), json!([1]), json!(true)] {
            let (record, reason) = reason(json!({"id": "a:b@1.0.0", "requiredPermissions": odd}));
            assert_eq!(record, "a:b@1.0.0");
            assert!(reason.contains("list of texts"), "{reason}");
        }
    }

    #[test]
    fn permissions_are_absent_only_where_they_could_have_been() {
        let check = |path: &str, auth: Option<Value>, expected: Result<&[&str], &str>| {
            let fields = FieldMap { required_permissions: path.into(), ..FieldMap::default() };
            let mut action = json!({"id": "a:b@1.0.0"});
            if let Some(auth) = &auth {
                action["auth"] = auth.clone();
            }
            let got = draft(action, &fields, "?").map(|draft| draft.required_scopes).map_err(|refusal| refusal.reason);
            let as_expected = match (&got, expected) {
                (Ok(got), Ok(expected)) => *got == ScopeRequirement::all_of(expected.iter().copied()),
                (Err(reason), Err(part)) => reason.contains(part),
                _ => false,
            };
            assert!(as_expected, "{path:?} in {auth:?} gave {got:?}, expected {expected:?}");
        };
        for path in ["auth.permissions", "/auth/permissions"] {
            check(path, Some(json!({"permissions": ["p"]})), Ok(&["p"]));
            check(path, Some(json!({"kind": "none"})), Ok(&[]));
            check(path, Some(json!({"permissions": null})), Ok(&[]));
            check(path, Some(json!(null)), Ok(&[]));
            check(path, None, Ok(&[]));
            check(path, Some(json!("admin")), Err("not a text"));
            check(path, Some(json!(["admin"])), Err("not a list"));
            check(path, Some(json!([{"permissions": ["p"]}])), Err("not a list"));
            check(path, Some(json!(true)), Err("not true or false"));
        }
        check("auth.all.of", Some(json!({"all": "admin"})), Err("\"auth.all\""));
        check("auth.all.of", Some(json!("admin")), Err("\"auth\""));
        check("auth.all.of", Some(json!({})), Ok(&[]));
        check("/auth/0", Some(json!([["p"]])), Ok(&["p"]));
        check("/auth/1", Some(json!([["p"]])), Err("not a list"));
        check("permissions", Some(json!("admin")), Ok(&[]));
        check("", Some(json!("admin")), Ok(&[]));
    }

    #[test]
    fn a_record_without_an_id_is_named_by_its_position() {
        assert_eq!(reason(json!({"name": "x"})).0, "action 7 of page 2");
        assert_eq!(reason(json!(7)).1, "an action is an object, not a number");
    }

    #[test]
    fn deprecation_is_read_in_every_form() {
        let check = |value: Value, expected: Option<&str>| {
            let action = json!({"id": "a:b", "deprecation": value});
            let got = draft(action, &FieldMap::default(), "?").map(|draft| draft.deprecation);
            assert_eq!(got.ok().flatten().as_deref(), expected);
        };
        check(json!(null), None);
        check(json!(false), None);
        check(json!(""), None);
        check(json!(true), Some(""));
        check(json!("use a:c"), Some("use a:c"));
        check(json!({"since": "2025-01-01", "reason": "use a:c"}), Some("use a:c"));
        check(json!({"by": 7}), Some(""));
    }

    #[test]
    fn fields_are_found_by_path_and_by_pointer() {
        let fields = FieldMap { id: "/meta/full.id".into(), auth_type: "auth.kind".into(), ..FieldMap::default() };
        let action = json!({"meta": {"full.id": "a:b@1.0.0"}, "auth": {"kind": "oauth2"}});
        let draft = draft(action, &fields, "?").map_err(|refusal| refusal.reason).expect("a draft");
        assert_eq!((draft.version.as_deref(), draft.execution.auth_type.as_deref()), (Some("1.0.0"), Some("oauth2")));
    }
}
