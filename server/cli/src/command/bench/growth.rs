//! `shortlist bench growth`.

use anyhow::{Context, Result};
use shortlist_benches::html;
use shortlist_benches::latency::Results;

use crate::args::GrowthArgs;

/// Draws what was measured at several sizes.
pub fn run(args: &GrowthArgs) -> Result<()> {
    let mut results = Results::default();
    args.results.iter().try_for_each(|path| results.read(path))?;
    let page = html::growth_page(&results);
    std::fs::write(&args.html, page).with_context(|| format!("cannot write {}", args.html.display()))
}
