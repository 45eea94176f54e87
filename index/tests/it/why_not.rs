//! Every obstacle between a record and a page is told, and the ranks are those of the search.

use fastrand::Rng;
use shortlist_index::{
    Filter, Grant, Mode, Models, Pattern, Rejection, SearchRequest, Selector, Snapshot, SourceReport, Tool, Verdict,
    search, why_not,
};

use crate::catalog::{Published, generation, models, tool, tools};

fn ask(snapshot: &Snapshot, grant: &Grant, request: &SearchRequest, asked: &str) -> Verdict {
    why_not(snapshot, &models(), &snapshot.allow(grant), request, asked).expect("a verdict").verdict
}

fn everything(snapshot: &Snapshot, request: &SearchRequest, asked: &str) -> Verdict {
    ask(snapshot, &Grant::everything(), request, asked)
}

#[test]
fn every_searchable_tool_has_the_rank_that_the_search_gives_it() {
    for (seed, mode) in [(1, Mode::Hybrid), (2, Mode::Lexical), (3, Mode::Dense)] {
        let all = tools(&mut Rng::with_seed(seed), 400);
        let snapshot = Published::new(&all).snapshot();
        let grant = Grant::everything();
        let request = SearchRequest { limit: 7, offset: 3, mode, ..SearchRequest::new("list the files of a folder") };
        let whole = SearchRequest { limit: 100, offset: 0, ..request.clone() };
        let ranked = search(&snapshot, &models(), &snapshot.allow(&grant), &whole).expect("an answer").hits;
        assert_eq!(ranked.len(), 100);
        let (mut n_beyond, mut n_left_out) = (0, 0);
        for tool in &all {
            let reference = tool.reference.to_string();
            let place = ranked.iter().position(|hit| hit.tool.reference == tool.reference);
            match (ask(&snapshot, &grant, &request, &reference), place) {
                (Verdict::InAnswer { rank, .. }, Some(place)) => {
                    assert!(rank == place + 1 && (3..10).contains(&place), "{reference}");
                }
                (Verdict::BeyondPage { rank, score, score_needed, .. }, Some(place)) => {
                    assert!(rank == place + 1 && !(3..10).contains(&place), "{reference}");
                    assert!((score <= score_needed) == (place >= 9), "{reference}");
                }
                (Verdict::BeyondDepth { n_searchable, lexical, dense, .. }, None) => {
                    n_beyond += 1;
                    assert!(lexical.or(dense).is_none_or(|leg| leg.rank as u64 <= n_searchable));
                    // A leg's hundred best are all candidates, so with one leg the rank is that of the leg.
                    match mode {
                        Mode::Lexical => assert!(dense.is_none() && lexical.is_none_or(|leg| leg.rank > 100)),
                        Mode::Dense => assert!(lexical.is_none() && dense.is_some_and(|leg| leg.rank > 100)),
                        Mode::Hybrid => assert!(dense.is_some()),
                    }
                }
                (Verdict::OlderVersion { newest }, None) => {
                    n_left_out += 1;
                    assert_ne!(newest, reference);
                }
                (Verdict::Deprecated { .. }, None) => n_left_out += usize::from(tool.deprecation.is_some()),
                (verdict, place) => unreachable!("{reference}: {verdict:?}, and its place is {place:?}"),
            }
        }
        assert!(n_left_out > 0 && (n_beyond > 0 || mode == Mode::Lexical), "{n_beyond} {n_left_out}");
    }
}

fn plain(reference: &str) -> Tool {
    let mut tool = tools(&mut Rng::with_seed(1), 1).remove(0);
    tool.reference = reference.parse().expect("a ref");
    tool.name = tool.reference.name().to_owned();
    tool.deprecation = None;
    tool.tags.clear();
    tool.provenance.foreign_id = format!("{}:{}", tool.reference.namespace(), tool.reference.name());
    tool
}

#[test]
fn of_several_versions_the_askers_own_is_judged() {
    let snapshot = Published::new(&["1.0.0", "2.0.0"].map(|v| plain(&format!("hub://bills.refund@{v}")))).snapshot();
    let first = Selector { refs: vec![Pattern::new("*@1.0.0").expect("a pattern")], ..Selector::default() };
    let bob = Grant::new(vec![first], Vec::new(), Default::default());
    let request = SearchRequest::new("refund a bill");
    for asked in ["hub://bills.refund", "hub://bills.refund@1.0.0", "bills:refund"] {
        assert!(matches!(ask(&snapshot, &bob, &request, asked), Verdict::InAnswer { rank: 1, .. }), "{asked}");
        let newest = everything(&snapshot, &request, asked);
        assert_eq!(matches!(newest, Verdict::InAnswer { .. }), !asked.ends_with("1.0.0"), "{asked}");
    }
    assert_eq!(ask(&snapshot, &bob, &request, "hub://bills.refund@2.0.0"), Verdict::NoGrant);
}

#[test]
fn without_vectors_the_place_is_that_of_the_words_that_ran_instead() {
    let all: Vec<Tool> = (0..120).map(|n| tool("crowd", &format!("t{n:03}"), "Translates a text.")).collect();
    let snapshot = Published::new(&all).snapshot();
    let allowed = snapshot.allow(&Grant::everything());
    let request = SearchRequest { mode: Mode::Dense, ..SearchRequest::new("translate a text") };
    let why = why_not(&snapshot, &Models::default(), &allowed, &request, "hub://crowd.t119").expect("a verdict");
    let Verdict::BeyondDepth { lexical: Some(lexical), dense: None, .. } = why.verdict else {
        unreachable!("BM25 found it: {:?}", why.verdict);
    };
    assert_eq!((lexical.rank, why.degraded), (120, vec!["dense"]));
}

#[test]
fn each_obstacle_is_told_by_its_name() {
    let mut old = plain("hub://bills.refund@1.0.0");
    old.provenance.foreign_id = "bills:refund@1.0.0".to_owned();
    let mut retired = plain("hub://bills.retired");
    retired.deprecation = Some("use refund".to_owned());
    let all = [old, plain("hub://bills.refund@2.0.0"), retired, plain("hub://drive.list")];
    let published = Published::new(&all);
    let mut with_sources = generation(&all);
    let rejected = |record: &str, reason: &str| Rejection { record: record.to_owned(), reason: reason.to_owned() };
    with_sources.sources.insert(
        "hub".to_owned(),
        SourceReport {
            read_unix_s: 7,
            rejections: vec![
                rejected("line 3: bills:broken@1.0.0", "the name is empty"),
                rejected("bills:odd", "the version is odd"),
                rejected("drive:v3:drive.files.get", "its scopes are unreadable"),
            ],
            ..SourceReport::default()
        },
    );
    let never = SourceReport { stale: Some("it answered 401".to_owned()), ..SourceReport::default() };
    with_sources.sources.insert("never".to_owned(), never);
    let lock = published.store.lock().expect("nobody else writes");
    published.store.publish(&lock, with_sources, &mut |_| {}).expect("it is published");
    let snapshot = published.snapshot();
    let request = SearchRequest::new("refund a bill");
    let check =
        |asked: &str, expected: Verdict| assert_eq!(everything(&snapshot, &request, asked), expected, "{asked}");

    check("nobody://a.b", Verdict::NoSuchSource { sources: vec!["hub".into(), "never".into()] });
    check("never://a.b", Verdict::NeverRead { why: "it answered 401".into() });
    let broken = Verdict::Rejected {
        source: "hub".into(),
        record: "line 3: bills:broken@1.0.0".into(),
        why: "the name is empty".into(),
    };
    for asked in ["hub://bills.broken", "hub://bills.broken@1.0.0", "bills:broken@1.0.0"] {
        check(asked, broken.clone());
    }
    // As Google's documents call their methods.
    let unreadable = Verdict::Rejected {
        source: "hub".into(),
        record: "drive:v3:drive.files.get".into(),
        why: "its scopes are unreadable".into(),
    };
    check("hub://drive.files.get", unreadable);
    check("hub://bills.refund@1.0.0", Verdict::OlderVersion { newest: "hub://bills.refund@2.0.0".into() });
    check("bills:refund@1.0.0", Verdict::OlderVersion { newest: "hub://bills.refund@2.0.0".into() });
    let versions = vec!["hub://bills.refund@1.0.0".into(), "hub://bills.refund@2.0.0".into()];
    check("hub://bills.refund@3.0.0", Verdict::NotIngested { near: versions });
    check("hub://bills.retired", Verdict::Deprecated { note: "use refund".into() });
    let Verdict::NotIngested { near } = everything(&snapshot, &request, "hub://drive.lists") else {
        unreachable!("there is no such tool");
    };
    assert_eq!(near[0], "hub://drive.list");

    let bills = Selector { namespaces: vec![Pattern::new("bills").expect("a pattern")], ..Selector::default() };
    let bob = Grant::new(vec![bills], Vec::new(), Default::default());
    assert_eq!(ask(&snapshot, &bob, &request, "hub://drive.list"), Verdict::NoGrant);
    let filter = Filter { tags: vec!["red".into()], namespaces: vec!["drive".into()], ..Filter::default() };
    let narrowed = SearchRequest { filter, ..request.clone() };
    let by = vec!["namespaces", "tags"];
    assert_eq!(everything(&snapshot, &narrowed, "hub://bills.refund"), Verdict::Filtered { by });
    assert!(matches!(everything(&snapshot, &request, "hub://bills.refund"), Verdict::InAnswer { .. }));
}
