//! [`measure`]: what it costs to resolve a grant of many rules over a large catalog.
//!
//! The catalog and the rules are synthetic, of a seed: namespaces of forty tools on average, names like those of real hubs,
//! and rules of every kind that a policy knows, a fifth of them denials. The vectors are no part of what is measured.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use fastrand::Rng;
use serde::Serialize;
use shortlist_index::{
    Annotations, Embedder, Grant, HashingEmbedder, NewGeneration, Pattern, Provenance, ScopeRequirement, Selector,
    Snapshot, Store, TextRole, Tool, ToolRef,
};

use crate::error::BenchError;

/// Numbers in a vector: as few as a generation may well have.
const DIMENSION: usize = 8;
/// How often each of them is measured on a generation opened anew, so that nothing is known of any pattern.
const COLD_RUNS: usize = 5;
/// Tools that the plain way looks at; its time is scaled up to all.
const PLAIN_TOOLS: usize = 2_000;

const VERBS: [&str; 12] =
    ["list", "get", "create", "update", "delete", "search", "watch", "export", "import", "approve", "cancel", "refund"];
const NOUNS: [&str; 16] = [
    "file", "folder", "event", "user", "invoice", "bucket", "message", "issue", "branch", "order", "ticket", "report",
    "policy", "image", "contact", "build",
];
const TAGS: [&str; 8] = ["beta", "internal", "finance", "hr", "ops", "claims:read_only", "public", "legacy"];

/// What resolving cost, in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct GrantsReport {
    /// Tools in the catalog.
    pub n_tools: usize,
    /// Rules of each grant.
    pub n_rules: usize,
    /// Different patterns over refs in them.
    pub n_ref_patterns: usize,
    /// Principals with these rules, each with other scopes.
    pub n_principals: usize,
    /// Tools that the first of them sees.
    pub n_seen: u64,
    /// The bitmap alone, for the first principal of a generation that was just opened.
    pub cold_bitmap: Figures,
    /// The bitmap with all that a search needs besides, likewise.
    pub cold: Figures,
    /// What a server does before anybody asks: it looks for what the patterns of all rules match. Here everybody has all rules.
    pub prepare: Figures,
    /// The bitmap, for the first principal after that.
    pub prepared_bitmap: Figures,
    /// All of it, likewise.
    pub prepared: Figures,
    /// The bitmap, for another principal with the same rules.
    pub next_bitmap: Figures,
    /// All of it, likewise.
    pub next: Figures,
    /// Every tool against the rules in turn until one decides, scaled up from every so manyth tool.
    pub plain_ms: f64,
}

/// Middle and worst.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Figures {
    /// The median.
    pub p50_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// Measures in the empty folder `home`. Whatever is resolved is compared with the plain way first.
///
/// # Errors
/// [`BenchError`] when the generation cannot be made or opened, or a resolved grant is not what its rules say.
pub fn measure(
    n_tools: usize,
    n_rules: usize,
    n_principals: usize,
    seed: u64,
    home: &Path,
) -> Result<GrantsReport, BenchError> {
    let mut rng = Rng::with_seed(seed);
    let tools = catalog(&mut rng, n_tools);
    let (allow, deny) = rules(&mut rng, n_rules, &tools);
    let grants: Vec<Grant> = (0..n_principals.max(1))
        .map(|principal| {
            let held = (0..principal % 7).map(|scope| format!("scope:{scope}")).chain([format!("own:{principal}")]);
            Grant::new(allow.clone(), deny.clone(), held.collect())
        })
        .collect();
    let store = Store::new(home);
    publish(&store, &tools)?;
    let open = || store.open_current().map(|opened| opened.snapshot);

    let patterns: BTreeSet<&Pattern> = allow.iter().chain(&deny).flat_map(|selector| &selector.refs).collect();
    let [mut cold_bitmap, mut cold, mut prepare, mut prepared_bitmap, mut prepared] = [const { Vec::new() }; 5];
    for _ in 0..COLD_RUNS {
        cold_bitmap.push(time(&open()?, &grants[0], false));
        cold.push(time(&open()?, &grants[0], true));
        let mut open_prepared = || {
            let snapshot = open()?;
            let began = Instant::now();
            snapshot.prepare(patterns.iter().copied());
            prepare.push(began.elapsed().as_secs_f64() * 1e3);
            Ok::<Snapshot, BenchError>(snapshot)
        };
        prepared_bitmap.push(time(&open_prepared()?, &grants[0], false));
        prepared.push(time(&open_prepared()?, &grants[0], true));
    }
    let snapshot = open()?;
    let picked = snapshot.picked(&grants[0]);
    let plain_ms = plain(&tools, &allow, &deny, &snapshot.refs(&picked).collect())?;
    let others = || grants.iter().skip(1);
    let next_bitmap = others().map(|grant| time(&snapshot, grant, false)).collect();
    let next = others().map(|grant| time(&snapshot, grant, true)).collect();
    Ok(GrantsReport {
        n_tools: tools.len(),
        n_rules,
        n_ref_patterns: patterns.len(),
        n_principals: grants.len(),
        n_seen: picked.len(),
        cold_bitmap: figures(cold_bitmap),
        cold: figures(cold),
        prepare: figures(prepare),
        prepared_bitmap: figures(prepared_bitmap),
        prepared: figures(prepared),
        next_bitmap: figures(next_bitmap),
        next: figures(next),
        plain_ms,
    })
}

fn time(snapshot: &Snapshot, grant: &Grant, whole: bool) -> f64 {
    let began = Instant::now();
    if whole {
        black_box(snapshot.allow(grant).len());
    } else {
        black_box(snapshot.picked(grant).len());
    }
    began.elapsed().as_secs_f64() * 1e3
}

/// Picks every so manyth tool the plain way, and compares.
fn plain(tools: &[Tool], allow: &[Selector], deny: &[Selector], picked: &BTreeSet<ToolRef>) -> Result<f64, BenchError> {
    let held = BTreeSet::from(["own:0".to_owned()]);
    let step = (tools.len() / PLAIN_TOOLS).max(1);
    let sample: Vec<&Tool> = tools.iter().step_by(step).collect();
    let began = Instant::now();
    let seen: Vec<bool> = sample
        .iter()
        .map(|tool| {
            let reference = tool.reference.to_string();
            let is_picked =
                |selectors: &[Selector]| selectors.iter().any(|selector| picks(selector, tool, &reference, &held));
            is_picked(allow) && !is_picked(deny)
        })
        .collect();
    let sample_ms = began.elapsed().as_secs_f64() * 1e3;
    match sample.iter().zip(seen).find(|(tool, seen)| picked.contains(&tool.reference) != *seen) {
        Some((tool, _)) => Err(BenchError::OtherGrant { reference: tool.reference.to_string() }),
        None => Ok(sample_ms * tools.len() as f64 / sample.len() as f64),
    }
}

/// What [`Selector::picks`] says, for a tool whose ref was printed before: a plain way that prints it anew for each of a
/// thousand rules would be slower than it has to be. The tools here have no versions.
fn picks(selector: &Selector, tool: &Tool, reference: &str, held: &BTreeSet<String>) -> bool {
    let Selector { refs, namespaces, sources, tags, required_scopes, scopes_held, annotations } = selector;
    let is_one = |patterns: &[Pattern], value: &str| patterns.iter().any(|pattern| pattern.matches(value));
    (refs.is_empty() || is_one(refs, reference))
        && (namespaces.is_empty() || is_one(namespaces, tool.reference.namespace()))
        && (sources.is_empty() || is_one(sources, tool.reference.source()))
        && (tags.is_empty() || tool.tags.iter().any(|tag| is_one(tags, tag)))
        && (required_scopes.is_empty() || tool.required_scopes.scopes().any(|scope| is_one(required_scopes, scope)))
        && (!scopes_held || tool.required_scopes.is_met_by(held))
        && annotations.are_claimed_by(&tool.annotations)
}

fn catalog(rng: &mut Rng, n_tools: usize) -> Vec<Tool> {
    let mut tools = BTreeMap::new();
    let n_namespaces = (n_tools / 40).max(1);
    while tools.len() < n_tools {
        let namespace = rng.usize(..n_namespaces);
        let source = ["hub", "mcp", "openapi"][namespace % 3];
        let (verb, noun) = (one(rng, &VERBS), one(rng, &NOUNS));
        let name = format!("{noun}s{}.{verb}", rng.u8(..9));
        let namespace = format!("{}-{namespace}", NOUNS[namespace % NOUNS.len()]);
        // Parts like these are always a ref's.
        let Ok(reference) = ToolRef::new(source, &namespace, &name, None) else { continue };
        let scopes = (0..rng.usize(..3)).map(|_| format!("scope:{}", rng.u8(..40))).collect::<Vec<_>>();
        let tool = Tool {
            annotations: Annotations {
                read_only: Some(verb == "list" || verb == "get"),
                destructive: Some(verb == "delete"),
                ..Annotations::default()
            },
            tags: vec![one(rng, &TAGS).to_owned()],
            required_scopes: ScopeRequirement::any_of(scopes),
            provenance: Provenance { source_type: "bench".to_owned(), foreign_id: String::new() },
            ..Tool::new(reference.clone(), format!("To {verb} a {noun}."))
        };
        tools.insert(reference, tool);
    }
    tools.into_values().collect()
}

/// Allowing and denying selectors, in equal parts by: a namespace, namespaces that begin so, a ref, refs that begin so, refs
/// that end so, refs that have something in the middle, a tag, a required scope, scopes held in a namespace, a claim in a
/// source.
fn rules(rng: &mut Rng, n_rules: usize, tools: &[Tool]) -> (Vec<Selector>, Vec<Selector>) {
    let (mut allow, mut deny) = (Vec::new(), Vec::new());
    for place in 0..n_rules {
        let tool = &tools[rng.usize(..tools.len())];
        let (reference, namespace) = (tool.reference.to_string(), tool.reference.namespace().to_owned());
        let (verb, noun, number) = (one(rng, &VERBS), one(rng, &NOUNS), rng.u16(..5_000));
        let mut selector = Selector::default();
        match place % 10 {
            0 => selector.namespaces = patterns(&namespace),
            1 => selector.namespaces = patterns(&format!("{}*", &namespace[..namespace.len() - 1])),
            2 => selector.refs = patterns(&reference),
            3 => selector.refs = patterns(&format!("{}://{namespace}.*", tool.reference.source())),
            4 => selector.refs = patterns(&format!("*-{number}.*.{verb}")),
            5 => selector.refs = patterns(&format!("{}://*{number}.{noun}s*", tool.reference.source())),
            6 => selector = Selector { tags: patterns(one(rng, &TAGS)), namespaces: patterns(&namespace), ..selector },
            7 => selector.required_scopes = patterns(&format!("scope:{}{}", rng.u8(..4), one(rng, &["", "*"]))),
            8 => selector = Selector { scopes_held: true, namespaces: patterns(&namespace), ..selector },
            _ => {
                selector.annotations.destructive = Some(true);
                selector.namespaces = patterns(&format!("{noun}-{}*", number % 100));
            }
        }
        if rng.u8(..5) == 0 { deny.push(selector) } else { allow.push(selector) }
    }
    (allow, deny)
}

fn patterns(text: &str) -> Vec<Pattern> {
    // None of these texts has a character that a pattern may not have.
    Pattern::new(text).into_iter().collect()
}

fn publish(store: &Store, tools: &[Tool]) -> Result<(), BenchError> {
    let embedder = HashingEmbedder::new(DIMENSION);
    let mut with_vectors = Vec::with_capacity(tools.len());
    for tool in tools {
        with_vectors.push((tool.clone(), embedder.embed(TextRole::Document, &tool.embedding_text())?));
    }
    let generation = NewGeneration {
        tools: with_vectors,
        embedder: embedder.fingerprint().clone(),
        dimension: DIMENSION,
        sources: BTreeMap::new(),
        created_unix_s: 0,
    };
    store.publish(&store.lock()?, generation, &mut |_| {})?;
    Ok(())
}

fn one<'a>(rng: &mut Rng, of: &[&'a str]) -> &'a str {
    of[rng.usize(..of.len())]
}

fn figures(mut ms: Vec<f64>) -> Figures {
    ms.sort_unstable_by(f64::total_cmp);
    Figures {
        p50_ms: ms.get(ms.len() / 2).copied().unwrap_or_default(),
        max_ms: ms.last().copied().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_way_picks_what_a_selector_does() {
        let mut rng = Rng::with_seed(3);
        let tools = catalog(&mut rng, 400);
        let (allow, deny) = rules(&mut rng, 300, &tools);
        let held = BTreeSet::from(["scope:1".to_owned(), "scope:7".to_owned()]);
        let mut n_picked = 0;
        for (selector, tool) in
            allow.iter().chain(&deny).flat_map(|selector| tools.iter().map(move |tool| (selector, tool)))
        {
            let is_picked = selector.picks(tool, &held);
            assert_eq!(picks(selector, tool, &tool.reference.to_string(), &held), is_picked, "{selector:?} {tool:?}");
            n_picked += usize::from(is_picked);
        }
        assert!(n_picked > 1_000, "{n_picked}");
    }
}
