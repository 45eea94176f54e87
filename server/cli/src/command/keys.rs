//! `shortlist keys`.

use anyhow::Result;
use serde_json::{Value, json};
use shortlist_server::{ApiKey, KeyFile};

use crate::args::{KeysAction, KeysArgs};
use crate::places::PlaceArgs;
use crate::print;

/// The file of API keys in the home.
pub const KEYS_FILE: &str = "keys.json";

/// Makes, lists or revokes.
pub fn run(places: &PlaceArgs, args: &KeysArgs) -> Result<()> {
    let file = KeyFile::new(args.keys_file.clone().unwrap_or_else(|| places.home().join(KEYS_FILE)));
    match &args.action {
        None | Some(KeysAction::List) => list(&file, args.json),
        Some(KeysAction::Create { service, on_behalf_of, expires }) => {
            let (key, presented) = file.create(service, *on_behalf_of, *expires)?;
            if args.json {
                let mut row = row(&key);
                row["key"] = presented.into();
                return print::json(&row);
            }
            // First, for nothing else shows it again.
            print::line(presented)?;
            print::say(format!(
                "the key {} of the service {}; it is not kept here, so this is the only time it is shown",
                key.id, key.service
            ));
            Ok(())
        }
        Some(KeysAction::Revoke { id }) => {
            let key = file.revoke(id)?;
            if args.json {
                return print::json(&row(&key));
            }
            Ok(print::line(format!(
                "the key {id} of the service {} is revoked; a running server refuses it within seconds",
                key.service
            ))?)
        }
    }
}

fn list(file: &KeyFile, as_json: bool) -> Result<()> {
    let keys = file.list()?;
    if as_json {
        return print::json(&keys.iter().map(row).collect::<Vec<_>>());
    }
    if keys.is_empty() {
        return Ok(print::line(format!("no key in {} yet", file.path().display()))?);
    }
    for key in &keys {
        let right = if key.on_behalf_of { "on behalf of users" } else { "for itself" };
        let ends = key.expires_unix_s.map_or("never".to_owned(), |time| format!("at Unix time {time}"));
        print::line(format!("{}  {:<24} {right:<18}  ends {ends}", key.id, key.service))?;
    }
    Ok(())
}

fn row(key: &ApiKey) -> Value {
    let ApiKey { id, service, on_behalf_of, created_unix_s, expires_unix_s, .. } = key;
    json!({
        "id": id,
        "service": service,
        "on_behalf_of": on_behalf_of,
        "created_unix_s": created_unix_s,
        "expires_unix_s": expires_unix_s,
    })
}
