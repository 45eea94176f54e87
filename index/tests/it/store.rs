//! Publishing, rolling back, and what happens to a generation that is damaged afterwards.

use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;
use sha2::{Digest, Sha256};
use shortlist_index::{BuildError, Embedding, OpenError, PublishStep, Store, StoreError, Tool};

use crate::catalog::{Published, generation, tools};

fn two_generations() -> (Published, Vec<Tool>) {
    let all = tools(&mut Rng::with_seed(11), 50);
    let published = Published::new(&all[..30]);
    assert_eq!(published.publish(&all), 2);
    (published, all)
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

#[test]
fn what_was_published_is_what_is_read() {
    let (published, all) = two_generations();
    let snapshot = published.snapshot();
    assert_eq!(snapshot.tools().collect::<Vec<Tool>>(), all);
    assert_eq!((snapshot.number(), snapshot.manifest().parent), (2, Some(1)));
}

#[test]
fn a_generation_damaged_anywhere_is_refused_and_the_one_before_serves() {
    let (published, _) = two_generations();
    let folder = published.store.home().join("generations/2");
    let files = files_below(&folder);
    assert!(files.len() >= 8, "{files:?}");
    let mut rng = Rng::with_seed(12);
    for file in files {
        let good = fs::read(&file).expect("it is there");
        let mut damages: Vec<(&str, Option<Vec<u8>>)> =
            vec![("missing", None), ("truncated", Some(good[..good.len() / 2].to_vec()))];
        for _ in 0..4 {
            let mut flipped = good.clone();
            if !flipped.is_empty() {
                let place = rng.usize(..flipped.len());
                flipped[place] ^= 1 << rng.u32(..8);
            }
            damages.push(("flipped", Some(flipped)));
        }
        for (how, bytes) in damages {
            match bytes {
                Some(bytes) if bytes == good => continue,
                Some(bytes) => fs::write(&file, bytes).expect("it is written"),
                None => fs::remove_file(&file).expect("it is removed"),
            }
            let opened = published.store.open_current().expect("the one before serves");
            let what = format!("{how} {}", file.display());
            assert_eq!((opened.snapshot.number(), opened.refused.len()), (1, 1), "{what}");
            assert_eq!(opened.snapshot.n_tools(), 30, "{what}");
            fs::write(&file, &good).expect("it is mended");
        }
    }
    assert_eq!(published.snapshot().number(), 2);
}

#[test]
fn a_damaged_current_stops_nobody() {
    let (published, _) = two_generations();
    let current = published.store.home().join("CURRENT");
    for text in ["", "two", "\u{0}", "99999999999999999999999"] {
        fs::write(&current, text).expect("it is written");
        assert!(matches!(published.store.current(), Err(StoreError::Current { .. })), "{text:?}");
        assert_eq!(published.snapshot().number(), 2, "{text:?}");
    }
}

#[test]
fn newer_ones_than_that_rolled_back_to_are_left_alone_and_named() {
    let (published, all) = two_generations();
    assert_eq!(published.publish(&all[..20]), 3);
    let lock = published.store.lock().expect("nobody else writes");
    published.store.set_current(&lock, 1).expect("it is there");
    let folder = published.store.folder(1);
    let error = || published.store.open_current().err().expect("none may serve");
    fs::write(folder.join("manifest.json"), "{}").expect("it is damaged");
    assert!(matches!(error(), StoreError::NoneOpens { .. }) && error().to_string().contains("(2, 3)"), "{}", error());
    fs::remove_dir_all(folder).expect("it is removed");
    assert!(matches!(error(), StoreError::Gone { .. }) && error().to_string().contains("(2, 3)"), "{}", error());
}

#[test]
fn rolling_back_is_one_step_and_numbers_are_never_given_twice() {
    let (published, all) = two_generations();
    let lock = published.store.lock().expect("nobody else writes");
    published.store.set_current(&lock, 1).expect("it is there");
    assert_eq!(published.snapshot().number(), 1);
    assert!(matches!(published.store.set_current(&lock, 7), Err(StoreError::Missing(7))));
    drop(lock);
    assert_eq!(published.publish(&all[..10]), 3);
    assert_eq!(published.snapshot().manifest().parent, Some(1));
    let lock = published.store.lock().expect("nobody else writes");
    assert_eq!(published.store.remove_older(&lock, 0).expect("one is removed"), [2], "3 was built on 1");
    assert_eq!(published.store.list().expect("a list"), [1, 3]);
}

#[test]
fn a_damaged_number_to_be_above_is_told_as_such_and_written_anew() {
    let (published, all) = two_generations();
    let lock = published.store.lock().expect("nobody else writes");
    let above = published.store.home().join("ABOVE");
    for damage in ["", "seven", "-1", "\u{0}"].map(str::as_bytes).into_iter().chain([&[0xff, 0xfe][..]]) {
        fs::write(&above, damage).expect("it is written");
        let refused = published.store.publish(&lock, generation(&all), &mut |_| {});
        let Err(BuildError::Store(error @ StoreError::Above { .. })) = refused else {
            unreachable!("{damage:?} is no number")
        };
        assert!(error.to_string().contains("writes it anew"), "{error}");
        published.store.number_above(&lock, 7).expect("it is written anew");
        published.store.number_above(&lock, 5).expect("nothing is to do");
        assert_eq!(fs::read_to_string(&above).expect("it is there"), "7\n");
    }
    assert_eq!(published.store.publish(&lock, generation(&all), &mut |_| {}).expect("it is published"), 8);
}

#[test]
fn after_the_largest_number_nothing_is_built() {
    let (published, all) = two_generations();
    let lock = published.store.lock().expect("nobody else writes");
    published.store.number_above(&lock, u64::MAX).expect("it is kept");
    let refused = published.store.publish(&lock, generation(&all), &mut |_| {});
    assert!(matches!(refused, Err(BuildError::Store(StoreError::NoNumberLeft(_)))), "{refused:?}");
    assert_eq!(published.snapshot().number(), 2);
}

#[test]
fn only_one_process_writes() {
    let (published, _) = two_generations();
    let _lock = published.store.lock().expect("nobody else writes");
    assert!(matches!(published.store.lock(), Err(StoreError::Busy(_))));
}

#[test]
fn a_publish_that_stops_at_any_step_leaves_the_one_before() {
    let all = tools(&mut Rng::with_seed(13), 40);
    let steps = {
        let mut steps = Vec::new();
        let published = Published::new(&all[..20]);
        let lock = published.store.lock().expect("nobody else writes");
        published.store.publish(&lock, generation(&all), &mut |step| steps.push(step)).expect("it is published");
        steps
    };
    assert_eq!(steps.last(), Some(&PublishStep::Current));
    for stop in steps {
        let published = Published::new(&all[..20]);
        let lock = published.store.lock().expect("nobody else writes");
        let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = published.store.publish(&lock, generation(&all), &mut |step| assert!(step != stop, "stop here"));
        }));
        assert!(stopped.is_err());
        drop(lock);
        let opened = published.store.open_current().expect("one serves");
        assert_eq!((opened.snapshot.number(), opened.snapshot.n_tools()), (1, 20), "stopped before {stop:?}");
        published.publish(&all);
        assert_eq!(published.snapshot().n_tools(), all.len(), "after a stop before {stop:?}");
    }
}

#[test]
fn what_cannot_be_a_generation_is_not_built() {
    let all = tools(&mut Rng::with_seed(14), 10);
    let published = Published::new(&all);
    let lock = published.store.lock().expect("nobody else writes");
    let twice = [all.clone(), vec![all[0].clone()]].concat();
    let refused = published.store.publish(&lock, generation(&twice), &mut |_| {});
    assert!(matches!(refused, Err(BuildError::Duplicate(tool)) if *tool == all[0].reference));
    let mut short = generation(&all);
    short.tools[3].1 = Embedding::from_unnormalised(vec![1.0; 3]);
    let refused = published.store.publish(&lock, short, &mut |_| {});
    assert!(matches!(refused, Err(BuildError::Dimension { expected: 64, got: 3, .. })));
    assert_eq!(published.snapshot().number(), 1);
}

#[test]
fn a_generation_of_another_format_or_dimension_says_so() {
    let (published, _) = two_generations();
    let manifest = published.store.home().join("generations/2/manifest.json");
    let good = fs::read_to_string(&manifest).expect("a manifest");
    let refuse = |from: &str, to: &str| {
        let text = good.replace(from, to);
        fs::write(manifest.with_file_name("manifest.sha256"), shortlist_index::hex(&Sha256::digest(&text)))
            .expect("it is written");
        fs::write(&manifest, text).expect("it is written");
        published.store.open(2).err().expect("it is refused")
    };
    let error = refuse("\"format\": 2", "\"format\": 9");
    assert!(matches!(error, OpenError::Format { number: 2, expected: 2, got: 9 }), "{error}");
    let error = refuse("\"dimension\": 64", "\"dimension\": 65");
    assert!(matches!(error, OpenError::Arrow { .. }), "{error}");
    let error = refuse("\"number\": 2", "\"number\": 7");
    assert!(matches!(error, OpenError::Number { expected: 2, got: 7 }), "{error}");
    let error = refuse("\"base/vectors.arrow\"", "\"base/other.arrow\"");
    assert!(matches!(error, OpenError::Unnamed { part: "vectors.arrow", .. }), "{error}");
    let error = refuse("\"n_tools\"", "\"n_gadgets\"");
    assert!(matches!(error, OpenError::Manifest { .. }), "{error}");
}

#[test]
fn an_empty_store_says_what_to_do() {
    let home = tempfile::tempdir().expect("a folder");
    let error = Store::new(home.path()).open_current().err().expect("there is nothing");
    assert!(error.to_string().contains("run `shortlist sync`"), "{error}");
}
