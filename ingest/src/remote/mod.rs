//! [`Remote`]: generations in object storage or a shared folder, for servers elsewhere.
//!
//! ```text
//! CURRENT                  which generation serves, which are kept, the highest number ever given out (JSON)
//! generations/<sha256>     a manifest, by its own checksum
//! files/<sha256>           a file of a generation, by its checksum
//! ```
//!
//! Everything but `CURRENT` is immutable and named by its content, so a file that two generations share is stored and sent
//! once. `CURRENT` is replaced last, by compare-and-swap: a publish that is killed leaves what was current, and of two that
//! run at once exactly one wins. What is pulled is foreign data: names, sizes and checksums are verified before a reader
//! sees any of it.
//!
//! The surface is synchronous; a small runtime of its own does the waiting. Not to be called from asynchronous code.

mod current;
mod error;
mod layout;
mod location;
mod publish;
mod pull;
mod sweep;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use shortlist_index::StoreError;
use tokio::runtime::Runtime;

pub use self::current::{Entry, State};
pub use self::error::RemoteError;
pub use self::publish::{PublishOptions, Published};
pub use self::pull::{Pulled, Puller};

/// How many objects are sent or fetched at a time.
const CONCURRENCY: usize = 4;
/// How much of a file is sent or fetched in one request, and so is in memory, times [`CONCURRENCY`].
const PART_BYTES: u64 = 8 << 20;

/// A place for generations, such as `s3://bucket/prefix` or a folder.
pub struct Remote {
    runtime: Runtime,
    store: Arc<dyn ObjectStore>,
    /// The folder, where it is one: object_store has no compare-and-swap there.
    folder: Option<PathBuf>,
    /// For messages.
    location: String,
    /// What no message may show.
    secrets: Vec<String>,
}

/// Hears how a transfer goes.
pub trait Transfer: Send + Sync {
    /// So many bytes of so many are done. Bytes that are there already count as done.
    fn bytes(&self, done: u64, total: u64);
}

/// Hears nothing.
pub struct Silent;

impl Transfer for Silent {
    fn bytes(&self, _: u64, _: u64) {}
}

impl Remote {
    /// The remote at `url`: `s3://bucket[/prefix]`, `file:///folder` or a plain path. Touches only a folder's path.
    ///
    /// S3 endpoint, region and credentials come from the usual environment variables (`AWS_ENDPOINT_URL`, `AWS_REGION`,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, web identity and container credentials too).
    /// Plain HTTP is used only to this machine, or with `AWS_ALLOW_HTTP=true`.
    ///
    /// # Errors
    /// [`RemoteError::Url`] when it is none of these.
    pub fn open(url: &str) -> Result<Self, RemoteError> {
        let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Self::open_with(url, &std::env::vars_os().filter_map(text).collect::<Vec<_>>())
    }

    /// The same with these variables instead of the environment's.
    ///
    /// # Errors
    /// As for [`Remote::open`].
    pub fn open_with(url: &str, variables: &[(String, String)]) -> Result<Self, RemoteError> {
        location::open(url, variables)
    }

    /// Where it is, for messages. Holds no credentials.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// What the remote says of itself; `None` before the first publish.
    ///
    /// # Errors
    /// [`RemoteError`] when it cannot be read, or is no such thing.
    pub fn state(&self) -> Result<Option<State>, RemoteError> {
        Ok(self.runtime.block_on(self.read_current())?.state)
    }

    /// An error of the object store, without what is secret.
    fn failed(
        &self,
        action: &'static str,
        path: &object_store::path::Path,
        error: &object_store::Error,
    ) -> RemoteError {
        RemoteError::Storage {
            action,
            object: format!("{}/{path}", self.location),
            reason: error::reason(error, &self.secrets),
        }
    }
}

/// The error of a local file.
fn local(action: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> RemoteError + use<> {
    let path = path.to_owned();
    move |source| RemoteError::Local(StoreError::Io { action, path, source })
}
