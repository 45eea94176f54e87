//! [`ask`]: requests at fixed times, whoever still waits for an answer.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio::sync::{Mutex, mpsc};

use super::client::{Connection, Questions};
use super::tally::Tally;
use super::{Open, failed};
use crate::error::BenchError;

/// So many requests a second for so long, over so many connections. Every one that was due is asked in the end, however late, and
/// its time counts from when it was due.
pub(super) async fn ask(
    address: SocketAddr,
    questions: &Questions,
    rate: u32,
    n_connections: usize,
    time: Duration,
) -> Result<Open, BenchError> {
    let tally = RefCell::new(Tally::new()?);
    let began = Instant::now();
    let (ticks, due) = mpsc::unbounded_channel();
    let due = Mutex::new(due);
    // A thread keeps the time: the runtime's own timers are good to a millisecond, which is longer than an answer.
    let clock = std::thread::spawn(move || tick(began, rate, time, &ticks));
    let connection = async |_| {
        let mut connection = Connection::new(address);
        loop {
            let next = due.lock().await.recv().await;
            let Some(due) = next else { return Ok::<(), BenchError>(()) };
            let sent = Instant::now();
            let answer = connection.ask(questions).await?;
            tally.borrow_mut().add(&answer, due.elapsed(), sent.elapsed())?;
        }
    };
    try_join_all((0..n_connections.max(1)).map(connection)).await?;
    clock.join().map_err(|_| failed("the thread that keeps the time panicked"))?;
    let tally = tally.into_inner();
    Ok(Open { rate, outcome: tally.outcome(began.elapsed()), from_sent: tally.since_sent() })
}

/// Sends each time at which a request is due, then.
fn tick(began: Instant, rate: u32, time: Duration, ticks: &mpsc::UnboundedSender<Instant>) {
    let n = (f64::from(rate) * time.as_secs_f64()) as u64;
    for number in 0..n {
        let due = began + Duration::from_secs_f64(number as f64 / f64::from(rate.max(1)));
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if ticks.send(due).is_err() {
            return;
        }
    }
}
