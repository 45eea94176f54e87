//! `shortlist quarantine`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use serde_json::json;
use shortlist_index::{Decisions, Pending, PendingText, Snapshot, Store, Suspicion, ToolRef};

use crate::args::{QuarantineAction, QuarantineArgs};
use crate::places::PlaceArgs;
use crate::print;

/// Lists, shows or decides.
pub fn run(places: &PlaceArgs, args: &QuarantineArgs) -> Result<()> {
    let snapshot = super::open(places)?;
    let store = Store::new(&places.home());
    match &args.action {
        None | Some(QuarantineAction::List) => list(&snapshot, &store.decisions()?, args.json),
        Some(QuarantineAction::Suspects) => suspects(&snapshot, args.json),
        Some(QuarantineAction::Show { reference }) => show(&snapshot, reference, args.json),
        Some(QuarantineAction::Approve { refs, all }) => decide(&store, &snapshot, refs, all.as_deref(), true),
        Some(QuarantineAction::Reject { refs }) => decide(&store, &snapshot, refs, None, false),
    }
}

fn pending(snapshot: &Snapshot) -> impl Iterator<Item = (&String, &Pending)> {
    let sources = snapshot.manifest().sources.iter();
    sources.flat_map(|(name, report)| report.pending.iter().map(move |pending| (name, pending)))
}

fn list(snapshot: &Snapshot, decisions: &Decisions, as_json: bool) -> Result<()> {
    if as_json {
        return print::json(&pending(snapshot).map(|(_, pending)| pending).collect::<Vec<_>>());
    }
    for (_, pending) in pending(snapshot) {
        let what = if pending.is_new { "new    " } else { "changed" };
        let is = |map: &BTreeMap<String, String>| map.get(&pending.reference) == Some(&pending.text_hash);
        let decided = match (is(&decisions.approved), is(&decisions.refused)) {
            (true, _) => "  (approved; the next sync takes it)",
            (_, true) => "  (rejected; the next sync drops it)",
            _ => "",
        };
        let suspicion = pending.text.as_ref().and_then(PendingText::suspicion);
        let suspected = suspicion.map_or_else(String::new, |why| format!("  (its text {why})"));
        print::line(format!("{what}  {}{suspected}{decided}", pending.reference))?;
    }
    Ok(())
}

fn suspects(snapshot: &Snapshot, as_json: bool) -> Result<()> {
    if as_json {
        let suspected = snapshot.suspected();
        let of = |(reference, why): (ToolRef, Suspicion)| json!({ "ref": reference.to_string(), "suspicion": why });
        return print::json(&suspected.map(of).collect::<Vec<_>>());
    }
    snapshot.suspected().try_for_each(|(reference, why)| Ok(print::line(format!("{reference}: its text {why}"))?))
}

fn show(snapshot: &Snapshot, reference: &str, as_json: bool) -> Result<()> {
    let Some((_, pending)) = pending(snapshot).find(|(_, pending)| pending.reference == reference) else {
        bail!("nothing of {reference} waits; `shortlist quarantine` lists what does");
    };
    let served = reference.parse::<ToolRef>().ok().and_then(|reference| snapshot.tool_of(&reference));
    let served = served.filter(|_| !pending.is_new).map(|tool| PendingText::of(&tool));
    if as_json {
        return print::json(&json!({ "pending": pending, "served": served }));
    }
    if let Some(served) = &served {
        print::line("served now:")?;
        text(served)?;
        print::line("")?;
    }
    print::line("waiting:")?;
    match &pending.text {
        Some(waiting) => {
            if let Some(why) = waiting.suspicion() {
                print::line(format!("  (its text {why})"))?;
            }
            text(waiting)
        }
        None => Ok(print::line("  (too many texts wait to keep this one; decide about others and sync)")?),
    }
}

fn text(text: &PendingText) -> Result<()> {
    let PendingText { name, title, description, input_schema, output_schema, deprecation } = text;
    let schema = |schema: &Option<String>| schema.as_deref().map(print::escaped);
    for (what, part) in [
        ("name", Some(print::on_one_line(name))),
        ("title", title.as_deref().map(print::on_one_line)),
        ("description", Some(description.clone())),
        ("takes", schema(input_schema)),
        ("gives", schema(output_schema)),
        ("deprecated", deprecation.clone()),
    ] {
        if let Some(part) = part {
            // Further in than any name of a part, so that no text looks like the next one.
            print::line(format!("  {what}: {}", part.replace('\n', "\n      ")))?;
        }
    }
    Ok(())
}

fn decide(store: &Store, snapshot: &Snapshot, refs: &[String], all: Option<&str>, approve: bool) -> Result<()> {
    let wanted: BTreeSet<&str> = refs.iter().map(String::as_str).collect();
    let chosen: Vec<&Pending> = pending(snapshot)
        .filter(|(source, pending)| all == Some(source.as_str()) || wanted.contains(pending.reference.as_str()))
        .map(|(_, pending)| pending)
        .collect();
    if let Some(unknown) = wanted.iter().find(|&&wanted| !chosen.iter().any(|pending| pending.reference == wanted)) {
        bail!("nothing of {unknown} waits; `shortlist quarantine` lists what does");
    }
    if chosen.is_empty() {
        bail!("nothing waits there; `shortlist quarantine` lists what does");
    }
    let lock = store.lock()?;
    let mut decisions = store.decisions()?;
    for pending in &chosen {
        let (to, from) = match approve {
            true => (&mut decisions.approved, &mut decisions.refused),
            false => (&mut decisions.refused, &mut decisions.approved),
        };
        to.insert(pending.reference.clone(), pending.text_hash.clone());
        from.remove(&pending.reference);
    }
    store.set_decisions(&lock, &decisions)?;
    let what = if approve { "approved" } else { "rejected" };
    Ok(print::line(format!("{} texts {what}; the next `shortlist sync` takes that over", chosen.len()))?)
}
