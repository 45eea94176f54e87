//! One document -> records: the head that its operations share, and the operations themselves.

use std::collections::BTreeSet;

use serde_json::Value;
use shortlist_index::Rejection;

use super::SOURCE_TYPE;
use super::identity::identities;
use super::library::{Library, Place};
use super::operation::Operation;
use super::security::Schemes;
use crate::normalize::{TAG_CHARS_MAX, normalize, one_line, rejection};
use crate::source::Record;

/// Why a file that is well-formed is not taken.
pub(super) const NO_API: &str = "the document has neither \"openapi\" nor \"swagger\", so it describes no API";

/// The most operations of one document; the largest real one (Microsoft Graph, beta) has 22,361.
const OPERATIONS_MAX: usize = 50_000;
/// The methods that OpenAPI knows; `query` since 3.2.
const METHODS: [&str; 9] = ["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];

/// What all operations of a document share.
pub(super) struct Api<'a> {
    pub library: &'a Library,
    pub namespace: String,
    /// What the API is called, for people.
    pub title: String,
    /// The title as a label of every operation, where it can be one.
    pub tag: Option<String>,
    pub schemes: Schemes<'a>,
}

/// Whether a value is an API description, of whatever version.
pub(super) fn is_api(root: &Value) -> bool {
    root.get("openapi").is_some() || root.get("swagger").is_some()
}

/// Maps a document, in the order of its paths.
///
/// # Errors
/// A sentence when the document as a whole cannot be read.
pub(super) fn records(library: &Library, source: &str, namespace: &str) -> Result<Vec<Record>, String> {
    let api = Api::of(library, namespace)?;
    let operations = api.operations()?;
    let identities = identities(&operations.found, source, namespace);
    let mut seen = BTreeSet::new();
    let mut records: Vec<Record> = operations.refused.into_iter().map(Err).collect();
    for (operation, identity) in operations.found.iter().zip(identities) {
        let foreign_id = api.foreign_id(&operation.signature());
        let draft = operation.draft(&api, identity).map_err(|reason| rejection(&foreign_id, reason));
        records.push(match draft.and_then(|draft| normalize(draft, source, SOURCE_TYPE)) {
            Ok(tool) if !seen.insert(tool.reference.to_string()) => {
                Err(rejection(&foreign_id, "the document has another operation of the same identity"))
            }
            record => record,
        });
    }
    Ok(records)
}

/// What a document holds below its head.
#[derive(Default)]
struct Operations<'a> {
    found: Vec<Operation<'a>>,
    /// What may have held operations and cannot be read.
    refused: Vec<Rejection>,
}

impl<'a> Api<'a> {
    fn of(library: &'a Library, namespace: &str) -> Result<Self, String> {
        let root = library.root();
        check_version(root.value)?;
        let title = root.get("info").and_then(|info| info.get("title")).and_then(|title| title.value.as_str());
        let title = title.map(one_line).unwrap_or_default();
        let tag = (!title.is_empty() && title.chars().count() <= TAG_CHARS_MAX).then(|| title.clone());
        let title = if title.is_empty() { namespace.to_owned() } else { title };
        Ok(Self { library, namespace: namespace.to_owned(), title, tag, schemes: Schemes::of(library) })
    }

    /// The identity of an operation in the source's own words.
    pub fn foreign_id(&self, signature: &str) -> String {
        format!("{}:{signature}", self.namespace)
    }

    fn operations(&self) -> Result<Operations<'a>, String> {
        let mut operations = Operations::default();
        let Some(paths) = self.library.root().get("paths") else { return Ok(operations) };
        let all = paths.value.as_object().ok_or("\"paths\" is not an object")?;
        for (path, item) in all {
            if path.starts_with("x-") {
                continue;
            }
            if let Err(reason) = self.collect(path, paths.at(item), &mut operations) {
                operations.refused.push(rejection(&self.foreign_id(path), reason));
            }
            if operations.found.len() > OPERATIONS_MAX {
                return Err(format!("the document has more than the {OPERATIONS_MAX} operations allowed"));
            }
        }
        Ok(operations)
    }

    /// The operations of one path: its own, and those of what its `$ref` leads to.
    fn collect(&self, path: &'a str, item: Place<'a>, operations: &mut Operations<'a>) -> Result<(), String> {
        let mut items = vec![item];
        if item.value.get("$ref").is_some() {
            items.push(self.library.deref(item)?);
        }
        let mut earlier = BTreeSet::new();
        for item in &items {
            let members = item.value.as_object().ok_or("the path's item is not an object")?;
            let own = members.iter().filter(|(key, _)| METHODS.contains(&key.to_ascii_lowercase().as_str()));
            // Since 3.2, methods of other names have a place of their own.
            let additional = members.get("additionalOperations").and_then(Value::as_object).into_iter().flatten();
            let mut methods = BTreeSet::new();
            for (method, value) in own.chain(additional) {
                let method = method.to_ascii_uppercase();
                // The path's own operation counts, and not that of its reference.
                if earlier.contains(&method) {
                    continue;
                }
                let is_new = methods.insert(method.clone());
                let operation = Operation { method, path, items: items.clone(), place: item.at(value) };
                let mut refuse = |reason| {
                    operations.refused.push(rejection(&self.foreign_id(&operation.signature()), reason));
                };
                match value {
                    Value::Object(_) if is_new => operations.found.push(operation),
                    Value::Object(_) => refuse("the path has the same method once more, in other letters"),
                    _ => refuse("the operation is not an object"),
                }
            }
            earlier.append(&mut methods);
        }
        Ok(())
    }
}

/// OpenAPI 3 or Swagger 2.0. YAML reads an unquoted `2.0` as a number.
fn check_version(root: &Value) -> Result<(), String> {
    let version = |key: &str| match root.get(key) {
        Some(Value::String(version)) => Some(version.trim().to_owned()),
        Some(Value::Number(version)) => Some(version.to_string()),
        Some(other) => Some(other.to_string()),
        None => None,
    };
    match (version("openapi"), version("swagger")) {
        (Some(version), _) if version == "3" || version.starts_with("3.") => Ok(()),
        (None, Some(version)) if version == "2" || version == "2.0" => Ok(()),
        (Some(version), _) | (None, Some(version)) => {
            let version: String = version.chars().take(40).collect();
            Err(format!("the document is of version {version:?}; OpenAPI 3.x and Swagger 2.0 can be read"))
        }
        (None, None) => Err(NO_API.to_owned()),
    }
}
