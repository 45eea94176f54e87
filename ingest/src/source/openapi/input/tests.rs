//! What becomes of parameters and bodies.

use serde_json::json;

use super::*;

/// The input of `#/op` of a document, at the path `/shops/{shop}/pets` with the parameters of `#/item`.
fn input(document: Value) -> Result<Value, String> {
    let library = Library::alone(document);
    let place = |key| library.root().get(key);
    let items: Vec<Place<'_>> = place("item").into_iter().collect();
    Input::of(&library, "/shops/{shop}/pets", &items, place("op").expect("an operation")).map(|input| input.write())
}

fn shop() -> Value {
    json!({ "type": "string", "x-location": "path" })
}

#[test]
fn parameters_of_the_operation_replace_those_of_its_path() {
    let document = json!({
        "item": { "parameters": [
            { "name": "shop", "in": "path", "required": true, "schema": { "type": "integer" }, "description": "Which." },
            { "name": "size", "in": "query", "schema": { "type": "integer" } },
        ] },
        "op": { "parameters": [
            { "$ref": "#/size" }, { "name": "Authorization", "in": "header", "schema": {} },
            { "name": "filter", "in": "query", "content": { "application/json": { "schema": { "type": "object" } } } },
        ] },
        "size": { "name": "size", "in": "query", "required": true, "schema": { "type": "string" }, "deprecated": true },
    });
    let expected = json!({ "type": "object", "required": ["shop", "size"], "properties": {
        "shop": { "type": "integer", "description": "Which.", "x-location": "path" },
        "size": { "type": "string", "deprecated": true, "x-location": "query" },
        "filter": { "type": "object", "x-location": "query" },
    } });
    assert_eq!(input(document), Ok(expected));
}

#[test]
fn equal_names_in_different_places_are_told_apart() {
    let parameter = |place: &str| json!({ "name": "id", "in": place, "schema": { "type": "string" } });
    let document = json!({ "op": {
        "parameters": [parameter("header"), parameter("query"), { "name": "body", "in": "query", "schema": {} }],
        "requestBody": { "required": true, "content": { "text/plain": {}, "application/vnd.shop+json": {
            "schema": { "type": "object", "properties": { "a": {} } } } } },
    } });
    let expected = json!({ "type": "object", "required": ["shop", "request_body"], "properties": {
        "shop": shop(),
        "id": { "type": "string", "x-location": "query" },
        "header_id": { "type": "string", "x-location": "header", "x-name": "id" },
        "body": { "x-location": "query" },
        "request_body": { "type": "object", "properties": { "a": {} }, "x-location": "body",
            "x-media-type": "application/vnd.shop+json" },
    } });
    assert_eq!(input(document), Ok(expected));
}

#[test]
fn bodies_and_forms_of_swagger_are_bodies() {
    let document = json!({ "consumes": ["application/xml", "application/json"], "op": { "parameters": [
        { "name": "anything", "in": "body", "required": true, "description": "A pet.", "schema": { "type": "object" } },
        { "name": "tags", "in": "query", "type": "array", "items": { "type": "string" }, "collectionFormat": "csv" },
    ] } });
    let expected = json!({ "type": "object", "required": ["shop", "body"], "properties": {
        "shop": shop(),
        "tags": { "type": "array", "items": { "type": "string" }, "x-location": "query" },
        "body": { "type": "object", "description": "A pet.", "x-location": "body", "x-media-type": "application/json" },
    } });
    assert_eq!(input(document), Ok(expected));

    let document = json!({ "op": { "consumes": ["multipart/form-data"], "parameters": [
        { "name": "photo", "in": "formData", "type": "file", "required": true },
        { "name": "note", "in": "formData", "type": "string" },
    ] } });
    let expected = json!({ "type": "object", "required": ["shop", "body"], "properties": {
        "shop": shop(),
        "body": { "type": "object", "required": ["photo"], "x-location": "body", "x-media-type": "multipart/form-data",
            "properties": { "photo": { "type": "string", "format": "binary" }, "note": { "type": "string" } } },
    } });
    assert_eq!(input(document), Ok(expected));
}

#[test]
fn without_what_it_is_called_with_there_is_no_tool() {
    let check = |operation: Value, part: &str| {
        let reason = input(json!({ "op": operation })).expect_err(part);
        assert!(reason.contains(part), "{reason:?} should say {part:?}");
    };
    check(json!({ "parameters": {} }), "not a list");
    check(json!({ "parameters": [7] }), "parameter number 1: it is not an object");
    check(json!({ "parameters": [{ "in": "query" }] }), "\"name\"");
    check(json!({ "parameters": [{ "name": "a" }] }), "where it goes");
    check(json!({ "parameters": [{ "name": "a", "in": "air" }] }), "\"air\"");
    check(json!({ "parameters": [{ "$ref": "#/nowhere" }] }), "leads nowhere");
    check(json!({ "parameters": vec![json!({}); PARAMETERS_MAX + 1] }), "2000 parameters");
    check(json!({ "requestBody": [] }), "not an object");
    check(json!({ "requestBody": { "$ref": "other.yaml" } }), "name the folder");
    check(json!({ "requestBody": { "content": [] } }), "not an object");
    check(json!({ "requestBody": { "content": { "application/json": 3 } } }), "\"application/json\"");
}

#[test]
fn hundreds_of_parameters_are_named_if_not_described() {
    let parameters: Vec<Value> = (0..500)
        .map(|i| {
            json!({ "name": format!("parameter{i}"), "in": "query", "schema": { "type": "string" },
            "description": "x".repeat(2_000) })
        })
        .collect();
    let written = input(json!({ "op": { "parameters": parameters, "requestBody": { "content": { "a/b": { "schema":
        { "properties": { "wide": {} } } } } } } }))
    .expect("an input");
    assert_eq!(written["properties"].as_object().map(Map::len), Some(502));
    assert_eq!(written["properties"]["parameter499"], json!({ "type": "string", "x-location": "query" }));
    assert!(written.to_string().len() < 64 * 1024);
}
