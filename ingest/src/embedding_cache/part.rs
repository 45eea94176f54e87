//! One part of the cache: `NNNNNN-<checksum>.arrow`, two columns, the text's hash and its vector.

use std::fs::{self, File};
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, FixedSizeBinaryArray, FixedSizeListArray, Float32Array, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::FileWriter;
use sha2::{Digest, Sha256};

use super::{CacheError, TextHash};

/// The extension of a part that is being written.
pub(super) const UNFINISHED: &str = "unfinished";
/// Characters of the checksum in the name: 64 bits tell damage, which is chance and no attack.
const CHECKSUM_CHARS: usize = 16;
/// The largest part that is read: 1,000,000 vectors of 1,024 numbers.
const PART_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// Rows in one record batch.
const BATCH_ROWS: usize = 8_192;

/// A file whose name is that of a part.
pub(super) struct PartFile {
    pub(super) number: u32,
    pub(super) path: PathBuf,
    checksum: String,
}

/// A part in memory.
pub(super) struct Part {
    path: PathBuf,
    dimension: usize,
    /// One per record batch: the hashes, and the vectors one after the other. Every batch but the last is full.
    batches: Vec<(FixedSizeBinaryArray, Float32Array)>,
    n_rows: usize,
}

/// Why a part is not used.
pub(super) enum Unusable {
    /// Its bytes are not those of a part of this cache, and will never be.
    Damaged(String),
    /// Its bytes could not be had now; they may be good.
    Unread(String),
}

impl PartFile {
    /// The number and checksum in a file's name; `None` for other files.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let stem = path.file_name()?.to_str()?.strip_suffix(".arrow")?;
        let (number, checksum) = stem.split_once('-')?;
        Some(Self { number: number.parse().ok()?, path: path.to_owned(), checksum: checksum.to_owned() })
    }

    /// Reads the file; says in words what is wrong with it.
    pub(super) fn read(&self, dimension: usize) -> Result<Part, Unusable> {
        let unread = |error: io::Error| Unusable::Unread(error.to_string());
        let n_bytes = fs::metadata(&self.path).map_err(unread)?.len();
        if n_bytes > PART_BYTES_MAX {
            return Err(Unusable::Unread(format!("it has {n_bytes} bytes, more than {PART_BYTES_MAX}")));
        }
        let bytes = fs::read(&self.path).map_err(unread)?;
        self.parse(bytes, dimension).map_err(Unusable::Damaged)
    }

    /// Arrow sees the bytes only when they are those we wrote.
    fn parse(&self, bytes: Vec<u8>, dimension: usize) -> Result<Part, String> {
        let found = checksum(&bytes);
        if found != self.checksum {
            return Err(format!("its checksum is {found}, expected {}", self.checksum));
        }
        let mut part = Part { path: self.path.clone(), dimension, batches: Vec::new(), n_rows: 0 };
        let reader = FileReader::try_new(Cursor::new(bytes), None).map_err(|error| error.to_string())?;
        for batch in reader {
            part.push(&batch.map_err(|error| error.to_string())?)?;
        }
        Ok(part)
    }
}

impl Part {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn len(&self) -> usize {
        self.n_rows
    }

    /// The hashes, in row order.
    pub(super) fn texts(&self) -> impl Iterator<Item = TextHash> + '_ {
        // A hash of another length cannot be: `push` checked the column's type.
        self.batches
            .iter()
            .flat_map(|(texts, _)| texts.iter().flatten().filter_map(|text| text.try_into().ok().map(TextHash)))
    }

    pub(super) fn vector(&self, row: usize) -> Option<&[f32]> {
        let (_, vectors) = self.batches.get(row / BATCH_ROWS)?;
        let start = (row % BATCH_ROWS) * self.dimension;
        vectors.values().get(start..start + self.dimension)
    }

    fn push(&mut self, batch: &RecordBatch) -> Result<(), String> {
        if batch.schema().fields() != schema(self.dimension).fields() {
            return Err(format!("it is not a table of hashes and vectors of {} numbers", self.dimension));
        }
        if !self.n_rows.is_multiple_of(BATCH_ROWS) {
            return Err("a batch before the last is not full".to_owned());
        }
        let texts = batch.column(0).as_any().downcast_ref::<FixedSizeBinaryArray>();
        let lists = batch.column(1).as_any().downcast_ref::<FixedSizeListArray>();
        let vectors = lists.and_then(|lists| lists.values().as_any().downcast_ref::<Float32Array>());
        let (Some(texts), Some(vectors)) = (texts, vectors) else {
            return Err("its columns have other types".to_owned());
        };
        if texts.null_count() > 0 || vectors.len() != texts.len() * self.dimension {
            return Err("it has rows without a vector".to_owned());
        }
        self.n_rows += texts.len();
        self.batches.push((texts.clone(), vectors.clone()));
        Ok(())
    }
}

/// Writes rows as the part of that number: temporary name, flush, rename, flush of the folder.
pub(super) fn write(
    folder: &Path,
    number: u32,
    dimension: usize,
    rows: &[(TextHash, &[f32])],
) -> Result<Part, CacheError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |error| CacheError::Io { path, error }
    };
    fs::create_dir_all(folder).map_err(io(folder))?;
    let unfinished = folder.join(format!("{number:06}.{UNFINISHED}"));
    let (bytes, mut part) =
        encode(dimension, rows).map_err(|error| CacheError::Arrow { path: unfinished.clone(), error })?;
    part.path = folder.join(format!("{number:06}-{}.arrow", checksum(&bytes)));
    let mut file = File::create(&unfinished).map_err(io(&unfinished))?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(io(&unfinished))?;
    fs::rename(&unfinished, &part.path).map_err(io(&part.path))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io(folder))?;
    Ok(part)
}

/// The bytes of a part, and the part as a reader would find it.
fn encode(dimension: usize, rows: &[(TextHash, &[f32])]) -> Result<(Vec<u8>, Part), ArrowError> {
    let schema = Arc::new(schema(dimension));
    let mut part = Part { path: PathBuf::new(), dimension, batches: Vec::new(), n_rows: 0 };
    let mut writer = FileWriter::try_new(Vec::new(), &schema)?;
    for rows in rows.chunks(BATCH_ROWS) {
        let hashes: Vec<u8> = rows.iter().flat_map(|(text, _)| text.0).collect();
        let texts = FixedSizeBinaryArray::try_new(32, Buffer::from_vec(hashes), None)?;
        let numbers: Vec<f32> = rows.iter().flat_map(|(_, vector)| vector.iter().copied()).collect();
        let vectors = Float32Array::from(numbers);
        let item = Arc::new(Field::new("item", DataType::Float32, false));
        // Refuses vectors of another length, for they do not add up to the rows.
        let lists = FixedSizeListArray::try_new(item, dimension as i32, Arc::new(vectors.clone()), None)?;
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(texts.clone()), Arc::new(lists)])?)?;
        part.n_rows += rows.len();
        part.batches.push((texts, vectors));
    }
    Ok((writer.into_inner()?, part))
}

fn schema(dimension: usize) -> Schema {
    let item = Arc::new(Field::new("item", DataType::Float32, false));
    Schema::new(vec![
        Field::new("text_sha256", DataType::FixedSizeBinary(32), false),
        Field::new("vector", DataType::FixedSizeList(item, dimension as i32), false),
    ])
}

fn checksum(bytes: &[u8]) -> String {
    shortlist_index::hex(&Sha256::digest(bytes)).chars().take(CHECKSUM_CHARS).collect()
}
