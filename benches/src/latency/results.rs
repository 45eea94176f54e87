//! [`Results`]: files in bench.py's shape, its own and ours.

use std::path::Path;

use serde::Deserialize;

use super::task::Task;
use crate::bounded::read_text;
use crate::error::BenchError;

/// The largest file of results, in bytes: all systems at all sizes have about 2 MB.
const BYTES_MAX: u64 = 64 << 20;

/// What was measured, from as many files as were read.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Results {
    builds: Vec<Built>,
    cells: Vec<Measured>,
}

/// One cell of a system. Cells that could not be measured have no times.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Measured {
    pub(crate) n: usize,
    system: String,
    variant: String,
    pub(crate) task: Task,
    pub(crate) sel: f64,
    pub(crate) p50_best_ms: Option<f64>,
    pub(crate) p99_best_ms: Option<f64>,
}

/// What a system holds. One that could not be built holds nothing.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Built {
    pub(crate) n: usize,
    pub(crate) system: String,
    /// Anonymous and shared memory.
    pub(crate) steady_mb: Option<f64>,
    /// All that is resident; bench.py does not look at it.
    pub(crate) resident_mb: Option<f64>,
}

/// A figure of a cell; smaller is better.
pub(super) type Figure = fn(&Measured) -> Option<f64>;

impl Results {
    /// Takes in one more file.
    ///
    /// # Errors
    /// [`BenchError`] when it cannot be read or bench.py did not write it.
    pub fn read(&mut self, path: &Path) -> Result<(), BenchError> {
        let bad = |reason| BenchError::Workload { path: path.to_owned(), reason };
        let text = read_text(path, BYTES_MAX)?.ok_or_else(|| bad(format!("it has more than {BYTES_MAX} bytes")))?;
        let file: Self = serde_json::from_str(&text)
            .map_err(|error| bad(format!("it is no file of results that bench.py wrote: {error}")))?;
        self.builds.extend(file.builds);
        self.cells.extend(file.cells);
        Ok(())
    }

    /// The smallest value of a figure that another system has in the cell, with its name.
    pub(super) fn best(&self, n: usize, task: Task, sel: f64, figure: Figure) -> Option<(&str, f64)> {
        let others = self.cells.iter().filter(|cell| cell.system != super::SYSTEM);
        let same = others.filter(|cell| (cell.n, cell.task, cell.sel) == (n, task, sel));
        let values = same.filter_map(|cell| Some((cell.system.as_str(), figure(cell)?)));
        values.min_by(|(_, a), (_, b)| a.total_cmp(b))
    }

    pub(crate) fn cells(&self) -> &[Measured] {
        &self.cells
    }

    pub(crate) fn builds(&self) -> &[Built] {
        &self.builds
    }
}

impl Measured {
    /// The system, and the variant where it has several: as report.py calls it.
    pub(crate) fn name(&self) -> String {
        if self.variant == "default" { self.system.clone() } else { format!("{}:{}", self.system, self.variant) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_of_each_figure_is_found_and_we_are_none_of_them() {
        let cell = |system: &str, sel: f64, p50: Option<f64>, p99: f64| {
            serde_json::json!({ "n": 5000, "system": system, "variant": "default", "task": "vec", "sel": sel, "skip": "no",
                "p50_ms": 0.0, "p50_best_ms": p50, "p99_best_ms": p99 })
        };
        let cells = [
            cell("one", 0.1, Some(0.5), 3.0),
            cell("two", 0.1, Some(0.7), 2.0),
            cell("shortlist", 0.1, Some(0.1), 0.1),
            cell("two", 1.0, Some(0.2), 0.2),
            cell("three", 0.1, None, 9.0),
        ];
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(
            file.path(),
            serde_json::json!({ "args": {}, "builds": [{ "n": 5000, "system": "two" }], "cells": cells }).to_string(),
        )
        .expect("written");
        let mut results = Results::default();
        results.read(file.path()).expect("bench.py's");
        assert_eq!(results.best(5000, Task::Vec, 0.1, |cell| cell.p50_best_ms), Some(("one", 0.5)));
        assert_eq!(results.best(5000, Task::Vec, 0.1, |cell| cell.p99_best_ms), Some(("two", 2.0)));
        assert_eq!(results.best(5000, Task::Fts, 0.1, |cell| cell.p50_best_ms), None);
        assert_eq!(results.best(50_000, Task::Vec, 0.1, |cell| cell.p50_best_ms), None);
        std::fs::write(file.path(), "[]").expect("written");
        assert!(results.read(file.path()).expect_err("no results").to_string().contains("bench.py"));
    }
}
