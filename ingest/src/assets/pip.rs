//! Fetching a wheel with pip, which knows the operator's index, proxy and certificates.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::error::AssetError;
use super::pins::Wheel;
use super::progress::{AssetEvent, Progress};

/// How often the download is looked at.
const POLL: Duration = Duration::from_millis(100);
/// How long a download may take: 90 MB at 50 kB a second.
const DOWNLOAD_TIME_MAX: Duration = Duration::from_secs(30 * 60);
/// How much of a program's output goes into an error, in lines: its reason stands at the end.
const OUTPUT_LINES_MAX: usize = 12;

/// Downloads a wheel into `staging` and returns its path. Nothing of the package is run: `--only-binary` refuses source
/// packages, and a wheel is only saved.
pub(super) fn download(
    python: &Path,
    asset: &str,
    wheel: &Wheel,
    staging: &Path,
    progress: &dyn Progress,
) -> Result<PathBuf, AssetError> {
    let requirement = wheel.requirement();
    let [folder, temporary, log] = ["wheel", "tmp", "pip.log"].map(|name| staging.join(name));
    for folder in [&folder, &temporary] {
        fs::create_dir_all(folder).map_err(|error| AssetError::io("create", folder, error))?;
    }
    let output = File::create(&log).map_err(|error| AssetError::io("create", &log, error))?;
    let child = command(python, wheel, &folder, &temporary)
        .and_then(|mut command| command.stdout(output.try_clone()?).stderr(output).spawn())
        .map_err(|error| AssetError::NoPython { asset: asset.to_owned(), python: shown(python), error })?;
    let mut child = KillOnDrop(child);

    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.0.try_wait().map_err(|error| AssetError::io("wait for", python, error))? {
            break status;
        }
        if started.elapsed() > DOWNLOAD_TIME_MAX {
            return Err(AssetError::Slow { requirement, minutes: DOWNLOAD_TIME_MAX.as_secs() / 60 });
        }
        // pip writes to its temporary folder first, so the two together tell how far it is.
        let bytes = (bytes_below(&temporary, 3) + bytes_below(&folder, 1)).min(wheel.bytes);
        progress.event(AssetEvent::Downloading { asset, package: &requirement, bytes, bytes_total: wheel.bytes });
        thread::sleep(POLL);
    };
    if !status.success() {
        return Err(failure(python, asset, requirement, status, &log));
    }
    let mut wheels = fs::read_dir(&folder)
        .map_err(|error| AssetError::io("list", &folder, error))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "whl"));
    wheels.next().ok_or_else(|| AssetError::Pip {
        requirement,
        status: "it ended well but left no wheel".to_owned(),
        output: tail(&log),
    })
}

fn command(python: &Path, wheel: &Wheel, folder: &Path, temporary: &Path) -> io::Result<Command> {
    // `-m` looks for pip in the working directory first, so that is our own empty folder and not wherever the operator
    // stands; a path to Python must then be absolute, while a bare name is looked up in the search path.
    let is_path = python.components().count() > 1;
    let mut command = Command::new(if is_path { std::path::absolute(python)? } else { python.to_owned() });
    command.current_dir(folder).args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:"]);
    command.args(["--disable-pip-version-check", "--no-input", "--progress-bar=off", "--retries=2", "--timeout=20"]);
    if let Some(tags) = &wheel.pip {
        command.args(["--platform", &tags.platform, "--python-version", &tags.python_version]);
        command.args(["--implementation", &tags.implementation, "--abi", &tags.abi]);
    }
    command.arg("--dest").arg(std::path::absolute(folder)?).arg(wheel.requirement());
    command.env("TMPDIR", std::path::absolute(temporary)?).stdin(Stdio::null());
    Ok(command)
}

/// Reads from pip's output what went wrong.
fn failure(python: &Path, asset: &str, requirement: String, status: ExitStatus, log: &Path) -> AssetError {
    let output = tail(log);
    let says = |words: &[&str]| words.iter().any(|word| output.contains(word));
    if says(&["No module named pip", "No module named 'pip'"]) {
        AssetError::NoPip { asset: asset.to_owned(), python: shown(python) }
    } else if says(&["No space left on device", "Disk quota exceeded"]) {
        AssetError::DiskFull { path: log.parent().unwrap_or(log).to_owned() }
    } else if says(&[
        "NewConnectionError",
        "ConnectTimeout",
        "ConnectionError",
        "Connection refused",
        "Connection broken",
        "Failed to establish a new connection",
        "name resolution",
        "Max retries exceeded",
        "Network is unreachable",
        "Read timed out",
        "ProxyError",
    ]) {
        AssetError::Network { requirement, output }
    } else {
        AssetError::Pip { requirement, status: status.to_string(), output }
    }
}

/// The last lines of a program's output.
pub(crate) fn tail(log: &Path) -> String {
    let output = fs::read(log).unwrap_or_default();
    let output = String::from_utf8_lossy(&output);
    let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(OUTPUT_LINES_MAX)..].join("\n")
}

/// The size of the files below a folder; what vanishes meanwhile counts nothing, for this is only shown.
fn bytes_below(folder: &Path, depth: usize) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() && depth > 0 => bytes_below(&entry.path(), depth - 1),
            Ok(metadata) if metadata.is_file() => metadata.len(),
            _ => 0,
        })
        .sum()
}

fn shown(python: &Path) -> String {
    python.display().to_string()
}

/// An error on the way must not leave pip running in a folder that is about to be removed.
struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            // Both fail only when it has ended meanwhile.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}
