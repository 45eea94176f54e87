//! The cache beside its files: what is written is found, what is damaged is not believed.

use super::*;

const DIMENSION: usize = 4;

fn model(name: &str) -> ModelFingerprint {
    ModelFingerprint(name.to_owned())
}

fn open(folder: &Path) -> EmbeddingCache {
    EmbeddingCache::open(folder, &model("m"), DIMENSION)
}

fn row(i: usize) -> (TextHash, Embedding) {
    let vector = (0..DIMENSION).map(|d| ((i * 31 + d * 17) % 101) as f32 - 50.5).collect();
    (TextHash::of(&i.to_string()), Embedding::from_unnormalised(vector))
}

fn rows(range: std::ops::Range<usize>) -> Vec<(TextHash, Embedding)> {
    range.map(row).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder.join("m")).expect("a folder").flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
}

fn assert_holds(cache: &EmbeddingCache, range: std::ops::Range<usize>) {
    for i in range {
        let (text, vector) = row(i);
        assert_eq!(cache.get(&text), Some(vector), "text {i}");
    }
}

#[test]
fn what_was_appended_is_found_now_and_later_bit_for_bit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut cache = open(folder.path());
    assert!(cache.is_empty() && files_absent(folder.path()));
    // More than one record batch.
    cache.append(&rows(0..20_000)).expect("a part");
    cache.append(&rows(20_000..20_005)).expect("a part");
    cache.append(&[]).expect("nothing");
    for cache in [cache, open(folder.path())] {
        assert_eq!(cache.len(), 20_005);
        assert_holds(&cache, 0..20_005);
        assert_eq!(cache.get(&TextHash::of("another")), None);
        assert!(cache.warnings().is_empty());
    }
    assert_eq!(files(folder.path()).len(), 2);
}

fn files_absent(folder: &Path) -> bool {
    !folder.join("m").exists()
}

#[test]
fn models_do_not_share_vectors_and_no_name_leaves_the_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    open(folder.path()).append(&rows(0..3)).expect("a part");
    assert!(EmbeddingCache::open(folder.path(), &model("n"), DIMENSION).is_empty());
    for name in ["../m", "", "a/b", "..", "a b"] {
        assert_eq!(folder_name(&model(name)).len(), 64, "{name}");
    }
}

#[test]
fn any_damage_to_a_part_is_seen_and_the_others_stay() {
    let seed = 3;
    let mut rng = fastrand::Rng::with_seed(seed);
    for round in 0..60 {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut cache = open(folder.path());
        cache.append(&rows(0..10)).expect("a part");
        cache.append(&rows(10..20)).expect("a part");
        let part = files(folder.path()).remove(0);
        let mut bytes = fs::read(&part).expect("a part");
        let place = rng.usize(..bytes.len());
        match round % 3 {
            0 => bytes[place] ^= 1 << rng.u8(..8),
            1 => bytes.truncate(place),
            _ => bytes.extend_from_slice(b"more"),
        }
        fs::write(&part, bytes).expect("a damaged part");
        let cache = open(folder.path());
        assert_eq!((cache.len(), cache.warnings().len()), (10, 1), "seed {seed}, round {round}");
        assert_holds(&cache, 10..20);
        assert!(!part.exists());
        assert!(open(folder.path()).warnings().is_empty());
    }
}

#[test]
fn a_part_of_another_dimension_is_not_used_and_unfinished_ones_are_removed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    open(folder.path()).append(&rows(0..10)).expect("a part");
    fs::write(folder.path().join("m/000002.unfinished"), b"half").expect("a leftover");
    fs::write(folder.path().join("m/README"), b"somebody's").expect("a file");
    let cache = EmbeddingCache::open(folder.path(), &model("m"), DIMENSION + 1);
    assert!(cache.is_empty());
    assert_eq!(cache.warnings().len(), 1);
    assert_eq!(files(folder.path()), [folder.path().join("m/README")]);
}

#[test]
fn many_parts_and_many_dead_rows_become_one_part_of_living_ones() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let live = |range: std::ops::Range<usize>| -> BTreeSet<TextHash> { range.map(|i| row(i).0).collect() };
    let mut cache = open(folder.path());
    for i in 0..PARTS_MAX {
        cache.append(&rows(i..i + 1)).expect("a part");
    }
    assert!(!cache.compact(&live(0..PARTS_MAX)).expect("no need"));
    cache.append(&rows(PARTS_MAX..PARTS_MAX + 1)).expect("a part");
    assert!(cache.compact(&live(1..PARTS_MAX + 1)).expect("a compaction"));
    assert_eq!((files(folder.path()).len(), cache.len()), (1, PARTS_MAX));
    assert!(!cache.contains(&row(0).0));
    assert_holds(&cache, 1..PARTS_MAX + 1);
    assert_holds(&open(folder.path()), 1..PARTS_MAX + 1);

    // Appending goes on after a compaction, under a new number.
    cache.append(&rows(100..20_000)).expect("a part");
    assert!(cache.compact(&live(100..200)).expect("a compaction"));
    assert_eq!((files(folder.path()).len(), cache.len()), (1, 100));
    assert_holds(&open(folder.path()), 100..200);
    assert!(cache.compact(&BTreeSet::new()).is_ok());
}

#[test]
fn a_vector_of_another_length_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut cache = open(folder.path());
    let short = (TextHash::of("short"), Embedding::from_unnormalised(vec![1.0]));
    assert!(matches!(cache.append(&[short]), Err(CacheError::Arrow { .. })));
    assert!(cache.is_empty());
}

#[test]
fn a_part_that_cannot_be_read_now_is_left_for_later() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut cache = open(folder.path());
    cache.append(&rows(0..10)).expect("a part");
    cache.append(&rows(10..20)).expect("a part");
    // A link to a place that is away for a while, such as a mount.
    let part = files(folder.path()).remove(0);
    let away = folder.path().join("away");
    let back = folder.path().join("back");
    fs::rename(&part, &away).expect("moved");
    std::os::unix::fs::symlink(&back, &part).expect("a link");

    let mut cache = open(folder.path());
    assert_eq!(cache.len(), 10);
    assert!(cache.warnings().iter().any(|warning| warning.contains("left where it is")), "{:?}", cache.warnings());
    assert!(part.is_symlink(), "the part was removed");
    cache.append(&rows(20..30)).expect("a part");

    fs::rename(&away, &back).expect("moved");
    let cache = open(folder.path());
    assert!(cache.warnings().is_empty(), "{:?}", cache.warnings());
    assert_holds(&cache, 0..30);
}
