//! [`Routes`]: straight, or through which proxy.

use std::env;

use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use reqwest::dns::{Name, Resolve, Resolving};
use reqwest::{Proxy, Url};

use super::error::NetworkError;
use super::guard::{Guard, blocking};
use super::url::is_loopback;

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
        Self(Matcher::from_env())
    }

    /// Everything through one proxy, but for what `NO_PROXY` names.
    pub(super) fn through(proxy: &str) -> Result<Self, NetworkError> {
        let url = Url::parse(proxy).map_err(|error| wrong(&format!("it is no address: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(wrong("it is no http:// or https:// address"));
        }
        let not = env::var("NO_PROXY").or_else(|_| env::var("no_proxy")).unwrap_or_default();
        Ok(Self(Matcher::builder().all(proxy).no(not).build()))
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
            _ => Err(wrong("the environment names one that is no http:// or https:// address")),
        }
    }
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
