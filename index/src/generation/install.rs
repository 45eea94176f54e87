//! Generations that were built elsewhere: taken into a [`Store`] as they are, number and all.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::build;
use super::error::{OpenError, StoreError};
use super::manifest::Manifest;
use super::snapshot::{Snapshot, read_manifest};
use super::store::{Store, WriteLock, io};

/// Holds the number that the next generation must be above, where others have given out numbers too.
const ABOVE: &str = "ABOVE";

impl Store {
    /// The folder of a generation, whether it is there or not.
    pub fn folder(&self, number: u64) -> PathBuf {
        self.generation(number)
    }

    /// What the generation in a folder says of itself, compared with its own checksum. Its files are not looked at.
    ///
    /// # Errors
    /// [`OpenError`] when there is no manifest, it is damaged, or of another format.
    pub fn manifest_in(folder: &Path) -> Result<Manifest, OpenError> {
        read_manifest(folder)
    }

    /// The generations built here from now on get numbers above this one: somebody else has given out the numbers up to it,
    /// and a number means one content for good. Replaces one kept before that cannot be read.
    ///
    /// # Errors
    /// When the number cannot be kept.
    pub fn number_above(&self, _: &WriteLock, number: u64) -> Result<(), StoreError> {
        match self.above() {
            Ok(above) if above >= number => Ok(()),
            Ok(_) | Err(StoreError::Above { .. }) => self.replace(ABOVE, format!("{number}\n").as_bytes()),
            Err(error) => Err(error),
        }
    }

    /// The number kept by [`Store::number_above`]; 0 where there is none.
    pub(super) fn above(&self) -> Result<u64, StoreError> {
        let path = self.home().join(ABOVE);
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            // Bytes that are no text are no number either.
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                Err(StoreError::Above { path, got: error.to_string() })
            }
            Err(source) => Err(io("read", &path)(source)),
            Ok(text) => {
                text.trim().parse().map_err(|_| StoreError::Above { path, got: text.chars().take(80).collect() })
            }
        }
    }

    /// Takes in the generation in `staged`, a folder on the same disk: opened as a reader would, flushed, renamed into its
    /// place by its own number, and made current. A damaged generation of that number is replaced.
    ///
    /// # Errors
    /// [`InstallError`]; what was current still is, and `staged` is left as it was.
    pub fn install(&self, lock: &WriteLock, staged: &Path) -> Result<u64, InstallError> {
        let number = Snapshot::open(staged, None)?.number();
        let sum = |folder: &Path| fs::read(folder.join(build::MANIFEST_SUM)).ok();
        let target = self.generation(number);
        if target.exists() {
            if self.open(number).is_err() {
                // It cannot serve, so nothing is lost; out of the way in one step, so that no half of it is left.
                let aside = self.empty_staging()?.join("damaged");
                fs::rename(&target, &aside).map_err(io("move aside", &target))?;
            } else if sum(&target) == sum(staged) {
                self.set_current(lock, number)?;
                return Ok(number);
            } else {
                return Err(InstallError::Taken { number, home: self.home().to_owned() });
            }
        }
        build::sync_tree(staged).map_err(io("flush", staged))?;
        let generations = self.home().join("generations");
        fs::create_dir_all(&generations).map_err(io("create", &generations))?;
        fs::rename(staged, &target).map_err(io("rename the staged generation to", &target))?;
        build::sync(&generations).map_err(io("flush", &generations))?;
        self.set_current(lock, number)?;
        Ok(number)
    }
}

/// Why a generation that was built elsewhere was not taken in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// It is damaged, or of another format.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The folder of generations cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is another, good generation of that number.
    #[error(
        "{home} holds another generation {number}, which was built here or came from somewhere else; give what is pulled a \
         home of its own (--home)"
    )]
    Taken {
        /// The number.
        number: u64,
        /// The store.
        home: PathBuf,
    },
}
