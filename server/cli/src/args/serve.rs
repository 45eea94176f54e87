//! The flags of `demo`, `serve` and `mcp`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use shortlist_server::audit::OnFailure;
use shortlist_server::{Network, parse_duration};

use crate::viewer::ViewerArgs;

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
#[command(
    after_help = "Who asks is found out by one of these; who may see what, the policy says. A configuration turns them on:\n\n  \
    secret_file = \"secret\"            # or secret_env; also policy, keys_file, listen, public_url\n\n  \
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
    key_file = \"hub.pem\"              # a public key or a JWK Set; secret_file or secret_env for HS256\n\n  \
    [tls]                             # HTTPS; a changed certificate is taken over\n  \
    certificate_file = \"server.pem\"\n  \
    key_file = \"server-key.pem\"\n\n  \
    [limits]                          # requests_per_second, burst, refused_per_second, connections, …\n\n  \
    [mcp]                             # allowed_hosts, allowed_origins\n\n  \
    [audit]                           # folder, on_failure, durability = \"fsync\", queries = true, keep_days, …\n\n  \
    [telemetry]                       # for operators\n  \
    metrics_listen = \"127.0.0.1:9464\" # GET /metrics, in Prometheus's format\n  \
    otlp_endpoint = \"http://127.0.0.1:4318\"  # traces and metrics to a collector, else OTEL_EXPORTER_OTLP_ENDPOINT;\n  \
    sample_ratio = 0.1                # also otlp_headers_file or otlp_headers_env, ca_file, metrics_every, attributes\n\n\
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
    /// What happens to requests whose decision cannot be recorded: they are refused (503), or served and counted [default:
    /// count]
    #[arg(long, value_name = "refuse|count", value_parser = on_failure)]
    pub audit_on_failure: Option<OnFailure>,
    /// The address of the metrics page (Prometheus), for operators alone [default: no page]
    #[arg(long, env = "SHORTLIST_METRICS_LISTEN", value_name = "ADDRESS")]
    pub metrics_listen: Option<SocketAddr>,
    /// Load the reranker too (some 100 MB); without it a request that asks for reranking is answered without
    #[arg(long)]
    pub rerank: bool,
    /// Log as JSON lines
    #[arg(long)]
    pub json: bool,
}

fn on_failure(text: &str) -> Result<OnFailure, String> {
    match text {
        "refuse" => Ok(OnFailure::Refuse),
        "count" => Ok(OnFailure::Count),
        _ => Err("write refuse or count".to_owned()),
    }
}

/// A time with its unit, not too short and not too long.
fn interval(text: &str) -> Result<Duration, String> {
    let time = parse_duration(text)?;
    if (100..=86_400_000).contains(&time.as_millis()) { Ok(time) } else { Err("from 100ms to 24h".to_owned()) }
}

#[derive(Debug, clap::Args)]
pub struct McpArgs {
    #[command(flatten)]
    pub viewer: ViewerArgs,
    /// Load the reranker, so that searches may ask for it
    #[arg(long)]
    pub rerank: bool,
}
