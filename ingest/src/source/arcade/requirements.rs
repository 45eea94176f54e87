//! [`Requirements`]: what a tool wants before it can be called. Read to the last key, for one that nobody reads here may be
//! what keeps a user out.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use shortlist_index::ScopeRequirement;

/// The one kind of provider that there is.
const OAUTH2: &str = "oauth2";
/// What a call is authenticated with where the worker holds the credentials.
const SECRET: &str = "secret";

#[derive(Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Requirements {
    authorization: Option<Authorization>,
    secrets: Option<Vec<Key>>,
}

/// The keys of the object; serde would also read a list as one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default)]
    authorization: Option<Authorization>,
    #[serde(default)]
    secrets: Option<Vec<Key>>,
    /// Facts that Arcade's engine hands to the tool; nothing that a caller must hold.
    #[serde(default, rename = "metadata")]
    _metadata: Option<Vec<Key>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Authorization {
    #[serde(default)]
    provider_id: Option<String>,
    provider_type: String,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    oauth2: Option<OAuth2>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OAuth2 {
    #[serde(default)]
    scopes: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    #[serde(rename = "key")]
    _key: IgnoredAny,
}

impl TryFrom<Value> for Requirements {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let lists = ["", "/authorization", "/authorization/oauth2"];
        if let Some(place) = lists.into_iter().find(|place| value.pointer(place).is_some_and(Value::is_array)) {
            return Err(format!("invalid type: a list where an object belongs, in \"requirements{place}\""));
        }
        let Keys { authorization, secrets, _metadata } =
            serde_json::from_value(value).map_err(|error| error.to_string())?;
        Ok(Self { authorization, secrets })
    }
}

impl Requirements {
    /// The downstream authentication: the user's where there is one.
    pub(super) fn auth_type(&self) -> Option<&'static str> {
        match (&self.authorization, &self.secrets) {
            (Some(_), _) => Some(OAUTH2),
            (None, Some(secrets)) if !secrets.is_empty() => Some(SECRET),
            _ => None,
        }
    }

    /// Whether the call is made on behalf of a user.
    pub(super) fn needs_user(&self) -> bool {
        self.authorization.is_some()
    }

    /// The scopes that a caller needs, each with its provider.
    pub(super) fn scopes(&self) -> Result<ScopeRequirement, String> {
        let Some(authorization) = &self.authorization else { return Ok(ScopeRequirement::none()) };
        if authorization.provider_type != OAUTH2 {
            return Err(format!(
                "its provider_type is {:?}, and only {OAUTH2:?} is known",
                authorization.provider_type
            ));
        }
        let provider = authorization.provider()?;
        let scopes = authorization.oauth2.iter().flat_map(|oauth2| &oauth2.scopes).flatten();
        let scopes: Vec<String> = scopes
            .map(|scope| match scope {
                scope if scope.is_empty() || scope.contains(char::is_whitespace) => {
                    Err(format!("its scope {scope:?} is no OAuth scope"))
                }
                scope => Ok(format!("{provider}:{scope}")),
            })
            .collect::<Result<_, _>>()?;
        Ok(ScopeRequirement::all_of(if scopes.is_empty() { vec![provider] } else { scopes }))
    }
}

impl Authorization {
    /// `google`, `@crm`, or `google@google-eu`. The separators may not stand in a name, or two providers could look alike.
    fn provider(&self) -> Result<String, String> {
        for name in [&self.provider_id, &self.id].into_iter().flatten() {
            if name.is_empty() || name.contains(|c: char| matches!(c, ':' | '@') || c.is_whitespace()) {
                return Err(format!("its provider {name:?} is no name without ':', '@' and white space"));
            }
        }
        match (&self.provider_id, &self.id) {
            (Some(provider), Some(id)) => Ok(format!("{provider}@{id}")),
            (Some(provider), None) => Ok(provider.clone()),
            (None, Some(id)) => Ok(format!("@{id}")),
            (None, None) => Err("it wants authorization and names no provider".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scopes(authorization: Value) -> Result<String, String> {
        let requirements = json!({ "authorization": authorization });
        let requirements: Requirements = serde_json::from_value(requirements).map_err(|error| error.to_string())?;
        Ok(requirements.scopes()?.scopes().collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn scopes_are_told_apart_by_their_provider() {
        let check = |authorization: Value, expected: &str| assert_eq!(scopes(authorization).as_deref(), Ok(expected));
        check(json!(null), "");
        check(
            json!({"provider_id": "google", "provider_type": "oauth2", "id": null, "oauth2": {"scopes": ["b", "a:x"]}}),
            "google:a:x google:b",
        );
        check(json!({"provider_id": "slack", "provider_type": "oauth2", "oauth2": {"scopes": null}}), "slack");
        check(json!({"provider_id": "slack", "provider_type": "oauth2", "oauth2": {"scopes": []}}), "slack");
        check(json!({"provider_id": "slack", "provider_type": "oauth2"}), "slack");
        check(json!({"id": "crm", "provider_type": "oauth2", "oauth2": {"scopes": ["read"]}}), "@crm:read");
        check(json!({"provider_id": "x", "id": "y", "provider_type": "oauth2"}), "x@y");
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let check = |authorization: Value, part: &str| {
            let error = scopes(authorization.clone()).expect_err("odd");
            assert!(error.contains(part), "{authorization}: {error}");
        };
        check(json!({"provider_id": "x", "provider_type": "api_key"}), "api_key");
        check(json!({"provider_id": "x", "provider_type": "oauth2", "roles": ["admin"]}), "roles");
        check(json!({"provider_id": "x", "provider_type": "oauth2", "oauth2": {"any_of": []}}), "any_of");
        check(json!({"provider_id": "x", "provider_type": "oauth2", "oauth2": {"scopes": "a b"}}), "sequence");
        check(json!({"provider_id": "x", "provider_type": "oauth2", "oauth2": {"scopes": ["a b"]}}), "\"a b\"");
        check(json!({"provider_id": "x", "provider_type": "oauth2", "oauth2": {"scopes": [""]}}), "no OAuth scope");
        check(json!({"provider_id": "x:y", "provider_type": "oauth2"}), "x:y");
        check(json!({"provider_id": "", "provider_type": "oauth2"}), "no name");
        check(json!({"provider_type": "oauth2"}), "no provider");
        check(json!({"provider_id": "x"}), "provider_type");
        check(json!([]), "invalid");
        check(json!(true), "invalid type");
    }

    #[test]
    fn secrets_are_the_workers() {
        let read = |value| serde_json::from_value::<Requirements>(value).map_err(|error| error.to_string());
        let secret =
            read(json!({"secrets": [{"key": "A"}], "metadata": [{"key": "client_id"}]})).expect("requirements");
        assert_eq!(
            (secret.auth_type(), secret.needs_user(), secret.scopes()),
            (Some("secret"), false, Ok(ScopeRequirement::none()))
        );
        assert_eq!(read(json!({"secrets": []})).expect("requirements").auth_type(), None);
        assert!(read(json!({"secrets": [{"key": "A", "per_user": true}]})).is_err());
        assert!(read(json!({"secrets": ["A"]})).is_err());
    }
}
