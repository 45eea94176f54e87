//! `shortlist why-not`.

use anyhow::Result;
use shortlist_index::{Filter, Mode, Models, SearchRequest};
use shortlist_server::explain;

use crate::args::WhyNotArgs;
use crate::models::Sessions;
use crate::places::PlaceArgs;
use crate::{models, print};

/// Says why a tool is not in an answer of the generation that serves.
pub fn run(places: &PlaceArgs, args: &WhyNotArgs) -> Result<()> {
    let snapshot = super::open(places)?;
    let viewer = args.viewer.viewer(&places.home())?;
    let models =
        if args.mode == Mode::Lexical { Models::default() } else { models::load(places, false, Sessions::One)?.0 };
    let request = SearchRequest {
        limit: args.limit,
        mode: args.mode,
        filter: Filter {
            namespaces: args.namespace.clone(),
            tags: args.tag.clone(),
            include_deprecated: args.include_deprecated,
            ..Filter::default()
        },
        ..SearchRequest::new(args.query.as_str())
    };
    let viewer = viewer.as_ref().map(|(policy, principal)| (policy, principal));
    let statuses = super::statuses(places);
    let explained = explain(&snapshot, &models, viewer, &statuses, super::unix_s(), &request, &args.reference)?;
    if args.json {
        return print::json(&explained);
    }
    let asked = explained.why.reference.as_deref().unwrap_or(&args.reference);
    Ok(print::line(format!("{asked}: {}", explained.explanation))?)
}
