//! `shortlist sync --watch`: the real process, over a hub on a real socket.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use serde_json::{Value, json};
use shortlist_ingest::testing::HubServer;

use crate::program::Program;

fn actions(n: usize) -> Vec<Value> {
    (0..n)
        .map(|i| json!({ "id": format!("team:act{i}@1.0.0"), "description": format!("Does thing number {i}.") }))
        .collect()
}

struct Watch(Child);

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(unix)]
#[test]
fn edits_upstream_appear_failures_are_borne_and_a_stop_is_clean() {
    let hub = HubServer::start(actions(3)).expect("a loopback port");
    let program = Program::new();
    let config = format!(
        "[network]\nallow = [\"127.0.0.0/8\"]\n[[source]]\nname = \"hub\"\ntype = \"automation_hub\"\nbase_url = {:?}\nevery = \"1s\"\n\
         [[source]]\nname = \"broken\"\ntype = \"jsonl\"\npath = \"missing.jsonl\"\nevery = \"1s\"\n",
        hub.base_url()
    );
    let config = program.write("shortlist.toml", &config);
    let shared = tempfile::tempdir().expect("a folder");
    let (config, shared_url) = (config.to_str().expect("UTF-8"), shared.path().to_str().expect("UTF-8"));
    let arguments = ["sync", "--watch", "--json", "--config", config, "--publish-to", shared_url];
    let mut child =
        Watch(program.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts"));
    let lines = BufReader::new(child.0.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
    let mut reports = lines.map(|line| serde_json::from_str::<Value>(&line).expect("one report a line"));

    let first = reports.next().expect("a first pass");
    assert_eq!((&first["sources"]["hub"]["n_searchable"], &first["published"]), (&json!(3), &json!(true)));
    assert!(first["sources"]["broken"]["outcome"]["failed"].is_string(), "{first}");
    hub.replace(actions(5));
    let after = reports.find(|report| report["published"] == true).expect("the edit appears");
    assert_eq!(after["sources"]["hub"]["n_added"], 2);
    // The one that fails waits longer, and is not read in each pass.
    reports.find(|report| report["sources"]["broken"]["outcome"] == "not_due").expect("it backs off");
    let rows = program.json(&["sources", "--json"]);
    let row =
        |name: &str| rows.as_array().expect("rows").iter().find(|row| row["name"] == name).expect("a row").clone();
    assert_eq!((&row("broken")["state"], &row("hub")["state"]), (&json!("failed"), &json!("ok")));
    assert!(row("hub")["next_due_unix_s"].is_u64() && row("broken")["n_failures"].as_u64() > Some(0));

    let pid = child.0.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
    assert_eq!(reports.filter(|report| report["published"] == true).count(), 0);
    assert!(child.0.wait().expect("it ends").success());
    assert_eq!(program.json(&["generations", "--json"])[0]["n_tools"], 5);
    // Elsewhere nobody is to lose the tools of the one that was never read, whether it was due or not.
    assert!(!shared.path().join("CURRENT").exists());
}
