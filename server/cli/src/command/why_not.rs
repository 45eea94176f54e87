//! `shortlist why-not`.

use anyhow::Result;
use shortlist_index::{Mode, Models};
use shortlist_server::explain;

use crate::args::WhyNotArgs;
use crate::models::Sessions;
use crate::places::PlaceArgs;
use crate::{models, print};

/// Says why a tool is not in an answer of the generation that serves.
pub fn run(places: &PlaceArgs, args: &WhyNotArgs) -> Result<()> {
    let snapshot = super::open(places)?;
    let viewer = args.viewer.viewer(&places.home())?;
    let models = if args.asked.mode == Mode::Lexical {
        Models::default()
    } else {
        models::load(places, false, Sessions::One)?.0
    };
    let request = args.asked.request(&args.query);
    let viewer = viewer.as_ref().map(|(policy, principal)| (policy, principal));
    let statuses = super::statuses(places);
    let explained = explain(&snapshot, &models, viewer, &statuses, super::unix_s(), &request, &args.reference)?;
    if args.json {
        return print::json(&explained);
    }
    let asked = explained.why.reference.as_deref().unwrap_or(&args.reference);
    Ok(print::line(format!("{asked}: {}", explained.explanation))?)
}
