//! The flags of `audit`.

use std::path::PathBuf;

use clap::Subcommand;
use shortlist_server::audit::Filter;

/// What the log says, for the help of its command.
const AUDIT: &str = "A record is one JSON line: who asked, at which door, for what (a query only as its HMAC, unless configured), what was\n\
    returned, under which policy and generation, with which outcome: allow; partial (some of the refs); deny (nobody\n\
    identified, no such tool or door for them, a cursor that is not theirs); invalid; error. TIME is 2026-11-25T08:00:00Z,\n\
    2026-11-25 (UTC), or how long ago: 90m, 7d.\n\n\
    verify exits with 1 where a line was changed, removed, added or moved. Without --secret-file it proves only that the\n\
    lines fit each other, which somebody who can write the files may have made so. What was cut off the end since the last\n\
    anchor (one a minute) is noticed by nobody; --anchor takes one from the server's own log.";

#[derive(Debug, clap::Args)]
#[command(after_help = AUDIT)]
pub struct AuditArgs {
    /// The log's folder [default: audit in the home]
    #[arg(long, global = true, env = "SHORTLIST_AUDIT", value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
    /// Print JSON; tail and query print the records as they stand in the log
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub action: AuditAction,
}

#[derive(Debug, Subcommand)]
pub enum AuditAction {
    /// Check every line, their order and the chain over all files
    Verify {
        /// The log's folder
        #[arg(value_name = "FOLDER")]
        log: Option<PathBuf>,
        /// Check the seals too, with the server's secret; may be repeated where it was replaced
        #[arg(long, value_name = "FILE")]
        secret_file: Vec<PathBuf>,
        /// A record that must be in the log, as the server logged it; may be repeated
        #[arg(long, value_name = "SEQ:HASH", value_parser = anchor)]
        anchor: Vec<(u64, String)>,
    },
    /// Show the newest records
    Tail {
        /// How many
        #[arg(short = 'n', long, default_value_t = 10, value_name = "N")]
        lines: usize,
        /// Go on with those that come
        #[arg(short, long)]
        follow: bool,
    },
    /// Find records, newest first
    Query(AuditQueryArgs),
}

#[derive(Debug, clap::Args)]
pub struct AuditQueryArgs {
    /// The user's key, or that of the admin who acted as somebody
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// A tool that was asked for or shown; without a version, every version
    #[arg(long = "ref", value_name = "REF")]
    pub reference: Option<String>,
    /// The door, such as search_tools, tools or admin/why_not
    #[arg(long, value_name = "DOOR")]
    pub door: Option<String>,
    /// allow, partial, deny, invalid or error; or an error's code; or an HTTP status
    #[arg(long, value_name = "OUTCOME")]
    pub outcome: Option<String>,
    /// The request's id
    #[arg(long, value_name = "ID")]
    pub request_id: Option<String>,
    /// Whoever asked exactly this; needs the server's secret
    #[arg(long, value_name = "TEXT", requires = "secret_file")]
    pub query: Option<String>,
    /// The server's secret, for --query
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
    /// Not before
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<String>,
    /// Before
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub limit: usize,
}

fn time(text: &str) -> Result<String, String> {
    let time = Filter::time(text, std::time::SystemTime::now());
    time.ok_or_else(|| "write 2026-11-25T08:00:00Z, 2026-11-25, or 2h for two hours ago".to_owned())
}

fn anchor(text: &str) -> Result<(u64, String), String> {
    let parts = text.split_once(':').and_then(|(seq, hash)| Some((seq.parse().ok()?, hash.to_owned())));
    parts.filter(|(_, hash)| hash.len() == 64).ok_or_else(|| "write a record's number, `:`, and its hash".to_owned())
}
