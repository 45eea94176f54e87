//! [`Matrix`]: a matrix as `numpy.save` writes it, read strictly.
//!
//! The format is version 1.0 of numpy's NEP 1: eight bytes of magic and version, the length of a header, the header, which is
//! the text of a Python dictionary, padded with spaces, and then the numbers. `numpy.save` writes the dictionary in one way
//! only, so that text is compared as it stands, and there is no Python to be parsed.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use crate::error::BenchError;

/// Magic and version 1.0.
const MAGIC: [u8; 8] = *b"\x93NUMPY\x01\x00";
/// The most rows, and the most columns: ten times the largest workload, and more than any model's vectors have.
const ROWS_MAX: usize = 2_000_000;
const COLUMNS_MAX: usize = 4_096;

/// Rows of numbers, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Matrix<T> {
    columns: usize,
    values: Vec<T>,
}

/// What numpy calls a number, and how it writes one.
pub(super) trait Number: Sized {
    const DESCR: &'static str;
    fn from_bytes(bytes: [u8; 4]) -> Self;
}

impl Number for f32 {
    const DESCR: &'static str = "<f4";
    fn from_bytes(bytes: [u8; 4]) -> Self {
        Self::from_le_bytes(bytes)
    }
}

impl Number for i32 {
    const DESCR: &'static str = "<i4";
    fn from_bytes(bytes: [u8; 4]) -> Self {
        Self::from_le_bytes(bytes)
    }
}

impl<T: Number> Matrix<T> {
    /// Reads a file whose length is what its header says. What is allocated is as long as the file.
    ///
    /// # Errors
    /// [`BenchError`] when it cannot be read, or is anything else than a matrix of such numbers within the limits.
    pub(super) fn read(path: &Path) -> Result<Self, BenchError> {
        let io_error = |error| BenchError::Io { action: "read", path: path.to_owned(), error };
        let bad = |reason| BenchError::Workload { path: path.to_owned(), reason };
        let file = File::open(path).map_err(io_error)?;
        let n_bytes = file.metadata().map_err(io_error)?.len();
        let mut file = BufReader::new(file);
        let mut head = [0; 10];
        file.read_exact(&mut head).map_err(io_error)?;
        let [magic @ .., low, high] = head;
        if magic != MAGIC {
            return Err(bad("it is no file that numpy.save wrote, version 1.0".to_owned()));
        }
        let mut header = vec![0; usize::from(u16::from_le_bytes([low, high]))];
        file.read_exact(&mut header).map_err(io_error)?;
        let (rows, columns) = shape::<T>(&header).map_err(bad)?;
        let (n_head, n_numbers) = ((head.len() + header.len()) as u64, rows * columns);
        if n_bytes != n_head + 4 * n_numbers as u64 {
            return Err(bad(format!(
                "it has {n_bytes} bytes, and a head of {n_head} with {rows} x {columns} numbers has another length"
            )));
        }
        let (mut values, mut row) = (Vec::with_capacity(n_numbers), vec![0; 4 * columns]);
        for _ in 0..rows {
            file.read_exact(&mut row).map_err(io_error)?;
            values.extend(row.as_chunks().0.iter().map(|&bytes| T::from_bytes(bytes)));
        }
        Ok(Self { columns, values })
    }

    pub(super) fn n_rows(&self) -> usize {
        self.values.len() / self.columns
    }

    pub(super) fn n_columns(&self) -> usize {
        self.columns
    }

    /// The rows in order.
    pub(super) fn rows(&self) -> std::slice::ChunksExact<'_, T> {
        self.values.chunks_exact(self.columns)
    }
}

/// Rows and columns, each within its limit.
fn shape<T: Number>(header: &[u8]) -> Result<(usize, usize), String> {
    let expected = format!("{{'descr': '{}', 'fortran_order': False, 'shape': (ROWS, COLUMNS), }}", T::DESCR);
    let text = String::from_utf8_lossy(header);
    let parsed = || {
        let (before, after) = expected.split_once("ROWS, COLUMNS")?;
        let (rows, columns) = text.trim_end().strip_prefix(before)?.strip_suffix(after)?.split_once(", ")?;
        Some((rows.parse::<usize>().ok()?, columns.parse::<usize>().ok()?))
    };
    let got = || text.chars().take(120).collect::<String>();
    let (rows, columns) = parsed().ok_or_else(|| format!("its header is {:?}, expected {expected}", got()))?;
    if !(1..=ROWS_MAX).contains(&rows) || !(1..=COLUMNS_MAX).contains(&columns) {
        return Err(format!(
            "it has {rows} rows of {columns}, and 1 to {ROWS_MAX} rows of 1 to {COLUMNS_MAX} are allowed"
        ));
    }
    Ok((rows, columns))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The file that numpy writes of a matrix.
    pub(in crate::latency) fn written(descr: &str, columns: usize, values: &[[u8; 4]]) -> Vec<u8> {
        let rows = values.len() / columns;
        let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
        // Head and header end at a multiple of 64, with a line feed.
        header += &" ".repeat(63 - (10 + header.len()) % 64);
        header.push('\n');
        let mut file = MAGIC.to_vec();
        file.extend((header.len() as u16).to_le_bytes());
        file.extend(header.as_bytes());
        file.extend(values.as_flattened());
        file
    }

    fn read<T: Number>(bytes: &[u8]) -> Result<Matrix<T>, String> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), bytes).expect("it is written");
        Matrix::read(file.path()).map_err(|error| error.to_string())
    }

    /// `numpy.save` of `numpy.array([[1, -2, 3], [4, 5, 6]], dtype="<i4")`, numpy 2.4.6.
    const OF_NUMPY: &[u8] = b"\x93NUMPY\x01\x00\x76\x00{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }\
        \x20                                                         \n\
        \x01\0\0\0\xfe\xff\xff\xff\x03\0\0\0\x04\0\0\0\x05\0\0\0\x06\0\0\0";

    #[test]
    fn a_matrix_of_numpy_is_read() {
        let matrix = read::<i32>(OF_NUMPY).expect("it is one");
        assert_eq!((matrix.n_rows(), matrix.n_columns()), (2, 3));
        assert_eq!(matrix.rows().collect::<Vec<_>>(), [[1, -2, 3], [4, 5, 6]]);
        assert_eq!(written("<i4", 3, &[1, -2, 3, 4, 5, 6].map(i32::to_le_bytes)), OF_NUMPY);
        let floats = read::<f32>(&written("<f4", 1, &[0.5_f32, -1.0].map(f32::to_le_bytes))).expect("floats");
        assert_eq!(floats.rows().collect::<Vec<_>>(), [[0.5], [-1.0]]);
    }

    #[test]
    fn anything_else_is_refused_with_what_was_expected() {
        let check = |bytes: &[u8], says: &str| {
            let error = read::<i32>(bytes).expect_err("it is no such matrix");
            assert!(error.contains(says), "{error}");
        };
        let replaced = |from: &str, to: &str| -> Vec<u8> {
            let at = OF_NUMPY.windows(from.len()).position(|window| window == from.as_bytes()).expect("it is there");
            [&OF_NUMPY[..at], to.as_bytes(), &OF_NUMPY[at + from.len()..]].concat()
        };
        check(b"PK\x03\x04 not numpy", "numpy.save");
        check(&OF_NUMPY[..40], "could not read");
        check(&OF_NUMPY[..OF_NUMPY.len() - 1], "another length");
        check(&[OF_NUMPY, b"\0"].concat(), "another length");
        check(&replaced("<i4", "<f4"), "expected {'descr': '<i4'");
        check(&replaced("<i4", ">i4"), "expected");
        check(&replaced("False", "True "), "expected");
        check(&replaced("(2, 3)", "(2,)  "), "expected");
        check(&replaced("(2, 3)", "(2, 3,"), "expected");
        check(&replaced("(2, 3)", "(0, 3)"), "1 to");
        check(&replaced("(2, 3), }             ", "(99999999999999, 3), }"), "1 to");
        check(&replaced("(2, 3), }         ", "(2, 999999999999), }"), "1 to");
    }
}
