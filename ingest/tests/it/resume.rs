//! A pass over a hub that dies before its end, and the one after it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use shortlist_ingest::error::SourceError;
use shortlist_ingest::source::automation_hub::{AutomationHub, AutomationHubConfig, EtagCovers};
use shortlist_ingest::source::{Fetched, Source};
use shortlist_ingest::sync::Outcome;
use shortlist_ingest::testing::{Fault, HubServer, loopback};

use crate::support::{Place, Waits, actions, bearer, config, hub, start};

const HOME: &str = "SHORTLIST_TEST_RESUME_HOME";
const HUB: &str = "SHORTLIST_TEST_RESUME_HUB";

fn resume_folder(home: &Path) -> PathBuf {
    home.join("resume").join("hub")
}

/// A hub with pages of ten that resumes below `home`.
fn resuming(server: &HubServer, home: &Path) -> AutomationHub {
    hub(config("hub", server)).resuming_in(resume_folder(home))
}

/// Identities and descriptions of a pass.
fn read(source: &AutomationHub) -> Result<BTreeMap<String, String>, SourceError> {
    let mut records = BTreeMap::new();
    let fetched = source.fetch(None, &mut |record| {
        let tool = record.expect("a tool");
        records.insert(tool.provenance.foreign_id.clone(), tool.description.clone());
    })?;
    assert!(matches!(fetched, Fetched::Complete(_)));
    Ok(records)
}

fn offered(catalog: &[Value]) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    catalog.iter().map(|action| (text(&action["id"]), text(&action["description"]))).collect()
}

/// The cursors of the pages that were sent, and how many were only asked whether they changed.
fn sent(server: &HubServer) -> (Vec<Option<String>>, usize) {
    let requests = server.take_requests();
    let n_unchanged = requests.iter().filter(|request| request.status == 304).count();
    let pages = requests.into_iter().filter(|request| request.status == 200).map(|request| request.cursor);
    (pages.collect(), n_unchanged)
}

fn cursors(range: std::ops::Range<usize>) -> Vec<Option<String>> {
    range.map(|page| (page > 0).then(|| format!("at-{}", page * 10))).collect()
}

/// The child of the test below. As an ordinary test it does nothing.
#[test]
fn child() {
    let variable = |name| std::env::var(name).ok();
    let (Some(home), Some(base_url)) = (variable(HOME), variable(HUB)) else { return };
    let config = AutomationHubConfig { page_limit: 10, timeout_s: 600, ..AutomationHubConfig::new("hub", &base_url) };
    // It waits for an answer that does not come, and is killed.
    let source = hub(config).resuming_in(resume_folder(Path::new(&home)));
    let _ = source.fetch(None, &mut |_| ());
}

#[test]
fn a_pass_that_was_killed_goes_on_at_the_page_where_it_was() {
    let catalog = actions(75);
    for n_pages in 1..8 {
        let server = start(catalog.clone());
        server.plan((0..n_pages).map(|_| None).chain([Some(Fault::Slow(Duration::from_secs(3_600)))]));
        let home = tempfile::tempdir().expect("a temporary folder");
        let mut child = Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", "resume::child", "--nocapture", "--test-threads=1"])
            .env(HOME, home.path())
            .env(HUB, server.base_url())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        let arrived = server.wait_for_requests(n_pages + 1, Duration::from_secs(60));
        child.kill().expect("a SIGKILL");
        assert!(arrived && !child.wait().expect("its end").success());
        server.take_requests();

        assert_eq!(read(&resuming(&server, home.path())).expect("a pass"), offered(&catalog));
        assert_eq!(sent(&server), (cursors(n_pages..8), 8), "killed after {n_pages} pages");
        assert!(!resume_folder(home.path()).exists(), "nothing is left after a success");
    }
}

#[test]
fn a_hub_that_goes_down_in_mid_pass_is_gone_on_with_when_it_is_back() {
    let catalog = actions(45);
    let server = start(catalog.clone());
    let (address, config) = (server.address(), config("hub", &server));
    server.plan([None, None, None, Some(Fault::Status(503, None))]);
    // While the source waits after the 503, the hub goes away for good.
    let down = Arc::new(Mutex::new(Some(server)));
    let pause = {
        let down = Arc::clone(&down);
        Box::new(move |_| drop(down.lock().unwrap_or_else(PoisonError::into_inner).take()))
    };
    let home = tempfile::tempdir().expect("a temporary folder");
    let source = AutomationHub::with_pause(config.clone(), &loopback(), bearer("s3cret-token"), pause);
    let source = source.expect("a configuration").resuming_in(resume_folder(home.path()));
    let error = read(&source).expect_err("nobody answers");
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error}");
    assert!(down.lock().unwrap_or_else(PoisonError::into_inner).is_none());

    let server = HubServer::start_at(address, catalog.clone()).expect("the same port");
    assert_eq!(read(&source).expect("a pass"), offered(&catalog));
    assert_eq!(sent(&server), (cursors(3..5), 5));
}

/// A pass that ends with a hub that is overloaded, after three pages of seven.
fn interrupted(catalog: &[Value]) -> (HubServer, tempfile::TempDir) {
    let server = start(catalog.to_vec());
    let home = tempfile::tempdir().expect("a temporary folder");
    server.plan([None, None, None].into_iter().chain((0..9).map(|_| Some(Fault::Status(429, Some(90))))));
    let waits = Waits::default();
    let source = AutomationHub::with_pause(config("hub", &server), &loopback(), None, waits.pause());
    let error = read(&source.expect("a configuration").resuming_in(resume_folder(home.path()))).expect_err("a storm");
    assert!(matches!(error, SourceError::Status { status: 429, .. }), "{error}");
    assert!(error.to_string().contains("90 seconds"), "{error}");
    assert_eq!(waits.take().len(), 3, "the patience of one request is five minutes");
    server.plan([]);
    server.take_requests();
    (server, home)
}

#[test]
fn what_was_resumed_is_read_again_when_it_is_no_longer_true() {
    let mut catalog = actions(65);
    let (server, home) = interrupted(&catalog);
    catalog[4]["description"] = json!("Changed while nobody was reading.");
    catalog.remove(15);
    server.replace(catalog.clone());
    assert_eq!(read(&resuming(&server, home.path())).expect("a pass"), offered(&catalog));
    let (pages, _) = sent(&server);
    assert_eq!(pages[..4], cursors(3..7), "it goes on where it was");
    assert_eq!(pages[5..], cursors(0..7), "and begins anew, for the first page is another: {pages:?}");
    assert!(!resume_folder(home.path()).exists());
}

#[test]
fn a_resumed_cursor_that_has_expired_begins_the_pass_anew() {
    let catalog = actions(65);
    for status in [410, 400, 404] {
        let (server, home) = interrupted(&catalog);
        server.plan([Some(Fault::Status(status, None))]);
        assert_eq!(read(&resuming(&server, home.path())).expect("a pass"), offered(&catalog));
        assert_eq!(sent(&server), (cursors(0..7), 7), "{status}");
    }
}

#[test]
fn cursors_may_expire_more_than_once_but_not_for_ever() {
    let catalog = actions(65);
    let server = start(catalog.clone());
    let expired = || Some(Fault::Status(410, None));
    server.plan([None, None, None, expired(), None, expired()]);
    assert_eq!(read(&hub(config("hub", &server))).expect("a pass"), offered(&catalog));
    assert_eq!(sent(&server), ([cursors(0..3), cursors(0..1), cursors(0..7)].concat(), 7));
    server.plan([None, expired(), None, expired(), None, expired()]);
    let error = read(&hub(config("hub", &server))).expect_err("it never ends");
    assert!(matches!(error, SourceError::Changed { .. }), "{error}");
}

#[test]
fn another_configuration_and_a_damaged_file_begin_the_pass_anew() {
    let catalog = actions(65);
    let all = |pages: Vec<Option<String>>| assert_eq!(pages, cursors(0..7));

    let (server, home) = interrupted(&catalog);
    let fields = shortlist_ingest::source::automation_hub::FieldMap { title: "name".into(), ..Default::default() };
    let other = hub(AutomationHubConfig { fields, ..config("hub", &server) }).resuming_in(resume_folder(home.path()));
    assert_eq!(read(&other).expect("a pass"), offered(&catalog));
    all(sent(&server).0);

    let (server, home) = interrupted(&catalog);
    let file = fs::read_dir(resume_folder(home.path())).expect("a folder").next().expect("a file").expect("an entry");
    let mut bytes = fs::read(file.path()).expect("a journal");
    bytes[60] ^= 1;
    fs::write(file.path(), bytes).expect("a damaged journal");
    assert_eq!(read(&resuming(&server, home.path())).expect("a pass"), offered(&catalog));
    all(sent(&server).0);

    // A pipe under the file's name is not waited for.
    let (server, home) = interrupted(&catalog);
    let path = resume_folder(home.path()).join(file.file_name());
    fs::remove_file(&path).expect("a journal");
    assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
    assert_eq!(read(&resuming(&server, home.path())).expect("a pass"), offered(&catalog));
    all(sent(&server).0);
}

#[test]
fn a_catalogs_own_etag_ends_a_resumption_of_another() {
    let catalog = actions(65);
    let server = start(catalog.clone());
    server.with_catalog_etag();
    let home = tempfile::tempdir().expect("a temporary folder");
    let source = || {
        let config = AutomationHubConfig { etag_covers: EtagCovers::Catalog, ..config("hub", &server) };
        hub(config).resuming_in(resume_folder(home.path()))
    };
    server.plan([None, None].into_iter().chain((0..5).map(|_| Some(Fault::Status(500, None)))));
    assert!(read(&source()).is_err());
    server.take_requests();
    server.replace(catalog[1..].to_vec());
    assert_eq!(read(&source()).expect("a pass"), offered(&catalog[1..]));
    assert_eq!(sent(&server), ([cursors(2..7), cursors(0..1), cursors(0..7)].concat(), 1));
}

#[test]
fn pages_that_nobody_vouches_for_are_not_resumed() {
    let catalog = actions(25);
    let server = start(catalog.clone());
    server.without_etags();
    let home = tempfile::tempdir().expect("a temporary folder");
    server.plan([None, None].into_iter().chain((0..5).map(|_| Some(Fault::Status(500, None)))));
    assert!(read(&resuming(&server, home.path())).is_err());
    server.take_requests();
    assert_eq!(read(&resuming(&server, home.path())).expect("a pass"), offered(&catalog));
    assert_eq!(sent(&server).0, cursors(0..3));
}

#[test]
fn a_pass_that_takes_too_long_is_ended_and_gone_on_with() {
    let catalog = actions(35);
    let server = start(catalog.clone());
    let home = tempfile::tempdir().expect("a temporary folder");
    let source = |pass_timeout_s| {
        let config = AutomationHubConfig { pass_timeout_s, ..config("hub", &server) };
        hub(config).resuming_in(resume_folder(home.path()))
    };
    server.plan([None, Some(Fault::Slow(Duration::from_millis(1_100)))]);
    let error = read(&source(1)).expect_err("too slow");
    assert!(matches!(error, SourceError::TooSlow { max_s: 1, .. }), "{error}");
    server.take_requests();
    assert_eq!(read(&source(60)).expect("a pass"), offered(&catalog));
    assert_eq!(sent(&server), (cursors(2..4), 4));
    let refused =
        AutomationHub::new(AutomationHubConfig { pass_timeout_s: 0, ..config("hub", &server) }, &loopback(), None);
    assert!(refused.map(|_| ()).is_err_and(|error| error.to_string().contains("pass_timeout_s")));
}

#[test]
fn nothing_is_gone_before_a_whole_pass_says_so() {
    let before = actions(65);
    let server = start(before.clone());
    let place = Place::new();
    let sources = || -> Vec<Box<dyn Source>> { vec![Box::new(resuming(&server, place.home()))] };
    place.sync(&sources()).expect("a pass");
    let after = [&before[..20], &before[50..]].concat();
    server.replace(after.clone());
    server.plan([None, None].into_iter().chain((0..9).map(|_| Some(Fault::Status(503, None)))));
    let report = place.sync(&sources()).expect("a pass");
    assert!(matches!(report.sources["hub"].outcome, Outcome::Stale(_)));
    assert_eq!(place.tools().len(), 65, "half a pass removes nothing");
    server.plan([]);
    let report = place.sync(&sources()).expect("a pass");
    assert_eq!((report.sources["hub"].n_removed, place.tools().len()), (30, 35));
    assert!(!resume_folder(place.home()).exists());
}

/// An edit as an upstream makes it: something added anywhere, changed or removed.
fn edited(catalog: &mut Vec<Value>, rng: &mut fastrand::Rng, n: usize) {
    let place = rng.usize(0..=catalog.len());
    let new = crate::support::action(&format!("team{}:new_{n}@1.0.0", rng.usize(0..3)), &format!("Edit {n}."));
    match catalog.get_mut(place) {
        Some(action) if rng.bool() => action["description"] = json!(format!("Changed by edit {n}.")),
        Some(_) if rng.bool() => drop(catalog.remove(place)),
        _ => catalog.insert(place, new),
    }
}

#[test]
fn whatever_happens_on_the_way_the_catalog_is_what_the_hub_says_in_the_end() {
    let seed = 20;
    let mut rng = fastrand::Rng::with_seed(seed);
    let (mut n_failed, mut n_resumed) = (0, 0);
    for round in 0..60 {
        let mut catalog = actions(rng.usize(20..80));
        let server = start(catalog.clone());
        let home = tempfile::tempdir().expect("a temporary folder");
        let (mut known, mut state) = (BTreeMap::new(), None);
        for step in 0..12 {
            let is_last = step == 11;
            if rng.bool() && !is_last {
                edited(&mut catalog, &mut rng, step);
                server.replace(catalog.clone());
            }
            let mut faults = Vec::new();
            while !is_last && faults.len() < 12 && rng.u8(0..10) > 0 {
                faults.push(match rng.u8(0..12) {
                    0 => Some(Fault::Status(410, None)),
                    1 => Some(Fault::Status(429, Some(1))),
                    2 => Some(Fault::Status(403, None)),
                    3 => Some(Fault::Cut),
                    4 => Some(Fault::Body("<html>".to_owned())),
                    5 => {
                        edited(&mut catalog, &mut rng, step * 100 + faults.len());
                        Some(Fault::Change(catalog.clone()))
                    }
                    _ => None,
                });
            }
            server.plan(faults);
            let source = resuming(&server, home.path());
            n_resumed += usize::from(resume_folder(home.path()).exists());
            let mut records = BTreeMap::new();
            let fetched = source.fetch(state.as_ref(), &mut |record| {
                let tool = record.expect("a tool");
                records.insert(tool.provenance.foreign_id.clone(), tool.description.clone());
            });
            match fetched {
                Ok(Fetched::Complete(new)) => (known, state) = (records, Some(new)),
                Ok(Fetched::Unchanged) => assert!(records.is_empty()),
                Err(_) => n_failed += 1,
            }
            // A change that was planned and not reached has not happened.
            server.plan([]);
            server.replace(catalog.clone());
        }
        assert_eq!(known, offered(&catalog), "seed {seed}, round {round}");
    }
    assert!(n_failed > 100 && n_resumed > 50, "{n_failed} passes failed, {n_resumed} found something to go on with");
}
