//! What becomes of a schema.

use serde_json::json;
use shortlist_index::Schema;

use super::*;

/// The schema `#/x` of a document of these schemas, by the first plan that fits.
fn written(schemas: Value, direction: Direction) -> Value {
    let library = Library::alone(schemas);
    let place = library.root().get("x").expect("the schema x");
    let (plans, bytes_max) = match direction {
        Direction::Request => (REQUEST_PLANS, REQUEST_BYTES_MAX),
        Direction::Response => (RESPONSE_PLANS, RESPONSE_BYTES_MAX),
    };
    let written = plans.iter().find_map(|plan| Writer::new(&library, direction, *plan, bytes_max).write(place).ok());
    let value = Value::Object(written.expect("the last plan always fits"));
    assert!(Schema::from_value(&value).is_ok(), "the index takes it");
    value
}

fn check(schema: Value, expected: Value) {
    assert_eq!(written(json!({ "x": schema.clone() }), Direction::Request), expected, "{schema}");
}

#[test]
fn older_ways_to_say_it_become_those_of_json_schema() {
    check(
        json!({ "type": "string", "nullable": true, "enum": ["a"] }),
        json!({ "type": ["string", "null"], "enum": ["a", null] }),
    );
    check(
        json!({ "type": "integer", "minimum": 1, "exclusiveMinimum": true, "maximum": 9, "exclusiveMaximum": false }),
        json!({ "type": "integer", "exclusiveMinimum": 1, "maximum": 9 }),
    );
    check(json!({ "exclusiveMinimum": 1, "minimum": 0 }), json!({ "exclusiveMinimum": 1, "minimum": 0 }));
    check(json!({ "type": "file" }), json!({ "type": "string", "format": "binary" }));
    check(json!({ "type": "any", "example": 1, "xml": {}, "x-more": 1 }), json!({}));
    check(
        json!({ "properties": { "a": { "type": "string", "required": true } } }),
        json!({ "type": "object",
        "properties": { "a": { "type": "string" } }, "required": ["a"] }),
    );
    check(json!({ "title": "A title" }), json!({ "description": "A title" }));
    check(json!({ "items": {} }), json!({ "type": "array" }));
}

#[test]
fn odd_values_allow_anything() {
    for odd in
        [json!(true), json!([1]), json!("string"), json!(null), json!({ "type": 3, "properties": [], "enum": 1 })]
    {
        check(odd, json!({}));
    }
    check(
        json!({ "properties": { "a": 7, "$ref": { "type": "string" } } }),
        json!({ "type": "object",
        "properties": { "a": {}, "$ref": { "type": "string" } } }),
    );
    check(json!({ "$ref": 7, "type": "string" }), json!({ "type": "string" }));
    check(json!({ "$ref": "#/gone/Pet" }), json!({ "description": "Pet" }));
}

#[test]
fn all_of_is_merged_and_one_of_is_any_of() {
    let schemas = json!({
        "x": {
            "allOf": [{ "$ref": "#/Base" }, { "required": ["b"], "properties": { "b": { "type": "integer" } } }],
            "description": "Both.",
        },
        "Base": {
            "type": "object", "description": "The base.", "required": ["a"], "additionalProperties": false,
            "properties": { "a": { "oneOf": [{ "type": "string" }, { "type": "string" }, { "type": "null" }] } },
        },
    });
    let expected = json!({
        "type": "object", "description": "Both.", "required": ["a", "b"],
        "properties": { "a": { "anyOf": [{ "type": "string" }, { "type": "null" }] }, "b": { "type": "integer" } },
    });
    assert_eq!(written(schemas, Direction::Request), expected);
}

#[test]
fn each_direction_has_its_own_properties() {
    let schemas = json!({ "x": {
        "type": "object", "required": ["id", "secret"], "additionalProperties": false,
        "properties": { "id": { "readOnly": true }, "secret": { "writeOnly": true }, "name": {} },
    } });
    let request = json!({ "type": "object", "required": ["secret"], "properties": { "secret": {}, "name": {} } });
    assert_eq!(written(schemas.clone(), Direction::Request), request);
    let response = json!({ "type": "object", "required": ["id"], "properties": { "id": {}, "name": {} } });
    assert_eq!(written(schemas, Direction::Response), response);
}

#[test]
fn values_are_as_long_as_their_text() {
    for value in
        [json!("\"\n\u{e9}"), json!([]), json!({}), json!([1, -2.5, true]), json!({ "k\n": ["a", 1], "l": "" })]
    {
        let padding = 2_000 - json!([value, ""]).to_string().len();
        let fits = json!({ "enum": [value, "x".repeat(padding)] });
        check(fits.clone(), fits);
        check(json!({ "enum": [value, "x".repeat(padding + 1)] }), json!({}));
    }
}

#[test]
fn circles_end_in_the_name() {
    let schemas = json!({
        "x": { "$ref": "#/Node" },
        "Node": { "type": "object", "description": "A node.", "properties": {
            "parent": { "$ref": "#/Node", "description": "Above it." },
            "children": { "type": "array", "items": { "$ref": "#/Node" } },
        } },
        "self": { "$ref": "#/self" },
    });
    let expected = json!({ "type": "object", "description": "A node.", "properties": {
        "parent": { "type": "object", "description": "Above it." },
        "children": { "type": "array", "items": { "type": "object", "description": "Node: A node." } },
    } });
    assert_eq!(written(schemas, Direction::Request), expected);
    assert_eq!(written(json!({ "x": { "$ref": "#/x" } }), Direction::Request), json!({ "description": "x" }));
    let all_of =
        json!({ "x": { "allOf": [{ "$ref": "#/x" }, { "$ref": "#/y" }] }, "y": { "anyOf": [{ "$ref": "#/x" }] } });
    assert!(written(all_of, Direction::Request).is_object());
}

#[test]
fn what_explodes_stays_within_its_budget_and_keeps_what_is_required() {
    // Each refers ten times to the next: ten billion fields if all were followed.
    let fields = |next: usize| -> Map<String, Value> {
        (0..10).map(|i| (format!("f{i}"), json!({ "$ref": format!("#/S{next}") }))).collect()
    };
    let mut schemas: Map<String, Value> =
        (0..10).map(|i| (format!("S{i}"), json!({ "type": "object", "properties": fields(i + 1) }))).collect();
    schemas.insert("x".to_owned(), json!({ "$ref": "#/S0" }));
    let deep = written(schemas.into(), Direction::Request);
    assert!(deep.to_string().len() <= REQUEST_BYTES_MAX, "{}", deep.to_string().len());
    assert!(deep["properties"]["f9"]["properties"]["f9"].is_object(), "two levels fit");

    let wide: Map<String, Value> = (0..5_000)
        .map(|i| (format!("field{i}"), json!({ "type": "string", "description": "x".repeat(100) })))
        .collect();
    let wide = written(json!({ "x": { "required": ["field4999"], "properties": wide } }), Direction::Request);
    assert!(wide.to_string().len() <= REQUEST_BYTES_MAX + 1_024, "{}", wide.to_string().len());
    assert_eq!(wide["properties"]["field4999"], json!({ "type": "string" }));
    assert_eq!(wide["required"], json!(["field4999"]));

    // Merging leaves no text behind, and must cost all the same.
    let branches = |next: usize| json!({ "allOf": vec![json!({ "$ref": format!("#/A{next}") }); 30] });
    let mut schemas: Map<String, Value> = (0..12).map(|i| (format!("A{i}"), branches(i + 1))).collect();
    schemas.insert("x".to_owned(), json!({ "$ref": "#/A0" }));
    written(schemas.into(), Direction::Request);

    // What is not written must not be looked at to its end either, at each of some thousand places.
    let names: Vec<String> = (0..200_000).rev().map(|i| format!("field{i:06}")).collect();
    let fields: Map<String, Value> = names.iter().map(|name| (name.clone(), json!({}))).collect();
    let long = json!({ "required": names, "properties": fields });
    let values: Vec<usize> = (0..200_000).collect();
    let wide = json!({ "type": vec!["string"; 200_000], "enum": values, "default": values });
    let branches = |to: &str| vec![json!({ "$ref": to }); 5_000];
    let schemas = json!({ "x": { "allOf": branches("#/long") }, "long": long });
    let required = written(schemas, Direction::Request)["required"].clone();
    assert_eq!(required.as_array().and_then(|names| names.last()), Some(&json!("field199999")));
    let schemas = json!({ "x": { "allOf": branches("#/wide") }, "wide": wide });
    assert_eq!(written(schemas, Direction::Request), json!({}));

    let values: Vec<String> = (0..2_000).map(|i| format!("value {i}")).collect();
    check(json!({ "type": "string", "enum": values }), json!({ "type": "string" }));
    let deep = (0..60).fold(json!("end"), |inner, _| json!({ "properties": { "a": inner }, "default": [[[[1]]]] }));
    assert!(written(json!({ "x": deep }), Direction::Response).is_object());
}
