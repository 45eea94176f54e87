//! [`verify`]: whether a log is whole and unchanged.

use std::collections::HashSet;
use std::path::Path;

use serde::Serialize;
use shortlist_index::hex;

use super::log::{anchor_in, is_written};
use super::read::{LogFile, files, raw_lines_of};
use super::record::{Head, Link};
use super::{AuditError, Keys};
use crate::secret::Secret;

/// What a check of a whole log found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Files of records.
    pub n_files: usize,
    /// Good records, up to the first bad line.
    pub n_records: u64,
    /// The number of the first one; 1 unless older files were removed, as a record says then.
    pub first_seq: u64,
    /// The number of the last one.
    pub last_seq: u64,
    /// The hash of the last one.
    pub last_hash: String,
    /// Whether the seals were checked as well; without the server's secret anybody could have made the chain.
    pub sealed: bool,
    /// Whether the last run ended by itself. While it runs, or after a crash, it did not.
    pub ended: bool,
    /// Whether a server writes the log now.
    pub running: bool,
    /// Decisions that the log itself says it does not hold.
    pub n_missed: u64,
    /// The first line that is wrong; nothing in a good log.
    pub bad: Option<Bad>,
}

/// What is wrong, and where.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Bad {
    /// The file's name.
    pub file: String,
    /// The line; the first is 1. 0 where the file as a whole is meant.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.bad.is_none()
    }
}

/// Reads the whole log and checks each line, their order, the places where files follow each other, and that the records of
/// its anchor, and of `anchors` (numbers and hashes, as the server logged them), are in it. With secrets, each record must be
/// sealed under one of them; a secret that was replaced is given beside the one of today.
///
/// # Errors
/// [`AuditError`] when it cannot be read.
pub fn verify(folder: &Path, secrets: &[Secret], anchors: &[(u64, String)]) -> Result<Report, AuditError> {
    let keys: Vec<[u8; 32]> = secrets.iter().map(|secret| Keys::new(secret).seal).collect();
    // Asked first: what is appended after this is then no torn end.
    let running = is_written(folder);
    let mut anchors: Vec<(u64, String)> = anchors.to_vec();
    anchors.extend(anchor_in(folder).map(|anchor| (anchor.seq, anchor.hash)));
    let files = files(folder)?;
    let report = Report { n_files: files.len(), sealed: !keys.is_empty(), running, ..Report::default() };
    let mut check = Check { keys, anchors, report, first_prev: String::new(), removed: HashSet::new() };
    for (place, file) in files.iter().enumerate() {
        let is_last = place + 1 == files.len();
        if let Err(bad) = check.file(file, is_last)? {
            check.report.bad = Some(bad);
            break;
        }
    }
    if check.report.bad.is_none() {
        check.report.bad = check.whole(files.first());
    }
    Ok(check.report)
}

struct Check {
    keys: Vec<[u8; 32]>,
    /// Records that must be there, and were not met yet.
    anchors: Vec<(u64, String)>,
    report: Report,
    /// What the first record says of the one before it.
    first_prev: String,
    /// The last records of the files that were removed as configured.
    removed: HashSet<(u64, String)>,
}

impl Check {
    fn file(&mut self, file: &LogFile, is_last: bool) -> Result<Result<(), Bad>, AuditError> {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut is_first = true;
        for (number, line) in (1..).zip(raw_lines_of(&file.path)?) {
            let line = line?;
            let bad = |reason: String| Ok(Err(Bad { file: name.clone(), line: number, reason }));
            let Some(line) = line.strip_suffix(b"\n") else {
                if is_last && self.report.running {
                    // The server is just writing it.
                    return Ok(Ok(()));
                }
                return bad("it has no end: it was torn by a crash, or cut".to_owned());
            };
            let link = match Link::read(line) {
                Ok(link) => link,
                Err(reason) => return bad(reason.to_owned()),
            };
            if is_first && link.head.seq != file.first {
                return bad(format!("it is record {}, and the file's name says {}", link.head.seq, file.first));
            }
            is_first = false;
            if let Err(reason) = self.link(&link, line) {
                return bad(reason);
            }
        }
        Ok(Ok(()))
    }

    fn link(&mut self, link: &Link, line: &[u8]) -> Result<(), String> {
        let Head { seq, hash } = link.head;
        let before = self.report.last_seq;
        if self.report.n_records == 0 {
            self.report.first_seq = seq;
            self.first_prev = link.prev.clone();
        } else if seq != before + 1 {
            return Err(format!("record {seq} follows record {before}: some are missing, or their order was changed"));
        } else if link.prev != self.report.last_hash {
            return Err(format!("record {seq} does not continue record {before}: one of them was replaced"));
        }
        if !self.keys.is_empty() && !self.keys.iter().any(|key| link.is_sealed_with(key)) {
            return Err(format!("record {seq} is not sealed with the server's secret: it was made by somebody else"));
        }
        let hash = hex(&hash);
        if self.anchors.iter().any(|(anchored, expected)| *anchored == seq && *expected != hash) {
            return Err(format!("record {seq} is not the one that its anchor names: the chain was made anew"));
        }
        self.anchors.retain(|(anchored, _)| *anchored != seq);
        self.removed.extend(link.removed.clone());
        if link.kind == "gap" {
            let gap: serde_json::Value = serde_json::from_slice(line).unwrap_or_default();
            self.report.n_missed += gap["n_missed"].as_u64().unwrap_or_default();
        }
        self.report.n_records += 1;
        self.report.last_seq = seq;
        self.report.last_hash = hash;
        self.report.ended = link.kind == "end";
        Ok(())
    }

    /// What is wrong with the log as a whole.
    fn whole(&self, first: Option<&LogFile>) -> Option<Bad> {
        let Report { first_seq, last_seq, n_records, .. } = self.report;
        let name = |file: &LogFile| file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bad = |reason: String| Some(Bad { file: first.map(name).unwrap_or_default(), line: 0, reason });
        let before = first_seq.saturating_sub(1);
        if before > 0 && !self.removed.contains(&(before, self.first_prev.clone())) {
            return bad(format!("the records before {first_seq} are gone, and no record says that they were removed"));
        }
        if n_records > 0 && before == 0 && self.first_prev != hex(&[0; 32]) {
            return bad("the first record continues another one".to_owned());
        }
        // An anchor of what was removed since tells nothing.
        let lost = self.anchors.iter().map(|(seq, _)| *seq).filter(|&seq| seq > last_seq).max();
        lost.and_then(|seq| bad(format!("the log ends with record {last_seq}, and record {seq} is known to have been")))
    }
}
