//! [`RemoteError`]: why a generation was not published or not pulled.

use std::error::Error as _;

use shortlist_index::{InstallError, OpenError, StoreError};
use thiserror::Error;

use super::layout;

/// The most characters of somebody else's message that are repeated.
const REASON_CHARS_MAX: usize = 400;

/// Why a generation was not published, or not pulled. What was current still is, there and here.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// It is no place for generations.
    #[error("{url:?} cannot be used: {reason}; name a folder, file:///folder or s3://bucket/prefix")]
    Url {
        /// What was named, without credentials.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The storage refused, or was not reached.
    #[error("cannot {action} {object}: {reason}")]
    Storage {
        /// What was tried.
        action: &'static str,
        /// Which object.
        object: String,
        /// What was said, without credentials.
        reason: String,
    },
    /// Nothing was published there.
    #[error("nothing was published to {0} yet; `shortlist rebuild --publish-to` or `shortlist publish` does")]
    Empty(String),
    /// Somebody else published meanwhile.
    #[error(
        "somebody else published to {location} meanwhile: generation {current} is current there, and was left alone; look \
         at it, then build anew and publish again"
    )]
    Lost {
        /// The remote.
        location: String,
        /// The generation that is current there.
        current: u64,
    },
    /// The number was given out to another generation.
    #[error(
        "generation {number} cannot be published to {location}, which has given out the numbers up to {highest}; \
         `shortlist rebuild --publish-to` builds one with a higher number"
    )]
    NotNewer {
        /// The remote.
        location: String,
        /// The generation's number.
        number: u64,
        /// The remote's highest.
        highest: u64,
    },
    /// An object is not what it should be.
    #[error("{object} is damaged or incomplete: {reason}; {}", what_mends(.object))]
    Damaged {
        /// Which.
        object: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A manifest asks for what is not done.
    #[error("the manifest {object} is refused: {reason}")]
    Refused {
        /// Which.
        object: String,
        /// What it asks for.
        reason: String,
    },
    /// A local file is not what its manifest says.
    #[error(
        "{path} is not what its generation's manifest says; nothing was published. `shortlist generations verify` tells more"
    )]
    LocalDamage {
        /// Which file.
        path: String,
    },
    /// The local generation does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The local store cannot be used.
    #[error(transparent)]
    Local(#[from] StoreError),
    /// What was pulled could not be taken in.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The runtime does not start.
    #[error("cannot start the threads for transfers: {0}")]
    Runtime(std::io::Error),
}

/// What to do about a damaged object.
fn what_mends(object: &str) -> &'static str {
    let mut parts = object.rsplit('/');
    match (parts.next(), parts.next()) {
        (Some(layout::CURRENT), _) => {
            "restore it; or remove it, and publish a generation whose number is above all that were given out there"
        }
        // A file that is there, of its size, is not sent again.
        (_, Some(layout::FILES)) => "remove it there if it is, and `shortlist publish --to` sends it again",
        _ => "`shortlist publish --to` sends it again",
    }
}

/// What an object store says, with its causes, without what is secret, and not too long.
pub(super) fn reason(error: &object_store::Error, secrets: &[String]) -> String {
    let mut text = match error {
        object_store::Error::NotFound { .. } => "it is not there".to_owned(),
        object_store::Error::Generic { source, .. } => source.to_string(),
        other => other.to_string(),
    };
    let mut cause = error.source();
    while let Some(source) = cause {
        let more = source.to_string();
        if !matches!(error, object_store::Error::NotFound { .. }) && !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = source.source();
    }
    for secret in secrets {
        text = text.replace(secret, "(hidden)");
    }
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = words.char_indices().nth(REASON_CHARS_MAX) {
        words.truncate(end);
        words.push('…');
    }
    words
}
