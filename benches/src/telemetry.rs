//! [`measure`]: what it costs to measure every request for a metrics page.
//!
//! Three servers hold the same catalog: nobody reads the first and the last, and what the one between measures can be read. The
//! two that nobody reads show what the method makes of no difference. They are asked the same questions in turn, one at a time,
//! through their routers in this process, and vectors are made by hashing words: without a network and without a model an
//! answer is as short as it gets, and the share of the measuring as large.

use std::path::Path;

use serde::Serialize;
use shortlist_server::telemetry::{Telemetry, TelemetryConfig};

use crate::error::BenchError;
use crate::server::{Asker, N_WARM, ONE, catalog, failed, medians, questions};

/// What measuring costs, question by question.
#[derive(Clone, Debug, Serialize)]
pub struct TelemetryReport {
    /// Tools in the catalog.
    pub n_tools: usize,
    /// Answers to each question from each server.
    pub n_answers: usize,
    /// One line a question.
    pub questions: Vec<Costs>,
}

/// One question's median times.
#[derive(Clone, Debug, Serialize)]
pub struct Costs {
    /// What was asked.
    pub name: &'static str,
    /// Where nobody reads, in microseconds.
    pub off_us: f64,
    /// Where every request is measured.
    pub measured_us: f64,
    /// Where nobody reads, once more.
    pub off_again_us: f64,
}

/// Asks each question `n_answers` times of each server, over a catalog of `n_tools` made up by a fixed seed in the empty
/// folder `home`.
///
/// # Errors
/// [`BenchError`] when the catalog cannot be published, a request fails, or the metrics page does not count them all.
pub fn measure(home: &Path, n_tools: usize, n_answers: usize) -> Result<TelemetryReport, BenchError> {
    let read = Telemetry::start(&TelemetryConfig { page: true, ..TelemetryConfig::default() }).map_err(failed)?;
    let server = |name: &str, telemetry: Telemetry| {
        Asker::new(&home.join(name), catalog(n_tools, &ONE)?, |config| config.telemetry = telemetry)
    };
    let servers =
        [server("off", Telemetry::none())?, server("measured", read.clone())?, server("off-again", Telemetry::none())?];
    let costs = questions().map(|(name, asked)| {
        let [off_us, measured_us, off_again_us] = medians(&servers, &asked, n_answers)?;
        Ok(Costs { name, off_us, measured_us, off_again_us })
    });
    let questions = costs.into_iter().collect::<Result<Vec<_>, BenchError>>()?;
    let (n_counted, n_asked) = (counted(&read), questions.len() * (N_WARM + n_answers));
    if n_counted != n_asked {
        return Err(BenchError::Timing(format!("the metrics page counts {n_counted} of {n_asked} requests")));
    }
    Ok(TelemetryReport { n_tools, n_answers, questions })
}

/// The requests that the page counts.
fn counted(telemetry: &Telemetry) -> usize {
    let page = telemetry.page().unwrap_or_default();
    let values = page.lines().filter_map(|line| line.strip_prefix("shortlist_requests_total{")?.rsplit_once(' '));
    values.filter_map(|(_, value)| value.parse::<usize>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_is_answered_and_measured() {
        let home = tempfile::tempdir().expect("a folder");
        let report = measure(home.path(), 300, 3).expect("it measures");
        assert_eq!(report.questions.len(), 2);
    }
}
