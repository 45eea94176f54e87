//! Hundreds of rounds of upstream edits, faults, kills and syncs, each compared with a plain model in memory: nothing lost,
//! nothing extra, counts add up.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fastrand::Rng;
use serde_json::{Value, json};
use shortlist_index::{Grant, HashingEmbedder, Mode, Models, SearchRequest, Snapshot, Store, search};
use shortlist_ingest::source::Source;
use shortlist_ingest::source::automation_hub::AutomationHubConfig;
use shortlist_ingest::source::jsonl::Jsonl;
use shortlist_ingest::sync::{Quiet, SyncError, SyncObserver, SyncOptions, SyncReport, SyncStep, sync};
use shortlist_ingest::testing::{Fault, HubServer};

use crate::support::{DIMENSION, Place, action, hub, served, tools};

const ROUNDS: usize = 300;
/// More faults than a pass makes requests, so that every one of them meets one.
const ALL: usize = 200;
const HOME: &str = "SHORTLIST_TEST_MODEL_HOME";
const HUB: &str = "SHORTLIST_TEST_MODEL_HUB";
const FILE: &str = "SHORTLIST_TEST_MODEL_FILE";
const PERCENT: &str = "SHORTLIST_TEST_MODEL_PERCENT";
const STEP: &str = "SHORTLIST_TEST_MODEL_STEP";

/// What a catalog holds upstream: names and descriptions, and records that are no tools.
#[derive(Clone, Default, PartialEq)]
struct Upstream {
    tools: BTreeMap<String, String>,
    n_bad: usize,
}

impl Upstream {
    /// Some additions, changes and removals. Every description has a word that no other ever had.
    fn edit(&mut self, rng: &mut Rng, next_word: &mut u32) {
        let mut word = || {
            *next_word += 1;
            // Letters alone, and none that a stemmer takes for an ending: one term, and no other's.
            let letters: String = next_word
                .to_string()
                .bytes()
                .map(|digit| char::from(b"bcdfghjkmp"[usize::from(digit - b'0')]))
                .collect();
            format!("Moves the q{letters}q thing to its place.")
        };
        for _ in 0..rng.usize(..4) {
            self.tools.insert(format!("tool{}", rng.u32(..500)), word());
        }
        let names: Vec<String> = self.tools.keys().cloned().collect();
        for name in names {
            match rng.u32(..60) {
                0 | 1 => drop(self.tools.insert(name, word())),
                2 => drop(self.tools.remove(&name)),
                _ => {}
            }
        }
        self.n_bad = rng.usize(..3);
    }

    fn actions(&self) -> Vec<Value> {
        let good = self.tools.iter().map(|(name, text)| action(&format!("team:{name}@1.0.0"), text));
        good.chain((0..self.n_bad).map(|i| action(&format!("no colon in {i}"), "A bad record."))).collect()
    }

    fn lines(&self) -> String {
        let good = self.tools.iter().map(|(name, text)| {
            json!({ "id": format!("team:{name}"), "namespace": "team", "name": name, "description": text }).to_string()
        });
        good.chain((0..self.n_bad).map(|i| format!("{{ this is no record {i}"))).collect::<Vec<_>>().join("\n")
    }
}

/// The two catalogs as a sync sees them, or as the store should serve them. `None`: never read.
#[derive(Clone, Default, PartialEq)]
struct Model {
    hub: Option<Upstream>,
    file: Option<Upstream>,
}

impl Model {
    /// Ref -> description.
    fn tools(&self) -> BTreeMap<String, String> {
        let refs = |upstream: &Option<Upstream>, of: fn(&str) -> String| -> Vec<(String, String)> {
            upstream.iter().flat_map(|u| &u.tools).map(|(name, text)| (of(name), text.clone())).collect()
        };
        let hub = refs(&self.hub, |name| format!("hub://team.{name}@1.0.0"));
        hub.into_iter().chain(refs(&self.file, |name| format!("file://team.{name}"))).collect()
    }
}

/// Ends the process before a step.
struct Mortal {
    n_left: usize,
}

impl SyncObserver for Mortal {
    fn step(&mut self, _: &SyncStep) {
        match self.n_left.checked_sub(1) {
            Some(left) => self.n_left = left,
            None => std::process::abort(),
        }
    }
}

fn pass(
    home: &Path,
    hub_url: &str,
    file: &Path,
    percent: usize,
    observer: &mut dyn SyncObserver,
) -> Result<SyncReport, SyncError> {
    let config = AutomationHubConfig { page_limit: 10, ..AutomationHubConfig::new("hub", hub_url) };
    let sources: Vec<Box<dyn Source>> = vec![Box::new(hub(config)), Box::new(Jsonl::new("file", file))];
    let options = SyncOptions { delta_percent_max: percent, ..SyncOptions::default() };
    sync(&sources, &Store::new(home), &HashingEmbedder::new(DIMENSION), observer, &options)
}

/// The child. As an ordinary test it does nothing.
#[test]
fn child() {
    let variable = |name| std::env::var(name).ok();
    let (Some(home), Some(hub), Some(file)) = (variable(HOME), variable(HUB), variable(FILE)) else { return };
    let number = |name| variable(name).and_then(|text| text.parse().ok()).expect("a number");
    // Whether it succeeds or fails is the model's to know.
    let _ = pass(Path::new(&home), &hub, Path::new(&file), number(PERCENT), &mut Mortal { n_left: number(STEP) });
}

fn pass_that_dies(home: &Path, hub_url: &str, file: &Path, percent: usize, step: usize) {
    Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "model::child", "--test-threads=1"])
        .env(HOME, home)
        .env(HUB, hub_url)
        .env(FILE, file)
        .env(PERCENT, percent.to_string())
        .env(STEP, step.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("a child");
}

/// What serves is exactly the model, by listing, by ref and by search; what went is not found.
fn check(snapshot: &Snapshot, model: &Model, gone: &[(String, String)], rng: &mut Rng, what: &str) {
    let expected = model.tools();
    assert_eq!(tools(snapshot), expected, "{what}");
    let allowed = snapshot.allow(&Grant::everything());
    let n_listed: u64 = snapshot.namespaces(&allowed).iter().map(|count| count.n_tools).sum();
    assert_eq!((snapshot.n_tools(), n_listed), (expected.len(), expected.len() as u64), "{what}");
    for (name, upstream) in [("hub", &model.hub), ("file", &model.file)] {
        let Some(upstream) = upstream else { continue };
        let report = &snapshot.manifest().sources[name];
        assert_eq!(report.n_searchable, upstream.tools.len() as u64, "{what}, {name}");
        assert_eq!(report.n_searchable, report.n_ingested - report.n_rejected, "{what}, {name}");
    }
    let find = |description: &str| -> Vec<(String, String)> {
        let word = description.split(' ').nth(2).expect("the word that nothing else has");
        let request = SearchRequest { mode: Mode::Lexical, ..SearchRequest::new(word) };
        let models = Models { embedder: None, reranker: None };
        let answer = search(snapshot, &models, &allowed, &request).expect("an answer");
        answer.hits.into_iter().map(|hit| (hit.tool.reference.to_string(), hit.tool.description)).collect()
    };
    for _ in 0..expected.len().min(3) {
        let (reference, text) = expected.iter().nth(rng.usize(..expected.len())).expect("one of them");
        assert_eq!(find(text), [(reference.clone(), text.clone())], "{what}");
    }
    for (reference, text) in gone {
        assert_eq!(find(text), [], "{what}: {reference} is gone and was found");
    }
}

#[test]
fn whatever_happens_what_serves_is_what_the_model_says() {
    let rng = &mut Rng::with_seed(20_261_124);
    let place = Place::new();
    let server = HubServer::start(Vec::new()).expect("a loopback port");
    let file: PathBuf = place.home().join("catalog.jsonl");
    let (mut hub_now, mut file_now) = (Upstream::default(), Upstream::default());
    let mut next_word = 0;
    let mut serving = Model::default();
    let (mut n_killed, mut n_failed, mut n_deltas, mut n_whole) = (0, 0, 0, 0);

    for round in 0..ROUNDS {
        if rng.u32(..10) < 7 {
            hub_now.edit(rng, &mut next_word);
        }
        if rng.u32(..10) < 7 {
            file_now.edit(rng, &mut next_word);
        }
        server.replace(hub_now.actions());
        server.expire_cursors(false);
        let hub_is_well = match rng.u32(..10) {
            0 => {
                server.plan(vec![Some(Fault::Status([401, 429, 500, 503][rng.usize(..4)], None)); ALL]);
                false
            }
            1 => {
                server.plan(vec![Some(Fault::Body("<html>not a catalog</html>".to_owned())); ALL]);
                false
            }
            2 => {
                server.plan(vec![Some(Fault::Cut); ALL]);
                false
            }
            // What a second attempt mends.
            3 => {
                server.plan([Some(Fault::Cut), None, Some(Fault::Status(503, Some(1)))]);
                true
            }
            _ => {
                server.plan([]);
                true
            }
        };
        let file_is_well = rng.u32(..8) > 0;
        if file_is_well {
            fs::write(&file, file_now.lines()).expect("it is written");
        } else {
            let _ = fs::remove_file(&file);
        }

        let before = serving.clone();
        let mut after = serving.clone();
        if hub_is_well {
            after.hub = Some(hub_now.clone());
        }
        if file_is_well {
            after.file = Some(file_now.clone());
        }
        let percent = [0, 10, 100][rng.usize(..3)];
        let what = format!("round {round}");
        if rng.u32(..4) == 0 {
            n_killed += 1;
            pass_that_dies(place.home(), &server.base_url(), &file, percent, rng.usize(..22));
            let found = served(&place.store).map(|snapshot| tools(&snapshot)).unwrap_or_default();
            // Whole or not at all; what is neither is a mixture.
            if found == after.tools() {
                serving = after;
            } else {
                assert_eq!(found, before.tools(), "{what}, killed");
            }
            continue;
        }
        match pass(place.home(), &server.base_url(), &file, percent, &mut Quiet) {
            Ok(report) => {
                assert_eq!(report.has_failures(), !(hub_is_well && file_is_well), "{what}");
                n_failed += usize::from(report.has_failures());
                n_deltas += usize::from(report.published && report.is_delta);
                n_whole += usize::from(report.published && !report.is_delta);
                for source in report.sources.values() {
                    assert_eq!(source.n_searchable, source.n_ingested - source.n_rejected, "{what}");
                    let n_compared = source.n_added + source.n_changed + source.n_unchanged;
                    assert_eq!(source.n_searchable, n_compared, "{what}");
                }
            }
            Err(error) => {
                let nothing = after == Model::default() && matches!(error, SyncError::NothingRead(_));
                assert!(nothing, "{what}: {error}");
                continue;
            }
        }
        let (old, new) = (before.tools(), after.tools());
        let gone: Vec<(String, String)> = old.into_iter().filter(|(r, text)| new.get(r) != Some(text)).collect();
        let snapshot = place.served().expect("a generation");
        check(&snapshot, &after, &gone, rng, &what);
        serving = after;
    }
    // The dice gave every kind of round.
    let counts = [n_killed, n_failed, n_deltas, n_whole];
    assert!(counts.iter().all(|&n| n > 20), "killed, failed, deltas, whole: {counts:?}");
}
