//! The command line: every command here, its flags in a file of their own.

mod ask;
mod audit;
mod bench;
mod keys;
mod latency;
mod load;
mod policy;
mod relevance;
mod serve;
mod sources;
mod stored;
mod sync;

use clap::{Parser, Subcommand};

pub use ask::{DetailsArgs, NamespacesArgs, SearchArgs, WhyNotArgs};
pub use audit::{AuditAction, AuditArgs, AuditQueryArgs};
pub use bench::{
    AskedArgs, BenchArgs, BenchAttacksArgs, BenchConfidenceArgs, BenchEmbeddingArgs, BenchGrantsArgs, BenchSyncArgs,
    BenchWhat, SignalsArgs, SketchesArgs,
};
pub use keys::{KeysAction, KeysArgs};
pub use latency::{GrowthArgs, LatencyArgs, WorkloadArgs};
pub use load::LoadArgs;
pub use policy::{PolicyAction, PolicyArgs};
pub use relevance::RelevanceArgs;
pub use serve::{DemoArgs, McpArgs, ServeArgs};
pub use sources::{QuarantineAction, QuarantineArgs, SourcesAction, SourcesArgs};
pub use stored::{AssetsAction, AssetsArgs, GenerationsAction, GenerationsArgs};
pub use sync::{PublishArgs, RebuildArgs, SyncArgs};

use crate::places::PlaceArgs;

/// Semantic tool discovery: syncs catalogs of tools into a hybrid index and answers searches, showing each user only what
/// that user may see.
///
/// Begin with `shortlist demo`. It needs no configuration.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110)]
pub struct Args {
    #[command(flatten)]
    pub places: PlaceArgs,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Index some 5,000 methods of well-known Google APIs, search them as two users, and serve them
    Demo(DemoArgs),
    /// Read the catalogs of a configuration and publish what is new as a generation
    Sync(SyncArgs),
    /// Build a whole generation, of every source read anew or of another generation, and send it elsewhere if wanted
    Rebuild(RebuildArgs),
    /// Send a generation that is here to object storage or a shared folder
    Publish(PublishArgs),
    /// Answer searches over HTTP
    Serve(ServeArgs),
    /// Answer one agent over the standard streams, by the Model Context Protocol
    Mcp(McpArgs),
    /// Make, list and revoke the API keys of services
    Keys(KeysArgs),
    /// Search for tools
    Search(SearchArgs),
    /// Show one tool whole
    Details(DetailsArgs),
    /// List namespaces with their numbers of tools
    Namespaces(NamespacesArgs),
    /// Show how each source is and what became of its records
    Sources(SourcesArgs),
    /// Show, approve and reject texts of tools that wait for an operator
    Quarantine(QuarantineArgs),
    /// Say why a tool is not in somebody's answer to a query
    WhyNot(WhyNotArgs),
    /// Check, explain and compare policies
    Policy(PolicyArgs),
    /// List, verify and roll back generations
    Generations(GenerationsArgs),
    /// List, fetch and verify the third-party files that are needed
    Assets(AssetsArgs),
    /// Verify the audit log, show its end, and find decisions in it
    Audit(AuditArgs),
    /// Measure
    Bench(BenchArgs),
}
