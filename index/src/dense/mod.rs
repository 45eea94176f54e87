//! The dense leg: the nearest vectors of the allowed set.

mod exact;
mod graph;
mod plan;
mod prefetch;
mod product;
mod sketch;
mod vectors;

pub(crate) use exact::cosine;
pub(crate) use graph::Graph;
pub use plan::{DensePath, SKETCHED_TOOLS_MIN};
pub(crate) use plan::{GRAPH_TOOLS_MIN, Shortcuts, nearest};
pub(crate) use sketch::Sketches;
pub(crate) use vectors::Vectors;
