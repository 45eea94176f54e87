//! [`KeyFile`]: the records of API keys on disk. Commands write it, servers read it.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::api_keys::{PREFIX, digest};
use crate::clock::unix_s;
use crate::limits::{API_KEYS_BYTES_MAX, API_KEYS_MAX, SERVICE_CHARS_MAX};

/// Random bytes of a key's id, which is no secret.
const ID_BYTES: usize = 6;
/// Random bytes of a key's secret.
const SECRET_BYTES: usize = 32;

/// A key of a service, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// Names the key; it is part of it, and no secret.
    pub id: String,
    /// The service that asks with it: `service:…` in a policy.
    pub service: String,
    /// Whether the service may ask for users, by naming them in headers.
    pub on_behalf_of: bool,
    /// When it was made, in seconds of Unix time.
    pub created_unix_s: u64,
    /// From when on it is refused, in seconds of Unix time; without it, never.
    pub expires_unix_s: Option<u64>,
    /// The SHA-256 of the secret, in hexadecimal.
    pub(super) sha256: String,
}

/// The file's shape.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Records {
    keys: Vec<ApiKey>,
}

/// Why keys cannot be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The system said no.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not one of ours.
    #[error("{} holds no API keys ({reason}); mend it, or remove it and make the keys anew", path.display())]
    Broken {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A name that cannot stand in a policy.
    #[error("{name:?} is no name for a service; write letters, digits and `._-`, {SERVICE_CHARS_MAX} at most")]
    Service {
        /// What was given, cut.
        name: String,
    },
    /// There are too many.
    #[error("{} has {API_KEYS_MAX} keys already, which is all it may hold; revoke some", path.display())]
    Full {
        /// Which file.
        path: PathBuf,
    },
    /// No such key.
    #[error("there is no key with the id {id:?}; `shortlist keys list` has them all")]
    NoSuchKey {
        /// What was given, cut.
        id: String,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {reason}")]
    Random {
        /// What it said.
        reason: String,
    },
}

/// Where the records of API keys are.
#[derive(Clone, Debug)]
pub struct KeyFile(PathBuf);

impl KeyFile {
    /// The file need not be there yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The records, in the order in which they were made; none where there is no file.
    ///
    /// # Errors
    /// [`KeyFileError`] when the file cannot be read or is broken.
    pub fn list(&self) -> Result<Vec<ApiKey>, KeyFileError> {
        let broken = |reason: &str| KeyFileError::Broken { path: self.0.clone(), reason: reason.to_owned() };
        let file = match File::open(&self.0) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.io("read", error)),
        };
        let mut text = Vec::new();
        file.take(API_KEYS_BYTES_MAX + 1).read_to_end(&mut text).map_err(|error| self.io("read", error))?;
        if text.len() as u64 > API_KEYS_BYTES_MAX {
            return Err(broken("it is too large"));
        }
        let Records { keys } = serde_json::from_slice(&text).map_err(|error| broken(&error.to_string()))?;
        let mut ids: Vec<&str> = keys.iter().map(|key| key.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        // Of two records of one id, the one that was meant is not guessed.
        if ids.len() < keys.len() || keys.len() > API_KEYS_MAX {
            return Err(broken("it has too many records, or two of one id"));
        }
        Ok(keys)
    }

    /// Makes a key, and gives its record and the key itself, which nobody can ever show again.
    ///
    /// # Errors
    /// [`KeyFileError`]; then nothing was changed.
    pub fn create(
        &self,
        service: &str,
        on_behalf_of: bool,
        lives: Option<Duration>,
    ) -> Result<(ApiKey, String), KeyFileError> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if !(1..=SERVICE_CHARS_MAX).contains(&service.len()) || !service.chars().all(is_name) {
            return Err(KeyFileError::Service { name: service.chars().take(80).collect() });
        }
        let secret = URL_SAFE_NO_PAD.encode(random::<SECRET_BYTES>()?);
        let now = unix_s();
        let key = ApiKey {
            id: shortlist_index::hex(&random::<ID_BYTES>()?),
            service: service.to_owned(),
            on_behalf_of,
            created_unix_s: now,
            expires_unix_s: lives.map(|lives| now.saturating_add(lives.as_secs())),
            sha256: digest(&secret),
        };
        self.change(|keys| {
            if keys.len() >= API_KEYS_MAX {
                return Err(KeyFileError::Full { path: self.0.clone() });
            }
            keys.push(key.clone());
            Ok(())
        })?;
        let presented = format!("{PREFIX}{}_{secret}", key.id);
        Ok((key, presented))
    }

    /// Takes a key away, and gives what its record was. Servers refuse it from their next look at the file on.
    ///
    /// # Errors
    /// [`KeyFileError`]; then nothing was changed.
    pub fn revoke(&self, id: &str) -> Result<ApiKey, KeyFileError> {
        self.change(|keys| {
            let place = keys.iter().position(|key| key.id == id);
            let place = place.ok_or_else(|| KeyFileError::NoSuchKey { id: id.chars().take(80).collect() })?;
            Ok(keys.remove(place))
        })
    }

    /// Changes the records in one step that nobody else is in the middle of, and that is on disk when it returns.
    fn change<T>(&self, change: impl FnOnce(&mut Vec<ApiKey>) -> Result<T, KeyFileError>) -> Result<T, KeyFileError> {
        let folder = self.0.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|error| self.io("create the folder of", error))?;
        // A file of its own, for the one with the keys is replaced. Released when it is closed.
        let lock = File::create(self.0.with_extension("lock")).map_err(|error| self.io("lock", error))?;
        lock.lock().map_err(|error| self.io("lock", error))?;
        let mut keys = self.list()?;
        let result = change(&mut keys)?;
        let write = || -> io::Result<()> {
            // Only its owner may read it.
            let mut staged = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer_pretty(&mut staged, &Records { keys })?;
            staged.write_all(b"\n")?;
            staged.as_file().sync_all()?;
            staged.persist(&self.0)?;
            if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
        };
        write().map_err(|error| self.io("write", error))?;
        Ok(result)
    }

    fn io(&self, action: &'static str, source: io::Error) -> KeyFileError {
        KeyFileError::Io { action, path: self.0.clone(), source }
    }
}

fn random<const N: usize>() -> Result<[u8; N], KeyFileError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| KeyFileError::Random { reason: error.to_string() })?;
    Ok(bytes)
}
