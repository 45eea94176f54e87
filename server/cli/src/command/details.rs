//! `shortlist details`.

use anyhow::{Context, Result, bail};
use shortlist_index::ToolRef;

use crate::args::DetailsArgs;
use crate::places::PlaceArgs;
use crate::print;

/// Shows one tool of the generation that serves.
pub fn run(places: &PlaceArgs, args: &DetailsArgs) -> Result<()> {
    let reference: ToolRef = args.reference.parse().with_context(|| format!("{:?}", args.reference))?;
    let snapshot = super::open(places)?;
    let allowed = snapshot.allow(&args.viewer.grant(&places.home())?);
    match snapshot.get(&allowed, &reference) {
        Some(tool) if args.json => print::json(&print::tool_value(&tool)),
        Some(tool) => Ok(print::tool(&tool)?),
        None => bail!("there is no tool {reference}; `shortlist search` finds refs"),
    }
}
