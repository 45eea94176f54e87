//! Fetching assets with the real pip. Most tests give it a wheel from a folder, so they need no network; the one that
//! fetches a real package is [`pulled`], which `google_discovery` builds on.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;

use sha2::{Digest, Sha256};
use shortlist_index::hex;
use shortlist_ingest::assets::{AssetError, AssetEvent, Assets, Pins, Progress, Silent};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;

/// A real asset, fetched once for all runs. `SHORTLIST_ASSETS` names a folder that has it on a machine without network.
pub(crate) fn pulled(name: &str) -> PathBuf {
    let root = std::env::var_os("SHORTLIST_ASSETS").map(PathBuf::from);
    let root = root.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("assets"));
    Assets::locate(root).ensure(name, &Silent).expect("the asset is there, or pip can fetch it")
}

/// A wheel in a folder, a Python whose pip finds only that, and an empty root.
struct Bench {
    dir: TempDir,
    wheel_sha256: String,
    wheel_bytes: u64,
}

const CONTENT: &[u8] = b"the content of a pinned file\n";

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let wheel = wheel();
        fs::create_dir(dir.path().join("index")).expect("created");
        fs::write(dir.path().join("index/shortlist_probe-1.0.0-py3-none-any.whl"), &wheel).expect("written");
        Self { wheel_sha256: hex(&Sha256::digest(&wheel)), wheel_bytes: wheel.len() as u64, dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The real Python behind a script that first does `before`.
    fn python(&self, name: &str, before: &str, options: &str) -> PathBuf {
        let path = self.path(name);
        let text = format!("#!/bin/sh\n{before}\nexec python3 {options} \"$@\"\n");
        // A child writes it, for a file that this process (or a child of another test) holds open cannot be started.
        let script = ["-c", "printf '%s' \"$1\" > \"$2\" && chmod +x \"$2\"", "sh", &text];
        let status = std::process::Command::new("sh").args(script).arg(&path).status();
        assert!(status.expect("sh runs").success());
        path
    }

    fn local_python(&self) -> PathBuf {
        let index = self.path("index");
        let calls = self.path("calls");
        let before = format!(
            "export PIP_NO_INDEX=1 PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS='{}'\necho called >> '{}'",
            index.display(),
            calls.display()
        );
        self.python("python", &before, "")
    }

    fn pins(&self, change: impl FnOnce(String) -> String) -> Pins {
        let text = format!(
            r#"
            [[asset]]
            name = "probe"
            about = "A test's asset"
            licence = "Apache-2.0"
            origin = "This test"
            [asset.model]
            name = "probe"
            max_tokens = 8
            [[asset.wheel]]
            package = "shortlist-probe"
            version = "1.0.0"
            sha256 = "{}"
            bytes = {}
            files = [{{ from = "probe/data.bin", to = "inner/data.bin", sha256 = "{}", bytes = {} }}]
            tree = {{ prefix = "probe/tree/", suffix = ".json", to = "tree", except = ["no.json"], n_files = 2, bytes = 5 }}
            "#,
            self.wheel_sha256,
            self.wheel_bytes,
            hex(&Sha256::digest(CONTENT)),
            CONTENT.len()
        );
        Pins::parse(&change(text)).expect("well-formed pins")
    }

    fn assets(&self) -> Assets {
        Assets::locate(self.path("root")).with_python(self.local_python()).with_pins(self.pins(|text| text))
    }

    fn n_calls(&self) -> usize {
        fs::read_to_string(self.path("calls")).map_or(0, |text| text.lines().count())
    }

    /// What stands in the root except locks.
    fn installed(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("root")).expect("the root");
        let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        names.filter(|name| name != ".work").collect()
    }
}

fn wheel() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let metadata = "Metadata-Version: 2.1\nName: shortlist-probe\nVersion: 1.0.0\n";
    for (name, content) in [
        ("probe/data.bin", CONTENT),
        ("probe/other.bin", b"not wanted".as_slice()),
        ("probe/tree/a.json", b"{}"),
        ("probe/tree/b.json", b"{ }"),
        ("probe/tree/no.json", b"not wanted"),
        ("probe/tree/deeper/c.json", b"not wanted"),
        ("shortlist_probe-1.0.0.dist-info/METADATA", metadata.as_bytes()),
        ("shortlist_probe-1.0.0.dist-info/WHEEL", b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
        ("shortlist_probe-1.0.0.dist-info/RECORD", b""),
    ] {
        zip.start_file(name, SimpleFileOptions::default()).expect("started");
        zip.write_all(content).expect("written");
    }
    zip.finish().expect("finished").into_inner()
}

#[test]
fn the_named_files_and_no_others_are_unpacked() {
    let bench = Bench::new();
    let assets = bench.assets();
    assert_eq!(assets.status()[0].folder, None);
    let folder = assets.ensure("probe", &Silent).expect("fetched");
    assert_eq!(fs::read(folder.join("inner/data.bin")).expect("readable"), CONTENT);
    let mut tree: Vec<_> =
        fs::read_dir(folder.join("tree")).expect("listed").map(|e| e.expect("entry").file_name()).collect();
    tree.sort();
    assert_eq!(tree, ["a.json", "b.json"]);
    let model: toml::Table =
        toml::from_str(&fs::read_to_string(folder.join("model.toml")).expect("readable")).expect("TOML");
    assert_eq!(model["max_tokens"].as_integer(), Some(8));
    assert_eq!(fs::read_dir(&folder).expect("listed").count(), 3);

    assets.verify("probe").expect("what was just fetched is right");
    assert_eq!(assets.status()[0].folder, Some(folder));
    assets.ensure("probe", &Silent).expect("there already");
    assert_eq!(bench.n_calls(), 1, "what is there is not fetched again");
}

#[test]
fn processes_that_race_fetch_once_and_all_find_it() {
    let bench = Bench::new();
    let assets = bench.assets();
    let folders: Vec<PathBuf> = thread::scope(|scope| {
        let racers: Vec<_> =
            (0..4).map(|_| scope.spawn(|| assets.ensure("probe", &Silent).expect("fetched"))).collect();
        racers.into_iter().map(|racer| racer.join().expect("no panic")).collect()
    });
    assert!(folders.iter().all(|folder| folder == &folders[0] && folder.join("inner/data.bin").is_file()));
    assert_eq!(bench.n_calls(), 1);
}

#[test]
fn a_wrong_hash_is_refused_and_nothing_is_installed() {
    let bench = Bench::new();
    let right_file = hex(&Sha256::digest(CONTENT));
    let wrong = "0".repeat(64);
    for (what, right) in [("the wheel of shortlist-probe==1.0.0", &bench.wheel_sha256), ("probe/data.bin", &right_file)]
    {
        let assets = bench.assets().with_pins(bench.pins(|text| text.replace(right.as_str(), &wrong)));
        let error = assets.ensure("probe", &Silent).expect_err("the hash is wrong");
        let AssetError::Mismatch { what: named, expected, got } = &error else { panic!("{error}") };
        assert_eq!(named, what);
        assert!(expected.contains(&wrong) && got.contains(right.as_str()), "{error}");
        assert!(bench.installed().is_empty(), "{:?}", bench.installed());
    }
}

#[test]
fn a_wheel_that_holds_something_else_is_refused() {
    let bench = Bench::new();
    let check = |from: &str, to: &str, expected: &str| {
        let assets = bench.assets().with_pins(bench.pins(|text| text.replace(from, to)));
        let error = assets.ensure("probe", &Silent).expect_err("not what was pinned").to_string();
        assert!(error.contains(expected), "{error:?} should say {expected:?}");
        assert!(bench.installed().is_empty());
    };
    check("probe/data.bin", "probe/absent.bin", "probe/absent.bin");
    check("bytes = 29 }", "bytes = 28 }", "expected 28 bytes, got more");
    check("n_files = 2", "n_files = 3", "expected 3 files");
    check("bytes = 5 }", "bytes = 4 }", "more than the 4 bytes pinned");
    check("\"1.0.0\"", "\"1.0.1\"", "pip could not fetch shortlist-probe==1.0.1");
}

#[test]
fn a_pin_cannot_lead_out_of_its_folder() {
    let bench = Bench::new();
    for (from, to) in [
        ("to = \"inner/data.bin\"", "to = \"../data.bin\""),
        ("to = \"inner/data.bin\"", "to = \"/data.bin\""),
        ("to = \"tree\"", "to = \"..\""),
        ("package = \"shortlist-probe\"", "package = \"--index-url=x\""),
        ("name = \"probe\"", "name = \"../probe\""),
    ] {
        let text = toml::to_string(&bench.pins(|text| text)).expect("TOML").replacen(from, to, 1);
        assert!(text.contains(to), "{text}");
        assert!(matches!(Pins::parse(&text), Err(AssetError::Pins { .. })), "{to}");
    }
}

#[test]
fn what_a_killed_process_left_behind_is_cleared_and_damage_is_repaired() {
    let bench = Bench::new();
    let assets = bench.assets();
    fs::create_dir_all(bench.path("root/.work/probe/files/inner")).expect("created");
    fs::write(bench.path("root/.work/probe/files/inner/data.bin"), b"half").expect("written");
    let folder = assets.ensure("probe", &Silent).expect("fetched");

    fs::write(folder.join("inner/data.bin"), vec![b'x'; CONTENT.len()]).expect("written");
    assert!(matches!(assets.verify("probe"), Err(AssetError::Mismatch { .. })), "the same size, another content");
    fs::remove_file(folder.join("tree/a.json")).expect("removed");
    assert_eq!(assets.status()[0].folder, None);
    assert_eq!(assets.ensure("probe", &Silent).expect("fetched again"), folder);
    assets.verify("probe").expect("whole again");
}

#[test]
fn a_model_description_that_is_gone_or_edited_is_reported_and_repaired() {
    let bench = Bench::new();
    let assets = bench.assets();
    let folder = assets.ensure("probe", &Silent).expect("fetched");
    let path = folder.join("model.toml");
    let original = fs::read_to_string(&path).expect("readable");
    let repaired = || {
        assert_eq!(assets.status()[0].folder, None);
        assert_eq!(assets.ensure("probe", &Silent).expect("repaired"), folder);
        assert_eq!(fs::read_to_string(&path).expect("readable"), original);
        assets.verify("probe").expect("whole again");
    };
    fs::remove_file(&path).expect("removed");
    assert!(matches!(assets.verify("probe"), Err(AssetError::Io { .. })));
    repaired();
    for edited in [original.replace("max_tokens = 8", "max_tokens = 9"), String::new(), "no TOML".to_owned()] {
        assert_ne!(edited, original);
        fs::write(&path, edited).expect("written");
        let error = assets.verify("probe").expect_err("edited").to_string();
        assert!(error.contains("model.toml"), "{error}");
        repaired();
    }
}

#[test]
fn each_missing_helper_gets_an_error_that_says_what_to_do() {
    let bench = Bench::new();
    let check = |python: PathBuf, parts: &[&str]| {
        let error = bench.assets().with_python(python).ensure("probe", &Silent).expect_err("it cannot be fetched");
        let text = error.to_string();
        assert!(parts.iter().all(|part| text.contains(part)), "{text:?} should say {parts:?}");
        assert!(bench.installed().is_empty());
    };
    check("no-such-python".into(), &["no-such-python cannot be started", "install Python 3", "SHORTLIST_ASSETS"]);
    // Without its site folders a Python finds no pip.
    check(bench.python("bare", "", "-S"), &["has no pip", "ensurepip"]);
    // Nobody listens on the discard port.
    let offline = "export PIP_CONFIG_FILE=/dev/null PIP_INDEX_URL=http://127.0.0.1:9/";
    check(bench.python("offline", offline, ""), &["could not reach the package index", "SHORTLIST_ASSETS"]);
}

#[test]
fn a_platform_without_a_pin_is_told_so() {
    let bench = Bench::new();
    let assets = Assets::locate(bench.path("root")).with_platform(None);
    let error = assets.onnxruntime_library(None, &Silent).expect_err("no pin").to_string();
    for part in ["linux-x86_64", "linux-aarch64", "macos-aarch64", "ORT_DYLIB_PATH"] {
        assert!(error.contains(part), "{error}");
    }
    let library = bench.path("libonnxruntime.so");
    assert!(matches!(assets.onnxruntime_library(Some(&library), &Silent), Err(AssetError::NoLibrary { .. })));
    fs::write(&library, b"").expect("written");
    assert_eq!(assets.onnxruntime_library(Some(&library), &Silent).expect("named"), library);
}

#[test]
fn progress_ends_with_the_installation() {
    struct Log(std::sync::Mutex<Vec<String>>);
    impl Progress for Log {
        fn event(&self, event: AssetEvent<'_>) {
            self.0.lock().expect("not poisoned").push(format!("{event:?}"));
        }
    }
    let bench = Bench::new();
    let log = Log(Vec::new().into());
    bench.assets().ensure("probe", &log).expect("fetched");
    let log = log.0.into_inner().expect("not poisoned");
    assert!(log[0].starts_with("Downloading"), "{log:?}");
    assert!(log[log.len() - 2].starts_with("Unpacking") && log[log.len() - 1].starts_with("Installed"), "{log:?}");
}

#[test]
fn the_committed_pins_are_well_formed() {
    let pins = Pins::embedded();
    let names: Vec<&str> = pins.assets.iter().map(|asset| asset.name.as_str()).collect();
    assert_eq!(names, ["onnxruntime", "bge-small-en", "reranker-en", "minilm", "google-discovery"]);
    let error = pins.asset("bge").expect_err("no such asset").to_string();
    assert!(error.contains("bge-small-en, reranker-en"), "{error}");
}
