//! The audit log: that every decision is in it, and nothing else; that it cannot be changed unnoticed; that it goes on.

mod decisions;
mod failing;
mod files;
mod hung_up;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use shortlist_server::Secret;
use shortlist_server::audit::{Audit, AuditConfig, AuditError, Report, verify};

use crate::harness::{Patience, SECRET, Server, embedder, home, publish};

pub fn secret() -> Secret {
    Secret::new(SECRET).expect("long enough")
}

/// A server over these tools whose audit log is configured so.
pub fn audited(tools: Vec<shortlist_index::Tool>, policy: &str, configure: impl FnOnce(&mut AuditConfig)) -> Server {
    let home = home(policy);
    publish(home.path(), tools);
    over(home, configure)
}

/// A server over a home as it is.
pub fn over(home: tempfile::TempDir, configure: impl FnOnce(&mut AuditConfig)) -> Server {
    let mut config = AuditConfig::new(home.path().join("audit"));
    configure(&mut config);
    let patience = Patience::new();
    let audit = loop {
        // The server before lets go of the log only after its last record.
        match Audit::start(config.clone(), &secret()) {
            Err(AuditError::Locked(_)) => patience.check(),
            started => break started.expect("it starts"),
        }
    };
    Server::over(home, |config| config.audit = Some(audit), embedder())
}

pub fn folder(server: &Server) -> PathBuf {
    server.home.path().join("audit")
}

/// The files of records, oldest first.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let is_records = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "jsonl");
    let mut files: Vec<PathBuf> = entries.filter(is_records).collect();
    files.sort();
    files
}

/// All records as this test reads them, without the code that it tests.
pub fn records(folder: &Path) -> Vec<Value> {
    let texts = files(folder).into_iter().map(|file| fs::read_to_string(file).expect("UTF-8"));
    texts
        .flat_map(|text| text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<Value>>())
        .collect()
}

pub fn decisions(folder: &Path) -> Vec<Value> {
    records(folder).into_iter().filter(|record| record["kind"] == "decision").collect()
}

pub fn kinds(folder: &Path) -> Vec<String> {
    records(folder).iter().map(|record| record["kind"].as_str().expect("a kind").to_owned()).collect()
}

pub fn check(folder: &Path) -> Report {
    verify(folder, &[secret()], &[]).expect("it can be read")
}

/// The log is good, and so says somebody else's program.
pub fn is_good(folder: &Path) {
    let report = check(folder);
    assert!(report.is_good() && report.sealed, "{report:?}");
    if report.first_seq > 1 {
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/audit/check.py");
    let output = std::process::Command::new("python3").arg(script).arg(folder).arg(SECRET).output().expect("Python");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.trim(), format!("{} {}", report.last_seq, report.last_hash));
}

/// The last thread that computed may hold the log for a moment longer than the server.
pub fn wait_for_the_end(folder: &Path) {
    let patience = Patience::new();
    while !check(folder).ended {
        patience.check();
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
