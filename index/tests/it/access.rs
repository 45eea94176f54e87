//! Nothing outside the grant is found, counted or listed, and nothing outside it has any influence.

use std::collections::BTreeSet;

use fastrand::Rng;
use shortlist_index::{
    AllowedSet, Answer, Filter, Grant, Mode, Pattern, SearchRequest, Selector, Snapshot, Tool, ToolRef, search,
};

use crate::catalog::{Published, Spec, models, query, tools};

const CATALOGS: u64 = 40;
const GRANTS: usize = 6;
const QUERIES: usize = 8;

fn request(rng: &mut Rng) -> SearchRequest {
    let filter = match rng.u32(..4) {
        0 => Filter { namespaces: vec!["space1".into(), "space2".into()], ..Filter::default() },
        1 => Filter { tags: vec!["red".into()], include_deprecated: true, ..Filter::default() },
        _ => Filter::default(),
    };
    SearchRequest {
        offset: rng.usize(..6),
        limit: rng.usize(1..30),
        mode: [Mode::Lexical, Mode::Dense, Mode::Hybrid][rng.usize(..3)],
        filter,
        explain: true,
        ..SearchRequest::new(query(rng))
    }
}

fn answer(snapshot: &Snapshot, allowed: &AllowedSet, request: &SearchRequest) -> Answer {
    search(snapshot, &models(), allowed, request).expect("an answer")
}

#[test]
fn an_answer_is_the_same_on_the_full_catalog_and_on_the_users_tools_alone() {
    for seed in 0..CATALOGS {
        let rng = &mut Rng::with_seed(seed);
        let all = tools(rng, 150);
        let full = Published::new(&all).snapshot();
        for _ in 0..GRANTS {
            let spec = Spec::random(rng);
            let grant = spec.grant();
            let allowed = full.allow(&grant);
            let theirs: Vec<Tool> = all.iter().filter(|tool| spec.sees(tool)).cloned().collect();
            for tool in &all {
                assert_eq!(full.get(&allowed, &tool.reference).is_some(), spec.sees(tool), "seed {seed}, {grant:?}");
            }
            let (allow, deny, held) = spec.parts();
            for tool in &all {
                let picked = |selectors: &[Selector]| selectors.iter().any(|selector| selector.picks(tool, held));
                assert_eq!(picked(allow) && !picked(deny), spec.sees(tool), "seed {seed}, {grant:?}");
            }
            assert_eq!(theirs.len() as u64, allowed.len(), "seed {seed}, {grant:?}");
            let alone = Published::new(&theirs).snapshot();
            let everything = alone.allow(&Grant::everything());
            assert_eq!(full.namespaces(&allowed), alone.namespaces(&everything), "seed {seed}, {grant:?}");
            for _ in 0..QUERIES {
                let request = request(rng);
                let here = answer(&full, &allowed, &request);
                // Equal to the last bit of every score.
                assert_eq!(here, answer(&alone, &everything, &request), "seed {seed}, {grant:?}, {request:?}");
                // What was asked before, of the same set, is remembered and changes nothing.
                assert_eq!(here, answer(&full, &allowed, &request), "seed {seed}, {grant:?}, {request:?}");
                assert_eq!(here, answer(&full, &full.allow(&grant), &request), "seed {seed}, {grant:?}, {request:?}");
                for hit in &here.hits {
                    assert!(theirs.contains(&hit.tool), "seed {seed}, {grant:?}: {}", hit.tool.reference);
                }
            }
            // Without a version, a ref means the newest that this user may see.
            for tool in &all {
                let reference = &tool.reference;
                let any = ToolRef::new(reference.source(), reference.namespace(), reference.name(), None);
                let any = any.expect("a ref");
                assert_eq!(full.get(&allowed, &any), alone.get(&everything, &any), "seed {seed}, {grant:?}, {any}");
            }
        }
    }
}

#[test]
fn nothing_is_visible_without_a_grant_and_deny_wins() {
    let all = tools(&mut Rng::with_seed(3), 60);
    let snapshot = Published::new(&all).snapshot();
    let nothing = snapshot.allow(&Grant::nothing());
    assert!(nothing.is_empty() && snapshot.namespaces(&nothing).is_empty());
    assert!(answer(&snapshot, &nothing, &SearchRequest::new("list files")).hits.is_empty());
    let both = Grant::new(vec![Default::default()], vec![Default::default()], BTreeSet::new());
    assert!(snapshot.allow(&both).is_empty());
}

#[test]
fn pages_join_to_the_whole_list() {
    let rng = &mut Rng::with_seed(5);
    let all = tools(rng, 150);
    let snapshot = Published::new(&all).snapshot();
    let allowed = snapshot.allow(&Grant::everything());
    let whole = answer(&snapshot, &allowed, &SearchRequest { limit: 60, ..SearchRequest::new("delete a file") });
    let mut joined = Vec::new();
    for offset in (0..60).step_by(7) {
        let limit = 7.min(60 - offset);
        let page = SearchRequest { offset, limit, ..SearchRequest::new("delete a file") };
        joined.extend(answer(&snapshot, &allowed, &page).hits);
    }
    assert_eq!(joined, whole.hits);
}

#[test]
fn a_search_finds_the_newest_release_of_a_tool_and_no_deprecated_one() {
    let rng = &mut Rng::with_seed(9);
    let mut all = tools(rng, 1);
    let first = all.remove(0);
    let version = |text: &str, deprecation: Option<&str>| {
        let version = Some(text.parse().expect("a version"));
        let mut tool = Tool { deprecation: deprecation.map(str::to_owned), ..first.clone() };
        tool.reference = ToolRef::new("hub", "files", "list", version).expect("a ref");
        tool
    };
    let find = |all: &[Tool], include_deprecated: bool| -> Vec<String> {
        let snapshot = Published::new(all).snapshot();
        let allowed = snapshot.allow(&Grant::everything());
        let filter = Filter { include_deprecated, ..Filter::default() };
        let request = SearchRequest { filter, ..SearchRequest::new("list") };
        answer(&snapshot, &allowed, &request).hits.iter().map(|hit| hit.tool.reference.to_string()).collect()
    };
    let all = [version("1.0.0", None), version("2.0.0", None), version("3.0.0-rc.1", None)];
    assert_eq!(find(&all, false), ["hub://files.list@2.0.0"]);
    let all = [version("1.0.0", None), version("2.0.0", Some("use another"))];
    assert_eq!(find(&all, false), Vec::<String>::new(), "the newest is deprecated, so the tool is");
    assert_eq!(find(&all, true), ["hub://files.list@2.0.0"]);
}

#[test]
fn a_ref_pattern_without_a_version_means_every_version() {
    let rng = &mut Rng::with_seed(21);
    let first = tools(rng, 1).remove(0);
    let versions = ["1.0.0", "2.0.0"].map(|version| {
        let version = Some(version.parse().expect("a version"));
        Tool { reference: ToolRef::new("hub", "files", "delete", version).expect("a ref"), ..first.clone() }
    });
    let snapshot = Published::new(&versions).snapshot();
    let denying = |pattern: &str| {
        let refs = vec![Pattern::new(pattern).expect("a glob")];
        let deny = vec![Selector { refs, ..Selector::default() }];
        snapshot.allow(&Grant::new(vec![Selector::default()], deny, BTreeSet::new())).len()
    };
    assert_eq!(denying("*.delete"), 0);
    assert_eq!(denying("hub://files.delete"), 0);
    assert_eq!(denying("*@2.*"), 1);
    assert_eq!(denying("*.copy"), 2);
}
