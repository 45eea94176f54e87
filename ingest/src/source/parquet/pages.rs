//! [`room`]: how much the pages of a column ask for. The reader makes that room before it unpacks a page, on the word of the
//! page's header alone, and shows that word to nobody; so the headers are walked here first.
//!
//! A header is a struct in Thrift's compact protocol. The reader takes fields in any order, the last one where a field comes
//! twice, and a field that it knows for what it should be. Here a header must be as writers write it, or the two could read
//! different sizes.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use parquet::file::metadata::ColumnChunkMetaData;

/// The bytes of a column in a row group when its pages are unpacked, by their headers and with these; counted until they are
/// more than `max`.
pub(super) fn room(file: &File, chunk: &ColumnChunkMetaData, max: u64) -> io::Result<u64> {
    let start = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
    let start = u64::try_from(start).map_err(|_| damaged())?;
    let left = u64::try_from(chunk.compressed_size()).map_err(|_| damaged())?;
    // Room is made for packed bytes as well.
    if start.saturating_add(left) > file.metadata()?.len() {
        return Err(damaged());
    }
    let mut file = BufReader::new(file);
    file.seek(SeekFrom::Start(start))?;
    let mut headers = Headers { file, left };
    let mut room = 0;
    while headers.left > 0 && room <= max {
        let before = headers.left;
        let fields = headers.fields(0, 4)?;
        let (unpacked, packed, n_words) = (size(fields[2])?, size(fields[3])?, size(fields[7])?);
        // A dictionary gets four bytes for each word that it should have, before the first is read.
        room += before - headers.left + unpacked.max(4 * n_words);
        headers.skip(packed)?;
    }
    Ok(room)
}

/// The headers of a column's pages, one after another.
struct Headers<'f> {
    file: BufReader<&'f File>,
    /// Bytes of the column that are still to come.
    left: u64,
}

impl Headers<'_> {
    /// The fields of a struct by their numbers: an integer, or the first one of a struct in it; 0 where there is none. The
    /// first `n_integers` must be integers. The header itself has depth 0, what its kind of page adds 1, statistics 2.
    fn fields(&mut self, depth: u8, n_integers: u8) -> io::Result<[u64; 9]> {
        let mut fields = [0; 9];
        let mut number: u8 = 0;
        loop {
            let byte = self.byte()?;
            let (step, kind) = (byte >> 4, byte & 0xf);
            if kind == 0 {
                return Ok(fields);
            }
            // Without a step the field says its number itself, which could be an earlier one's.
            if step == 0 {
                return Err(damaged());
            }
            number = number.checked_add(step).ok_or_else(damaged)?;
            let value = match (kind, number <= n_integers, depth) {
                (4..=6, true, _) | (4..=6, false, 1..) => self.integer()?,
                (12, false, 0 | 1) => {
                    // A data page's, a dictionary's, a data page's of the second version.
                    let n_integers = match (depth, number) {
                        (0, 5) => 4,
                        (0, 7) => 2,
                        (0, 8) => 6,
                        _ => 0,
                    };
                    self.fields(depth + 1, n_integers)?[1]
                }
                // True and false.
                (1 | 2, false, 1..) => 0,
                // Bytes.
                (8, false, 1..) => {
                    let n_bytes = self.integer()?;
                    self.skip(n_bytes)?;
                    0
                }
                _ => return Err(damaged()),
            };
            if let Some(field) = fields.get_mut(usize::from(number)) {
                *field = value;
            }
        }
    }

    fn integer(&mut self) -> io::Result<u64> {
        let mut integer = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            integer |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(integer);
            }
        }
        Err(damaged())
    }

    fn byte(&mut self) -> io::Result<u8> {
        self.left = self.left.checked_sub(1).ok_or_else(damaged)?;
        let mut byte = [0];
        self.file.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    fn skip(&mut self, n_bytes: u64) -> io::Result<()> {
        self.left = self.left.checked_sub(n_bytes).ok_or_else(damaged)?;
        // No more than were left, and those were a positive i64.
        self.file.seek_relative(n_bytes.cast_signed())
    }
}

/// A size, of 31 bits. Thrift keeps the sign in the last bit.
fn size(zigzag: u64) -> io::Result<u64> {
    if zigzag & 1 == 0 && zigzag <= u32::MAX.into() { Ok(zigzag / 2) } else { Err(damaged()) }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the pages of a column are not what is said of them")
}
