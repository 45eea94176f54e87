//! The HTTP doors of Shortlist: who asks, what they may see, and the answer in JSON.
//!
//! [`app`] is every route over an [`AppState`]; [`run`] serves it on a socket until it is told to stop. A [`Config`] says
//! where the generations and the policy are and whose word about who asks is taken; the command line makes one.
//!
//! A request goes through these, in this order: `identity` makes a [`Principal`] of it; the [`Policy`] in force makes a
//! grant of that; the `engine` pins a generation, resolves the grant against it (cached) and runs the work on a blocking
//! thread; `doors` has what is done there, and `http` writes the answer. What is not in the grant has no influence on any answer.
//!
//! This crate never writes an index, and of the workspace it knows `shortlist_index` alone.

// In reading order: the doors, who comes in, what they may see, then the machinery.
mod http;

mod doors;
mod mcp;

mod identity;
pub mod policy;
mod principal;
mod rate;

mod engine;
mod query_vectors;
mod serve;
mod state;
mod statuses;
mod watch;

mod explain;
mod ledger;

pub mod telemetry;

pub mod audit;

mod authorities;
mod clock;
mod config;
mod cursor;
mod error;
mod json_schema;
pub mod limits;
mod network;
mod object;
mod origin;
mod secret;
mod whole;

pub use config::{
    AuditSettings, Config, ConnectionLimits, GatewaySettings, McpSettings, Settings, SettingsError, TelemetrySettings,
    parse_duration, read_secret,
};
pub use error::Code;
pub use explain::{Explained, explain};
pub use http::{app, openapi};
#[doc(hidden)]
pub use identity::read_discovery;
pub use identity::{
    ACT_AS_HEADER, ApiKey, GROUPS_HEADER, HeaderIdentity, Identities, KeyFile, KeyFileError, ROLES_HEADER,
    SCOPES_HEADER, SECRET_HEADER, TENANT_HEADER, TOKEN_HEADER, TokenIssuer, USER_HEADER,
};
pub use ledger::{FaultRow, SourceRow, source_rows};
pub use mcp::{StdioError, Viewer, serve_stdio};
pub use network::{Network, NetworkError};
pub use policy::{Policy, PolicyError, RuleName, RulesFor};
pub use principal::Principal;
pub use rate::{Rate, Rates};
pub use secret::{Secret, SecretError};
pub use serve::{RunError, Tls, TlsError, run};
pub use state::AppState;
