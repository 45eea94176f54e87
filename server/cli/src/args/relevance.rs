//! The flags of `bench relevance`.

use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A set is a folder with tools.jsonl[.gz] of {\"id\",\"namespace\",\"name\",\"description\",…} and queries.jsonl of\n\
    {\"id\",\"query\",\"relevant\":{\"<tool id>\":1},\"split\"?}."
)]
pub struct RelevanceArgs {
    /// The catalog of a set of your own, instead of a folder of sets
    #[arg(long, value_name = "FILE", requires = "queries", conflicts_with = "set")]
    pub tools: Option<PathBuf>,
    /// Its judged queries
    #[arg(long, value_name = "FILE", requires = "tools")]
    pub queries: Option<PathBuf>,
    /// The folder of sets [default: ../shared/relevance beside the checkout]
    #[arg(long, value_name = "FOLDER")]
    pub sets: Option<PathBuf>,
    /// Only this set of the folder; may be repeated
    #[arg(long, value_name = "NAME")]
    pub set: Vec<String>,
    /// Also search each set among the 19,372 tools of catalog_agent_tools, unless its tools are in there
    #[arg(long)]
    pub pooled: bool,
    /// Ask only the first N queries of each set
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Only one way of searching; bm25-plain is BM25 of name and description alone, the baseline
    #[arg(long, value_parser = ["bm25-plain", "lexical", "dense", "hybrid"])]
    pub mode: Option<String>,
    /// off, on, or both: every mode without, and the last of them (hybrid) with it as well
    #[arg(long, value_name = "off|on|both", default_value = "off", value_parser = ["off", "on", "both"])]
    pub rerank: String,
    /// Give tools that say the same places of their own
    #[arg(long)]
    pub no_collapse: bool,
    /// Write the hits as a TREC run (one set and one setting only)
    #[arg(long, value_name = "FILE", requires = "mode")]
    pub run: Option<PathBuf>,
    /// Write the judgements as TREC qrels (one set only)
    #[arg(long, value_name = "FILE")]
    pub qrels: Option<PathBuf>,
    /// Save all figures, those of each query too, as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Say what is better or worse by more than noise than in a run saved with --json
    #[arg(long, value_name = "FILE")]
    pub compare: Option<PathBuf>,
    /// Write one page with all figures, plots and the hardest queries
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Measure only what this TOML file sets floors for, and fail where one is missed
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["tools", "set", "pooled", "limit", "mode", "rerank", "no_collapse", "run", "qrels", "json", "compare", "html"]
    )]
    pub floors: Option<PathBuf>,
    /// Go on without records that are no tools, instead of refusing the catalog
    #[arg(long)]
    pub skip_bad_tools: bool,
}
