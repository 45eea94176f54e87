//! [`JudgedQuery`]: a question and the tools that answer it, read from a file of one JSON object a line.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::path::Path;

use serde::Deserialize;
use shortlist_index::QUERY_CHARS_MAX;

use crate::bounded::{each_line, read_text};
use crate::error::BenchError;

/// The longest line, in bytes: a query of the longest kind with hundreds of relevant tools stays far below.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// The most queries of a file; the largest set known has 20,000.
const QUERIES_MAX: usize = 200_000;
/// The largest file of requests that no tool serves, in bytes.
const UNSERVED_BYTES_MAX: u64 = 16 << 20;
/// The highest grade; TREC's own scales end at 4.
const GRADE_MAX: u32 = 100;
/// The longest query id or name of a split, in characters.
const ID_CHARS_MAX: usize = 200;

/// A question and the tools that answer it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct JudgedQuery {
    /// Its name in the set, unique.
    pub id: String,
    /// The words.
    pub query: String,
    /// Judged tools by their id in the set, with their grade: 0 is judged and not relevant, higher is better. At least
    /// one is relevant, but in what is made to have no answer.
    pub relevant: BTreeMap<String, u32>,
    /// The part of the set that it belongs to, reported apart.
    pub split: Option<String>,
}

impl JudgedQuery {
    /// The grade of a tool; 0 where nobody judged it, as TREC's tools count it.
    pub fn grade(&self, tool: &str) -> u32 {
        self.relevant.get(tool).copied().unwrap_or(0)
    }
}

/// Reads the first `limit` queries, or all. Lines of white space only are passed over; keys that are not ours too, since
/// sets carry notes of their own.
pub(crate) fn read(path: &Path, limit: Option<usize>) -> Result<Vec<JudgedQuery>, BenchError> {
    let (mut queries, mut seen) = (Vec::new(), HashSet::new());
    let is_enough = |n_queries| limit.is_some_and(|limit| n_queries >= limit);
    let bad = |line, reason| BenchError::BadQuery { path: path.to_owned(), line, reason };
    let take = |line, bytes: &[u8]| {
        if bytes.trim_ascii().is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        let bad = |reason| bad(line, reason);
        let query: JudgedQuery = serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
        check(&query).map_err(bad)?;
        if !seen.insert(query.id.clone()) {
            return Err(bad(format!("an earlier line has the same id {:?}", query.id)));
        }
        if queries.len() == QUERIES_MAX {
            return Err(bad(format!("a set has at most {QUERIES_MAX} queries")));
        }
        queries.push(query);
        Ok(if is_enough(queries.len()) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    if !is_enough(0) {
        each_line(path, LINE_BYTES_MAX, bad, take)?;
    }
    if queries.is_empty() { Err(BenchError::NoQueries { path: path.to_owned() }) } else { Ok(queries) }
}

/// Reads requests that no tool serves, one a line; their part is the file's name.
pub(crate) fn read_unserved(path: &Path) -> Result<Vec<JudgedQuery>, BenchError> {
    let bad = |line, reason| BenchError::BadQuery { path: path.to_owned(), line, reason };
    let Some(text) = read_text(path, UNSERVED_BYTES_MAX)? else {
        return Err(bad(1, format!("the file has more than the {UNSERVED_BYTES_MAX} bytes allowed")));
    };
    if let Some(place) = text.lines().position(|line| line.trim().chars().count() > QUERY_CHARS_MAX) {
        return Err(bad(place + 1, format!("a request has at most {QUERY_CHARS_MAX} characters")));
    }
    let part = path.file_stem().map_or_else(|| "unserved".to_owned(), |name| name.to_string_lossy().into_owned());
    Ok(unserved(&text, &part).collect())
}

/// Requests that no tool serves, one a line, as queries without an answer. Empty lines are passed over.
pub(crate) fn unserved(text: &str, part: &str) -> impl Iterator<Item = JudgedQuery> {
    (1..).zip(text.lines().map(str::trim)).filter(|(_, line)| !line.is_empty()).map(move |(line, query)| JudgedQuery {
        id: format!("{part}-{line}"),
        query: query.to_owned(),
        relevant: BTreeMap::new(),
        split: Some(part.to_owned()),
    })
}

fn check(query: &JudgedQuery) -> Result<(), String> {
    for (what, text) in [("id", Some(&query.id)), ("split", query.split.as_ref())] {
        if text.is_some_and(|text| text.is_empty() || text.chars().count() > ID_CHARS_MAX) {
            return Err(format!("the {what} has 1 to {ID_CHARS_MAX} characters"));
        }
    }
    if query.query.trim().is_empty() {
        return Err("the query is empty".to_owned());
    }
    match query.query.chars().count() {
        chars if chars > QUERY_CHARS_MAX => {
            return Err(format!("the query has {chars} characters, more than the {QUERY_CHARS_MAX} allowed"));
        }
        _ => {}
    }
    if query.relevant.keys().any(String::is_empty) {
        return Err("a relevant tool has an empty id".to_owned());
    }
    if query.relevant.values().any(|&grade| grade > GRADE_MAX) {
        return Err(format!("a grade is 0 to {GRADE_MAX}"));
    }
    if query.relevant.values().all(|&grade| grade == 0) {
        return Err("no tool is relevant, so nothing could be found or missed".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_no_tool_serves_is_named_by_its_line() {
        let ids: Vec<String> = unserved("sing\n\n  hum \n", "no tool").map(|one| one.id + "|" + &one.query).collect();
        assert_eq!(ids, ["no tool-1|sing", "no tool-3|hum"]);
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), format!("\n\n{}", "a".repeat(QUERY_CHARS_MAX + 1))).expect("it is written");
        let error = read_unserved(file.path()).expect_err("it is too long");
        assert!(matches!(error, BenchError::BadQuery { line: 3, .. }), "{error}");
    }
}
