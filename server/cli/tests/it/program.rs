//! Runs `shortlist` in a home of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// A home, and the program that works in it.
pub struct Program {
    folder: tempfile::TempDir,
}

impl Program {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// A file beside the home.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("it is written");
        path
    }

    /// The program with these arguments, its progress unseen.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shortlist"));
        command.env("SHORTLIST_HOME", self.home()).env_remove("RUST_LOG").env_remove("SHORTLIST_POLICY");
        command.args(arguments).stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("it starts")
    }

    /// Standard output of a run that must succeed.
    pub fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.succeed(arguments)).expect("JSON")
    }

    /// Standard error of a run that must fail, without a panic.
    pub fn fail(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{arguments:?} should fail");
        assert!(!error.contains("panicked"), "{arguments:?}: {error}");
        error
    }

    /// Syncs a JSONL catalog of these tools as the source `test`, and returns the report.
    pub fn sync(&self, tools: &[Value]) -> Value {
        let file = self.catalog(tools);
        self.json(&["sync", "--json", "--jsonl", &format!("test={}", file.display())])
    }

    pub fn catalog(&self, tools: &[Value]) -> PathBuf {
        let lines: Vec<String> = tools.iter().map(Value::to_string).collect();
        self.write("tools.jsonl", &(lines.join("\n") + "\n"))
    }
}

/// Where a stream goes that nobody reads any more: writing to it fails.
pub fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

/// A tool of a JSONL catalog.
pub fn tool(namespace: &str, name: &str, description: &str) -> Value {
    json!({ "id": format!("{namespace}:{name}"), "namespace": namespace, "name": name, "description": description })
}

/// The repository's own small set.
pub fn crosscheck() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/crosscheck")
}
