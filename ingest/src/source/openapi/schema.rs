//! OpenAPI's schemas -> JSON Schema that stands alone, within a budget.
//!
//! Schemas refer to each other freely, in circles too, while a tool's schema has to stand alone and stay readable. How much of
//! one is written depends on what it costs: of a list of ever plainer [`Plan`]s the first whose text stays within the budget
//! is taken. So all branches of a schema are equally deep, and none of them eats the rest; the plainest plan leaves out
//! properties, the required ones last. What is written is never stricter than what the document says: a part that is left
//! out allows anything.
//!
//! `allOf` is merged into one object, for callers and the index read `properties` and `required`. `oneOf` becomes `anyOf`,
//! because alternatives that were shortened may no longer exclude each other. What one direction does not carry is left out:
//! `readOnly` properties of a request, `writeOnly` ones of a response.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use self::keywords::{TYPES, kind, own_keywords};
use super::library::{Library, Place};
use crate::source::prose::cut;

mod keywords;

/// How deep schemas may lie in each other, references followed. With what each level adds, a schema stays well within the
/// index's own limit.
const NESTING_MAX: usize = 14;

/// How much of a schema is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// How many levels of properties, one inside the other.
    pub levels: usize,
    /// The longest description, in bytes.
    pub description_bytes: usize,
    /// The longest list of allowed values, in bytes.
    pub enum_bytes: usize,
    /// Whether what no longer fits is left out, rather than that the plan fails.
    pub truncates: bool,
}

const fn plan(levels: usize, description_bytes: usize, enum_bytes: usize) -> Plan {
    Plan { levels, description_bytes, enum_bytes, truncates: false }
}

/// The ways to write a request. Short descriptions of two levels help more to call a tool than long ones of one.
pub(super) const REQUEST_PLANS: &[Plan] = &[
    plan(5, 300, 2_000),
    plan(4, 300, 2_000),
    plan(3, 300, 1_000),
    plan(3, 120, 1_000),
    plan(2, 300, 1_000),
    plan(2, 120, 500),
    plan(2, 50, 300),
    plan(1, 300, 500),
    plan(1, 100, 300),
    plan(1, 40, 100),
    Plan { levels: 1, description_bytes: 0, enum_bytes: 0, truncates: true },
];
/// How large a request's schema may grow, in bytes of text; only parameters that are too many grow beyond it.
pub(super) const REQUEST_BYTES_MAX: usize = 16 * 1024;
/// The ways to write a response; it is read less.
pub(super) const RESPONSE_PLANS: &[Plan] = &[
    plan(3, 300, 500),
    plan(2, 300, 500),
    plan(2, 100, 300),
    plan(1, 300, 300),
    plan(1, 100, 300),
    plan(1, 40, 100),
    Plan { levels: 1, description_bytes: 0, enum_bytes: 0, truncates: true },
];
/// How large a response's schema may grow, in bytes of text.
pub(super) const RESPONSE_BYTES_MAX: usize = 4 * 1024;

/// Which way what a schema describes travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// To the API.
    Request,
    /// From the API.
    Response,
}

/// The plan does not fit its budget.
#[derive(Debug)]
pub(super) struct OverBudget;

/// Writes schemas by one plan, within one budget.
pub(super) struct Writer<'a> {
    library: &'a Library,
    direction: Direction,
    plan: Plan,
    bytes_left: usize,
    /// The schemas that references are being followed into.
    path: Vec<&'a Value>,
}

impl<'a> Writer<'a> {
    pub fn new(library: &'a Library, direction: Direction, plan: Plan, bytes_max: usize) -> Self {
        Self { library, direction, plan, bytes_left: bytes_max, path: Vec::new() }
    }

    /// Writes a whole schema. What is no schema allows anything.
    pub fn write(&mut self, place: Place<'a>) -> Result<Map<String, Value>, OverBudget> {
        self.schema(place, self.plan.levels, NESTING_MAX)
    }

    /// Takes what a part costs from the budget.
    pub fn spend(&mut self, bytes: usize) -> Result<(), OverBudget> {
        match self.bytes_left.checked_sub(bytes) {
            Some(left) => self.bytes_left = left,
            None if self.plan.truncates => self.bytes_left = 0,
            None => return Err(OverBudget),
        }
        Ok(())
    }

    fn schema(&mut self, place: Place<'a>, levels: usize, nesting: usize) -> Result<Map<String, Value>, OverBudget> {
        // Something for every schema that is looked at: what is merged or skipped leaves no text, and costs time.
        self.spend(4)?;
        let (Some(schema), Some(nesting)) = (place.value.as_object(), nesting.checked_sub(1)) else {
            return Ok(Map::new());
        };
        if self.plan.truncates && self.bytes_left == 0 {
            return Ok(kind(schema).map(|kind| ("type".to_owned(), kind)).into_iter().collect());
        }
        if let Some(Value::String(reference)) = schema.get("$ref") {
            return self.reference(place, reference, schema.get("description"), levels, nesting);
        }
        let mut out = own_keywords(schema, self.plan);
        self.spend(text_bytes(&out))?;
        self.contents(place, schema, &mut out, levels, nesting)?;
        for branch in array(schema, "allOf") {
            let branch = self.schema(place.at(branch), levels, nesting)?;
            merge(&mut out, branch);
        }
        self.alternatives(place, schema, &mut out, levels, nesting)?;
        if !out.contains_key("type") && out.contains_key("properties") {
            out.insert("type".to_owned(), "object".into());
        }
        Ok(out)
    }

    /// Follows a reference; `description` is what the place of the reference says of it.
    fn reference(
        &mut self,
        place: Place<'a>,
        reference: &str,
        description: Option<&Value>,
        levels: usize,
        nesting: usize,
    ) -> Result<Map<String, Value>, OverBudget> {
        let name = reference.rsplit('/').next().unwrap_or(reference);
        let mut out = match self.library.follow(place, reference) {
            Ok(target) if !self.path.iter().any(|&open| std::ptr::eq(open, target.value)) => {
                self.path.push(target.value);
                let out = self.schema(target, levels, nesting);
                self.path.pop();
                out?
            }
            target => {
                let stub = self.stub(name, target.ok());
                self.spend(text_bytes(&stub))?;
                stub
            }
        };
        if let Some(Value::String(description)) = description {
            self.describe(&mut out, description, 1)?;
        }
        Ok(out)
    }

    /// What stands for a schema that is not written: its name, and what it is.
    fn stub(&self, name: &str, target: Option<Place<'a>>) -> Map<String, Value> {
        let text = |key: &str| target.and_then(|target| target.value.get(key)?.as_str());
        let mut out = Map::new();
        if let Some(kind) = text("type").filter(|kind| TYPES.contains(kind)) {
            out.insert("type".to_owned(), kind.into());
        }
        let description = match text("description") {
            Some(description) if !description.is_empty() => format!("{name}: {description}"),
            _ => name.to_owned(),
        };
        let description = cut(&description, self.plan.description_bytes);
        if !description.is_empty() {
            out.insert("description".to_owned(), description.into());
        }
        out
    }

    /// Gives a schema another description, unless that is empty; one that may be `longer` by that factor than others.
    pub fn describe(
        &mut self,
        out: &mut Map<String, Value>,
        description: &str,
        longer: usize,
    ) -> Result<(), OverBudget> {
        let description = cut(description.trim(), longer * self.plan.description_bytes);
        if !description.is_empty() {
            self.spend(description.len() + 16)?;
            out.insert("description".to_owned(), description.into());
        }
        Ok(())
    }

    /// `items`, `additionalProperties` and `properties`.
    fn contents(
        &mut self,
        place: Place<'a>,
        schema: &'a Map<String, Value>,
        out: &mut Map<String, Value>,
        levels: usize,
        nesting: usize,
    ) -> Result<(), OverBudget> {
        if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
            let items = self.schema(place.at(items), levels, nesting)?;
            if !items.is_empty() {
                out.insert("items".to_owned(), items.into());
            }
            out.entry("type").or_insert("array".into());
        }
        if let Some(values) = schema.get("additionalProperties").filter(|values| values.is_object()) {
            let values = self.schema(place.at(values), levels, nesting)?;
            if !values.is_empty() {
                out.insert("additionalProperties".to_owned(), values.into());
            }
        }
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return Ok(()) };
        out.entry("type").or_insert("object".into());
        let Some(below) = levels.checked_sub(1) else { return Ok(()) };
        // What is required comes first. Nothing is made of all names: a document may hold half a million, and refer to them from
        // each operation.
        let listed = array(schema, "required").map(|name| (true, name.as_str()));
        let others = properties.keys().map(|name| (false, Some(name.as_str())));
        let (mut written, mut required_names, mut whole) = (Map::new(), BTreeSet::new(), true);
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for (is_listed, name) in listed.chain(others) {
            if !is_listed && name.is_some_and(|name| seen.contains(name)) {
                continue;
            }
            self.spend(1)?;
            if self.plan.truncates && self.bytes_left == 0 {
                whole = false;
                break;
            }
            let Some((name, property)) = name.and_then(|name| Some((name, properties.get(name)?))) else { continue };
            if !seen.insert(name) {
                continue;
            }
            if self.is_of_the_other_direction(property) {
                whole = false;
                continue;
            }
            if self.plan.truncates && self.bytes_left < name.len() + 4 {
                whole = false;
                break;
            }
            self.spend(name.len() + 4)?;
            // Some write draft 3's form, which says it of the property.
            if is_listed || property.get("required") == Some(&Value::Bool(true)) {
                self.spend(name.len() + 3)?;
                required_names.insert(name);
            }
            written.insert(name.to_owned(), self.schema(place.at(property), below, nesting)?.into());
        }
        out.insert("properties".to_owned(), written.into());
        if !required_names.is_empty() {
            out.insert("required".to_owned(), required_names.into_iter().collect());
        }
        let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
        if closed && whole && !schema.contains_key("patternProperties") && !schema.contains_key("allOf") {
            out.insert("additionalProperties".to_owned(), Value::Bool(false));
        }
        Ok(())
    }

    fn is_of_the_other_direction(&self, property: &Value) -> bool {
        let key = if self.direction == Direction::Request { "readOnly" } else { "writeOnly" };
        property.get(key) == Some(&Value::Bool(true))
    }

    /// `oneOf` or `anyOf`, as `anyOf`.
    fn alternatives(
        &mut self,
        place: Place<'a>,
        schema: &'a Map<String, Value>,
        out: &mut Map<String, Value>,
        levels: usize,
        nesting: usize,
    ) -> Result<(), OverBudget> {
        let key = if schema.contains_key("oneOf") { "oneOf" } else { "anyOf" };
        if self.plan.truncates {
            return Ok(());
        }
        let mut branches = Vec::new();
        for branch in array(schema, key) {
            branches.push(Value::Object(self.schema(place.at(branch), levels, nesting)?));
        }
        if branches.is_empty() {
            return Ok(());
        }
        if schema.get("nullable") == Some(&Value::Bool(true)) && !schema.contains_key("type") {
            branches.push(json!({ "type": "null" }));
        }
        // Alternatives that look alike once they are shortened say no more than one of them.
        let mut different: Vec<Value> = Vec::new();
        for branch in branches {
            if !different.contains(&branch) {
                different.push(branch);
            }
        }
        out.insert("anyOf".to_owned(), different.into());
        Ok(())
    }
}

/// Adds what another schema of the same `allOf` says. Where both say something of the same thing, the first counts.
fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (key, value) in from {
        match (key.as_str(), into.get_mut(&key), value) {
            ("properties", Some(Value::Object(known)), Value::Object(more)) => {
                for (name, property) in more {
                    known.entry(name).or_insert(property);
                }
            }
            ("required", Some(Value::Array(known)), Value::Array(more)) => {
                for name in more {
                    if !known.contains(&name) {
                        known.push(name);
                    }
                }
            }
            // One branch of several knows its own properties only.
            ("additionalProperties", _, Value::Bool(false)) => {}
            (_, Some(_), _) => {}
            (_, None, value) => {
                into.insert(key, value);
            }
        }
    }
}

fn array<'v>(schema: &'v Map<String, Value>, key: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    schema.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text_bytes(map: &Map<String, Value>) -> usize {
    map.iter().map(|(key, value)| key.len() + 4 + value.to_string().len()).sum()
}

#[cfg(test)]
mod tests;
