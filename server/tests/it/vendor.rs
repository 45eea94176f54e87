//! Answers in the shapes of vendors; that their own types take them is tested in `server/cli`.

use serde_json::{Value, json};
use shortlist_index::Schema;

use crate::harness::{ALICE, EVERYTHING, Server, tool};
use crate::mcp;

fn server() -> Server {
    Server::start((0..5).map(|n| tool(&format!("m://a.star_{n}@1.0.0"), "Stars.")).collect(), EVERYTHING)
}

#[tokio::test]
async fn all_pages_together_name_every_tool_once_and_say_which_it_is() {
    let server = server();
    for (shape, tools) in [("anthropic", "/tools"), ("openai", "/output/tools")] {
        let mut body = json!({ "query": "star", "shape": shape, "limit": 2 });
        let mut refs = std::collections::BTreeMap::new();
        for _ in 0..3 {
            let answer = server.post(&ALICE, "/v1/search_tools", body.clone()).await.ok();
            let tools = answer.pointer(tools).and_then(Value::as_array).expect("a list");
            let page = answer["refs"].as_object().expect("an object").clone();
            assert_eq!(tools.len(), page.len());
            assert!(tools.iter().all(|tool| page.contains_key(tool["name"].as_str().expect("a name"))));
            refs.extend(page);
            body["cursor"] = answer["next_cursor"].clone();
        }
        assert_eq!((refs.len(), &body["cursor"]), (5, &Value::Null));
    }
    // The cursor is good whatever the page's shape, as with levels of detail.
    let mut body = json!({ "query": "star", "limit": 2 });
    body["cursor"] = server.post(&ALICE, "/v1/search_tools", body.clone()).await.ok()["next_cursor"].take();
    body["shape"] = json!("openai");
    server.post(&ALICE, "/v1/search_tools", body).await.ok();
}

#[tokio::test]
async fn arguments_that_anthropic_refuses_have_other_keys_and_the_answer_leads_back() {
    let (mut odd, plain) = (tool("m://a.star_odd", "Lists the stars."), tool("m://a.star_plain", "Names one star."));
    let schema = json!({ "properties": { "$top": {}, "page[size]": {}, "id": {} }, "required": ["$top", "id"] });
    odd.input_schema = Some(Schema::from_value(&schema).expect("a schema"));
    let server = Server::start(vec![odd, plain], EVERYTHING);
    let asked = |shape: &str| json!({ "query": "star", "shape": shape });
    let answer = server.post(&ALICE, "/v1/search_tools", asked("anthropic")).await.ok();
    let arguments = answer["arguments"].as_object().expect("an object");
    let names: Vec<&str> = arguments.keys().map(|name| answer["refs"][name].as_str().expect("a ref")).collect();
    assert_eq!(names, ["m://a.star_odd"], "a tool whose keys are taken has none to lead back from");
    let (name, own_keys) = arguments.iter().next().expect("one");
    let tools = answer["tools"].as_array().expect("a list");
    let tool = tools.iter().find(|tool| tool["name"] == *name).expect("it is there");
    let own = |key: &str| own_keys.get(key).and_then(Value::as_str).unwrap_or(key).to_owned();
    let keys: Vec<&String> = tool["input_schema"]["properties"].as_object().expect("an object").keys().collect();
    assert!(keys.iter().all(|key| key.len() <= 64 && !key.contains(['$', '[', ']'])), "{keys:?}");
    let mut all: Vec<String> = keys.into_iter().map(|key| own(key)).collect();
    all.sort();
    assert_eq!(all, ["$top", "id", "page[size]"]);
    let required = tool["input_schema"]["required"].as_array().expect("a list").iter().filter_map(Value::as_str);
    assert_eq!(required.map(own).collect::<Vec<_>>(), ["$top", "id"]);

    let answer = server.post(&ALICE, "/v1/search_tools", asked("openai")).await.ok();
    assert!(answer.get("arguments").is_none() && answer.to_string().contains("page[size]"), "{answer}");
    let answer = self::server().post(&ALICE, "/v1/search_tools", asked("anthropic")).await.ok();
    assert!(answer.get("arguments").is_none(), "{answer}");
}

#[tokio::test]
async fn a_shape_is_whole_and_a_matter_of_rest_alone() {
    let server = server();
    for more in [json!({ "detail": "full" }), json!({ "max_tokens": 200 })] {
        let mut body = json!({ "query": "star", "shape": "openai" });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let problem = server.post(&ALICE, "/v1/search_tools", body).await.problem(400, "invalid_value");
        assert_eq!(problem["pointer"], "/shape");
    }
    let unknown = server.post(&ALICE, "/v1/search_tools", json!({ "query": "x", "shape": "gemini" })).await;
    unknown.problem(400, "invalid_value");
    let over_mcp = mcp::call(&server, &ALICE, "search_tools", json!({ "query": "x", "shape": "openai" })).await.ok();
    assert_eq!(over_mcp["result"]["isError"], true);
}
