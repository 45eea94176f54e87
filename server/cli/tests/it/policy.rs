//! `shortlist policy`, and grants that are added while the server runs.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::program::{Program, tool};
use crate::serve::{SECRET, Server};

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn program() -> Program {
    let program = Program::new();
    program.sync(&[
        tool("github", "create_issue", "Creates an issue in a repository."),
        tool("github", "delete_repository", "Deletes a repository."),
        tool("atlassian", "create_issue", "Creates an issue in a Jira project."),
    ]);
    program
}

const POLICY: &str = "admins = [\"user:root\"]\n\
    [[rule]]\neffect = \"allow\"\nto = [\"group:dev\"]\nnamespaces = [\"github\"]\nnote = \"ticket 7\"\n\
    [[rule]]\neffect = \"deny\"\nto = [\"user:bob\"]\nrefs = [\"*.delete_*\"]\n";

#[test]
fn a_grant_added_at_run_time_works_without_restarting_anything() {
    let program = program();
    std::fs::write(program.home().join("policy.toml"), "admins = [\"user:root\"]\n").expect("it is written");
    let mut server = Server::start_with(&program, &[], &[]);
    let process = server.child.id();
    let admin = |request: reqwest::blocking::RequestBuilder| {
        let request = request.header("x-shortlist-user", "root").header("x-shortlist-secret", SECRET);
        request.send().expect("an answer")
    };
    let rules = format!("{}/v1/admin/policy/rules", server.base);
    assert!(server.search("alice", "create an issue").is_empty());

    let rule = json!({ "effect": "allow", "to": ["user:alice"], "namespaces": ["atlassian"] });
    let added = admin(server.client.post(&rules).json(&rule));
    assert_eq!(added.status().as_u16(), 201);
    let id = added.json::<Value>().expect("JSON")["made"]["added"].as_str().expect("an id").to_owned();
    // The very next request, over another connection of the same process.
    assert_eq!(server.search("alice", "create an issue"), ["test://atlassian.create_issue"]);
    assert!(server.search("bob", "create an issue").is_empty());

    assert_eq!(admin(server.client.delete(format!("{rules}/{id}"))).status().as_u16(), 200);
    assert!(server.search("alice", "create an issue").is_empty());
    assert_eq!(admin(server.client.post(&rules).json(&rule)).status().as_u16(), 201);
    assert_eq!(server.search("alice", "create an issue").len(), 1);
    assert!(server.child.try_wait().expect("it is ours").is_none() && server.child.id() == process);

    // What a command shows through somebody's eyes is what the server shows; and a killed server has lost nothing.
    let policy = program.home().join("policy.toml");
    let seen = program.json(&["namespaces", "--json", "--as", "alice", "--policy", text(&policy)]);
    assert_eq!(seen[0]["namespace"], "atlassian");
    server.child.kill().expect("it is ours");
    server.child.wait().expect("it ends");
    let server = Server::start_with(&program, &[], &[]);
    assert_eq!(server.search("alice", "create an issue"), ["test://atlassian.create_issue"]);
}

#[test]
fn an_empty_name_is_refused_and_shows_nothing() {
    let program = program();
    let policy = program.write("policy.toml", POLICY);
    for flag in ["--as", "--group", "--role", "--tenant", "--scope", "--service"] {
        for command in [&["namespaces"][..], &["mcp"], &["search", "issue", "--mode", "lexical"]] {
            let output = program.run(&[command, &[flag, "", "--policy", text(&policy)]].concat());
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && output.stdout.is_empty(), "{command:?} {flag}: {error}");
            assert!(error.contains(&format!("a value is required for '{flag} ")), "{error}");
        }
    }
}

#[test]
fn a_policy_is_checked_explained_and_compared() {
    let program = program();
    let old = program.write("old.toml", POLICY);
    assert!(
        program
            .succeed(&["policy", "check", text(&old), "--strict"])
            .contains("2 rules, 0 to look at, against generation 1")
    );

    let odd = program.write(
        "odd.json",
        r#"{"admins": ["user:root", "user:root"], "rule": [
            {"effect": "allow", "to": ["everyone", "user:a"], "refs": ["*"]},
            {"effect": "allow", "to": ["user:b"], "namespaces": ["gitlab"]},
            {"effect": "deny", "to": ["user:c"], "namespaces": ["git*"]},
            {"effect": "allow", "to": ["user:c"], "refs": ["test://github.*"]},
            {"effect": "allow", "to": ["user:c"], "refs": ["test://github.*"], "note": "again"}]}"#,
    );
    let report = program.json(&["policy", "check", text(&odd), "--json"]);
    let findings: Vec<(&str, &Value)> = report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|finding| (finding["kind"].as_str().expect("a kind"), &finding["rule"]))
        .collect();
    let expected = [
        ("repeated_subject", &json!(null)),
        ("needless_subject", &json!(1)),
        ("allows_everything", &json!(1)),
        ("selects_nothing", &json!(2)),
        ("shadowed", &json!(4)),
        ("repeated_rule", &json!(5)),
        ("shadowed", &json!(5)),
    ];
    assert_eq!(findings, expected, "{report:#}");
    assert!(program.fail(&["policy", "check", text(&odd), "--strict"]).contains("7 things"));
    let bad = program.write("bad.json", r#"{"rule": [{"effect": "allow", "to": ["everyone"]}]}"#);
    assert!(program.fail(&["policy", "check", text(&bad)]).contains("rule 1 of the policy: it selects nothing"));
    // Without a generation there is less to say, and no error.
    let bare = Program::new();
    let odd = bare.write("odd.toml", "[[rule]]\neffect = \"allow\"\nto = [\"everyone\"]\nrefs = [\"*\"]\n");
    let said = bare.succeed(&["policy", "check", text(&odd)]);
    assert!(
        said.contains("rule 1: it allows every tool to everyone") && said.contains("without a generation"),
        "{said}"
    );

    let explain = |who: &[&str], reference: &str| {
        let arguments = [&["policy", "explain", "--policy", text(&old), "--ref", reference][..], who].concat();
        program.succeed(&arguments)
    };
    let seen = explain(&["--as", "alice", "--group", "dev"], "test://github.create_issue");
    assert!(seen.contains(": seen: allowed by rule 1, and no rule denies it"), "{seen}");
    assert!(seen.contains("  rule 1 allows group:dev: namespaces github  (ticket 7)"), "{seen}");
    let denied = explain(&["--as", "bob", "--group", "dev"], "test://github.delete_repository");
    assert!(denied.contains(": not seen: denied by rule 2, though allowed by rule 1"), "{denied}");
    assert!(explain(&["--service", "hub"], "test://github.create_issue").contains("not seen: no rule allows it"));
    assert!(explain(&["--group", "dev"], "test://github.none").contains("there is no such tool"));
    assert!(program.fail(&["policy", "explain", "--policy", text(&old), "--ref", "a://b.c"]).contains("--as"));

    let new = program.write("new.toml", &POLICY.replace("[\"github\"]", "[\"atlassian\"]"));
    let diff = program.json(&["policy", "diff", text(&old), text(&new), "--json", "--as", "bob", "--group", "dev"]);
    let group = json!({
        "who": "group:dev", "n_before": 2, "n_after": 1, "n_gained": 1, "n_lost": 2,
        "gained": ["test://atlassian.create_issue"],
        "lost": ["test://github.create_issue", "test://github.delete_repository"],
    });
    let bob = json!({
        "who": "user:bob + group:dev", "n_before": 1, "n_after": 1, "n_gained": 1, "n_lost": 1,
        "gained": ["test://atlassian.create_issue"], "lost": ["test://github.create_issue"],
    });
    assert_eq!(diff, json!({ "generation": 1, "n_compared": 4, "changes": [group, bob] }));
    let said = program.succeed(&["policy", "diff", text(&old), text(&new)]);
    assert!(
        said.contains("group:dev: gains 1, loses 2; sees 1 tools, before 2\n  + test://atlassian.create_issue\n"),
        "{said}"
    );
    assert!(said.contains("1 of 3 see another set of tools"), "{said}");
    let same = program.json(&["policy", "diff", text(&old), text(&old), "--json"]);
    assert_eq!(same["changes"], json!([]));
}

/// Reads the schema and the policies that are named, and says which of them it refuses.
#[cfg(unix)]
const VALIDATE: &str = r#"
import json, sys, tomllib
from jsonschema import Draft202012Validator
schema = json.load(open(sys.argv[1]))
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
def load(path):
    text = open(path).read()
    return json.loads(text) if path.endswith(".json") else tomllib.loads(text)
print(json.dumps([[error.message for error in validator.iter_errors(load(path))] for path in sys.argv[2:]]))
"#;

#[cfg(unix)]
#[test]
fn the_schema_takes_what_the_program_takes_and_refuses_what_it_refuses() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let assets = std::env::var_os("SHORTLIST_ASSETS").map_or(repository.join("data/assets"), PathBuf::from);
    // The Python SDK of MCP brings the validator along.
    let pins = repository.join("ingest/tests/peers/mcp.txt");
    let python = shortlist_ingest::testing::python(&assets, &pins).expect("pip can install the validator");
    let program = Program::new();
    let schema = program.write("schema.json", &program.succeed(&["policy", "schema"]));

    let readme = std::fs::read_to_string(repository.join("README.md")).expect("the README");
    let blocks = readme.split("```toml\n").skip(1).filter_map(|block| block.split("```").next());
    let mut policies: Vec<(String, bool)> =
        blocks.filter(|block| block.contains("[[rule]]")).map(|block| (block.to_owned(), true)).collect();
    assert!(!policies.is_empty(), "the README shows a policy");
    policies.push((include_str!("../../src/command/demo-policy.toml").to_owned(), true));
    policies.push((POLICY.to_owned(), true));
    policies.push((String::new(), true));
    let rule = |rest: &str| {
        format!(r#"{{"exact": ["everyone"], "rule": [{{"effect": "allow", "to": ["everyone"], {rest}}}]}}"#)
    };
    for (rest, good) in [
        (r#""refs": ["*"]"#, true),
        (r#""scopes_held": true, "open_world": false, "note": "why""#, true),
        (r#""destructive": false, "idempotent": true, "read_only": true, "tags": ["claims:*"]"#, true),
        (r#""refs": ["a[b]"]"#, false),
        (r#""refs": []"#, false),
        (r#""refs": "*""#, false),
        (r#""ref": ["*"]"#, false),
        (r#""scopes_held": "yes", "refs": ["*"]"#, false),
    ] {
        policies.push((rule(rest), good));
    }
    policies.push((rule(r#""refs": ["*"]"#).replace("allow", "permit"), false));
    policies.push((rule(r#""refs": ["*"]"#).replace(r#""to": ["everyone"]"#, r#""to": ["alice"]"#), false));
    policies.push((rule(r#""refs": ["*"]"#).replace(r#""to": ["everyone"]"#, r#""to": ["user:"]"#), false));
    policies.push((r#"{"admins": ["everyone"]}"#.to_owned(), false));
    policies.push((r#"{"rules": []}"#.to_owned(), false));

    let files: Vec<PathBuf> = (0..)
        .zip(&policies)
        .map(|(place, (policy, _))| {
            let format = if policy.starts_with('{') { "json" } else { "toml" };
            program.write(&format!("policy{place}.{format}"), policy)
        })
        .collect();
    let mut command = std::process::Command::new(python);
    command.args(["-c", VALIDATE]).arg(&schema).args(&files);
    let output = command.output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let errors: Vec<Vec<String>> = serde_json::from_slice(&output.stdout).expect("JSON");
    for ((file, (policy, good)), errors) in files.iter().zip(&policies).zip(errors) {
        assert_eq!(errors.is_empty(), *good, "{policy}\n{errors:?}");
        assert_eq!(program.run(&["policy", "check", text(file)]).status.success(), *good, "{policy}");
    }
}
