//! Scan or graph: the one place that decides.

use super::exact;
use super::graph::Graph;
use super::vectors::Vectors;
use crate::allowed::AllowedSet;
use crate::fusion::Scored;
use crate::places::Layered;

/// From how many tools on a generation gets a graph. Below, the exact scan is as fast and misses nothing.
pub(crate) const GRAPH_TOOLS_MIN: usize = 75_000;

/// The share of the graph's nodes that must be searchable for the graph to be walked. A filtered walk visits all that it may
/// not return: under a tight grant it costs a thousand times the scan.
const GRAPH_SHARE_MIN: f64 = 0.9;

/// How the dense leg went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DensePath {
    /// Every allowed vector was compared.
    Scan,
    /// The graph over the base was walked, the delta was compared whole, and the candidates of both scored exactly.
    Graph,
}

/// The `k` nearest allowed documents, best first, scored by f32 cosine whichever way they were found.
pub(crate) fn nearest(
    vectors: &Layered<Vectors>,
    graph: Option<&Graph>,
    query: &[f32],
    allowed: &AllowedSet,
    k: usize,
) -> (Vec<Scored>, DensePath) {
    if let Some(graph) = graph
        && allowed.n_searchable() as f64 >= GRAPH_SHARE_MIN * graph.len() as f64
    {
        // A tenth of the neighbours may have to be passed over; if more are, the scan makes up for it.
        let mut candidates = graph.search(query, allowed, vectors.places(), k + k / 4);
        if candidates.len() >= k {
            let of_delta = vectors.places().of_delta().iter().copied();
            candidates.extend(exact::coarse(vectors, query, of_delta.filter(|&d| allowed.is_searchable(d)), k));
            return (exact::rescore(vectors, query, candidates, k), DensePath::Graph);
        }
    }
    (exact::scan(vectors, query, allowed, k), DensePath::Scan)
}

#[cfg(test)]
mod tests {
    use roaring::RoaringBitmap;

    use super::*;
    use crate::embed::Embedding;

    const DIMENSION: usize = 96;
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

    fn allowed(share: f32, seed: u64) -> AllowedSet {
        let mut rng = fastrand::Rng::with_seed(seed);
        let set: RoaringBitmap = (0..N as u32).filter(|_| rng.f32() < share).collect();
        AllowedSet::new(1, set.clone(), set, N, Default::default())
    }

    struct Fixture {
        _dir: tempfile::TempDir,
        vectors: Layered<Vectors>,
        graph: Graph,
        queries: Vec<Vec<f32>>,
    }

    fn fixture() -> Fixture {
        let dir = tempfile::tempdir().expect("a folder");
        let all = clustered(7);
        let path = dir.path().join("vectors.arrow");
        Vectors::write(&path, DIMENSION, &all).expect("vectors are written");
        Graph::build(dir.path(), &all).expect("the graph is built");
        let vectors = Layered::whole(Vectors::open(&path, DIMENSION).expect("vectors open"), N);
        let graph = Graph::open(dir.path()).expect("the graph opens");
        Fixture { _dir: dir, vectors, graph, queries: clustered(8).into_iter().take(40).collect() }
    }

    fn documents(list: &[Scored]) -> Vec<u32> {
        list.iter().map(|scored| scored.document).collect()
    }

    #[test]
    fn the_scan_finds_what_the_plain_twin_finds_under_every_grant() {
        let fixture = fixture();
        for share in [1.0, 0.3, 0.05, 0.01, 0.0] {
            let allowed = allowed(share, 9);
            for query in &fixture.queries {
                let scanned = exact::scan(&fixture.vectors, query, &allowed, K);
                let exhaustive = exact::exhaustive(&fixture.vectors, query, &allowed, K);
                assert_eq!(documents(&scanned), documents(&exhaustive), "{share} of the tools allowed");
            }
        }
    }

    #[test]
    fn the_graph_finds_almost_all_that_the_scan_finds_and_scores_it_the_same() {
        let fixture = fixture();
        let allowed = allowed(1.0, 9);
        let mut found = 0;
        for query in &fixture.queries {
            let (walked, path) = nearest(&fixture.vectors, Some(&fixture.graph), query, &allowed, K);
            assert_eq!(path, DensePath::Graph);
            let scanned = exact::scan(&fixture.vectors, query, &allowed, K);
            found += walked.iter().filter(|scored| scanned.contains(scored)).count();
        }
        let recall = found as f64 / (fixture.queries.len() * K) as f64;
        assert!(recall > 0.97, "recall@{K} of the graph against the scan is {recall}");
    }

    #[test]
    fn a_tight_grant_is_scanned_and_a_wide_one_walks_the_graph_without_leaving_it() {
        let fixture = fixture();
        let query = &fixture.queries[0];
        let (_, path) = nearest(&fixture.vectors, Some(&fixture.graph), query, &allowed(0.5, 9), K);
        assert_eq!(path, DensePath::Scan);
        let wide = allowed(0.95, 9);
        let (found, path) = nearest(&fixture.vectors, Some(&fixture.graph), query, &wide, K);
        assert_eq!(path, DensePath::Graph);
        assert!(found.len() == K && found.iter().all(|scored| wide.is_searchable(scored.document)));
    }

    #[test]
    fn the_same_vectors_give_the_same_graph() {
        let (one, two) = (fixture(), fixture());
        let allowed = allowed(1.0, 9);
        for query in &one.queries {
            let walk = |fixture: &Fixture| fixture.graph.search(query, &allowed, fixture.vectors.places(), K);
            assert_eq!(walk(&one), walk(&two));
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
        let path = fixture._dir.path().join("delta.arrow");
        Vectors::write(&path, DIMENSION, &clustered(11)[..N.div_ceil(11)]).expect("vectors are written");
        let parts = [fixture._dir.path().join("vectors.arrow"), path]
            .map(|path| std::sync::Arc::new(Vectors::open(&path, DIMENSION).expect("vectors open")));
        Layered::new(parts.into(), std::sync::Arc::new(places))
    }

    #[test]
    fn a_walk_under_a_delta_finds_the_deltas_tools_and_none_that_is_hidden() {
        let fixture = fixture();
        let vectors = layered(&fixture);
        let allowed = allowed(1.0, 9);
        let (mut found, mut of_delta) = (0, 0);
        for query in &fixture.queries {
            let (walked, path) = nearest(&vectors, Some(&fixture.graph), query, &allowed, K);
            assert_eq!(path, DensePath::Graph);
            let scanned = exact::scan(&vectors, query, &allowed, K);
            assert_eq!(documents(&scanned), documents(&exact::exhaustive(&vectors, query, &allowed, K)));
            found += walked.iter().filter(|scored| scanned.contains(scored)).count();
            of_delta += walked.iter().filter(|scored| vectors.places().of_delta().contains(&scored.document)).count();
        }
        let recall = found as f64 / (fixture.queries.len() * K) as f64;
        assert!(recall > 0.97, "recall@{K} of the graph and delta against the scan is {recall}");
        assert!(of_delta > 0, "no tool of the delta was among the nearest");
    }
}
