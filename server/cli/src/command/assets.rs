//! `shortlist assets`.

use anyhow::{Result, bail};
use serde_json::json;
use shortlist_ingest::assets::{AssetError, Assets};

use crate::args::{AssetsAction, AssetsArgs};
use crate::places::PlaceArgs;
use crate::print;
use crate::progress::AssetBar;

/// Lists, fetches or verifies.
pub fn run(places: &PlaceArgs, args: &AssetsArgs) -> Result<()> {
    let assets = places.assets();
    match &args.action {
        None | Some(AssetsAction::List) => list(&assets, args.json),
        Some(AssetsAction::Pull { names }) => {
            let progress = AssetBar::new();
            let folders = match names.as_slice() {
                [] => assets.pull_all(&progress)?,
                names => names.iter().map(|name| assets.ensure(name, &progress)).collect::<Result<_, _>>()?,
            };
            if args.json {
                return print::json(&folders);
            }
            folders.iter().try_for_each(|folder| print::line(folder.display().to_string())).map_err(Into::into)
        }
        Some(AssetsAction::Verify { names }) => {
            let there = assets.status().into_iter().filter(|status| status.folder.is_some()).map(|status| status.name);
            let names: Vec<String> = if names.is_empty() { there.collect() } else { names.clone() };
            verify(&assets, &names, args.json)
        }
    }
}

fn verify(assets: &Assets, names: &[String], as_json: bool) -> Result<()> {
    let mut rows = Vec::new();
    let mut bad = 0;
    for name in names {
        let error = match assets.verify(name) {
            // Nothing was pinned by that name.
            Err(error @ AssetError::Unknown { .. }) => return Err(error.into()),
            verified => verified.err().map(|error| error.to_string()),
        };
        bad += usize::from(error.is_some());
        if !as_json {
            print::line(format!("{name:>18}  {}", error.as_deref().unwrap_or("good")))?;
        }
        rows.push(json!({ "name": name, "good": error.is_none(), "error": error }));
    }
    if as_json {
        print::json(&rows)?;
    }
    if bad > 0 { bail!("{bad} of {} assets are not what was pinned", names.len()) } else { Ok(()) }
}

fn list(assets: &Assets, as_json: bool) -> Result<()> {
    let all = assets.status();
    if as_json {
        let rows: Vec<_> = all
            .iter()
            .map(|asset| {
                json!({
                    "name": asset.name, "about": asset.about, "licence": asset.licence, "origin": asset.origin,
                    "packages": asset.packages, "download_bytes": asset.download_bytes,
                    "installed_bytes": asset.installed_bytes, "folder": asset.folder, "supported": asset.supported,
                })
            })
            .collect();
        return print::json(&rows);
    }
    print::line(format!("in {}", assets.root().display()))?;
    for asset in all {
        let state = match (&asset.folder, asset.supported) {
            (Some(_), _) => "there".to_owned(),
            (None, true) => format!("{} MB to fetch", asset.download_bytes / 1_000_000),
            (None, false) => "not for this platform".to_owned(),
        };
        print::line(format!("{:>18}  {:<22} {:<12} {}", asset.name, state, asset.licence, asset.about))?;
    }
    Ok(())
}
