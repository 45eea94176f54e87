//! A generation: one immutable, numbered snapshot of the catalog on disk.
//!
//! `generations/<n>/` holds `manifest.json` (counts, checksums, model, sources) and the folder `base/`: `tools.arrow`,
//! `vectors.arrow`, `lexical/` (tantivy) and, for large catalogs, `graph/` (hnsw_rs). After a small change it also holds
//! `delta/`, of the same shape without a graph, and in it which rows of the base are hidden. `CURRENT` names the
//! generation that serves.

pub(crate) use build::sum_file;

mod build;
mod delta;
mod error;
mod install;
pub(crate) mod ipc;
mod judged;
mod layer;
mod manifest;
mod quarantine;
mod refs;
mod resolve;
mod snapshot;
mod status;
mod store;
mod table;

pub use build::{NewGeneration, PublishStep};
pub use delta::NewDelta;
pub use error::{BuildError, OpenError, StoreError};
pub use install::InstallError;
pub use manifest::{DeltaCounts, FORMAT, FileSum, Manifest, REJECTIONS_KEPT_MAX, Rejection, SourceReport};
pub use quarantine::{DECISIONS_MAX, Decisions, Pending, PendingText};
pub use snapshot::{NamespaceCount, Snapshot};
pub use status::{Health, SourceFault, SourceStatus, SourceStatuses};
pub use store::{Opened, Store, WriteLock};
