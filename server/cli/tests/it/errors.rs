//! What goes wrong is said clearly, with what to do next.

use crate::program::{Program, crosscheck, tool, unread};

#[test]
fn a_command_without_a_catalog_says_what_to_run() {
    let program = Program::new();
    let empty = program.fail(&["search", "x", "--mode", "lexical"]);
    assert!(empty.contains("run `shortlist sync` first, or name the home"), "{empty}");
    assert!(program.fail(&["sync", "--config", "missing.toml"]).contains("--jsonl NAME=FILE"));
    assert!(program.fail(&["sync", "--jsonl", "no-file"]).contains("write --jsonl NAME=FILE"));
    assert!(program.fail(&["details", "not a ref"]).contains("<source>://<namespace>.<name>"));
    assert!(program.fail(&["serve", "--secret-file", "missing"]).contains("cannot read the secret"));
    assert!(program.fail(&["generations", "roll-back"]).contains("no older generation"));
    for (command, advice) in [
        (&["audit", "verify"][..], "`shortlist serve` writes one"),
        (&["audit", "tail"][..], "--folder says where"),
        (&["policy", "explain", "--ref", "a://b.c", "--as", "alice"][..], "name one that exists with --policy"),
        (&["assets", "verify", "nosuch"][..], "there is no asset \"nosuch\""),
    ] {
        let error = program.fail(command);
        assert!(error.contains(advice) && !error.contains("are not what was pinned"), "{error}");
    }
    // What the system says is said once.
    let error = program.fail(&["policy", "check", "missing.toml"]);
    assert_eq!(error.matches("os error").count(), 1, "{error}");
}

#[test]
fn a_configuration_that_is_wrong_is_not_taken_for_one_that_is_missing() {
    let program = Program::new();
    for (text, said) in [("[[source]]\nnmae = \"x\"\n", "source number 1"), ("", "wrong.toml names no source")] {
        let config = program.write("wrong.toml", text);
        let error = program.fail(&["sync", "--config", config.to_str().expect("UTF-8")]);
        assert!(error.contains(said) && !error.contains("--jsonl NAME=FILE"), "{error}");
    }
}

#[test]
fn errors_that_nobody_reads_stop_nothing_and_lose_no_key() {
    let program = Program::new();
    let run = |arguments: &[&str]| program.command(arguments).stderr(unread()).output().expect("it starts");
    let named = format!("test={}", program.catalog(&[tool("files", "list", "Lists files.")]).display());
    assert!(run(&["sync", "--jsonl", &named]).status.success());
    assert_eq!(program.json(&["generations", "--json"])[0]["n_tools"], 1);
    assert_eq!(run(&["details", "test://files.none"]).status.code(), Some(1));
    let made = run(&["keys", "create", "--service", "crm"]);
    assert!(made.status.success() && made.stdout.starts_with(b"slk_"));
}

#[test]
fn what_is_asked_for_as_json_comes_as_json() {
    let program = Program::new();
    program.sync(&[tool("files", "list", "Lists files.")]);
    program.sync(&[tool("files", "copy", "Copies a file.")]);
    let rolled_back = program.json(&["generations", "roll-back", "--json"]);
    assert_eq!(rolled_back, serde_json::json!({ "number": 1, "current": true }));
    let assets = program.home().join("assets");
    let assets = ["--assets", assets.to_str().expect("UTF-8")];
    let output = program.run(&[&["assets", "verify", "reranker-en", "--json"][..], &assets].concat());
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&rows[0]["name"], &rows[0]["good"]), (&"reranker-en".into(), &false.into()), "{rows}");
    assert!(!output.status.success());
}

#[test]
fn a_bad_line_is_rejected_with_its_reason_and_the_rest_is_kept() {
    let program = Program::new();
    let report = program.sync(&[
        tool("files", "list", "Lists files."),
        serde_json::json!({ "id": "broken" }),
        tool("files", "delete", "Deletes a file."),
    ]);
    let source = &report["sources"]["test"];
    assert_eq!(
        (&source["n_ingested"], &source["n_rejected"], &source["n_searchable"]),
        (&3.into(), &1.into(), &2.into())
    );
    assert!(source["rejections"][0]["reason"].as_str().is_some_and(|reason| reason.contains("namespace")), "{report}");
    let hits = program.json(&["search", "remove file", "--json"])["hits"].clone();
    assert_eq!(hits[0]["ref"], "test://files.delete");
}

#[test]
fn generations_are_listed_verified_and_rolled_back() {
    let program = Program::new();
    program.sync(&[tool("files", "list", "Lists files.")]);
    program.sync(&[tool("files", "list", "Lists files."), tool("files", "copy", "Copies a file.")]);
    let list = program.json(&["generations", "--json"]);
    assert_eq!((&list[0]["number"], &list[0]["current"], &list[0]["n_tools"]), (&2.into(), &true.into(), &2.into()));
    program.succeed(&["generations", "roll-back"]);
    assert!(program.fail(&["details", "test://files.copy"]).contains("there is no tool"));
    let vectors = program.home().join("generations/2/base/vectors.arrow");
    std::fs::write(&vectors, "short").expect("it is written");
    let verdict = program.fail(&["generations", "verify"]);
    assert!(verdict.contains("1 of 2 generations do not verify"), "{verdict}");
    assert!(program.fail(&["generations", "roll-back", "2"]).contains("is damaged"));
    std::fs::write(program.home().join("CURRENT"), "?").expect("it is written");
    assert_eq!(program.json(&["generations", "--json"]).as_array().map(Vec::len), Some(2));
    program.succeed(&["generations", "roll-back", "1"]);
    assert_eq!(program.json(&["generations", "--json"])[1]["current"], true);
    assert!(program.fail(&["demo", "--no-serve"]).contains("the demo would replace"));
}

#[test]
fn the_bench_measures_the_crosscheck_set_in_every_mode() {
    let program = Program::new();
    let (tools, queries) = (crosscheck().join("tools.jsonl"), crosscheck().join("queries.jsonl"));
    let (tools, queries) = (tools.to_str().expect("UTF-8"), queries.to_str().expect("UTF-8"));
    let json = program.write("report.json", "");
    let json = json.to_str().expect("UTF-8");
    let table = program.succeed(&["bench", "relevance", "--tools", tools, "--queries", queries, "--json", json]);
    assert!(["bm25-plain", "lexical", "dense", "hybrid"].iter().all(|mode| table.contains(mode)), "{table}");
    let report: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(json).expect("a report")).expect("JSON");
    assert_eq!(report["sets"][0]["runs"].as_array().map(Vec::len), Some(4));
    assert!(table.contains("hybrid - "), "{table}");

    let again = ["bench", "relevance", "--tools", tools, "--queries", queries, "--mode", "lexical", "--compare", json];
    let table = program.succeed(&again);
    let line = table.lines().find(|line| line.contains("lexical - lexical, saved")).expect("it is compared");
    assert!(line.contains("+0.0000 to +0.0000") && line.ends_with("no"), "{line}");
    let fewer = [&again[..], &["--limit", "5"]].concat();
    assert!(program.fail(&fewer).contains("with other queries"));

    let page = program.write("report.html", "");
    let sets = crosscheck().join("..");
    let sets = sets.to_str().expect("UTF-8");
    let one = ["bench", "relevance", "--sets", sets, "--set", "crosscheck", "--mode", "bm25-plain", "--html"];
    program.succeed(&[&one[..], &[page.to_str().expect("UTF-8")]].concat());
    assert!(std::fs::read_to_string(page).expect("a page").contains("The hardest queries of bm25-plain"));

    let gate = |floor: &str| {
        let floors = program.write("floors.toml", &format!("[crosscheck]\nlexical = {{ ndcg_at_10 = {floor} }}\n"));
        program.run(&["bench", "relevance", "--sets", sets, "--floors", floors.to_str().expect("UTF-8")])
    };
    assert!(gate("0.1").status.success());
    let fell = gate("0.999");
    assert_eq!(fell.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&fell.stdout).contains("FELL"));
    assert!(String::from_utf8_lossy(&fell.stderr).contains("1 of 1 figures fell below the floors of"));

    let absent = program.fail(&["bench", "relevance", "--sets", "/nowhere"]);
    assert!(absent.contains("no folder of sets; name one with --sets"), "{absent}");
}
