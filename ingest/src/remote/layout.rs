//! Where things are in a remote, and what a manifest may ask for.

use std::collections::BTreeSet;

use object_store::path::Path;
use sha2::{Digest, Sha256};
use shortlist_index::{Manifest, hex};

/// Which generation serves.
pub(super) const CURRENT: &str = "CURRENT";
/// The manifests' folder.
pub(super) const GENERATIONS: &str = "generations";
/// The files' folder.
pub(super) const FILES: &str = "files";
/// The manifest's name in a generation's folder, and its checksum's.
pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const MANIFEST_SUM: &str = "manifest.sha256";

/// The largest manifest: one of several sources with a hundred thousand rejections each.
pub(super) const MANIFEST_BYTES_MAX: u64 = 256 << 20;
/// The most files of a generation; a real one has some thirty.
const FILES_MAX: usize = 4_096;
/// The largest generation: ten million tools.
const BYTES_MAX: u64 = 64 << 30;
/// The longest path inside a generation, and its most parts.
const PATH_BYTES_MAX: usize = 255;
const PATH_PARTS_MAX: usize = 8;

pub(super) fn manifest(sha256: &str) -> Path {
    Path::from_iter([GENERATIONS, sha256])
}

pub(super) fn file(sha256: &str) -> Path {
    Path::from_iter([FILES, sha256])
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(super) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
}

/// Whether the files that a foreign manifest names may be fetched and written: inside the generation's folder, not too
/// many, not too large.
///
/// # Errors
/// What is wrong, for the operator.
pub(super) fn check(manifest: &Manifest) -> Result<(), String> {
    if manifest.files.len() > FILES_MAX {
        return Err(format!("it names {} files; {FILES_MAX} are allowed", manifest.files.len()));
    }
    let mut folders = BTreeSet::new();
    let mut bytes = 0_u64;
    for (path, sum) in &manifest.files {
        if !is_plain(path) {
            return Err(format!("it names the file {path:?}, which is no plain path inside a generation"));
        }
        if !is_sha256(&sum.sha256) {
            return Err(format!("the checksum of {path:?} is no SHA-256"));
        }
        folders.extend(path.match_indices('/').map(|(end, _)| &path[..end]));
        bytes = bytes.saturating_add(sum.bytes);
    }
    if let Some(path) = manifest.files.keys().find(|path| folders.contains(path.as_str())) {
        return Err(format!("it names {path:?} as a file and as a folder"));
    }
    if bytes > BYTES_MAX {
        return Err(format!("its files have {bytes} bytes together; {BYTES_MAX} are allowed"));
    }
    Ok(())
}

/// Of letters, digits and a few marks only, so that it means the same in every file system.
fn is_plain(path: &str) -> bool {
    let part = |part: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        !part.is_empty() && part.bytes().all(plain) && part.bytes().any(|b| b != b'.')
    };
    path.len() <= PATH_BYTES_MAX
        && path.split('/').count() <= PATH_PARTS_MAX
        && path.split('/').all(part)
        && path != MANIFEST
        && path != MANIFEST_SUM
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_inside_the_folder_are_taken() {
        for good in ["tools.arrow", "base/lexical/meta.json", "lexical/.managed.json", "a/b-c_d.0"] {
            assert!(is_plain(good), "{good}");
        }
        let long = "a".repeat(256);
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a//b",
            "a/",
            ".",
            "a/.",
            "..",
            "a\\b",
            "C:x",
            "a\0b",
            "ä",
            "a b",
            MANIFEST,
            MANIFEST_SUM,
            long.as_str(),
            "1/2/3/4/5/6/7/8/9",
        ] {
            assert!(!is_plain(bad), "{bad:?}");
        }
    }
}
