//! The flags of `sync`, `rebuild` and `publish`.

use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(after_help = "A configuration names its sources:\n\n  \
    [[source]]\n  name = \"tools\"\n  type = \"jsonl\"             # or parquet, google_discovery, automation_hub, openapi, arcade, mcp_proxy\n  path = \"tools.jsonl.gz\"\n\n\
    An unchanged catalog is neither embedded nor published again. A source that cannot be read keeps its last good tools, and so\n\
    does one that lost more than half of them at once (shrink_max), ten at least or all, until --accept-shrink says that this is\n\
    right.")]
pub struct SyncArgs {
    /// The configuration of the sources
    #[arg(long, default_value = "shortlist.toml", value_name = "FILE", conflicts_with = "jsonl")]
    pub config: PathBuf,
    /// Read this JSONL file (plain or gzip) instead of a configuration; may be repeated
    #[arg(long, value_name = "NAME=FILE")]
    pub jsonl: Vec<String>,
    /// Take what this source gives now, however many of its tools are gone; may be repeated
    #[arg(long, value_name = "NAME")]
    pub accept_shrink: Vec<String>,
    /// Go on: read each source when it is due (every, 10m unless configured) or announces a change, until SIGINT or SIGTERM
    #[arg(long)]
    pub watch: bool,
    /// Older generations to keep for a rollback
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub keep: usize,
    /// Send the generation that serves then to this place too, unless it was rolled back from there; see
    /// `shortlist publish --help`
    #[arg(long, value_name = "URL")]
    pub publish_to: Option<String>,
    /// Print the report as JSON, with --watch one on each line
    #[arg(long)]
    pub json: bool,
}

/// What remotes are, for the help of every command that knows them.
const REMOTES: &str = "URL is s3://bucket/prefix, file:///folder or a folder. For S3 the usual variables are read: AWS_ENDPOINT_URL (for\n\
    others than Amazon), AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. Plain HTTP is used to\n\
    this machine only, or with AWS_ALLOW_HTTP=true. The storage must know conditional writes (If-Match).\n\n\
    What is there already is not sent again. Of two that publish at once one wins, and the other is told. A killed\n\
    publish leaves what was current. `shortlist serve --from URL` follows what is published.";

#[derive(Debug, clap::Args)]
#[command(after_help = REMOTES)]
pub struct RebuildArgs {
    /// Take the tools of this generation instead of reading sources: its folder, a folder of generations, or a URL. Their
    /// vectors are made anew where the model is another
    #[arg(long, value_name = "FOLDER|URL", conflicts_with_all = ["config", "jsonl"])]
    pub from: Option<String>,
    /// The configuration of the sources
    #[arg(long, default_value = "shortlist.toml", value_name = "FILE", conflicts_with = "jsonl")]
    pub config: PathBuf,
    /// Read this JSONL file (plain or gzip) instead of a configuration; may be repeated
    #[arg(long, value_name = "NAME=FILE")]
    pub jsonl: Vec<String>,
    /// Send the generation to this place too
    #[arg(long, value_name = "URL")]
    pub publish_to: Option<String>,
    /// Older generations to keep for a rollback, here and there
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub keep: usize,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = REMOTES)]
pub struct PublishArgs {
    /// Where to
    #[arg(long, value_name = "URL")]
    pub to: String,
    /// Its number; without one, the one that serves. One that is kept there is made current again, even where it is not here
    /// any more: a rollback
    #[arg(long, value_name = "N")]
    pub generation: Option<u64>,
    /// Older generations to keep there; the rest is removed
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub keep: usize,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}
