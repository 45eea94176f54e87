//! The core of Shortlist: tools in, permission-filtered hits out.
//!
//! A [`Store`] holds generations on disk. A [`Snapshot`] is one of them, opened: immutable, verified, memory-mapped. A
//! [`Grant`] says what somebody may see; resolved against a snapshot it is an [`AllowedSet`], without which nothing can be
//! searched, read or counted. [`search`] is the whole pipeline in one function.
//!
//! This crate knows no network, no clock, no environment and no other crate of the workspace.
//!
//! ```
//! use shortlist_index::{
//!     Embedder, Grant, HashingEmbedder, Models, NewGeneration, Schema, SearchRequest, Store, TextRole, Tool, ToolRef,
//!     search,
//! };
//! use std::{collections::BTreeMap, sync::Arc};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let embedder = HashingEmbedder::new(64);
//! let mut tools = Vec::new();
//! for (name, description) in [("files.list", "Lists the files of a drive."), ("files.delete", "Deletes a file.")] {
//!     let tool = Tool {
//!         input_schema: Some(Schema::from_json(r#"{"properties":{"fileId":{"type":"string"}}}"#)?),
//!         ..Tool::new(ToolRef::new("demo", "drive", name, None)?, description)
//!     };
//!     let embedding = embedder.embed(TextRole::Document, &tool.embedding_text())?;
//!     tools.push((tool, embedding));
//! }
//!
//! let home = tempfile::tempdir()?;
//! let store = Store::new(home.path());
//! let lock = store.lock()?;
//! let generation = NewGeneration {
//!     tools,
//!     embedder: embedder.fingerprint().clone(),
//!     dimension: 64,
//!     sources: BTreeMap::new(),
//!     created_unix_s: 0,
//! };
//! store.publish(&lock, generation, &mut |_| {})?;
//!
//! let snapshot = store.open_current()?.snapshot;
//! let allowed = snapshot.allow(&Grant::everything());
//! let models = Models { embedder: Some(Arc::new(embedder)), reranker: None };
//! let answer = search(&snapshot, &models, &allowed, &SearchRequest::new("delete a file"))?;
//! assert_eq!(answer.hits[0].tool.reference.to_string(), "demo://drive.files.delete");
//! # Ok(())
//! # }
//! ```

// In reading order: the pipeline, the nouns, then the machinery.
mod search;
mod stages;
mod why_not;

mod confidence;
mod filter;
mod grant;
mod hit;
mod parts;
mod query;
mod query_class;
mod schema;
mod scopes;
mod scored;
mod signals;
mod suspicion;
mod tool;
mod tool_ref;

mod allowed;
mod dense;
mod duplicates;
mod embed;
mod fusion;
mod generation;
mod hex;
mod legs;
mod lexical;
mod picked;
mod places;
mod rerank;
#[cfg(test)]
mod testing;
mod unseen;

pub use allowed::AllowedSet;
pub use confidence::Confidence;
pub use dense::{DensePath, SKETCHED_TOOLS_MIN};
pub use embed::{
    EmbedError, Embedder, Embedding, HashingEmbedder, ModelError, ModelFingerprint, ModelFolder, ModelKind,
    OnnxEmbedder, Pooling, Runtime, TextRole,
};
pub use filter::Filter;
pub use generation::{
    BuildError, DECISIONS_MAX, Decisions, DeltaCounts, FORMAT, FileSum, Health, InstallError, Manifest, NamespaceCount,
    NewDelta, NewGeneration, OpenError, Opened, Pending, PendingText, PublishStep, REJECTIONS_KEPT_MAX, Rejection,
    Snapshot, SourceFault, SourceReport, SourceStatus, SourceStatuses, Store, StoreError, WriteLock,
};
pub use grant::{Grant, PATTERN_BYTES_MAX, Pattern, PatternError, Selector};
pub use hex::encode as hex;
pub use hit::{Alternatives, Answer, Degraded, Explanation, Hit, LegScore};
pub use lexical::identifier_words;
pub use picked::Picked;
pub use query::{
    ALTERNATIVES_MAX, DEPTH_MAX, LIMIT_MAX, Mode, ModeError, QUERY_CHARS_MAX, RERANK_DEPTH, SearchRequest,
};
pub use query_class::QueryClass;
pub use rerank::{CrossEncoder, RerankError, Reranker};
pub use schema::{Parameter, SCHEMA_BYTES_MAX, SCHEMA_DEPTH_MAX, Schema, SchemaError};
pub use scopes::ScopeRequirement;
pub use search::{Models, SearchError, search, search_followed};
pub use signals::Signals;
pub use stages::{Stage, Stages};
pub use suspicion::Suspicion;
pub use tool::{Annotations, ContentHash, Execution, Provenance, Tool};
pub use tool_ref::is_forbidden as is_forbidden_character;
pub use tool_ref::{REF_BYTES_MAX, RefError, ToolRef, check_source};
pub use why_not::{Verdict, WhyNot, why_not};
