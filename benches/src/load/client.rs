//! [`Connection`]: a client's kept connection, and [`Questions`], what is asked over it.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{Request, StatusCode};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::failed;
use crate::error::BenchError;
use crate::latency::Workload;
use crate::server::SECRET;

/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// How long a client that was refused waits at the most.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Searches, in turn over the workload's queries, each by its user.
pub(super) struct Questions {
    asked: Vec<(String, String)>,
    fresh: bool,
    n_asked: Cell<usize>,
}

impl Questions {
    pub(super) fn of(workload: &Workload, fresh: bool) -> Self {
        let asked = workload.queries.iter().map(|query| (workload.users[query.user].name.clone(), query.text.clone()));
        Self { asked: asked.collect(), fresh, n_asked: Cell::new(0) }
    }

    /// The next search. A fresh one has a number after its text.
    fn next(&self) -> Result<Request<Body>, BenchError> {
        let number = self.n_asked.replace(self.n_asked.get() + 1);
        let (user, text) =
            self.asked.get(number % self.asked.len().max(1)).ok_or_else(|| failed("there is no query"))?;
        let query = if self.fresh { format!("{text} {number}") } else { text.clone() };
        Request::post("/v1/search_tools")
            .header("host", "localhost")
            .header(CONTENT_TYPE, "application/json")
            .header("x-shortlist-secret", SECRET)
            .header("x-shortlist-user", user)
            .body(Body::from(json!({ "query": query }).to_string()))
            .map_err(failed)
    }
}

/// What came back.
pub(super) enum Answer {
    /// What was asked for.
    Answered,
    /// Sent away, with how long to wait before asking again.
    Refused(u16, Duration),
    /// Anything else.
    Failed,
}

/// A connection, opened anew after one that failed.
pub(super) struct Connection {
    address: SocketAddr,
    open: Option<SendRequest<Body>>,
}

impl Connection {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, open: None }
    }

    /// Asks the next question and reads the whole answer.
    pub(super) async fn ask(&mut self, questions: &Questions) -> Result<Answer, BenchError> {
        let request = questions.next()?;
        let answered = self.send(request).await;
        if answered.is_err() {
            self.open = None;
        }
        Ok(match answered {
            Ok((StatusCode::OK, ..)) => Answer::Answered,
            Ok((status, pause, _))
                if [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status) =>
            {
                Answer::Refused(status.as_u16(), pause)
            }
            _ => Answer::Failed,
        })
    }

    async fn send(&mut self, request: Request<Body>) -> Result<(StatusCode, Duration, axum::body::Bytes), BenchError> {
        let sender = match &mut self.open {
            Some(sender) => sender,
            closed => {
                let stream = TcpStream::connect(self.address).await.map_err(failed)?;
                stream.set_nodelay(true).map_err(failed)?;
                let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(failed)?;
                // Its end shows in the next request.
                tokio::task::spawn_local(async { drop(connection.await) });
                closed.insert(sender)
            }
        };
        sender.ready().await.map_err(failed)?;
        let response = sender.send_request(request).await.map_err(failed)?;
        let status = response.status();
        let pause = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = to_bytes(Body::new(response.into_body()), ANSWER_BYTES_MAX).await.map_err(failed)?;
        Ok((status, pause.map_or(PAUSE_MAX, Duration::from_secs).min(PAUSE_MAX), body))
    }
}

/// Asks one question, and takes nothing for an answer but one: a server that refuses everybody is fast and not measured.
pub(super) async fn check(address: SocketAddr, questions: &Questions) -> Result<(), BenchError> {
    let (status, _, body) = Connection::new(address).send(questions.next()?).await?;
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    match (status, answer["hits"].is_array()) {
        (StatusCode::OK, true) => Ok(()),
        _ => Err(failed(format!("it answered {status}: {}", String::from_utf8_lossy(&body)))),
    }
}
