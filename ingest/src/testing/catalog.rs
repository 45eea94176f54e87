//! Any catalog in the common JSONL format, told in an Automation Hub's words.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use serde_json::{Map, Value, json};
use thiserror::Error;

/// Why a file could not be offered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// It could not be read.
    #[error("{path} cannot be read: {error}; give a tools.jsonl or tools.jsonl.gz", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// A line is no JSON.
    #[error("{path}, line {line}, is not JSON: {error}", path = path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What the parser said.
        #[source]
        error: serde_json::Error,
    },
}

/// Reads the tools of a JSONL file, plain or gzipped, as actions; at most `limit`.
///
/// # Errors
/// [`CatalogError`] when the file cannot be read or a line is not JSON.
pub fn actions_of_jsonl(path: &Path, limit: usize) -> Result<Vec<Value>, CatalogError> {
    let io = |error| CatalogError::Io { path: path.to_owned(), error };
    let mut file = BufReader::new(File::open(path).map_err(io)?);
    let zipped = file.fill_buf().map_err(io)?.starts_with(&[0x1f, 0x8b]);
    let reader: Box<dyn BufRead> =
        if zipped { Box::new(BufReader::new(MultiGzDecoder::new(file))) } else { Box::new(file) };
    let mut actions = Vec::new();
    for (index, line) in reader.lines().enumerate().take(limit) {
        let line = line.map_err(io)?;
        let tool = serde_json::from_str(&line).map_err(|error| CatalogError::Json {
            path: path.to_owned(),
            line: index + 1,
            error,
        })?;
        actions.push(action(&tool));
    }
    Ok(actions)
}

/// A tool of the common format as an action. The format has no versions, so everything is 1.0.0.
fn action(tool: &Value) -> Value {
    let text = |key: &str| tool.get(key).and_then(Value::as_str).unwrap_or_default();
    let namespace = text("namespace");
    let rest = text("id").strip_prefix(namespace).and_then(|rest| rest.strip_prefix(':')).unwrap_or(text("id"));
    let mut action = Map::from_iter([("id".to_owned(), json!(format!("{namespace}:{rest}@1.0.0")))]);
    for (ours, theirs) in [
        ("title", "title"),
        ("description", "description"),
        ("input_schema", "inputSchema"),
        ("output_schema", "outputSchema"),
        ("tags", "tags"),
    ] {
        if let Some(value) = tool.get(ours) {
            action.insert(theirs.to_owned(), value.clone());
        }
    }
    Value::Object(action)
}
