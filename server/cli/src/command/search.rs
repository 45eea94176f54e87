//! `shortlist search`.

use anyhow::Result;
use shortlist_index::{Grant, Mode, Models, SearchRequest, search};

use crate::args::SearchArgs;
use crate::models::Sessions;
use crate::places::PlaceArgs;
use crate::{models, print};

/// Searches the generation that serves.
pub fn run(places: &PlaceArgs, args: &SearchArgs) -> Result<()> {
    let snapshot = super::open(places)?;
    let needs_no_model = args.asked.mode == Mode::Lexical && !args.rerank;
    let models = if needs_no_model { Models::default() } else { models::load(places, args.rerank, Sessions::One)?.0 };
    let viewer = args.viewer.viewer(&places.home())?;
    let viewer = viewer.as_ref();
    let grant = viewer.map_or_else(Grant::everything, |(policy, principal)| policy.grant(principal));
    let exact = viewer.is_some_and(|(policy, principal)| policy.is_exact(principal));
    let request = args.asked.request(&args.query);
    let request = SearchRequest { rerank: args.rerank, explain: args.explain, exact, ..request };
    let answer = search(&snapshot, &models, &snapshot.allow(&grant), &request)?;
    if args.json { print::json(&print::answer_value(&snapshot, &answer)) } else { Ok(print::hits(&answer)?) }
}
