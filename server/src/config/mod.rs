//! [`Config`]: everything the server needs to know, validated. The command line makes it, with a [`Settings`] file where there
//! is one.

mod audit;
mod duration;
mod file;
mod limits;
mod mcp;
mod telemetry;
mod tls;
mod tokens;

use std::path::PathBuf;
use std::time::Duration;

use crate::audit::Audit;
use crate::identity::Identities;
use crate::limits::{DRAIN_TIMEOUT, POLL_INTERVAL, REQUEST_TIMEOUT, RUNNING_PER_CORE, WAITING_PER_RUNNING};
use crate::rate::Rates;
use crate::secret::Secret;
use crate::serve::Tls;
use crate::telemetry::Telemetry;

pub use self::audit::AuditSettings;
pub use self::duration::parse_duration;
pub use self::file::{GatewaySettings, Settings, SettingsError, read_secret};
pub use self::limits::ConnectionLimits;
pub use self::mcp::McpSettings;
pub use self::telemetry::TelemetrySettings;

pub(crate) use self::file::read_bytes;

/// A server's configuration.
pub struct Config {
    /// The home of the generations.
    pub home: PathBuf,
    /// The policy file. It may be missing or broken; then nothing is visible until it is there and good.
    pub policy: PathBuf,
    /// Seals the cursors. Replicas that share it take each other's.
    pub secret: Secret,
    /// Whose word about who asks is taken.
    pub identity: Identities,
    /// Where every decision is recorded; nowhere without it.
    pub audit: Option<Audit>,
    /// The certificate to show; plain HTTP without one.
    pub tls: Option<Tls>,
    /// How many connections there may be, and for how long.
    pub connections: ConnectionLimits,
    /// How often callers may ask.
    pub rates: Rates,
    /// To whom the MCP door answers.
    pub mcp: McpSettings,
    /// Who reads what is measured.
    pub telemetry: Telemetry,
    /// Requests that compute at the same time; at least 1 is used.
    pub n_running: usize,
    /// Requests that may wait for one that computes; more are sent away with 503.
    pub n_waiting: usize,
    /// How long a request may wait and compute.
    pub request_timeout: Duration,
    /// How long running requests may take to finish once the server was told to stop.
    pub drain_timeout: Duration,
    /// How often the policy file and the current generation are looked at.
    pub poll_interval: Duration,
}

impl Config {
    /// The defaults, which suit the machine's number of cores.
    pub fn new(home: PathBuf, policy: PathBuf, secret: Secret, identity: Identities) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let n_running = cores * RUNNING_PER_CORE;
        Self {
            home,
            policy,
            secret,
            identity,
            audit: None,
            tls: None,
            connections: ConnectionLimits::default(),
            rates: Rates::default(),
            mcp: McpSettings::default(),
            telemetry: Telemetry::none(),
            n_running,
            n_waiting: n_running * WAITING_PER_RUNNING,
            request_timeout: REQUEST_TIMEOUT,
            drain_timeout: DRAIN_TIMEOUT,
            poll_interval: POLL_INTERVAL,
        }
    }
}
