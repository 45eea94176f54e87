//! Publishing to and pulling from a folder and a real S3 server.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shortlist_index::{Grant, HashingEmbedder, InstallError, Models, SearchRequest, Snapshot, StoreError, hex, search};
use shortlist_ingest::remote::{PublishOptions, Pulled, Puller, Remote, RemoteError, Silent, Transfer};
use shortlist_ingest::source::Source;
use shortlist_ingest::source::jsonl::Jsonl;
use shortlist_ingest::sync::{Quiet, SyncOptions, rebuild};
use tempfile::TempDir;

use crate::support::{Counting, Place, s3_server, tools};

/// A store that syncs whatever catalog it is told to.
struct Builder {
    place: Place,
    catalog: PathBuf,
    _folder: TempDir,
}

impl Builder {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { place: Place::new(), catalog: folder.path().join("tools.jsonl"), _folder: folder }
    }

    /// Builds a generation of `n` tools that say `word`; its number.
    fn build(&self, n: usize, word: &str) -> u64 {
        self.build_with(n, word, 16)
    }

    fn build_with(&self, n: usize, word: &str, dimension: usize) -> u64 {
        let line = |i: usize| {
            json!({ "id": i.to_string(), "namespace": "team", "name": format!("tool_{i}"), "description": format!("{word} thing {i}") }).to_string()
        };
        fs::write(&self.catalog, (0..n).map(line).collect::<Vec<_>>().join("\n")).expect("a catalog");
        let sources: Vec<Box<dyn Source>> = vec![Box::new(Jsonl::new("tools", &self.catalog))];
        self.place.sync_with(&sources, &HashingEmbedder::new(dimension)).expect("a pass").generation
    }

    fn publish(&self, remote: &Remote, number: u64) -> Result<shortlist_ingest::remote::Published, RemoteError> {
        remote.publish(&self.place.store, number, &Silent, &PublishOptions::default())
    }
}

/// A store that only pulls.
fn pull(remote: &Remote, place: &Place) -> Result<Pulled, RemoteError> {
    Puller::new(remote, place.store.clone(), 1).pull(&Silent)
}

fn folder_remote(folder: &Path) -> Remote {
    Remote::open(folder.to_str().expect("UTF-8")).expect("a folder")
}

/// What a search and the catalog answer.
fn answers(snapshot: &Snapshot) -> (BTreeMap<String, String>, Vec<(String, String)>) {
    let allowed = snapshot.allow(&Grant::everything());
    let request = SearchRequest::new("thing 7");
    let answer = search(snapshot, &Models::default(), &allowed, &request).expect("an answer");
    let hits = answer.hits.iter().map(|hit| (hit.tool.reference.to_string(), format!("{:?}", hit.score))).collect();
    (tools(snapshot), hits)
}

fn check_publish_and_pull(remote: &Remote) {
    let (builder, replica) = (Builder::new(), Place::new());
    assert!(matches!(pull(remote, &replica), Err(RemoteError::Empty(_))));
    // Large enough that the vectors go in several parts.
    let first = builder.build_with(2_400, "first", 1_024);
    let sent = builder.publish(remote, first).expect("published");
    assert!(sent.changed && sent.bytes_sent > (8 << 20), "{sent:?}");
    let pulled = pull(remote, &replica).expect("pulled");
    assert_eq!((pulled.generation, pulled.changed, pulled.bytes_fetched), (first, true, sent.bytes_sent));
    let (theirs, ours) = (builder.place.served().expect("one"), replica.served().expect("one"));
    assert_eq!(answers(&theirs), answers(&ours));
    assert_eq!(theirs.manifest(), ours.manifest());

    // Nothing new: nothing is sent, nothing fetched.
    let again = builder.publish(remote, first).expect("published");
    assert_eq!((again.changed, again.n_sent), (false, 0));
    let mut puller = Puller::new(remote, replica.store.clone(), 1);
    for _ in 0..2 {
        let pulled = puller.pull(&Silent).expect("pulled");
        assert_eq!((pulled.changed, pulled.bytes_fetched), (false, 0));
    }
    let second = builder.build(30, "second");
    builder.publish(remote, second).expect("published");
    assert_eq!(puller.pull(&Silent).expect("pulled").generation, second);
    assert_eq!(answers(&builder.place.served().expect("one")), answers(&replica.served().expect("one")));
    assert_eq!(remote.state().expect("read").expect("there").highest, second);

    // Back to the first, which both still have.
    let back = builder.publish(remote, first).expect("published");
    assert_eq!((back.changed, back.n_sent), (true, 0));
    let pulled = puller.pull(&Silent).expect("pulled");
    assert_eq!((pulled.generation, pulled.bytes_fetched), (first, 0));
    assert_eq!(replica.served().expect("one").number(), first);
}

#[test]
fn a_delta_is_pulled_without_its_base() {
    let folder = tempfile::tempdir().expect("a folder");
    let (remote, builder, replica) = (folder_remote(folder.path()), Builder::new(), Place::new());
    builder.publish(&remote, builder.build(60, "same")).expect("published");
    pull(&remote, &replica).expect("pulled");
    let delta = builder.build(61, "same");
    let theirs = builder.place.served().expect("one");
    assert!(theirs.manifest().delta.is_some());
    let n_files = theirs.manifest().files.len();
    let sent = builder.publish(&remote, delta).expect("published");
    assert!(sent.n_sent > 0 && sent.n_sent < n_files, "{sent:?} of {n_files} files");
    let pulled = pull(&remote, &replica).expect("pulled");
    assert_eq!((pulled.generation, pulled.bytes_fetched), (delta, sent.bytes_sent));
    let ours = replica.served().expect("one");
    assert_eq!((answers(&theirs), theirs.manifest()), (answers(&ours), ours.manifest()));
}

#[test]
fn what_is_pulled_from_a_folder_answers_as_what_was_published() {
    let folder = tempfile::tempdir().expect("a folder");
    check_publish_and_pull(&folder_remote(&folder.path().join("not/there/yet")));
}

#[cfg(unix)]
#[test]
fn what_is_pulled_from_s3_answers_as_what_was_published() {
    let server = s3_server();
    check_publish_and_pull(&Remote::open_with("s3://equal/some/prefix", &server.variables()).expect("a remote"));
}

/// Lets a publish go on to its last steps only when all others are there too.
struct Together(Barrier);

impl Transfer for Together {
    fn bytes(&self, done: u64, total: u64) {
        if done == total {
            self.0.wait();
        }
    }
}

fn check_race(open: impl Fn() -> Remote + Sync) {
    const N: usize = 3;
    let builders: Vec<Builder> = (0..N).map(|_| Builder::new()).collect();
    let replica = Place::new();
    for round in 1..=3_usize {
        let numbers: Vec<u64> =
            builders.iter().enumerate().map(|(i, builder)| builder.build(5 + i, &format!("word{round}x{i}"))).collect();
        let together = Together(Barrier::new(N));
        let run = |builder: &Builder, number: u64| {
            open().publish(&builder.place.store, number, &together, &PublishOptions::default())
        };
        let results: Vec<_> = std::thread::scope(|scope| {
            let pairs = builders.iter().zip(&numbers);
            let threads: Vec<_> = pairs
                .map(|(builder, &number)| {
                    let run = &run;
                    scope.spawn(move || run(builder, number))
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        let winners: Vec<usize> = (0..N).filter(|&i| results[i].is_ok()).collect();
        assert_eq!(winners.len(), 1, "round {round}: {results:?}");
        for result in results.iter().filter_map(|result| result.as_ref().err()) {
            assert!(matches!(result, RemoteError::Lost { current, .. } if *current == numbers[winners[0]]), "{result}");
        }
        pull(&open(), &replica).expect("pulled");
        assert_eq!(replica.tools(), builders[winners[0]].place.tools(), "round {round}");
    }
}

#[test]
fn of_publishers_to_one_folder_exactly_one_wins() {
    let folder = tempfile::tempdir().expect("a folder");
    check_race(|| folder_remote(folder.path()));
}

#[cfg(unix)]
#[test]
fn of_publishers_to_one_bucket_exactly_one_wins() {
    let server = s3_server();
    check_race(|| Remote::open_with("s3://race", &server.variables()).expect("a remote"));
}

#[cfg(unix)]
#[test]
fn a_wrong_secret_is_refused_and_shown_nowhere() {
    let server = s3_server();
    let mut variables = server.variables();
    for (name, value) in &mut variables {
        if name == "AWS_SECRET_ACCESS_KEY" {
            *value = "hunter2hunter2".to_owned();
        }
    }
    let remote = Remote::open_with("s3://secret", &variables).expect("a remote");
    let error = remote.state().expect_err("a wrong secret").to_string();
    assert!(error.contains("s3://secret/CURRENT"), "{error}");
    assert!(!error.contains("hunter2") && !error.contains("shortlist-test"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_damaged_object_in_a_bucket_is_refused_and_the_one_before_serves() {
    let server = s3_server();
    let remote = Remote::open_with("s3://damage", &server.variables()).expect("a remote");
    let (builder, replica) = (Builder::new(), Place::new());
    builder.publish(&remote, builder.build(20, "first")).expect("published");
    pull(&remote, &replica).expect("pulled");
    let before = replica.tools();
    let second = builder.build(20, "second");
    builder.publish(&remote, second).expect("published");
    let manifest = builder.place.served().expect("one").manifest().clone();
    let (_, sum) = manifest.files.iter().find(|(path, _)| path.ends_with("tools.arrow")).expect("it has one");
    let mut bytes = vec![0; sum.bytes as usize];
    bytes[0] = 1;
    server.put("damage", &format!("files/{}", sum.sha256), bytes).expect("overwritten");
    let error = pull(&remote, &replica).expect_err("a damaged object").to_string();
    assert!(error.contains(&sum.sha256) && error.contains("is damaged"), "{error}");
    assert_eq!(replica.tools(), before);
}

#[test]
fn damage_of_every_object_is_refused_and_what_was_fetched_is_not_fetched_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let remote = folder_remote(folder.path());
    let (builder, replica) = (Builder::new(), Place::new());
    builder.publish(&remote, builder.build(20, "first")).expect("published");
    pull(&remote, &replica).expect("pulled");
    let before = replica.tools();
    let number = builder.build(20, "second");
    let published = builder.publish(&remote, number).expect("published");
    let state = remote.state().expect("read").expect("there");
    let manifest = builder.place.served().expect("one").manifest().clone();
    let first: Vec<String> =
        replica.served().expect("one").manifest().files.values().map(|f| f.sha256.clone()).collect();
    let mut objects: Vec<PathBuf> = manifest
        .files
        .values()
        .filter(|sum| !first.contains(&sum.sha256))
        .map(|sum| folder.path().join("files").join(&sum.sha256))
        .collect();
    objects.push(folder.path().join("generations").join(&state.current.manifest));
    for object in objects {
        let good = fs::read(&object).expect("it is there");
        let mut turned = good.clone();
        turned[good.len() / 2] ^= 1;
        for bad in [Some(&turned[..]), Some(&good[..good.len() - 1]), None] {
            match bad {
                Some(bytes) => fs::write(&object, bytes).expect("damaged"),
                None => fs::remove_file(&object).expect("removed"),
            }
            // What an attempt before fetched would be used.
            let _ = fs::remove_dir_all(replica.home().join("pulling"));
            let error = pull(&remote, &replica).expect_err("it is damaged");
            assert!(matches!(error, RemoteError::Damaged { .. }), "{object:?}: {error}");
            assert_eq!(replica.tools(), before);
        }
        fs::write(&object, good).expect("mended");
    }
    // Files are fetched in their order: when the last turns out bad, most are here.
    let last = manifest.files.values().rfind(|sum| !first.contains(&sum.sha256)).expect("a new file");
    let last = folder.path().join("files").join(&last.sha256);
    let good = fs::read(&last).expect("it is there");
    fs::remove_file(&last).expect("removed");
    pull(&remote, &replica).expect_err("it is damaged");
    fs::write(&last, good).expect("mended");
    let pulled = pull(&remote, &replica).expect("pulled");
    assert!(pulled.changed && pulled.bytes_fetched < published.bytes_sent, "{pulled:?} of {published:?}");
    assert_eq!(replica.tools(), builder.place.tools());
    assert!(!replica.home().join("pulling").exists());
}

#[test]
fn what_is_said_of_a_damaged_object_mends_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (remote, builder) = (folder_remote(folder.path()), Builder::new());
    let number = builder.build(20, "good");
    builder.publish(&remote, number).expect("published");
    let refused = || pull(&remote, &Place::new()).expect_err("it is damaged").to_string();
    let entry = remote.state().expect("read").expect("there").current;
    let manifest = builder.place.served().expect("one").manifest().clone();
    let (_, sum) = manifest.files.iter().find(|(path, _)| path.ends_with("tools.arrow")).expect("it has one");
    let file = folder.path().join("files").join(&sum.sha256);

    fs::write(folder.path().join("generations").join(&entry.manifest), "{}").expect("damaged");
    assert!(refused().ends_with("; `shortlist publish --to` sends it again"), "{}", refused());
    builder.publish(&remote, number).expect("published");
    pull(&remote, &Place::new()).expect("pulled");

    let mut bytes = fs::read(&file).expect("it is there");
    bytes[0] ^= 1;
    fs::write(&file, bytes).expect("damaged");
    assert!(refused().contains("remove it there"), "{}", refused());
    fs::remove_file(&file).expect("removed");
    assert_eq!(builder.publish(&remote, number).expect("published").n_sent, 1);
    pull(&remote, &Place::new()).expect("pulled");

    fs::write(folder.path().join("CURRENT"), "{").expect("damaged");
    assert!(refused().contains("restore it; or remove it"), "{}", refused());
    fs::remove_file(folder.path().join("CURRENT")).expect("removed");
    builder.publish(&remote, builder.build(21, "better")).expect("published");
    pull(&remote, &Place::new()).expect("pulled");
}

#[test]
fn a_kept_generation_is_made_current_again_by_a_home_that_has_it_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let (remote, builder, elsewhere, replica) =
        (folder_remote(folder.path()), Builder::new(), Place::new(), Place::new());
    let first = builder.build(10, "first");
    builder.publish(&remote, first).expect("published");
    let tools = builder.place.tools();
    let second = builder.build(10, "second");
    builder.publish(&remote, second).expect("published");

    let publish = |number: u64| remote.publish(&elsewhere.store, number, &Silent, &PublishOptions::default());
    let back = publish(first).expect("it is kept there");
    assert_eq!((back.generation, back.changed, back.n_sent), (first, true, 0));
    assert_eq!(remote.state().expect("read").expect("there").highest, second);
    pull(&remote, &replica).expect("pulled");
    assert_eq!(replica.tools(), tools);
    let error = publish(second + 1).expect_err("it is nowhere");
    assert!(matches!(error, RemoteError::Local(StoreError::Missing(number)) if number == second + 1), "{error}");
}

#[test]
fn a_roll_back_there_stays_until_a_new_generation_is_published() {
    let folder = tempfile::tempdir().expect("a folder");
    let (remote, builder) = (folder_remote(folder.path()), Builder::new());
    let pass = |number: u64| {
        let options = PublishOptions { leave_rolled_back: true, ..PublishOptions::default() };
        remote.publish(&builder.place.store, number, &Silent, &options).expect("published")
    };
    let current = || remote.state().expect("read").expect("there").current.number;
    let first = builder.build(10, "first");
    assert!(pass(first).changed);
    // What the place never had is not what it was rolled back from, however late it comes.
    let second = builder.build(10, "second");
    assert!(pass(second).changed);

    builder.publish(&remote, first).expect("rolled back");
    let left = pass(second);
    assert_eq!((left.generation, left.changed, left.n_sent, current()), (first, false, 0, first));
    let [warning] = &left.warnings[..] else { panic!("one warning: {left:?}") };
    assert!(warning.contains("generation 2 was not made current again"), "{warning}");
    // An operator's word is not a pass.
    assert!(builder.publish(&remote, second).expect("published").changed);
    builder.publish(&remote, first).expect("rolled back");
    let third = builder.build(10, "third");
    assert!(pass(third).changed);
    assert_eq!(current(), third);
    // A pass at a home that was rolled back itself takes the place with it.
    assert!(pass(second).changed);
    assert_eq!(current(), second);
}

/// What somebody does to a manifest.
type Change = Box<dyn FnOnce(&mut Value)>;

/// A remote whose current manifest was written by somebody who means ill.
fn forge(folder: &Path, change: impl FnOnce(&mut Value)) {
    let builder = Builder::new();
    builder.publish(&folder_remote(folder), builder.build(3, "good")).expect("published");
    let mut current: Value = serde_json::from_slice(&fs::read(folder.join("CURRENT")).expect("there")).expect("JSON");
    let path = |sum: &str| folder.join("generations").join(sum);
    let text = fs::read(path(current["current"]["manifest"].as_str().expect("a sum"))).expect("there");
    let mut manifest: Value = serde_json::from_slice(&text).expect("JSON");
    change(&mut manifest);
    let text = manifest.to_string();
    let sum = hex(&Sha256::digest(&text));
    fs::write(path(&sum), text).expect("forged");
    current["current"]["manifest"] = sum.clone().into();
    current["kept"][0]["manifest"] = sum.into();
    fs::write(folder.join("CURRENT"), current.to_string()).expect("forged");
}

#[test]
fn a_manifest_that_reaches_out_of_its_folder_or_asks_for_too_much_is_refused() {
    let sum = json!({ "bytes": 1, "sha256": "0".repeat(64) });
    let add = |path: &str, sum: &Value| {
        let (path, sum) = (path.to_owned(), sum.clone());
        move |manifest: &mut Value| manifest["files"][path.as_str()] = sum
    };
    let cases: Vec<(&str, Change)> = vec![
        ("no plain path", Box::new(add("../../CURRENT", &sum))),
        ("no plain path", Box::new(add("/etc/evil", &sum))),
        ("no plain path", Box::new(add("a/../../../evil", &sum))),
        ("no plain path", Box::new(add("manifest.json", &sum))),
        ("is no SHA-256", Box::new(add("x", &json!({ "bytes": 1, "sha256": "../../CURRENT" })))),
        ("bytes together", Box::new(add("x", &json!({ "bytes": u64::MAX, "sha256": "0".repeat(64) })))),
        (
            "as a file and as a folder",
            Box::new(|manifest| {
                manifest["files"]["x"] = json!({ "bytes": 1, "sha256": "0".repeat(64) });
                manifest["files"]["x/y"] = json!({ "bytes": 1, "sha256": "0".repeat(64) });
            }),
        ),
        (
            "files; 4096 are allowed",
            Box::new(|manifest| {
                for i in 0..5_000 {
                    manifest["files"][format!("f{i}")] = json!({ "bytes": 1, "sha256": "0".repeat(64) });
                }
            }),
        ),
        ("has format 999", Box::new(|manifest| manifest["format"] = 999.into())),
        ("is of generation 7, not 1", Box::new(|manifest| manifest["number"] = 7.into())),
    ];
    for (why, change) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        forge(folder.path(), change);
        let replica = Place::new();
        let error = pull(&folder_remote(folder.path()), &replica).expect_err(why).to_string();
        assert!(error.contains(why), "{why}: {error}");
        assert!(replica.served().is_none());
        assert!(!replica.home().join("CURRENT").exists(), "{why}");
    }
    for text in [
        "",
        "{}",
        "7",
        r#"{"format":1,"current":{"number":1,"manifest":"../x"},"highest":1,"kept":[{"number":1,"manifest":"../x"}]}"#,
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("CURRENT"), text).expect("written");
        let error = pull(&folder_remote(folder.path()), &Place::new()).expect_err("no CURRENT");
        assert!(matches!(error, RemoteError::Damaged { .. }), "{text:?}: {error}");
    }
}

#[test]
fn a_number_means_one_content_for_good() {
    let folder = tempfile::tempdir().expect("a folder");
    let remote = folder_remote(folder.path());
    let (one, other, replica) = (Builder::new(), Builder::new(), Place::new());
    one.build(3, "a");
    let second = one.build(3, "b");
    one.publish(&remote, second).expect("published");
    // Another store's first and second are not these.
    for word in ["c", "d"] {
        let error = other.publish(&remote, other.build(3, word)).expect_err("a number that was given out");
        assert!(matches!(error, RemoteError::NotNewer { highest: 2, .. }), "{error}");
    }
    let highest = remote.state().expect("read").expect("there").highest;
    other.place.store.number_above(&other.place.store.lock().expect("a lock"), highest + 3).expect("kept");
    let number = other.build(4, "e");
    assert_eq!(number, highest + 4);
    other.publish(&remote, number).expect("published");
    pull(&remote, &replica).expect("pulled");
    assert_eq!(replica.tools(), other.place.tools());

    // Into a store that has another generation of that number nothing is pulled.
    one.place.store.number_above(&one.place.store.lock().expect("a lock"), number - 1).expect("kept");
    assert_eq!(one.build(5, "f"), number);
    let before = one.place.tools();
    let error = pull(&remote, &one.place).expect_err("the number is taken");
    assert!(matches!(error, RemoteError::Install(InstallError::Taken { .. })), "{error}");
    assert_eq!(one.place.tools(), before);
}

#[test]
fn a_generation_that_is_damaged_here_is_mended_from_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let remote = folder_remote(folder.path());
    let (builder, replica) = (Builder::new(), Place::new());
    let number = builder.build(20, "good");
    builder.publish(&remote, number).expect("published");
    pull(&remote, &replica).expect("pulled");
    let manifest = replica.served().expect("one").manifest().clone();
    for path in manifest.files.keys() {
        let file = replica.store.folder(number).join(path);
        let mut bytes = fs::read(&file).expect("there");
        bytes.push(0);
        // A new file, as a restored backup would be.
        fs::remove_file(&file).and_then(|()| fs::write(&file, bytes)).expect("damaged");
        assert!(replica.store.open(number).is_err());
        let pulled = pull(&remote, &replica).expect("pulled");
        assert!(pulled.changed && pulled.bytes_fetched < 1 << 20, "{path}: {pulled:?}");
        assert_eq!(replica.tools(), builder.place.tools());
    }
}

#[test]
fn what_no_kept_generation_names_is_removed_once_it_is_old() {
    let folder = tempfile::tempdir().expect("a folder");
    let remote = folder_remote(folder.path());
    let builder = Builder::new();
    let n_objects = || -> usize {
        ["files", "generations"].iter().map(|name| fs::read_dir(folder.path().join(name)).expect("there").count()).sum()
    };
    let publish = |word: &str, keep_older: usize, grace: Duration| {
        let number = builder.build(10, word);
        let options = PublishOptions { keep_older, grace, ..PublishOptions::default() };
        remote.publish(&builder.place.store, number, &Silent, &options).expect("published")
    };
    let day = Duration::from_secs(86_400);
    publish("a", 1, day);
    let one = n_objects();
    publish("b", 1, day);
    // The third pushes the first out, which is too young to be removed.
    assert_eq!(publish("c", 1, day).n_removed, 0);
    let stranger = folder.path().join("files/README");
    fs::write(&stranger, "not ours").expect("written");
    let swept = publish("d", 1, Duration::ZERO);
    assert!(swept.n_removed >= one && stranger.exists(), "{swept:?} of {one}");
    assert!(n_objects() <= 2 * one + 1, "{} objects, {one} in one generation", n_objects());
    let replica = Place::new();
    pull(&remote, &replica).expect("pulled");
    assert_eq!(replica.tools(), builder.place.tools());
}

#[test]
fn a_rebuild_of_a_generation_embeds_for_another_model_and_keeps_what_is_known_of_the_sources() {
    let builder = Builder::new();
    builder.build(40, "same");
    let old = builder.place.served().expect("one");
    let elsewhere = Place::new();
    let (first, second) = (Counting::new("one"), Counting::new("two"));
    for (embedder, expected, number) in [(&first, 40, 1), (&second, 40, 2), (&second, 0, 3)] {
        let options = SyncOptions::default();
        let report = rebuild(&old, &elsewhere.store, embedder, &mut Quiet, &options).expect("rebuilt");
        assert_eq!((report.generation, report.published, report.n_embedded), (number, true, expected));
        assert_eq!(embedder.take(), expected);
        let new = elsewhere.served().expect("one");
        assert_eq!(tools(&new), tools(&old));
        assert_eq!(new.manifest().sources, old.manifest().sources);
    }
}

#[test]
fn a_fresh_pass_reads_and_builds_what_did_not_change() {
    let builder = Builder::new();
    let number = builder.build(10, "same");
    assert_eq!(builder.build(10, "same"), number);
    let sources: Vec<Box<dyn Source>> = vec![Box::new(Jsonl::new("tools", &builder.catalog))];
    let options = SyncOptions { fresh: true, ..SyncOptions::default() };
    let embedder = HashingEmbedder::new(16);
    let sync = || shortlist_ingest::sync::sync(&sources, &builder.place.store, &embedder, &mut Quiet, &options);
    let report = sync().expect("a pass");
    assert_eq!((report.generation, report.published, report.n_embedded), (number + 1, true, 0));
    // A source that cannot be read then still keeps its last good tools.
    fs::remove_file(&builder.catalog).expect("removed");
    let report = sync().expect("a pass");
    assert!(report.has_failures());
    assert_eq!(builder.place.tools().len(), 10);
}
