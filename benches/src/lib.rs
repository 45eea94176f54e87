//! How good the search is, and how soon a change can be searched, measured.
//!
//! [`Dataset`] is a catalog with judged queries; [`Sets`] is a folder of such, and [`Pool`] a catalog of distractors to hide
//! their tools in. [`relevance::measure`] indexes a set, asks every query and scores the answers by [`metrics`]. An
//! [`Evaluation`] is such reports together, with what is and is not noise between their settings ([`differences`]); [`table`]
//! and [`html`] show it, and [`trec`] writes files that other people's tools score the same, so that nobody has to trust our
//! arithmetic. [`floors`] are what no change may fall below.

pub mod attacks;
pub mod audit;
pub mod confidence;
pub mod delta;
pub mod embedding;
pub mod fuzz;
pub mod grants;
pub mod latency;
pub mod load;
pub mod relevance;
pub mod seeded;
pub mod signals;
pub mod sketches;
pub mod telemetry;
pub mod timing;

pub mod bootstrap;
pub mod dataset;
pub mod differences;
pub mod floors;
pub mod metrics;
pub mod pool;
pub mod report;
pub mod setting;

pub mod html;
pub mod table;
pub mod trec;

mod bounded;
mod catalog_index;
mod error;
mod evaluation;
mod given;
mod left_out;
mod plain;
mod queries;
mod server;
mod sets;
mod spread;

pub use dataset::{BadTools, Dataset};
pub use error::BenchError;
pub use evaluation::Evaluation;
pub use pool::Pool;
pub use queries::JudgedQuery;
pub use sets::Sets;
