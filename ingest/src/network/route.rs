//! [`Routes`]: straight, or through which proxy.

use std::env;

use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use reqwest::dns::{Name, Resolve, Resolving};
use reqwest::{Proxy, Url};

use super::error::NetworkError;
use super::guard::{Guard, blocking};
use super::url::is_loopback;

/// Stands for a proxy of the environment that cannot be used: [`Routes::of`] refuses the addresses behind it.
const UNUSABLE: &str = "socks5://unusable.invalid";

/// Which proxy stands before which address.
pub(super) struct Routes(Matcher);

/// One proxy.
pub(super) struct Route {
    intercept: Intercept,
    host: String,
}

impl Routes {
    /// By `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`.
    pub(super) fn from_env() -> Self {
        // There, a header of whoever asks would be HTTP_PROXY, and the matcher takes none.
        if env::var_os("REQUEST_METHOD").is_some() {
            return Self(Matcher::from_env());
        }
        let builder = Matcher::builder().all(named(["ALL_PROXY", "all_proxy"])).no(excepted());
        let builder = builder.http(named(["HTTP_PROXY", "http_proxy"])).https(named(["HTTPS_PROXY", "https_proxy"]));
        Self(builder.build())
    }

    /// Everything through one proxy, but for what `NO_PROXY` names.
    pub(super) fn through(proxy: &str) -> Result<Self, NetworkError> {
        let url = Url::parse(proxy).map_err(|error| wrong(&format!("it is no address: {error}")))?;
        // As it is written, it may have a blank or a letter that the matcher does not take.
        if !matches!(url.scheme(), "http" | "https") || !is_usable(url.as_str()) {
            return Err(wrong("it is no http:// or https:// address"));
        }
        Ok(Self(Matcher::builder().all(url.as_str()).no(excepted()).build()))
    }

    /// The proxy before an address. A proxy cannot reach this machine's own, so there is none before those.
    pub(super) fn of(&self, url: &Url) -> Result<Option<Route>, NetworkError> {
        if is_loopback(url) {
            return Ok(None);
        }
        let uri = url.as_str().parse().map_err(|_| NetworkError::Url("the address is no URI".to_owned()))?;
        let Some(intercept) = self.0.intercept(&uri) else { return Ok(None) };
        match (intercept.uri().scheme_str(), intercept.uri().host()) {
            (Some("http" | "https"), Some(host)) => Ok(Some(Route { host: host.to_owned(), intercept })),
            _ => Err(wrong("the environment names one that is no http:// or https:// address, percent-encoded")),
        }
    }
}

/// What is reached without a proxy.
fn excepted() -> String {
    env::var("NO_PROXY").or_else(|_| env::var("no_proxy")).unwrap_or_default()
}

/// The proxy that one of these variables names, by the first that is set; empty for none.
fn named(variables: [&str; 2]) -> String {
    let value = variables.iter().find_map(env::var_os).unwrap_or_default();
    match value.into_string() {
        Ok(proxy) if proxy.is_empty() || is_usable(&proxy) => proxy,
        _ => UNUSABLE.to_owned(),
    }
}

/// Whether the matcher can read the address. One that it cannot is no proxy to it, and everything would go straight.
fn is_usable(proxy: &str) -> bool {
    let Ok(anywhere) = "http://example.invalid/".parse() else { return false };
    Matcher::builder().all(proxy).build().intercept(&anywhere).is_some()
}

impl Route {
    /// What tells this proxy from others.
    pub(super) fn key(&self) -> String {
        self.intercept.uri().to_string()
    }

    pub(super) fn proxy(&self) -> Result<Proxy, NetworkError> {
        let proxy = Proxy::all(self.intercept.uri().to_string()).map_err(|_| wrong("it is no address"))?;
        Ok(match self.intercept.basic_auth() {
            Some(auth) => proxy.custom_http_auth(auth.clone()),
            None => proxy,
        })
    }

    /// The operator named the proxy, so it may be anywhere; no other name is resolved on this side of it.
    pub(super) fn resolver(&self, guard: &Guard) -> ProxyResolver {
        ProxyResolver { host: self.host.clone(), guard: guard.clone() }
    }
}

/// Resolves the proxy's own name.
pub(super) struct ProxyResolver {
    host: String,
    guard: Guard,
}

impl Resolve for ProxyResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.guard.clone();
        if !name.as_str().eq_ignore_ascii_case(&self.host) {
            let refusal = NetworkError::BehindProxy(name.as_str().to_owned());
            return Box::pin(async move { Err(refusal.into()) });
        }
        blocking(move || Ok(guard.resolve_unchecked(name.as_str())?))
    }
}

/// Without the value, which may hold a password.
fn wrong(what: &str) -> NetworkError {
    NetworkError::Config { key: "proxy", reason: what.to_owned() }
}
