//! Reading a log: its files, and their lines in either direction. Never more than one line and one block are in memory.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::AuditError;
use super::log::at;
use crate::limits::AUDIT_LINE_BYTES_MAX;

const BLOCK_BYTES: u64 = 64 * 1024;

/// One file of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogFile {
    /// The number of its first record, by its name.
    pub(super) first: u64,
    pub(super) path: PathBuf,
}

/// The name of the file whose first record has this number. Names sort as their numbers do.
pub(super) fn file_name(first: u64) -> String {
    format!("audit-{first:020}.jsonl")
}

/// The files of records, oldest first.
pub(super) fn files(folder: &Path) -> Result<Vec<LogFile>, AuditError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let name = entry.map_err(at(folder))?.file_name();
        let Some(name) = name.to_str() else { continue };
        let digits = name.strip_prefix("audit-").and_then(|rest| rest.strip_suffix(".jsonl"));
        let first = digits.and_then(|digits| digits.parse().ok()).filter(|&first| file_name(first) == name);
        files.extend(first.map(|first| LogFile { first, path: folder.join(name) }));
    }
    files.sort_by_key(|file| file.first);
    Ok(files)
}

/// The lines of a file with their newlines, from its beginning. A torn last line has none; one that is longer than any record
/// comes in pieces, none of which is a record.
pub(super) fn raw_lines_of(
    path: &Path,
) -> Result<impl Iterator<Item = Result<Vec<u8>, AuditError>> + use<>, AuditError> {
    let mut reader = BufReader::new(File::open(path).map_err(at(path))?);
    let path = path.to_owned();
    Ok(std::iter::from_fn(move || match next_line(&mut reader) {
        Ok(line) if line.is_empty() => None,
        Ok(line) => Some(Ok(line)),
        Err(error) => Some(Err(at(&path)(error))),
    }))
}

fn next_line(reader: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    reader.take(AUDIT_LINE_BYTES_MAX as u64).read_until(b'\n', &mut line)?;
    Ok(line)
}

/// The first line of a file without its newline, if it has a whole one.
pub(super) fn first_line(path: &Path) -> Result<Option<Vec<u8>>, AuditError> {
    let line = raw_lines_of(path)?.next().transpose()?;
    Ok(line.and_then(|mut line| line.pop_if(|last| *last == b'\n').map(|_| line)))
}

/// Where the lines end in a file of this length that may hold a record before this number: the start of a record from this
/// number on, with few others before it. Records are numbered in their order, so few lines need to be read.
fn end_before(file: &File, length: u64, before: u64) -> std::io::Result<u64> {
    #[derive(serde::Deserialize)]
    struct Numbered {
        seq: u64,
    }
    let (mut low, mut high, mut end) = (0, length, length);
    while high - low > BLOCK_BYTES {
        let middle = low + (high - low) / 2;
        let mut reader = BufReader::new(file);
        reader.seek(SeekFrom::Start(middle))?;
        // The line that stands in the middle is left to whoever reads from its start.
        let start = middle + next_line(&mut reader)?.len() as u64;
        if start >= high {
            high = middle;
            continue;
        }
        match serde_json::from_slice(&next_line(&mut reader)?) {
            Ok(Numbered { seq }) if seq >= before => (high, end) = (middle, start),
            Ok(_) => low = start,
            // No record: from here on all is read.
            Err(_) => break,
        }
    }
    Ok(end)
}

/// The lines of a whole log, newest first.
pub struct Backward {
    /// Files that are still to be read, oldest first.
    files: Vec<LogFile>,
    /// Lines from this number on need not be given.
    before: Option<u64>,
    open: Option<(PathBuf, File)>,
    /// Where the unread part of the open file ends.
    end: u64,
    /// Bytes after `end` whose lines were not given yet.
    rest: Vec<u8>,
    n_bytes: u64,
}

impl Backward {
    /// `before`: most of what is no record before this number is passed over.
    ///
    /// # Errors
    /// [`AuditError`] when the folder cannot be read.
    pub fn new(folder: &Path, before: Option<u64>) -> Result<Self, AuditError> {
        let mut files = files(folder)?;
        files.retain(|file| before.is_none_or(|before| file.first < before));
        Ok(Self { files, before, open: None, end: 0, rest: Vec::new(), n_bytes: 0 })
    }

    /// The bytes that were read so far.
    pub fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    fn step(&mut self) -> Result<Option<Vec<u8>>, AuditError> {
        loop {
            // The newline that ends the line before the last one in `rest`.
            if let Some(place) = self.rest.iter().rposition(|&b| b == b'\n') {
                let line = self.rest.split_off(place + 1);
                self.rest.pop();
                if !line.is_empty() {
                    return Ok(Some(line));
                }
                continue;
            }
            let Some((path, file)) = self.open.as_mut().filter(|_| self.end > 0) else {
                if !self.rest.is_empty() {
                    return Ok(Some(std::mem::take(&mut self.rest)));
                }
                let Some(LogFile { path, .. }) = self.files.pop() else { return Ok(None) };
                let file = match File::open(&path) {
                    Ok(file) => file,
                    // It was removed meanwhile, as old files are.
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    Err(error) => return Err(at(&path)(error)),
                };
                let length = file.metadata().map_err(at(&path))?.len();
                let end = self.before.map(|before| end_before(&file, length, before));
                self.end = end.transpose().map_err(at(&path))?.unwrap_or(length);
                self.open = Some((path, file));
                continue;
            };
            let start = self.end.saturating_sub(BLOCK_BYTES);
            let mut block = vec![0; usize::try_from(self.end - start).unwrap_or_default()];
            file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(&mut block)).map_err(at(path))?;
            self.n_bytes += block.len() as u64;
            self.end = start;
            if self.rest.len() > AUDIT_LINE_BYTES_MAX {
                // No record is that long: what is read of it is let go.
                self.rest.clear();
            }
            block.append(&mut self.rest);
            self.rest = block;
        }
    }
}

impl Iterator for Backward {
    type Item = Result<Vec<u8>, AuditError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

/// The lines that come after a point of time, as they come.
pub struct Follow {
    folder: PathBuf,
    file: LogFile,
    place: u64,
}

impl Follow {
    /// From the end of what is there now.
    ///
    /// # Errors
    /// [`AuditError`] when the folder cannot be read.
    pub fn new(folder: &Path) -> Result<Self, AuditError> {
        let last = files(folder)?.pop();
        let file = last.unwrap_or_else(|| LogFile { first: 0, path: folder.join(file_name(0)) });
        let place = fs::metadata(&file.path).map_or(0, |meta| meta.len());
        Ok(Self { folder: folder.to_owned(), file, place })
    }

    /// The whole lines that came since the last call.
    ///
    /// # Errors
    /// [`AuditError`] when they cannot be read.
    pub fn more(&mut self) -> Result<Vec<Vec<u8>>, AuditError> {
        let mut lines = Vec::new();
        // The next file is looked for before this one is read, so that its last lines are not passed over.
        let next = files(&self.folder)?.into_iter().find(|file| file.first > self.file.first);
        match File::open(&self.file.path) {
            Ok(mut file) => {
                let path = &self.file.path;
                file.seek(SeekFrom::Start(self.place)).map_err(at(path))?;
                let mut reader = BufReader::new(file);
                loop {
                    let mut line = next_line(&mut reader).map_err(at(path))?;
                    let n_bytes = line.len() as u64;
                    if line.pop_if(|last| *last == b'\n').is_none() {
                        break;
                    }
                    self.place += n_bytes;
                    lines.push(line);
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(at(&self.file.path)(error)),
        }
        if let Some(next) = next {
            (self.file, self.place) = (next, 0);
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(u64, String)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (first, text) in files {
            fs::write(folder.path().join(file_name(*first)), text).expect("it is written");
        }
        for other in ["audit-7.jsonl", "audit-x.jsonl", "lock", "torn-audit-1"] {
            fs::write(folder.path().join(other), "no records\n").expect("it is written");
        }
        folder
    }

    #[test]
    fn backward_gives_what_forward_gives_whatever_the_lengths() {
        let mut rng = fastrand::Rng::with_seed(3);
        for _ in 0..20 {
            let mut all: Vec<Vec<u8>> = Vec::new();
            let mut texts = Vec::new();
            for file in 0..rng.u64(1..4) {
                let mut text = String::new();
                for _ in 0..rng.usize(0..6) {
                    let n_chars = *rng.choice(&[1, 5, 65_535, 65_536, 65_537, 140_000]).expect("six");
                    let line: String = std::iter::repeat_with(|| rng.alphanumeric()).take(n_chars).collect();
                    text += &(line.clone() + "\n");
                    all.push(line.into_bytes());
                }
                texts.push((file * 100 + 1, text));
            }
            let folder = folder(&texts);
            let backward: Vec<Vec<u8>> =
                Backward::new(folder.path(), None).expect("a folder").map(|line| line.expect("a line")).collect();
            let mut forward: Vec<Vec<u8>> = files(folder.path())
                .expect("a folder")
                .into_iter()
                .flat_map(|file| raw_lines_of(&file.path).expect("a file"))
                .map(|line| line.expect("a line"))
                .collect();
            forward.iter_mut().for_each(|line| assert_eq!(line.pop(), Some(b'\n')));
            assert_eq!(forward, all);
            all.reverse();
            assert_eq!(backward, all);
        }
    }

    #[test]
    fn no_line_is_kept_whole_that_is_longer_than_a_record() {
        let folder = folder(&[(1, format!("first\n{}\nlast\n", "x".repeat(5_000_000)))]);
        let lines: Vec<Vec<u8>> =
            Backward::new(folder.path(), None).expect("a folder").map(|line| line.expect("a line")).collect();
        assert_eq!((&lines[0][..], &lines[lines.len() - 1][..]), (&b"last"[..], &b"first"[..]));
        assert!(lines.iter().all(|line| line.len() <= AUDIT_LINE_BYTES_MAX + 65_536 * 2));
        assert!(
            raw_lines_of(&folder.path().join(file_name(1)))
                .expect("a file")
                .all(|line| { line.expect("a line").len() <= AUDIT_LINE_BYTES_MAX })
        );
    }

    #[test]
    fn who_follows_gets_whole_lines_over_all_files() {
        let folder = folder(&[(1, "old\n".to_owned())]);
        let mut follow = Follow::new(folder.path()).expect("a folder");
        let append = |first: u64, text: &str| {
            use std::io::Write;
            let path = folder.path().join(file_name(first));
            let mut file = fs::OpenOptions::new().append(true).create(true).open(path).expect("a file");
            file.write_all(text.as_bytes()).expect("it is written");
        };
        assert!(follow.more().expect("lines").is_empty());
        append(1, "a\nhal");
        assert_eq!(follow.more().expect("lines"), [b"a"]);
        append(1, "f\n");
        append(9, "b\n");
        assert_eq!(follow.more().expect("lines"), [b"half"]);
        assert_eq!(follow.more().expect("lines"), [b"b"]);
    }

    #[test]
    fn what_is_passed_over_is_not_before_the_number() {
        let mut rng = fastrand::Rng::with_seed(18);
        let line = |seq| format!("{{\"seq\":{seq},\"filling\":\"{}\"}}", "x".repeat(rng.usize(..900)));
        let lines: Vec<String> = (1..=3_000).map(line).collect();
        let text = |lines: &[String]| lines.join("\n") + "\n";
        let folder = folder(&[(1, text(&lines[..2_000])), (2_001, text(&lines[2_000..]))]);
        let read = |before: Option<u64>| {
            let mut backward = Backward::new(folder.path(), before).expect("a log");
            let first = backward.next().expect("a line").expect("it can be read");
            assert!(backward.n_bytes() <= 2 * BLOCK_BYTES);
            let rest = backward.map(|line| line.expect("it can be read"));
            let lines = std::iter::once(first).chain(rest).map(|line| String::from_utf8(line).expect("UTF-8"));
            let mut lines: Vec<String> = lines.collect();
            lines.reverse();
            lines
        };
        assert_eq!(read(None), lines);
        let places = [2, 3, 1_999, 2_000, 2_001, 2_002, 3_000, 9_000];
        for before in places.into_iter().chain((0..50).map(|place| 7 + 59 * place)) {
            let (read, n_wanted) = (read(Some(before)), lines.len().min(before as usize - 1));
            assert_eq!(read[..n_wanted], lines[..n_wanted], "{before}");
            let n_bytes: usize = read[n_wanted..].iter().map(|line| line.len() + 1).sum();
            assert!(n_bytes as u64 <= BLOCK_BYTES + 2_000, "{n_bytes} before {before} are passed over");
        }

        // What is no record is for whoever reads the lines.
        let garbage = "no record\n".repeat(20_000);
        fs::write(folder.path().join(file_name(2_001)), garbage).expect("it is written");
        assert_eq!(Backward::new(folder.path(), Some(2_500)).expect("a log").count(), 22_000);
    }
}
