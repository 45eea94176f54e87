//! How many instructions the hot path takes, under Callgrind: what a noisy machine cannot blur. `.ci/run` calls it.
//!
//! The corpus is [`Seeded`], 8,000 tools. A search of each kind is made once unmeasured, for what is set up only once; then
//! all queries are asked in turn. Each count has a bound: what it was when the bound was last set (`RESULTS.md`) and five in a hundred
//! more. Who makes the path longer for a reason raises the bound; who makes it shorter lowers it.
//!
//! Bounds are x86-64's. Valgrind knows no AVX-512: the vectors are compared by the code for AVX2.

// What the macros make has no documentation.
#![allow(missing_docs)]

use std::hint::black_box;
use std::path::{Path, PathBuf};

use gungraun::{Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};
use shortlist_benches::seeded::Seeded;
use shortlist_index::{Mode, SearchRequest, search};

const N_TOOLS: usize = 8_000;

/// Where the corpus is: made once before anything runs under Valgrind.
fn home() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("instructions")
}

fn publish() {
    if home().exists() {
        std::fs::remove_dir_all(home()).expect("the folder is ours");
    }
    Seeded::publish(&home(), N_TOOLS).expect("the corpus is published");
}

/// The corpus, with everything or one tool in a hundred to be asked for.
fn open(mode: Mode, narrow: bool) -> (Seeded, Mode, bool) {
    let seeded = Seeded::open(&home(), N_TOOLS).expect("the corpus opens");
    ask(&seeded, mode, narrow, 1);
    (seeded, mode, narrow)
}

fn ask(seeded: &Seeded, mode: Mode, narrow: bool, n_queries: usize) {
    let allowed = if narrow { &seeded.percent } else { &seeded.everything };
    for query in seeded.queries.iter().take(n_queries) {
        let request = SearchRequest { mode, ..SearchRequest::new(query) };
        black_box(search(&seeded.snapshot, &seeded.models, allowed, &request)).expect("an answer");
    }
}

fn at_most(instructions: u64) -> LibraryBenchmarkConfig {
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(Callgrind::default().hard_limits([(EventKind::Ir, instructions)]));
    config
}

#[library_benchmark(setup = open)]
#[bench::lexical(args = (Mode::Lexical, false), config = at_most(315_500_000))]
#[bench::dense(args = (Mode::Dense, false), config = at_most(324_700_000))]
#[bench::hybrid(args = (Mode::Hybrid, false), config = at_most(601_400_000))]
#[bench::hybrid_of_a_hundredth(args = (Mode::Hybrid, true), config = at_most(55_700_000))]
fn a_hundred_searches((seeded, mode, narrow): (Seeded, Mode, bool)) -> Seeded {
    ask(&seeded, mode, narrow, 100);
    // Given back, so that closing it is not counted.
    seeded
}

#[library_benchmark(setup = open)]
#[bench::of_a_thousand_rules(args = (Mode::Lexical, false), config = at_most(176_100_000))]
fn grant((seeded, ..): (Seeded, Mode, bool)) -> Seeded {
    black_box(seeded.snapshot.allow(&seeded.grant));
    seeded
}

library_benchmark_group!(name = hot_path; benchmarks = a_hundred_searches, grant);
main!(setup = publish(); library_benchmark_groups = hot_path);
