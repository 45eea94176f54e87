//! `shortlist bench latency`.

use anyhow::{Context, Result};
use shortlist_benches::latency::{self, Options, Results, Task};

use super::workload::Prepared;
use crate::args::LatencyArgs;
use crate::places::PlaceArgs;
use crate::print;

/// Builds a generation of the workload where there is none yet, and measures it.
pub fn run(places: &PlaceArgs, args: &LatencyArgs) -> Result<()> {
    let mut rivals = Results::default();
    args.rivals.iter().try_for_each(|path| rivals.read(path))?;
    let prepared = Prepared::new(places, &args.workload)?;
    if !prepared.is_built()? {
        return Ok(());
    }
    let options = Options {
        rounds: args.rounds as usize,
        queries: args.queries as usize,
        cell: args.cell,
        throughput: args.throughput,
        tasks: if args.task.is_empty() { Task::ALL.to_vec() } else { args.task.clone() },
        shares: args.grant.clone(),
    };
    let report = latency::measure(&prepared.workload, prepared.home(), prepared.embedder.clone(), &options)?;
    print::line(latency::print(&report, &rivals).trim_end())?;
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
