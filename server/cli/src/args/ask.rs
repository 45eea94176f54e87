//! The flags of `search`, `details`, `namespaces` and `why-not`.

use shortlist_index::{Filter, Mode, SearchRequest};

use crate::viewer::ViewerArgs;

#[derive(Debug, clap::Args)]
pub struct SearchArgs {
    /// What the tool should do, in any words
    pub query: String,
    #[command(flatten)]
    pub asked: SearchedArgs,
    /// Let the reranker read the first 20 candidates
    #[arg(long)]
    pub rerank: bool,
    /// Show rank and score in each leg
    #[arg(long)]
    pub explain: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub viewer: ViewerArgs,
}

/// What a search looks for beside its query.
#[derive(Debug, clap::Args)]
pub struct SearchedArgs {
    /// Hits wanted
    #[arg(long, short = 'n', default_value_t = 10, value_name = "N")]
    pub limit: usize,
    /// lexical, dense or hybrid
    #[arg(long, default_value_t = Mode::Hybrid)]
    pub mode: Mode,
    /// Never take the query apart, though it asks for several things
    #[arg(long)]
    pub whole: bool,
    /// Only this namespace; may be repeated
    #[arg(long, value_name = "NAMESPACE")]
    pub namespace: Vec<String>,
    /// Only tools with this tag; may be repeated
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    /// Find deprecated tools too
    #[arg(long)]
    pub include_deprecated: bool,
    /// Give tools that say the same as a better one (forks, mirrors) places of their own
    #[arg(long)]
    pub no_collapse: bool,
}

impl SearchedArgs {
    /// The search for this query.
    pub fn request(&self, query: &str) -> SearchRequest {
        SearchRequest {
            limit: self.limit,
            mode: self.mode,
            whole: self.whole,
            collapse: !self.no_collapse,
            filter: Filter {
                namespaces: self.namespace.clone(),
                tags: self.tag.clone(),
                include_deprecated: self.include_deprecated,
                ..Filter::default()
            },
            ..SearchRequest::new(query)
        }
    }
}

#[derive(Debug, clap::Args)]
pub struct DetailsArgs {
    /// The tool's ref, such as google://drive.files.list
    #[arg(name = "REF")]
    pub reference: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub viewer: ViewerArgs,
}

#[derive(Debug, clap::Args)]
pub struct NamespacesArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub viewer: ViewerArgs,
}

#[derive(Debug, clap::Args)]
pub struct WhyNotArgs {
    /// The tool's ref, or what its source calls the record
    #[arg(name = "REF")]
    pub reference: String,
    /// The query whose answer it is not in
    #[arg(long, value_name = "TEXT")]
    pub query: String,
    #[command(flatten)]
    pub asked: SearchedArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub viewer: ViewerArgs,
}
