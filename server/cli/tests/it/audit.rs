//! The audit log of the real binary.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::program::{Program, tool};
use crate::serve::{SECRET, Server, policy};

/// Answers to wait for before each kill, so that it comes at another moment of the log's life.
const KILLS: [u64; 6] = [1, 2, 7, 40, 90, 200];
const CLIENTS: usize = 4;

#[test]
fn a_server_killed_while_it_records_loses_no_decision_whose_answer_left() {
    let program = Program::new();
    program.sync(&[tool("github", "star", "Stars a repository.")]);
    policy(&program, &[("alice", "github")]);
    let secret = program.write("secret", SECRET);
    let mut answered = BTreeSet::new();
    for (round, n_before_the_kill) in KILLS.into_iter().enumerate() {
        let mut server = Server::start_with(&program, &["--audit-on-failure", "refuse"], &[]);
        let n_answered = AtomicU64::new(0);
        let (client, door) = (server.client.clone(), format!("{}/v1/search_tools", server.base));
        // Until one breaks off: whether that was recorded nobody can say.
        let ask = |place: usize| {
            let ids = (0..).map(|number| format!("round{round}-client{place}-{number}"));
            let is_answered = |id: &String| {
                let request = client.post(&door).json(&json!({ "query": "star" })).header("x-request-id", id);
                let request = request.header("x-shortlist-user", "alice").header("x-shortlist-secret", SECRET);
                let answer = request.send().and_then(reqwest::blocking::Response::text);
                n_answered.fetch_add(1, Ordering::Relaxed);
                answer.is_ok_and(|answer| {
                    assert!(answer.contains("test://github.star"), "{answer}");
                    true
                })
            };
            ids.take_while(is_answered).collect::<Vec<_>>()
        };
        std::thread::scope(|scope| {
            let ask = &ask;
            let clients: Vec<_> = (0..CLIENTS).map(|place| scope.spawn(move || ask(place))).collect();
            while n_answered.load(Ordering::Relaxed) < n_before_the_kill {
                std::thread::yield_now();
            }
            server.child.kill().expect("it can be killed");
            answered.extend(clients.into_iter().flat_map(|client| client.join().expect("no panic")));
        });
        server.child.wait().expect("it is gone");
    }
    assert!(answered.len() as u64 >= KILLS.iter().sum::<u64>() - (KILLS.len() * CLIENTS) as u64);

    // The next server mends what the last kill tore.
    drop(Server::start_with(&program, &[], &[]));
    let report = program.json(&["audit", "verify", "--json", "--secret-file", secret.to_str().expect("UTF-8")]);
    assert_eq!((&report["bad"], &report["sealed"], &report["n_missed"]), (&Value::Null, &json!(true), &json!(0)));
    let lines = program.succeed(&["audit", "query", "--outcome", "allow", "--limit", "1000000", "--json"]);
    let recorded: BTreeSet<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .filter(|record| record["returned"] == json!(["test://github.star"]) && record["user"] == "alice")
        .filter_map(|record| record["request_id"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(answered.difference(&recorded).collect::<Vec<_>>(), Vec::<&String>::new());
}
