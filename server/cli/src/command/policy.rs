//! `shortlist policy`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::json;
use shortlist_index::{Snapshot, Store, ToolRef};
use shortlist_server::policy::{self, Change};
use shortlist_server::{Policy, Principal, RuleName};

use crate::args::{PolicyAction, PolicyArgs};
use crate::places::PlaceArgs;
use crate::print;
use crate::viewer::in_force;

/// Tools of each kind that a comparison lists unless all are wanted.
const LISTED: usize = 10;

/// Checks, explains, compares, or prints the schema.
pub fn run(places: &PlaceArgs, args: &PolicyArgs) -> Result<()> {
    match &args.action {
        PolicyAction::Check { file, strict } => check(places, file, *strict, args.json),
        PolicyAction::Explain { reference, who, policy } => {
            let principal = who.principal().context("name somebody with --as, --group, --service or the like")?;
            explain(places, policy.as_ref(), &principal, reference, args.json)
        }
        PolicyAction::Diff { old, new, who, all } => diff(places, [old, new], who.principal(), *all, args.json),
        PolicyAction::Schema => print::json(&policy::schema()),
    }
}

fn check(places: &PlaceArgs, file: &Path, strict: bool, as_json: bool) -> Result<()> {
    let policy = match Policy::load(file) {
        Ok(policy) => policy,
        Err(error) => {
            if as_json {
                print::json(&json!({ "good": false, "error": error.to_string() }))?;
            }
            return Err(error.into());
        }
    };
    let snapshot = served(places)?;
    let findings = policy::check(&policy, snapshot.as_ref());
    let generation = snapshot.as_ref().map(Snapshot::number);
    if as_json {
        let n_rules = policy.n_rules();
        print::json(&json!({ "good": true, "n_rules": n_rules, "generation": generation, "findings": findings }))?;
    } else {
        for finding in &findings {
            let place = finding.rule.as_ref().map_or_else(|| "admins".to_owned(), RuleName::to_string);
            print::line(format!("{place}: {}", finding.text))?;
        }
        let against = generation.map_or_else(
            || "without a generation to check it against".to_owned(),
            |number| format!("against generation {number}"),
        );
        print::line(format!("{} rules, {} to look at, {against}", policy.n_rules(), findings.len()))?;
    }
    if strict && !findings.is_empty() {
        bail!("{} things in {} are probably not meant", findings.len(), file.display());
    }
    Ok(())
}

/// The generation that serves; none yet is no reason not to check a policy.
fn served(places: &PlaceArgs) -> Result<Option<Snapshot>> {
    let has_any = !Store::new(&places.home()).list()?.is_empty();
    has_any.then(|| super::open(places)).transpose()
}

fn explain(
    places: &PlaceArgs,
    file: Option<&PathBuf>,
    principal: &Principal,
    reference: &str,
    as_json: bool,
) -> Result<()> {
    let home = places.home();
    let policy = in_force(file.unwrap_or(&home.join("policy.toml")), &home)?;
    let asked: ToolRef = reference.parse()?;
    let snapshot = super::open(places)?;
    let tool = snapshot.tool_of(&asked);
    let rules = tool.as_ref().map(|tool| policy.rules_for(principal, tool));
    let seen = rules.as_ref().is_some_and(|rules| !rules.allowed_by.is_empty() && rules.denied_by.is_empty());
    let named = tool.map_or_else(|| reference.to_owned(), |tool| tool.reference.to_string());
    let explanation = match &rules {
        None => "there is no such tool, and that is how it is told".to_owned(),
        Some(rules) => rules.to_string(),
    };
    if as_json {
        return print::json(&json!({
            "ref": named,
            "generation": snapshot.number(),
            "policy": policy.version(),
            "exists": rules.is_some(),
            "seen": seen,
            "explanation": explanation,
            "rules": rules,
        }));
    }
    print::line(format!("{named}: {}: {explanation}", if seen { "seen" } else { "not seen" }))?;
    let deciding = rules.map(|rules| [rules.allowed_by, rules.denied_by].concat()).unwrap_or_default();
    for rule in policy.rules().iter().filter(|rule| deciding.contains(rule.name())) {
        let note = rule.note().map(|note| format!("  ({note})")).unwrap_or_default();
        print::line(format!("  {} {rule}{note}", rule.name()))?;
    }
    Ok(())
}

fn diff(places: &PlaceArgs, files: [&PathBuf; 2], who: Option<Principal>, all: bool, as_json: bool) -> Result<()> {
    let home = places.home();
    let [old, new] = files;
    let (old, new) = (Policy::in_force(old, &home)?, Policy::in_force(new, &home)?);
    let snapshot = super::open(places)?;
    let named = who.map(|principal| (named(&principal), principal));
    let changes = policy::diff(&old, &new, named.as_slice(), &snapshot);
    let listed = if all { usize::MAX } else { LISTED };
    let (n_subjects, moved) = (changes.len(), changes.into_iter().filter(|change| !is_same(change)));
    if as_json {
        let refs = |refs: &[ToolRef]| refs.iter().take(listed).map(ToString::to_string).collect::<Vec<_>>();
        let row = |change: Change| {
            json!({
                "who": change.who,
                "n_before": change.n_before,
                "n_after": change.n_after,
                "n_gained": change.gained.len(),
                "n_lost": change.lost.len(),
                "gained": refs(&change.gained),
                "lost": refs(&change.lost),
            })
        };
        return print::json(&json!({
            "generation": snapshot.number(),
            "n_compared": n_subjects,
            "changes": moved.map(row).collect::<Vec<_>>(),
        }));
    }
    let mut n_moved = 0;
    for change in moved {
        n_moved += 1;
        let (gained, lost) = (change.gained.len(), change.lost.len());
        print::line(format!(
            "{}: gains {gained}, loses {lost}; sees {} tools, before {}",
            change.who, change.n_after, change.n_before
        ))?;
        for (sign, refs) in [('+', &change.gained), ('-', &change.lost)] {
            refs.iter().take(listed).try_for_each(|tool| print::line(format!("  {sign} {tool}")))?;
            if refs.len() > listed {
                print::line(format!("  {sign} … and {} more; --all lists them", refs.len() - listed))?;
            }
        }
    }
    Ok(print::line(format!("{n_moved} of {n_subjects} see another set of tools in generation {}", snapshot.number()))?)
}

fn is_same(change: &Change) -> bool {
    change.gained.is_empty() && change.lost.is_empty()
}

/// Somebody who was named on the command line, with all that makes them up.
fn named(principal: &Principal) -> String {
    let Principal { user, tenant, groups, roles, scopes, service } = principal;
    let one = |kind: &str, name: &String| format!("{kind}:{name}");
    let user = (!user.is_empty()).then(|| one("user", user));
    let parts: Vec<String> = user
        .into_iter()
        .chain(service.iter().map(|name| one("service", name)))
        .chain(tenant.iter().map(|name| one("tenant", name)))
        .chain(groups.iter().map(|name| one("group", name)))
        .chain(roles.iter().map(|name| one("role", name)))
        .chain(scopes.iter().map(|name| one("scope", name)))
        .collect();
    parts.join(" + ")
}
