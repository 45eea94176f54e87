//! The real server under load, over HTTP on loopback.
//!
//! [`measure`] starts the server of `shortlist serve` in this process, on a port and threads of its own, over a generation
//! that [`crate::latency::build()`] made, and lets a client ask it: after a warm-up first a fixed number of clients, each of
//! which asks again as soon as it is answered (closed loop), then requests at fixed times, whoever is still waiting (open loop).
//! There a time is counted from when a request was due and not from when a connection was free to send it, so a server that
//! stalls is charged for all that it kept waiting (Tene's coordinated omission; as in wrk2). Times go into HDR histograms with
//! three significant digits. A refused request (429, 503) is counted and timed apart; its client waits for as long as
//! `Retry-After` says.
//!
//! Before all that the same searches are made in this process ([`crate::latency::floor()`]), so that the report says how much of an
//! answer's time is the server's and the transport's. A server remembers the vectors of texts that repeat.
//!
//! The clients share the machine with the server, and so its cores.

mod client;
mod closed;
mod open;
mod served;
mod table;
mod tally;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use shortlist_index::Embedder;

pub use self::table::print;
pub use self::tally::{Outcome, Times};

use self::client::Questions;
use self::served::Served;
use crate::error::BenchError;
use crate::latency::{Floor, Workload, floor, models};

/// How much is asked.
#[derive(Clone, Debug, Serialize)]
pub struct Options {
    /// Clients of each closed loop.
    pub clients: Vec<usize>,
    /// Requests a second of each open loop.
    pub rates: Vec<u32>,
    /// Connections of an open loop.
    pub connections: usize,
    /// What comes before any loop that is counted.
    pub warm_up: Duration,
    /// How long each loop takes.
    pub time: Duration,
    /// Whether every text is another one, so that nothing that remembers texts knows it.
    pub fresh: bool,
}

/// One run.
#[derive(Clone, Debug, Serialize)]
pub struct LoadReport {
    /// How much was asked.
    pub options: Options,
    /// Tools in the generation.
    pub n_tools: usize,
    /// What makes the vectors.
    pub embedder: String,
    /// Cores of the machine that this process may use.
    pub cpus: usize,
    /// Such searches in this process, before the server started.
    pub floor: Floor,
    /// Clients that ask again as soon as they are answered.
    pub closed: Vec<Closed>,
    /// Requests at fixed times.
    pub open: Vec<Open>,
}

/// A closed loop.
#[derive(Clone, Debug, Serialize)]
pub struct Closed {
    /// Clients, each with a connection.
    pub clients: usize,
    /// What came of their requests.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl LoadReport {
    /// The median of one client alone over the same searches in this process; where texts repeat, without their embedding, which a
    /// server does once. `None` where no loop had one client, or it got no answer.
    pub fn over_floor(&self) -> Option<f64> {
        let alone = self.closed.iter().find(|one| one.clients == 1 && one.outcome.answered.n > 0)?;
        let Floor { embed_ms, search_ms } = self.floor;
        let floor_ms = if self.options.fresh { embed_ms + search_ms } else { search_ms };
        Some(alone.outcome.answered.p50_ms / floor_ms)
    }
}

/// An open loop.
#[derive(Clone, Debug, Serialize)]
pub struct Open {
    /// Requests a second.
    pub rate: u32,
    /// What came of them, timed from when they were due.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Answers again, timed from when they were sent: what a loop that omits the waiting would show.
    pub from_sent: Times,
}

/// Serves the generation in `home`, which was built of this workload with these vectors, and asks it.
///
/// # Errors
/// [`BenchError`] when the server does not start, or answers a first question with an error.
pub fn measure(
    workload: &Workload,
    home: &Path,
    embedder: Option<Arc<dyn Embedder>>,
    options: &Options,
) -> Result<LoadReport, BenchError> {
    let build = crate::latency::built(workload, home, embedder.as_deref())?;
    let models = models(workload, embedder)?;
    let floor = floor(workload, home, &models, options.fresh)?;
    let server = Served::start(workload, home, models)?;
    let questions = Questions::of(workload, options.fresh);
    let address = server.address;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async {
        client::check(address, &questions).await?;
        let warm_clients = options.clients.iter().copied().max().unwrap_or(1);
        closed::ask(address, &questions, warm_clients, options.warm_up).await?;
        let (mut closed, mut open) = (Vec::new(), Vec::new());
        for &clients in &options.clients {
            let outcome = closed::ask(address, &questions, clients, options.time).await?;
            closed.push(Closed { clients, outcome });
        }
        for &rate in &options.rates {
            open.push(open::ask(address, &questions, rate, options.connections, options.time).await?);
        }
        Ok(LoadReport {
            options: options.clone(),
            n_tools: workload.n_docs(),
            embedder: build.embedder,
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            floor,
            closed,
            open,
        })
    })
}

fn failed(error: impl std::fmt::Display) -> BenchError {
    BenchError::Timing(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::post;
    use tokio::net::TcpListener;

    use super::*;
    use crate::latency::{build, testing};

    fn options() -> Options {
        Options {
            clients: vec![1, 4],
            rates: vec![100],
            connections: 4,
            warm_up: Duration::ZERO,
            time: Duration::from_millis(200),
            fresh: false,
        }
    }

    #[test]
    fn every_request_is_answered_and_counted_over_http() {
        let (folder, home) = (testing::folder(), tempfile::tempdir().expect("a folder"));
        let workload = Workload::open(folder.path()).expect("a workload");
        build(&workload, home.path(), None).expect("it is built");
        let report = measure(&workload, home.path(), None, &options()).expect("it is measured");
        let outcomes =
            || report.closed.iter().map(|one| &one.outcome).chain(report.open.iter().map(|one| &one.outcome));
        for outcome in outcomes() {
            assert!(outcome.answered.n > 0 && outcome.refused.is_empty() && outcome.failed == 0, "{outcome:?}");
            assert!(outcome.answered.p50_ms <= outcome.answered.p99_ms, "{outcome:?}");
        }
        assert!(report.floor.search_ms > 0.0 && report.over_floor().is_some(), "{report:?}");
        // As many as were due, each of them once.
        let open = &report.open[0];
        assert_eq!((open.outcome.answered.n, open.from_sent.n), (20, 20));
        assert_eq!(print(&report).lines().filter(|line| line.starts_with("closed")).count(), 2);
        let page = crate::html::load_page(&report);
        assert_eq!(page.matches("<svg").count(), 3, "{page}");
    }

    #[test]
    fn nothing_is_asked_where_nothing_was_built() {
        let (folder, home) = (testing::folder(), tempfile::tempdir().expect("a folder"));
        let workload = Workload::open(folder.path()).expect("a workload");
        let error = measure(&workload, home.path(), None, &options()).expect_err("nothing is built");
        assert!(error.to_string().contains("built.json"), "{error}");
    }

    /// Asks a server of this one route, on the client's own thread.
    fn ask<T>(router: Router, ask: impl AsyncFnOnce(SocketAddr, Questions) -> Result<T, BenchError>) -> T {
        let folder = testing::folder();
        let questions = Questions::of(&Workload::open(folder.path()).expect("a workload"), false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let asked = tokio::task::LocalSet::new().block_on(&runtime, async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
            let address = listener.local_addr().expect("an address");
            tokio::spawn(async move { axum::serve(listener, router).await });
            ask(address, questions).await
        });
        asked.expect("it is asked")
    }

    #[test]
    fn an_open_loop_counts_the_time_that_a_slow_server_keeps_requests_waiting() {
        const TAKES: Duration = Duration::from_millis(20);
        let slow = Router::new().route("/v1/search_tools", post(async || tokio::time::sleep(TAKES).await));
        // Twenty are due within 190 ms, and over one connection the last is answered 400 ms after the first was due.
        let time = Duration::from_millis(200);
        let open = ask(slow, async |address, questions| open::ask(address, &questions, 100, 1, time).await);
        assert_eq!(open.outcome.answered.n, 20);
        assert!(open.outcome.answered.max_ms >= 209.0, "{open:?}");
        assert!(open.outcome.answered.p50_ms > open.from_sent.p50_ms, "{open:?}");
    }

    #[test]
    fn who_is_refused_is_counted_apart_and_waits_as_told() {
        let full = || async { (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "1")]) };
        let router = Router::new().route("/v1/search_tools", post(full));
        let time = Duration::from_millis(300);
        let outcome = ask(router, async |address, questions| closed::ask(address, &questions, 3, time).await);
        // Each client asks once, and is still waiting when the loop ends.
        assert_eq!((outcome.answered.n, outcome.refused[&503].n, outcome.failed), (0, 3, 0), "{outcome:?}");
    }

    #[test]
    fn a_server_that_answers_otherwise_is_not_measured() {
        let router = Router::new().route("/v1/search_tools", post(async || StatusCode::UNAUTHORIZED));
        let error = ask(router, async |address, questions| {
            Ok(client::check(address, &questions).await.expect_err("it refuses").to_string())
        });
        assert!(error.contains("401"), "{error}");
    }
}
