//! TREC's files, which every evaluation tool reads: a run (what was found) and qrels (what is relevant).
//!
//! Both are lines of fields with a space between them: `query Q0 tool rank score tag` and `query 0 tool grade`.
//!
//! **Ids.** An id may hold white space (`1forge.com:GET /quotes`), a field may not. So `%`, every white-space and every
//! control character of an id is written as `%` and two hexadecimal digits for each of its UTF-8 bytes; the rest stands as
//! it is, in every script. Decoding percent-encoding gives the id back.
//!
//! **Scores.** trec_eval orders a run by score, not by rank, and breaks ties by the tool's id, last first. Our order breaks
//! ties otherwise, so a run carries the number of hits below a hit plus one: distinct, descending, and in our order for
//! every tool that reads it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::error::BenchError;
use crate::queries::JudgedQuery;
use crate::report::Ranking;

/// Writes a run. `tag` names the system; white space in it is encoded as in ids.
///
/// # Errors
/// [`BenchError::Io`] when the file cannot be written.
pub fn write_run(path: &Path, tag: &str, rankings: &[Ranking]) -> Result<(), BenchError> {
    let tag = field(tag);
    write(path, |out| {
        for ranking in rankings {
            let query = field(&ranking.query);
            for (place, tool) in ranking.tools.iter().enumerate() {
                let (rank, score) = (place + 1, ranking.tools.len() - place);
                writeln!(out, "{query} Q0 {} {rank} {score} {tag}", field(tool))?;
            }
        }
        Ok(())
    })
}

/// Writes the judgements of the queries.
///
/// # Errors
/// [`BenchError::Io`] when the file cannot be written.
pub fn write_qrels(path: &Path, queries: &[JudgedQuery]) -> Result<(), BenchError> {
    write(path, |out| {
        for query in queries {
            let id = field(&query.id);
            for (tool, grade) in &query.relevant {
                writeln!(out, "{id} 0 {} {grade}", field(tool))?;
            }
        }
        Ok(())
    })
}

/// An id as one field of a TREC file; see the module's page.
pub fn field(id: &str) -> String {
    let mut out = String::with_capacity(id.len());
    for c in id.chars() {
        if c == '%' || c.is_whitespace() || c.is_control() {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn write(path: &Path, lines: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), BenchError> {
    let write = || {
        let mut out = BufWriter::new(File::create(path)?);
        lines(&mut out)?;
        out.flush()
    };
    write().map_err(|error| BenchError::Io { action: "write", path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn an_id_becomes_one_field_and_can_be_read_back() {
        let check = |id: &str, expected: &str| assert_eq!(field(id), expected);
        check("1forge.com:GET /quotes", "1forge.com:GET%20/quotes");
        check("a\tb\nc", "a%09b%0Ac");
        check("100%", "100%25");
        check("100%25", "100%2525");
        check("погода:прогноз", "погода:прогноз");
        // No-break space is white space to Python's `split`, and so are the file separators.
        check("a\u{A0}b\u{1C}c", "a%C2%A0b%1Cc");
    }
}
