//! The OpenAPI document against the server that gives it, by schemathesis: it makes requests of the document, good and bad ones,
//! and checks that every answer is one that the document tells.

use std::path::{Path, PathBuf};
use std::process::Command;

use shortlist_ingest::testing::python;

use crate::program::{Program, crosscheck};
use crate::serve::{SECRET, Server};

/// Cases of each operation that are made at random, beside those of the edges of its schema.
const EXAMPLES: &str = "30";

#[test]
fn every_answer_is_one_that_the_document_tells() {
    let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/schemathesis");
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let assets = std::env::var_os("SHORTLIST_ASSETS").map_or(crates.join("data/assets"), PathBuf::from);
    let interpreter = python(&assets, &peer.join("schemathesis.txt")).expect("pip can install schemathesis");

    let program = Program::new();
    let tools = crosscheck().join("tools.jsonl");
    program.json(&["sync", "--json", "--jsonl", &format!("test={}", tools.display())]);
    let policy = "admins = [\"user:alice\"]\n[[rule]]\neffect = \"allow\"\nto = [\"everyone\"]\nrefs = [\"*\"]\n";
    std::fs::write(program.home().join("policy.toml"), policy).expect("written");
    let config = program.write(
        "serve.toml",
        "[gateway]\n\n[limits]\nrequests_per_second = 100000\nburst = 100000\nrefused_per_second = 100000\n\
         refused_burst = 100000\n",
    );
    let server = Server::start_with(&program, &["--config", config.to_str().expect("UTF-8")], &[]);

    let mut command = Command::new(interpreter.with_file_name("st"));
    command.env("SCHEMATHESIS_HOOKS", peer.join("hooks.py"));
    command.arg("--config-file").arg(peer.join("schemathesis.toml"));
    command.args(["run", &format!("{}/v1/openapi.json", server.base)]);
    command.args(["--max-examples", EXAMPLES, "--seed", "7", "--header", "x-shortlist-user: alice"]);
    command.args(["--header", &format!("x-shortlist-secret: {SECRET}")]);
    let output = command.current_dir(program.home()).output().expect("schemathesis starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    // It says how many it made; a run that made none would be a success as well.
    println!("{said}");
    assert!(said.contains("generated"), "{said}");
    assert!(server.is_ready());
}
