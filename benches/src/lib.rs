//! How good the search is, and how soon a change can be searched, measured.
//!
//! [`Dataset`] is a catalog with judged queries. [`relevance::measure`] indexes it, asks every query and scores the
//! answers by [`metrics`]; [`table`] prints the [`relevance::Report`], and [`trec`] writes files that other people's tools
//! score the same, so that nobody has to trust our arithmetic.

pub mod audit;
pub mod delta;
pub mod fuzz;
pub mod grants;
pub mod graph;
pub mod relevance;
pub mod telemetry;
pub mod timing;

pub mod dataset;
pub mod metrics;

pub mod table;
pub mod trec;

mod catalog_index;
mod error;
mod queries;
mod server;

pub use dataset::{BadTools, Dataset};
pub use error::BenchError;
pub use queries::JudgedQuery;
