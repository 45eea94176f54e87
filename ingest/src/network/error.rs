//! [`NetworkError`]: why an address may not be reached, before anything was sent to it.

use std::net::IpAddr;

use ipnet::IpNet;
use reqwest::Url;
use thiserror::Error;

use super::url::printable;
use crate::error::SourceError;

/// Why the operator's network does not lead to an address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The `[network]` table cannot be used.
    #[error("{key} of [network] cannot be used: {reason}")]
    Config {
        /// Which key.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The address is not one that a source may have.
    #[error("{0}")]
    Url(String),
    /// It leads to an address that is not public.
    #[error(
        "{host} leads to {address}, {class}, and sources reach public addresses only; if this one is meant, add \"{entry}\" to allow under [network]"
    )]
    Address {
        /// The host as it stands in the address.
        host: String,
        /// What it leads to.
        address: IpAddr,
        /// What kind of address that is.
        class: &'static str,
        /// The smallest entry of `allow` that would permit it.
        entry: IpNet,
    },
    /// A name that is neither the proxy's nor to be resolved on this side of it.
    #[error("{0} is reached through the proxy, so it is not resolved here")]
    BehindProxy(String),
    /// Credentials would leave the origin they are configured for.
    #[error(
        "the server redirects to another host, {0}, where its credentials do not belong; name that host in the source's address if it is right"
    )]
    OtherOrigin(String),
    /// A redirect from an encrypted address to one that is not.
    #[error("the server redirects from https to http, at {0}, where anybody on the way could change the answer")]
    Downgrade(String),
    /// Redirects that do not end.
    #[error("the server redirects in a circle, or more than {0} times")]
    Redirects(usize),
    /// Credentials would be readable on the way.
    #[error("the credentials for {0} would travel unencrypted; use an https address, or set allow_plain_http = true")]
    PlainHttp(String),
}

/// An error of policy, as the source's.
pub(super) fn forbidden(source: &str, url: &Url, error: NetworkError) -> SourceError {
    SourceError::Forbidden { name: source.to_owned(), url: printable(url), error: Box::new(error) }
}

/// An error of the catalog's contract.
pub(crate) fn contract(source: &str, url: &Url, detail: impl Into<String>) -> SourceError {
    SourceError::Contract { name: source.to_owned(), url: printable(url), detail: detail.into() }
}

/// A connection that did not come about or broke. reqwest prints the whole address in its messages, cursor included; its
/// causes tell what happened. A refusal of this house's own among them is what counts.
pub(super) fn unreachable(source: &str, url: &Url, error: reqwest::Error) -> SourceError {
    let error = error.without_url();
    let mut line = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        if let Some(refusal) = error.downcast_ref::<NetworkError>() {
            return forbidden(source, url, refusal.clone());
        }
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    broken(source, url, line)
}

/// As [`unreachable`], with the reason in words.
pub(super) fn broken(source: &str, url: &Url, reason: String) -> SourceError {
    SourceError::Unreachable { name: source.to_owned(), url: printable(url), error: reason.into() }
}
