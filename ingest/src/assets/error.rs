//! [`AssetError`]: why an asset is not there, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why an asset could not be fetched. After any of these nothing was installed: an asset is there whole or not at all.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AssetError {
    /// There is no such asset.
    #[error("there is no asset {name:?}; there are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// The list of assets is wrong.
    #[error("the list of assets cannot be used: {reason}")]
    Pins {
        /// What is wrong with it.
        reason: String,
    },
    /// The asset is a native library and none is pinned for this machine.
    #[error(
        "{asset} is not pinned for this platform ({platform}), only for {pinned}; install it yourself and name its library \
         with ORT_DYLIB_PATH"
    )]
    Platform {
        /// The asset's name.
        asset: String,
        /// This machine's operating system and processor.
        platform: String,
        /// What it is pinned for.
        pinned: String,
    },
    /// There is no Python.
    #[error(
        "{python} cannot be started ({error}), and with it {asset} would be fetched; install Python 3 with pip, or copy the \
         assets folder of another machine here and name it with SHORTLIST_ASSETS"
    )]
    NoPython {
        /// The asset's name.
        asset: String,
        /// The program that was tried.
        python: String,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// Python has no pip.
    #[error(
        "{python} has no pip, and with it {asset} would be fetched; install it (the package python3-pip of most \
         distributions, or `{python} -m ensurepip`), or copy the assets folder of another machine here and name it with \
         SHORTLIST_ASSETS"
    )]
    NoPip {
        /// The asset's name.
        asset: String,
        /// The program that was tried.
        python: String,
    },
    /// The package index was not reached.
    #[error(
        "pip could not reach the package index for {requirement}; check the network, or pip's own configuration where an \
         index or a proxy of your own is used. Without network, copy the assets folder of another machine here and name it \
         with SHORTLIST_ASSETS. pip said:\n{output}"
    )]
    Network {
        /// What was asked for.
        requirement: String,
        /// The end of pip's output.
        output: String,
    },
    /// pip failed for another reason.
    #[error("pip could not fetch {requirement} ({status}); it said:\n{output}")]
    Pip {
        /// What was asked for.
        requirement: String,
        /// How it ended.
        status: String,
        /// The end of its output.
        output: String,
    },
    /// pip ran for too long.
    #[error(
        "pip had not fetched {requirement} after {minutes} minutes and was stopped; check the network and try again"
    )]
    Slow {
        /// What was asked for.
        requirement: String,
        /// How long it was waited for.
        minutes: u64,
    },
    /// The bytes are not the pinned ones.
    #[error(
        "{what} is not what was pinned: expected {expected}, got {got}. Nothing was installed. Either the download was \
         damaged (try again), or the package index gives out another file than it did when the pin was made: then do not \
         use it before somebody has looked at it"
    )]
    Mismatch {
        /// Which file.
        what: String,
        /// The pinned SHA-256 or size.
        expected: String,
        /// What came.
        got: String,
    },
    /// The wheel cannot be unpacked, or does not hold what it should.
    #[error("{wheel} cannot be unpacked: {reason}. Nothing was installed")]
    Wheel {
        /// Package and version.
        wheel: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No room.
    #[error(
        "the disk that holds {path} is full; free some space (all assets need about 500 MB, and twice their size while they \
         are fetched), or name a folder on another disk with SHORTLIST_ASSETS", path = path.display()
    )]
    DiskFull {
        /// Where was written.
        path: PathBuf,
    },
    /// Reading or writing failed.
    #[error("cannot {action} {path}: {error}", path = path.display())]
    Io {
        /// What was tried, such as `write`.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// A library that was named explicitly does not exist.
    #[error(
        "there is no file {path}, which was named as ONNX Runtime's library; correct ORT_DYLIB_PATH, or unset it to have one \
         fetched", path = path.display()
    )]
    NoLibrary {
        /// The path that was named.
        path: PathBuf,
    },
}

impl AssetError {
    /// An error of reading or writing, told apart where something can be done about it.
    pub(super) fn io(action: &'static str, path: &Path, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path: path.to_owned() },
            _ => Self::Io { action, path: path.to_owned(), error },
        }
    }
}
