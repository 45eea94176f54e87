//! A query that asks for several things.

use shortlist_index::{Answer, DEPTH_MAX, Explanation, Grant, Mode, Models, SearchRequest, Snapshot, Tool, search};

use crate::catalog::{Published, models, tool};

const QUERY: &str =
    "Translate the text into Bengali. Then cancel the insurance policy, and finally restart the web server.";
const PARTS: [&str; 3] = ["Translate the text into Bengali", "cancel the insurance policy", "restart the web server"];

fn snapshot() -> Snapshot {
    let mut tools: Vec<Tool> = (0..40)
        .map(|n| {
            tool("crowd", &format!("t{n}"), "Translate text, cancel text, restart text: the text of a policy server.")
        })
        .collect();
    tools.push(tool("words", "translate", "Translates a text into Bengali."));
    tools.push(tool("cover", "cancel_policy", "Cancels an insurance policy."));
    tools.push(tool("ops", "restart_server", "Restarts a web server."));
    Published::new(&tools).snapshot()
}

fn ask(snapshot: &Snapshot, models: &Models, request: &SearchRequest) -> Answer {
    search(snapshot, models, &snapshot.allow(&Grant::everything()), request).expect("an answer")
}

#[test]
fn an_answer_covers_the_parts_and_each_hit_says_which() {
    let snapshot = snapshot();
    for mode in [Mode::Lexical, Mode::Hybrid] {
        let request = SearchRequest { mode, explain: true, ..SearchRequest::new(QUERY) };
        let answer = ask(&snapshot, &models(), &request);
        assert_eq!(answer.parts, PARTS);
        for (part, name) in ["translate", "cancel_policy", "restart_server"].into_iter().enumerate() {
            let hit = answer.hits.iter().find(|hit| hit.tool.name == name).expect("it is found");
            assert_eq!(hit.part, Some(part), "{mode}: {name}");
            assert_eq!(
                hit.explanation.as_ref().and_then(|explanation| explanation.part_rank),
                Some(1),
                "{mode}: {name}"
            );
        }
        assert!(answer.hits.is_sorted_by(|a, b| a.score >= b.score));
    }
}

/// The query is a passage, and each of its parts is a short request: what is told of a hit is of one of the two readings.
#[test]
fn a_hit_that_the_whole_query_finds_is_explained_by_the_whole_query() {
    const PASSAGE: &str = "Translate the text of the long letter that came this morning from the office in Dhaka into Bengali. \
        Then cancel the insurance policy of the old car that was sold last week, and finally restart the web server of the shop.";
    let snapshot = snapshot();
    for mode in [Mode::Lexical, Mode::Hybrid] {
        let request = SearchRequest { mode, explain: true, limit: DEPTH_MAX, ..SearchRequest::new(PASSAGE) };
        let whole = ask(&snapshot, &models(), &SearchRequest { whole: true, ..request.clone() });
        let answer = ask(&snapshot, &models(), &request);
        assert_eq!((answer.parts.len(), answer.hits.len()), (3, whole.hits.len()));
        for hit in answer.hits {
            let of_whole = whole.hits.iter().find(|one| one.tool == hit.tool).expect("the whole query finds it");
            let told = hit.explanation.map(|explanation| Explanation { part_rank: None, ..explanation });
            assert_eq!(told, of_whole.explanation, "{mode}: {}", hit.tool.reference);
        }
    }
}

#[test]
fn pages_of_such_an_answer_are_pieces_of_one_list() {
    let snapshot = snapshot();
    let whole = ask(&snapshot, &models(), &SearchRequest { limit: DEPTH_MAX, ..SearchRequest::new(QUERY) });
    let mut paged = Vec::new();
    for offset in (0..whole.hits.len()).step_by(7) {
        let page = ask(&snapshot, &models(), &SearchRequest { offset, limit: 7, ..SearchRequest::new(QUERY) });
        assert_eq!((&page.parts, page.confidence), (&whole.parts, whole.confidence));
        paged.extend(page.hits);
    }
    assert_eq!(paged, whole.hits);
}

#[test]
fn a_query_can_be_searched_whole_and_one_of_one_part_always_is() {
    let snapshot = snapshot();
    let request = |query: &str, whole| SearchRequest { whole, ..SearchRequest::new(query) };
    let unsplit = ask(&snapshot, &models(), &request(QUERY, true));
    assert_eq!((&*unsplit.parts, unsplit.hits.iter().find(|hit| hit.part.is_some())), (&[][..], None));
    assert_ne!(unsplit.hits, ask(&snapshot, &models(), &request(QUERY, false)).hits);
    for single in ["cancel the insurance policy", "restart_server", "search and filter by date"] {
        assert_eq!(
            ask(&snapshot, &models(), &request(single, true)),
            ask(&snapshot, &models(), &request(single, false))
        );
    }
}

#[test]
fn a_stage_that_fails_is_named_once() {
    let snapshot = snapshot();
    let degraded = ask(&snapshot, &Models::default(), &SearchRequest::new(QUERY));
    assert_eq!(degraded.degraded.iter().map(|degraded| degraded.stage).collect::<Vec<_>>(), ["dense"]);
    assert_eq!(degraded.parts, PARTS);
    let lexical =
        ask(&snapshot, &Models::default(), &SearchRequest { mode: Mode::Lexical, ..SearchRequest::new(QUERY) });
    assert_eq!(degraded.hits, lexical.hits);
}
