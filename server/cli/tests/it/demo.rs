//! The main job, on the real catalog of 5,012 methods.

use serde_json::Value;

use crate::program::Program;

#[test]
fn the_demo_shows_two_users_different_tools_and_its_second_run_embeds_nothing() {
    let program = Program::new();
    let first = program.succeed(&["demo", "--no-serve"]);
    assert!(first.contains("google: 5012 tools = 5012 records - 0 rejected"), "{first}");
    assert!(first.contains("5012 texts embedded"), "{first}");

    let hits = |user: &str, query: &str| -> Vec<String> {
        let (_, after) = first.split_once(&format!("  {user}: {query}\n")).expect("the search is shown");
        after.lines().take(3).map(|line| line.split_whitespace().next().unwrap_or_default().to_owned()).collect()
    };
    let query = "list the files in a folder";
    assert_eq!(hits("alice", query)[0], "google://drive.files.list@3.0.0");
    assert!(hits("bob", query).iter().all(|hit| hit.starts_with("google://") && !hit.contains("://drive.")));
    assert!(hits("bob", "delete a virtual machine").iter().any(|hit| hit.starts_with("google://compute.")));
    let not_found = first.lines().filter(|line| line.ends_with(" not found")).count();
    assert_eq!(not_found, 2, "hidden and missing: {first}");
    // Nobody sees what the demo's policy denies to everybody, whatever their scopes.
    let policy = program.home().join("policy.toml");
    let as_root = ["--as", "root", "--scope", "https://www.googleapis.com/auth/cloud-platform", "--policy"];
    let see = |reference: &str| {
        let arguments = [&["details", reference][..], &as_root, &[policy.to_str().expect("UTF-8")]].concat();
        program.run(&arguments).status.success()
    };
    assert!(see("google://cloudresourcemanager.projects.get"));
    assert!(!see("google://cloudresourcemanager.projects.delete"));

    let second = program.succeed(&["demo", "--no-serve"]);
    assert!(second.contains("unchanged: generation 1: 5012 tools, 0 texts embedded"), "{second}");

    // The same home answers the other commands.
    let answer = program.json(&["search", "list files", "--json", "--explain", "-n", "5"]);
    assert_eq!(answer["hits"].as_array().map(Vec::len), Some(5));
    assert!(answer["hits"][0]["explanation"]["dense"]["rank"].is_u64(), "{answer}");
    let policy = policy.to_str().expect("UTF-8");
    let details = ["details", "google://compute.instances.delete", "--json"];
    assert_eq!(program.json(&details)["ref"], "google://compute.instances.delete@1.0.0");
    let as_alice = |reference: &str| {
        program.fail(&["details", reference, "--as", "alice", "--group", "office", "--policy", policy])
    };
    let hidden = as_alice("google://compute.instances.delete");
    assert_eq!(hidden.replace("instances.delete", "no.such"), as_alice("google://compute.no.such"));

    let namespaces = program.json(&["namespaces", "--json"]);
    let count = |value: &Value| value["n_tools"].as_u64().unwrap_or(0);
    let total: u64 = namespaces.as_array().expect("a list").iter().map(count).sum();
    assert!(total > 4_000 && total <= 5_012, "{total} tools in namespaces");
}
