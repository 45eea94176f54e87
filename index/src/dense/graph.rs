//! The HNSW graph (Malkov and Yashunin, 2018), for catalogs of a million tools and more.

use std::path::Path;

use hnsw_rs::anndists::dist::distances::Distance;
use hnsw_rs::api::AnnT;
use hnsw_rs::hnsw::Hnsw;
use hnsw_rs::hnswio::HnswIo;
use self_cell::self_cell;
use simsimd::SpatialSimilarity;

use super::vectors::quantise;
use crate::allowed::AllowedSet;
use crate::places::{BASE, Places};

/// Links of each node (the paper's M).
const M: usize = 16;
/// Candidates kept while a node is linked.
const EF_CONSTRUCTION: usize = 200;
/// The most layers, as the crate wants it said.
const LAYERS_MAX: usize = 16;
/// The files' name before their endings `.hnsw.data` and `.hnsw.graph`.
const BASENAME: &str = "vectors";
/// Candidates kept during a search, as a multiple of the neighbours wanted (the paper's ef, relative).
const EF_SEARCH_PER_K: usize = 2;

/// 1 - cosine of two 8-bit codes; their scales cancel out.
///
/// The crate's own `DistDot` panics when rounding lifts a product above 1, so this one is bounded.
#[derive(Clone, Copy, Debug, Default)]
struct CodeDistance;

impl Distance<i8> for CodeDistance {
    fn eval(&self, a: &[i8], b: &[i8]) -> f32 {
        i8::cosine(a, b).map_or(f32::MAX, |distance| distance.max(0.0) as f32)
    }
}

type Links<'a> = Hnsw<'a, i8, CodeDistance>;

self_cell! {
    /// A loaded graph with the reader that it borrows from, so that a generation that is dropped frees both.
    struct Loaded {
        owner: HnswIo,
        #[not_covariant]
        dependent: Links,
    }
}

/// The graph over one base's vectors, in memory.
pub(crate) struct Graph(Loaded);

impl Graph {
    /// Builds the graph and writes it into `dir`, an empty folder.
    ///
    /// Nodes are inserted one after another: the crate's parallel insertion gives another graph each time, and the same
    /// tools are to give the same answers. Costs about 2 ms a node at 100,000.
    pub fn build(dir: &Path, vectors: &[Vec<f32>]) -> Result<(), String> {
        let mut graph = Links::new(M, vectors.len(), LAYERS_MAX, EF_CONSTRUCTION, CodeDistance);
        for (document, vector) in vectors.iter().enumerate() {
            let (codes, _) = quantise(vector);
            graph.insert_slice((&codes, document));
        }
        graph.set_searching_mode(true);
        graph.file_dump(dir, BASENAME).map(|_| ()).map_err(|error| format!("{error:#}"))
    }

    /// Loads the graph that [`Graph::build`] wrote into `dir`. Seconds for 200,000 nodes.
    pub fn open(dir: &Path) -> Result<Self, String> {
        let loaded = Loaded::try_new(HnswIo::new(dir, BASENAME), |files| files.load_hnsw_with_dist(CodeDistance));
        loaded.map(Self).map_err(|error| format!("{error:#}"))
    }

    /// The nodes in it.
    pub fn len(&self) -> usize {
        self.0.with_dependent(|_, graph| graph.get_nb_point())
    }

    /// Up to `k` allowed documents that are near the query; a near one may be missing.
    ///
    /// A node is a row of the base, and `places` says which document that is; hidden rows are passed over.
    pub fn search(&self, query: &[f32], allowed: &AllowedSet, places: &Places, k: usize) -> Vec<u32> {
        let (codes, _) = quantise(query);
        let found = self.0.with_dependent(|_, graph| graph.search(&codes, k, k * EF_SEARCH_PER_K));
        found
            .into_iter()
            .filter_map(|neighbour| places.document(BASE, u32::try_from(neighbour.get_origin_id()).ok()?))
            .filter(|&document| allowed.is_searchable(document))
            .collect()
    }
}
