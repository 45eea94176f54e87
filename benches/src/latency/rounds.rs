//! [`measure`]: bench.py's rounds. Every cell is measured once in each, so that what drifts hits all alike.

use std::time::Instant;

use super::cell::Cell;
use super::clock::{Times, timed};
use super::quality::{Checked, Quality};
use super::task::{Task, Variant, request};
use super::workload::{Query, Workload};
use super::{Engine, Options};
use crate::error::BenchError;

/// Queries that are asked before any is timed.
const N_WARM: usize = 8;

/// The searches of one task at one share, as the rivals do them or as callers usually ask.
struct Series {
    task: Task,
    share: f64,
    usual: bool,
    rounds: Vec<Vec<Times>>,
    /// Of the first round.
    quality: Quality,
}

pub(super) fn measure(workload: &Workload, engine: &Engine, options: &Options) -> Result<Vec<Cell>, BenchError> {
    let shares = if options.shares.is_empty() { workload.shares() } else { options.shares.clone() };
    let mut series: Vec<Series> = Vec::new();
    for &task in &options.tasks {
        for &share in &shares {
            let one = |usual| Series { task, share, usual, rounds: Vec::new(), quality: Quality::default() };
            series.extend([false, true].map(one));
        }
    }
    for round in 0..options.rounds {
        for one in &mut series {
            let (times, quality) = ask(workload, engine, one, options)?;
            one.rounds.push(times);
            if round == 0 {
                one.quality = quality;
            }
        }
    }
    let cells = series.iter().flat_map(|one| {
        Variant::ALL.into_iter().filter(|&variant| (variant == Variant::Usual) == one.usual).filter_map(|variant| {
            Cell::of(workload.n_docs(), (one.task, one.share, variant), &one.rounds, &one.quality)
        })
    });
    Ok(cells.collect())
}

/// One round of a series.
fn ask(
    workload: &Workload,
    engine: &Engine,
    series: &Series,
    options: &Options,
) -> Result<(Vec<Times>, Quality), BenchError> {
    let queries = || workload.queries.iter().filter(|query| query.share == series.share).take(options.queries);
    let began = Instant::now();
    for query in queries().take(N_WARM) {
        if began.elapsed() > options.cell / 4 {
            break;
        }
        search(engine, series.task, series.usual, query)?;
    }
    let (mut times, mut checked) = (Vec::new(), Checked::new(engine.is_given));
    let began = Instant::now();
    for query in queries() {
        let (took, found) = search(engine, series.task, series.usual, query)?;
        times.push(took);
        checked.add(workload, series.task, query, &found);
        if began.elapsed() > options.cell {
            break;
        }
    }
    Ok((times, checked.quality()))
}

/// One search, timed, and the documents that it found.
pub(super) fn search(
    engine: &Engine,
    task: Task,
    usual: bool,
    query: &Query,
) -> Result<(Times, Vec<usize>), BenchError> {
    let Engine { snapshot, models, allowed, .. } = engine;
    let (times, answer) = timed(snapshot, models, &allowed[query.user], task, &request(task, usual, &query.text))?;
    // Every document was given its number as the id that its source knows it by.
    let found = answer.hits.iter().filter_map(|hit| hit.tool.provenance.foreign_id.parse().ok());
    Ok((times, found.collect()))
}
