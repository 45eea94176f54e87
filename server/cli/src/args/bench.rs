//! The flags of `bench`.

use std::path::PathBuf;

use clap::Subcommand;

use super::latency::{GrowthArgs, LatencyArgs};
use super::load::LoadArgs;
use super::relevance::RelevanceArgs;

#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    pub what: BenchWhat,
}

#[derive(Debug, Subcommand)]
pub enum BenchWhat {
    /// How good the search is: on the sets this project develops on, or on a catalog of your own with judged queries
    Relevance(Box<RelevanceArgs>),
    /// What fusion knows of each query's candidates, as JSON lines, to learn its weights from
    Signals(SignalsArgs),
    /// Whether an answer says when the tool that was asked for is not there
    #[command(
        after_help = "Each query is asked twice: with the tools that answer it, and without them and their siblings. Then come requests that\n\
        no tool serves. `told` is the share of `weak` and `none` where no tool serves, to be high; `false alarms` is the share of `none`\n\
        where one does, to be low."
    )]
    Confidence(BenchConfidenceArgs),
    /// How much of what is asked a poisoned catalog captures, without and with the index's defences
    #[command(
        after_help = "Forged tools are put to a set: one in a hundred, six at least. Captured is the share of queries with one of them among the\n\
        first five hits, first that with one as the first hit, sure that of which the answer then says `strong`. Each figure is given\n\
        without -> with defences. The attacker knows the catalog and the queries of the split that are not asked."
    )]
    Attacks(BenchAttacksArgs),
    /// How long a sync takes, and how soon a small change can be searched
    Sync(BenchSyncArgs),
    /// Whether the time of an answer tells a hidden tool from a missing one
    #[command(
        after_help = "Two servers hide different things. Each question is asked about the ones and about the others, so that on either\n\
        server one wording is about something hidden and one about something missing. AUC is the chance that the hidden one took\n\
        longer: 0.5 tells nothing. The first question is about what neither has."
    )]
    Timing(AskedArgs),
    /// How long a search takes, stage by stage, on a workload of the rivals' harness
    Latency(LatencyArgs),
    /// Plots how times and memory grow with the catalog, ours and the rivals'
    Growth(GrowthArgs),
    /// How the server stands load over HTTP: throughput, percentiles, who is refused
    Load(LoadArgs),
    /// What the sketches of vectors miss against a scan of all vectors, on the generation that serves
    Sketches(SketchesArgs),
    /// How long embedding models take, one beside the other
    Embedding(BenchEmbeddingArgs),
    /// What it costs to record every decision before its answer leaves
    Audit(AskedArgs),
    /// What it costs to measure every request for a metrics page
    Telemetry(AskedArgs),
    /// What it costs to resolve a policy's rules over a large catalog, which is made up
    Grants(BenchGrantsArgs),
}

#[derive(Debug, clap::Args)]
pub struct SignalsArgs {
    /// The catalog
    #[arg(long, value_name = "FILE")]
    pub tools: PathBuf,
    /// The judged queries
    #[arg(long, value_name = "FILE")]
    pub queries: PathBuf,
    /// Requests that no tool of the catalog serves, one a line; may be repeated
    #[arg(long, value_name = "FILE")]
    pub unserved: Vec<PathBuf>,
    /// Where to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct BenchConfidenceArgs {
    /// The folder of sets [default: ../shared/relevance beside the checkout]
    #[arg(long, value_name = "FOLDER")]
    pub sets: Option<PathBuf>,
    /// Only this set of the folder; may be repeated
    #[arg(long, value_name = "NAME")]
    pub set: Vec<String>,
    /// Ask a sample of so many queries of each set
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub queries: Option<u32>,
    /// Fail where less than this share is told in a part
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub told_min: f64,
    /// Fail where more than this share is a false alarm in a part
    #[arg(long, value_name = "SHARE", default_value_t = 1.0, value_parser = share)]
    pub false_alarms_max: f64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct BenchAttacksArgs {
    /// The folder of sets [default: ../shared/relevance beside the checkout]
    #[arg(long, value_name = "FOLDER")]
    pub sets: Option<PathBuf>,
    /// Only this set of the folder, and only this split of its queries; may be repeated
    /// [default: azure_mcp:tune and sealtools:test_out_domain]
    #[arg(long, value_name = "NAME[:SPLIT]")]
    pub set: Vec<String>,
    /// Ask so many of the queries; the attacker knows the others
    #[arg(long, value_name = "N", default_value_t = 150, value_parser = clap::value_parser!(u32).range(1..))]
    pub queries: u32,
    /// Forged tools, as a share of the catalog
    #[arg(long, value_name = "SHARE", default_value_t = 0.01, value_parser = share)]
    pub share: f64,
    /// Instead: which tools of this catalog (JSON lines, plain or gzip) the index suspects; may be repeated
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sets", "set", "queries", "share"])]
    pub audit: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct BenchGrantsArgs {
    /// Tools in the catalog
    #[arg(long, default_value_t = 200_000, value_name = "N", value_parser = clap::value_parser!(u32).range(100..=400_000))]
    pub tools: u32,
    /// Rules that concern each principal
    #[arg(long, default_value_t = 1_000, value_name = "M", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rules: u32,
    /// Principals with the same rules and different scopes
    #[arg(long, default_value_t = 100, value_name = "P", value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub principals: u32,
    /// What catalog and rules are made of
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    pub seed: u64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct BenchSyncArgs {
    /// The catalog, as JSON lines, plain or gzip
    #[arg(long, value_name = "FILE")]
    pub tools: PathBuf,
    /// How many of a hundred tools change
    #[arg(long, default_value_t = 1, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=50))]
    pub changed: u8,
    /// Make vectors by hashing words instead of by the model: measures everything but the model
    #[arg(long)]
    pub hashing: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What is asked of servers over one made-up catalog.
#[derive(Debug, clap::Args)]
pub struct AskedArgs {
    /// Tools of the made-up catalog
    #[arg(long, default_value_t = 20_000, value_name = "N", value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub tools: u32,
    /// Answers of each kind to each question
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u32).range(10..=10_000_000))]
    pub answers: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct BenchEmbeddingArgs {
    /// A folder with a model to compare with: model.onnx, tokenizer.json, model.toml; may be repeated
    #[arg(long, value_name = "FOLDER")]
    pub other: Vec<PathBuf>,
    /// How many texts of each length every model is given; every eighth time also 128 at once
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rounds: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct SketchesArgs {
    /// Queries to ask: summaries of tools, spread evenly over the catalog
    #[arg(long, default_value_t = 500, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub queries: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// A share of all, from 0 to 1. NaN is none: nothing is less than it, so no bound would ever be missed.
fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "a share is a number from 0 to 1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn a_share_is_from_nothing_to_all() {
        assert_eq!((share("0"), share("0.5"), share("1")), (Ok(0.0), Ok(0.5), Ok(1.0)));
        for wrong in ["nan", "NaN", "-0.1", "5", "inf", "", "half"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }
}
