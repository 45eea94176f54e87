//! What each door gives.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{ALICE, EVERYTHING, Server, random_tools, tool};

pub fn server() -> Server {
    let mut tools = random_tools(&mut fastrand::Rng::with_seed(1), 120);
    let mut translate = tool("m://language.translate_text@2.0.0", "Translates a text. Into any language.");
    translate.input_schema = Some(
        shortlist_index::Schema::from_json(
            r#"{"properties":{"text":{"type":"string"},"into":{"type":"string"},"options":{"type":"object","properties":{"formal":{}}}},"required":["text"]}"#,
        )
        .expect("a schema"),
    );
    translate.required_scopes = shortlist_index::ScopeRequirement::any_of(["s2", "s1"]);
    tools.push(translate);
    tools.push(tool("m://language.translate_text@1.0.0", "Translates a text."));
    tools.push(tool("m://a%2Eb.GET%20%2Fquotes", "Quotes of the day."));
    tools.push(tool("m://погода.прогноз", "Прогноз погоды."));
    Server::start(tools, EVERYTHING)
}

#[tokio::test]
async fn each_level_of_detail_adds_to_the_one_before() {
    let server = server();
    let mut keys = Vec::new();
    for detail in ["name", "summary", "signature", "full"] {
        let body = json!({ "query": "translate text language", "detail": detail, "limit": 1 });
        let answer = server.post(&ALICE, "/v1/search_tools", body).await.ok();
        let hit = &answer["hits"][0];
        assert_eq!(hit["ref"], "m://language.translate_text@2.0.0");
        assert_eq!(hit["detail"], detail);
        keys.push(hit.as_object().expect("an object").keys().cloned().collect::<Vec<_>>());
        if detail == "signature" {
            let expected = json!([
                { "name": "text", "type": "string", "required": true },
                { "name": "into", "type": "string", "required": false },
                { "name": "options", "type": "object", "required": false },
            ]);
            assert_eq!(hit["parameters"], expected);
        }
        if detail == "full" {
            assert_eq!(hit["input_schema"]["required"], json!(["text"]));
        }
    }
    // Its other version is named at every level.
    assert_eq!(keys[0], ["alternatives", "detail", "name", "namespace", "ref", "score", "title"]);
    assert!(
        keys.windows(2).all(|pair| pair[0].iter().all(|key| pair[1].contains(key)) && pair[0].len() < pair[1].len())
    );
}

#[tokio::test]
async fn copies_of_a_tool_share_a_place_unless_they_are_asked_for_apart() {
    let copies = ["one", "two", "three", "four", "five", "six"];
    let copies = copies.map(|name| tool(&format!("m://{name}.web_search"), "Search the web, and read the pages."));
    let server = Server::start(copies.to_vec(), EVERYTHING);
    let answer = server.search(&ALICE, "search the web").await.ok();
    assert_eq!(answer["hits"].as_array().map(Vec::len), Some(1));
    let hit = &answer["hits"][0];
    assert_eq!((hit["alternatives"].as_array().map(Vec::len), &hit["more_alternatives"]), (Some(3), &json!(2)));
    assert_eq!(answer["next_cursor"], Value::Null);

    let apart = json!({ "query": "search the web", "collapse": false, "limit": 4 });
    let answer = server.post(&ALICE, "/v1/search_tools", apart).await.ok();
    assert_eq!(answer["hits"].as_array().map(Vec::len), Some(4));
    assert!(answer["hits"][0].get("alternatives").is_none() && answer["hits"][0].get("more_alternatives").is_none());
    // A cursor goes on in the same list, and not in the other.
    let next = json!({ "query": "search the web", "limit": 4, "cursor": answer["next_cursor"] });
    server.post(&ALICE, "/v1/search_tools", next).await.problem(400, "bad_cursor");
}

#[tokio::test]
async fn a_search_has_the_documented_shape() {
    let server = server();
    let answer = server.search(&ALICE, "send a mail").await;
    assert_eq!(answer.header("content-type"), "application/json");
    let answer = answer.ok();
    assert_eq!(answer["hits"].as_array().expect("hits").len(), 10);
    assert_eq!(answer["generation"], 1);
    assert_eq!(answer["degraded"], json!([]));
    assert_eq!((&answer["truncated"], &answer["omitted"]), (&json!(false), &json!(0)));
    assert!(answer["next_cursor"].is_string());
    assert!(answer["hits"][0].get("explanation").is_none());

    let explained =
        server.post(&ALICE, "/v1/search_tools", json!({ "query": "send a mail", "explain": true })).await.ok();
    assert_eq!(explained["hits"][0]["explanation"]["fused"], explained["hits"][0]["score"]);
    let reranked =
        server.post(&ALICE, "/v1/search_tools", json!({ "query": "send a mail", "rerank": true })).await.ok();
    assert_eq!(reranked["degraded"], json!(["rerank"]), "there is no reranker, and the answer says so");
}

#[tokio::test]
async fn an_answer_says_how_sure_it_is_and_what_to_do_when_it_is_not() {
    let server = server();
    for query in ["translate_text", "Translate Text", "language.translate_text", "m://language.translate_text@2.0.0"] {
        let answer = server.search(&ALICE, query).await.ok();
        assert_eq!((&answer["confidence"], &answer["advice"]), (&json!("exact"), &json!(null)), "{query}");
    }
    let answer = server.search(&ALICE, "xylophone quartet rehearsal").await.ok();
    assert!(["weak", "none"].map(|level| json!(level)).contains(&answer["confidence"]), "{}", answer["confidence"]);
    assert!(answer["advice"].as_str().expect("an advice").contains("in other words"));
    // By one leg alone nothing was calibrated.
    let body = json!({ "query": "translate a text", "mode": "lexical" });
    let answer = server.post(&ALICE, "/v1/search_tools", body).await.ok();
    assert_eq!((&answer["confidence"], &answer["advice"]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn details_answer_each_ref_in_order() {
    let server = server();
    let refs = ["m://language.translate_text", "m://nothing.here", "m://language.translate_text@1.0.0"];
    let answer = server.post(&ALICE, "/v1/get_tool_details", json!({ "refs": refs })).await.ok();
    let tools = answer["tools"].as_array().expect("tools");
    assert_eq!(tools.iter().map(|tool| tool["ref"].clone()).collect::<Vec<_>>(), refs);
    assert_eq!(tools[0]["tool"]["ref"], "m://language.translate_text@2.0.0", "without a version, the newest");
    assert_eq!(tools[0]["tool"]["required_scopes"], json!([["s1"], ["s2"]]));
    assert_eq!(tools[0]["tool"]["execution"]["source_type"], "jsonl");
    assert_eq!(tools[1], json!({ "ref": "m://nothing.here", "found": false }));
    assert_eq!(tools[2]["tool"]["version"], "1.0.0");
}

#[tokio::test]
async fn a_tool_is_found_by_its_ref_however_it_is_written() {
    let server = server();
    for path in [
        "m%3A%2F%2Flanguage.translate_text%402.0.0",
        "m://language.translate_text@2.0.0",
        "m://language.translate_text",
        "m://a%2Eb.GET%20%2Fquotes",
        "m%3A%2F%2Fa%252Eb.GET%2520%252Fquotes",
        "m://%D0%BF%D0%BE%D0%B3%D0%BE%D0%B4%D0%B0.%D0%BF%D1%80%D0%BE%D0%B3%D0%BD%D0%BE%D0%B7",
    ] {
        let answer = server.get(&ALICE, &format!("/v1/tools/{path}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.header("cache-control"), "private, no-cache");
        assert!(answer.header("vary").contains("x-shortlist-user"));
    }
    server.get(&ALICE, "/v1/tools/m://language").await.problem(400, "bad_ref");
    server.get(&ALICE, "/v1/tools/m://language.x").await.problem(404, "tool_not_found");
}

#[tokio::test]
async fn an_etag_spares_the_body_until_the_tool_changes() {
    let server = server();
    let path = "/v1/tools/m://language.translate_text@1.0.0";
    let first = server.get(&ALICE, path).await;
    let etag = first.header("etag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"'), "a strong ETag: {etag}");
    let with = |etag: &str| ALICE.request(Method::GET, path).header("if-none-match", etag).body(Body::empty());
    let second = server.send(with(&etag).expect("a request")).await;
    assert_eq!((second.status, second.body.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(second.header("etag"), etag);
    assert_eq!(second.header("cache-control"), first.header("cache-control"));
    assert_eq!(server.send(with("\"other\"").expect("a request")).await, first);

    // Another generation with the tool as it was, then one where it differs.
    let same = tool("m://language.translate_text@1.0.0", "Translates a text.");
    crate::harness::publish(server.home.path(), vec![same.clone(), tool("m://x.y", "z")]);
    server.state.refresh();
    assert_eq!(server.get(&ALICE, path).await, first, "the answer depends on nothing but the tool");
    crate::harness::publish(server.home.path(), vec![tool("m://language.translate_text@1.0.0", "Translates text!")]);
    server.state.refresh();
    assert_eq!(server.send(with(&etag).expect("a request")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn namespaces_are_counted_and_narrowed() {
    let server = server();
    let all = server.post(&ALICE, "/v1/list_namespaces", json!({})).await.ok();
    let counts = all["namespaces"].as_array().expect("namespaces");
    assert!(
        counts.contains(&json!({ "source": "m", "namespace": "language", "n_tools": 1 })),
        "the newest counts once"
    );
    let key = |count: &serde_json::Value| (count["namespace"].to_string(), count["source"].to_string());
    assert!(counts.windows(2).all(|pair| key(&pair[0]) < key(&pair[1])));
    let some = server.post(&ALICE, "/v1/list_namespaces", json!({ "prefix": "lang" })).await.ok();
    assert_eq!(some["namespaces"], json!([{ "source": "m", "namespace": "language", "n_tools": 1 }]));
    assert_eq!(some["next_cursor"], json!(null));
}

#[tokio::test]
async fn namespaces_are_had_by_get_too_with_an_etag_of_what_is_shown() {
    let server = server();
    let posted = server.post(&ALICE, "/v1/list_namespaces", json!({ "prefix": "b", "limit": 1 })).await;
    let path = "/v1/namespaces?prefix=b&limit=1";
    let got = server.get(&ALICE, path).await;
    assert_eq!(got.ok()["namespaces"], posted.ok()["namespaces"]);
    assert_eq!(got.header("cache-control"), "private, no-cache");
    let etag = got.header("etag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"'), "a strong ETag: {etag}");
    let with = |path: &str| ALICE.request(Method::GET, path).header("if-none-match", &etag).body(Body::empty());
    let again = server.send(with(path).expect("a request")).await;
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!((again.header("etag"), again.header("vary")), (etag.as_str(), got.header("vary")));
    assert_eq!(server.send(with("/v1/namespaces?prefix=b&limit=2").expect("a request")).await.status, StatusCode::OK);
    let next = got.json()["next_cursor"].as_str().expect("there are more").to_owned();
    server.get(&ALICE, &format!("{path}&cursor={next}")).await.ok();
    for (query, code) in [
        ("limit=0", "invalid_value"),
        ("limit=501", "invalid_value"),
        ("limit=x", "invalid_value"),
        ("limt=1", "invalid_value"),
        ("cursor=x", "bad_cursor"),
    ] {
        server.get(&ALICE, &format!("/v1/namespaces?{query}")).await.problem(400, code);
    }
}

#[tokio::test]
async fn an_answer_for_a_cache_varies_on_everything_that_says_who_asks() {
    let server = server();
    for path in ["/v1/namespaces", "/v1/tools/m://language.translate_text"] {
        let answer = server.get(&ALICE, path).await;
        let vary = answer.header("vary").to_owned();
        let names: Vec<&str> = vary.split(',').map(str::trim).collect();
        for name in [
            "authorization",
            "x-shortlist-token",
            "x-shortlist-secret",
            "x-shortlist-user",
            "x-shortlist-groups",
            "x-shortlist-act-as",
            "x-shortlist-act-as-scopes",
        ] {
            assert!(names.contains(&name), "{name} is missing in {vary}");
        }
    }
}

#[tokio::test]
async fn health_needs_no_identity_and_other_routes_are_problems() {
    let server = server();
    let bare = |method: Method, path: &str| axum::http::Request::builder().method(method).uri(path).body(Body::empty());
    assert_eq!(server.send(bare(Method::GET, "/livez").expect("a request")).await.ok(), json!({ "status": "ok" }));
    let ready = server.send(bare(Method::GET, "/readyz").expect("a request")).await.ok();
    assert_eq!(ready["ready"], true, "{ready}");
    server.send(bare(Method::GET, "/v1/none").expect("a request")).await.problem(404, "no_such_route");
    let wrong = server.send(bare(Method::GET, "/v1/search_tools").expect("a request")).await;
    wrong.problem(405, "method_not_allowed");
    assert_eq!(wrong.header("allow"), "POST");
}

#[tokio::test]
async fn request_ids_are_taken_over_when_harmless_and_made_when_not() {
    let server = server();
    let send = async |id: &str| {
        let request = axum::http::Request::builder().uri("/livez").header("x-request-id", id).body(Body::empty());
        server.send(request.expect("a request")).await.header("x-request-id").to_owned()
    };
    assert_eq!(send("abc-1.2_3").await, "abc-1.2_3");
    let longest = "a".repeat(128);
    assert_eq!(send(&longest).await, longest);
    for bad in ["", "a b", "a\"b", "a;b", &"a".repeat(129)] {
        let made = send(bad).await;
        assert!(made.len() == 32 && made.bytes().all(|b| b.is_ascii_hexdigit()), "{made}");
    }
    assert_ne!(send("").await, send("").await);
}

#[tokio::test]
async fn a_valid_trace_is_continued_and_anything_else_ignored() {
    let server = server();
    let send = async |value: &str| {
        let request = axum::http::Request::builder().uri("/livez").header("traceparent", value).body(Body::empty());
        server.send(request.expect("a request")).await.header("traceparent").to_owned()
    };
    let ours = send("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").await;
    assert!(ours.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && ours.ends_with("-01"), "{ours}");
    assert!(!ours.contains("b7ad6b7169203331"), "the span is our own: {ours}");
    for bad in ["", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", &"a".repeat(8_000)] {
        assert_eq!(send(bad).await, "");
    }
}

#[tokio::test]
async fn the_openapi_document_lists_every_door_and_publishes_the_limits() {
    let server = server();
    let document = server.get(&ALICE, "/v1/openapi.json").await.ok();
    let paths: Vec<&String> = document["paths"].as_object().expect("paths").keys().collect();
    let expected = [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/livez",
        "/readyz",
        "/v1/admin/audit",
        "/v1/admin/policy",
        "/v1/admin/policy/roll_back",
        "/v1/admin/policy/rules",
        "/v1/admin/policy/rules/{id}",
        "/v1/admin/policy/versions",
        "/v1/admin/sources",
        "/v1/admin/why_not",
        "/v1/get_tool_details",
        "/v1/list_namespaces",
        "/v1/namespaces",
        "/v1/search_tools",
        "/v1/tools/{ref}",
    ];
    assert_eq!(paths, expected);
    use shortlist_server::limits;
    let property = |schema: &str, name: &str| document["components"]["schemas"][schema]["properties"][name].clone();
    let limit = property("SearchToolsRequest", "limit");
    assert_eq!(limit["maximum"], limits::SEARCH_LIMIT_MAX);
    assert_eq!(limit["default"], limits::SEARCH_LIMIT_DEFAULT);
    let tokens = property("SearchToolsRequest", "max_tokens");
    assert_eq!((&tokens["minimum"], &tokens["maximum"]), (&json!(limits::TOKENS_MIN), &json!(limits::TOKENS_MAX)));
    assert_eq!(property("SearchToolsRequest", "query")["maxLength"], shortlist_index::QUERY_CHARS_MAX);
    assert_eq!(property("SearchToolsRequest", "cursor")["maxLength"], limits::CURSOR_CHARS_MAX);
    assert_eq!(property("SearchToolsRequest", "namespaces")["maxItems"], limits::FILTER_VALUES_MAX);
    assert_eq!(property("SearchFilter", "tags")["maxItems"], limits::FILTER_VALUES_MAX);
    assert_eq!(property("SearchFilter", "tags")["items"]["maxLength"], limits::FILTER_VALUE_CHARS_MAX);
    assert_eq!(property("ToolDetailsRequest", "refs")["items"]["maxLength"], shortlist_index::REF_BYTES_MAX);
    assert_eq!(property("RollBackRequest", "version")["maximum"], limits::JSON_INTEGER_MAX);
    let parameter = |path: &str, name: &str| {
        let parameters = document["paths"][path]["get"]["parameters"].as_array().expect("parameters");
        parameters.iter().find(|parameter| parameter["name"] == name).expect("it is told")["schema"].clone()
    };
    assert_eq!(parameter("/v1/admin/audit", "before")["maximum"], limits::JSON_INTEGER_MAX);
    assert_eq!(parameter("/v1/admin/audit", "limit")["maximum"], limits::AUDIT_LIMIT_MAX);
    assert_eq!(parameter("/v1/namespaces", "limit")["maximum"], limits::NAMESPACES_LIMIT_MAX);
    assert_eq!(parameter("/v1/namespaces", "limit")["default"], limits::NAMESPACES_LIMIT_DEFAULT);
    assert_eq!(parameter("/v1/namespaces", "prefix")["maxLength"], limits::FILTER_VALUE_CHARS_MAX);
    assert_eq!(parameter("/v1/namespaces", "cursor")["maxLength"], limits::CURSOR_CHARS_MAX);
    assert_eq!(parameter("/v1/tools/{ref}", "ref")["maxLength"], shortlist_index::REF_BYTES_MAX);
    assert_eq!(property("ToolDetailsRequest", "refs")["maxItems"], limits::DETAILS_REFS_MAX);
    assert_eq!(property("WhyNotRequest", "ref")["maxLength"], limits::WHY_NOT_CHARS_MAX);
    assert_eq!(property("WhyNotRequest", "groups")["maxItems"], limits::MEMBERSHIPS_MAX);
    assert_eq!(property("WhyNotRequest", "limit")["maximum"], limits::SEARCH_LIMIT_MAX);
    assert_eq!(property("NamespacesRequest", "limit")["maximum"], limits::NAMESPACES_LIMIT_MAX);
    assert_eq!(property("NamespacesRequest", "limit")["default"], limits::NAMESPACES_LIMIT_DEFAULT);
    assert_eq!(property("NamespacesRequest", "prefix")["maxLength"], limits::FILTER_VALUE_CHARS_MAX);
    assert_eq!(property("Rule", "note")["maxLength"], limits::POLICY_NOTE_CHARS_MAX);
    assert_eq!(property("Rule", "refs")["maxItems"], limits::POLICY_LIST_MAX);
    // Every operation tells what it can answer, each error as a problem.
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let responses = operation["responses"].as_object().expect("responses");
            let mut statuses = vec!["500"];
            if path.starts_with("/v1/") {
                statuses.extend(["429", "503", if path.starts_with("/v1/admin") { "404" } else { "401" }]);
            }
            if operation.get("requestBody").is_some() {
                statuses.extend(["400", "408", "413", "415"]);
            }
            for status in statuses {
                assert!(responses.contains_key(status), "{method} {path} {status}");
            }
            let errors = responses.iter().filter(|(status, _)| status.starts_with(['4', '5']) && *path != "/readyz");
            for (status, response) in errors {
                let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Problem", "{method} {path} {status}");
                assert!(!response["description"].as_str().unwrap_or_default().is_empty());
            }
        }
    }
    let text = document["info"]["description"].as_str().expect("a description");
    assert!(shortlist_server::Code::ALL.iter().all(|code| text.contains(code.as_str())));
    // Every reference leads somewhere.
    let printed = document.to_string();
    for (at, _) in printed.match_indices("#/components/schemas/") {
        let name = printed[at + 21..].split('"').next().expect("a name");
        assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
    }
}
