//! `shortlist quarantine`.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde_json::json;
use shortlist_index::{Decisions, Pending, PendingText, Snapshot, Store, Suspicion, ToolRef};

use crate::args::{QuarantineAction, QuarantineArgs};
use crate::places::PlaceArgs;
use crate::print;

/// How many digits of a hash name a text. Who writes an honest text writes the one that replaces it too, and must not find
/// two that share these: 128 bits take 2^64 attempts, the 48 of a dozen digits would take seconds.
const HASH_DIGITS: usize = 32;

/// Lists, shows or decides.
pub fn run(places: &PlaceArgs, args: &QuarantineArgs) -> Result<()> {
    let store = Store::new(&places.home());
    match &args.action {
        None | Some(QuarantineAction::List) => list(&super::open(places)?, &store.decisions()?, args.json),
        Some(QuarantineAction::Suspects) => suspects(&super::open(places)?, args.json),
        Some(QuarantineAction::Show { reference }) => show(&super::open(places)?, reference, args.json),
        Some(QuarantineAction::Approve { texts, all, generation }) => {
            let all = all.as_deref().map(|source| (source, *generation));
            decide(places, texts, all, true, args.json)
        }
        Some(QuarantineAction::Reject { texts }) => decide(places, texts, None, false, args.json),
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
        print::line(format!("{what}  {}{suspected}{decided}", name(pending)))?;
    }
    if pending(snapshot).next().is_some() {
        print::line(format!(
            "all that wait of a source: shortlist quarantine approve --all SOURCE --generation {}",
            snapshot.number()
        ))?;
    }
    Ok(())
}

/// A waiting text as `approve` and `reject` want it named.
fn name(pending: &Pending) -> String {
    let hash = pending.text_hash.get(..HASH_DIGITS).unwrap_or(&pending.text_hash);
    format!("{}#{hash}", pending.reference)
}

/// What waits of the tool that `REF` or `REF#HASH` names. A hash must be that of the waiting text.
fn waiting<'s>(snapshot: &'s Snapshot, named: &str) -> Result<&'s Pending> {
    let (reference, hash) = named.split_once('#').map_or((named, None), |(reference, hash)| (reference, Some(hash)));
    let Some((_, pending)) = pending(snapshot).find(|(_, pending)| pending.reference == reference) else {
        bail!("nothing of {reference} waits; `shortlist quarantine` lists what does");
    };
    if hash.is_some_and(|hash| hash.len() < HASH_DIGITS || !pending.text_hash.starts_with(hash)) {
        bail!("{named} is not the text that waits now; `shortlist quarantine show {reference}` shows that one");
    }
    Ok(pending)
}

fn suspects(snapshot: &Snapshot, as_json: bool) -> Result<()> {
    if as_json {
        let suspected = snapshot.suspected();
        let of = |(reference, why): (ToolRef, Suspicion)| json!({ "ref": reference.to_string(), "suspicion": why });
        return print::json(&suspected.map(of).collect::<Vec<_>>());
    }
    snapshot.suspected().try_for_each(|(reference, why)| Ok(print::line(format!("{reference}: its text {why}"))?))
}

fn show(snapshot: &Snapshot, named: &str, as_json: bool) -> Result<()> {
    let pending = waiting(snapshot, named)?;
    let served = pending.reference.parse::<ToolRef>().ok().and_then(|reference| snapshot.tool_of(&reference));
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
            text(waiting)?;
            print::line(format!("\nlet it be served: shortlist quarantine approve {}", name(pending)))?;
        }
        None => print::line("  (too many texts wait to keep this one; decide about others and sync)\n")?,
    }
    Ok(print::line(format!("never serve it:   shortlist quarantine reject {}", name(pending)))?)
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

/// Decides about the texts that are named, and about all of a source in the generation that was listed.
fn decide(
    places: &PlaceArgs,
    texts: &[String],
    all: Option<(&str, Option<u64>)>,
    approve: bool,
    as_json: bool,
) -> Result<()> {
    let store = Store::new(&places.home());
    // Taken first, so that no other text comes while one is decided about.
    let lock = store.lock()?;
    let snapshot = super::open(places)?;
    let mut chosen: BTreeMap<&str, &Pending> = BTreeMap::new();
    for named in texts {
        let pending = waiting(&snapshot, named)?;
        if !named.contains('#') {
            bail!(
                "say which text of {named} is meant, for another may wait by now than was shown: `shortlist quarantine \
                 show {named}` ends with the command line"
            );
        }
        if approve && pending.text.is_none() {
            bail!("the text of {named} was not shown, for too many wait to keep it; decide about others and sync");
        }
        chosen.insert(&pending.reference, pending);
    }
    let mut n_not_shown = 0;
    if let Some((source, listed)) = all {
        let serves = snapshot.number();
        if listed != Some(serves) {
            bail!(
                "--all takes what was listed, and generation {serves} serves now: `shortlist quarantine` lists what waits in \
                 it, and ends with the command line"
            );
        }
        for (_, pending) in pending(&snapshot).filter(|(name, _)| name.as_str() == source) {
            if pending.text.is_some() {
                chosen.insert(&pending.reference, pending);
            } else {
                n_not_shown += 1;
            }
        }
    }
    if chosen.is_empty() {
        bail!("nothing waits there; `shortlist quarantine` lists what does");
    }
    let mut decisions = store.decisions()?;
    for pending in chosen.values() {
        let (to, from) = match approve {
            true => (&mut decisions.approved, &mut decisions.refused),
            false => (&mut decisions.refused, &mut decisions.approved),
        };
        to.insert(pending.reference.clone(), pending.text_hash.clone());
        from.remove(&pending.reference);
    }
    store.set_decisions(&lock, &decisions)?;
    let (what, n) = (if approve { "approved" } else { "rejected" }, chosen.len());
    if as_json {
        let refs: Vec<&&str> = chosen.keys().collect();
        return print::json(&json!({ "decision": what, "refs": refs, "n_not_shown": n_not_shown }));
    }
    print::line(format!("{n} texts {what}; the next `shortlist sync` takes that over"))?;
    if n_not_shown > 0 {
        print::line(format!("{n_not_shown} more, too many to be kept and shown, wait on; look again after it"))?;
    }
    Ok(())
}
