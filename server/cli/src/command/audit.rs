//! `shortlist audit`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Error, Result, bail};
use serde_json::Value;
use shortlist_server::audit::{Backward, Bad, Filter, Follow, Report, query_hmac, verify};
use shortlist_server::read_secret;

use super::serve::audit_folder;
use crate::args::{AuditAction, AuditArgs, AuditQueryArgs};
use crate::places::PlaceArgs;
use crate::print;

/// How often a followed log is looked at.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(200);
/// Refs of an answer that fit a terminal's line.
const REFS_SHOWN: usize = 3;

/// Verifies, shows or finds.
pub fn run(places: &PlaceArgs, args: &AuditArgs) -> Result<()> {
    let named = match &args.action {
        AuditAction::Verify { log: Some(log), .. } => Some(log),
        _ => args.folder.as_ref(),
    };
    let folder = named.cloned().unwrap_or_else(|| audit_folder(&places.home()));
    if folder.try_exists().is_ok_and(|exists| !exists) {
        bail!("there is no audit log in {}; `shortlist serve` writes one, and --folder says where", folder.display());
    }
    match &args.action {
        AuditAction::Verify { secret_file, anchor, .. } => check(&folder, secret_file, anchor, args.json),
        AuditAction::Tail { lines, follow } => tail(&folder, *lines, *follow, args.json),
        AuditAction::Query(query) => find(&folder, query, args.json),
    }
}

fn check(folder: &Path, secret_files: &[PathBuf], anchors: &[(u64, String)], as_json: bool) -> Result<()> {
    let secrets = secret_files.iter().map(|file| read_secret(file).map_err(Error::msg)).collect::<Result<Vec<_>>>()?;
    let report = verify(folder, &secrets, anchors)?;
    if as_json {
        print::json(&report)?;
    } else {
        for line in summary(&report) {
            print::line(line)?;
        }
    }
    match report.bad {
        None => Ok(()),
        Some(Bad { file, line: 0, reason }) => bail!("{}: {reason}", folder.join(file).display()),
        Some(Bad { file, line, reason }) => bail!("{}, line {line}: {reason}", folder.join(file).display()),
    }
}

fn summary(report: &Report) -> Vec<String> {
    let Report { n_files, n_records, first_seq, last_seq, last_hash, sealed, ended, running, n_missed, bad } = report;
    let mut lines = vec![format!("{n_records} records in {n_files} files, {first_seq} to {last_seq}: {last_hash}")];
    if *first_seq > 1 && bad.is_none() {
        lines.push(format!("the records before {first_seq} were removed as configured, as a record says"));
    }
    if *n_missed > 0 {
        lines.push(format!("{n_missed} decisions are not in the log, as it says itself"));
    }
    if !sealed {
        lines.push("the seals were not checked; name the server's secret with --secret-file".to_owned());
    }
    if !ended && !running && *n_records > 0 && bad.is_none() {
        lines.push("the last run did not end by itself: it was killed, or the end of the log is missing".to_owned());
    }
    if bad.is_none() {
        lines.push("good".to_owned());
    }
    lines
}

fn tail(folder: &Path, n_lines: usize, follow: bool, as_json: bool) -> Result<()> {
    // Taken first: what comes in between is shown twice rather than never, and numbers tell.
    let mut coming = Follow::new(folder)?;
    let mut newest = Backward::new(folder, None)?.take(n_lines).collect::<Result<Vec<_>, _>>()?;
    newest.reverse();
    for line in &newest {
        show(line, as_json)?;
    }
    if !follow {
        return Ok(());
    }
    loop {
        for line in coming.more()? {
            show(&line, as_json)?;
        }
        std::thread::sleep(FOLLOW_INTERVAL);
    }
}

fn find(folder: &Path, args: &AuditQueryArgs, as_json: bool) -> Result<()> {
    let AuditQueryArgs { user, reference, door, outcome, request_id, query, secret_file, since, until, limit } = args;
    let query_hmac = match (query, secret_file) {
        (Some(query), Some(file)) => Some(query_hmac(&read_secret(file).map_err(Error::msg)?, query)),
        _ => None,
    };
    let filter = Filter {
        user: user.clone(),
        reference: reference.clone(),
        door: door.clone(),
        outcome: outcome.clone(),
        request_id: request_id.clone(),
        query_hmac,
        since: since.clone(),
        until: until.clone(),
    };
    let mut n_found = 0;
    for line in Backward::new(folder, None)? {
        let line = line?;
        if n_found == *limit {
            print::say(format!("there may be more: these are the newest {limit}; see --limit and --until"));
            break;
        }
        if filter.takes(&line) {
            n_found += 1;
            show(&line, as_json)?;
        }
    }
    Ok(())
}

/// A record as it stands in the log, or in a line for people.
fn show(line: &[u8], as_json: bool) -> Result<()> {
    if as_json {
        return Ok(print::line(print::escaped(&String::from_utf8_lossy(line)))?);
    }
    let Ok(record) = serde_json::from_slice::<Value>(line) else {
        return Ok(print::line("?  a line that is no record; see `shortlist audit verify`")?);
    };
    let text = |key: &str| print::on_one_line(record[key].as_str().unwrap_or_default());
    if record["kind"] != "decision" {
        let missed = |n| format!("  {n} decisions missed: {}", text("missed"));
        let n_missed = record["n_missed"].as_u64().map_or(String::new(), missed);
        let file = record["file"].as_str().map_or(String::new(), |file| format!("  {}", print::on_one_line(file)));
        return Ok(print::line(format!("{}  {}{n_missed}{file}", text("time"), text("kind").to_uppercase()))?);
    }
    let who = ["user", "service"].into_iter().map(text).find(|name| !name.is_empty()).unwrap_or_else(|| "-".to_owned());
    let refs = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(Value::as_str).map(print::on_one_line).collect()
    };
    let (asked, returned) = (refs(&record["asked"]["refs"]), refs(&record["returned"]));
    let n_more = record["n_returned"].as_u64().unwrap_or(0).saturating_sub(REFS_SHOWN as u64);
    let more = if n_more > 0 { format!(" and {n_more} more") } else { String::new() };
    let some: Vec<String> = returned.into_iter().take(REFS_SHOWN).collect();
    let asked = if asked.is_empty() { String::new() } else { format!("  asked {}", asked.join(" ")) };
    let shown = if some.is_empty() { String::new() } else { format!("  shown {}{more}", some.join(" ")) };
    Ok(print::line(format!(
        "{}  {:<16} {:<16} {:<7} {}{asked}{shown}",
        text("time"),
        who,
        text("door"),
        text("outcome"),
        text("code")
    ))?)
}
