//! What each message gives.

use serde_json::{Value, json};

use super::{call, modern, send};
use crate::audit;
use crate::harness::{ALICE, BOB, EVERYTHING, Server, Who, tool};

const POLICY: &str = "[[rule]]\neffect = \"allow\"\nto = [\"user:alice\"]\nnamespaces = [\"github\"]\n";

fn server() -> Server {
    let tools = vec![tool("m://github.star", "Stars a repository."), tool("m://jira.close", "Closes an issue.")];
    Server::start(tools, POLICY)
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().expect("a text")
}

#[tokio::test]
async fn both_eras_learn_who_the_server_is_and_get_the_same_three_tools() {
    let server = server();
    let client =
        json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
    let hello = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client });
    let hello = send(&server, &ALICE, hello).await.ok()["result"].take();
    assert_eq!((&hello["protocolVersion"], &hello["serverInfo"]["name"]), (&json!("2025-11-25"), &json!("shortlist")));
    let discovered = modern(&server, &ALICE, "server/discover", json!({})).await.ok()["result"].take();
    assert!(discovered["supportedVersions"].as_array().is_some_and(|all| all.contains(&json!("2026-07-28"))));
    assert_eq!(discovered["_meta"]["io.modelcontextprotocol/serverInfo"], hello["serverInfo"]);
    assert_eq!((&discovered["cacheScope"], &discovered["instructions"]), (&json!("private"), &hello["instructions"]));
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(send(&server, &ALICE, initialized).await.status, 202);

    let old = send(&server, &ALICE, json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })).await.ok();
    let new = modern(&server, &BOB, "tools/list", json!({})).await.ok();
    assert_eq!(old["result"]["tools"], new["result"]["tools"], "whoever asks");
    assert_eq!((&new["result"]["cacheScope"], &new["result"]["ttlMs"]), (&json!("private"), &json!(3_600_000)));
    let tools = new["result"]["tools"].as_array().expect("a list");
    let names: Vec<&Value> = tools.iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["search_tools", "get_tool_details", "list_namespaces"]);
    for tool in tools {
        assert_eq!(
            (&tool["annotations"]["readOnlyHint"], &tool["annotations"]["openWorldHint"]),
            (&json!(true), &json!(false))
        );
        for schema in [&tool["inputSchema"], &tool["outputSchema"]] {
            assert_eq!((&schema["type"], schema.to_string().contains("$ref")), (&json!("object"), false));
        }
    }
    let page = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": { "cursor": "x" } });
    assert_eq!(send(&server, &ALICE, page).await.ok()["error"]["code"], -32_602);
}

#[tokio::test]
async fn an_answer_goes_once_with_a_short_text_beside_it() {
    let server = server();
    let found = call(&server, &ALICE, "search_tools", json!({ "query": "star", "detail": "full" })).await.ok();
    let result = &found["result"];
    assert_eq!(
        (&result["isError"], &result["structuredContent"]["hits"][0]["ref"]),
        (&json!(false), &json!("m://github.star"))
    );
    assert_eq!(text(result), "1 tool, best first:\n1. m://github.star (): Stars a repository.");
    assert_eq!(result["content"].as_array().map(Vec::len), Some(1));
    assert_eq!(result["_meta"]["x-request-id"], "the-test");
    let new =
        modern(&server, &ALICE, "tools/call", json!({ "name": "search_tools", "arguments": { "query": "star" } }))
            .await;
    assert_eq!(
        (&new.ok()["result"]["resultType"], new.header("cache-control")),
        (&json!("complete"), "private, no-store")
    );
    let listed = call(&server, &ALICE, "list_namespaces", json!({})).await.ok();
    assert_eq!(text(&listed["result"]), "1 namespace:\nm://github: 1 tools");
    let details =
        call(&server, &ALICE, "get_tool_details", json!({ "refs": ["m://github.star", "m://jira.close"] })).await.ok();
    assert_eq!(details["result"]["isError"], false);
    assert!(text(&details["result"]).contains("m://jira.close: not found"));
}

#[tokio::test]
async fn a_list_that_is_empty_for_its_prefix_alone_says_so() {
    let server = server();
    let listed = async |who: &Who, arguments: Value| {
        text(&call(&server, who, "list_namespaces", arguments).await.ok()["result"]).to_owned()
    };
    // In other letters, hidden, and none at all.
    for prefix in ["Git", "jira", "none"] {
        let expected = "No namespace that begins so holds a tool that you may use; list without a prefix to see all.";
        assert_eq!(listed(&ALICE, json!({ "prefix": prefix })).await, expected);
    }
    for arguments in [json!({}), json!({ "prefix": "" })] {
        assert_eq!(listed(&BOB, arguments).await, "No namespace holds a tool that you may use.");
    }
}

#[tokio::test]
async fn ids_and_traces_are_read_from_the_message_too() {
    let server = server();
    let meta =
        json!({ "x-request-id": "mine", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" });
    let params = json!({ "name": "list_namespaces", "_meta": meta });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let answer = send(&server, &ALICE, message).await;
    let meta = answer.ok()["result"]["_meta"].take();
    assert_eq!((&meta["x-request-id"], answer.header("x-request-id")), (&json!("mine"), "the-test"));
    let parent = meta["traceparent"].as_str().expect("ours");
    assert!(parent.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && !parent.contains("b7ad6b7169203331"));
    for odd in [json!("a b"), json!("x".repeat(200)), json!(7), json!("")] {
        let params = json!({ "name": "list_namespaces", "_meta": { "x-request-id": odd, "traceparent": odd } });
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        assert_eq!(send(&server, &ALICE, message).await.ok()["result"]["_meta"], json!({ "x-request-id": "the-test" }));
    }
}

#[tokio::test]
async fn mistakes_are_told_to_the_model_with_what_to_do_next() {
    let server = server();
    let check = async |tool: &str, arguments: Value, code: &str, advice: &str| {
        let answer = call(&server, &ALICE, tool, arguments.clone()).await.ok();
        assert_eq!(answer["result"]["isError"], true, "{arguments}");
        let text = text(&answer["result"]).to_owned();
        assert!(text.starts_with(code) && text.contains(advice), "{arguments}: {text}");
    };
    check("search_tools", json!({ "query": "x", "colour": 1 }), "unknown_field at /colour", "input schema").await;
    check("search_tools", json!({ "query": "x", "filter": { "tags": 1 } }), "invalid_value at /filter/tags", "Correct")
        .await;
    check("search_tools", json!({}), "invalid_value", "missing field `query`").await;
    check("search_tools", json!({ "query": "x", "limit": 51 }), "invalid_value at /limit", "1 to 50").await;
    check("search_tools", json!({ "query": "x", "cursor": "x" }), "bad_cursor", "without one").await;
    check("get_tool_details", json!({ "refs": ["x"] }), "bad_ref at /refs/0", "search_tools").await;
    check("list_namespaces", json!({ "limit": 0 }), "invalid_value at /limit", "1 to 500").await;
    let missing = call(&server, &ALICE, "get_tool_details", json!({ "refs": ["m://none.none"] })).await.ok();
    let hidden = call(&server, &ALICE, "get_tool_details", json!({ "refs": ["m://jira.close"] })).await.ok();
    assert_eq!(missing["result"]["isError"], true);
    assert_eq!(missing["result"]["content"], hidden["result"]["content"]);
    assert!(text(&missing["result"]).contains("search again"));
}

#[tokio::test]
async fn every_call_is_a_decision_in_the_audit_under_the_name_of_its_tool() {
    let tools = vec![tool("m://github.star", "Stars."), tool("m://jira.close", "Closes.")];
    let server = audit::audited(tools, POLICY, |_| {});
    call(&server, &ALICE, "search_tools", json!({ "query": "star" })).await.ok();
    call(&server, &ALICE, "get_tool_details", json!({ "refs": ["m://jira.close"] })).await.ok();
    call(&server, &ALICE, "search_tools", json!({ "query": "x", "colour": 1 })).await.ok();
    call(&server, &ALICE, "delete_tools", json!({})).await.ok();
    modern(&server, &ALICE, "tools/list", json!({})).await.ok();
    send(&server, &ALICE, json!({ "jsonrpc": "2.0", "id": 1, "method": "resources/list" })).await.ok();
    send(&server, &ALICE, json!([])).await;
    send(&server, &crate::harness::Who::default(), json!({})).await.problem(401, "unauthenticated");

    let decisions = audit::decisions(&audit::folder(&server));
    let told: Vec<(&str, &str, &str)> = decisions
        .iter()
        .map(|one| {
            let text = |key: &str| one[key].as_str().expect("a text");
            (text("door"), text("outcome"), text("code"))
        })
        .collect();
    let expected = [
        ("mcp/search_tools", "allow", "ok"),
        ("mcp/get_tool_details", "deny", "ok"),
        ("mcp/search_tools", "invalid", "unknown_field"),
        ("mcp/unknown_tool", "invalid", "bad_message"),
        ("mcp/list_tools", "allow", "ok"),
        ("mcp", "invalid", "bad_message"),
        ("mcp", "invalid", "bad_message"),
        ("mcp", "deny", "unauthenticated"),
    ];
    assert_eq!(told, expected);
    assert_eq!(decisions[0]["returned"], json!(["m://github.star"]));
    assert!(decisions[0]["asked"]["query_hmac"].is_string() && !decisions[0].to_string().contains("\"star\""));
    audit::is_good(&audit::folder(&server));
}

#[tokio::test]
async fn an_admin_who_acts_as_somebody_gets_that_ones_answer() {
    let policy = format!("admins = [\"user:bob\"]\n{POLICY}{}", EVERYTHING.replace("everyone", "user:bob"));
    let server = Server::start(vec![tool("m://github.star", "Stars."), tool("m://jira.close", "Closes.")], &policy);
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "list_namespaces" } });
    let acting = super::request(&BOB).header("x-shortlist-act-as", "alice");
    let acting = server.send(acting.body(message.to_string().into()).expect("a request")).await;
    assert_eq!(acting, send(&server, &ALICE, message.clone()).await);
    assert_ne!(acting, send(&server, &BOB, message).await);
}

#[tokio::test]
async fn no_search_over_mcp_takes_more_than_the_most_tokens() {
    let schema = json!({ "description": "x".repeat(200_000) });
    let large = |number: usize| {
        let mut tool = tool(&format!("m://github.star_{number}"), "Stars a repository.");
        tool.input_schema = Some(shortlist_index::Schema::from_value(&schema).expect("a schema"));
        tool
    };
    let server = Server::start((0..10).map(large).collect(), EVERYTHING);
    let asked = json!({ "query": "star", "detail": "full", "collapse": false });
    let answer = call(&server, &ALICE, "search_tools", asked).await;
    let found = answer.ok()["result"]["structuredContent"].take();
    assert!(found.to_string().len() <= 400_000, "{}", found.to_string().len());
    let details: Vec<&Value> = found["hits"].as_array().expect("hits").iter().map(|hit| &hit["detail"]).collect();
    assert_eq!((details.len(), details[0], found["truncated"] == true), (10, &json!("full"), true));
}
