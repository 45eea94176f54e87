//! [`Evaluation`]: the reports of one run over several sets, as it is saved.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::differences::{self, Row};
use crate::error::BenchError;
use crate::report::Report;

/// The largest saved run that is read, in bytes; ten settings of eight sets are 2 MB.
const BYTES_MAX: u64 = 256 << 20;

/// What was measured in one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Evaluation {
    /// One for each set, and one more where it was pooled.
    pub sets: Vec<Report>,
    /// What the parts of the search are worth on each.
    pub differences: Vec<Row>,
}

impl Evaluation {
    /// Of these reports. Costs a bootstrap for each pair of settings and each split.
    pub fn new(sets: Vec<Report>) -> Self {
        Self { differences: sets.iter().flat_map(differences::within).collect(), sets }
    }

    /// Reads what was saved as JSON.
    ///
    /// # Errors
    /// [`BenchError::Io`] where the file cannot be read, [`BenchError::Saved`] where it is no saved run.
    pub fn read(path: &Path) -> Result<Self, BenchError> {
        let io_error = |error| BenchError::Io { action: "read", path: path.to_owned(), error };
        let bad = |reason| BenchError::Saved { path: path.to_owned(), reason };
        let mut bytes = Vec::new();
        File::open(path).map_err(io_error)?.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io_error)?;
        if bytes.len() as u64 > BYTES_MAX {
            return Err(bad(format!("it has more than the {BYTES_MAX} bytes allowed")));
        }
        let saved: Self = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
        for report in &saved.sets {
            if report.runs.iter().any(|run| run.ndcg_at_10_by_query.len() != report.queries.len()) {
                return Err(bad(format!("a run of {} has not one figure for each query", report.dataset.label())));
            }
        }
        Ok(saved)
    }
}
