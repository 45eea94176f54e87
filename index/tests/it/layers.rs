//! A generation made of a base and a delta answers as one that was built whole, to the last bit.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

use fastrand::Rng;
use shortlist_index::{
    DeltaCounts, Embedder, Grant, HashingEmbedder, Mode, NewDelta, SearchRequest, Snapshot, Store, TextRole, Tool,
    ToolRef, search,
};

use crate::catalog::{DIMENSION, Published, Spec, models, query, tools};

/// Catalogs, and in each the edits that follow one another.
const CATALOGS: u64 = 12;
const EDITS: usize = 6;
const GRANTS: usize = 3;
const QUERIES: usize = 5;

type Model = BTreeMap<ToolRef, Tool>;

fn model(tools: Vec<Tool>) -> Model {
    tools.into_iter().map(|tool| (tool.reference.clone(), tool)).collect()
}

/// Adds, changes and removes some tools of the model; returns what a sync would hand on.
fn edit(rng: &mut Rng, model: &mut Model) -> (Vec<Tool>, Vec<ToolRef>) {
    let mut changed = BTreeMap::new();
    for mut tool in tools(rng, 12) {
        if rng.bool() {
            tool.description.push_str(" It says something else now.");
        }
        changed.insert(tool.reference.clone(), tool);
    }
    let removed: Vec<ToolRef> =
        model.keys().filter(|&reference| rng.u32(..12) == 0 && !changed.contains_key(reference)).cloned().collect();
    removed.iter().for_each(|reference| drop(model.remove(reference)));
    model.extend(changed.clone());
    (changed.into_values().collect(), removed)
}

fn publish_delta(store: &Store, changed: Vec<Tool>, removed: Vec<ToolRef>) -> Snapshot {
    let embedder = HashingEmbedder::new(DIMENSION);
    let with_vector = |tool: Tool| {
        let vector = embedder.embed(TextRole::Document, &tool.embedding_text()).expect("a vector");
        (tool, vector)
    };
    let delta = NewDelta {
        changed: changed.into_iter().map(with_vector).collect(),
        removed,
        sources: BTreeMap::new(),
        created_unix_s: 0,
    };
    let lock = store.lock().expect("nobody else writes");
    let parent = store.open_current().expect("a parent").snapshot;
    let number = store.publish_delta(&lock, &parent, delta, &mut |_| {}).expect("it is published");
    // As a server takes it over, and as a new process opens it.
    let shared = store.open_beside(number, Some(&parent)).expect("it opens beside its parent");
    let alone = store.open(number).expect("it opens by itself");
    assert_eq!(shared.tools().collect::<Vec<Tool>>(), alone.tools().collect::<Vec<Tool>>());
    shared
}

/// Everything that can be asked of the two is answered alike.
fn assert_equal(rng: &mut Rng, layered: &Snapshot, whole: &Snapshot, what: &str) {
    assert_eq!(layered.tools().collect::<Vec<Tool>>(), whole.tools().collect::<Vec<Tool>>(), "{what}");
    assert!(layered.content_hashes().eq(whole.content_hashes()), "{what}");
    assert!(layered.content_hashes().eq(whole.tools().map(|t| (t.reference.clone(), t.content_hash()))), "{what}");
    assert!(layered.tools_of("hub").eq(whole.tools().filter(|tool| tool.reference.source() == "hub")), "{what}");
    let grants = std::iter::once(Grant::everything()).chain((0..GRANTS).map(|_| Spec::random(rng).grant()));
    for grant in grants.collect::<Vec<_>>() {
        let (here, there) = (layered.allow(&grant), whole.allow(&grant));
        assert_eq!(layered.namespaces(&here), whole.namespaces(&there), "{what}, {grant:?}");
        assert_eq!((here.len(), here.n_searchable()), (there.len(), there.n_searchable()), "{what}, {grant:?}");
        for tool in whole.tools() {
            let reference = &tool.reference;
            let any = ToolRef::new(reference.source(), reference.namespace(), reference.name(), None).expect("a ref");
            for asked in [reference, &any] {
                assert_eq!(layered.get(&here, asked), whole.get(&there, asked), "{what}, {grant:?}, {asked}");
            }
        }
        for mode in [Mode::Lexical, Mode::Dense, Mode::Hybrid] {
            for _ in 0..QUERIES {
                let request = SearchRequest { mode, limit: 100, explain: true, ..SearchRequest::new(query(rng)) };
                let layered = search(layered, &models(), &here, &request).expect("an answer");
                let whole = search(whole, &models(), &there, &request).expect("an answer");
                assert_eq!(layered, whole, "{what}, {grant:?}, {request:?}");
            }
        }
    }
}

#[test]
fn a_line_of_deltas_answers_as_the_same_tools_built_whole() {
    for seed in 0..CATALOGS {
        let rng = &mut Rng::with_seed(seed);
        let mut model = model(tools(rng, 120));
        let published = Published::new(&model.values().cloned().collect::<Vec<_>>());
        for round in 0..EDITS {
            let (changed, removed) = edit(rng, &mut model);
            let layered = publish_delta(&published.store, changed, removed);
            assert!(layered.manifest().delta.is_some());
            let whole = Published::new(&model.values().cloned().collect::<Vec<_>>()).snapshot();
            assert_equal(rng, &layered, &whole, &format!("seed {seed}, edit {round}"));
        }
    }
}

#[test]
fn everything_can_be_removed_and_come_back() {
    let rng = &mut Rng::with_seed(31);
    let all = tools(rng, 40);
    let published = Published::new(&all);
    let empty = publish_delta(&published.store, Vec::new(), all.iter().map(|tool| tool.reference.clone()).collect());
    assert_eq!((empty.n_tools(), empty.tools().count()), (0, 0));
    let counts = DeltaCounts { n_base: all.len(), n_hidden: all.len(), n_delta: 0 };
    assert_eq!(empty.manifest().delta, Some(counts));
    assert_equal(rng, &empty, &Published::new(&[]).snapshot(), "empty");
    let back = publish_delta(&published.store, all.clone(), Vec::new());
    assert_equal(rng, &back, &Published::new(&all).snapshot(), "back");
}

/// Device and inode of every file of a generation.
fn inodes(store: &Store, number: u64) -> Vec<(u64, u64)> {
    let folder = store.home().join("generations").join(number.to_string());
    let files = store.open(number).expect("it opens").manifest().files.keys().cloned().collect::<Vec<_>>();
    let inode = |file: String| {
        let metadata = fs::metadata(folder.join(file)).expect("a file");
        (metadata.dev(), metadata.ino())
    };
    files.into_iter().map(inode).collect()
}

#[test]
fn generations_that_follow_each_other_share_no_file_and_a_long_line_has_two_copies_of_its_base() {
    let rng = &mut Rng::with_seed(32);
    let mut model = model(tools(rng, 60));
    let published = Published::new(&model.values().cloned().collect::<Vec<_>>());
    for number in 2..=6 {
        let (changed, removed) = edit(rng, &mut model);
        publish_delta(&published.store, changed, removed);
        let (here, before) = (inodes(&published.store, number), inodes(&published.store, number - 1));
        assert!(here.iter().all(|file| !before.contains(file)), "generation {number} shares a file with its parent");
        if number > 2 {
            let older = inodes(&published.store, number - 2);
            assert!(here.iter().any(|file| older.contains(file)), "generation {number} copied a base that was there");
        }
    }
}

#[test]
fn a_damaged_older_copy_of_the_base_is_not_taken() {
    let rng = &mut Rng::with_seed(33);
    let mut model = model(tools(rng, 60));
    let published = Published::new(&model.values().cloned().collect::<Vec<_>>());
    let (changed, removed) = edit(rng, &mut model);
    publish_delta(&published.store, changed, removed);
    // Generation 3 would link from 1.
    fs::write(published.store.home().join("generations/1/base/tools.arrow"), "damaged").expect("it is written");
    let (changed, removed) = edit(rng, &mut model);
    let layered = publish_delta(&published.store, changed, removed);
    let whole = Published::new(&model.values().cloned().collect::<Vec<_>>()).snapshot();
    assert_equal(rng, &layered, &whole, "after damage");
}

#[test]
fn a_damaged_base_takes_one_generation_down_and_not_the_one_before() {
    let rng = &mut Rng::with_seed(34);
    let mut model = model(tools(rng, 60));
    let published = Published::new(&model.values().cloned().collect::<Vec<_>>());
    for number in 2..=5_u64 {
        let (changed, removed) = edit(rng, &mut model);
        publish_delta(&published.store, changed, removed);
        let file = published.store.home().join(format!("generations/{number}/base/vectors.arrow"));
        let good = fs::read(&file).expect("it is there");
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        fs::write(&file, bad).expect("it is written");
        let opened = published.store.open_current().expect("the one before serves");
        assert_eq!((opened.snapshot.number(), opened.refused.len()), (number - 1, 1));
        fs::write(&file, good).expect("it is mended");
    }
}
