//! Generations by way of a real S3 server, from one machine's home into another's.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use shortlist_ingest::testing::S3Server;

use crate::program::{Program, tool, unread};
use crate::serve::{Server, eventually, policy};

fn s3_server() -> S3Server {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let assets = std::env::var_os("SHORTLIST_ASSETS").map_or(here.join("../../data/assets"), PathBuf::from);
    S3Server::start(&assets, &here.join("../../ingest/tests/peers/seaweedfs.txt")).expect("it starts")
}

/// Runs a command with the variables of the server, which must succeed.
fn json(program: &Program, server: &S3Server, arguments: &[&str]) -> Value {
    let output = program.command(arguments).envs(server.variables()).output().expect("it starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    assert!(!error.contains("never-to-be-printed"), "{error}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_replica_follows_what_is_rebuilt_elsewhere_and_serves_on_when_the_storage_is_gone() {
    const URL: &str = "s3://catalog/of/tools";
    let storage = s3_server();
    let (builder, replica) = (Program::new(), Program::new());
    std::fs::create_dir_all(replica.home()).expect("a home");
    policy(&replica, &[("alice", "github")]);

    // Before anything is published it starts, is not ready, and goes on looking.
    let follow = ["--from", URL, "--follow-every", "200ms"];
    let server = Server::start_with(&replica, &follow, &storage.variables());
    assert!(!server.is_ready());
    assert!(server.log().contains("nothing was published"), "{}", server.log());

    let mut tools = vec![tool("github", "create_issue", "Creates an issue in a repository.")];
    let rebuild = |tools: &[Value]| {
        let named = format!("test={}", builder.catalog(tools).display());
        json(&builder, &storage, &["rebuild", "--json", "--jsonl", &named, "--publish-to", URL])
    };
    let report = rebuild(&tools);
    assert_eq!((&report["generation"], &report["published_to"]["changed"]), (&1.into(), &true.into()));
    eventually("the first generation", || server.is_ready());
    assert_eq!(server.search("alice", "create an issue"), ["test://github.create_issue"]);
    assert!(server.log().contains("generation was pulled"), "{}", server.log());

    // A tool more; and the same again, which is a generation of its own.
    tools.push(tool("github", "fork_repository", "Forks a repository."));
    rebuild(&tools);
    eventually("the second generation", || server.search("alice", "fork")[0] == "test://github.fork_repository");
    assert_eq!(rebuild(&tools)["generation"], 3);

    // Another home rebuilds from the storage: with a number above all that were given out.
    let other = Program::new();
    let report = json(&other, &storage, &["rebuild", "--json", "--from", URL, "--publish-to", URL]);
    assert_eq!((&report["generation"], &report["sources"]["test"]["n_searchable"]), (&4.into(), &2.into()));
    eventually("the rebuilt generation", || replica.json(&["generations", "--json"])[0]["number"] == 4);

    // A rollback reaches the replica too.
    let back = json(&builder, &storage, &["publish", "--json", "--to", URL, "--generation", "1"]);
    assert_eq!((&back["generation"], &back["n_sent"]), (&1.into(), &0.into()));
    eventually("the rollback", || server.search("alice", "fork") == ["test://github.create_issue"]);

    // The storage goes: said once, and what is here serves on, after a restart as well.
    let variables = storage.variables();
    drop(storage);
    eventually("the trouble", || server.log().contains("cannot pull from the remote"));
    assert!(server.is_ready());
    assert_eq!(server.search("alice", "create an issue"), ["test://github.create_issue"]);
    drop(server);
    let server = Server::start_with(&replica, &follow, &variables);
    assert!(server.log().contains("cannot pull from the remote"), "{}", server.log());
    assert!(!server.log().contains("never-to-be-printed"), "{}", server.log());
    assert!(server.is_ready());
    assert_eq!(server.search("alice", "create an issue"), ["test://github.create_issue"]);
}

/// Kills `publish` at moments spread over all of it, and looks each time.
fn kill_a_publish(url: &str, variables: &[(String, String)]) {
    let (builder, replica) = (Program::new(), Program::new());
    let catalog = |n: usize, word: &str| -> Vec<Value> {
        (0..n).map(|i| tool("space", &format!("tool{i}"), &format!("{word} number {i}"))).collect()
    };
    let run = |program: &Program, arguments: &[&str]| {
        let mut command = program.command(arguments);
        command.envs(variables.iter().cloned()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
    };
    // What is current there, as a replica sees it: the whole way, each time into a new generation.
    let n_tools = || -> u64 {
        let pulled = replica.command(&["rebuild", "--json", "--from", url]).envs(variables.iter().cloned()).output();
        let pulled = pulled.expect("it starts");
        assert!(pulled.status.success(), "{}", String::from_utf8_lossy(&pulled.stderr));
        let report: Value = serde_json::from_slice(&pulled.stdout).expect("JSON");
        report["sources"]["test"]["n_searchable"].as_u64().expect("a count")
    };
    builder.sync(&catalog(20, "first"));
    assert!(run(&builder, &["publish", "--to", url]).wait().expect("it ends").success());
    builder.sync(&catalog(150, "second"));
    let mut delay = Duration::from_millis(2);
    for kills in 0.. {
        let mut child = run(&builder, &["publish", "--to", url]);
        let began = Instant::now();
        while began.elapsed() < delay {
            std::thread::sleep(Duration::from_millis(1));
        }
        if child.try_wait().expect("it is ours").is_some() {
            assert!(kills > 3, "the publish ended before it could be killed");
            break;
        }
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        let n_tools = n_tools();
        assert!(n_tools == 20 || n_tools == 150, "after {delay:?}: {n_tools}");
        delay = delay.mul_f64(1.5);
    }
    assert_eq!(n_tools(), 150);
}

#[test]
fn a_publish_killed_at_any_moment_leaves_what_was_current_in_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    kill_a_publish(folder.path().to_str().expect("UTF-8"), &[]);
}

#[test]
fn a_publish_killed_at_any_moment_leaves_what_was_current_in_s3() {
    let storage = s3_server();
    kill_a_publish("s3://killed", &storage.variables());
}

#[test]
fn a_rebuild_takes_a_generation_from_wherever_it_is_and_says_what_is_none() {
    let (program, other) = (Program::new(), Program::new());
    program.sync(&[tool("files", "list", "Lists files."), tool("files", "copy", "Copies a file.")]);
    let store = program.home();
    let generation = store.join("generations/1");
    let shared = tempfile::tempdir().expect("a folder");
    let shared = shared.path().to_str().expect("UTF-8");
    program.succeed(&["publish", "--to", shared]);
    for from in [store.to_str(), generation.to_str(), Some(shared), Some(&format!("file://{shared}"))] {
        let report = other.json(&["rebuild", "--json", "--from", from.expect("UTF-8")]);
        assert_eq!(report["sources"]["test"]["n_searchable"], 2, "{from:?}");
    }
    assert_eq!(other.json(&["search", "copy", "--json"])["hits"][0]["ref"], "test://files.copy");
    assert!(other.fail(&["rebuild", "--from", "nowhere"]).contains("is no generation"));
    assert!(other.fail(&["publish", "--to", "ftp://x/y"]).contains("s3://bucket/prefix"));
    let stranger = Program::new();
    stranger.sync(&[tool("files", "move", "Moves a file.")]);
    assert!(stranger.fail(&["publish", "--to", shared]).contains("shortlist rebuild --publish-to"));
    assert!(Program::new().fail(&["publish", "--to", shared]).contains("no generation yet"));
    // Nobody elsewhere loses tools because a source could not be read here.
    let fresh = Program::new();
    let good = format!("good={}", fresh.catalog(&[tool("files", "list", "Lists files.")]).display());
    let error = fresh.fail(&["rebuild", "--jsonl", &good, "--jsonl", "bad=missing.jsonl", "--publish-to", shared]);
    assert!(error.contains("bad could not be read") && error.contains("nothing was published"), "{error}");
    assert_eq!(other.json(&["rebuild", "--json", "--from", shared])["sources"]["test"]["n_searchable"], 2);
}

#[test]
fn a_pass_that_finds_nothing_new_catches_up_and_leaves_a_roll_back_alone() {
    let builder = Program::new();
    let shared = tempfile::tempdir().expect("a folder");
    let shared = shared.path().to_str().expect("UTF-8");
    let mut tools = vec![tool("files", "list", "Lists files.")];
    // What is current there after a pass, and whether it was made so by that.
    let pass = |tools: &[Value]| {
        let named = format!("test={}", builder.catalog(tools).display());
        let report = builder.json(&["sync", "--json", "--jsonl", &named, "--publish-to", shared]);
        (report["published_to"]["generation"].clone(), report["published_to"]["changed"].clone())
    };
    let is = |number: u64, changed: bool| (Value::from(number), Value::from(changed));
    assert_eq!(pass(&tools), is(1, true));
    assert_eq!(pass(&tools), is(1, false));
    // Built, and not published for whatever reason.
    tools.push(tool("files", "copy", "Copies a file."));
    builder.sync(&tools);
    assert_eq!(pass(&tools), is(2, true));
    builder.succeed(&["publish", "--to", shared, "--generation", "1"]);
    assert_eq!(pass(&tools), is(1, false));
    tools.push(tool("files", "move", "Moves a file."));
    assert_eq!(pass(&tools), is(3, true));
}

#[test]
fn a_publish_that_failed_is_told_beside_a_source_that_failed_and_where_nobody_reads_the_report() {
    let (builder, other) = (Program::new(), Program::new());
    let shared = tempfile::tempdir().expect("a folder");
    let shared = shared.path().to_str().expect("UTF-8");
    builder.sync(&[tool("files", "list", "Lists files.")]);
    builder.succeed(&["publish", "--to", shared]);
    let fail = |program: &Program, arguments: &[&str], stdout: Stdio| {
        let output = program.command(arguments).stdout(stdout).output().expect("it starts");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
        error
    };
    let file = other.catalog(&[tool("files", "move", "Moves a file.")]);
    let good = format!("test={}", file.display());
    for command in ["sync", "rebuild"] {
        let arguments = [command, "--jsonl", &good, "--jsonl", "bad=missing.jsonl", "--publish-to", shared];
        for stdout in [Stdio::piped(), unread()] {
            let error = fail(&other, &arguments, stdout);
            assert!(error.contains("nothing was published to"), "{error}");
            assert!(error.contains("not every source was read and taken"), "{error}");
        }
    }
    // Every source is read, and the number was given out there for another generation.
    let stranger = Program::new();
    stranger.sync(&[tool("files", "move", "Moves a file.")]);
    let named = format!("test={}", stranger.home().with_file_name("tools.jsonl").display());
    let error = fail(&stranger, &["sync", "--jsonl", &named, "--publish-to", shared], unread());
    assert!(error.contains("shortlist rebuild --publish-to"), "{error}");
}
