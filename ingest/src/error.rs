//! [`SourceError`]: why a catalog could not be read to its end.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::network::NetworkError;

/// Why a pass over a catalog did not finish. One bad record is never a reason: that is a
/// [`Rejection`](shortlist_index::Rejection), and the pass goes on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A file or folder could not be read.
    #[error("source {name:?} could not read {path}: {error}; check that it exists and may be read", path = path.display())]
    Io {
        /// The operator's name of the source.
        name: String,
        /// What was to be read.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// Something is larger than this source accepts.
    #[error(
        "source {name:?}: {what} has more than the {max} {unit} allowed; split the catalog, or look whether it is the right one"
    )]
    TooLarge {
        /// The operator's name of the source.
        name: String,
        /// What is too large, such as a file's name.
        what: String,
        /// The limit.
        max: u64,
        /// What the limit counts, such as `bytes`.
        unit: &'static str,
    },
    /// The source could not be opened as it is configured, so there was nothing to read from.
    #[error("source {name:?} cannot be opened: {reason}")]
    NotOpened {
        /// The operator's name of the source.
        name: String,
        /// Why, as opening it said.
        reason: String,
    },
    /// Nothing that looks like a catalog was found.
    #[error("source {name:?}: {detail}")]
    NoCatalog {
        /// The operator's name of the source.
        name: String,
        /// What was expected, what is there and what to do.
        detail: String,
    },
    /// The catalog changed while it was read.
    #[error("source {name:?}: {what} changed while it was read; run the sync again")]
    Changed {
        /// The operator's name of the source.
        name: String,
        /// What changed.
        what: String,
    },
    /// A remote catalog could not be reached, or the connection broke.
    #[error(
        "source {name:?} could not reach {url}: {error}; check the address and the network, then run the sync again"
    )]
    Unreachable {
        /// The operator's name of the source.
        name: String,
        /// The address, without credentials.
        url: String,
        /// What the client said.
        #[source]
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// One pass took longer than the operator allows.
    #[error(
        "source {name:?}: reading {what} takes longer than {max_s} seconds; the next pass goes on where this one was"
    )]
    TooSlow {
        /// The operator's name of the source.
        name: String,
        /// What is too slow.
        what: String,
        /// The limit.
        max_s: u64,
    },
    /// The operator's network does not lead there, so nothing was sent.
    #[error("source {name:?} may not reach {url}: {error}")]
    Forbidden {
        /// The operator's name of the source.
        name: String,
        /// The address, without credentials.
        url: String,
        /// Why, and what would permit it.
        #[source]
        error: Box<NetworkError>,
    },
    /// The source's own credentials cannot be had, or are not accepted where tokens are made.
    #[error("source {name:?} has no credentials that can be used: {reason}")]
    Credentials {
        /// The operator's name of the source.
        name: String,
        /// What is missing; never the secret.
        reason: String,
    },
    /// A remote catalog answered with a status that ends the pass.
    #[error("source {name:?}: {url} answered {status}, {advice}")]
    Status {
        /// The operator's name of the source.
        name: String,
        /// The address, without credentials.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What to do about it.
        advice: String,
    },
    /// A remote catalog answered with something that breaks its contract.
    #[error("source {name:?}: the answer of {url} breaks the catalog's contract: {detail}")]
    Contract {
        /// The operator's name of the source.
        name: String,
        /// The address, without credentials.
        url: String,
        /// What was expected and what came.
        detail: String,
    },
    /// A server gave no listing, or not all of it.
    #[error("source {name:?}: {server} gave no listing: {detail}")]
    NoListing {
        /// The operator's name of the source.
        name: String,
        /// The program or the address, without credentials.
        server: String,
        /// What happened, with the server's last words where it has any.
        detail: String,
    },
    /// A server gave a listing that was made for one user.
    #[error(
        "source {name:?}: {server} says that its listing is private to the user whose credentials it was given, so it is not \
         indexed for others; if they are a service account's, whose tools whoever the policy allows may see, set \
         shared_listing = true"
    )]
    PrivateListing {
        /// The operator's name of the source.
        name: String,
        /// The program or the address, without credentials.
        server: String,
    },
}

impl SourceError {
    /// A word for the kind of failure, for tables and counters.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Io { .. } => "io",
            Self::TooLarge { .. } => "too_large",
            Self::NotOpened { .. } => "not_opened",
            Self::NoCatalog { .. } => "no_catalog",
            Self::Changed { .. } => "changed",
            Self::Unreachable { .. } => "unreachable",
            Self::Forbidden { .. } => "forbidden",
            Self::Credentials { .. } => "credentials",
            Self::Status { .. } => "status",
            Self::TooSlow { .. } => "too_slow",
            Self::Contract { .. } => "contract",
            Self::NoListing { .. } => "no_listing",
            Self::PrivateListing { .. } => "private_listing",
        }
    }
}
