//! The embedding model that was trained here, carried by the binary.
//!
//! So a binary that was copied somewhere finds by itself, and needs neither a checkout nor a network. ONNX Runtime and the
//! tokenizer read files, so it is laid out as a model folder beside the fetched assets.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The folder's name; a new model gets another.
const NAME: &str = "shortlist-encoder-7";
/// `data/models/encoder`, file by file.
const FILES: [(&str, &[u8]); 3] = [
    ("model.onnx", include_bytes!("../../../data/models/encoder/model.onnx")),
    ("tokenizer.json", include_bytes!("../../../data/models/encoder/tokenizer.json")),
    ("model.toml", include_bytes!("../../../data/models/encoder/model.toml")),
];

/// The model as a folder below `root`, written unless it is there. Costs a read of its 34 MB.
///
/// # Errors
/// When the folder can neither be read nor written.
pub fn folder(root: &Path) -> Result<PathBuf> {
    let folder = root.join(NAME);
    for (name, bytes) in FILES {
        let path = folder.join(name);
        if fs::read(&path).is_ok_and(|there| there == bytes) {
            continue;
        }
        // Written aside and renamed: another process that starts now sees the whole file or none.
        let write = || {
            fs::create_dir_all(&folder)?;
            let mut file = tempfile::NamedTempFile::new_in(&folder)?;
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)
        };
        write().with_context(|| {
            format!("cannot write the embedding model to {}; --assets names another folder", path.display())
        })?;
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_laid_out_whole_and_mended_where_it_is_not() {
        let root = tempfile::tempdir().expect("a folder");
        let made = folder(root.path()).expect("it is written");
        let onnx = made.join("model.onnx");
        fs::write(&onnx, b"torn").expect("it is damaged");
        assert_eq!(folder(root.path()).expect("it is mended"), made);
        assert_eq!(fs::read(&onnx).expect("a file"), FILES[0].1);
        assert_eq!(fs::read_dir(&made).expect("a folder").count(), FILES.len());
    }
}
