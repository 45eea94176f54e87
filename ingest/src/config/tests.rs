//! What `shortlist.toml` may say.

use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("conf/shortlist.toml"))
}

#[test]
fn every_kind_of_source_is_read() {
    let config = parse(
        r#"
        [[source]]
        name = "google"
        type = "google_discovery"
        folder = "documents"
        apis = ["drive", "gmail:v1"]
        [[source]]
        type = "jsonl"
        name = "tools"
        path = "tools.jsonl.gz"
        [[source]]
        name = "hub"
        type = "automation_hub"
        base_url = "https://hub.example"
        token_env = "HUB_TOKEN"
        [[source]]
        name = "apis"
        type = "openapi"
        path = "apis"
        [[source]]
        name = "remote"
        type = "openapi"
        url = "https://api.example/openapi.json"
        namespace = "billing"
        token_env = "HUB_TOKEN"
        [[source]]
        name = "table"
        type = "parquet"
        path = "tools.parquet"
        [[source]]
        name = "desk"
        type = "arcade"
        base_url = "https://worker.example"
        secret_env = "HUB_TOKEN"
        [[source]]
        name = "git"
        type = "mcp_proxy"
        command = ["uvx", "mcp-server-git"]
        env = { LEVEL = "warning" }
        env_from = ["HUB_TOKEN"]
        shared_listing = true
        [[source]]
        name = "crm"
        type = "mcp_proxy"
        url = "https://mcp.example/mcp"
        header_env = { X-Key = "HUB_TOKEN" }
        handshake = "initialize"
        "#,
    )
    .expect("a configuration");
    let names: Vec<&str> = config.sources.iter().map(SourceConfig::name).collect();
    assert_eq!(names, ["google", "tools", "hub", "apis", "remote", "table", "desk", "git", "crm"]);
    let assets = Assets::locate("nowhere");
    let variable = |name: &str| (name == "HUB_TOKEN").then(|| "secret".to_owned());
    let sources = config.open(Path::new("nowhere"), &assets, &crate::assets::Silent, &variable);
    assert_eq!(sources.len(), 9);
    let types: Vec<&str> = sources.iter().map(|source| source.source_type()).collect();
    assert_eq!(types, config.sources.iter().map(SourceConfig::source_type).collect::<Vec<_>>());
}

#[test]
fn a_source_that_cannot_be_opened_fails_alone_and_says_why() {
    let config = parse(
        r#"
        [[source]]
        name = "no-token"
        type = "automation_hub"
        base_url = "https://hub.example"
        token_env = "HUB_TOKEN"
        [[source]]
        name = "no-file"
        type = "automation_hub"
        base_url = "https://hub.example"
        token_file = "absent/token"
        [[source]]
        name = "refused"
        type = "automation_hub"
        base_url = "https://hub.example"
        page_limit = 0
        [[source]]
        name = "no-asset"
        type = "google_discovery"
        [[source]]
        name = "tools"
        type = "jsonl"
        path = "tools.jsonl"
        "#,
    )
    .expect("a configuration");
    let root = tempfile::tempdir().expect("a temporary folder");
    let assets = Assets::locate(root.path()).with_python("no-such-python");
    let sources = config.open(Path::new("nowhere"), &assets, &crate::assets::Silent, &|_| None);
    let names: Vec<&str> = sources.iter().map(|source| source.name()).collect();
    assert_eq!(names, ["no-token", "no-file", "refused", "no-asset", "tools"]);
    for (source, part) in sources.iter().zip(["HUB_TOKEN", "absent/token", "page_limit", "no-such-python"]) {
        for _ in 0..2 {
            let error = source.fetch(None, &mut |_| ()).expect_err("it is not open");
            assert!(matches!(error, SourceError::NotOpened { .. }), "{error}");
            assert!(error.to_string().contains(part) && error.to_string().contains(source.name()), "{error}");
        }
    }
    let types: Vec<&str> = sources.iter().map(|source| source.source_type()).collect();
    assert_eq!(types, config.sources.iter().map(SourceConfig::source_type).collect::<Vec<_>>());
}

#[test]
fn an_error_names_the_file_the_source_and_the_key() {
    let check = |text: &str, parts: &[&str]| {
        let error = parse(text).expect_err("not a configuration").to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{error:?} should say {parts:?}");
    };
    check("[[source]\n", &["conf/shortlist.toml", "line 1"]);
    check("[[sauce]]\nname='a'\n", &["conf/shortlist.toml", "sauce", "source"]);
    check("[[source]]\nname='a'\n", &["source number 1 \"a\"", "\"type\"", "jsonl"]);
    check("[[source]]\nname='a'\ntype='sql'\n", &["\"sql\"", "automation_hub"]);
    check("[[source]]\nname='a'\ntype='jsonl'\n", &["path"]);
    check("[[source]]\nname='a'\ntype='jsonl'\npath='b'\nfile='c'\n", &["file", "path"]);
    check("[[source]]\nname='A b'\ntype='jsonl'\npath='b'\n", &["A b", "a-z"]);
    check("[[source]]\nname='a'\ntype='openapi'\n", &["\"path\"", "\"url\""]);
    check("[[source]]\nname='a'\ntype='openapi'\npath='b'\nurl='https://c.example'\n", &["two sources"]);
    check("[[source]]\nname='a'\ntype='openapi'\npath='b'\ntoken_env='T'\n", &["credentials"]);
    check("[[source]]\nname='a'\ntype='openapi'\nurl='c.example'\n", &["\"url\""]);
    let twice = "[[source]]\nname='a'\ntype='jsonl'\npath='b'\n".repeat(2);
    check(&twice, &["source number 2", "same name"]);
}

#[test]
fn paths_start_from_the_files_own_folder() {
    let config = parse("[[source]]\nname='a'\ntype='jsonl'\npath='b.jsonl'\n").expect("a configuration");
    assert_eq!(config.relative(Path::new("b.jsonl")), Path::new("conf/b.jsonl"));
    assert_eq!(config.relative(Path::new("/b.jsonl")), Path::new("/b.jsonl"));
}

#[test]
fn the_network_is_the_operators_and_one_source_has_one_kind_of_credentials() {
    let config = parse("[network]\nallow = ['10.0.0.0/8', '::1']\nca_file = 'ca.pem'\n").expect("a configuration");
    assert_eq!(config.network.allow.len(), 2);
    let hub = "[[source]]\nname='hub'\ntype='automation_hub'\nbase_url='https://hub.example'\n";
    let oauth = "oauth = { token_url = 'https://id.example/token', client_id = 'me', client_secret_env = 'S' }\n";
    let config = parse(&format!("{hub}{oauth}")).expect("a configuration");
    let opened = config.open(Path::new("nowhere"), &Assets::locate("nowhere"), &crate::assets::Silent, &|name| {
        (name == "S").then(|| "s3cret".into())
    });
    // It is open: what fails is the name, which nobody knows.
    assert_eq!(opened.len(), 1);
    let refused = |text: &str, part: &str| {
        let error = parse(text).expect_err("not a configuration").to_string();
        assert!(error.contains(part), "{error:?} should say {part:?}");
    };
    refused("[network]\nallow = ['10.1.2.3/8']\n", "10.0.0.0/8");
    refused("[network]\nallowed = []\n", "allowed");
    refused(&format!("{hub}token_env='A'\ntoken_file='b'\n"), "\"token_env\" and \"token_file\"");
    refused(&format!("{hub}token_env='A'\n{oauth}"), "\"oauth\"");
    refused(&format!("{hub}{}", oauth.replace(", client_secret_env = 'S'", "")), "client_secret_env");
    refused(&format!("{hub}{}", oauth.replace("https://id.example/token", "id")), "token_url");
}

#[test]
fn a_network_that_cannot_be_used_closes_the_sources_that_need_it_and_no_other() {
    let text = "[network]\nca_file = 'absent.pem'\n[[source]]\nname='hub'\ntype='automation_hub'\n\
                base_url='https://hub.example'\n[[source]]\nname='tools'\ntype='jsonl'\npath='absent.jsonl'\n";
    let sources = parse(text).expect("a configuration").open(
        Path::new("nowhere"),
        &Assets::locate("nowhere"),
        &crate::assets::Silent,
        &|_| None,
    );
    let errors: Vec<SourceError> = sources.iter().filter_map(|source| source.fetch(None, &mut |_| ()).err()).collect();
    assert!(errors[0].to_string().contains("conf/absent.pem"), "{}", errors[0]);
    assert!(matches!(errors[1], SourceError::Io { .. }), "{}", errors[1]);
}
