//! The engine in this process on the workload of the rivals' harness, measured as that measures them.
//!
//! [`Workload`] is a folder that its `gen.py` wrote; [`build()`] makes a generation of it, with the vectors that are given; and
//! [`measure`] asks the queries as `bench.py` does: the same warm-up, rounds, k and percentiles, and recall, hit, mrr, fill and
//! leaks by the same definitions. The report has the shape of `bench.py`'s, so that its `report.py` and [`Results`] set
//! them side by side. Each user's grant is resolved once, as the server keeps it, and a query's vector is given, as the rivals
//! have it.
//!
//! Building has a process of its own where the command line does it, for what it leaves in the allocator would count as
//! memory of serving.

mod build;
mod cell;
mod clock;
mod floor;
mod folder;
mod memory;
mod npy;
mod quality;
mod results;
mod rounds;
mod table;
mod task;
#[cfg(test)]
pub(crate) mod testing;
mod threads;
mod turns;
mod workload;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use shortlist_index::{AllowedSet, Embedder, Grant, Models, Pattern, Selector, Snapshot, Store, search};

pub use self::build::{BuildReport, build, built};
pub use self::cell::{Cell, Latency};
pub use self::floor::{Floor, floor};
pub use self::quality::Quality;
pub use self::results::Results;
pub use self::table::print;
pub use self::task::{Task, Variant};
pub use self::threads::Throughput;
pub use self::turns::Turns;
pub use self::workload::Workload;

use self::cell::{median, rounded};
use self::memory::{Memory, mb};
use crate::error::BenchError;
use crate::given::Given;

/// What we are called beside the rivals.
const SYSTEM: &str = "shortlist";
/// Threads that ask at the same time where throughput is measured.
const N_THREADS: usize = 2;
/// The share of the documents at which it is measured, and what many users cost.
const THROUGHPUT_SHARE: f64 = 0.1;

/// How much is asked. The defaults are bench.py's.
#[derive(Clone, Debug, Serialize)]
pub struct Options {
    /// How often each cell is measured, all cells in turn.
    pub rounds: usize,
    /// Queries of a cell, in each round.
    pub queries: usize,
    /// How long a round of a cell may take.
    pub cell: Duration,
    /// How long throughput is measured for each task; zero leaves it out.
    pub throughput: Duration,
    /// What is asked for.
    pub tasks: Vec<Task>,
    /// Only these shares of the documents; all of the workload's where there is none.
    pub shares: Vec<f64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rounds: 3,
            queries: 100,
            cell: Duration::from_secs(4),
            throughput: Duration::from_secs(2),
            tasks: Task::ALL.to_vec(),
            shares: Vec::new(),
        }
    }
}

/// One run over one workload, in the shape of bench.py's file.
#[derive(Clone, Debug, Serialize)]
pub struct LatencyReport {
    /// How much was asked.
    pub args: Options,
    /// Cores of the machine that this process may use.
    pub cpus: usize,
    /// What was built and what it holds: one line.
    pub builds: Vec<Held>,
    /// Times and quality, cell by cell.
    pub cells: Vec<Cell>,
    /// With two threads.
    pub qps: Vec<Throughput>,
    /// With many users.
    pub turns: Option<Turns>,
    /// bench.py's measurement of updates, which `bench sync` makes here: none.
    pub updates: Vec<()>,
    /// bench.py's fixed job in Python, which is no yardstick for another program: none.
    pub noise: Vec<()>,
}

/// A generation, and what serving it takes.
#[derive(Clone, Debug, Serialize)]
pub struct Held {
    /// Documents.
    pub n: usize,
    /// `shortlist`.
    pub system: &'static str,
    /// How it was built.
    #[serde(flatten)]
    pub build: BuildReport,
    /// Seconds from the opening of the generation, every checksum verified, to the end of the first search; the files are in the
    /// page cache.
    pub first_answer_s: f64,
    /// The median of resolving a user's grant, once for each, in milliseconds.
    pub grant_p50_ms: f64,
    /// Anonymous and shared memory above that before opening: bench.py's figure. With a model all of it, for the model was
    /// loaded before.
    pub steady_mb: f64,
    /// All that is resident in the process that measures, pages of mapped files too.
    pub resident_mb: f64,
    /// That, over the size of the raw vectors.
    pub resident_ratio: f64,
}

/// The generation in use, with all that a query needs.
struct Engine {
    snapshot: Snapshot,
    models: Models,
    /// What each user of the workload may see.
    allowed: Vec<AllowedSet>,
    /// Whether the vectors are those whose nearest the workload knows.
    is_given: bool,
}

/// Asks the queries of the generation in `home`, which [`build()`] made of this workload with these vectors. With an `embedder`
/// the queries are embedded while they are asked, and nothing is said of the nearest, which are those of the vectors given.
///
/// # Errors
/// [`BenchError`] when there is no such generation, or a search fails.
pub fn measure(
    workload: &Workload,
    home: &Path,
    embedder: Option<Arc<dyn Embedder>>,
    options: &Options,
) -> Result<LatencyReport, BenchError> {
    if let Some(share) = options.shares.iter().find(|share| !workload.shares().contains(share)) {
        return Err(
            workload.bad(format!("it has no query of users with a share of {share}; it has {:?}", workload.shares()))
        );
    }
    let build = built(workload, home, embedder.as_deref())?;
    let is_given = embedder.is_none();
    let before = if is_given { Memory::now().anonymous } else { 0.0 };
    let models = models(workload, embedder)?;

    let began = Instant::now();
    let snapshot = Store::new(home).open_current()?.snapshot;
    if let Some(query) = workload.queries.first() {
        let allowed = snapshot.allow(&grant(workload, &workload.users[query.user].namespaces)?);
        let request = task::request(Task::Hybrid, false, &query.text);
        search(&snapshot, &models, &allowed, &request)
            .map_err(|error| BenchError::Search { query: query.text.clone(), error })?;
    }
    let first_answer_s = began.elapsed().as_secs_f64();

    let (mut allowed, mut grant_ms) = (Vec::new(), Vec::new());
    for user in &workload.users {
        let grant = grant(workload, &user.namespaces)?;
        let began = Instant::now();
        allowed.push(snapshot.allow(&grant));
        grant_ms.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let engine = Engine { snapshot, models, allowed, is_given };
    let cells = rounds::measure(workload, &engine, options)?;
    let mut qps = Vec::new();
    for &task in options.tasks.iter().filter(|_| !options.throughput.is_zero()) {
        qps.push(threads::measure(workload, &engine, task, THROUGHPUT_SHARE, N_THREADS, options.throughput)?);
    }

    // What it takes in memory is that of a thousand grants, and no part of what serving takes for the workload's own users.
    let now = Memory::now();
    let turns = match options.tasks.contains(&Task::Hybrid) {
        true => turns::measure(workload, &engine, THROUGHPUT_SHARE)?,
        false => None,
    };
    let raw_bytes = workload.n_docs() * build.dimension * size_of::<f32>();
    let held = Held {
        n: workload.n_docs(),
        system: SYSTEM,
        build,
        first_answer_s: rounded(first_answer_s),
        grant_p50_ms: median(&grant_ms),
        steady_mb: mb(now.anonymous - before),
        resident_mb: mb(now.resident),
        resident_ratio: rounded(now.resident * 1024.0 / raw_bytes as f64),
    };
    Ok(LatencyReport {
        args: options.clone(),
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        builds: vec![held],
        cells,
        qps,
        turns,
        updates: Vec::new(),
        noise: Vec::new(),
    })
}

/// What embeds the queries: a model, or what was given.
pub(crate) fn models(workload: &Workload, embedder: Option<Arc<dyn Embedder>>) -> Result<Models, BenchError> {
    let (fingerprint, dimension) = build::vectors_of(workload, embedder.as_deref())?;
    let given = || -> Arc<dyn Embedder> {
        let vectors = workload.queries.iter().filter_map(|query| Some((query.text.clone(), query.vector.clone()?)));
        Arc::new(Given::new(fingerprint, dimension, vectors))
    };
    Ok(Models { embedder: Some(embedder.unwrap_or_else(given)), reranker: None })
}

/// These namespaces, each named, as the rivals are told them.
fn grant(workload: &Workload, namespaces: &[String]) -> Result<Grant, BenchError> {
    let namespaces: Result<_, _> = namespaces.iter().map(|namespace| Pattern::new(namespace)).collect();
    let namespaces = namespaces.map_err(|error| workload.bad(format!("a namespace of a user: {error}")))?;
    Ok(Grant::new(vec![Selector { namespaces, ..Selector::default() }], Vec::new(), Default::default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shortlist_index::HashingEmbedder;

    fn options() -> Options {
        Options { rounds: 2, queries: 10, throughput: Duration::from_millis(1), ..Options::default() }
    }

    #[test]
    fn a_workload_is_built_asked_and_judged() {
        let (folder, home) = (testing::folder(), tempfile::tempdir().expect("a folder"));
        let workload = Workload::open(folder.path()).expect("a workload");
        let error = measure(&workload, home.path(), None, &options()).expect_err("nothing was built");
        assert!(error.to_string().contains("built.json"), "{error}");
        build(&workload, home.path(), None).expect("it is built");
        let report = measure(&workload, home.path(), None, &options()).expect("it is measured");
        assert!(report.turns.as_ref().is_some_and(|turns| turns.share == 0.2), "{:?}", report.turns);
        // Three tasks at two shares, in three variants.
        assert_eq!((report.cells.len(), report.qps.len(), report.builds.len()), (18, 3, 1));
        for cell in &report.cells {
            let Cell { task, sel, variant, quality, latency, .. } = cell;
            let what = format!("{task:?} {sel} {variant:?} {quality:?} {latency:?}");
            assert_eq!((quality.leaks, cell.samples), (0, 4), "{what}");
            assert!(latency.p50_ms > 0.0 && latency.p50_best_ms <= latency.p50_ms, "{what}");
            // A scan misses nothing, and each query asks for its own document by word and vector.
            match task {
                Task::Vec => assert_eq!((quality.recall, quality.fill), (Some(1.0), 1.0), "{what}"),
                Task::Fts | Task::Hybrid => assert_eq!(quality.hit, Some(1.0), "{what}"),
            }
            assert_eq!(cell.stages_us.contains_key("fetch"), *variant != Variant::Ids, "{what}");
        }
        let printed = print(&report, &Results::default());
        assert_eq!(printed.lines().filter(|line| line.starts_with("hybrid")).count(), 6, "{printed}");
    }

    #[test]
    fn a_generation_of_other_vectors_is_not_measured() {
        let (folder, home) = (testing::folder(), tempfile::tempdir().expect("a folder"));
        let workload = Workload::open(folder.path()).expect("a workload");
        build(&workload, home.path(), None).expect("it is built");
        let model: Arc<dyn Embedder> = Arc::new(HashingEmbedder::new(16));
        let error = measure(&workload, home.path(), Some(model.clone()), &options()).expect_err("it has other vectors");
        assert!(error.to_string().contains("remove the folder"), "{error}");
        let home = tempfile::tempdir().expect("a folder");
        build(&workload, home.path(), Some(model.as_ref())).expect("it is built");
        let report = measure(&workload, home.path(), Some(model), &options()).expect("it is measured");
        assert!(report.cells.iter().all(|cell| cell.quality.recall.is_none()));
        let other = testing::folder();
        testing::change(other.path(), "meta.json", "\"docs.jsonl\":\"", "\"docs.jsonl\":\"other");
        let other = Workload::open(other.path()).expect("a workload");
        assert!(measure(&other, home.path(), None, &options()).is_err());
    }

    #[test]
    fn a_share_that_nobody_has_is_refused() {
        let (folder, home) = (testing::folder(), tempfile::tempdir().expect("a folder"));
        let workload = Workload::open(folder.path()).expect("a workload");
        let options = Options { shares: vec![0.3], ..options() };
        let error = measure(&workload, home.path(), None, &options).expect_err("there is none");
        assert!(error.to_string().contains("[1.0, 0.1]"), "{error}");
    }
}
