//! Several sets in one run: pooled with distractors, and compared with a saved run.

use std::fs;

use shortlist_benches::floors::Floors;
use shortlist_benches::relevance::{Options, measure};
use shortlist_benches::report::Report;
use shortlist_benches::setting::Setting;
use shortlist_benches::{BadTools, Dataset, Evaluation, Pool, Sets, differences, html, table};
use shortlist_index::Mode;

use crate::support::{CountingEmbedder, Files, crosscheck, models};

const TOOLS: &str = "{\"id\":\"a\",\"namespace\":\"n\",\"name\":\"alpha\",\"description\":\"Counts apples.\"}\n\
                     {\"id\":\"b\",\"namespace\":\"n\",\"name\":\"beta\",\"description\":\"Counts pears.\"}\n";
const QUERIES: &str = "{\"id\":\"1\",\"query\":\"apples\",\"relevant\":{\"a\":1}}\n";

fn line(id: &str, namespace: &str, name: &str, description: &str) -> String {
    format!("{{\"id\":\"{id}\",\"namespace\":\"{namespace}\",\"name\":\"{name}\",\"description\":\"{description}\"}}\n")
}

fn report(dataset: &Dataset, settings: &[Setting]) -> Report {
    let options = Options { settings: settings.to_vec(), ..Options::default() };
    measure(dataset, &models(CountingEmbedder::new(false)), &options, &|_| {}).expect("a good set")
}

fn pool(tools: &str) -> Pool {
    let files = Files::new(tools, QUERIES);
    Pool::read(&files.tools(), BadTools::Refuse).expect("good tools")
}

/// Forty tools, of which the crosscheck's queries want others than these distractors.
#[test]
fn distractors_are_searched_with_the_set_and_make_it_no_easier() {
    let set = crosscheck(None);
    // The same refs as the set's own but for the source, and words of its queries.
    let others: String = set
        .tools
        .iter()
        .enumerate()
        .map(|(i, tool)| line(&format!("other-{i}"), tool.reference.namespace(), &format!("copy {i}"), &tool.name))
        .collect();
    let pooled = pool(&others).around(&set).expect("no tool of the set is among them");
    let description = &pooled.description;
    assert_eq!((description.n_tools, description.n_queries), (80, set.queries.len()));
    assert_eq!(description.n_relevant_absent, set.description.n_relevant_absent);
    let added = description.pool.as_ref().map(|pool| (pool.n_tools, pool.n_left_out));
    assert_eq!(added, Some((40, 0)));
    assert_eq!(description.label(), format!("{}+pool", set.description.set));

    let settings = [Setting::Plain, Setting::of(Mode::Lexical)];
    let (alone, pooled) = (report(&set, &settings), report(&pooled, &settings));
    for (alone, pooled) in alone.runs.iter().zip(&pooled.runs) {
        let (alone, pooled) = (alone.overall.figures.ndcg_at_10, pooled.overall.figures.ndcg_at_10);
        assert!(pooled < alone, "{pooled} among distractors, {alone} without");
    }
    let text = table::print(&[alone, pooled]);
    assert!(text.contains("40 of them are distractors of"), "{text}");
}

#[test]
fn a_copy_of_a_tool_is_left_out_of_the_pool_and_a_set_of_copies_is_not_pooled() {
    let set = crosscheck(None);
    let first = &set.tools[0];
    let by_id = line(&first.provenance.foreign_id, "x", "renamed", "Something else.");
    let by_text = line("new", "x", &set.tools[1].name.to_uppercase(), &format!(" {}  ", set.tools[1].description));
    let other = line("other", "x", "other", "Nothing of the kind.");
    let pooled = pool(&format!("{by_id}{by_text}{other}")).around(&set).expect("two of forty are few");
    let added = pooled.description.pool.map(|pool| (pool.n_tools, pool.n_left_out));
    assert_eq!(added, Some((1, 2)));

    let small = Files::new(TOOLS, QUERIES).read().expect("a good set");
    let overlap = pool(&format!("{TOOLS}{other}")).around(&small).expect_err("all its tools are in the pool");
    assert_eq!((overlap.n_shared, overlap.n_tools), (2, 2));
    assert!(overlap.to_string().contains("2 of its 2 tools are in it"), "{overlap}");
}

#[test]
fn the_sets_of_a_folder_are_those_with_tools_and_queries() {
    let folder = tempfile::tempdir().expect("a folder");
    for (set, queries) in [("second", true), ("catalog", false), ("first", true)] {
        let set = folder.path().join(set);
        fs::create_dir(&set).expect("the folder is ours");
        fs::write(set.join("tools.jsonl"), TOOLS).expect("the folder is ours");
        if queries {
            fs::write(set.join("queries.jsonl"), QUERIES).expect("the folder is ours");
        }
    }
    let sets = Sets::open(folder.path()).expect("two sets");
    assert_eq!(sets.names(), ["first", "second"]);
    assert_eq!(
        sets.read("first", None, BadTools::Refuse).map(|set| set.description.set).ok().as_deref(),
        Some("first")
    );
    let error = |name: &str| sets.read(name, None, BadTools::Refuse).expect_err("no set").to_string();
    assert!(error("catalog").contains("there are: first, second"), "{}", error("catalog"));
    let absent = Sets::open(&folder.path().join("catalog")).expect_err("no set there").to_string();
    assert!(absent.contains("--sets") && absent.contains("--tools and --queries"), "{absent}");
}

#[test]
fn a_saved_run_is_compared_query_by_query_and_only_with_the_same_data() {
    let (lexical, plain) = (Setting::of(Mode::Lexical), Setting::Plain);
    let set = crosscheck(None);
    let evaluation =
        Evaluation::new(vec![report(&set, &[plain, lexical, Setting::of(Mode::Dense), Setting::of(Mode::Hybrid)])]);
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("saved.json");
    fs::write(&path, serde_json::to_string(&evaluation).expect("plain data")).expect("the folder is ours");
    let saved = Evaluation::read(&path).expect("just written");

    // The same settings again: no difference at all, over all queries and each split.
    let now = report(&set, &[lexical]);
    let rows = differences::between(std::slice::from_ref(&now), &saved.sets).expect("the same data");
    assert_eq!(rows.len(), 1 + now.runs[0].splits.len());
    assert!(rows.iter().all(|row| row.difference.mean == 0.0 && !row.difference.is_beyond_noise()), "{rows:?}");

    // A run that answered nothing is worse beyond noise.
    let mut nothing = now.clone();
    nothing.runs[0].ndcg_at_10_by_query.iter_mut().for_each(|figure| *figure = 0.0);
    let rows = differences::between(&[nothing], &saved.sets).expect("the same data");
    assert!(rows[0].difference.is_beyond_noise() && rows[0].difference.mean < 0.0);
    assert!(table::differences(&rows).contains("yes, WORSE"));

    // What else was otherwise is said, for it may be what is compared.
    let against = |edit: &dyn Fn(&mut Report)| {
        let (mut now, mut before) = (now.clone(), saved.sets.clone());
        (now.runs[0].rerank, before[0].runs[1].rerank) = (true, true);
        (now.reranker, before[0].reranker) = (Some("one".to_owned()), Some("one".to_owned()));
        edit(&mut before[0]);
        differences::between(&[now], &before).expect("the same data")[0].against.clone()
    };
    assert_eq!(against(&|_| {}), "lexical+rerank, saved");
    assert_eq!(against(&|before| before.no_collapse = true), "lexical+rerank, saved, copies apart");
    assert_eq!(against(&|before| before.reranker = Some("2".to_owned())), "lexical+rerank, saved, another reranker");
    assert_eq!(against(&|before| before.reranker = None), "lexical+rerank, saved", "an older file");

    let other = |edit: &dyn Fn(&mut Report), what: &str| {
        let mut report = now.clone();
        edit(&mut report);
        let error = differences::between(&[report], &saved.sets).expect_err(what).to_string();
        assert!(error.contains(what), "{error}");
    };
    other(&|report| report.dataset.tools_sha256.replace_range(..1, "x"), "other tools");
    other(&|report| report.dataset.queries_sha256.replace_range(..1, "x"), "other queries");
    other(&|report| report.queries.truncate(5), "other queries");
    other(&|report| report.dataset.set.push('2'), "no set and setting in common");

    fs::write(&path, "{\"runs\":[]}").expect("the folder is ours");
    let error = Evaluation::read(&path).expect_err("an older report").to_string();
    assert!(error.contains("no saved run") && error.contains("--json"), "{error}");
}

#[test]
fn hybrid_is_held_against_the_better_of_its_legs() {
    let settings = [Setting::of(Mode::Lexical), Setting::of(Mode::Dense), Setting::of(Mode::Hybrid)];
    let report = report(&crosscheck(None), &settings);
    let rows = differences::within(&report);
    let mean = |setting: &str| report.run(setting).map_or(0.0, |run| run.overall.figures.ndcg_at_10);
    let best = if mean("dense") > mean("lexical") { "dense" } else { "lexical" };
    assert_eq!((rows[0].of.as_str(), rows[0].against.as_str(), rows[0].part.as_str()), ("hybrid", best, "all"));
    assert!((rows[0].difference.mean - (mean("hybrid") - mean(best))).abs() < 1e-6);
    assert_eq!(rows.len(), 1 + report.runs[0].splits.len());
}

#[test]
fn the_page_needs_nothing_from_elsewhere_and_takes_hostile_text_as_text() {
    let tools = line("<b>a", "n", "alpha", "Counts apples.") + &line("b", "n", "beta", "Counts pears.");
    let queries = "{\"id\":\"<script>\",\"query\":\"pears </td><script>alert(1)</script>\",\"relevant\":{\"<b>a\":1},\
                   \"split\":\"\\\"><img src=x>\"}\n";
    let set = Files::new(&tools, queries).read().expect("a good set");
    let settings = [Setting::Plain, Setting::of(Mode::Lexical), Setting::of(Mode::Dense), Setting::of(Mode::Hybrid)];
    let evaluation = Evaluation::new(vec![report(&set, &settings), report(&crosscheck(None), &settings)]);
    let page = html::page(&evaluation, &[]);

    assert_eq!(page.matches("<svg ").count(), 6, "three plots for each set");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
    assert!(page.contains("<code>&lt;b&gt;a</code>"), "what was wanted stands with the hardest queries");
    for foreign in ["<script", "<img", "<link", "<b>", "http:", "https:", "url(", "@import", "NaN", "inf"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    for element in ["table", "svg", "figure", "div", "tr", "td", "text", "code"] {
        let open = page.matches(&format!("<{element}>")).count() + page.matches(&format!("<{element} ")).count();
        assert_eq!(open, page.matches(&format!("</{element}>")).count(), "{element}");
    }
}

#[test]
fn a_floor_falls_where_the_figure_lies_below_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = folder.path().join("known");
    fs::create_dir(&set).expect("the folder is ours");
    fs::write(set.join("tools.jsonl"), TOOLS).expect("the folder is ours");
    // One of two queries finds its tool.
    let queries = format!("{QUERIES}{}", QUERIES.replace("\"1\"", "\"2\"").replace("apples", "plums"));
    fs::write(set.join("queries.jsonl"), queries).expect("the folder is ours");
    let sets = Sets::open(folder.path()).expect("a set");
    let check = |floors: &str| {
        let path = folder.path().join("floors.toml");
        fs::write(&path, floors).expect("the folder is ours");
        Floors::read(&path)?.check(&sets, &models(CountingEmbedder::new(false)), &folder.path().join("vectors"))
    };
    let checked = check(
        "[known]\nbm25-plain = { ndcg_at_10 = 0.5 }\nhybrid = { ndcg_at_10 = 0.1, queries = 1 }\nlexical = { ndcg_at_10 = 0.51 }\n",
    )
    .expect("a set of the folder");
    let fell: Vec<(usize, bool)> = checked.iter().map(|checked| (checked.n_queries, checked.fell())).collect();
    assert_eq!(fell.len(), 3);
    assert_eq!((fell[0], fell[2]), ((2, false), (2, true)), "{checked:?}");
    assert_eq!(fell[1].0, 1);
    let text = table::floors(&checked);
    assert_eq!(text.matches("FELL").count(), checked.iter().filter(|checked| checked.fell()).count(), "{text}");
    // Each class by itself: what one loses, a good mean does not hide.
    let text = "[known]\nlexical = { ndcg_at_10 = 0.5, classes = { keywords = 0.51 } }\n";
    let checked = check(text).expect("queries of that class");
    assert_eq!(checked.iter().map(|checked| checked.fell()).collect::<Vec<_>>(), [false, true], "{checked:?}");
    let none = check(&text.replace("keywords", "passage")).expect_err("none of that class").to_string();
    assert!(none.contains("there are: keywords"), "{none}");
    assert!(
        check("[gone.lexical]\nndcg_at_10 = 0.5\n").expect_err("no such set").to_string().contains("there are: known")
    );
}

#[test]
fn a_sample_is_spread_over_the_set_and_the_same_each_time() {
    let set = crosscheck(None);
    let sample = set.sample(8);
    assert_eq!((sample.description.n_queries, sample.tools.len()), (8, set.tools.len()));
    assert_eq!(sample.queries, set.sample(8).queries);
    let places: Vec<usize> =
        sample.queries.iter().filter_map(|query| set.queries.iter().position(|other| other == query)).collect();
    assert!(places.windows(2).all(|pair| pair[1] - pair[0] == set.queries.len() / 8), "{places:?}");
    assert_eq!(set.sample(1_000).queries, set.queries);
}

#[test]
fn the_plain_baseline_reads_names_and_descriptions_and_nothing_else() {
    let tools = "{\"id\":\"a\",\"namespace\":\"orchard\",\"name\":\"count_apples\",\"description\":\"Sums.\",\
                 \"input_schema\":{\"type\":\"object\",\"properties\":{\"ladder\":{\"type\":\"string\"}}}}\n\
                 {\"id\":\"b\",\"namespace\":\"n\",\"name\":\"beta\",\"description\":\"Counts pears.\"}\n";
    let query = |id: &str, words: &str, tool: &str| {
        format!("{{\"id\":\"{id}\",\"query\":\"{words}\",\"relevant\":{{\"{tool}\":1}}}}\n")
    };
    // A word of the name, one of the description in another case, its plural, a parameter, a namespace.
    let queries =
        [("1", "APPLES", "a"), ("2", "pears", "b"), ("3", "pear", "b"), ("4", "ladder", "a"), ("5", "orchard", "a")];
    let queries: String = queries.iter().map(|(id, words, tool)| query(id, words, tool)).collect();
    let report = report(&Files::new(tools, &queries).read().expect("a good set"), &[Setting::Plain]);
    assert_eq!(report.runs[0].setting(), "bm25-plain");
    assert_eq!(report.runs[0].ndcg_at_10_by_query, [1.0, 1.0, 0.0, 0.0, 0.0]);
}
