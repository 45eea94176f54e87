//! [`Lines`]: the lines of a plain or compressed file, within limits and one at a time.

use std::fs::File;
use std::io::{self, BufRead, BufReader};

use flate2::bufread::MultiGzDecoder;

use crate::source::exchange::{RECORD_BYTES_MAX, UNPACKED_BYTES_MAX};

/// How a gzip stream begins (RFC 1952, section 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];
/// How a text may begin that some editors write.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads lines and counts them.
pub(super) struct Lines {
    reader: Box<dyn BufRead>,
    line: Vec<u8>,
    number: u64,
    bytes_left: u64,
}

/// What comes next in a file.
pub(super) enum Next<'a> {
    /// A line, without its end.
    Line(&'a [u8]),
    /// A line beyond [`RECORD_BYTES_MAX`], which was skipped.
    TooLong,
    /// The file is larger than it may be; nothing more is read of it.
    TooMuch {
        /// The limit in bytes.
        max: u64,
    },
    /// The file's end.
    End,
}

impl Lines {
    /// Looks at the first bytes and unpacks if they are gzip's.
    pub fn new(file: File) -> io::Result<Self> {
        Self::with_limit(file, UNPACKED_BYTES_MAX)
    }

    fn with_limit(file: File, bytes_max: u64) -> io::Result<Self> {
        let mut file = BufReader::with_capacity(256 * 1024, file);
        let packed = file.fill_buf()?.starts_with(&GZIP_MAGIC);
        let reader: Box<dyn BufRead> = if packed {
            Box::new(BufReader::with_capacity(256 * 1024, MultiGzDecoder::new(file)))
        } else {
            Box::new(file)
        };
        Ok(Self { reader, line: Vec::new(), number: 0, bytes_left: bytes_max })
    }

    /// The number of the line that was read last; the first is 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Reads one line.
    pub fn next(&mut self) -> io::Result<Next<'_>> {
        self.line.clear();
        let mut too_long = false;
        let mut any = false;
        loop {
            let available = self.reader.fill_buf()?;
            if available.is_empty() {
                break;
            }
            if !any {
                any = true;
                self.number += 1;
            }
            let end = available.iter().position(|&b| b == b'\n');
            let taken = end.map_or(available.len(), |end| end + 1);
            let text = &available[..end.unwrap_or(taken)];
            // A line that is too long is read to its end but not kept.
            too_long |= self.line.len() + text.len() > RECORD_BYTES_MAX;
            if !too_long {
                self.line.extend_from_slice(text);
            }
            self.reader.consume(taken);
            match self.bytes_left.checked_sub(taken as u64) {
                Some(left) => self.bytes_left = left,
                None => return Ok(Next::TooMuch { max: UNPACKED_BYTES_MAX }),
            }
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(Next::End);
        }
        if too_long {
            return Ok(Next::TooLong);
        }
        let mark = if self.number == 1 { BYTE_ORDER_MARK } else { b"" };
        Ok(Next::Line(self.line.strip_prefix(mark).unwrap_or(&self.line)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use super::*;

    fn file_of(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(bytes).expect("written");
        file.rewind().expect("rewound");
        file
    }

    fn zipped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("written");
        encoder.finish().expect("packed")
    }

    #[test]
    fn a_gzip_bomb_is_left_alone_at_the_limit() {
        let bomb = zipped(&vec![b'\n'; 100_000]);
        let mut lines = Lines::with_limit(file_of(&bomb), 1_000).expect("opened");
        let end = loop {
            match lines.next().expect("readable") {
                Next::Line(_) => {}
                other => break other,
            }
        };
        assert!(matches!(end, Next::TooMuch { .. }));
        assert_eq!(lines.number(), 1_001);
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_and_the_next_is_read() {
        let mut text = vec![b'x'; RECORD_BYTES_MAX + 1];
        text.extend_from_slice(b"\nnext");
        for bytes in [text.clone(), zipped(&text)] {
            let mut lines = Lines::new(file_of(&bytes)).expect("opened");
            assert!(matches!(lines.next().expect("readable"), Next::TooLong));
            assert!(matches!(lines.next().expect("readable"), Next::Line(b"next")));
            assert_eq!(lines.number(), 2);
            assert!(matches!(lines.next().expect("readable"), Next::End));
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        let mut lines = Lines::new(file_of(b"\xEF\xBB\xBF{}\n{}")).expect("opened");
        assert!(matches!(lines.next().expect("readable"), Next::Line(b"{}")));
        assert!(matches!(lines.next().expect("readable"), Next::Line(b"{}")));
    }
}
