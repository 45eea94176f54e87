//! [`Store`]: the folder of generations.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::build::{self, NewGeneration, PublishStep};
use super::delta::{self, BaseFiles, NewDelta};
use super::error::{BuildError, OpenError, StoreError};
use super::snapshot::{Snapshot, read_manifest};

/// A folder of generations, of which `CURRENT` names the one that serves.
///
/// Readers need no lock: a generation never changes once it has its number. Writers take [`Store::lock`].
#[derive(Clone, Debug)]
pub struct Store {
    home: PathBuf,
}

/// The right to write; released when it is dropped, and by the operating system when the process dies.
#[derive(Debug)]
pub struct WriteLock {
    _file: File,
}

/// A generation that opened, and those that were passed over because they did not.
pub struct Opened {
    /// The generation that serves.
    pub snapshot: Snapshot,
    /// Newer ones, each with the reason why it was refused.
    pub refused: Vec<(u64, OpenError)>,
}

impl Store {
    /// The store in `home`. Touches nothing.
    pub fn new(home: &Path) -> Self {
        Self { home: home.to_owned() }
    }

    /// The folder.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Takes the right to write, making the folder if there is none.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when another process has it.
    pub fn lock(&self) -> Result<WriteLock, StoreError> {
        fs::create_dir_all(&self.home).map_err(io("create", &self.home))?;
        let path = self.home.join("LOCK");
        let file = File::options().create(true).append(true).open(&path).map_err(io("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(WriteLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Busy(self.home.clone())),
            Err(TryLockError::Error(source)) => Err(io("lock", &path)(source)),
        }
    }

    /// The generations there are, oldest first, whether they open or not.
    ///
    /// # Errors
    /// When the folder cannot be read; one that does not exist holds none.
    pub fn list(&self) -> Result<Vec<u64>, StoreError> {
        let dir = self.home.join("generations");
        let entries = match fs::read_dir(&dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(io("read", &dir))?,
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let name = entry.map_err(io("read", &dir))?.file_name();
            numbers.extend(name.to_str().and_then(|name| name.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The generation that `CURRENT` names; `None` before the first publish.
    ///
    /// # Errors
    /// When `CURRENT` cannot be read or holds no number.
    pub fn current(&self) -> Result<Option<u64>, StoreError> {
        let path = self.home.join("CURRENT");
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(io("read", &path)(source)),
            Ok(text) => match text.trim().parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(StoreError::Current { path, got: text.chars().take(80).collect() }),
            },
        }
    }

    /// When a generation's manifest was written: tells a generation from another one of the same number, in a store that
    /// was set up anew. `None` where there is none.
    pub fn written(&self, number: u64) -> Option<std::time::SystemTime> {
        fs::metadata(self.generation(number).join(build::MANIFEST)).and_then(|manifest| manifest.modified()).ok()
    }

    /// Opens one generation.
    ///
    /// # Errors
    /// [`OpenError`] when it does not verify.
    pub fn open(&self, number: u64) -> Result<Snapshot, OpenError> {
        self.open_beside(number, None)
    }

    /// Opens one generation, sharing the base of `beside` in memory where the two have the same: a small change is then
    /// taken over without loading the graph again.
    ///
    /// # Errors
    /// [`OpenError`] when it does not verify.
    pub fn open_beside(&self, number: u64, beside: Option<&Snapshot>) -> Result<Snapshot, OpenError> {
        let snapshot = Snapshot::open(&self.generation(number), beside)?;
        match snapshot.number() {
            got if got == number => Ok(snapshot),
            got => Err(OpenError::Number { expected: number, got }),
        }
    }

    /// Opens the generation that serves: the one `CURRENT` names or, where that one is damaged or `CURRENT` unreadable,
    /// the newest older one that verifies.
    ///
    /// # Errors
    /// [`StoreError::Empty`] when there is none, [`StoreError::NoneOpens`] when none verifies, and [`StoreError::Gone`] when
    /// there are none but newer ones.
    pub fn open_current(&self) -> Result<Opened, StoreError> {
        // A damaged CURRENT must not stop what can still serve; without it the newest comes first.
        let current = self.current().ok().flatten().unwrap_or(u64::MAX);
        // Newer ones were rolled back from, and that is for an operator to undo.
        let (allowed, newer): (Vec<u64>, Vec<u64>) = self.list()?.into_iter().partition(|&number| number <= current);
        let mut refused = Vec::new();
        for number in allowed.into_iter().rev() {
            match self.open(number) {
                Ok(snapshot) => return Ok(Opened { snapshot, refused }),
                Err(error) => refused.push((number, error)),
            }
        }
        match refused.into_iter().next().map(|(_, newest)| newest) {
            Some(newest) => Err(StoreError::NoneOpens { home: self.home.clone(), newest: Box::new(newest), newer }),
            None if newer.is_empty() => Err(StoreError::Empty(self.home.clone())),
            None => Err(StoreError::Gone { home: self.home.clone(), current, newer }),
        }
    }

    /// Builds a generation and makes it current: staged, verified, flushed, renamed, named. `on_step` is called before
    /// each step. Returns its number.
    ///
    /// # Errors
    /// [`BuildError`]; the generation that was current still is, and leftovers are removed by the next publish.
    pub fn publish(
        &self,
        lock: &WriteLock,
        generation: NewGeneration,
        on_step: &mut dyn FnMut(PublishStep),
    ) -> Result<u64, BuildError> {
        let parent = self.current().ok().flatten();
        let number = self.next_number()?;
        on_step(PublishStep::Staging);
        let staging = self.empty_staging()?;
        build::build(&staging, number, parent, generation, on_step)?;
        self.take_in(lock, &staging, number, None, on_step)
    }

    /// As [`Store::publish`], for a small change: `parent`'s base is kept and `delta` is laid over it. What is then served
    /// answers as a generation built whole would (where the graph serves, its candidates can differ). Costs a copy of the
    /// base's files, or links to an older copy, and the building of the delta.
    ///
    /// # Errors
    /// As for [`Store::publish`].
    pub fn publish_delta(
        &self,
        lock: &WriteLock,
        parent: &Snapshot,
        delta: NewDelta,
        on_step: &mut dyn FnMut(PublishStep),
    ) -> Result<u64, BuildError> {
        let number = self.next_number()?;
        on_step(PublishStep::Staging);
        let staging = self.empty_staging()?;
        let others = self.list()?.into_iter().rev().filter(|&other| other != parent.number());
        let base = BaseFiles {
            parent: self.generation(parent.number()),
            others: others.map(|other| self.generation(other)).collect(),
        };
        delta::build(&staging, number, parent, &base, delta, on_step)?;
        self.take_in(lock, &staging, number, Some(parent), on_step)
    }

    /// The staged generation is verified, gets its number and serves. Nothing before the last step can be seen by a reader.
    fn take_in(
        &self,
        lock: &WriteLock,
        staging: &Path,
        number: u64,
        beside: Option<&Snapshot>,
        on_step: &mut dyn FnMut(PublishStep),
    ) -> Result<u64, BuildError> {
        on_step(PublishStep::Verify);
        drop(Snapshot::open(staging, beside)?);

        on_step(PublishStep::Rename);
        let generations = self.home.join("generations");
        fs::create_dir_all(&generations).map_err(io("create", &generations))?;
        let target = self.generation(number);
        fs::rename(staging, &target).map_err(io("rename the staged generation to", &target))?;
        build::sync(&generations).map_err(io("flush", &generations))?;

        on_step(PublishStep::Current);
        self.set_current(lock, number)?;
        Ok(number)
    }

    /// Above every number ever seen here, so that a number means one content for good.
    fn next_number(&self) -> Result<u64, StoreError> {
        let current = self.current().ok().flatten();
        let highest = self.list()?.last().copied().max(current).unwrap_or(0).max(self.above()?);
        highest.checked_add(1).ok_or_else(|| StoreError::NoNumberLeft(self.home.clone()))
    }

    /// Makes a generation current, for example to roll back. It is replaced in one step: a reader sees the old number or
    /// the new one.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is no such generation. Whether it opens is the caller's to check.
    pub fn set_current(&self, _: &WriteLock, number: u64) -> Result<(), StoreError> {
        if !self.generation(number).is_dir() {
            return Err(StoreError::Missing(number));
        }
        self.replace("CURRENT", format!("{number}\n").as_bytes())
    }

    /// Replaces a file beside the generations in one step: a reader sees the old content or the new, and what is there when
    /// this returns is there after a power cut.
    pub(super) fn replace(&self, file: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let (path, next) = (self.home.join(file), self.home.join(format!("{file}.next")));
        fs::write(&next, bytes).map_err(io("write", &next))?;
        build::sync(&next).map_err(io("flush", &next))?;
        fs::rename(&next, &path).map_err(io("replace", &path))?;
        build::sync(&self.home).map_err(io("flush", &self.home))
    }

    /// Removes the oldest generations, keeping `keep` besides the current one. The one that the current was built on is the
    /// first to be kept, and always is: after a rollback it is the one that was known to be good. Returns the numbers
    /// removed. Readers that have one open keep it.
    ///
    /// # Errors
    /// When a folder cannot be removed.
    pub fn remove_older(&self, _: &WriteLock, keep: usize) -> Result<Vec<u64>, StoreError> {
        let current = self.current()?;
        let mut others = self.list()?;
        let parent = current.and_then(|number| self.parent(number)).filter(|parent| others.contains(parent));
        others.retain(|&number| Some(number) != current && Some(number) != parent);
        let keep_others = keep.saturating_sub(usize::from(parent.is_some()));
        others.truncate(others.len().saturating_sub(keep_others));
        for &number in &others {
            let dir = self.generation(number);
            fs::remove_dir_all(&dir).map_err(io("remove", &dir))?;
        }
        Ok(others)
    }

    /// The generation that one was built on, where its manifest can be read.
    pub fn parent(&self, number: u64) -> Option<u64> {
        read_manifest(&self.generation(number)).ok()?.parent
    }

    pub(super) fn generation(&self, number: u64) -> PathBuf {
        self.home.join("generations").join(number.to_string())
    }

    /// The staging folder, without what a publish that died left in it.
    pub(super) fn empty_staging(&self) -> Result<PathBuf, StoreError> {
        let staging = self.home.join("staging");
        match fs::remove_dir_all(&staging) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io("empty", &staging)(error)),
            _ => {}
        }
        fs::create_dir_all(&staging).map_err(io("create", &staging))?;
        Ok(staging)
    }
}

/// The error of a failed `action` on `path`.
pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> StoreError + use<> {
    let path = path.to_owned();
    move |source| StoreError::Io { action, path, source }
}
