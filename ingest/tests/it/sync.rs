//! Whole passes, from a hub on a real socket to a generation that opens.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use shortlist_index::HashingEmbedder;
use shortlist_ingest::assets::{Assets, Silent};
use shortlist_ingest::config::Config;
use shortlist_ingest::source::jsonl::Jsonl;
use shortlist_ingest::sync::{
    EmbedProgress, Outcome, SyncError, SyncObserver, SyncOptions, SyncReport, SyncStep, sync,
};
use shortlist_ingest::testing::{Fault, HubServer};

use crate::support::{Counting, DIMENSION, Place, action, actions, sources, start};

/// Ref -> description, as the catalog offers it.
fn offered(source: &str, catalog: &[Value]) -> BTreeMap<String, String> {
    let text = |action: &Value, key: &str| action[key].as_str().unwrap_or_default().to_owned();
    catalog
        .iter()
        .map(|action| (format!("{source}://{}", text(action, "id").replacen(':', ".", 1)), text(action, "description")))
        .collect()
}

/// Every count adds up, per source and in sum, in the report and in the generation.
fn assert_complete(place: &Place, report: &SyncReport) {
    let snapshot = place.served().expect("a generation");
    for (name, source) in &report.sources {
        assert_eq!(source.n_searchable, source.n_ingested - source.n_rejected, "{name}");
        assert_eq!(source.n_searchable, source.n_added + source.n_changed + source.n_unchanged, "{name}");
        assert_eq!(source.rejections.len() as u64, source.n_rejected.min(1_000), "{name}");
        let n_tools = snapshot.tools().filter(|tool| tool.reference.source() == name).count();
        assert_eq!(n_tools as u64, source.n_searchable, "{name}");
        assert_eq!(snapshot.manifest().sources[name].n_searchable, source.n_searchable, "{name}");
    }
    assert_eq!(report.n_tools(), snapshot.n_tools() as u64);
}

#[test]
fn a_first_pass_publishes_everything_and_counts_everything() {
    let mut catalog = actions(30);
    catalog.extend([action("nonsense", ""), action("team0:act_0@1.0.0", "A duplicate."), action("a:b@x", "")]);
    let server = start(catalog);
    let place = Place::new();
    let report = place.sync(&sources(&[("hub", &server)])).expect("a pass");
    assert!(report.published);
    assert_eq!((report.generation, report.n_embedded), (1, 30));
    let source = &report.sources["hub"];
    assert_eq!((source.n_ingested, source.n_rejected, source.n_searchable, source.n_added), (33, 3, 30, 30));
    let duplicate = source.rejections.iter().find(|rejection| rejection.record == "team0:act_0@1.0.0");
    assert!(duplicate.is_some_and(|rejection| rejection.reason.contains("already")), "{:?}", source.rejections);
    assert_eq!(place.tools(), offered("hub", &actions(30)));
    assert!(report.bytes > 0);
    assert_complete(&place, &report);
}

#[test]
fn a_second_pass_over_an_unchanged_catalog_does_nothing() {
    let server = start(actions(30));
    let place = Place::new();
    let embedder = Counting::new("counting");
    let sources = sources(&[("hub", &server)]);
    place.sync_with(&sources, &embedder).expect("a pass");
    assert_eq!(embedder.take(), 30);
    server.take_requests();

    let report = place.sync_with(&sources, &embedder).expect("a pass");
    assert!(!report.published);
    assert_eq!((report.generation, report.n_embedded, embedder.take()), (1, 0, 0));
    assert_eq!(report.sources["hub"].outcome, Outcome::Unchanged);
    assert!(server.take_requests().iter().all(|request| request.status == 304));

    // A hub that has never sent an ETag: everything is read, and found to be what it was.
    server.without_etags();
    let place = Place::new();
    place.sync_with(&sources, &embedder).expect("a pass");
    embedder.take();
    let report = place.sync_with(&sources, &embedder).expect("a pass");
    assert_eq!((report.published, embedder.take()), (false, 0));
    assert_eq!(report.sources["hub"].outcome, Outcome::Read);
    assert_eq!(report.sources["hub"].n_unchanged, 30);
    assert_eq!(place.store.list().expect("generations"), [1]);
    assert_complete(&place, &report);
}

#[test]
fn one_changed_record_embeds_one_text_and_removed_ones_are_gone() {
    let mut catalog = actions(30);
    let server = start(catalog.clone());
    let place = Place::new();
    let embedder = Counting::new("counting");
    let sources = sources(&[("hub", &server)]);
    place.sync_with(&sources, &embedder).expect("a pass");
    embedder.take();

    catalog[7]["description"] = json!("Counts the sheep.");
    catalog.remove(3);
    server.replace(catalog.clone());
    let report = place.sync_with(&sources, &embedder).expect("a pass");
    let source = &report.sources["hub"];
    assert_eq!((source.n_added, source.n_changed, source.n_removed, source.n_unchanged), (0, 1, 1, 28));
    assert_eq!((report.published, report.n_embedded, embedder.take()), (true, 1, 1));
    assert_eq!(place.tools(), offered("hub", &catalog));
    assert_complete(&place, &report);

    // A change that no vector depends on is published and costs no embedding.
    catalog[0]["requiredPermissions"] = json!(["sheep.count"]);
    server.replace(catalog);
    let report = place.sync_with(&sources, &embedder).expect("a pass");
    assert_eq!((report.published, report.sources["hub"].n_changed, embedder.take()), (true, 1, 0));

    // What comes back is still known.
    server.replace(actions(30));
    let report = place.sync_with(&sources, &embedder).expect("a pass");
    assert_eq!((report.published, report.sources["hub"].n_added, embedder.take()), (true, 1, 0));
    assert_eq!(place.tools(), offered("hub", &actions(30)));
}

#[test]
fn a_cached_vector_is_the_vector_that_the_model_gave() {
    let server = start(actions(20));
    let (first, second) = (Place::new(), Place::new());
    first.sync(&sources(&[("hub", &server)])).expect("a pass");
    // Everything comes from the cache in one store and from the model in the other.
    server.replace(actions(17));
    let cached = first.sync(&sources(&[("hub", &server)])).expect("a pass");
    let fresh = second.sync(&sources(&[("hub", &server)])).expect("a pass");
    assert_eq!((cached.n_embedded, fresh.n_embedded), (0, 17));
    let sums =
        |place: &Place| place.served().map(|snapshot| snapshot.manifest().files["base/vectors.arrow"].sha256.clone());
    assert_eq!(sums(&first), sums(&second));
}

#[test]
fn a_source_that_fails_keeps_its_last_good_tools_and_the_others_go_on() {
    let (good, bad) = (start(actions(12)), start(actions(8)));
    let place = Place::new();
    let both = sources(&[("bad", &bad), ("good", &good)]);
    place.sync(&both).expect("a pass");

    good.replace(actions(13));
    let faults = || (0..40).map(|_| Some(Fault::Status(500, None)));
    bad.plan(faults());
    let report = place.sync(&both).expect("a pass");
    assert!(report.has_failures() && report.published);
    assert!(matches!(&report.sources["bad"].outcome, Outcome::Stale(reason) if reason.contains("500")));
    assert_eq!((report.sources["bad"].n_searchable, report.sources["good"].n_added), (8, 1));
    let mut expected = offered("good", &actions(13));
    expected.extend(offered("bad", &actions(8)));
    assert_eq!(place.tools(), expected);
    let stale = |place: &Place| place.served().and_then(|s| s.manifest().sources["bad"].stale.clone());
    assert!(stale(&place).is_some_and(|reason| reason.contains("500")));
    assert_complete(&place, &report);

    // Still broken, and nothing else changed: nothing new to publish.
    let report = place.sync(&both).expect("a pass");
    assert!(!report.published && report.has_failures());

    // Well again: the generation must not go on calling it stale.
    bad.plan([]);
    let report = place.sync(&both).expect("a pass");
    assert!(report.published && !report.has_failures());
    assert_eq!(report.sources["bad"].outcome, Outcome::Unchanged);
    assert_eq!(stale(&place), None);
    assert_eq!(report.n_embedded, 0);
}

#[test]
fn every_kind_of_fault_in_mid_pass_leaves_the_last_good_tools() {
    let server = start(actions(25));
    let place = Place::new();
    let sources = sources(&[("hub", &server)]);
    place.sync(&sources).expect("a pass");
    let expected = place.tools();
    let always = |fault: Fault| -> Vec<Option<Fault>> {
        // Another catalog appears, its first page goes well, everything after it does not.
        let change = Fault::Change(actions(40));
        [Some(change), None].into_iter().chain((0..40).map(|_| Some(fault.clone()))).collect()
    };
    for fault in [
        Fault::Status(500, None),
        Fault::Status(403, None),
        Fault::Cut,
        Fault::Body("<html>down for maintenance</html>".into()),
        Fault::Body("{}".into()),
        Fault::NextCursor(json!("at-10")),
        Fault::Redirect("http://192.0.2.1/api/catalog/actions".into()),
    ] {
        server.replace(actions(25));
        server.plan(always(fault.clone()));
        let report = place.sync(&sources).expect("the pass goes on without the source");
        assert!(matches!(report.sources["hub"].outcome, Outcome::Stale(_)), "{fault:?}");
        assert!(!report.published, "{fault:?}");
        assert_eq!(place.tools(), expected, "{fault:?}");
    }
}

#[test]
fn a_source_that_never_worked_stops_nobody_but_itself() {
    let (good, bad) = (start(actions(5)), start(actions(5)));
    let faults = || (0..40).map(|_| Some(Fault::Status(401, None)));
    let place = Place::new();

    bad.plan(faults());
    let error = place.sync(&sources(&[("bad", &bad)])).expect_err("there is nothing to publish");
    assert!(matches!(&error, SyncError::NothingRead(_)) && error.to_string().contains("401"), "{error}");
    assert!(place.served().is_none());

    bad.plan(faults());
    let both = sources(&[("bad", &bad), ("good", &good)]);
    let report = place.sync(&both).expect("a pass");
    assert!(matches!(report.sources["bad"].outcome, Outcome::Failed(_)));
    assert_eq!(place.tools(), offered("good", &actions(5)));
    assert_complete(&place, &report);

    bad.plan([]);
    let report = place.sync(&both).expect("a pass");
    assert_eq!(report.sources["bad"].n_added, 5);
    assert_complete(&place, &report);
}

#[test]
fn a_source_that_becomes_another_kind_and_cannot_be_read_keeps_its_tools() {
    let (hub, good) = (start(actions(8)), start(actions(5)));
    let place = Place::new();
    let before = sources(&[("changing", &hub), ("good", &good)]);
    place.sync(&before).expect("a pass");
    let expected = place.tools();

    let file = place.home().join("tools.jsonl");
    let mut after = sources(&[("good", &good)]);
    after.push(Box::new(Jsonl::new("changing", &file)));
    for _ in 0..2 {
        let report = place.sync(&after).expect("a pass");
        assert!(matches!(report.sources["changing"].outcome, Outcome::Stale(_)), "{:?}", report.sources["changing"]);
        assert_eq!(place.tools(), expected);
        assert_complete(&place, &report);
    }

    // What the hub left is no state of a file, and is still one of the hub.
    let report = place.sync(&before).expect("a pass");
    assert_eq!(report.sources["changing"].outcome, Outcome::Unchanged);
    fs::write(&file, "").expect("an empty catalog");
    let accepted = SyncOptions { accept_shrink: ["changing".to_owned()].into(), ..SyncOptions::default() };
    let report = place.sync_as(&after, &accepted).expect("a pass");
    assert_eq!((&report.sources["changing"].outcome, report.sources["changing"].n_removed), (&Outcome::Read, 8));
    assert_eq!(place.tools(), offered("good", &actions(5)));
}

#[test]
fn a_source_that_cannot_be_opened_keeps_its_tools_and_the_others_go_on() {
    let (locked, good) = (start(actions(8)), start(actions(5)));
    let place = Place::new();
    place.sync(&sources(&[("locked", &locked), ("good", &good)])).expect("a pass");
    good.replace(actions(6));

    let source = |name: &str, server: &HubServer, more: &str| {
        let base_url = server.base_url();
        format!("[[source]]\nname = {name:?}\ntype = \"automation_hub\"\nbase_url = {base_url:?}\n{more}\n")
    };
    let allow = "[network]\nallow = [\"127.0.0.0/8\"]\n".to_owned();
    let text = allow + &source("locked", &locked, "token_env = \"HUB_TOKEN\"") + &source("good", &good, "");
    let config = Config::parse(&text, Path::new("shortlist.toml")).expect("a configuration");
    let opened = config.open(place.home(), &Assets::locate(place.home()), &Silent, &|_| None);
    let report = place.sync(&opened).expect("a pass");
    assert!(matches!(&report.sources["locked"].outcome, Outcome::Stale(reason) if reason.contains("HUB_TOKEN")));
    let mut expected = offered("good", &actions(6));
    expected.extend(offered("locked", &actions(8)));
    assert_eq!(place.tools(), expected);
    assert_complete(&place, &report);
}

#[test]
fn a_record_that_shifts_from_one_page_to_the_next_is_one_record() {
    // While the second page is asked for, an action appears in front: the first page's last stands on the second, too.
    let before = actions(20);
    let mut after = vec![action("team9:new@1.0.0", "Stands in front.")];
    after.extend(before.clone());
    let server = start(before.clone());
    // Nobody can tell that the catalog changed.
    server.without_etags();
    server.plan([None, Some(Fault::Change(after))]);
    let place = Place::new();
    let report = place.sync(&sources(&[("hub", &server)])).expect("a pass");
    let hub = &report.sources["hub"];
    assert_eq!((hub.n_ingested, hub.n_rejected, hub.n_searchable), (20, 0, 20), "{:?}", hub.rejections);
    assert_eq!(place.tools(), offered("hub", &before));
    assert_complete(&place, &report);
}

#[test]
fn a_source_that_is_no_longer_configured_is_gone() {
    let (one, two) = (start(actions(4)), start(actions(6)));
    let place = Place::new();
    place.sync(&sources(&[("one", &one), ("two", &two)])).expect("a pass");
    let report = place.sync(&sources(&[("one", &one)])).expect("a pass");
    assert!(report.published);
    assert_eq!(report.removed_sources, BTreeMap::from([("two".to_owned(), 6)]));
    assert_eq!(place.tools(), offered("one", &actions(4)));
}

#[test]
fn another_model_embeds_everything_again_although_no_source_changed() {
    let server = start(actions(10));
    let place = Place::new();
    let sources = sources(&[("hub", &server)]);
    let (first, second) = (Counting::new("model one"), Counting::new("model/../two"));
    place.sync_with(&sources, &first).expect("a pass");
    let report = place.sync_with(&sources, &second).expect("a pass");
    assert_eq!((report.published, second.take()), (true, 10));
    assert_eq!(report.sources["hub"].outcome, Outcome::Unchanged);
    assert_eq!(place.tools(), offered("hub", &actions(10)));
    first.take();
    let report = place.sync_with(&sources, &first).expect("a pass");
    assert_eq!((report.published, first.take()), (true, 0), "the first model's vectors are still there");
}

#[test]
fn a_damaged_part_of_the_cache_costs_its_own_texts_only() {
    let server = start(actions(10));
    let place = Place::new();
    let sources = sources(&[("hub", &server)]);
    place.sync(&sources).expect("a pass");
    server.replace(actions(16));
    place.sync(&sources).expect("a pass");
    let parts = cache_parts(&place);
    assert_eq!(parts.len(), 2);

    // The second part holds the six texts of the second pass.
    let mut bytes = fs::read(&parts[1]).expect("a part");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&parts[1], bytes).expect("a damaged part");
    // So many more that the next generation is built whole, and every text's vector is wanted.
    server.replace(actions(19));
    let report = place.sync(&sources).expect("a pass");
    assert_eq!(report.n_embedded, 9);
    assert!(report.warnings.iter().any(|warning| warning.contains("damaged")), "{:?}", report.warnings);
    assert!(!parts[1].exists());
    assert_eq!(place.tools(), offered("hub", &actions(19)));

    server.replace(actions(20));
    let report = place.sync(&sources).expect("a pass");
    assert_eq!((report.n_embedded, report.warnings.len()), (1, 0));
}

fn cache_parts(place: &Place) -> Vec<PathBuf> {
    let folder = place.home().join("embeddings").join(format!("hashing-{DIMENSION}"));
    let mut parts: Vec<PathBuf> = fs::read_dir(folder).expect("a cache").flatten().map(|entry| entry.path()).collect();
    parts.sort();
    parts
}

#[test]
fn a_damaged_generation_is_replaced_although_nothing_changed() {
    let server = start(actions(10));
    let place = Place::new();
    let sources = sources(&[("hub", &server)]);
    place.sync(&sources).expect("a pass");
    server.replace(actions(11));
    place.sync(&sources).expect("a pass");
    damage(&place.home().join("generations/2/base/tools.arrow"));
    assert_eq!(place.served().map(|snapshot| snapshot.number()), Some(1));

    let report = place.sync(&sources).expect("a pass");
    assert_eq!((report.published, report.generation), (true, 3));
    assert!(report.warnings.iter().any(|warning| warning.contains("generation 2")), "{:?}", report.warnings);
    assert_eq!(place.tools(), offered("hub", &actions(11)));

    // All of them damaged: the sources heal the store.
    for number in place.store.list().expect("generations") {
        let tools = place.home().join(format!("generations/{number}/base/tools.arrow"));
        damage(&tools);
    }
    let report = place.sync(&sources).expect("a pass");
    assert_eq!((report.published, report.n_embedded), (true, 0));
    assert_eq!(place.tools(), offered("hub", &actions(11)));
}

fn damage(path: &Path) {
    let bytes = fs::read(path).expect("a file");
    fs::write(path, &bytes[..bytes.len() / 2]).expect("a shorter file");
}

#[test]
fn a_lost_current_is_named_again() {
    let server = start(actions(10));
    let place = Place::new();
    let sources = sources(&[("hub", &server)]);
    place.sync(&sources).expect("a pass");
    fs::remove_file(place.home().join("CURRENT")).expect("CURRENT is there");
    let report = place.sync(&sources).expect("a pass");
    assert!(!report.published);
    assert_eq!(place.store.current().expect("CURRENT"), Some(1));
}

#[test]
fn old_generations_are_removed_but_for_those_to_roll_back_to() {
    let server = start(actions(3));
    let place = Place::new();
    let sources = sources(&[("hub", &server)]);
    for n in 4..12 {
        server.replace(actions(n));
        place.sync(&sources).expect("a pass");
    }
    assert_eq!(place.store.list().expect("generations"), [5, 6, 7, 8]);
    assert_eq!(place.store.current().expect("CURRENT"), Some(8));
}

#[test]
fn two_writers_and_two_sources_of_one_name_are_refused() {
    let server = start(actions(3));
    let place = Place::new();
    let lock = place.store.lock().expect("the lock");
    let error = place.sync(&sources(&[("hub", &server)])).expect_err("the lock is taken");
    assert!(error.to_string().contains("another process"), "{error}");
    drop(lock);
    let error = place.sync(&sources(&[("hub", &server), ("hub", &server)])).expect_err("one name");
    assert!(matches!(error, SyncError::SourceTwice(_)));
    let error = place.sync(&[]).expect_err("no source");
    assert!(matches!(error, SyncError::NoSource), "{error}");
    // Who calls need not have any such file.
    assert!(!error.to_string().contains("shortlist.toml"), "{error}");
}

#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn add(&self, line: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

impl SyncObserver for Notes {
    fn step(&mut self, step: &SyncStep) {
        self.add(step.to_string());
    }

    fn fetched(&mut self, source: &str, n_records: u64) {
        self.add(format!("{source} gave {n_records}"));
    }

    fn embedded(&mut self, progress: EmbedProgress) {
        self.add(format!("embedded {} of {}", progress.n_done, progress.n_total));
    }
}

#[test]
fn the_observer_hears_every_step_in_order() {
    let server = start(actions(300));
    let place = Place::new();
    let mut notes = Notes::default();
    let embedder = HashingEmbedder::new(DIMENSION);
    let report = sync(&sources(&[("hub", &server)]), &place.store, &embedder, &mut notes, &SyncOptions::default())
        .expect("a pass");
    let mut heard = notes.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    // How many texts an embedder does at a time is its own affair: what is told begins at none, grows, and ends at all.
    let embed = heard.iter().position(|line| line == "embed").expect("it embeds");
    let n_told = heard[embed + 1..].iter().take_while(|line| line.starts_with("embedded ")).count();
    let told: Vec<String> = heard.drain(embed + 1..embed + 1 + n_told).collect();
    let n_done: Vec<usize> = told
        .iter()
        .filter_map(|line| line.split(' ').nth(1)?.parse().ok().filter(|_| line.ends_with(" of 300")))
        .collect();
    assert!(n_done.len() == n_told && n_done.is_sorted_by(|a, b| a < b), "{told:?}");
    assert_eq!((n_done.first(), n_done.last()), (Some(&0), Some(&300)));
    let expected = [
        "lock",
        "open the served generation",
        "read hub",
        "hub gave 256",
        "hub gave 300",
        "compare",
        "embed",
        "compact the cache",
        "publish: staging",
    ];
    assert_eq!(heard[..expected.len()], expected);
    assert_eq!(heard.last().map(String::as_str), Some("remove old generations"));
    let steps: Vec<&String> = heard.iter().filter(|line| !line.contains("gave")).collect();
    assert_eq!(report.seconds.iter().map(|(step, _)| step).collect::<Vec<_>>(), steps);
}

#[test]
fn random_edits_are_followed_exactly() {
    let seed = 5;
    let mut rng = fastrand::Rng::with_seed(seed);
    let server = start(Vec::new());
    let place = Place::new();
    let sources = sources(&[("hub", &server)]);
    let mut catalog = actions(40);
    let mut n_new = 0;
    for round in 0..20 {
        for _ in 0..rng.usize(..6) {
            let i = rng.usize(..catalog.len());
            match rng.u8(..3) {
                0 => catalog[i]["description"] = json!(format!("Rewritten in round {round}.")),
                1 if catalog.len() > 5 => drop(catalog.remove(i)),
                _ => {
                    n_new += 1;
                    catalog.insert(i, action(&format!("new:n{n_new}@1.0.0"), "New."));
                }
            }
        }
        // Some records are bad, and some are there twice.
        let mut offer = catalog.clone();
        for _ in 0..rng.usize(..4) {
            let twice = offer[rng.usize(..offer.len())].clone();
            offer.push(if rng.bool() { twice } else { json!({ "id": 7 }) });
        }
        // A record that comes twice, word for word, is one record; one that cannot be read is a rejection each time.
        let n_bad = offer.iter().filter(|action| action["id"] == 7).count() as u64;
        server.replace(offer);
        let report = place.sync(&sources).expect("a pass");
        let hub = &report.sources["hub"];
        let n_records = catalog.len() as u64 + n_bad;
        assert_eq!((hub.n_ingested, hub.n_rejected), (n_records, n_bad), "seed {seed}, round {round}");
        assert_eq!(place.tools(), offered("hub", &catalog), "seed {seed}, round {round}");
        assert_complete(&place, &report);
    }
}
