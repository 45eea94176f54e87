//! What an operator can read of every source: how it is, what was held back, what was taken out.

use std::fs;

use serde_json::json;
use shortlist_index::{Health, SourceStatus};
use shortlist_ingest::handling::Handling;
use shortlist_ingest::source::Source;
use shortlist_ingest::source::jsonl::Jsonl;
use shortlist_ingest::sync::{Outcome, SyncOptions};
use shortlist_ingest::testing::Fault;

use crate::support::{Place, accept_shrink, action, actions, sources, start};

fn status(place: &Place, name: &str) -> SourceStatus {
    place.store.statuses().expect("statuses").remove(name).expect("a status of the source")
}

fn faults() -> Vec<Option<Fault>> {
    (0..40).map(|_| Some(Fault::Status(500, None))).collect()
}

#[test]
fn a_failing_source_is_stale_with_an_age_although_nothing_was_published() {
    let server = start(actions(12));
    let place = Place::new();
    let sources = sources(&[("hub", &server)]);
    place.sync(&sources).expect("a pass");
    let well = status(&place, "hub");
    assert_eq!((well.health, well.n_failures, well.last_fault), (Health::Ok, 0, None));

    for n_failures in 1..=2 {
        server.plan(faults());
        assert!(!place.sync(&sources).expect("a pass").published);
        let ill = status(&place, "hub");
        assert_eq!((ill.health, ill.n_failures), (Health::Stale, n_failures));
        assert_eq!(ill.succeeded_unix_s, well.succeeded_unix_s, "its age is that of what it serves");
        let fault = ill.last_fault.expect("why");
        assert!(fault.class == "status" && fault.reason.contains("500"), "{fault:?}");
        assert_eq!(place.tools().len(), 12);
    }
    server.plan([]);
    place.sync(&sources).expect("a pass");
    let again = status(&place, "hub");
    assert_eq!((again.health, again.n_failures, again.last_fault.is_some()), (Health::Ok, 0, true));
}

#[test]
fn a_source_that_never_worked_has_failed_even_where_nothing_could_be_published() {
    let server = start(actions(3));
    server.plan(faults());
    let place = Place::new();
    place.sync(&sources(&[("hub", &server)])).expect_err("there is nothing to publish");
    let failed = status(&place, "hub");
    assert_eq!((failed.health, failed.succeeded_unix_s, failed.n_failures), (Health::Failed, None, 1));
}

#[test]
fn statuses_that_cannot_be_read_are_a_warning_and_begin_anew() {
    let server = start(actions(3));
    let place = Place::new();
    let sources = sources(&[("hub", &server)]);
    place.sync(&sources).expect("a pass");
    fs::write(place.home().join("sources.json"), "{\"hub\":7}").expect("damage");
    let report = place.sync(&sources).expect("a pass");
    assert!(report.warnings.iter().any(|warning| warning.contains("sources.json")), "{:?}", report.warnings);
    assert_eq!(status(&place, "hub").health, Health::Ok);
}

#[test]
fn a_source_that_shrinks_suddenly_is_held_back_until_an_operator_accepts_it() {
    let (server, other) = (start(actions(40)), start(actions(5)));
    let place = Place::new();
    let both = sources(&[("hub", &server), ("other", &other)]);
    place.sync(&both).expect("a pass");
    let before = place.tools();

    server.replace(actions(8));
    other.replace(actions(6));
    for round in 0..3 {
        // The same reading is judged the same each time, and the others go on.
        let report = place.sync(&both).expect("a pass");
        assert_eq!(report.sources["hub"].outcome, Outcome::HeldBack { had: 40, has: 8 }, "round {round}");
        assert_eq!((report.has_failures(), report.published), (true, round == 0));
        assert_eq!(place.tools().len(), before.len() + 1);
        let held = status(&place, "hub");
        assert_eq!((held.health, held.n_failures), (Health::HeldBack, 0));
        assert!(held.last_fault.is_some_and(|fault| fault.reason.contains("--accept-shrink hub")));
    }
    let stale = place.served().and_then(|snapshot| snapshot.manifest().sources["hub"].stale.clone());
    assert!(stale.is_some_and(|reason| reason.contains("held back")));

    // Another source's name changes nothing; its own does.
    let report = place.sync_as(&both, &accept_shrink("other")).expect("a pass");
    assert!(matches!(report.sources["hub"].outcome, Outcome::HeldBack { .. }));
    let report = place.sync_as(&both, &accept_shrink("hub")).expect("a pass");
    assert_eq!((&report.sources["hub"].outcome, report.sources["hub"].n_removed), (&Outcome::Read, 32));
    assert_eq!((place.tools().len(), status(&place, "hub").health), (8 + 6, Health::Ok));
}

#[test]
fn an_empty_catalog_is_held_back_however_small_and_a_source_that_recovers_needs_no_word() {
    let server = start(actions(3));
    let place = Place::new();
    let sources = sources(&[("hub", &server)]);
    place.sync(&sources).expect("a pass");
    server.replace(Vec::new());
    let report = place.sync(&sources).expect("a pass");
    assert_eq!(report.sources["hub"].outcome, Outcome::HeldBack { had: 3, has: 0 });
    assert_eq!(place.tools().len(), 3);

    server.replace(actions(2));
    let report = place.sync(&sources).expect("a pass");
    assert_eq!((&report.sources["hub"].outcome, place.tools().len()), (&Outcome::Read, 2));

    // A catalog whose every record has become unreadable is empty too.
    server.replace(vec![json!({ "id": 7 }), json!({ "id": 8 })]);
    let report = place.sync(&sources).expect("a pass");
    assert_eq!(report.sources["hub"].outcome, Outcome::HeldBack { had: 2, has: 0 });
    let any = SyncOptions {
        handling: [("hub".to_owned(), Handling { shrink_max: 1.0, ..Handling::default() })].into(),
        ..SyncOptions::default()
    };
    let report = place.sync_as(&sources, &any).expect("a pass");
    assert_eq!((&report.sources["hub"].outcome, report.n_tools()), (&Outcome::Read, 0));
}

#[test]
fn hidden_characters_are_counted_and_rejections_are_all_kept() {
    let mut catalog = actions(3);
    catalog[0]["description"] = json!("Sends\u{202E} money\u{200B}.");
    catalog[1]["inputSchema"] = json!({ "properties": { "to": { "description": "whom\u{2066}" } } });
    catalog.extend((0..1_500).map(|i| action(&format!("bad{i}"), "")));
    let server = start(catalog);
    let place = Place::new();
    let report = place.sync(&sources(&[("hub", &server)])).expect("a pass");
    let source = &report.sources["hub"];
    assert_eq!((source.n_touched, source.n_stripped), (2, 3));
    assert_eq!((source.n_rejected, source.rejections.len()), (1_500, 1_000));
    let snapshot = place.served().expect("a generation");
    let kept = &snapshot.manifest().sources["hub"];
    assert_eq!((kept.n_touched, kept.n_stripped, kept.rejections.len()), (2, 3, 1_500));
    assert!(kept.rejections.iter().all(|rejection| !rejection.reason.is_empty()));
}

#[test]
fn a_file_that_is_empty_for_a_moment_loses_nothing() {
    let place = Place::new();
    let path = place.home().join("tools.jsonl");
    let line = |i: usize| json!({ "id": format!("n:t{i}"), "namespace": "n", "name": "t", "description": "d" });
    let lines: Vec<String> = (0..20).map(|i| line(i).to_string()).collect();
    fs::write(&path, lines.join("\n")).expect("a catalog");
    let sources: Vec<Box<dyn Source>> = vec![Box::new(Jsonl::new("file", &path))];
    place.sync(&sources).expect("a pass");
    fs::write(&path, "").expect("an empty file");
    let report = place.sync(&sources).expect("a pass");
    assert_eq!(report.sources["file"].outcome, Outcome::HeldBack { had: 20, has: 0 });
    fs::write(&path, lines.join("\n")).expect("the catalog again");
    let report = place.sync(&sources).expect("a pass");
    assert!(!report.has_failures());
    assert_eq!(place.tools().len(), 20);
}

#[test]
fn only_the_sources_that_are_due_are_read_and_the_others_keep_what_they_have() {
    let (one, two) = (start(actions(12)), start(actions(9)));
    let place = Place::new();
    let both = sources(&[("one", &one), ("two", &two)]);
    let due = |name: &str| SyncOptions { due: Some([name.to_owned()].into()), ..SyncOptions::default() };
    // A source that was never read and is not due is not there yet, and no failure.
    let report = place.sync_as(&both, &due("one")).expect("a pass");
    assert_eq!((&report.sources["two"].outcome, report.n_tools()), (&Outcome::NotDue, 12));
    assert!(!report.has_failures() && two.take_requests().is_empty());
    assert_eq!((report.sources["one"].was_read, report.sources["two"].was_read), (true, false));
    assert!(!place.store.statuses().expect("statuses").contains_key("two"));
    place.sync(&both).expect("a pass");
    let before = status(&place, "two");

    one.replace(actions(13));
    two.replace(actions(10));
    two.take_requests();
    let report = place.sync_as(&both, &due("one")).expect("a pass");
    assert!(report.published && two.take_requests().is_empty());
    assert_eq!((report.sources["two"].n_unchanged, place.tools().len()), (9, 13 + 9));
    assert_eq!(status(&place, "two"), before);
    assert!(report.sources["two"].was_read, "in the pass before");
    let report = place.sync_as(&both, &due("two")).expect("a pass");
    assert_eq!((report.sources["two"].n_added, place.tools().len()), (1, 13 + 10));
    // Nothing due is nothing done.
    let none = SyncOptions { due: Some(Default::default()), ..SyncOptions::default() };
    assert!(!place.sync_as(&both, &none).expect("a pass").published);
}

#[test]
fn a_source_whose_tools_were_lost_here_is_read_although_it_is_not_due() {
    let (one, two) = (start(actions(12)), start(actions(9)));
    let place = Place::new();
    let both = sources(&[("one", &one), ("two", &two)]);
    place.sync(&both).expect("a pass");
    let due = SyncOptions { due: Some(["one".to_owned()].into()), ..SyncOptions::default() };
    let lose = || fs::remove_dir_all(place.home().join("generations")).expect("they are there");
    lose();
    let report = place.sync_as(&both, &due).expect("a pass");
    assert_eq!((&report.sources["two"].outcome, place.tools().len()), (&Outcome::Read, 12 + 9));

    // One that cannot be read then is not asked more often for that.
    lose();
    two.plan(faults());
    let report = place.sync_as(&both, &due).expect("a pass");
    assert!(matches!(report.sources["two"].outcome, Outcome::Failed(_)) && !report.sources["two"].was_read);
    two.take_requests();
    let report = place.sync_as(&both, &due).expect("a pass");
    assert_eq!((&report.sources["two"].outcome, report.sources["two"].was_read), (&Outcome::NotDue, false));
    assert!(two.take_requests().is_empty());
}
