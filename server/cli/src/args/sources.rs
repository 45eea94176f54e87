//! The flags of `sources` and `quarantine`.

use clap::Subcommand;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "States: ok; stale (it cannot be read, and its last good tools serve); held_back (it lost too many tools at \
    once, and\nits last good ones serve); failed (it was never read)."
)]
pub struct SourcesArgs {
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub action: Option<SourcesAction>,
}

#[derive(Debug, Subcommand)]
pub enum SourcesAction {
    /// A table of all sources (the default)
    List,
    /// The records of a source that became no tools, each with its reason
    Rejections {
        /// The source's name
        name: String,
    },
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A source with on_change = \"quarantine\" or on_new = \"quarantine\" serves no text that nobody approved. A decision is\n\
    about the text that was shown: `show REF` ends with the REF#HASH that names it. The next sync takes decisions over."
)]
pub struct QuarantineArgs {
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub action: Option<QuarantineAction>,
}

#[derive(Debug, Subcommand)]
pub enum QuarantineAction {
    /// The tools whose texts wait (the default)
    List,
    /// The text that waits, and the one that is served
    Show {
        /// The tool's ref
        #[arg(name = "REF")]
        reference: String,
    },
    /// The tools that serve although their texts look written to be called rather than to say what they do
    Suspects,
    /// Let texts that wait be served
    Approve {
        /// The tools' refs, each with its text's hash
        #[arg(value_name = "REF#HASH")]
        texts: Vec<String>,
        /// All that wait of this source in the generation that was listed
        #[arg(long, value_name = "SOURCE")]
        all: Option<String>,
        /// The number of that generation
        #[arg(long, value_name = "N", requires = "all")]
        generation: Option<u64>,
    },
    /// Never serve these texts
    Reject {
        /// The tools' refs, each with its text's hash
        #[arg(value_name = "REF#HASH")]
        texts: Vec<String>,
    },
}
