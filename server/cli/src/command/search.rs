//! `shortlist search`.

use anyhow::Result;
use shortlist_index::{Filter, Mode, Models, SearchRequest, search};

use crate::args::SearchArgs;
use crate::models::Sessions;
use crate::places::PlaceArgs;
use crate::{models, print};

/// Searches the generation that serves.
pub fn run(places: &PlaceArgs, args: &SearchArgs) -> Result<()> {
    let snapshot = super::open(places)?;
    let needs_no_model = args.mode == Mode::Lexical && !args.rerank;
    let models = if needs_no_model { Models::default() } else { models::load(places, args.rerank, Sessions::One)?.0 };
    let allowed = snapshot.allow(&args.viewer.grant(&places.home())?);
    let request = SearchRequest {
        limit: args.limit,
        mode: args.mode,
        rerank: args.rerank,
        explain: args.explain,
        filter: Filter {
            namespaces: args.namespace.clone(),
            tags: args.tag.clone(),
            include_deprecated: args.include_deprecated,
            ..Filter::default()
        },
        ..SearchRequest::new(args.query.as_str())
    };
    let answer = search(&snapshot, &models, &allowed, &request)?;
    if args.json { print::json(&print::answer_value(&snapshot, &answer)) } else { Ok(print::hits(&answer)?) }
}
