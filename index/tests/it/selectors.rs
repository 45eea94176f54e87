//! What bitmaps, ranges and automata pick of a whole catalog is what a selector picks tool by tool.

use std::collections::BTreeSet;

use fastrand::Rng;
use shortlist_index::{Annotations, Grant, Pattern, Selector, Tool};

use crate::catalog::{Published, tools};

/// Tools in the catalog: more than are ever compared one by one, so that every way of looking is taken.
const TOOLS: usize = 3_000;
const GRANTS: usize = 40;

/// A pattern made of a value: cut at either end, with holes, or as it is.
fn pattern(rng: &mut Rng, value: &str) -> Pattern {
    let mut chars: Vec<char> = value.chars().collect();
    for _ in 0..rng.usize(..3) {
        let start = rng.usize(..chars.len());
        let end = (start + rng.usize(..8)).min(chars.len());
        chars.splice(start..end, ['*']);
    }
    if rng.u8(..4) == 0 {
        let place = rng.usize(..chars.len());
        chars[place] = '?';
    }
    match rng.u8(..10) {
        0 => chars.insert(0, '*'),
        1 => chars.push('*'),
        2 => chars = "*".chars().collect(),
        3 => chars = "?*".chars().collect(),
        _ => {}
    }
    Pattern::new(&chars.into_iter().collect::<String>()).expect("a pattern")
}

fn some(rng: &mut Rng, mut value: impl FnMut(&mut Rng) -> Option<String>) -> Vec<Pattern> {
    let n = if rng.bool() { 0 } else { rng.usize(1..4) };
    (0..n).filter_map(|_| value(rng).map(|value| pattern(rng, &value))).collect()
}

fn selector(rng: &mut Rng, all: &[Tool]) -> Selector {
    let one = |rng: &mut Rng| rng.choice(all).expect("a catalog").clone();
    let version = |reference: String, with: bool| match reference.split_once('@') {
        Some((name, _)) if !with => name.to_owned(),
        _ => reference,
    };
    Selector {
        refs: some(rng, |rng| {
            let reference = one(rng).reference.to_string();
            Some(version(reference, rng.bool()))
        }),
        namespaces: some(rng, |rng| Some(one(rng).reference.namespace().to_owned())),
        sources: some(rng, |rng| Some(one(rng).reference.source().to_owned())),
        tags: some(rng, |rng| one(rng).tags.first().cloned()),
        required_scopes: some(rng, |rng| one(rng).required_scopes.scopes().next().map(str::to_owned)),
        scopes_held: rng.u8(..4) == 0,
        annotations: if rng.u8(..4) == 0 { one(rng).annotations } else { Annotations::default() },
    }
}

#[test]
fn a_grant_shows_what_its_selectors_pick_one_by_one() {
    for seed in 0..2 {
        let rng = &mut Rng::with_seed(seed);
        let all = tools(rng, TOOLS);
        assert!(all.len() > 1_500, "{} tools are too few to need a pass", all.len());
        let snapshot = Published::new(&all).snapshot();
        let mut n_seen = 0;
        for _ in 0..GRANTS {
            let selectors = |rng: &mut Rng| (0..rng.usize(..4)).map(|_| selector(rng, &all)).collect::<Vec<_>>();
            let (allow, deny) = (selectors(rng), selectors(rng));
            let held: BTreeSet<String> =
                one_in_two(rng, &["drive", "mail", "admin"]).into_iter().map(str::to_owned).collect();
            let grant = Grant::new(allow.clone(), deny.clone(), held.clone());
            let picks = |selectors: &[Selector], tool: &Tool| selectors.iter().any(|each| each.picks(tool, &held));
            let sees = |tool: &&Tool| picks(&allow, tool) && !picks(&deny, tool);
            let expected: Vec<String> = all.iter().filter(sees).map(|tool| tool.reference.to_string()).collect();
            n_seen += expected.len();
            // Twice, for the second time finds what the first one kept.
            for _ in 0..2 {
                let refs: Vec<String> = snapshot.refs(&snapshot.picked(&grant)).map(|r| r.to_string()).collect();
                assert_eq!(refs, expected, "seed {seed}, {grant:?}");
            }
        }
        assert!(n_seen > TOOLS, "seed {seed}: the grants show next to nothing");
    }
}

fn one_in_two<'a>(rng: &mut Rng, from: &[&'a str]) -> Vec<&'a str> {
    from.iter().copied().filter(|_| rng.bool()).collect()
}
