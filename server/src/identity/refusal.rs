//! [`IdentityRefusal`]: why a request has no principal.

use std::sync::Arc;

use thiserror::Error;

use super::token::TokenRefusal;
use crate::limits::MEMBERSHIPS_MAX;

/// Why a request has no principal. For the operator's log; callers are never told. No text of it holds a token or a key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum IdentityRefusal {
    #[error("the request says nothing about who asks")]
    Nothing,
    #[error("too many refused requests came from this peer, and this one was not looked at")]
    Limited,
    #[error("the request carries {0} and {1}, and which of them counts is not guessed; send one")]
    Ambiguous(&'static str, &'static str),
    #[error(
        "identity headers came and no gateway is configured; write [gateway] into the configuration if there is one"
    )]
    NoGateway,
    #[error("the connection comes from an address that is not a configured peer; add it to the peers if it is one")]
    Peer,
    #[error("the header {0} is missing")]
    Missing(&'static str),
    #[error("the header {0} stands there more than once")]
    Repeated(&'static str),
    #[error("the header {0} is not printable ASCII")]
    Unprintable(&'static str),
    #[error("the header {0} has {1} bytes, more than allowed")]
    TooLong(&'static str, usize),
    #[error("the header {0} lists {1} entries, more than the {MEMBERSHIPS_MAX} allowed")]
    TooMany(&'static str, usize),
    #[error("the shared secret is wrong; compare the peer's configuration with this server's")]
    Secret,
    #[error("the header authorization is not of the kind `Bearer`")]
    Scheme,
    #[error("a token that cannot be read: {0}")]
    Unreadable(TokenRefusal),
    /// What stands in place of `{0}` was escaped and cut.
    #[error("a token of the issuer {0}, which is not configured here")]
    Issuer(String),
    #[error("a token of {by:?}: {refusal}")]
    Token { by: Arc<str>, refusal: TokenRefusal },
    #[error("an API key that is not one of this server's, or was revoked")]
    Key,
    #[error("the API key {0} has expired; create another with `shortlist keys create`")]
    KeyExpired(String),
    #[error(
        "the API key {0} asks for a user and was created without that right; create another with \
         `shortlist keys create --on-behalf-of`"
    )]
    NotOnBehalfOf(String),
    #[error("somebody who is no admin of the policy asks to act as somebody else")]
    NotAdmin,
}

impl IdentityRefusal {
    /// A word for the kind of it, for the metrics.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Limited => "rate_limited",
            Self::Ambiguous(..) => "ambiguous",
            Self::NoGateway => "no_gateway",
            Self::Peer => "peer",
            Self::Missing(_) | Self::Repeated(_) | Self::Unprintable(_) | Self::TooLong(..) | Self::TooMany(..) => {
                "header"
            }
            Self::Secret => "secret",
            Self::Scheme => "scheme",
            Self::Unreadable(_) => "token_unreadable",
            Self::Issuer(_) => "token_issuer",
            Self::Token { refusal, .. } => refusal.kind(),
            Self::Key => "key",
            Self::KeyExpired(_) => "key_expired",
            Self::NotOnBehalfOf(_) => "not_on_behalf_of",
            Self::NotAdmin => "not_admin",
        }
    }
}
