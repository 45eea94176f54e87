//! The flags of `bench latency`.

use std::path::PathBuf;
use std::time::Duration;

use shortlist_benches::latency::Task;
use shortlist_server::parse_duration;

/// What is indexed, and what is asked of it.
#[derive(Debug, clap::Args)]
pub struct WorkloadArgs {
    /// A folder that the rivals' gen.py wrote, such as workload/n50000
    #[arg(long, value_name = "FOLDER", required_unless_present = "tools", conflicts_with = "tools")]
    pub workload: Option<PathBuf>,
    /// A catalog of your own instead, as JSON lines, plain or gzip; all of it is visible, and the model makes its vectors
    #[arg(long, value_name = "FILE", requires = "queries_file")]
    pub tools: Option<PathBuf>,
    /// Its judged queries
    #[arg(long = "queries-file", id = "queries_file", value_name = "FILE", requires = "tools")]
    pub queries: Option<PathBuf>,
    /// The model makes the vectors, a query's while it is answered, instead of the workload giving them
    #[arg(long)]
    pub encode: bool,
    /// Build here, and keep it: a later run opens it instead of building
    #[arg(long, value_name = "FOLDER")]
    pub keep: Option<PathBuf>,
    /// Only build
    #[arg(long, requires = "keep")]
    pub build_only: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "What is timed: `ids` is the rivals' task, one query until its ranking stands; `tools` is the same with every tool of the page\n\
    read; `usual` is what callers get who say nothing: the query's parts searched too, and what says the same collapsed.\n\
    `best` is over each query's fastest round. A query's vector is given, and each user's grant is resolved before."
)]
pub struct LatencyArgs {
    #[command(flatten)]
    pub workload: WorkloadArgs,
    /// Only this task; may be repeated
    #[arg(long, value_parser = task, value_name = "vec|fts|hybrid")]
    pub task: Vec<Task>,
    /// Only users with this share of the documents, such as 0.01; may be repeated
    #[arg(long, value_name = "SHARE")]
    pub grant: Vec<f64>,
    /// How often each cell is measured
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub rounds: u32,
    /// Queries of a cell in each round
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub queries: u32,
    /// How long a round of a cell may take
    #[arg(long, default_value = "4s", value_name = "TIME", value_parser = parse_duration)]
    pub cell: Duration,
    /// How long each task's throughput with two threads is measured; 0s leaves it out
    #[arg(long, default_value = "2s", value_name = "TIME", value_parser = parse_duration)]
    pub throughput: Duration,
    /// A file that the rivals' bench.py wrote of the same workload, to be compared with; may be repeated
    #[arg(long, value_name = "FILE")]
    pub rivals: Vec<PathBuf>,
    /// Save all figures, in the shape of bench.py's file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct GrowthArgs {
    /// Files of `bench latency --json` and of the rivals' bench.py, of several sizes
    #[arg(required = true, value_name = "FILE")]
    pub results: Vec<PathBuf>,
    /// Where the page is written
    #[arg(long, value_name = "FILE")]
    pub html: PathBuf,
}

fn task(text: &str) -> Result<Task, String> {
    Task::ALL.into_iter().find(|task| task.as_str() == text).ok_or_else(|| "write vec, fts or hybrid".to_owned())
}
