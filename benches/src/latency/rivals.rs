//! [`Rivals`]: what bench.py measured of other systems.

use std::path::Path;

use serde::Deserialize;

use super::task::Task;
use crate::bounded::read_text;
use crate::error::BenchError;

/// The largest file of results, in bytes: all systems at all sizes have about 2 MB.
const BYTES_MAX: u64 = 64 << 20;

/// Cells of other systems, from as many files as were read.
#[derive(Clone, Debug, Default)]
pub struct Rivals {
    cells: Vec<RivalCell>,
}

/// A file that bench.py wrote; what is not needed is passed over.
#[derive(Deserialize)]
struct File {
    cells: Vec<RivalCell>,
}

/// One cell of another system. Cells that could not be measured have no times.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct RivalCell {
    n: usize,
    pub(super) system: String,
    task: Task,
    sel: f64,
    pub(super) p50_ms: Option<f64>,
    pub(super) p99_best_ms: Option<f64>,
}

/// A figure of a cell; smaller is better.
pub(super) type Figure = fn(&RivalCell) -> Option<f64>;

impl Rivals {
    /// Takes the cells of one more file, but for our own.
    ///
    /// # Errors
    /// [`BenchError`] when it cannot be read or bench.py did not write it.
    pub fn read(&mut self, path: &Path) -> Result<(), BenchError> {
        let bad = |reason| BenchError::Workload { path: path.to_owned(), reason };
        let text = read_text(path, BYTES_MAX)?.ok_or_else(|| bad(format!("it has more than {BYTES_MAX} bytes")))?;
        let file: File = serde_json::from_str(&text)
            .map_err(|error| bad(format!("it is no file of results that bench.py wrote: {error}")))?;
        self.cells.extend(file.cells.into_iter().filter(|cell| cell.system != super::SYSTEM));
        Ok(())
    }

    /// The smallest value of a figure in the cell, with the system that has it.
    pub(super) fn best(&self, n: usize, task: Task, sel: f64, figure: Figure) -> Option<(&str, f64)> {
        let same = self.cells.iter().filter(|cell| (cell.n, cell.task, cell.sel) == (n, task, sel));
        let values = same.filter_map(|cell| Some((cell.system.as_str(), figure(cell)?)));
        values.min_by(|(_, a), (_, b)| a.total_cmp(b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_of_each_figure_is_found_and_we_are_none_of_them() {
        let cell = |system: &str, sel: f64, p50: Option<f64>, p99: f64| {
            serde_json::json!({ "n": 5000, "system": system, "variant": "default", "task": "vec", "sel": sel, "skip": "no",
                "p50_ms": p50, "p99_ms": p99, "p99_best_ms": p99 })
        };
        let cells = [
            cell("one", 0.1, Some(0.5), 3.0),
            cell("two", 0.1, Some(0.7), 2.0),
            cell("shortlist", 0.1, Some(0.1), 0.1),
            cell("two", 1.0, Some(0.2), 0.2),
            cell("three", 0.1, None, 9.0),
        ];
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), serde_json::json!({ "args": {}, "cells": cells }).to_string()).expect("written");
        let mut rivals = Rivals::default();
        rivals.read(file.path()).expect("bench.py's");
        assert_eq!(rivals.best(5000, Task::Vec, 0.1, |cell| cell.p50_ms), Some(("one", 0.5)));
        assert_eq!(rivals.best(5000, Task::Vec, 0.1, |cell| cell.p99_best_ms), Some(("two", 2.0)));
        assert_eq!(rivals.best(5000, Task::Fts, 0.1, |cell| cell.p50_ms), None);
        assert_eq!(rivals.best(50_000, Task::Vec, 0.1, |cell| cell.p50_ms), None);
        std::fs::write(file.path(), "[]").expect("written");
        assert!(rivals.read(file.path()).expect_err("no results").to_string().contains("bench.py"));
    }
}
