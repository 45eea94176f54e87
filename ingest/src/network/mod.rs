//! [`Network`]: what the sources of this operator may reach, and the one HTTP client they reach it with.
//!
//! Whoever registers a catalog chooses an address that this process then connects to, from inside the operator's network.
//! So a source reaches public addresses, and private ones only where the operator's `[network] allow` says so. What is
//! checked is the address that is connected to, not the one that was written down:
//!
//! - a literal address, before every request and on every redirect;
//! - a name, each time it is resolved, and every address that it resolves to: one that is forbidden refuses the name, for a
//!   name that answers with a public address now and a private one a moment later is an attack ("DNS rebinding");
//! - through a proxy, names are resolved by the proxy, and keeping them out of its network is the proxy's part. Literal
//!   addresses are checked all the same, and this machine's own are never sent to a proxy.
//!
//! Credentials go to the origin (scheme, host, port) that they are configured for and nowhere else: a redirect to another
//! origin is followed, within the rules above, by a client without credentials, and refused by one that has any.

mod address;
mod auth;
mod body;
mod client;
mod config;
mod error;
mod guard;
mod keys;
mod oauth;
mod retry;
mod route;
mod token;
mod url;

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, ClientBuilder, Url, redirect};

use self::guard::Guard;
use self::route::Routes;
use crate::error::SourceError;

pub use self::auth::{Auth, Mint, Secret};
pub use self::client::{Client, ClientOptions, Got};
pub use self::config::NetworkConfig;
pub use self::error::NetworkError;
pub use self::guard::Lookup;
pub use self::keys::{AuthKeys, Places};
pub use self::oauth::{ClientAuth, ClientCredentials, OAuthConfig};
pub use self::retry::Pause;
pub use self::token::Token;
pub(crate) use self::url::is_loopback;
pub use self::url::printable;

pub(crate) use self::client::check_encrypted;
pub(crate) use self::error::contract;

/// Redirects followed for one request.
const REDIRECTS_MAX: usize = 5;
/// The longest time for a connection to stand, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What the sources may reach, and how. Cheap to clone.
#[derive(Clone)]
pub struct Network(Arc<Inner>);

struct Inner {
    guard: Guard,
    routes: Routes,
    authorities: Vec<Certificate>,
}

impl Network {
    /// The operator's network. Reads the CA file and the environment's proxy variables, and connects to nothing.
    ///
    /// # Errors
    /// [`NetworkError::Config`] when the proxy is no address or the CA file holds no certificate.
    pub fn new(config: &NetworkConfig) -> Result<Self, NetworkError> {
        Self::with_lookup(config, Arc::new(guard::system_lookup))
    }

    /// Public addresses only, with the environment's proxy.
    pub fn public_only() -> Self {
        let guard = Guard::new(Vec::new(), Arc::new(guard::system_lookup));
        Self(Arc::new(Inner { guard, routes: Routes::from_env(), authorities: Vec::new() }))
    }

    /// As [`Network::new`], with another way to resolve names than the system's. Its answers are checked like the system's.
    ///
    /// # Errors
    /// As [`Network::new`].
    pub fn with_lookup(config: &NetworkConfig, lookup: Arc<Lookup>) -> Result<Self, NetworkError> {
        let routes = match &config.proxy {
            Some(proxy) => Routes::through(proxy)?,
            None => Routes::from_env(),
        };
        let authorities = config.authorities()?;
        Ok(Self(Arc::new(Inner { guard: Guard::new(config.allow.clone(), lookup), routes, authorities })))
    }

    /// Whether a source may name this address: `http` or `https`, without credentials in it, and no forbidden address of
    /// its own. A name is checked again when it is resolved, before each connection.
    ///
    /// # Errors
    /// [`NetworkError`] that says what is wrong, and which entry of `allow` would permit it.
    pub fn check(&self, url: &Url) -> Result<(), NetworkError> {
        self.0.guard.check(url)
    }

    /// A client for one source. `base` is where its credentials belong; requests start there or, without credentials,
    /// anywhere the network allows.
    ///
    /// # Errors
    /// [`SourceError`] when the address is not allowed, the credentials cannot be read, or they would travel in the clear.
    pub fn client(
        &self,
        source: &str,
        base: &Url,
        auth: Option<Auth>,
        options: ClientOptions,
    ) -> Result<Client, SourceError> {
        Client::new(self.clone(), source, base, auth, options)
    }

    /// The same rules for a client that is not [`Client`], such as an MCP transport's: guarded names, proxy, CA file, no
    /// redirect to another origin, and no timeout but that of the connection. It is meant for `base` alone: a literal
    /// address on another host must go through [`Network::check`] first.
    ///
    /// # Errors
    /// [`SourceError::Forbidden`] when the address is not allowed.
    pub fn async_client(&self, source: &str, base: &Url) -> Result<ClientBuilder, SourceError> {
        let forbidden = |error| error::forbidden(source, base, error);
        self.check(base).map_err(forbidden)?;
        let guard = self.0.guard.clone();
        let policy = redirect::Policy::custom(move |attempt| {
            let first = attempt.previous().first().unwrap_or(attempt.url());
            match guard.check_redirect(first, attempt.url(), true, attempt.previous().len()) {
                Ok(()) => attempt.follow(),
                Err(error) => attempt.error(error),
            }
        });
        let builder = self.builder(self.0.routes.of(base).map_err(forbidden)?.as_ref()).map_err(forbidden)?;
        Ok(builder.redirect(policy))
    }

    /// What every client is made of, for one route.
    fn builder(&self, route: Option<&route::Route>) -> Result<ClientBuilder, NetworkError> {
        // reqwest is built without a provider of its own; a second installation is refused and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = ClientBuilder::new()
            .user_agent(concat!("shortlist/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(redirect::Policy::none())
            .tls_certs_merge(self.0.authorities.iter().cloned())
            .no_proxy();
        Ok(match route {
            None => builder.dns_resolver(Arc::new(self.0.guard.clone())),
            Some(route) => builder.proxy(route.proxy()?).dns_resolver(Arc::new(route.resolver(&self.0.guard))),
        })
    }
}
