//! Other people's programs as peers: that they are there once, answer, and end with their test.

use std::fs;
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use shortlist_ingest::testing::{Peer, PeerError, python};

use crate::support::peer_python;

#[test]
fn an_environment_is_made_once_and_what_a_killed_run_left_is_made_anew() {
    let assets = tempfile::tempdir().expect("a temporary folder");
    let requirements = assets.path().join("nothing.txt");
    fs::write(&requirements, "# No package, so no network.\n").expect("written");
    let make = || python(assets.path(), &requirements).expect("an environment");
    let made: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(make)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let interpreter = &made[0];
    assert!(made.iter().all(|other| other == interpreter), "{made:?}");
    let status = Command::new(interpreter).args(["-c", "import sys; sys.exit(sys.prefix == sys.base_prefix)"]).status();
    assert!(status.expect("it runs").success(), "it is an environment of its own");

    let folder = interpreter.ancestors().nth(2).expect("the environment's folder");
    let kept = folder.join("kept");
    fs::write(&kept, "").expect("written");
    assert_eq!((make(), kept.exists()), (interpreter.clone(), true), "a whole one is kept");
    fs::remove_file(folder.join("installed.txt")).expect("removed");
    assert_eq!((make(), kept.exists()), (interpreter.clone(), false), "half a one is made anew");

    fs::write(&requirements, "# Another file.\n").expect("written");
    assert_ne!(&make(), interpreter);
    fs::write(&requirements, "no-such-package==1\n").expect("written");
    let error = python(assets.path(), &requirements).expect_err("it has no hash").to_string();
    assert!(error.contains("--require-hashes"), "{error}");
}

#[test]
fn a_peer_answers_and_ends_with_all_its_children() {
    // The server is the child of a shell, which waits for it.
    let peer = Peer::listening(|port| {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("python3 -m http.server --bind 127.0.0.1 {port}; true")]);
        command
    });
    let peer = peer.expect("it listens");
    let address = peer.address();
    assert_eq!(peer.base_url(), format!("http://127.0.0.1:{}", address.port()));
    assert!(TcpStream::connect(address).is_ok());
    drop(peer);
    // The shell was waited for; its child is dying by the same signal.
    let given_up = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(address).is_ok() {
        assert!(Instant::now() < given_up, "it still listens");
    }
}

#[test]
fn a_peer_that_ends_says_its_last_words() {
    let error = Peer::listening(|_| {
        let mut command = Command::new("sh");
        command.args(["-c", "echo the disk is on fire >&2; exit 3"]);
        command
    });
    let error = error.expect_err("it ended");
    assert!(matches!(error, PeerError::Ended { .. }), "{error}");
    assert!(error.to_string().contains("the disk is on fire"), "{error}");
}

#[test]
fn every_pinned_environment_holds_what_it_is_for() {
    for (name, module) in
        [("arcade", "arcade_mcp_server"), ("mcp", "mcp_server_git, mcp_server_time"), ("duckdb", "duckdb")]
    {
        let output =
            Command::new(peer_python(name)).args(["-c", &format!("import {module}")]).output().expect("it runs");
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
