//! What a caller may ask, to the edge and past it.

use std::cell::{Cell, RefCell};

use fastrand::Rng;
use rayon::prelude::*;
use shortlist_index::{
    DEPTH_MAX, Grant, HashingEmbedder, LIMIT_MAX, Mode, Models, QUERY_CHARS_MAX, SearchRequest, Stage, Stages, search,
    search_followed,
};

use crate::catalog::{Published, models, query, tool, tools};

#[test]
fn each_limit_holds_at_its_edge() {
    let snapshot = Published::new(&tools(&mut Rng::with_seed(1), 30)).snapshot();
    let allowed = snapshot.allow(&Grant::everything());
    let try_it = |request: SearchRequest| match search(&snapshot, &models(), &allowed, &request) {
        Ok(_) => "answered".to_owned(),
        Err(error) => {
            assert!(error.is_callers());
            error.to_string()
        }
    };
    let base = || SearchRequest::new("list files");
    assert_eq!(try_it(SearchRequest::new("ж".repeat(QUERY_CHARS_MAX))), "answered");
    assert!(try_it(SearchRequest::new("ж".repeat(QUERY_CHARS_MAX + 1))).contains("8001 characters"));
    assert!(try_it(SearchRequest::new(" \n")).contains("empty"));
    assert_eq!(try_it(SearchRequest { limit: LIMIT_MAX, ..base() }), "answered");
    assert!(try_it(SearchRequest { limit: LIMIT_MAX + 1, ..base() }).contains("not 101"));
    assert!(try_it(SearchRequest { limit: 0, ..base() }).contains("not 0"));
    let as_found = SearchRequest { mode: Mode::Lexical, whole: true, collapse: false, ..base() };
    assert!(try_it(SearchRequest { limit: usize::MAX, ..as_found }).contains("a page has 1 to 100 hits"));
    assert_eq!(try_it(SearchRequest { offset: DEPTH_MAX - 1, limit: 1, ..base() }), "answered");
    assert!(try_it(SearchRequest { offset: DEPTH_MAX, limit: 1, ..base() }).contains("101"));
    assert!(try_it(SearchRequest { offset: usize::MAX, limit: 1, ..base() }).contains("as far as hit 100"));
}

#[test]
fn a_missing_model_takes_its_stage_away_and_says_so() {
    let snapshot = Published::new(&tools(&mut Rng::with_seed(1), 30)).snapshot();
    let allowed = snapshot.allow(&Grant::everything());
    let ask =
        |models: &Models, request: SearchRequest| search(&snapshot, models, &allowed, &request).expect("an answer");
    let none = Models::default();
    let degraded = ask(&none, SearchRequest { rerank: true, ..SearchRequest::new("list files") });
    assert_eq!(degraded.degraded.iter().map(|degraded| degraded.stage).collect::<Vec<_>>(), ["dense", "rerank"]);
    let other = Models { embedder: Some(std::sync::Arc::new(HashingEmbedder::new(32))), reranker: None };
    let mismatched = ask(&other, SearchRequest::new("list files"));
    assert!(mismatched.degraded[0].reason.contains("made by model hashing-64, and hashing-32 is loaded"));
    let lexical = ask(&none, SearchRequest { mode: Mode::Lexical, ..SearchRequest::new("list files") });
    assert_eq!(lexical.degraded, []);
    assert_eq!(degraded.hits, lexical.hits);
}

#[test]
fn an_allowed_set_of_another_generation_is_refused() {
    let all = tools(&mut Rng::with_seed(1), 30);
    let published = Published::new(&all);
    let old = published.snapshot().allow(&Grant::everything());
    published.publish(&all[1..]);
    let error = search(&published.snapshot(), &models(), &old, &SearchRequest::new("list")).expect_err("it is old");
    assert!(!error.is_callers() && error.to_string().contains("belongs to generation 1, the snapshot is 2"));
}

#[test]
fn the_same_tools_give_the_same_answers() {
    let all = tools(&mut Rng::with_seed(2), 200);
    let mut shuffled = all.clone();
    Rng::with_seed(3).shuffle(&mut shuffled);
    let (one, two) = (Published::new(&all).snapshot(), Published::new(&shuffled).snapshot());
    for query in ["list files", "delete invoice", "отчёт", "files.list1"] {
        let ask = |snapshot| {
            let request = SearchRequest { limit: 50, explain: true, ..SearchRequest::new(query) };
            search(snapshot, &models(), &snapshot.allow(&Grant::everything()), &request).expect("an answer")
        };
        assert_eq!(ask(&one), ask(&two), "{query}");
    }
}

/// Remembers what was entered, and that it was left before the next.
#[derive(Default)]
struct Way(RefCell<Vec<(Stage, bool)>>);

impl Stages for Way {
    fn enter(&self, stage: Stage) {
        assert!(self.0.borrow().iter().all(|(_, left)| *left), "{stage:?} begins inside another stage");
        self.0.borrow_mut().push((stage, false));
    }

    fn leave(&self, stage: Stage) {
        let mut way = self.0.borrow_mut();
        let last = way.last_mut().expect("something was entered");
        assert_eq!(*last, (stage, false));
        last.1 = true;
    }
}

#[test]
fn a_search_tells_each_stage_that_it_runs_and_answers_the_same() {
    use Stage::{Collapse, Dense, Embed, Fetch, Fuse, Lexical, Rerank};
    let snapshot = Published::new(&tools(&mut Rng::with_seed(1), 30)).snapshot();
    let allowed = snapshot.allow(&Grant::everything());
    let check_query = |query: &str, models: &Models, mode: Mode, rerank: bool, expected: &[Stage]| {
        let request = SearchRequest { mode, rerank, ..SearchRequest::new(query) };
        let way = Way::default();
        let followed = search_followed(&snapshot, models, &allowed, &request, &way).expect("an answer");
        assert_eq!(followed, search(&snapshot, models, &allowed, &request).expect("an answer"));
        let way = way.0.into_inner();
        assert!(way.iter().all(|(_, left)| *left));
        assert_eq!(way.iter().map(|(stage, _)| *stage).collect::<Vec<_>>(), expected, "{mode}");
    };
    let check = |models: &Models, mode, rerank, expected: &[Stage]| {
        check_query("list files", models, mode, rerank, expected);
    };
    check(&models(), Mode::Lexical, false, &[Lexical, Fuse, Collapse, Fetch]);
    check(&models(), Mode::Dense, false, &[Embed, Dense, Fuse, Collapse, Fetch]);
    check(&models(), Mode::Hybrid, true, &[Embed, Dense, Lexical, Fuse, Rerank, Collapse, Fetch]);
    // Without a model the attempt is a stage too.
    check(&Models::default(), Mode::Dense, false, &[Embed, Lexical, Fuse, Collapse, Fetch]);
    // A query of two parts is searched whole, then each part of it.
    let two = "list the files of a folder. Then delete the oldest event";
    let each = [Lexical, Fuse].repeat(3);
    check_query(two, &models(), Mode::Lexical, false, &[&each[..], &[Fuse, Collapse, Fetch]].concat());
    let each = [Dense, Lexical, Fuse].repeat(3);
    check_query(two, &models(), Mode::Hybrid, false, &[&[Embed], &each[..], &[Fuse, Collapse, Fetch]].concat());
}

/// Over many tools both legs run at the same time.
#[test]
fn legs_that_run_side_by_side_find_what_each_finds_alone() {
    use Stage::{Dense, Embed, Fetch, Fuse, Lexical};
    let some = tools(&mut Rng::with_seed(5), 500);
    let many = (0..20_500).zip(some.iter().cycle()).map(|(n, one)| {
        let name = format!("{}{n}", one.name);
        tool("many", &name, &one.description)
    });
    let snapshot = Published::new(&many.collect::<Vec<_>>()).snapshot();
    let allowed = snapshot.allow(&Grant::everything());
    assert!(allowed.n_searchable() >= 20_000);
    let rng = &mut Rng::with_seed(6);
    for _ in 0..20 {
        let request = SearchRequest { limit: 100, collapse: false, whole: true, ..SearchRequest::new(query(rng)) };
        let request = SearchRequest { explain: true, ..request };
        let way = Way::default();
        let answer = search_followed(&snapshot, &models(), &allowed, &request, &way).expect("an answer");
        let stages: Vec<Stage> = way.0.into_inner().into_iter().map(|(stage, _)| stage).collect();
        assert_eq!(stages, [Embed, Lexical, Dense, Fuse, Fetch], "the dense leg is waited for after the lexical one");
        let alone = |mode| {
            let alone = search(&snapshot, &models(), &allowed, &SearchRequest { mode, ..request.clone() });
            alone.expect("an answer").hits.into_iter().map(|hit| (hit.tool.reference, hit.score)).collect::<Vec<_>>()
        };
        let (lexical, dense) = (alone(Mode::Lexical), alone(Mode::Dense));
        for hit in &answer.hits {
            let why = hit.explanation.as_ref().expect("it was asked for");
            for (leg, alone) in [(why.lexical, &lexical), (why.dense, &dense)] {
                let place = alone.iter().position(|(reference, _)| *reference == hit.tool.reference);
                let expected = place.map(|place| (place + 1, alone[place].1));
                assert_eq!(leg.map(|leg| (leg.rank, leg.score)), expected, "{}: {}", request.query, hit.tool.reference);
            }
        }
    }
}

/// A search waits for what it begins elsewhere, and does not begin another caller's meanwhile: whose searches run on a pool of
/// threads that help each other would have them one inside the other, until the stack ends.
#[test]
fn a_search_on_a_pool_of_threads_begins_no_other_inside_itself() {
    thread_local! {
        static DEPTH: Cell<u32> = const { Cell::new(0) };
    }
    let snapshot = Published::new(&tools(&mut Rng::with_seed(1), 30)).snapshot();
    let allowed = snapshot.allow(&Grant::everything());
    (0..2_000).into_par_iter().for_each(|n| {
        DEPTH.set(DEPTH.get() + 1);
        assert_eq!(DEPTH.get(), 1, "search {n} began inside another");
        let two = SearchRequest::new(format!("list the files of folder {n}. Then delete the oldest event"));
        let answer = search(&snapshot, &models(), &allowed, &two).expect("an answer");
        assert_eq!(answer.parts.len(), 2);
        DEPTH.set(DEPTH.get() - 1);
    });
}
