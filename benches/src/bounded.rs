//! [`read_text`]: small files of text, whatever somebody put in their place.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::BenchError;

/// The file's text, or `None` where it has more than `bytes_max` bytes.
pub(crate) fn read_text(path: &Path, bytes_max: u64) -> Result<Option<String>, BenchError> {
    let io_error = |error| BenchError::Io { action: "read", path: path.to_owned(), error };
    let mut text = String::new();
    File::open(path).map_err(io_error)?.take(bytes_max + 1).read_to_string(&mut text).map_err(io_error)?;
    Ok((text.len() as u64 <= bytes_max).then_some(text))
}
