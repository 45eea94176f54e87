//! The flags of `policy`.

use std::path::PathBuf;

use clap::Subcommand;

use crate::viewer::WhoArgs;

#[derive(Debug, clap::Args)]
pub struct PolicyArgs {
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub action: PolicyAction,
}

#[derive(Debug, Subcommand)]
pub enum PolicyAction {
    /// Read a policy and look for what is probably not meant
    #[command(
        after_help = "Against the generation that serves, if there is one: rules that select no tool, allows that are denied\n\
        whole, every tool allowed to everyone, subjects and rules that are written twice. Exit code 1 when the policy is\n\
        refused."
    )]
    Check {
        /// The policy, TOML or JSON
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Exit code 1 for what is probably not meant, too
        #[arg(long)]
        strict: bool,
    },
    /// Say whether somebody sees a tool, and which rules decide
    Explain {
        /// The tool's ref
        #[arg(long = "ref", value_name = "REF")]
        reference: String,
        #[command(flatten)]
        who: WhoArgs,
        /// The policy that decides [default: policy.toml in the home]
        #[arg(long, env = "SHORTLIST_POLICY", value_name = "FILE")]
        policy: Option<PathBuf>,
    },
    /// Say who gains and who loses tools when one policy follows another
    #[command(
        after_help = "Compared is what is seen of the generation that serves: by everyone, by whoever is one of the subjects that a\n\
        rule of either policy names and nothing else, and by the one that is given with --as, --group and so on. Rules\n\
        combine, so somebody who is two of these at once may see more, or less, than both: name such people. Who holds no\n\
        scope is shown little by scopes_held rules: give --scope. What was added at run time counts on both sides."
    )]
    Diff {
        /// The policy before
        #[arg(value_name = "OLD")]
        old: PathBuf,
        /// The policy after
        #[arg(value_name = "NEW")]
        new: PathBuf,
        #[command(flatten)]
        who: WhoArgs,
        /// List all tools, instead of the first ten of each kind
        #[arg(long)]
        all: bool,
    },
    /// Print the JSON Schema of policies
    Schema,
}
