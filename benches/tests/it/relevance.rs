//! Measuring sets.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use shortlist_benches::relevance::{Options, Progress, measure};
use shortlist_benches::report::Report;
use shortlist_benches::setting::Setting;
use shortlist_benches::{Dataset, metrics::Figures, table, trec};
use shortlist_index::{Mode, Models};

use crate::support::{CountingEmbedder, Files, crosscheck, models};

const LEXICAL: Setting = Setting::Search { mode: Mode::Lexical, rerank: false };

fn options(modes: &[Mode]) -> Options {
    Options { settings: modes.iter().map(|&mode| Setting::of(mode)).collect(), ..Options::default() }
}

fn measured(dataset: &Dataset, modes: &[Mode]) -> Report {
    measure(dataset, &models(CountingEmbedder::new(false)), &options(modes), &|_| {}).expect("a good set")
}

/// Three tools that share no word, so that every ranking is known beforehand.
fn known() -> Dataset {
    let tools = ["apples", "pears", "plums"].map(|fruit| {
        format!("{{\"id\":\"{fruit}\",\"namespace\":\"n\",\"name\":\"{fruit}\",\"description\":\"{fruit}\"}}\n")
    });
    let queries = concat!(
        r#"{"id":"1","query":"apples","relevant":{"apples":1},"split":"one"}"#,
        "\n",
        r#"{"id":"2","query":"plums","relevant":{"plums":1,"pears":1},"split":"two"}"#,
        "\n",
        r#"{"id":"3","query":"pears","relevant":{"plums":1}}"#,
        "\n",
        r#"{"id":"4","query":"apples","relevant":{"quinces":1,"apples":0},"split":"two"}"#,
        "\n",
    );
    Files::new(&tools.concat(), queries).read().expect("a good set")
}

#[test]
fn the_figures_of_a_known_ranking_are_those_computed_by_hand() {
    let report = measured(&known(), &[Mode::Lexical]);
    let run = &report.runs[0];
    let near = |got: f64, expected: f64| assert!((got - expected).abs() < 1e-9, "got {got}, expected {expected}");
    // Of four queries the first is perfect, the second finds one of two, the others find nothing relevant.
    let Figures { ndcg_at_10, recall_at_1, recall_at_20, completeness_at_10, mrr, hit_at_1, .. } = run.overall.figures;
    near(ndcg_at_10, (1.0 + 1.0 / (1.0 + 1.0 / 3f64.log2())) / 4.0);
    near(recall_at_1, 1.5 / 4.0);
    near(recall_at_20, 1.5 / 4.0);
    near(completeness_at_10, 0.25);
    near(mrr, 0.5);
    near(hit_at_1, 0.5);

    let parts: BTreeMap<&str, usize> = run.splits.iter().map(|(name, part)| (name.as_str(), part.n_queries)).collect();
    assert_eq!(parts, BTreeMap::from([("one", 1), ("two", 2)]), "a query without a split counts in the whole only");
    near(run.splits["one"].figures.ndcg_at_10, 1.0);
    near(run.splits["two"].figures.hit_at_1, 0.5);
}

#[test]
fn a_relevant_tool_that_is_not_in_the_catalog_is_a_miss_and_is_reported() {
    let report = measured(&known(), &[Mode::Lexical]);
    assert_eq!((report.dataset.n_relevant, report.dataset.n_relevant_absent), (5, 1));
    assert!(table::print(std::slice::from_ref(&report)).contains("1 relevant tools are not in the catalog"));
}

#[test]
fn results_are_in_the_queries_order_and_the_same_on_any_number_of_threads() {
    let dataset = crosscheck(None);
    let modes = [Mode::Lexical, Mode::Dense, Mode::Hybrid];
    let on_threads = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().expect("threads");
        pool.install(|| measured(&dataset, &modes))
    };
    let (one, four) = (on_threads(1), on_threads(4));
    assert_eq!((one.n_threads, four.n_threads), (1, 4));
    for (one, four) in one.runs.iter().zip(&four.runs) {
        assert!(one.rankings.iter().map(|ranking| &ranking.query).eq(dataset.queries.iter().map(|query| &query.id)));
        assert_eq!(one.rankings, four.rankings);
        assert_eq!(one.overall.figures, four.overall.figures);
    }
}

#[test]
fn every_setting_is_a_line_of_the_table_and_a_run_of_the_json() {
    let report = measured(&crosscheck(None), &[Mode::Lexical, Mode::Hybrid]);
    let table = table::print(std::slice::from_ref(&report));
    let lines: Vec<&str> =
        table.lines().filter(|line| line.contains(" lexical ") || line.contains(" hybrid ")).collect();
    assert_eq!(lines.len(), 14, "two settings, each over all queries, three splits, two kinds and `several`:\n{table}");

    let json = serde_json::to_value(&report).expect("plain data");
    assert_eq!(json["runs"][1]["mode"], "hybrid");
    assert_eq!(json["runs"][1]["overall"]["n_queries"], 32);
    assert!(json["runs"][1]["splits"]["several"]["ndcg_at_10"].is_f64(), "{json:#}");
    assert!(json["runs"][1].get("rankings").is_none(), "rankings belong into the run file");
    assert_eq!(json["dataset"]["tools_sha256"].as_str().map(str::len), Some(64));
}

#[test]
fn a_run_file_keeps_our_order_by_score() {
    let dataset = crosscheck(None);
    let report = measured(&dataset, &[Mode::Hybrid]);
    let rankings = &report.runs[0].rankings;
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (run, qrels) = (dir.path().join("out.run"), dir.path().join("out.qrels"));
    trec::write_run(&run, "short list", rankings).expect("the folder is ours");
    trec::write_qrels(&qrels, &dataset.queries).expect("the folder is ours");

    let text = fs::read_to_string(&run).expect("just written");
    let mut lines = text.lines();
    for ranking in rankings {
        let mut above = usize::MAX;
        for (place, tool) in ranking.tools.iter().enumerate() {
            let line = lines.next().expect("a line for each hit");
            let fields: Vec<&str> = line.split_whitespace().collect();
            let score: usize = fields[4].parse().expect("a whole number");
            assert_eq!(fields[..4], [ranking.query.as_str(), "Q0", &trec::field(tool), &(place + 1).to_string()]);
            assert_eq!(fields[5..], ["short%20list"]);
            assert!(score < above, "{line}");
            above = score;
        }
    }
    assert_eq!(lines.next(), None);

    let judged: usize = dataset.queries.iter().map(|query| query.relevant.len()).sum();
    let text = fs::read_to_string(&qrels).expect("just written");
    assert_eq!(text.lines().count(), judged);
    assert!(text.contains("q16 0 api.example:GET%20/quotes 1\n"), "{text}");
    assert!(text.contains("q06 0 harbour_book_berth 0\n"), "grade 0 is a judgement too:\n{text}");
}

#[test]
fn a_mode_without_its_model_is_refused_before_anything_is_done() {
    let none = Models::default();
    let error = |mode, rerank| {
        let options = Options { settings: vec![Setting::Search { mode, rerank }], ..Options::default() };
        measure(&known(), &none, &options, &|_| {}).expect_err("no model").to_string()
    };
    assert!(error(Mode::Hybrid, false).contains("needs an embedding model"));
    assert!(error(Mode::Dense, false).contains("needs an embedding model"));
    assert!(error(Mode::Lexical, true).contains("needs a reranking model"));
    let lexical = Options { settings: vec![LEXICAL], ..Options::default() };
    let report = measure(&known(), &none, &lexical, &|_| {}).expect("lexical search needs none");
    assert_eq!(report.embedder, None);
}

#[test]
fn a_stage_that_fails_ends_the_measurement() {
    let models = models(CountingEmbedder::new(true));
    let error = measure(&known(), &models, &options(&[Mode::Hybrid]), &|_| {}).expect_err("queries cannot be embedded");
    assert!(error.to_string().contains("without its dense stage"), "{error}");
}

#[test]
fn vectors_are_kept_between_runs_where_a_cache_is_given() {
    let dataset = crosscheck(Some(3));
    let dir = tempfile::tempdir().expect("a temporary folder");
    let embedder = CountingEmbedder::new(false);
    let options = Options { embedding_cache: Some(dir.path().join("vectors")), ..options(&[Mode::Dense]) };
    let n_embedded = AtomicUsize::new(0);
    let mut rankings = Vec::new();
    for _ in 0..2 {
        let report = measure(&dataset, &models(embedder.clone()), &options, &|progress| {
            if let Progress::Embedded(n_tools) = progress {
                n_embedded.fetch_add(n_tools, Ordering::Relaxed);
            }
        });
        rankings.push(report.expect("a good set").runs.remove(0).rankings);
    }
    assert_eq!(embedder.n_documents.load(Ordering::Relaxed), dataset.tools.len(), "the second run embeds nothing");
    assert_eq!(n_embedded.load(Ordering::Relaxed), 2 * dataset.tools.len(), "progress reaches its end both times");
    assert_eq!(rankings[0], rankings[1]);
}
