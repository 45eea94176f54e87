//! Scan, sketches or graph: the one place that decides.

use super::exact;
use super::graph::Graph;
use super::sketch::Sketches;
use super::vectors::Vectors;
use crate::allowed::AllowedSet;
use crate::places::Layered;
use crate::query::DEPTH_MAX;
use crate::scored::Scored;

/// From how many tools on a generation gets a graph. Sketches take 1.5 us for each thousand tools, and a walk grows by the
/// logarithm: by what both take at 200,000 (ARCHITECTURE, on sketches) they meet about here. Never measured at this size.
pub(crate) const GRAPH_TOOLS_MIN: usize = 1_000_000;
/// The share of the graph's nodes that must be searchable for the graph to be walked. A filtered walk visits all that it may
/// not return: under a tight grant it costs a thousand times the scan.
const GRAPH_SHARE_MIN: f64 = 0.9;
/// How many times the neighbours wanted are taken by their sketches. By so many, the first hundred of 200,000 are the scan's
/// but for one in 10,000 (ARCHITECTURE, on sketches).
const SKETCHED_PER_K: usize = 15;
/// From how many times the neighbours wanted on sketches save time; a smaller set is compared whole. What decides is the
/// allowed set's size and what its holder wants: another user's tools have no part in which way is taken.
const SKETCH_PER_K_MIN: usize = 40;
/// Fewer neighbours than these are looked for as if they were so many. A sketch moves some by hundreds of places, however few are wanted:
/// of the first twenty of 50,000 one in 2,000 was missed by 315 sketches and none by 600, of 200,000 twelve and three.
const SKETCHED_K_MIN: usize = 40;
/// The fewest tools of a search to the usual depth that goes by sketches.
pub const SKETCHED_TOOLS_MIN: usize = DEPTH_MAX * SKETCH_PER_K_MIN;

/// How the dense leg went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DensePath {
    /// Every allowed vector was compared.
    Scan,
    /// Every allowed sketch was compared, and the vectors of the nearest.
    Sketches,
    /// The graph over the base was walked, and the vectors that it came by were compared with those of the delta.
    Graph,
}

/// What saves the comparing of every allowed vector. Nothing, where an answer is to be exact.
#[derive(Clone, Copy, Default)]
pub(crate) struct Shortcuts<'a> {
    pub sketches: Option<&'a Sketches>,
    pub graph: Option<&'a Graph>,
}

/// The `k` nearest allowed documents, best first, scored by f32 cosine whichever way they were found.
pub(crate) fn nearest(
    vectors: &Layered<Vectors>,
    shortcuts: Shortcuts<'_>,
    query: &[f32],
    allowed: &AllowedSet,
    k: usize,
) -> (Vec<Scored>, DensePath) {
    let n_searchable = allowed.n_searchable();
    if let Some(graph) = shortcuts.graph
        && n_searchable as f64 >= GRAPH_SHARE_MIN * graph.len() as f64
    {
        // A tenth of the neighbours may have to be passed over; where more are, the sketches make up for it. A short walk finds
        // less of what is near, however few are wanted.
        let n_walked = k.max(DEPTH_MAX);
        let mut documents = graph.search(query, allowed, vectors.places(), n_walked + n_walked / 4);
        if documents.len() >= k {
            let of_delta = vectors.places().of_delta().iter().copied();
            documents.extend(of_delta.filter(|&document| allowed.is_searchable(document)));
            return (exact::nearest_of(vectors, query, &documents, k), DensePath::Graph);
        }
    }
    let k_sketched = k.max(SKETCHED_K_MIN);
    let is_large = n_searchable >= (k_sketched as u64).saturating_mul(SKETCH_PER_K_MIN as u64);
    let (documents, path) = match shortcuts.sketches.filter(|_| is_large) {
        Some(sketches) => (sketches.nearest(query, allowed, k_sketched * SKETCHED_PER_K), DensePath::Sketches),
        None => (allowed.searchable().iter().collect(), DensePath::Scan),
    };
    (exact::nearest_of(vectors, query, &documents, k), path)
}

#[cfg(test)]
mod tests {
    use roaring::RoaringBitmap;

    use super::*;
    use crate::embed::Embedding;

    const DIMENSION: usize = 384;
    const N: usize = 3_000;
    const K: usize = 50;

    /// Vectors around forty centres, as real catalogs cluster by API.
    fn clustered(seed: u64) -> Vec<Vec<f32>> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut noise = move |scale: f32| (0..DIMENSION).map(|_| (rng.f32() - 0.5) * scale).collect::<Vec<f32>>();
        let centres: Vec<Vec<f32>> = (0..40).map(|_| noise(2.0)).collect();
        (0..N)
            .map(|place| {
                let near = centres[place % 40].iter().zip(noise(1.5)).map(|(a, b)| a + b).collect();
                Embedding::from_unnormalised(near).into_vec()
            })
            .collect()
    }

    /// Queries as they come: each is about some tool, though in other words.
    fn queries(vectors: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let mut rng = fastrand::Rng::with_seed(8);
        let mut blurred = |vector: &Vec<f32>| {
            let blurred = vector.iter().map(|x| x + (rng.f32() - 0.5) * 0.1).collect();
            Embedding::from_unnormalised(blurred).into_vec()
        };
        vectors.iter().step_by(N / 40).map(&mut blurred).collect()
    }

    fn allowed(share: f32, seed: u64) -> AllowedSet {
        let mut rng = fastrand::Rng::with_seed(seed);
        let set: RoaringBitmap = (0..N as u32).filter(|_| rng.f32() < share).collect();
        AllowedSet::new(1, set.clone(), set, N, Default::default())
    }

    struct Fixture {
        dir: tempfile::TempDir,
        vectors: Layered<Vectors>,
        queries: Vec<Vec<f32>>,
    }

    fn fixture() -> Fixture {
        let dir = tempfile::tempdir().expect("a folder");
        let all = clustered(7);
        let path = dir.path().join("vectors.arrow");
        Vectors::write(&path, DIMENSION, &all).expect("vectors are written");
        let vectors = Layered::whole(Vectors::open(&path, DIMENSION).expect("vectors open"), N);
        Fixture { dir, vectors, queries: queries(&all) }
    }

    fn documents(list: &[Scored]) -> Vec<u32> {
        list.iter().map(|scored| scored.document).collect()
    }

    fn by(sketches: &Option<Sketches>) -> Shortcuts<'_> {
        Shortcuts { sketches: sketches.as_ref(), graph: None }
    }

    /// A graph over the fixture's vectors.
    fn graph(fixture: &Fixture) -> Graph {
        let vectors: Vec<Vec<f32>> = (0..N).map(|row| fixture.vectors.at(row as u32).0.exact(row).to_vec()).collect();
        let dir = fixture.dir.path().join("graph");
        std::fs::create_dir_all(&dir).expect("the folder is ours");
        Graph::build(&dir, &vectors).expect("the graph is built");
        Graph::open(&dir).expect("the graph opens")
    }

    /// Compares every allowed vector.
    fn scan(vectors: &Layered<Vectors>, query: &[f32], allowed: &AllowedSet, k: usize) -> Vec<Scored> {
        let (found, path) = nearest(vectors, Shortcuts::default(), query, allowed, k);
        assert_eq!(path, DensePath::Scan);
        found
    }

    /// The share of the scan's that the sketches find, each with the same score.
    fn recall(vectors: &Layered<Vectors>, queries: &[Vec<f32>], allowed: &AllowedSet) -> f64 {
        let sketches = Sketches::of(vectors);
        assert!(sketches.is_some(), "enough dimensions");
        let mut n_found = 0;
        for query in queries {
            let (found, path) = nearest(vectors, by(&sketches), query, allowed, K);
            assert_eq!(path, DensePath::Sketches);
            assert!(found.len() == K && found.iter().all(|scored| allowed.is_searchable(scored.document)));
            let scanned = scan(vectors, query, allowed, K);
            n_found += found.iter().filter(|scored| scanned.contains(scored)).count();
        }
        n_found as f64 / (queries.len() * K) as f64
    }

    #[test]
    fn the_scan_finds_what_the_plain_twin_finds_under_every_grant() {
        let fixture = fixture();
        for share in [1.0, 0.3, 0.05, 0.01, 0.0] {
            let allowed = allowed(share, 9);
            for query in &fixture.queries {
                let scanned = scan(&fixture.vectors, query, &allowed, K);
                let exhaustive = exact::exhaustive(&fixture.vectors, query, &allowed, K);
                assert_eq!(documents(&scanned), documents(&exhaustive), "{share} of the tools allowed");
            }
        }
    }

    #[test]
    fn the_sketches_find_almost_all_that_the_scan_finds_and_score_it_the_same() {
        let fixture = fixture();
        for share in [1.0, 0.8] {
            let recall = recall(&fixture.vectors, &fixture.queries, &allowed(share, 9));
            assert!(recall > 0.99, "recall@{K} of the sketches against the scan is {recall}, {share} allowed");
        }
    }

    #[test]
    fn a_small_set_is_scanned_whatever_it_is_a_part_of() {
        let fixture = fixture();
        let sketches = Sketches::of(&fixture.vectors);
        assert!(sketches.is_some());
        let allowed = allowed(0.5, 9);
        let (found, path) = nearest(&fixture.vectors, by(&sketches), &fixture.queries[0], &allowed, K);
        assert_eq!((found, path), (scan(&fixture.vectors, &fixture.queries[0], &allowed, K), DensePath::Scan));
    }

    #[test]
    fn of_vectors_that_are_all_alike_the_first_by_ref_are_found_either_way() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("vectors.arrow");
        Vectors::write(&path, DIMENSION, &vec![clustered(7).swap_remove(0); N]).expect("vectors are written");
        let vectors = Layered::whole(Vectors::open(&path, DIMENSION).expect("vectors open"), N);
        let query = &clustered(8).swap_remove(0);
        let allowed = allowed(1.0, 9);
        let (found, path) = nearest(&vectors, by(&Sketches::of(&vectors)), query, &allowed, K);
        assert_eq!(path, DensePath::Sketches);
        assert_eq!(found, scan(&vectors, query, &allowed, K));
        assert_eq!(documents(&found), (0..K as u32).collect::<Vec<u32>>());
    }

    #[test]
    fn what_sketches_find_is_the_same_where_nothing_else_exists() {
        let fixture = fixture();
        let allowed = allowed(0.8, 9);
        let theirs: Vec<Vec<f32>> =
            allowed.searchable().iter().map(|d| fixture.vectors.at(d).0.exact(d as usize).to_vec()).collect();
        let path = fixture.dir.path().join("theirs.arrow");
        Vectors::write(&path, DIMENSION, &theirs).expect("vectors are written");
        let alone = Layered::whole(Vectors::open(&path, DIMENSION).expect("vectors open"), theirs.len());
        let all: RoaringBitmap = (0..theirs.len() as u32).collect();
        let everything = AllowedSet::new(1, all.clone(), all, theirs.len(), Default::default());
        let (among_others, by_themselves) = (Sketches::of(&fixture.vectors), Sketches::of(&alone));
        for query in &fixture.queries {
            let (found, path) = nearest(&fixture.vectors, by(&among_others), query, &allowed, K);
            assert_eq!(path, DensePath::Sketches);
            let (expected, _) = nearest(&alone, by(&by_themselves), query, &everything, K);
            let ranks =
                found.iter().map(|scored| (allowed.searchable().rank(scored.document) as u32 - 1, scored.score));
            assert!(ranks.eq(expected.iter().map(|scored| (scored.document, scored.score))));
        }
    }

    /// The fixture's vectors as a base of which every eleventh row is hidden, under a delta of as many new ones.
    fn layered(fixture: &Fixture) -> Layered<Vectors> {
        let reference = |prefix: &str, row: usize| {
            crate::tool_ref::ToolRef::new("s", "n", &format!("{prefix}{row:05}"), None).expect("a ref")
        };
        let hidden: RoaringBitmap = (0..N as u32).step_by(11).collect();
        let delta: Vec<_> = (0..N.div_ceil(11)).map(|row| reference("t", row * 11)).collect();
        let base = (0..N).map(|row| Ok::<_, ()>(reference("t", row)));
        let places = crate::places::Places::merge(base, &hidden, &delta).expect("no error");
        let path = fixture.dir.path().join("delta.arrow");
        Vectors::write(&path, DIMENSION, &clustered(11)[..N.div_ceil(11)]).expect("vectors are written");
        let parts = [fixture.dir.path().join("vectors.arrow"), path]
            .map(|path| std::sync::Arc::new(Vectors::open(&path, DIMENSION).expect("vectors open")));
        Layered::new(parts.into(), std::sync::Arc::new(places))
    }

    #[test]
    fn under_a_delta_its_tools_are_found_and_none_that_is_hidden() {
        let fixture = fixture();
        let vectors = layered(&fixture);
        let allowed = allowed(1.0, 9);
        let queries = [fixture.queries.clone(), queries(&clustered(11)[..N.div_ceil(11)])].concat();
        let mut of_delta = 0;
        for query in &queries {
            let scanned = scan(&vectors, query, &allowed, K);
            assert_eq!(documents(&scanned), documents(&exact::exhaustive(&vectors, query, &allowed, K)));
            of_delta += scanned.iter().filter(|scored| vectors.places().of_delta().contains(&scored.document)).count();
        }
        assert!(of_delta > 0, "no tool of the delta was among the nearest");
        let recall = recall(&vectors, &queries, &allowed);
        assert!(recall > 0.99, "recall@{K} of the sketches against the scan is {recall}");
    }

    #[test]
    fn a_wide_grant_walks_the_graph_and_finds_almost_all_and_a_tight_one_does_not_walk() {
        let fixture = fixture();
        let graph = graph(&fixture);
        let shortcuts = Shortcuts { sketches: None, graph: Some(&graph) };
        let wide = allowed(0.95, 9);
        let mut n_found = 0;
        for query in &fixture.queries {
            let (walked, path) = nearest(&fixture.vectors, shortcuts, query, &wide, K);
            assert_eq!(path, DensePath::Graph);
            assert!(walked.len() == K && walked.iter().all(|scored| wide.is_searchable(scored.document)));
            let scanned = scan(&fixture.vectors, query, &wide, K);
            n_found += walked.iter().filter(|scored| scanned.contains(scored)).count();
        }
        let recall = n_found as f64 / (fixture.queries.len() * K) as f64;
        assert!(recall > 0.97, "recall@{K} of the graph against the scan is {recall}");
        let (_, path) = nearest(&fixture.vectors, shortcuts, &fixture.queries[0], &allowed(0.5, 9), K);
        assert_eq!(path, DensePath::Scan);
    }

    #[test]
    fn a_walk_under_a_delta_finds_the_deltas_tools_and_none_that_is_hidden() {
        let fixture = fixture();
        let graph = graph(&fixture);
        let vectors = layered(&fixture);
        let allowed = allowed(1.0, 9);
        let queries = [fixture.queries.clone(), queries(&clustered(11)[..N.div_ceil(11)])].concat();
        let (mut n_found, mut n_of_delta) = (0, 0);
        for query in &queries {
            let (walked, path) =
                nearest(&vectors, Shortcuts { sketches: None, graph: Some(&graph) }, query, &allowed, K);
            assert_eq!(path, DensePath::Graph);
            let scanned = scan(&vectors, query, &allowed, K);
            n_found += walked.iter().filter(|scored| scanned.contains(scored)).count();
            n_of_delta += walked.iter().filter(|scored| vectors.places().of_delta().contains(&scored.document)).count();
        }
        let recall = n_found as f64 / (queries.len() * K) as f64;
        assert!(recall > 0.95, "recall@{K} of the graph and delta against the scan is {recall}");
        assert!(n_of_delta > 0, "no tool of the delta was among the nearest");
    }

    #[test]
    fn the_same_vectors_give_the_same_graph() {
        let (one, two) = (fixture(), fixture());
        let allowed = allowed(1.0, 9);
        let graphs = [graph(&one), graph(&two)];
        for query in &one.queries {
            let [a, b] = graphs.each_ref().map(|graph| graph.search(query, &allowed, one.vectors.places(), K));
            assert_eq!(a, b);
        }
    }
}
