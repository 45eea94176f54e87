//! [`Security`]: who may call an operation, read from `security`.
//!
//! `security` is a list of alternatives, each an object of schemes that are all needed, each scheme with its scopes:
//! [`ScopeRequirement`]'s own shape. What becomes of what is not plainly a scope:
//!
//! - `security: []`, an empty alternative `{}` and the absence of the key at both levels mean that anybody may call: nothing is
//!   required. The operation's own `security` replaces the document's.
//! - An API key, HTTP authentication or a client certificate has no scopes: nothing is required as a scope, and the type
//!   stands in the tool's `auth_type`. Where such a scheme lists names all the same, they are required like scopes.
//! - An alternative that asks for a credential but for no scope (a key instead of OAuth) is left out where another one names
//!   scopes. The API opens to whoever holds the key, but the key is in the hub's hand and not in the user's: counted, it would
//!   open to everybody what the API's own users need a scope for.
//! - What cannot be read, or names a scheme that is not defined, is refused, and the operation with it: a requirement that is
//!   misread would open the tool.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use shortlist_index::ScopeRequirement;

use super::library::{Library, Place};

/// The most alternatives of one operation; real ones have fewer than ten.
const ALTERNATIVES_MAX: usize = 100;

/// What an operation's `security` comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Security {
    /// The scopes that are needed.
    pub scopes: ScopeRequirement,
    /// How a caller authenticates, by the first alternative that asks for it: `oauth2`, `openid_connect`, `api_key`,
    /// `http_basic`, `http_bearer`, `mutual_tls`, …, with `+` between schemes that are all needed.
    pub auth_type: Option<String>,
}

/// The security schemes of a document, looked up once for all of its operations.
pub(super) struct Schemes<'a> {
    /// The type of each, or why it cannot be told.
    types: BTreeMap<&'a str, Result<String, String>>,
    /// The document's own `security`.
    default: Option<&'a Value>,
}

impl<'a> Schemes<'a> {
    /// Reads `components.securitySchemes`, or Swagger 2.0's `securityDefinitions`.
    pub fn of(library: &'a Library) -> Self {
        let root = library.root();
        let places =
            [root.get("components").and_then(|all| all.get("securitySchemes")), root.get("securityDefinitions")];
        let mut types = BTreeMap::new();
        for place in places.into_iter().flatten() {
            for (name, scheme) in place.value.as_object().into_iter().flatten() {
                types.insert(name.as_str(), scheme_type(library, place.at(scheme)));
            }
        }
        Self { types, default: root.value.get("security") }
    }

    /// Reads the `security` that counts for an operation.
    ///
    /// # Errors
    /// A sentence that says what cannot be read.
    pub fn of_operation(&self, operation: &Value) -> Result<Security, String> {
        let Some(security) = operation.get("security").or(self.default) else { return Ok(Security::default()) };
        let alternatives = security.as_array().ok_or("\"security\" is not a list")?;
        if alternatives.len() > ALTERNATIVES_MAX {
            return Err(format!("\"security\" has more than the {ALTERNATIVES_MAX} alternatives allowed"));
        }
        let mut auth_type = None;
        let mut alternatives_of_scopes = Vec::new();
        let mut open = false;
        for alternative in alternatives {
            let schemes = alternative.as_object().ok_or("an alternative of \"security\" is not an object")?;
            let (mut scopes, mut types) = (BTreeSet::new(), BTreeSet::new());
            for (name, list) in schemes {
                let kind = self.types.get(name.as_str());
                let kind = kind.ok_or_else(|| format!("\"security\" names {name:?}, which is defined nowhere"))?;
                types.insert(kind.clone()?);
                let list = list.as_array().and_then(|list| list.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
                let list = list.ok_or_else(|| format!("what \"security\" says of {name:?} is not a list of texts"))?;
                scopes.extend(list.into_iter().map(str::to_owned));
            }
            open |= schemes.is_empty();
            if auth_type.is_none() && !types.is_empty() {
                auth_type = Some(types.into_iter().collect::<Vec<_>>().join("+"));
            }
            if !scopes.is_empty() {
                alternatives_of_scopes.push(scopes);
            }
        }
        let scopes =
            if open { ScopeRequirement::none() } else { ScopeRequirement::alternatives(alternatives_of_scopes) };
        Ok(Security { scopes, auth_type })
    }
}

fn scheme_type(library: &Library, scheme: Place<'_>) -> Result<String, String> {
    let scheme = library.deref(scheme)?;
    let text = |key: &str| scheme.value.get(key).and_then(Value::as_str).unwrap_or_default();
    match text("type") {
        "oauth2" => Ok("oauth2".to_owned()),
        "openIdConnect" => Ok("openid_connect".to_owned()),
        "apiKey" => Ok("api_key".to_owned()),
        "mutualTLS" => Ok("mutual_tls".to_owned()),
        "basic" => Ok("http_basic".to_owned()),
        // Names of HTTP schemes are written in any case.
        "http" if !text("scheme").is_empty() => Ok(format!("http_{}", text("scheme").to_ascii_lowercase())),
        "http" => Ok("http".to_owned()),
        other => Err(format!("\"security\" names a scheme of the unknown type {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(document: Option<Value>, operation: Option<Value>, expected: Result<(&str, Option<&str>), &str>) {
        let mut root = json!({ "components": { "securitySchemes": {
            "oauth": { "type": "oauth2" }, "oidc": { "type": "openIdConnect" }, "key": { "type": "apiKey" },
            "bearer": { "type": "http", "scheme": "Bearer" }, "ref": { "$ref": "#/components/securitySchemes/oauth" },
            "odd": { "type": 3 }, "lost": { "$ref": "#/nowhere" },
        } } });
        if let Some(document) = document {
            root["security"] = document;
        }
        let library = Library::alone(root);
        let operation = operation.map_or(json!({}), |security| json!({ "security": security }));
        let found = Schemes::of(&library).of_operation(&operation);
        if let Err(part) = expected {
            let reason = found.expect_err(part);
            assert!(reason.contains(part), "{reason:?} should say {part:?}");
            return;
        }
        let found = found.map(|security| (serde_json::to_string(&security.scopes).expect("JSON"), security.auth_type));
        let expected = expected.map(|(scopes, kind)| (scopes.to_owned(), kind.map(str::to_owned)));
        assert_eq!(found, expected.map_err(str::to_owned), "{operation}");
    }

    #[test]
    fn alternatives_of_schemes_become_alternatives_of_scopes() {
        check(None, Some(json!([{ "oauth": ["b", "a"] }])), Ok((r#"[["a","b"]]"#, Some("oauth2"))));
        check(None, Some(json!([{ "oauth": ["a"] }, { "oidc": ["b"] }])), Ok((r#"[["a"],["b"]]"#, Some("oauth2"))));
        check(
            None,
            Some(json!([{ "oidc": ["a"], "ref": ["b"] }])),
            Ok((r#"[["a","b"]]"#, Some("oauth2+openid_connect"))),
        );
        check(None, Some(json!([{ "bearer": ["role"] }])), Ok((r#"[["role"]]"#, Some("http_bearer"))));
    }

    #[test]
    fn the_operations_own_word_replaces_the_documents() {
        let document = json!([{ "oauth": ["a"] }]);
        check(Some(document.clone()), None, Ok((r#"[["a"]]"#, Some("oauth2"))));
        check(Some(document.clone()), Some(json!([{ "key": [] }])), Ok(("[]", Some("api_key"))));
        check(Some(document), Some(json!([])), Ok(("[]", None)));
        check(None, None, Ok(("[]", None)));
    }

    #[test]
    fn a_key_does_not_open_what_others_need_a_scope_for_but_the_apis_own_word_does() {
        check(None, Some(json!([{ "key": [] }, { "oauth": ["a"] }])), Ok((r#"[["a"]]"#, Some("api_key"))));
        check(None, Some(json!([{ "oauth": ["a"] }, { "oauth": [] }])), Ok((r#"[["a"]]"#, Some("oauth2"))));
        check(None, Some(json!([{ "oauth": ["a"] }, {}])), Ok(("[]", Some("oauth2"))));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        check(None, Some(json!([{ "absent": [] }])), Err("defined nowhere"));
        check(None, Some(json!([{ "oauth": ["a"] }, { "absent": [] }])), Err("defined nowhere"));
        check(None, Some(json!([{ "odd": [] }])), Err("unknown type"));
        check(None, Some(json!([{ "lost": [] }])), Err("leads nowhere"));
        check(None, Some(json!([{ "oauth": "a" }])), Err("not a list of texts"));
        check(None, Some(json!([{ "oauth": [1] }])), Err("not a list of texts"));
        check(None, Some(json!(["oauth"])), Err("not an object"));
        check(None, Some(json!({ "oauth": ["a"] })), Err("not a list"));
        check(None, Some(json!(null)), Err("not a list"));
        check(Some(json!("all")), None, Err("not a list"));
    }
}
