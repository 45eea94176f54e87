//! A pass that dies, at every step: by its own abort, and by a SIGKILL from outside.
//!
//! The test binary runs itself again as the process that is to die; the environment tells the copy where and when.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use shortlist_index::{Grant, HashingEmbedder, Models, SearchRequest, search};
use shortlist_ingest::embedding_cache::PART_ROWS;
use shortlist_ingest::source::Source;
use shortlist_ingest::source::jsonl::Jsonl;
use shortlist_ingest::sync::{EmbedProgress, SyncObserver, SyncOptions, SyncStep, sync};

use crate::support::{DIMENSION, Place, once_free, served, tools};

const HOME: &str = "SHORTLIST_TEST_KILL_HOME";
const CATALOG: &str = "SHORTLIST_TEST_KILL_CATALOG";
/// `step:7` or `embedded:2048`.
const WHERE: &str = "SHORTLIST_TEST_KILL_WHERE";
/// `abort`, or `wait` for the parent's SIGKILL.
const HOW: &str = "SHORTLIST_TEST_KILL_HOW";
const WAITING: &str = "the child waits to be killed";

/// Dies where it is told to.
struct Mortal {
    place: String,
    how: String,
    n_steps: usize,
}

impl Mortal {
    fn reach(&self, place: &str) {
        if self.place != place {
            return;
        }
        if self.how == "abort" {
            std::process::abort();
        }
        println!("{WAITING}");
        // Nothing is written to this pipe, so this ends only with the process.
        let _ = std::io::stdout().flush();
        let _ = std::io::stdin().read(&mut [0]);
    }
}

impl SyncObserver for Mortal {
    fn step(&mut self, step: &SyncStep) {
        // A pass that found the lock taken is made again from its first step.
        if matches!(step, SyncStep::Lock) {
            self.n_steps = 0;
        }
        self.reach(&format!("step:{}", self.n_steps));
        self.n_steps += 1;
    }

    fn embedded(&mut self, progress: EmbedProgress) {
        self.reach(&format!("embedded:{}", progress.n_done));
    }
}

fn run(home: &Path, catalog: &Path, observer: &mut dyn SyncObserver) -> shortlist_ingest::sync::SyncReport {
    let sources: Vec<Box<dyn Source>> = vec![Box::new(Jsonl::new("tools", catalog))];
    let (store, embedder) = (shortlist_index::Store::new(home), HashingEmbedder::new(DIMENSION));
    once_free(|| sync(&sources, &store, &embedder, observer, &SyncOptions::default())).expect("a pass")
}

/// The child. As an ordinary test it does nothing.
#[test]
fn child() {
    let variable = |name| std::env::var(name).ok();
    let (Some(home), Some(catalog)) = (variable(HOME), variable(CATALOG)) else { return };
    let place = variable(WHERE).expect("where to die");
    let how = variable(HOW).expect("how to die");
    run(Path::new(&home), Path::new(&catalog), &mut Mortal { place, how, n_steps: 0 });
}

/// Runs a pass in a process that dies at `place`; says whether it died there, by a signal: a pass that failed ends by itself.
fn die(home: &Path, catalog: &Path, place: &str, how: &str) -> bool {
    let mut child = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "kill::child", "--nocapture", "--test-threads=1"])
        .env(HOME, home)
        .env(CATALOG, catalog)
        .env(WHERE, place)
        .env(HOW, how)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    // Kept open, so that the child's read does not end before its life does.
    let _stdin = child.stdin.take();
    let output = BufReader::new(child.stdout.take().expect("its output"));
    if how == "wait" && output.lines().map_while(Result::ok).any(|line| line.contains(WAITING)) {
        child.kill().expect("a SIGKILL");
    }
    child.wait().expect("its end").signal().is_some()
}

fn write_catalog(path: &Path, tools: &BTreeMap<String, String>) {
    let line = |(name, description): (&String, &String)| {
        serde_json::json!({ "id": format!("team:{name}"), "namespace": "team", "name": name, "description": description })
            .to_string()
    };
    fs::write(path, tools.iter().map(line).collect::<Vec<_>>().join("\n")).expect("a catalog");
}

fn catalog(n: usize) -> BTreeMap<String, String> {
    (0..n).map(|i| (format!("tool_{i}"), format!("Does thing number {i}."))).collect()
}

fn refs(catalog: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    catalog.iter().map(|(name, description)| (format!("tools://team.{name}"), description.clone())).collect()
}

/// The steps of a pass that publishes, counted by watching one.
fn count_steps(catalog: &Path) -> usize {
    let place = Place::new();
    let mut watcher = Mortal { place: "nowhere".into(), how: "abort".into(), n_steps: 0 };
    run(place.home(), catalog, &mut watcher);
    watcher.n_steps
}

/// Kills a pass from `before` (nothing, when it is `None`) to `after` at every step, and looks each time.
fn kill_at_every_step(before: Option<&BTreeMap<String, String>>, after: &BTreeMap<String, String>, how: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (old, new) = (folder.path().join("old.jsonl"), folder.path().join("new.jsonl"));
    write_catalog(&new, after);
    let n_steps = count_steps(&new);
    assert!(n_steps > 12, "{n_steps} steps");
    for step in 0..n_steps {
        let place = Place::new();
        if let Some(before) = before {
            write_catalog(&old, before);
            run(place.home(), &old, &mut shortlist_ingest::sync::Quiet);
        }
        // The pass reads the same path with new content, as an operator's file would have it.
        assert!(die(place.home(), &new, &format!("step:{step}"), how), "step {step} was not reached");

        let serving = served(&place.store).map(|snapshot| tools(&snapshot));
        let old_serves = serving == before.map(refs);
        let new_serves = serving == Some(refs(after));
        assert!(old_serves || new_serves, "killed by {how} at step {step}: {serving:?}");
        // Only once everything is written may the new one serve: at the last two steps.
        assert!(old_serves || step + 2 >= n_steps, "killed by {how} at step {step}: the new one serves too early");

        let report = run(place.home(), &new, &mut shortlist_ingest::sync::Quiet);
        let snapshot = place.served().expect("a generation");
        assert_eq!(tools(&snapshot), refs(after), "after the death by {how} at step {step}");
        assert_eq!(report.n_tools(), after.len() as u64);
        assert_eq!(place.store.current().expect("CURRENT"), Some(snapshot.number()));
        assert!(report.published == (step + 1 < n_steps && !new_serves), "step {step}: {report:?}");
        let staging = place.home().join("staging");
        assert!(!report.published || !staging.exists(), "step {step}: staging was not cleaned");
        let allowed = snapshot.allow(&Grant::everything());
        let models = Models { embedder: None, reranker: None };
        let answer = search(&snapshot, &models, &allowed, &SearchRequest::new("sheep")).expect("an answer");
        assert_eq!(answer.hits[0].tool.reference.to_string(), "tools://team.tool_3", "step {step}");
    }
}

fn changed() -> BTreeMap<String, String> {
    let mut catalog = catalog(12);
    catalog.insert("tool_3".into(), "Counts the sheep.".into());
    catalog.remove("tool_5");
    catalog
}

#[test]
fn an_abort_at_any_step_of_the_first_pass_loses_nothing() {
    kill_at_every_step(None, &changed(), "abort");
}

#[test]
fn an_abort_at_any_step_leaves_the_last_generation_serving() {
    kill_at_every_step(Some(&catalog(11)), &changed(), "abort");
}

#[test]
fn a_sigkill_at_any_step_leaves_the_last_generation_serving() {
    kill_at_every_step(Some(&catalog(11)), &changed(), "wait");
}

#[test]
fn vectors_that_were_finished_survive_the_death_of_their_pass() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("tools.jsonl");
    let n_tools = PART_ROWS + 100;
    write_catalog(&path, &catalog(n_tools));
    for how in ["abort", "wait"] {
        let place = Place::new();
        // The second part is embedded and not yet written.
        assert!(die(place.home(), &path, &format!("embedded:{n_tools}"), how));
        let report = run(place.home(), &path, &mut shortlist_ingest::sync::Quiet);
        assert_eq!(report.n_embedded, 100, "{how}");
        assert_eq!(place.tools(), refs(&catalog(n_tools)));
    }
}
