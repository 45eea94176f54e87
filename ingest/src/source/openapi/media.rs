//! [`Media`]: which of several media types is taken of a body or an answer.

use serde_json::Value;

use super::library::{Library, Place};

/// JSON's media types.
const JSON: [&str; 3] = ["application/json", "+json", "text/json"];
/// The media types that are taken first, the best first. A name that ends in `+json` or begins like one of these with
/// parameters (`application/json; charset=utf-8`) counts too.
pub(super) const PREFERRED: [&str; 6] = [
    "application/json",
    "+json",
    "text/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/octet-stream",
];
/// The same for the fields of a form.
pub(super) const FORMS: [&str; 2] = ["multipart/form-data", "application/x-www-form-urlencoded"];

/// One media type of a `content`.
#[derive(Clone, Copy)]
pub(super) struct Media<'a> {
    /// Its name, as the document writes it.
    pub name: &'a str,
    /// The schema of what is sent by it.
    pub schema: Option<Place<'a>>,
}

impl<'a> Media<'a> {
    /// The best one of a `content`; `None` where there is none.
    ///
    /// # Errors
    /// A sentence when it is not an object of objects.
    pub fn of(library: &'a Library, content: Place<'a>) -> Result<Option<Self>, String> {
        let all = content.value.as_object().ok_or("\"content\" is not an object")?;
        let best = all.iter().min_by_key(|(name, _)| rank(name, &PREFERRED));
        let Some((name, value)) = best else { return Ok(None) };
        let media = library.deref(content.at(value)).map_err(|reason| format!("the content {name:?}: {reason}"))?;
        if !media.value.is_object() {
            return Err(format!("the content {name:?} is not an object"));
        }
        Ok(Some(Self { name, schema: media.get("schema") }))
    }

    /// The schema, where what is sent is JSON.
    pub fn json_schema(&self) -> Option<Place<'a>> {
        let is_json = self.name == "*/*" || rank(self.name, &JSON) < JSON.len();
        self.schema.filter(|_| is_json)
    }
}

/// The best media type that Swagger 2.0's `consumes` names, of the operation or of the document.
pub(super) fn consumed<'a>(library: &'a Library, operation: Place<'a>, preferred: &[&str]) -> Option<&'a str> {
    let list = operation.get("consumes").or_else(|| library.root().get("consumes"))?;
    list.value.as_array()?.iter().filter_map(Value::as_str).min_by_key(|name| rank(name, preferred))
}

fn rank(name: &str, preferred: &[&str]) -> usize {
    let name = name.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is = |known: &&str| if known.starts_with('+') { name.ends_with(known) } else { name == *known };
    preferred.iter().position(is).unwrap_or(preferred.len())
}
