//! [`Source`]: where tools come from. One file per kind of catalog.

use std::collections::BTreeMap;
use std::time::Duration;

use shortlist_index::Rejection;

use crate::error::SourceError;
use crate::normalize::Normalized;

pub mod arcade;
pub mod automation_hub;
mod exchange;
pub mod google_discovery;
mod http_method;
pub mod jsonl;
pub mod mcp;
pub mod openapi;
pub mod parquet;
mod prose;
pub(crate) mod unopened;

/// What a source remembers between two syncs (ETags, cursors, file stamps), in words of its own. It travels in the
/// generation's manifest, so it can never be newer or older than the records it speaks of.
pub type SourceState = BTreeMap<String, String>;

/// One record of a catalog: the tool it became, or why it did not.
pub type Record = Result<Normalized, Rejection>;

/// A catalog that can be read from start to end.
///
/// The trait is synchronous: a pass runs on a thread of its own, and a source that speaks an asynchronous protocol keeps
/// its runtime to itself. A source only reads and translates; what is new, changed or gone is found by whoever compares
/// two passes.
pub trait Source: Send + Sync {
    /// The operator's name for it: the `<source>` of its refs.
    fn name(&self) -> &str;

    /// The kind of catalog, as it stands in configuration: `google_discovery`, `automation_hub`, …
    fn source_type(&self) -> &'static str;

    /// Reads the whole catalog, giving every record to `sink` in the order in which it comes.
    ///
    /// `since` is what the last complete pass returned; with it a source may answer [`Fetched::Unchanged`] without
    /// reading anything, and then `sink` must not have been called.
    ///
    /// # Errors
    /// [`SourceError`] when the catalog could not be read to its end; the records already given are then to be thrown
    /// away, for what is absent from half a catalog is not gone.
    fn fetch(&self, since: Option<&SourceState>, sink: &mut dyn FnMut(Record)) -> Result<Fetched, SourceError>;

    /// How long what the last [`Source::fetch`] gave is good for, by the catalog's own word (MCP's `ttlMs`); `None` where
    /// it says nothing, and the operator's schedule decides.
    fn fresh_for(&self) -> Option<Duration> {
        None
    }

    /// Whether the catalog can announce changes by itself (MCP's `list_changed`), so that [`Source::wait_for_change`] is
    /// worth a thread.
    fn announces_changes(&self) -> bool {
        false
    }

    /// Blocks until the catalog announces a change (`true`) or `at_most` has passed (`false`). A catalog that cannot
    /// announce anything lets the time pass.
    fn wait_for_change(&self, at_most: Duration) -> bool {
        std::thread::sleep(at_most);
        false
    }
}

/// How a complete pass ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// Nothing changed since the state that was given.
    Unchanged,
    /// Every record was given; remember this state.
    Complete(SourceState),
}
