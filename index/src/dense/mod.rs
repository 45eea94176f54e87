//! The dense leg: the nearest vectors of the allowed set.

mod exact;
mod graph;
mod plan;
mod vectors;

pub(crate) use exact::cosine;
pub(crate) use graph::Graph;
pub use plan::DensePath;
pub(crate) use plan::{GRAPH_TOOLS_MIN, nearest};
pub(crate) use vectors::Vectors;
