//! `shortlist sync`, killed from outside whenever it may be.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::program::{Program, tool};

fn catalog(n: usize, word: &str) -> Vec<serde_json::Value> {
    (0..n).map(|place| tool("space", &format!("tool{place}"), &format!("{word} number {place}"))).collect()
}

fn kill(mut child: Child) {
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
}

#[test]
fn a_sync_killed_at_any_moment_leaves_the_last_generation_serving() {
    let program = Program::new();
    program.sync(&catalog(60, "first"));
    let file = program.catalog(&catalog(300, "second"));
    let named = format!("test={}", file.display());
    let start = || {
        let mut command = program.command(&["sync", "--jsonl", &named]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
    };
    // Moments spread over a whole pass, however fast the machine is: each longer than the one before until one pass ends
    // before it is killed.
    let mut delay = Duration::from_millis(40);
    for kills in 1.. {
        let mut child = start();
        let began = Instant::now();
        let ended = loop {
            if child.try_wait().expect("it is ours").is_some() {
                break true;
            }
            if began.elapsed() >= delay {
                break false;
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        if ended {
            assert!(kills > 3, "the pass ended before it could be killed");
            break;
        }
        kill(child);
        let list = program.json(&["generations", "--json"]);
        let current = list.as_array().expect("a list").iter().find(|row| row["current"] == true).expect("one serves");
        assert!(current["n_tools"] == 60 || current["n_tools"] == 300, "after {delay:?}: {current}");
        let found = program.json(&["search", "number 7", "--mode", "lexical", "--json"]);
        assert!(!found["hits"].as_array().expect("hits").is_empty(), "after {delay:?}");
        delay = delay.mul_f64(1.3);
    }
    program.sync(&catalog(300, "second"));
    assert_eq!(program.json(&["generations", "--json"])[0]["n_tools"], 300);
}
