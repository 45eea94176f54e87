//! The flags of `generations` and `assets`.

use clap::Subcommand;

#[derive(Debug, clap::Args)]
pub struct GenerationsArgs {
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub action: Option<GenerationsAction>,
}

#[derive(Debug, Subcommand)]
pub enum GenerationsAction {
    /// List the generations there are (the default)
    List,
    /// Read every file of a generation and compare it with its checksum
    Verify {
        /// Its number; without one, all are verified
        number: Option<u64>,
    },
    /// Make an older generation serve
    RollBack {
        /// Its number; without one, the one that the current was built on, or else the newest older one that verifies
        number: Option<u64>,
    },
}

#[derive(Debug, clap::Args)]
pub struct AssetsArgs {
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub action: Option<AssetsAction>,
}

#[derive(Debug, Subcommand)]
pub enum AssetsAction {
    /// List them with licence, size and state (the default)
    List,
    /// Fetch those named, or all of them
    Pull {
        /// Their names
        names: Vec<String>,
    },
    /// Read those that are there and compare every file with its pinned checksum
    Verify {
        /// Their names; without any, all that are there
        names: Vec<String>,
    },
}
