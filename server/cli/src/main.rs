//! `shortlist`: every command in one binary.

mod args;
mod command;
mod follow;
mod models;
mod own_model;
mod places;
mod print;
mod progress;
mod remote;
mod viewer;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};

/// Requests allocate from several threads at once, which mimalloc does better than most systems' allocators.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let Args { places, command } = Args::parse();
    let done = match command {
        Command::Demo(args) => command::demo::run(&places, &args),
        Command::Sync(args) => command::sync::run(&places, &args),
        Command::Rebuild(args) => command::rebuild::run(&places, &args),
        Command::Publish(args) => command::publish::run(&places, &args),
        Command::Serve(args) => command::serve::run(&places, &args),
        Command::Mcp(args) => command::mcp::run(&places, &args),
        Command::Keys(args) => command::keys::run(&places, &args),
        Command::Search(args) => command::search::run(&places, &args),
        Command::Details(args) => command::details::run(&places, &args),
        Command::Namespaces(args) => command::namespaces::run(&places, &args),
        Command::Sources(args) => command::sources::run(&places, &args),
        Command::Quarantine(args) => command::quarantine::run(&places, &args),
        Command::WhyNot(args) => command::why_not::run(&places, &args),
        Command::Policy(args) => command::policy::run(&places, &args),
        Command::Generations(args) => command::generations::run(&places, &args),
        Command::Assets(args) => command::assets::run(&places, &args),
        Command::Audit(args) => command::audit::run(&places, &args),
        Command::Bench(args) => command::bench::run(&places, &args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has seen enough.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            print::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
