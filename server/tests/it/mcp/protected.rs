//! Clients learn whose tokens are taken, where that is configured, and never from what a caller says.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use shortlist_server::Settings;

use crate::harness::{ALICE, Answer, EVERYTHING, Server, Who, embedder, home, publish, tool};

const ISSUER: &str = "[[issuer]]\nname = \"idp\"\nissuer = \"https://idp.example/t\"\naudience = \"api://shortlist\"\n";
const METADATA: &str = "/.well-known/oauth-protected-resource";

fn server(settings: &str) -> Server {
    let home = home(EVERYTHING);
    publish(home.path(), vec![tool("m://a.b", "c")]);
    let path = home.path().join("serve.toml");
    std::fs::write(&path, settings).expect("written");
    let settings = Settings::load(&path).expect("a configuration");
    let configure = |config: &mut shortlist_server::Config| {
        config.identity.issuers = settings.issuers;
        config.mcp = settings.mcp;
    };
    Server::over(home, configure, embedder())
}

async fn anonymous(server: &Server, method: &str, path: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).header("host", "evil.example");
    server.send(request.header("x-forwarded-host", "evil.example").body(Body::empty()).expect("a request")).await
}

fn challenges(answer: &Answer) -> Vec<&str> {
    let all = answer.headers.get_all("www-authenticate").iter();
    all.map(|challenge| challenge.to_str().expect("a text")).collect()
}

#[tokio::test]
async fn the_metadata_names_the_providers_and_every_challenge_names_the_metadata() {
    let server = server(&format!("public_url = \"https://tools.example\"\n{ISSUER}"));
    let whole = anonymous(&server, "GET", METADATA).await.ok();
    assert_eq!(whole["resource"], "https://tools.example");
    assert_eq!(whole["authorization_servers"], json!(["https://idp.example/t"]));
    let of_mcp = anonymous(&server, "GET", &format!("{METADATA}/mcp")).await.ok();
    assert_eq!(of_mcp["resource"], "https://tools.example/mcp");

    for (path, metadata) in [("/mcp", "/mcp\""), ("/v1/search_tools", "\"")] {
        let answer = anonymous(&server, "POST", path).await;
        let expected = format!("resource_metadata=\"https://tools.example{METADATA}{metadata}");
        answer.problem(401, "unauthenticated");
        let is_expected = |challenge: &&str| challenge.starts_with("Bearer ") && challenge.ends_with(&expected);
        assert_eq!(challenges(&answer).into_iter().filter(is_expected).count(), 1, "{path}");
    }
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string();
    let page = super::request(&ALICE).header("origin", "https://evil.example").body(Body::from(list));
    let page = server.send(page.expect("a request")).await;
    page.problem(403, "forbidden");
    assert!(challenges(&page)[0].starts_with("Bearer ") && challenges(&page)[0].contains("resource_metadata"));
}

#[tokio::test]
async fn without_an_address_or_a_provider_there_is_no_metadata() {
    for settings in ["public_url = \"https://tools.example\"", ISSUER] {
        let server = server(settings);
        for path in [METADATA.to_owned(), format!("{METADATA}/mcp")] {
            anonymous(&server, "GET", &path).await.problem(404, "no_such_route");
        }
        let answer = super::send(&server, &Who::default(), json!({})).await;
        answer.problem(401, "unauthenticated");
        assert!(challenges(&answer).iter().all(|challenge| !challenge.contains("resource_metadata")));
    }
}
