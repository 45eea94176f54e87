//! [`McpConfig`]: which MCP server, how it is reached, and how far its word goes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

/// Seconds from starting the server or connecting to the end of the handshake unless configured: `npx` may have to install
/// the server first. Half of it is given to a program for the first question, which older servers may leave unanswered.
const CONNECT_TIMEOUT_S: u64 = 120;
/// Seconds for one answer unless configured.
const REQUEST_TIMEOUT_S: u64 = 30;
/// Seconds for a whole pass unless configured.
const PASS_TIMEOUT_S: u64 = 300;

/// One MCP server, as it stands in `shortlist.toml` under `[[source]]` with `type = "mcp_proxy"`. It has either `command` or
/// `url`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpConfig {
    /// The operator's name for the source: the first part of its refs.
    pub name: String,
    /// The program and its arguments, for a server that speaks over its standard input and output. No shell reads them.
    #[serde(default)]
    pub command: Vec<String>,
    /// The program's environment, besides the few variables that every program needs ([`super::ENVIRONMENT`]).
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Variables that the program gets from our own environment: the place for its secrets.
    #[serde(default)]
    pub env_from: Vec<String>,
    /// The program's working directory.
    #[serde(default)]
    pub cwd: Option<PathBuf>,
    /// The address, for a server that speaks over streamable HTTP.
    #[serde(default)]
    pub url: Option<String>,
    /// The environment variable that holds the bearer token.
    #[serde(default)]
    pub token_env: Option<String>,
    /// The file that holds the bearer token.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// Further headers, each with the environment variable that holds its value.
    #[serde(default)]
    pub header_env: BTreeMap<String, String>,
    /// Further headers, each with the file that holds its value.
    #[serde(default)]
    pub header_file: BTreeMap<String, PathBuf>,
    /// Whether the token and the headers may be sent over plain HTTP to another machine.
    #[serde(default)]
    pub allow_plain_http: bool,
    /// The namespace of its tools; the source's name unless configured. It is never what the server calls itself: a server
    /// that renames itself would rename every ref, or move into a namespace that a policy allows.
    #[serde(default)]
    pub namespace: Option<String>,
    /// How a connection begins.
    #[serde(default)]
    pub handshake: Handshake,
    /// The operator's word that a listing which the server calls private was made for a service account and may be seen by
    /// whoever the policy lets see it. Without it such a listing is not taken.
    #[serde(default)]
    pub shared_listing: bool,
    /// Whether the server's reassuring claims (read-only, not destructive, idempotent, closed world) count as facts, for
    /// policies and filters. Otherwise they are tags that begin with `claims:`. Its warnings always count.
    #[serde(default)]
    pub trust_annotations: bool,
    /// Seconds from starting the server or connecting to the end of the handshake, 1 to 600.
    #[serde(default = "connect_timeout_s")]
    pub connect_timeout_s: u64,
    /// Seconds for one answer, 1 to 600.
    #[serde(default = "request_timeout_s")]
    pub request_timeout_s: u64,
    /// Seconds for a whole pass, 1 to 3,600.
    #[serde(default = "pass_timeout_s")]
    pub pass_timeout_s: u64,
}

/// How a connection begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handshake {
    /// With `server/discover` (revision 2026-07-28), and with `initialize` where the server does not know that.
    #[default]
    Auto,
    /// With `initialize` alone (revisions up to 2025-11-25), for a server that the question upsets.
    Initialize,
    /// With `server/discover` alone.
    Discover,
}

impl McpConfig {
    /// A server that is a program, with every default.
    pub fn program(name: &str, command: &[&str]) -> Self {
        Self { command: command.iter().map(|&part| part.to_owned()).collect(), ..Self::empty(name) }
    }

    /// A server at an address, with every default.
    pub fn at(name: &str, url: &str) -> Self {
        Self { url: Some(url.to_owned()), ..Self::empty(name) }
    }

    fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            command: Vec::new(),
            env: BTreeMap::new(),
            env_from: Vec::new(),
            cwd: None,
            url: None,
            token_env: None,
            token_file: None,
            header_env: BTreeMap::new(),
            header_file: BTreeMap::new(),
            allow_plain_http: false,
            namespace: None,
            handshake: Handshake::default(),
            shared_listing: false,
            trust_annotations: false,
            connect_timeout_s: CONNECT_TIMEOUT_S,
            request_timeout_s: REQUEST_TIMEOUT_S,
            pass_timeout_s: PASS_TIMEOUT_S,
        }
    }

    /// Whether the keys go together.
    ///
    /// # Errors
    /// A sentence that names the keys.
    pub fn check(&self) -> Result<(), String> {
        let of_a_program = !self.env.is_empty() || !self.env_from.is_empty() || self.cwd.is_some();
        let of_an_address = self.token_env.is_some()
            || self.token_file.is_some()
            || !self.header_env.is_empty()
            || !self.header_file.is_empty()
            || self.allow_plain_http;
        match (self.command.first(), &self.url) {
            (Some(_), Some(_)) => {
                return Err("it has both \"command\" and \"url\"; a server has one of them".to_owned());
            }
            (None, None) => return Err("it has neither \"command\" nor \"url\"".to_owned()),
            (Some(program), None) if program.is_empty() => {
                return Err("its \"command\" begins with an empty program".to_owned());
            }
            (Some(_), None) if of_an_address => {
                return Err(
                    "it has a \"command\", and token and headers belong to a \"url\"; give a program its secrets \
                            with \"env_from\""
                        .to_owned(),
                );
            }
            (None, Some(_)) if of_a_program => {
                return Err(
                    "it has a \"url\", and \"env\", \"env_from\" and \"cwd\" belong to a \"command\"".to_owned()
                );
            }
            _ => {}
        }
        if self.token_env.is_some() && self.token_file.is_some() {
            return Err("it has both \"token_env\" and \"token_file\"".to_owned());
        }
        if let Some(twice) = self.header_env.keys().find(|name| self.header_file.contains_key(*name)) {
            return Err(format!("the header {twice:?} stands in both \"header_env\" and \"header_file\""));
        }
        for (key, seconds, max) in [
            ("connect_timeout_s", self.connect_timeout_s, 600),
            ("request_timeout_s", self.request_timeout_s, 600),
            ("pass_timeout_s", self.pass_timeout_s, 3_600),
        ] {
            if !(1..=max).contains(&seconds) {
                return Err(format!("{key} is 1 to {max} seconds, not {seconds}"));
            }
        }
        Ok(())
    }
}

fn connect_timeout_s() -> u64 {
    CONNECT_TIMEOUT_S
}

fn request_timeout_s() -> u64 {
    REQUEST_TIMEOUT_S
}

fn pass_timeout_s() -> u64 {
    PASS_TIMEOUT_S
}
