//! Taking the pinned files, and only those, out of a wheel.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use shortlist_index::hex;
use zip::ZipArchive;
use zip::read::ZipFile;

use super::error::AssetError;
use super::pins::{PinnedFile, PinnedTree, Wheel};

/// Checks the wheel against its pin and unpacks its pinned files into `folder`, each checked and written through to the
/// disk. Paths come from the pins, never from the archive, except the names of a tree's files, which may hold no slash.
pub(super) fn unpack(path: &Path, wheel: &Wheel, folder: &Path) -> Result<(), AssetError> {
    let read_error = |error| AssetError::io("read", path, error);
    let got = sha256(path).map_err(read_error)?;
    if got != wheel.sha256 {
        return Err(AssetError::Mismatch {
            what: format!("the wheel of {}", wheel.requirement()),
            expected: format!("SHA-256 {}", wheel.sha256),
            got: format!("SHA-256 {got}"),
        });
    }
    let refuse = |reason: String| AssetError::Wheel { wheel: wheel.requirement(), reason };
    let file = File::open(path).map_err(read_error)?;
    let mut archive =
        ZipArchive::new(BufReader::new(file)).map_err(|error| refuse(format!("it is no zip archive: {error}")))?;
    for pin in &wheel.files {
        let entry = archive.by_name(&pin.from).map_err(|error| refuse(format!("{}: {error}", pin.from)))?;
        unpack_file(entry, pin, folder)?;
    }
    if let Some(tree) = &wheel.tree {
        unpack_tree(&mut archive, tree, &folder.join(&tree.to), &refuse)?;
    }
    Ok(())
}

/// SHA-256 of a file, in hexadecimal.
pub(super) fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            n_read => hasher.update(&buffer[..n_read]),
        }
    }
}

fn unpack_file(entry: ZipFile<'_, impl Read>, pin: &PinnedFile, folder: &Path) -> Result<(), AssetError> {
    let to = folder.join(&pin.to);
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).map_err(|error| AssetError::io("create", parent, error))?;
    }
    // One byte more than the pin tells a larger file from the right one, whatever the archive claims of its size.
    let written = write(&mut entry.take(pin.bytes + 1), &to)?;
    if written != pin.bytes {
        let got = if written > pin.bytes { "more".to_owned() } else { format!("{written} bytes") };
        return Err(AssetError::Mismatch { what: pin.from.clone(), expected: format!("{} bytes", pin.bytes), got });
    }
    let got = sha256(&to).map_err(|error| AssetError::io("read", &to, error))?;
    if got == pin.sha256 {
        Ok(())
    } else {
        Err(AssetError::Mismatch {
            what: pin.from.clone(),
            expected: format!("SHA-256 {}", pin.sha256),
            got: format!("SHA-256 {got}"),
        })
    }
}

fn unpack_tree(
    archive: &mut ZipArchive<impl Read + Seek>,
    tree: &PinnedTree,
    folder: &Path,
    refuse: &dyn Fn(String) -> AssetError,
) -> Result<(), AssetError> {
    fs::create_dir_all(folder).map_err(|error| AssetError::io("create", folder, error))?;
    let wanted: Vec<(usize, String)> = (0..archive.len())
        .filter_map(|position| {
            // A name that cannot be decoded is none that the pins know.
            let name = archive.name_for_index(position)?.ok()?;
            let name = name.strip_prefix(&tree.prefix)?;
            let plain = !name.contains(['/', '\\', ':']) && !name.starts_with('.');
            (plain && name.ends_with(&tree.suffix) && !tree.except.iter().any(|except| except == name))
                .then(|| (position, name.to_owned()))
        })
        .collect();
    let mut bytes_left = tree.bytes;
    for (position, name) in &wanted {
        let entry = archive.by_index(*position).map_err(|error| refuse(format!("{name}: {error}")))?;
        let written = write(&mut entry.take(bytes_left + 1), &folder.join(name))?;
        bytes_left = bytes_left
            .checked_sub(written)
            .ok_or_else(|| refuse(format!("{} holds more than the {} bytes pinned", tree.prefix, tree.bytes)))?;
    }
    if wanted.len() != tree.n_files || bytes_left != 0 {
        let (n_files, bytes) = (wanted.len(), tree.bytes - bytes_left);
        return Err(AssetError::Mismatch {
            what: tree.prefix.clone(),
            expected: format!("{} files of {} bytes", tree.n_files, tree.bytes),
            got: format!("{n_files} files of {bytes} bytes"),
        });
    }
    Ok(())
}

/// Writes a file and its bytes through to the disk.
fn write(from: &mut dyn Read, to: &Path) -> Result<u64, AssetError> {
    let mut copy = || -> io::Result<u64> {
        let mut file = File::create_new(to)?;
        let n_bytes = io::copy(from, &mut file)?;
        file.flush()?;
        file.sync_all()?;
        Ok(n_bytes)
    };
    copy().map_err(|error| AssetError::io("write", to, error))
}
