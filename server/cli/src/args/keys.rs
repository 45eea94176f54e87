//! The flags of `keys`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use shortlist_server::parse_duration;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A service sends its key as `Authorization: Bearer slk_…` and is `service:NAME` in the policy. A key made with\n\
    --on-behalf-of may name a user in X-Shortlist-User (and -Groups, -Roles, -Tenant, -Scopes): then the user's grants count,\n\
    and what the service is denied. Only a hash is kept. A running server takes a change over within seconds."
)]
pub struct KeysArgs {
    /// The file of the keys [default: keys.json in the home]
    #[arg(long, global = true, value_name = "FILE")]
    pub keys_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub action: Option<KeysAction>,
}

#[derive(Debug, Subcommand)]
pub enum KeysAction {
    /// List the keys there are (the default)
    List,
    /// Make a key and show it, this once
    Create {
        /// The service that will send it
        #[arg(long, value_name = "NAME")]
        service: String,
        /// Let the service ask for users
        #[arg(long)]
        on_behalf_of: bool,
        /// When it ends, such as 12h or 90d; without it, never
        #[arg(long, value_name = "TIME", value_parser = parse_duration)]
        expires: Option<Duration>,
    },
    /// Take a key away
    Revoke {
        /// Its id, the middle part of `slk_<id>_…`
        #[arg(name = "ID")]
        id: String,
    },
}
