//! The flags of `bench load`.

use std::path::PathBuf;
use std::time::Duration;

use shortlist_server::parse_duration;

use super::latency::WorkloadArgs;

/// Who asks unless something is said.
const CLIENTS: [u32; 4] = [1, 8, 32, 128];

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The server of `serve` runs in this process, on loopback, with its usual limits and its audit log; only the rate of a single\n\
    user is not limited. In a closed loop a client asks again as soon as it is answered. In an open loop requests are due at fixed\n\
    times, and a time counts from when the request was due. Clients and server share the cores."
)]
pub struct LoadArgs {
    #[command(flatten)]
    pub workload: WorkloadArgs,
    /// Clients of a closed loop; may be repeated [default: 1, 8, 32 and 128, unless there is a --rate]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=600))]
    clients: Vec<u32>,
    /// Requests a second of an open loop; may be repeated
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: Vec<u32>,
    /// Connections of an open loop
    #[arg(long, default_value_t = 128, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=600))]
    pub connections: u32,
    /// How long it is asked before any loop
    #[arg(long, default_value = "2s", value_name = "TIME", value_parser = parse_duration)]
    pub warm_up: Duration,
    /// How long each loop takes
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = loop_time)]
    pub time: Duration,
    /// Make every text another one, by a number after it, so that nothing that remembers texts knows it
    #[arg(long)]
    pub fresh: bool,
    /// Save all figures
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write one page with all figures and plots
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

impl LoadArgs {
    /// The clients of each closed loop.
    pub fn clients(&self) -> Vec<usize> {
        let usual: &[u32] = if self.rate.is_empty() { &CLIENTS } else { &[] };
        let clients = if self.clients.is_empty() { usual } else { &self.clients };
        clients.iter().map(|&clients| clients as usize).collect()
    }
}

/// A time that is worth measuring, and that ends.
fn loop_time(text: &str) -> Result<Duration, String> {
    let time = parse_duration(text)?;
    if (100..=3_600_000).contains(&time.as_millis()) { Ok(time) } else { Err("from 100ms to 1h".to_owned()) }
}
