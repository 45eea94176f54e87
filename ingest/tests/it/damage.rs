//! Generations whose files are damaged afterwards, anywhere and in any way: what a reader finds is refused with its reason,
//! and the newest whole generation serves.
//!
//! Generations may share files by hard links, so damage to one can be damage to another. What is whole is therefore told by
//! comparing every file of every generation with what it was.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;
use shortlist_index::{HashingEmbedder, StoreError};
use shortlist_ingest::source::Source;
use shortlist_ingest::source::jsonl::Jsonl;
use shortlist_ingest::sync::{Quiet, SyncOptions, sync};

use crate::support::{DIMENSION, Place, once_free, tools};

/// Every file below a folder, by its path inside.
type Files = BTreeMap<PathBuf, Vec<u8>>;

fn files(folder: &Path) -> Files {
    fn collect(root: &Path, folder: &Path, files: &mut Files) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                collect(root, &path, files);
            } else {
                let inside = path.strip_prefix(root).expect("below the root").to_owned();
                files.insert(inside, fs::read(&path).expect("a file"));
            }
        }
    }
    let mut all = Files::new();
    collect(folder, folder, &mut all);
    all
}

fn catalog(n: usize, edition: usize) -> String {
    let line = |i: usize| {
        // The first few change with each edition: few enough for a layer over the rest.
        let edition = if i < 3 { edition } else { 0 };
        let description = format!("Edition {edition} of thing {i}.");
        serde_json::json!({ "id": format!("team:t{i}"), "namespace": "team", "name": format!("t{i}"), "description": description })
            .to_string()
    };
    (0..n).map(line).collect::<Vec<_>>().join("\n")
}

/// Damages one file in place, links to it included; says how.
fn damage(path: &Path, rng: &mut Rng) -> String {
    let mut bytes = fs::read(path).expect("a file");
    let length = bytes.len();
    let place = rng.usize(..length.max(1)).min(length);
    let how = match rng.u32(..6) {
        0 => {
            bytes.truncate(place);
            format!("cut at {place}")
        }
        1 => {
            bytes.extend((0..=rng.usize(..40)).map(|_| rng.u8(..)));
            "extended".to_owned()
        }
        2 => {
            let end = (place + 1 + rng.usize(..4096)).min(length);
            bytes[place..end].fill(0);
            format!("zeros from {place} to {end}")
        }
        3 => {
            let _ = bytes.splice(place..place, [rng.u8(..)]);
            format!("a byte more at {place}")
        }
        _ => {
            for _ in 0..=rng.usize(..3) {
                if let Some(byte) = bytes.get_mut(rng.usize(..length.max(1))) {
                    *byte ^= 1 << rng.u32(..8);
                }
            }
            "bits flipped".to_owned()
        }
    };
    fs::write(path, bytes).expect("written");
    format!("{}: {how}", path.display())
}

/// Puts every file back, in place.
fn mend(home: &Path, good: &BTreeMap<u64, Files>) {
    for (number, files) in good {
        for (inside, bytes) in files {
            let path = home.join("generations").join(number.to_string()).join(inside);
            if fs::read(&path).ok().as_ref() != Some(bytes) {
                fs::write(path, bytes).expect("mended");
            }
        }
    }
}

#[test]
fn damage_at_random_bytes_is_refused_with_its_reason_and_never_served() {
    let place = Place::new();
    let path = place.home().join("tools.jsonl");
    let pass = || {
        let sources: Vec<Box<dyn Source>> = vec![Box::new(Jsonl::new("tools", &path))];
        let options = SyncOptions { keep_older: 10, ..SyncOptions::default() };
        once_free(|| sync(&sources, &place.store, &HashingEmbedder::new(DIMENSION), &mut Quiet, &options))
    };
    let mut served = BTreeMap::new();
    // A few tools, all of them anew, and then one small change after another.
    for (edition, n_tools) in [20, 120, 120, 120].into_iter().enumerate() {
        fs::write(&path, catalog(n_tools, edition)).expect("written");
        let report = pass().expect("a pass");
        assert_eq!(report.is_delta, edition >= 2, "edition {edition}");
        served.insert(report.generation, place.tools());
    }
    let folder = |number: u64| place.home().join("generations").join(number.to_string());
    let good: BTreeMap<u64, Files> = served.keys().map(|number| (*number, files(&folder(*number)))).collect();
    let newest = *served.keys().last().expect("generations");
    let store = &place.store;

    let (mut n_older_serves, mut n_none_serves) = (0, 0);
    for seed in 0..600 {
        let mut rng = Rng::with_seed(seed);
        let mut told = Vec::new();
        // Mostly the newest alone; now and then every generation.
        let numbers: Vec<u64> = if seed % 20 == 0 { served.keys().copied().collect() } else { vec![newest] };
        for number in numbers {
            for _ in 0..=rng.usize(..2) {
                let inside = rng.choice(good[&number].keys()).expect("files");
                told.push(damage(&folder(number).join(inside), &mut rng));
            }
        }
        let what = format!("seed {seed}, {told:?}");
        let whole: Vec<u64> = good
            .iter()
            .filter(|(number, good)| files(&folder(**number)) == **good)
            .map(|(number, _)| *number)
            .collect();
        match (store.open_current(), whole.last()) {
            (Ok(opened), Some(expected)) => {
                assert_eq!(opened.snapshot.number(), *expected, "{what}");
                assert_eq!(tools(&opened.snapshot), served[expected], "{what}");
                let refused: Vec<u64> = opened.refused.iter().map(|(number, _)| *number).collect();
                assert_eq!(refused, (expected + 1..=newest).rev().collect::<Vec<_>>(), "{what}");
                for (number, reason) in opened.refused {
                    let folder = folder(number).display().to_string();
                    assert!(reason.to_string().contains(&folder), "{what}: {reason} should name the file");
                }
                n_older_serves += usize::from(*expected != newest);
            }
            (Err(StoreError::NoneOpens { .. }), None) => n_none_serves += 1,
            (Ok(opened), None) => panic!("{what}: {} serves and is damaged", opened.snapshot.number()),
            (Err(error), _) => panic!("{what}: {error}"),
        }
        if seed % 100 == 0 {
            // With nothing to read from, a pass makes everything anew.
            let report = pass().unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(place.tools(), served[&newest], "{what}");
            let lock = once_free(|| store.lock()).expect("nobody else writes");
            store.set_current(&lock, newest).expect("it is there");
            if report.generation != newest {
                fs::remove_dir_all(folder(report.generation)).expect("removed");
            }
        }
        mend(place.home(), &good);
    }
    assert!(n_older_serves > 300, "{n_older_serves}");
    assert!(n_none_serves > 5, "{n_none_serves}");
    assert_eq!(place.tools(), served[&newest]);
}
