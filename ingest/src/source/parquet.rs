//! A Parquet file of one record a row: the exchange format of this project's data sets (`exchange` says what a row
//! holds), as columns.
//!
//! `id`, `namespace`, `name` (each must be there), `description`, `title` and `version` are texts; `input_schema` and
//! `output_schema` are JSON as text; `tags` is a list of texts, `required_scopes` a list of lists of texts, `deprecation` a
//! text or a boolean; `annotations` and `execution` are structs. A null is what an absent key is in JSON. Other columns are
//! not read. A column is plain or packed by Snappy or zstd. Another packing is refused, gzip too: its decoder unpacks whatever
//! comes, however little a page says that it holds.
//!
//! A row that cannot be taken is rejected with its number, and the rest goes on. A column of another type ends the pass, and
//! so does a file that is damaged: half a catalog would look like a catalog with tools removed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use arrow::array::RecordBatch;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::Compression;

use self::columns::Columns;
use super::exchange::{CatalogFile, Line, RECORD_BYTES_MAX, RECORDS_MAX, Seen, UNPACKED_BYTES_MAX};
use super::{Fetched, Record, Source, SourceState};
use crate::error::SourceError;

mod cell;
mod columns;
mod pages;

/// The kind's name in configuration and provenance.
pub const SOURCE_TYPE: &str = "parquet";

/// The largest description of a file's own layout; 1,000 row groups of ten columns have less than one megabyte.
const FOOTER_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// The most bytes of a column in a row group, unpacked, by what its pages' headers say: a page is unpacked whole, to no more than
/// its header says.
const CHUNK_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Rows that are decoded together. Few, for a text that stands once in a file's dictionary may be that of every row.
const BATCH_ROWS: usize = 256;

/// A Parquet file, with its columns plain or packed by Snappy or zstd.
#[derive(Clone, Debug)]
pub struct Parquet(CatalogFile);

impl Parquet {
    /// The file `path` as the source `name`.
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self(CatalogFile { name: name.into(), path: path.into(), source_type: SOURCE_TYPE, unit: "row" })
    }

    /// The file's layout, within limits, and the columns that are read.
    fn open(&self) -> Result<(ParquetRecordBatchReaderBuilder<File>, Columns), SourceError> {
        let Self(catalog) = self;
        let mut file = catalog.open()?;
        if footer_bytes(&mut file).map_err(|error| catalog.io_error(error))? > FOOTER_BYTES_MAX {
            return Err(catalog.too_large(FOOTER_BYTES_MAX, "bytes in its footer"));
        }
        // Without the hints that a writer may leave, a type is the same whoever wrote it.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        // Both seek before they read.
        let handle = file.try_clone().map_err(|error| catalog.io_error(error))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)
            .map_err(|error| self.damaged(error))?;
        let columns = Columns::find(builder.schema())
            .map_err(|reason| SourceError::NoCatalog { name: catalog.name.clone(), detail: self.said(&reason) })?;
        let mut n_bytes = 0;
        let mut n_rows = 0;
        for group in builder.metadata().row_groups() {
            n_rows += u64::try_from(group.num_rows()).unwrap_or(u64::MAX);
            let leaves = columns.leaves(builder.parquet_schema());
            for chunk in leaves.into_iter().filter_map(|leaf| group.columns().get(leaf)) {
                if let Some(codec) = unread_codec(chunk.compression()) {
                    let reason = format!("is packed by {codec}; columns may be plain, or packed by Snappy or zstd");
                    return Err(SourceError::NoCatalog { name: catalog.name.clone(), detail: self.said(&reason) });
                }
                let room = pages::room(&handle, chunk, CHUNK_BYTES_MAX).map_err(|error| self.damaged(error))?;
                n_bytes += room;
                if room > CHUNK_BYTES_MAX {
                    return Err(catalog.too_large(CHUNK_BYTES_MAX, "bytes in one column of a row group, when unpacked"));
                }
                if n_bytes > UNPACKED_BYTES_MAX {
                    return Err(catalog.too_large(UNPACKED_BYTES_MAX, "bytes when unpacked"));
                }
            }
            if n_rows > RECORDS_MAX {
                return Err(catalog.too_large(RECORDS_MAX, "rows"));
            }
        }
        Ok((builder, columns))
    }

    fn damaged(&self, error: impl std::error::Error + Send + Sync + 'static) -> SourceError {
        self.0.io_error(io::Error::new(io::ErrorKind::InvalidData, format!("it is not a whole Parquet file: {error}")))
    }

    fn said(&self, reason: &str) -> String {
        format!("{} {reason}", self.0.path.display())
    }
}

impl Source for Parquet {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn source_type(&self) -> &'static str {
        SOURCE_TYPE
    }

    fn fetch(&self, since: Option<&SourceState>, sink: &mut dyn FnMut(Record)) -> Result<Fetched, SourceError> {
        let Self(catalog) = self;
        let state = catalog.stamp()?;
        if since == Some(&state) {
            return Ok(Fetched::Unchanged);
        }
        let (builder, columns) = self.open()?;
        let mask = columns.mask(builder.parquet_schema());
        let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build();
        let mut seen = Seen::new();
        let (mut position, mut bytes_left) = (0, UNPACKED_BYTES_MAX);
        for batch in reader.map_err(|error| self.damaged(error))? {
            let batch: RecordBatch = batch.map_err(|error| self.damaged(error))?;
            for row in 0..batch.num_rows() {
                position += 1;
                if position > RECORDS_MAX {
                    return Err(catalog.too_large(RECORDS_MAX, "rows"));
                }
                let mut budget = RECORD_BYTES_MAX;
                let line = columns.row(&batch, row, &mut budget).and_then(Line::of);
                sink(catalog.record(position, line, &mut seen));
                let used = (RECORD_BYTES_MAX - budget) as u64;
                bytes_left = bytes_left
                    .checked_sub(used)
                    .ok_or_else(|| catalog.too_large(UNPACKED_BYTES_MAX, "bytes when unpacked"))?;
            }
        }
        catalog.complete(state)
    }
}

/// The packing's name, where it is none that is read: those give no more bytes than a page says.
fn unread_codec(compression: Compression) -> Option<&'static str> {
    match compression {
        Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::ZSTD(_) => None,
        Compression::GZIP(_) => Some("gzip"),
        Compression::BROTLI(_) => Some("brotli"),
        Compression::LZ4 | Compression::LZ4_RAW => Some("LZ4"),
        Compression::LZO => Some("LZO"),
    }
}

/// What the file says of its footer's length, in its last eight bytes but four.
fn footer_bytes(file: &mut File) -> io::Result<u64> {
    let mut length = [0; 4];
    file.seek(SeekFrom::End(-8))
        .and_then(|_| file.read_exact(&mut length))
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is too short for a Parquet file"))?;
    Ok(u32::from_le_bytes(length).into())
}
