//! [`ask`]: clients that ask again as soon as they are answered.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::client::{Answer, Connection, Questions};
use super::tally::{Outcome, Tally};
use crate::error::BenchError;

/// So many clients for so long.
pub(super) async fn ask(
    address: SocketAddr,
    questions: &Questions,
    n_clients: usize,
    time: Duration,
) -> Result<Outcome, BenchError> {
    let tally = RefCell::new(Tally::new()?);
    let began = Instant::now();
    let client = async |_| {
        let mut connection = Connection::new(address);
        while began.elapsed() < time {
            let sent = Instant::now();
            let answer = connection.ask(questions).await?;
            tally.borrow_mut().add(&answer, sent.elapsed(), sent.elapsed())?;
            if let Answer::Refused(_, pause) = answer {
                tokio::time::sleep(pause.min(time.saturating_sub(began.elapsed()))).await;
            }
        }
        Ok::<(), BenchError>(())
    };
    try_join_all((0..n_clients).map(client)).await?;
    Ok(tally.borrow().outcome(began.elapsed()))
}
