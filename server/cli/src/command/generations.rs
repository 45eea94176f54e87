//! `shortlist generations`.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use shortlist_index::{Snapshot, Store};

use crate::args::{GenerationsAction, GenerationsArgs};
use crate::places::PlaceArgs;
use crate::print;

/// Lists, verifies or rolls back.
pub fn run(places: &PlaceArgs, args: &GenerationsArgs) -> Result<()> {
    let store = Store::new(&places.home());
    match &args.action {
        None | Some(GenerationsAction::List) => show(&store, store.list()?, args.json),
        Some(GenerationsAction::Verify { number: None }) => verify(&store, store.list()?, args.json),
        Some(GenerationsAction::Verify { number: Some(number) }) => verify(&store, vec![*number], args.json),
        Some(GenerationsAction::RollBack { number }) => roll_back(&store, *number, args.json),
    }
}

/// Opening a generation verifies it, so the list tells of damage too.
fn show(store: &Store, numbers: Vec<u64>, as_json: bool) -> Result<()> {
    // A damaged CURRENT is what this list helps to mend.
    let current = store.current().unwrap_or_else(|error| {
        print::say(format!("warning: {error}"));
        None
    });
    let mut rows = Vec::new();
    for &number in numbers.iter().rev() {
        let row = match store.open(number) {
            Ok(snapshot) => row(&snapshot, current == Some(number)),
            Err(error) => json!({ "number": number, "current": current == Some(number), "error": error.to_string() }),
        };
        rows.push(row);
    }
    if as_json {
        return print::json(&rows);
    }
    if rows.is_empty() {
        return Ok(print::line(format!("no generation in {} yet", store.home().display()))?);
    }
    for row in &rows {
        let mark = if row["current"] == true { "*" } else { " " };
        match row["error"].as_str() {
            Some(error) => print::line(format!("{mark} {:>6}  REFUSED: {error}", row["number"]))?,
            None => print::line(format!(
                "{mark} {:>6}  {:>8} tools  {:>6} MB  built at Unix time {}  {}",
                row["number"],
                row["n_tools"],
                row["bytes"].as_u64().unwrap_or(0) / 1_000_000,
                row["created_unix_s"],
                row["embedder"].as_str().unwrap_or_default()
            ))?,
        }
    }
    Ok(())
}

fn row(snapshot: &Snapshot, current: bool) -> Value {
    let manifest = snapshot.manifest();
    json!({
        "number": manifest.number,
        "current": current,
        "parent": manifest.parent,
        "n_tools": manifest.n_tools,
        "bytes": manifest.files.values().map(|file| file.bytes).sum::<u64>(),
        "created_unix_s": manifest.created_unix_s,
        "embedder": manifest.embedder,
        "sources": manifest.sources,
    })
}

fn verify(store: &Store, numbers: Vec<u64>, as_json: bool) -> Result<()> {
    let checked: Vec<(u64, Option<String>)> =
        numbers.into_iter().map(|number| (number, store.open(number).err().map(|error| error.to_string()))).collect();
    if as_json {
        let row = |(number, error): &(u64, Option<String>)| json!({ "number": number, "good": error.is_none(), "error": error });
        print::json(&checked.iter().map(row).collect::<Vec<_>>())?;
    } else {
        for (number, error) in &checked {
            print::line(format!("{number:>6}  {}", error.as_deref().unwrap_or("good")))?;
        }
    }
    match checked.iter().filter(|(_, error)| error.is_some()).count() {
        0 => Ok(()),
        damaged => bail!("{damaged} of {} generations do not verify", checked.len()),
    }
}

fn roll_back(store: &Store, number: Option<u64>, as_json: bool) -> Result<()> {
    let lock = store.lock()?;
    let number = match number {
        Some(number) => {
            store.open(number).with_context(|| format!("generation {number} cannot serve"))?;
            number
        }
        None => {
            let current = store.current()?;
            // The one that the current was built on; where that does not verify, the next older one that does.
            let parent = current.and_then(|number| store.parent(number));
            let older = store.list()?.into_iter().rev().filter(|&number| Some(number) < current);
            let good = parent.into_iter().chain(older).find(|&number| store.open(number).is_ok());
            good.context("there is no older generation that verifies")?
        }
    };
    store.set_current(&lock, number)?;
    if as_json {
        return print::json(&json!({ "number": number, "current": true }));
    }
    Ok(print::line(format!("generation {number} serves now; a running server takes it over within seconds"))?)
}
