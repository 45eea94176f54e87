//! A line of the log: how it is closed, and how it is checked.

use serde::Deserialize;
use sha2::{Digest, Sha256};
use shortlist_index::hex;
use subtle::ConstantTimeEq;

use crate::secret::keyed;

/// What ends each line: `,"hash":"…","seal":"…"}`.
const CLOSING_BYTES: usize = 149;

/// The newest record of a chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// Its number; 0 when there is none yet.
    pub(super) seq: u64,
    /// Its hash; zeros when there is none yet.
    pub(super) hash: [u8; 32],
}

/// Adds a line with its newline. `body` is a JSON object with at least one member.
pub(super) fn push_line(lines: &mut Vec<u8>, head: &mut Head, key: &[u8; 32], time: &str, body: &[u8]) {
    let start = lines.len();
    let seq = head.seq + 1;
    lines.extend_from_slice(format!("{{\"seq\":{seq},\"time\":\"{time}\",").as_bytes());
    lines.extend_from_slice(body.get(1..body.len().saturating_sub(1)).unwrap_or_default());
    lines.extend_from_slice(format!(",\"prev\":\"{}\"", hex(&head.hash)).as_bytes());
    let hash: [u8; 32] = Sha256::digest(&lines[start..]).into();
    lines.extend_from_slice(
        format!(",\"hash\":\"{}\",\"seal\":\"{}\"}}\n", hex(&hash), hex(&seal(key, &hash))).as_bytes(),
    );
    *head = Head { seq, hash };
}

/// The seal of a hash.
pub(super) fn seal(key: &[u8; 32], hash: &[u8; 32]) -> [u8; 32] {
    keyed(key, &[hash])
}

/// A line that is what its hash says.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) head: Head,
    pub(super) prev: String,
    pub(super) time: String,
    pub(super) kind: String,
    /// Of a record that a file was removed: the last record in it.
    pub(super) removed: Option<(u64, String)>,
    seal: String,
}

#[derive(Deserialize)]
struct Members {
    seq: u64,
    time: String,
    kind: String,
    prev: String,
    #[serde(default)]
    last_seq: Option<u64>,
    #[serde(default)]
    last_hash: Option<String>,
}

impl Link {
    /// Checks a line, without its newline, by itself.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn read(line: &[u8]) -> Result<Self, &'static str> {
        let no_record = "it is not a record of an audit log";
        let (covered, closing) = line.split_at_checked(line.len().saturating_sub(CLOSING_BYTES)).ok_or(no_record)?;
        let closing = std::str::from_utf8(closing).map_err(|_| no_record)?;
        let digests = closing.strip_prefix(",\"hash\":\"").and_then(|rest| rest.strip_suffix("\"}"));
        let (written, seal) = digests.and_then(|rest| rest.split_once("\",\"seal\":\"")).ok_or(no_record)?;
        let hash: [u8; 32] = Sha256::digest(covered).into();
        if hex(&hash) != written {
            return Err("it is not what its hash says: it was changed");
        }
        let Members { seq, time, kind, prev, last_seq, last_hash } =
            serde_json::from_slice(line).map_err(|_| no_record)?;
        let removed = last_seq.zip(last_hash).filter(|_| kind == "removed");
        Ok(Self { head: Head { seq, hash }, prev, time, kind, removed, seal: seal.to_owned() })
    }

    /// Whether its seal was made with this key.
    pub(super) fn is_sealed_with(&self, key: &[u8; 32]) -> bool {
        hex(&seal(key, &self.head.hash)).as_bytes().ct_eq(self.seal.as_bytes()).into()
    }
}

/// 32 bytes from hexadecimal.
pub(super) fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(pair[0])? * 16 + digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn lines(n: usize) -> (Vec<Vec<u8>>, Head) {
        let (mut lines, mut head) = (Vec::new(), Head::default());
        for place in 0..n {
            let body = format!("{{\"kind\":\"decision\",\"user\":\"u{place} \\\",\\\"hash\\\":\"}}");
            push_line(&mut lines, &mut head, &KEY, "2026-01-01T00:00:00.000Z", body.as_bytes());
        }
        (lines.split(|&b| b == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect(), head)
    }

    #[test]
    fn a_line_reads_back_as_it_was_closed() {
        let (lines, head) = lines(3);
        let links: Vec<Link> = lines.iter().map(|line| Link::read(line).expect("ours")).collect();
        assert_eq!(links[2].head, head);
        assert_eq!(links[0].prev, "0".repeat(64));
        assert_eq!(links[2].prev, hex(&links[1].head.hash));
        assert!(links.iter().all(|link| link.is_sealed_with(&KEY) && !link.is_sealed_with(&[8; 32])));
        assert_eq!(unhex(&links[2].prev), Some(links[1].head.hash));
    }

    #[test]
    fn no_changed_byte_of_a_line_goes_unnoticed() {
        let (lines, _) = lines(1);
        for position in 0..lines[0].len() {
            for flip in [1, 32, 128] {
                let mut changed = lines[0].clone();
                changed[position] ^= flip;
                let good = Link::read(&changed).is_ok_and(|link| link.is_sealed_with(&KEY));
                assert!(!good, "byte {position}");
            }
        }
        for short in [&b""[..], b"{}", &lines[0][..150], &lines[0][1..]] {
            assert!(Link::read(short).is_err());
        }
    }
}
