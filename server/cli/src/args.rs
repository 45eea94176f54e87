//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use shortlist_index::Mode;
use shortlist_server::audit::{Filter, OnFailure};
use shortlist_server::{Network, parse_duration};

use crate::places::PlaceArgs;
use crate::viewer::{ViewerArgs, WhoArgs};

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

#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Index all 28,000 methods instead of some 5,000 (several minutes)
    #[arg(long)]
    pub all: bool,
    /// End after the sample searches
    #[arg(long)]
    pub no_serve: bool,
    /// The address to serve on
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "A configuration names its sources:\n\n  \
    [[source]]\n  name = \"tools\"\n  type = \"jsonl\"             # or parquet, google_discovery, automation_hub, openapi, arcade, mcp_proxy\n  path = \"tools.jsonl.gz\"\n\n\
    An unchanged catalog is neither embedded nor published again. A source that cannot be read keeps its last good tools, and so\n\
    does one that lost more than half of them at once (shrink_max), until --accept-shrink says that this is right.")]
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
    /// Send the generation that serves then to this place too; see `shortlist publish --help`
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
    /// Its number; without one, the one that serves. One that is kept there is made current again: a rollback
    #[arg(long, value_name = "N")]
    pub generation: Option<u64>,
    /// Older generations to keep there; the rest is removed
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub keep: usize,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Who asks is found out by one of these; who may see what, the policy says. A configuration turns them on:\n\n  \
    secret_file = \"secret\"            # or secret_env; also policy, keys_file, listen\n\n  \
    [gateway]                         # X-Shortlist-User, -Groups, -Roles, -Tenant, -Scopes, from a peer that sends\n  \
    peers = [\"10.1.0.0/16\"]           # X-Shortlist-Secret: secret_file or secret_env here, else the server's own\n\n  \
    [[issuer]]                        # Authorization: Bearer, a JWT of an identity provider with OIDC discovery\n  \
    name = \"entra\"\n  \
    issuer = \"https://login.microsoftonline.com/TENANT/v2.0\"\n  \
    audience = \"api://shortlist\"      # claims = { user = [\"tid\", \"oid\"], groups = \"groups\", … }, tenants, realm, …\n\n  \
    [[gateway_token]]                 # the same, or X-Shortlist-Token, signed by a gateway for five minutes at most\n  \
    name = \"hub\"\n  \
    issuer = \"https://hub.example\"\n  \
    audience = \"shortlist\"\n  \
    key_file = \"hub.pem\"              # a public key or a JWK Set; secret_file or secret_env for HS256\n\n\
    API keys (`shortlist keys`) count wherever there are any. Without a configuration there is the gateway alone. Policy, API\n\
    keys and generation are taken over when they change."
)]
pub struct ServeArgs {
    /// The configuration of the server; flags win over it
    #[arg(long, env = "SHORTLIST_SERVE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The address to serve on [default: 127.0.0.1:8080]
    #[arg(long, env = "SHORTLIST_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Who may see what [default: policy.toml in the home]
    #[arg(long, env = "SHORTLIST_POLICY", value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// A file with the server's own secret, which is the gateway's too unless that has another; make one with `openssl rand
    /// -hex 32`
    #[arg(long, env = "SHORTLIST_SECRET_FILE", value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
    /// Where a gateway's connections come from; may be repeated [default: this machine]
    #[arg(long, value_name = "NETWORK")]
    pub peer: Vec<Network>,
    /// Follow this place: pull what is current there, then look again and again; see `shortlist publish --help`
    #[arg(long, env = "SHORTLIST_FROM", value_name = "URL")]
    pub from: Option<String>,
    /// How often to look there, such as 30s or 5m; a quarter more or less, by chance
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = interval, requires = "from")]
    pub follow_every: Duration,
    /// The folder in which every decision is recorded, or `off` [default: audit in the home]
    #[arg(long, env = "SHORTLIST_AUDIT", value_name = "FOLDER")]
    pub audit: Option<PathBuf>,
    /// What happens to requests whose decision cannot be recorded: they are refused (503), or served and counted
    #[arg(long, default_value = "count", value_name = "refuse|count", value_parser = on_failure)]
    pub audit_on_failure: OnFailure,
    /// Load the reranker too (some 100 MB); without it a request that asks for reranking is answered without
    #[arg(long)]
    pub rerank: bool,
    /// Log as JSON lines
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A service sends its key as `Authorization: Bearer slk_…` and is `service:NAME` in the policy. A key made with\n\
    --on-behalf-of may name a user in X-Shortlist-User (and -Groups, -Roles, -Tenant, -Scopes): then the user's grants count,\n\
    and what the service is denied. Only a hash is kept. A running server takes a change over within seconds."
)]
pub struct KeysArgs {
    /// The file of the keys [default: keys.json in the home]
    #[arg(long, global = true, value_name = "FILE")]
    pub keys_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub action: Option<KeysAction>,
}

#[derive(Debug, Subcommand)]
pub enum KeysAction {
    /// List the keys there are (the default)
    List,
    /// Make a key and show it, this once
    Create {
        /// The service that will send it
        #[arg(long, value_name = "NAME")]
        service: String,
        /// Let the service ask for users
        #[arg(long)]
        on_behalf_of: bool,
        /// When it ends, such as 12h or 90d; without it, never
        #[arg(long, value_name = "TIME", value_parser = parse_duration)]
        expires: Option<Duration>,
    },
    /// Take a key away
    Revoke {
        /// Its id, the middle part of `slk_<id>_…`
        #[arg(name = "ID")]
        id: String,
    },
}

#[derive(Debug, clap::Args)]
pub struct SearchArgs {
    /// What the tool should do, in any words
    pub query: String,
    /// Hits wanted
    #[arg(long, short = 'n', default_value_t = 10, value_name = "N")]
    pub limit: usize,
    /// lexical, dense or hybrid
    #[arg(long, default_value_t = Mode::Hybrid)]
    pub mode: Mode,
    /// Let the reranker read the first 20 candidates
    #[arg(long)]
    pub rerank: bool,
    /// Only this namespace; may be repeated
    #[arg(long, value_name = "NAMESPACE")]
    pub namespace: Vec<String>,
    /// Only tools with this tag; may be repeated
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    /// Find deprecated tools too
    #[arg(long)]
    pub include_deprecated: bool,
    /// Show rank and score in each leg
    #[arg(long)]
    pub explain: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub viewer: ViewerArgs,
}

#[derive(Debug, clap::Args)]
pub struct DetailsArgs {
    /// The tool's ref, such as google://drive.files.list
    #[arg(name = "REF")]
    pub reference: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub viewer: ViewerArgs,
}

#[derive(Debug, clap::Args)]
pub struct NamespacesArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub viewer: ViewerArgs,
}

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
    about the text that was shown, and the next sync takes it over."
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
    /// Let the texts that wait be served
    Approve {
        /// The tools' refs
        #[arg(name = "REF")]
        refs: Vec<String>,
        /// All that wait of this source
        #[arg(long, value_name = "SOURCE")]
        all: Option<String>,
    },
    /// Never serve the texts that wait
    Reject {
        /// The tools' refs
        #[arg(name = "REF")]
        refs: Vec<String>,
    },
}

#[derive(Debug, clap::Args)]
pub struct WhyNotArgs {
    /// The tool's ref, or what its source calls the record
    #[arg(name = "REF")]
    pub reference: String,
    /// The query whose answer it is not in
    #[arg(long, value_name = "TEXT")]
    pub query: String,
    /// Hits wanted
    #[arg(long, short = 'n', default_value_t = 10, value_name = "N")]
    pub limit: usize,
    /// lexical, dense or hybrid
    #[arg(long, default_value_t = Mode::Hybrid)]
    pub mode: Mode,
    /// Only this namespace; may be repeated
    #[arg(long, value_name = "NAMESPACE")]
    pub namespace: Vec<String>,
    /// Only tools with this tag; may be repeated
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    /// Find deprecated tools too
    #[arg(long)]
    pub include_deprecated: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub viewer: ViewerArgs,
}

#[derive(Debug, clap::Args)]
pub struct PolicyArgs {
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub action: PolicyAction,
}

#[derive(Debug, Subcommand)]
pub enum PolicyAction {
    /// Read a policy and look for what is probably not meant
    #[command(
        after_help = "Against the generation that serves, if there is one: rules that select no tool, allows that are denied\n\
        whole, every tool allowed to everyone, subjects and rules that are written twice. Exit code 1 when the policy is\n\
        refused."
    )]
    Check {
        /// The policy, TOML or JSON
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Exit code 1 for what is probably not meant, too
        #[arg(long)]
        strict: bool,
    },
    /// Say whether somebody sees a tool, and which rules decide
    Explain {
        /// The tool's ref
        #[arg(long = "ref", value_name = "REF")]
        reference: String,
        #[command(flatten)]
        who: WhoArgs,
        /// The policy that decides [default: policy.toml in the home]
        #[arg(long, env = "SHORTLIST_POLICY", value_name = "FILE")]
        policy: Option<PathBuf>,
    },
    /// Say who gains and who loses tools when one policy follows another
    #[command(
        after_help = "Compared is what is seen of the generation that serves: by everyone, by whoever is one of the subjects that a\n\
        rule of either policy names and nothing else, and by the one that is given with --as, --group and so on. Rules\n\
        combine, so somebody who is two of these at once may see more, or less, than both: name such people. Who holds no\n\
        scope is shown little by scopes_held rules: give --scope. What was added at run time counts on both sides."
    )]
    Diff {
        /// The policy before
        #[arg(value_name = "OLD")]
        old: PathBuf,
        /// The policy after
        #[arg(value_name = "NEW")]
        new: PathBuf,
        #[command(flatten)]
        who: WhoArgs,
        /// List all tools, instead of the first ten of each kind
        #[arg(long)]
        all: bool,
    },
    /// Print the JSON Schema of policies
    Schema,
}

#[derive(Debug, clap::Args)]
pub struct GenerationsArgs {
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub action: Option<GenerationsAction>,
}

#[derive(Debug, Subcommand)]
pub enum GenerationsAction {
    /// List the generations there are (the default)
    List,
    /// Read every file of a generation and compare it with its checksum
    Verify {
        /// Its number; without one, all are verified
        number: Option<u64>,
    },
    /// Make an older generation serve
    RollBack {
        /// Its number; without one, the newest before the current one that verifies
        number: Option<u64>,
    },
}

#[derive(Debug, clap::Args)]
pub struct AssetsArgs {
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub action: Option<AssetsAction>,
}

#[derive(Debug, Subcommand)]
pub enum AssetsAction {
    /// List them with licence, size and state (the default)
    List,
    /// Fetch those named, or all of them
    Pull {
        /// Their names
        names: Vec<String>,
    },
    /// Read those that are there and compare every file with its pinned checksum
    Verify {
        /// Their names; without any, all that are there
        names: Vec<String>,
    },
}

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

fn on_failure(text: &str) -> Result<OnFailure, String> {
    match text {
        "refuse" => Ok(OnFailure::Refuse),
        "count" => Ok(OnFailure::Count),
        _ => Err("write refuse or count".to_owned()),
    }
}

fn time(text: &str) -> Result<String, String> {
    let time = Filter::time(text, std::time::SystemTime::now());
    time.ok_or_else(|| "write 2026-11-25T08:00:00Z, 2026-11-25, or 2h for two hours ago".to_owned())
}

fn anchor(text: &str) -> Result<(u64, String), String> {
    let parts = text.split_once(':').and_then(|(seq, hash)| Some((seq.parse().ok()?, hash.to_owned())));
    parts.filter(|(_, hash)| hash.len() == 64).ok_or_else(|| "write a record's number, `:`, and its hash".to_owned())
}

#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    pub what: BenchWhat,
}

#[derive(Debug, Subcommand)]
pub enum BenchWhat {
    /// How good the search is on a catalog with judged queries
    Relevance(RelevanceArgs),
    /// How long a sync takes, and how soon a small change can be searched
    Sync(BenchSyncArgs),
    /// Whether the time of an answer tells a hidden tool from a missing one
    Timing(TimingArgs),
    /// What the vector graph misses against the exact scan, on the generation that serves
    Graph(GraphArgs),
    /// What it costs to resolve a policy's rules over a large catalog, which is made up
    Grants(BenchGrantsArgs),
}

#[derive(Debug, clap::Args)]
pub struct BenchGrantsArgs {
    /// Tools in the catalog
    #[arg(long, default_value_t = 200_000, value_name = "N", value_parser = clap::value_parser!(u32).range(100..=400_000))]
    pub tools: u32,
    /// Rules that concern each principal
    #[arg(long, default_value_t = 1_000, value_name = "M", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rules: u32,
    /// Principals with the same rules and different scopes
    #[arg(long, default_value_t = 100, value_name = "P", value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub principals: u32,
    /// What catalog and rules are made of
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    pub seed: u64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct BenchSyncArgs {
    /// The catalog, as JSON lines, plain or gzip
    #[arg(long, value_name = "FILE")]
    pub tools: PathBuf,
    /// How many of a hundred tools change
    #[arg(long, default_value_t = 1, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=50))]
    pub changed: u8,
    /// Make vectors by hashing words instead of by the model: measures everything but the model
    #[arg(long)]
    pub hashing: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Two servers hide different things. Each question is asked about the ones and about the others, so that on either\n\
    server one wording is about something hidden and one about something missing. AUC is the chance that the hidden one took\n\
    longer: 0.5 tells nothing. The first question is about what neither has."
)]
pub struct TimingArgs {
    /// Tools of the made-up catalog
    #[arg(long, default_value_t = 20_000, value_name = "N", value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub tools: u32,
    /// Answers of each kind to each question
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u32).range(10..=10_000_000))]
    pub answers: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct GraphArgs {
    /// Queries to ask: summaries of tools, spread evenly over the catalog
    #[arg(long, default_value_t = 500, value_name = "N")]
    pub queries: usize,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Formats: tools.jsonl[.gz] with {\"id\",\"namespace\",\"name\",\"description\",…}, queries.jsonl with\n\
    {\"id\",\"query\",\"relevant\":{\"<tool id>\":1},\"split\"?}."
)]
pub struct RelevanceArgs {
    /// The catalog
    #[arg(long, value_name = "FILE")]
    pub tools: PathBuf,
    /// The judged queries
    #[arg(long, value_name = "FILE")]
    pub queries: PathBuf,
    /// Ask only the first N queries
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// lexical, dense or hybrid; without it, each in turn
    #[arg(long)]
    pub mode: Option<Mode>,
    /// on or off; without it, off
    #[arg(long, value_name = "on|off", default_value = "off", value_parser = ["on", "off"])]
    pub rerank: String,
    /// Write the hits as a TREC run (one mode only)
    #[arg(long, value_name = "FILE", requires = "mode")]
    pub run: Option<PathBuf>,
    /// Write the judgements as TREC qrels
    #[arg(long, value_name = "FILE")]
    pub qrels: Option<PathBuf>,
    /// Write all figures as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Go on without records that are no tools, instead of refusing the catalog
    #[arg(long)]
    pub skip_bad_tools: bool,
}

/// A time with its unit, not too short and not too long.
fn interval(text: &str) -> Result<Duration, String> {
    let ms = parse_duration(text)?.as_millis();
    if (100..=86_400_000).contains(&ms) { parse_duration(text) } else { Err("from 100ms to 24h".to_owned()) }
}
