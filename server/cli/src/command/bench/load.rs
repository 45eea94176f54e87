//! `shortlist bench load`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use shortlist_benches::html;
use shortlist_benches::load::{self, Options};

use super::workload::Prepared;
use crate::args::LoadArgs;
use crate::places::PlaceArgs;
use crate::print;

/// Builds a generation of the workload where there is none yet, serves it, and asks it.
pub fn run(places: &PlaceArgs, args: &LoadArgs) -> Result<()> {
    let prepared = Prepared::new(places, &args.workload)?;
    ensure!(
        !args.fresh || prepared.embedder.is_some(),
        "vectors are given for the workload's own texts alone: --fresh needs --encode, or a catalog"
    );
    if !prepared.is_built()? {
        return Ok(());
    }
    let options = Options {
        clients: args.clients(),
        rates: args.rate.clone(),
        connections: args.connections as usize,
        warm_up: args.warm_up,
        time: args.time,
        fresh: args.fresh,
    };
    let report = load::measure(&prepared.workload, prepared.home(), prepared.embedder.clone(), &options)?;
    print::line(load::print(&report).trim_end())?;
    let write = |path: &Path, text: &str| {
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    if let Some(path) = &args.json {
        write(path, &serde_json::to_string_pretty(&report)?)?;
    }
    if let Some(path) = &args.html {
        write(path, &html::load_page(&report))?;
    }
    Ok(())
}
