//! [`McpSettings`]: to which names and to which web pages the MCP door answers.
//!
//! ```toml
//! public_url = "https://tools.example" # how clients reach this server
//!
//! [mcp]
//! allowed_hosts = ["tools.internal"]   # names in `Host` beside this machine's and the public one
//! allowed_origins = ["https://chat.example:443"] # web pages that may call beside those of this machine
//! ```
//!
//! A browser asks before it sends a page's call (the preflight of CORS). That is not answered here: a proxy before the server must.

use axum::http::Uri;
use serde::Deserialize;

/// The most entries of one list.
const ENTRIES_MAX: usize = 100;
/// The names of this machine, which are always allowed.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// To whom the MCP door answers, and under which address clients reach the server.
///
/// A web page on somebody's machine can send requests to servers in that machine's network, under a name of its own. So a
/// request whose `Host` is none of ours, or that comes from a web page nobody listed, is refused.
#[derive(Clone, Debug, Default)]
pub struct McpSettings {
    /// Where clients reach the server, such as `https://tools.example`, without a path.
    pub public_url: Option<String>,
    /// Names that may stand in `Host` beside this machine's and that of `public_url`, each with a port or without.
    pub allowed_hosts: Vec<String>,
    /// Web pages whose `Origin` is taken beside those of this machine, such as `https://chat.example:443`. Their browsers'
    /// preflights are for a proxy to answer.
    pub allowed_origins: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct McpFile {
    allowed_hosts: Vec<String>,
    allowed_origins: Vec<String>,
}

impl McpSettings {
    pub(super) fn of(public_url: Option<String>, file: McpFile) -> Result<Self, String> {
        let McpFile { allowed_hosts, allowed_origins } = file;
        if allowed_hosts.len().max(allowed_origins.len()) > ENTRIES_MAX {
            return Err(format!("a list of [mcp] has more than the {ENTRIES_MAX} entries allowed"));
        }
        for host in &allowed_hosts {
            if host.parse::<axum::http::uri::Authority>().is_err() || host.contains('@') {
                return Err(format!(
                    "`allowed_hosts` of [mcp]: {host:?} is no host; write `tools.example` or `tools.example:8443`"
                ));
            }
        }
        for origin in &allowed_origins {
            if origin_of(origin.strip_suffix(":*").unwrap_or(origin)).is_none() {
                return Err(format!(
                    "`allowed_origins` of [mcp]: {origin:?} is no origin; write `https://chat.example:443`"
                ));
            }
        }
        let public_url = public_url.map(|url| {
            origin_of(&url).ok_or_else(|| {
                format!("`public_url`: {url:?} is no address; write `https://tools.example`, without a path")
            })
        });
        Ok(Self { public_url: public_url.transpose()?, allowed_hosts, allowed_origins })
    }

    /// What may stand in `Origin`. Pages of this machine are programs of its user, such as a client that is developed there.
    pub(crate) fn origins(&self) -> Vec<String> {
        let own = LOOPBACK
            .map(|host| if host.contains(':') { format!("http://[{host}]:*") } else { format!("http://{host}:*") });
        own.into_iter().chain(self.allowed_origins.iter().cloned()).collect()
    }

    /// What may stand in `Host`.
    pub(crate) fn hosts(&self) -> Vec<String> {
        let public = self.public_url.as_ref().and_then(|url| url.parse::<Uri>().ok());
        let public = public.and_then(|url| url.host().map(str::to_owned));
        LOOPBACK.map(str::to_owned).into_iter().chain(public).chain(self.allowed_hosts.iter().cloned()).collect()
    }
}

/// The scheme and the authority of an address that has nothing else.
fn origin_of(text: &str) -> Option<String> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let uri: Uri = text.parse().ok()?;
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
    let authority = uri.authority()?.as_str();
    let whole = format!("{scheme}://{authority}");
    (!authority.contains('@') && whole.eq_ignore_ascii_case(text)).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_has_no_more_than_scheme_and_host() {
        assert_eq!(origin_of("https://tools.example/").as_deref(), Some("https://tools.example"));
        assert_eq!(origin_of("http://localhost:8080").as_deref(), Some("http://localhost:8080"));
        for wrong in ["tools.example", "https://", "https://a.b/path", "https://a@b", "ftp://a.b", "https://a.b?x", ""]
        {
            assert_eq!(origin_of(wrong), None, "{wrong}");
        }
        let settings =
            McpSettings { public_url: Some("https://tools.example:8443".to_owned()), ..McpSettings::default() };
        assert!(settings.hosts().contains(&"tools.example".to_owned()));
    }
}
