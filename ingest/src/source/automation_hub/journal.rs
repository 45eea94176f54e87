//! [`Journal`]: the pages of a pass that has not reached its end, so that the next one goes on where it died.
//!
//! One file, appended to page by page: a length, a SHA-256 and what they speak of, again and again. A process that is killed
//! while it writes leaves a torn end, which is cut off; whatever fails to match its checksum ends what is believed. Nothing
//! is flushed to the disk by force, for the worst that a lost page costs is asking for it again.
//!
//! What is resumed is old. It is believed only after every page has been asked whether it is still what it was, as it is
//! after any read; so a page without an ETag is never kept, and nothing behind it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::PAGE_BYTES_MAX;

/// The most bytes of a journal, packed; a catalog of 200,000 actions has a quarter of it. Pages beyond are read again.
const JOURNAL_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The oldest journal that is gone on with: few cursors live longer, and a pass that cannot end in a day is not resumed but
/// begun anew.
const AGE_MAX: Duration = Duration::from_secs(24 * 3600);
const FORMAT: u32 = 1;
const FILE_NAME: &str = "pages";
/// Before each entry: its length and its SHA-256.
const PREFIX_BYTES: u64 = 8 + 32;

/// The first entry.
#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    configuration: String,
    begun_unix_s: u64,
}

/// What stands before a page's body.
#[derive(Serialize, Deserialize)]
struct PageHead {
    cursor: Option<String>,
    etag: String,
}

/// Pages of this source's unfinished pass: first given back, then added to.
pub(super) struct Journal {
    path: Option<PathBuf>,
    configuration: String,
    file: Option<File>,
    /// Whether a page could not be kept, so that none after it is.
    closed: bool,
    /// Whether entries may still be given back.
    replays: bool,
    n_replayed: usize,
    /// Where the last good entry ends.
    end: u64,
}

impl Journal {
    /// Opens what the last pass left in a folder; without a folder nothing is kept. A journal of another configuration, or
    /// one that is too old or damaged at its head, counts as none.
    pub(super) fn open(folder: Option<&Path>, configuration: String, now: SystemTime) -> Self {
        let path = folder.map(|folder| folder.join(FILE_NAME));
        let mut journal =
            Self { path, configuration, file: None, closed: false, replays: false, n_replayed: 0, end: 0 };
        if journal.believed(now).is_none() {
            journal.restart();
        }
        journal
    }

    /// Opens the file and reads its head.
    fn believed(&mut self, now: SystemTime) -> Option<()> {
        // A pipe under that path would be waited for.
        drop(crate::files::open(self.path.as_deref()?).ok()?);
        self.file = Some(OpenOptions::new().read(true).write(true).open(self.path.as_deref()?).ok()?);
        let head: Head = serde_json::from_slice(&self.next_entry()?).ok()?;
        let age = now.duration_since(UNIX_EPOCH + Duration::from_secs(head.begun_unix_s)).ok()?;
        self.replays = head.format == FORMAT && head.configuration == self.configuration && age <= AGE_MAX;
        self.replays.then_some(())
    }

    /// How many pages of the unfinished pass were given back.
    pub(super) fn n_replayed(&self) -> usize {
        self.n_replayed
    }

    /// The page of this cursor with its ETag, where the unfinished pass had read it.
    pub(super) fn page(&mut self, cursor: Option<&str>) -> Option<(Vec<u8>, String)> {
        if !self.replays {
            return None;
        }
        let start = self.end;
        let page =
            self.next_entry().and_then(|entry| unpacked(&entry)).filter(|(head, _)| head.cursor.as_deref() == cursor);
        let Some((head, body)) = page else {
            // From here on pages are added; what follows in the file, if anything, is not one of this pass.
            (self.replays, self.end) = (false, start);
            let cut =
                self.file.as_mut().map(|file| file.set_len(start).and_then(|()| file.seek(SeekFrom::Start(start))));
            if !matches!(cut, Some(Ok(_))) {
                self.file = None;
            }
            return None;
        };
        self.n_replayed += 1;
        Some((body, head.etag))
    }

    /// Keeps a page that was read. A disk that refuses costs the resumption, not the pass.
    pub(super) fn keep(&mut self, cursor: Option<&str>, etag: Option<&str>, body: &[u8]) {
        let kept = match etag {
            Some(etag) => self.append_page(PageHead { cursor: cursor.map(str::to_owned), etag: etag.to_owned() }, body),
            None => Err(io::ErrorKind::Unsupported.into()),
        };
        // What comes after a gap could not be gone on with.
        self.closed |= kept.is_err();
    }

    /// Forgets everything: the pages turned out to be old, or the pass is over.
    pub(super) fn restart(&mut self) {
        (self.file, self.closed, self.replays, self.n_replayed, self.end) = (None, false, false, 0, 0);
        if let Some(path) = &self.path {
            // Both are tidiness: a stale journal is not believed, and the folder may hold more.
            let _ = fs::remove_file(path);
            let _ = path.parent().map(fs::remove_dir);
        }
    }

    fn append_page(&mut self, head: PageHead, body: &[u8]) -> io::Result<()> {
        let Some(path) = self.path.clone().filter(|_| !self.closed) else { return Ok(()) };
        if self.file.is_none() {
            self.begin(&path)?;
        }
        let mut entry = serde_json::to_vec(&head)?;
        entry.push(b'\n');
        let mut packer = GzEncoder::new(entry, Compression::fast());
        packer.write_all(body)?;
        let entry = packer.finish()?;
        self.append(&entry)
    }

    fn begin(&mut self, path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        self.file = Some(OpenOptions::new().read(true).write(true).create_new(true).open(path)?);
        // A clock before 1970 is wrong, and a journal of then is too old.
        let begun_unix_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let head = Head { format: FORMAT, configuration: self.configuration.clone(), begun_unix_s };
        self.append(&serde_json::to_vec(&head)?)
    }

    fn append(&mut self, entry: &[u8]) -> io::Result<()> {
        let n_bytes = PREFIX_BYTES + entry.len() as u64;
        if self.end + n_bytes > JOURNAL_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut bytes = Vec::with_capacity(n_bytes as usize);
        bytes.extend_from_slice(&(entry.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&Sha256::digest(entry));
        bytes.extend_from_slice(entry);
        file.write_all(&bytes)?;
        self.end += n_bytes;
        Ok(())
    }

    /// The next entry, if it is whole and what it was.
    fn next_entry(&mut self) -> Option<Vec<u8>> {
        let file = self.file.as_mut()?;
        let (mut length, mut sha256) = ([0; 8], [0; 32]);
        file.read_exact(&mut length).ok()?;
        file.read_exact(&mut sha256).ok()?;
        let length = u64::from_le_bytes(length);
        if length > JOURNAL_BYTES_MAX {
            return None;
        }
        let mut entry = Vec::new();
        file.take(length).read_to_end(&mut entry).ok()?;
        if entry.len() as u64 != length || <[u8; 32]>::from(Sha256::digest(&entry)) != sha256 {
            return None;
        }
        self.end += PREFIX_BYTES + length;
        Some(entry)
    }
}

fn unpacked(entry: &[u8]) -> Option<(PageHead, Vec<u8>)> {
    let line = entry.iter().position(|&byte| byte == b'\n')?;
    let head = serde_json::from_slice(entry.get(..line)?).ok()?;
    let mut body = Vec::new();
    GzDecoder::new(entry.get(line + 1..)?).take(PAGE_BYTES_MAX + 1).read_to_end(&mut body).ok()?;
    (body.len() as u64 <= PAGE_BYTES_MAX).then_some((head, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place(tempfile::TempDir);

    impl Place {
        /// A journal of three pages, as a pass leaves it that dies after them.
        fn with_three_pages() -> Self {
            let place = Self(tempfile::tempdir().expect("a temporary folder"));
            let mut journal = place.open("a");
            for (cursor, body) in [(None, "one"), (Some("b"), "two"), (Some("c"), "three")] {
                assert_eq!(journal.page(cursor), None);
                journal.keep(cursor, Some("etag"), body.as_bytes());
            }
            place
        }

        fn folder(&self) -> PathBuf {
            self.0.path().join("hub")
        }

        fn file(&self) -> PathBuf {
            self.folder().join(FILE_NAME)
        }

        fn open(&self, configuration: &str) -> Journal {
            self.open_at(configuration, SystemTime::now())
        }

        fn open_at(&self, configuration: &str, now: SystemTime) -> Journal {
            Journal::open(Some(&self.folder()), configuration.to_owned(), now)
        }

        fn bytes(&self) -> Vec<u8> {
            fs::read(self.file()).expect("a journal")
        }
    }

    /// The bodies that are given back to a pass that asks for all three.
    fn replayed(mut journal: Journal) -> Vec<String> {
        let pages = [None, Some("b"), Some("c"), Some("d")].into_iter().map_while(|cursor| journal.page(cursor));
        pages.map(|(body, _)| String::from_utf8(body).expect("text")).collect()
    }

    #[test]
    fn pages_are_given_back_in_order_and_added_to() {
        let place = Place::with_three_pages();
        let mut journal = place.open("a");
        for (cursor, body) in [(None, "one"), (Some("b"), "two"), (Some("c"), "three")] {
            assert_eq!(journal.page(cursor), Some((body.as_bytes().to_vec(), "etag".to_owned())));
        }
        assert_eq!(journal.page(Some("d")), None);
        journal.keep(Some("d"), Some("etag"), b"four");
        assert_eq!(replayed(place.open("a")), ["one", "two", "three", "four"]);
        place.open("a").restart();
        assert!(!place.folder().exists());
    }

    #[test]
    fn another_configuration_age_or_format_is_not_gone_on_with() {
        let place = Place::with_three_pages();
        let now = SystemTime::now();
        let later = now + AGE_MAX + Duration::from_secs(2);
        let earlier = now - Duration::from_secs(3600);
        assert_eq!(replayed(place.open_at("a", now + AGE_MAX - Duration::from_secs(60))).len(), 3);
        for (configuration, time) in [("b", now), ("a", later), ("a", earlier)] {
            let place = Place::with_three_pages();
            assert!(replayed(place.open_at(configuration, time)).is_empty(), "{configuration}");
            assert!(!place.file().exists(), "what is not believed is removed");
        }
    }

    #[test]
    fn a_torn_end_is_cut_off_wherever_it_was_torn() {
        let whole = Place::with_three_pages().bytes();
        for n_bytes in 0..whole.len() {
            let place = Place::with_three_pages();
            fs::write(place.file(), &whole[..n_bytes]).expect("a torn journal");
            let mut journal = place.open("a");
            let mut cursors = [None, Some("b"), Some("c")].into_iter();
            let n_pages = cursors.by_ref().take_while(|&cursor| journal.page(cursor).is_some()).count();
            assert!(n_pages < 3);
            // The pass goes on from there, and dies again.
            for cursor in [None, Some("b"), Some("c")].into_iter().skip(n_pages) {
                assert_eq!(journal.page(cursor), None);
                journal.keep(cursor, Some("etag"), b"again");
            }
            let bodies = replayed(place.open("a"));
            assert_eq!(bodies.len(), 3, "torn at {n_bytes}");
            assert_eq!(bodies.iter().filter(|body| *body == "again").count(), 3 - n_pages, "torn at {n_bytes}");
        }
    }

    #[test]
    fn a_damaged_byte_ends_what_is_believed() {
        let whole = Place::with_three_pages().bytes();
        let expected = ["one", "two", "three"];
        for position in 0..whole.len() {
            let place = Place::with_three_pages();
            let mut bytes = whole.clone();
            bytes[position] ^= 0x10;
            fs::write(place.file(), bytes).expect("a damaged journal");
            let bodies = replayed(place.open("a"));
            assert!(bodies.len() < 3 && bodies == expected[..bodies.len()], "damaged at {position}: {bodies:?}");
        }
    }

    #[test]
    fn a_page_that_nobody_vouches_for_is_not_kept_nor_what_follows_it() {
        let place = Place::with_three_pages();
        let mut journal = place.open("a");
        for cursor in [None, Some("b"), Some("c")] {
            assert!(journal.page(cursor).is_some());
        }
        assert_eq!(journal.page(Some("d")), None);
        journal.keep(Some("d"), None, b"four");
        journal.keep(Some("e"), Some("etag"), b"five");
        assert_eq!(replayed(place.open("a")).len(), 3);
    }

    #[test]
    fn a_page_of_another_cursor_is_not_the_one_that_was_asked_for() {
        let place = Place::with_three_pages();
        let mut journal = place.open("a");
        assert!(journal.page(None).is_some());
        assert_eq!(journal.page(Some("x")), None);
        assert_eq!(journal.page(Some("b")), None, "the two have parted");
        assert_eq!(replayed(place.open("a")), ["one"]);
    }

    #[test]
    fn a_folder_that_cannot_be_written_costs_nothing_but_the_resumption() {
        let place = Place(tempfile::tempdir().expect("a temporary folder"));
        fs::write(place.folder(), "a file where the folder should be").expect("a file");
        let mut journal = place.open("a");
        assert_eq!(journal.page(None), None);
        journal.keep(None, Some("etag"), b"one");
        assert_eq!(journal.page(Some("b")), None);
        let mut nowhere = Journal::open(None, "a".to_owned(), SystemTime::now());
        nowhere.keep(None, Some("etag"), b"one");
        assert_eq!((nowhere.page(None), nowhere.n_replayed()), (None, 0));
    }
}
