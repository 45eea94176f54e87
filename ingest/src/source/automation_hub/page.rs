//! [`Page`]: one answer of the catalog, taken apart by the field map.

use reqwest::Url;
use serde_json::Value;

use super::config::{AutomationHubConfig, FieldMap};
use crate::error::SourceError;
use crate::network::contract;

/// The longest cursor that is sent back; it must fit an address.
const CURSOR_BYTES_MAX: usize = 4_096;

/// Records of one page, and where the next one is.
pub(super) struct Page {
    pub(super) actions: Vec<Value>,
    pub(super) next_cursor: Option<String>,
}

impl Page {
    /// Reads a page's body; whatever breaks the contract ends the pass, for a page that cannot be read may hold anything.
    pub(super) fn parse(body: &[u8], config: &AutomationHubConfig, url: &Url) -> Result<Self, SourceError> {
        let FieldMap { actions, next_cursor, .. } = &config.fields;
        let broken = |detail: String| contract(&config.name, url, detail);
        let mut page: Value = serde_json::from_slice(body)
            .map_err(|error| broken(format!("a page is JSON, and this is not: {error}")))?;
        let next_cursor = match find(&page, next_cursor) {
            None | Some(Value::Null) => None,
            Some(Value::String(cursor)) if cursor.is_empty() && config.empty_cursor_ends => None,
            Some(Value::String(cursor)) if cursor.len() <= CURSOR_BYTES_MAX => Some(cursor.clone()),
            Some(Value::String(cursor)) => {
                return Err(broken(format!("a cursor has {} bytes, more than {CURSOR_BYTES_MAX}", cursor.len())));
            }
            Some(other) => {
                return Err(broken(format!("{next_cursor:?} is a text or null, not {}", kind(other))));
            }
        };
        let list = if actions.is_empty() { Some(page.take()) } else { find_mut(&mut page, actions).map(Value::take) };
        match list {
            Some(Value::Array(actions)) => Ok(Self { actions, next_cursor }),
            Some(other) => Err(broken(format!("{actions:?} is the list of actions, not {}", kind(&other)))),
            None => Err(broken(format!("a page has a list in {actions:?}, and this has none; see fields.actions"))),
        }
    }
}

/// The value at a path of the field map; `None` for an empty path, for the deployment has no such field.
pub(super) fn find<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    match path {
        "" => None,
        path if path.starts_with('/') => value.pointer(path),
        path => path.split('.').try_fold(value, |value, key| value.get(key)),
    }
}

/// As [`find`], for what permission rests on: a key is only absent where an object (or null, which holds nothing) could
/// have held it. What has another shape than the field map says may hold the value in a way that nobody reads here.
///
/// # Errors
/// A sentence that names the part of the path that is no object.
pub(super) fn find_strictly<'v>(value: &'v Value, path: &str) -> Result<Option<&'v Value>, String> {
    if let Some(found) = find(value, path) {
        return Ok(Some(found));
    }
    let separator = if path.starts_with('/') { '/' } else { '.' };
    let parents = path.rmatch_indices(separator).filter_map(|(end, _)| path.get(..end)).filter(|part| !part.is_empty());
    // The innermost parent that is there decides; where none is, the record itself lacks the key.
    let innermost = parents.filter_map(|part| Some((part, find(value, part)?))).next();
    match innermost.unwrap_or((path, value)) {
        (_, Value::Object(_) | Value::Null) => Ok(None),
        (part, other) => Err(format!("{path:?} cannot be read, for {part:?} is an object, not {}", kind(other))),
    }
}

fn find_mut<'v>(value: &'v mut Value, path: &str) -> Option<&'v mut Value> {
    if path.starts_with('/') {
        return value.pointer_mut(path);
    }
    path.split('.').try_fold(value, |value, key| value.get_mut(key))
}

/// What a value is, for a message; never the value itself.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
