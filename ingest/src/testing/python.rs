//! [`python`]: a Python with the packages that a test's peer is made of, installed once and kept.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sha2::{Digest, Sha256};
use shortlist_index::hex;

use super::process::{PeerError, Running};
use crate::assets::tail;

/// How long an installation may take: the largest fetches 60 MB.
const INSTALL_TIME_MAX: Duration = Duration::from_secs(15 * 60);
/// Written when everything is in place; without it the folder is what a killed run left.
pub(super) const INSTALLED: &str = "installed.txt";
/// Where locks live inside the folder of assets.
pub(super) const WORK: &str = ".work";
/// Digits of the digest in a folder's name.
pub(super) const DIGEST_CHARS: usize = 16;

/// The interpreter of an environment that holds exactly what a requirements file pins, each package by version and SHA-256.
///
/// The environment is made below `assets` when it is not there yet, which is said on standard error. Its folder is named by
/// the digest of the file and of the `python3` of the search path: other pins or another Python are another folder. Tests
/// that want the same one at the same time take turns, and what a killed run left behind is made anew.
///
/// # Errors
/// [`PeerError`] when there is no Python, or pip cannot install something.
pub fn python(assets: &Path, requirements: &Path) -> Result<PathBuf, PeerError> {
    let pins = fs::read(requirements).map_err(|error| PeerError::io("read", requirements, error))?;
    let name = requirements.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let digest = hex(&Sha256::new().chain_update(base_python()?).chain_update(&pins).finalize());
    let root = std::path::absolute(assets).map_err(|error| PeerError::io("find", assets, error))?;
    let folder = root.join(format!("python-{name}-{}", digest.get(..DIGEST_CHARS).unwrap_or_default()));
    let interpreter = folder.join("bin/python");
    let is_whole = || folder.join(INSTALLED).is_file() && interpreter.is_file();
    if is_whole() {
        return Ok(interpreter);
    }
    // Released by the system when this process ends, however it ends.
    let _lock = lock(&root.join(WORK), &format!("python-{name}"))?;
    if !is_whole() {
        let n_packages = String::from_utf8_lossy(&pins).lines().filter(|line| line.contains("==")).count();
        say(&format!(
            "fetching {n_packages} pinned Python packages with pip, for the peer {name:?} of the tests (once)"
        ));
        install(&root.join(WORK), &folder, requirements)?;
        fs::write(folder.join(INSTALLED), &pins).map_err(|error| PeerError::io("write into", &folder, error))?;
    }
    Ok(interpreter)
}

/// What the `python3` of the search path says of itself: an environment works with no other.
fn base_python() -> Result<Vec<u8>, PeerError> {
    let mut command = Command::new("python3");
    command.args(["-c", "import sys; print(sys.executable, sys.version)"]).stdin(Stdio::null());
    let output = command.output().map_err(|error| PeerError::NoPython { error })?;
    Ok(output.stdout)
}

/// Environments cannot be moved, for their scripts name their folder. So it is made in its place, and [`INSTALLED`] says when
/// it is whole.
fn install(work: &Path, folder: &Path, requirements: &Path) -> Result<(), PeerError> {
    remove(folder)?;
    let requirements = std::path::absolute(requirements).map_err(|error| PeerError::io("find", requirements, error))?;
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(folder);
    run(venv, work)?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--require-hashes", "--only-binary=:all:", "--disable-pip-version-check"]);
    pip.args(["--no-input", "--progress-bar=off", "--quiet", "--requirement"]).arg(requirements);
    run(pip, work)
}

/// Runs a command to its end; its output goes into the error.
pub(super) fn run(mut command: Command, work: &Path) -> Result<(), PeerError> {
    let shown = format!("{command:?}");
    let log = tempfile::NamedTempFile::new_in(work).map_err(|error| PeerError::io("write into", work, error))?;
    // Python looks for modules in the working directory, so that is a folder of ours.
    if command.get_current_dir().is_none() {
        command.current_dir(work);
    }
    let mut running = Running::start(command, Stdio::null(), log.as_file())?;
    match running.wait(INSTALL_TIME_MAX)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(PeerError::Ended { command: shown, status, output: tail(log.path()) }),
        None => Err(PeerError::Slow { command: shown, time: INSTALL_TIME_MAX, output: tail(log.path()) }),
    }
}

pub(super) fn lock(work: &Path, name: &str) -> Result<File, PeerError> {
    fs::create_dir_all(work).map_err(|error| PeerError::io("create", work, error))?;
    let path = work.join(format!("{name}.lock"));
    let file = File::create(&path).map_err(|error| PeerError::io("create", &path, error))?;
    file.lock().map_err(|error| PeerError::io("lock", &path, error))?;
    Ok(file)
}

/// Removes a folder, if it is there.
pub(super) fn remove(folder: &Path) -> Result<(), PeerError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(PeerError::io("remove", folder, error)),
        _ => Ok(()),
    }
}

/// Straight to standard error: what a test prints in the usual way is shown only when it fails.
pub(super) fn say(text: &str) {
    // Nobody can be told that nothing can be told.
    let _ = writeln!(io::stderr(), "{text}");
}
