//! Each stage of a search, and what surrounds it, with Criterion: `cargo bench --workspace --bench stages`.
//!
//! The corpus is [`Seeded`]: 20,000 tools of a seed, 100 queries, everything visible or one tool in a hundred. A stage's time is its
//! own, taken inside whole searches, so what one stage leaves in the caches is there for the next as it is in use.

use std::cell::Cell;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use shortlist_benches::seeded::Seeded;
use shortlist_index::{AllowedSet, Mode, SearchRequest, Stage, Stages, Store, search, search_followed};

const N_TOOLS: usize = 20_000;

/// Times one stage of a search.
struct Stopwatch {
    stage: Stage,
    entered: Cell<Instant>,
    spent: Cell<Duration>,
}

impl Stages for Stopwatch {
    fn enter(&self, _: Stage) {
        self.entered.set(Instant::now());
    }

    fn leave(&self, stage: Stage) {
        if stage == self.stage {
            self.spent.set(self.spent.get() + self.entered.get().elapsed());
        }
    }
}

fn request(query: &str, mode: Mode) -> SearchRequest {
    SearchRequest { mode, ..SearchRequest::new(query) }
}

fn stages(criterion: &mut Criterion, seeded: &Seeded) {
    let mut group = criterion.benchmark_group("stage");
    for (share, allowed) in [("all", &seeded.everything), ("1 %", &seeded.percent)] {
        for stage in [Stage::Dense, Stage::Lexical, Stage::Fuse, Stage::Collapse, Stage::Fetch] {
            group.bench_function(BenchmarkId::new(stage.as_str(), share), |bencher| {
                bencher.iter_custom(|n| {
                    let watch =
                        Stopwatch { stage, entered: Cell::new(Instant::now()), spent: Cell::new(Duration::ZERO) };
                    for query in seeded.queries.iter().cycle().take(usize::try_from(n).unwrap_or(usize::MAX)) {
                        let request = request(query, Mode::Hybrid);
                        let answer = search_followed(&seeded.snapshot, &seeded.models, allowed, &request, &watch);
                        black_box(answer).expect("an answer");
                    }
                    watch.spent.get()
                });
            });
        }
    }
}

fn whole(criterion: &mut Criterion, seeded: &Seeded) {
    let mut group = criterion.benchmark_group("search");
    let mut one = |name: &str, share: &str, mode: Mode, allowed: &AllowedSet| {
        let mut queries = seeded.queries.iter().cycle();
        group.bench_function(BenchmarkId::new(name, share), |bencher| {
            bencher.iter(|| {
                let request = request(queries.next().expect("it never ends"), mode);
                search(&seeded.snapshot, &seeded.models, allowed, &request).expect("an answer")
            });
        });
    };
    for (share, allowed) in [("all", &seeded.everything), ("1 %", &seeded.percent)] {
        one("lexical", share, Mode::Lexical, allowed);
        one("dense", share, Mode::Dense, allowed);
        one("hybrid", share, Mode::Hybrid, allowed);
    }
}

/// The first principal's of a generation, and another's: what each pattern picks is known by then.
fn grants(criterion: &mut Criterion, seeded: &Seeded, store: &Store) {
    let mut group = criterion.benchmark_group("grant of 1,000 rules");
    group.bench_function("first", |bencher| {
        let open = || store.open_current().expect("the corpus opens").snapshot;
        bencher.iter_batched_ref(open, |snapshot| snapshot.allow(&seeded.grant), BatchSize::PerIteration);
    });
    group.bench_function("next", |bencher| bencher.iter(|| seeded.snapshot.allow(&seeded.grant)));
}

fn all(criterion: &mut Criterion) {
    let home = tempfile::tempdir().expect("a folder");
    Seeded::publish(home.path(), N_TOOLS).expect("the corpus is published");
    let seeded = Seeded::open(home.path(), N_TOOLS).expect("the corpus opens");
    stages(criterion, &seeded);
    whole(criterion, &seeded);
    grants(criterion, &seeded, &Store::new(home.path()));
}

criterion_group!(benches, all);
criterion_main!(benches);
