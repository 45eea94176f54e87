//! [`read_text`] and [`each_line`]: files of text, whatever somebody put in their place.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::path::Path;

use crate::error::BenchError;

/// The file's text, or `None` where it has more than `bytes_max` bytes.
pub(crate) fn read_text(path: &Path, bytes_max: u64) -> Result<Option<String>, BenchError> {
    let io_error = |error| BenchError::Io { action: "read", path: path.to_owned(), error };
    let mut text = String::new();
    File::open(path).map_err(io_error)?.take(bytes_max + 1).read_to_string(&mut text).map_err(io_error)?;
    Ok((text.len() as u64 <= bytes_max).then_some(text))
}

/// Gives each line of the file to `take`, with its number from 1, until that breaks off. A line of more than `bytes_max` bytes
/// is `bad`.
pub(crate) fn each_line(
    path: &Path,
    bytes_max: u64,
    bad: impl Fn(usize, String) -> BenchError,
    take: impl FnMut(usize, &[u8]) -> Result<ControlFlow<()>, BenchError>,
) -> Result<(), BenchError> {
    let file = File::open(path).map_err(|error| BenchError::Io { action: "read", path: path.to_owned(), error })?;
    each_line_of(file, path, bytes_max, bad, take)
}

/// [`each_line`], of what a file holds when it is unpacked.
pub(crate) fn each_line_of(
    unpacked: impl Read,
    path: &Path,
    bytes_max: u64,
    bad: impl Fn(usize, String) -> BenchError,
    mut take: impl FnMut(usize, &[u8]) -> Result<ControlFlow<()>, BenchError>,
) -> Result<(), BenchError> {
    let io_error = |error| BenchError::Io { action: "read", path: path.to_owned(), error };
    let mut reader = BufReader::new(unpacked);
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        let read = reader.by_ref().take(bytes_max + 1).read_until(b'\n', &mut bytes).map_err(io_error)?;
        if read as u64 > bytes_max {
            return Err(bad(line, format!("it has more than the {bytes_max} bytes allowed")));
        }
        if read == 0 || take(line, &bytes)?.is_break() {
            break;
        }
    }
    Ok(())
}
