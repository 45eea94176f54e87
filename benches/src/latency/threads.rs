//! [`Throughput`]: threads that ask one after the other without a pause.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::task::{Task, Variant};
use super::workload::{Query, Workload};
use super::{Engine, SYSTEM, cell::rounded, rounds::search};
use crate::error::BenchError;

/// Queries that the threads take turns at.
const N_QUERIES: usize = 200;

/// Searches a second, under bench.py's names.
#[derive(Clone, Debug, Serialize)]
pub struct Throughput {
    /// Documents.
    pub n: usize,
    /// `shortlist`.
    pub system: &'static str,
    /// What is asked for.
    pub task: Task,
    /// Every search is whole: its tools are read too.
    pub variant: Variant,
    /// The share of the documents that a user may see.
    pub sel: f64,
    /// Threads.
    pub clients: usize,
    /// Searches a second, of all threads together.
    pub qps: f64,
}

pub(super) fn measure(
    workload: &Workload,
    engine: &Engine,
    task: Task,
    share: f64,
    n_threads: usize,
    duration: Duration,
) -> Result<Throughput, BenchError> {
    let queries: Vec<&Query> = workload.queries.iter().filter(|query| query.share == share).take(N_QUERIES).collect();
    let began = Instant::now();
    let ask = |thread: usize| -> Result<usize, BenchError> {
        let mut n_asked = 0;
        for query in queries.iter().cycle().skip(thread).step_by(n_threads) {
            if began.elapsed() >= duration {
                break;
            }
            search(engine, task, false, query)?;
            n_asked += 1;
        }
        Ok(n_asked)
    };
    let counts: Vec<Result<usize, BenchError>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads).map(|thread| scope.spawn(move || ask(thread))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let mut n_asked = 0;
    for count in counts {
        n_asked += count?;
    }
    let qps = rounded(n_asked as f64 / began.elapsed().as_secs_f64());
    Ok(Throughput {
        n: workload.n_docs(),
        system: SYSTEM,
        task,
        variant: Variant::Tools,
        sel: share,
        clients: n_threads,
        qps,
    })
}
