//! [`measure`]: what it costs to record every decision before its answer leaves.
//!
//! Three servers hold the same catalog: one records nothing, one flushes each record to the system, one waits for the disk.
//! They are asked the same questions in turn, one at a time, through their routers in this process: no network, so that the
//! share of the audit is at its largest; and nobody beside, so that no two records share a write.

use std::path::Path;

use serde::Serialize;
use shortlist_server::Secret;
use shortlist_server::audit::{Audit, AuditConfig, Durability};

use crate::error::BenchError;
use crate::server::{Asker, ONE, SECRET, catalog, failed, medians, questions};

/// What recording costs, question by question.
#[derive(Clone, Debug, Serialize)]
pub struct AuditReport {
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
    /// Without an audit log, in microseconds.
    pub off_us: f64,
    /// With `durability = "flush"`.
    pub flush_us: f64,
    /// With `durability = "fsync"`.
    pub fsync_us: f64,
}

/// Asks each question `n_answers` times of each server, over a catalog of `n_tools` made up by a fixed seed in the empty
/// folder `home`, on whose disk the logs are. Vectors are made by hashing words.
///
/// # Errors
/// [`BenchError`] when the catalog cannot be published, a log cannot be begun, a request fails, or a decision was not recorded.
pub fn measure(home: &Path, n_tools: usize, n_answers: usize) -> Result<AuditReport, BenchError> {
    let server = |name: &str, durability: Option<Durability>| {
        let home = home.join(name);
        let begin = |durability| {
            let config = AuditConfig { durability, ..AuditConfig::new(home.join("audit")) };
            Audit::start(config, &Secret::new(SECRET).map_err(failed)?).map_err(failed)
        };
        let audit = durability.map(begin).transpose()?;
        Asker::new(&home, catalog(n_tools, &ONE)?, |config| config.audit = audit)
    };
    let servers =
        [server("off", None)?, server("flush", Some(Durability::Flush))?, server("fsync", Some(Durability::Fsync))?];
    let costs = questions().map(|(name, asked)| {
        let [off_us, flush_us, fsync_us] = medians(&servers, &asked, n_answers)?;
        Ok(Costs { name, off_us, flush_us, fsync_us })
    });
    let questions = costs.into_iter().collect::<Result<_, BenchError>>()?;
    Ok(AuditReport { n_tools, n_answers, questions })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::N_WARM;

    #[test]
    fn every_question_is_answered_and_recorded() {
        let home = tempfile::tempdir().expect("a folder");
        let report = measure(home.path(), 300, 3).expect("it measures");
        assert_eq!(report.questions.len(), 2);
        for (log, n) in [("off", None), ("flush", Some(2 * (N_WARM + 3))), ("fsync", Some(2 * (N_WARM + 3)))] {
            let folder = home.path().join(log).join("audit");
            let lines = || shortlist_server::audit::Backward::new(&folder, None).expect("a log").map_while(Result::ok);
            let n_decisions = folder.exists().then(|| {
                lines().filter(|line| String::from_utf8_lossy(line).contains("\"kind\":\"decision\"")).count()
            });
            assert_eq!(n_decisions, n, "{log}");
        }
    }
}
