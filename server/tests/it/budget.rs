//! The budget of tokens: no answer takes more, and nothing is lost to it.

use serde_json::json;

use crate::doors::server;
use crate::harness::{ALICE, pick};

#[tokio::test]
async fn the_budget_of_tokens_is_kept_and_nothing_is_lost_to_it() {
    let server = server();
    let whole =
        server.post(&ALICE, "/v1/search_tools", json!({ "query": "order", "limit": 50, "detail": "name" })).await.ok();
    let refs = |answer: &serde_json::Value| -> Vec<String> {
        let hits = answer["hits"].as_array().expect("hits");
        hits.iter().map(|hit| hit["ref"].as_str().expect("a ref").to_owned()).collect()
    };
    for max_tokens in [200, 400, 1_000, 3_000] {
        let mut body = json!({ "query": "order", "limit": 50, "detail": "full", "max_tokens": max_tokens });
        let mut seen = Vec::new();
        while seen.len() < 50 {
            let answer = server.post(&ALICE, "/v1/search_tools", body.clone()).await;
            assert!(answer.body.len().div_ceil(4) <= max_tokens, "{} bytes for {max_tokens}", answer.body.len());
            let answer = answer.ok();
            let found = refs(&answer);
            let lowered = answer["hits"].as_array().expect("hits").iter().any(|hit| hit["detail"] != "full");
            assert_eq!(answer["truncated"], lowered || answer["omitted"] != 0);
            assert!(!found.is_empty());
            seen.extend(found);
            body["cursor"] = answer["next_cursor"].clone();
        }
        assert_eq!(seen[..50], refs(&whole)[..]);
    }
}

#[tokio::test]
async fn the_budget_of_tokens_is_kept_whatever_is_asked() {
    let server = server();
    let mut rng = fastrand::Rng::with_seed(31);
    let filling = ["\"", "\\", "\u{1}", "ж", "👩", "order", "and", "mail"];
    let (mut n_with_parts, mut n_cut, mut n_empty) = (0, 0, 0);
    for _ in 0..300 {
        let mut query = String::new();
        for _ in 0..rng.usize(1..8) {
            let n_words = *rng.choice(&[1, 5, 40, 300]).expect("four");
            let words: Vec<&str> = (0..n_words).map(|_| pick(&mut rng, &filling)).collect();
            query += &format!("Please {} the {}. ", pick(&mut rng, &["send", "delete", "create"]), words.join(" "));
        }
        let query: String = query.chars().take(8_000).collect();
        let max_tokens = *rng.choice(&[200, 230, 300, 500, 2_000]).expect("five") + rng.usize(..50);
        let detail = pick(&mut rng, &["name", "summary", "signature", "full"]);
        let body = json!({
            "query": query, "limit": rng.usize(1..=50), "detail": detail, "max_tokens": max_tokens,
            "explain": rng.bool(), "mode": pick(&mut rng, &["lexical", "dense", "hybrid"]),
        });
        let answer = server.post(&ALICE, "/v1/search_tools", body.clone()).await;
        assert!(answer.body.len().div_ceil(4) <= max_tokens, "{} bytes for {body}", answer.body.len());
        let answer = answer.ok();
        let (hits, parts) = (answer["hits"].as_array().expect("hits"), answer["parts"].as_array().expect("parts"));
        n_with_parts += usize::from(!parts.is_empty());
        n_cut +=
            usize::from(parts.iter().any(|part| !query.contains(&format!("{}. ", part.as_str().expect("a text")))));
        n_empty += usize::from(hits.is_empty() && answer["omitted"] != 0);
        let is_lowered = hits.iter().any(|hit| hit["detail"] != detail);
        assert_eq!(answer["truncated"], is_lowered || answer["omitted"] != 0, "{body}");
    }
    assert!(n_with_parts > 50 && n_cut > 20 && n_empty < 100, "{n_with_parts} {n_cut} {n_empty}");
}
