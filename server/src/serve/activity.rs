//! [`Activity`]: what a connection is busy with, and until when it may be.
//!
//! The HTTP library has a time limit for a head alone, which counts an idle connection as one that is slow, and none for an
//! answer that nobody reads. So it has none here, and what goes in and out is watched instead.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Version;
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::limits::PIECE_BYTES_MAX;

/// How long each phase of a connection may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) head: Duration,
    pub(super) idle: Duration,
    pub(super) answer: Duration,
}

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It sends the head of a request, or has just been opened and is expected to.
    Head,
    /// A request is read, computed or answered.
    Answer,
    /// It is kept open for the next request.
    Idle,
}

/// What a connection is busy with.
pub(super) struct Activity {
    now: Mutex<Now>,
    changed: Notify,
}

struct Now {
    /// The requests that run, with their beginnings.
    running: BTreeMap<u64, Instant>,
    n_begun: u64,
    /// Where none runs, the first byte of the next one's head; for the first, the opening.
    head_since: Option<Instant>,
    idle_since: Instant,
    /// Several requests share the connection, so a byte is not the beginning of a head.
    is_shared: bool,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        let opened = Instant::now();
        let now = Now {
            running: BTreeMap::new(),
            n_begun: 0,
            head_since: Some(opened),
            idle_since: opened,
            is_shared: false,
        };
        Arc::new(Self { now: Mutex::new(now), changed: Notify::new() })
    }

    /// What it does, and the end of the time for it.
    pub(super) fn due(&self, patience: &Patience) -> (Phase, Instant) {
        let now = self.now();
        match (now.running.values().next(), now.head_since) {
            (Some(&begun), _) => (Phase::Answer, begun + patience.answer),
            (None, Some(since)) => (Phase::Head, since + patience.head),
            (None, None) => (Phase::Idle, now.idle_since + patience.idle),
        }
    }

    /// Done when [`Self::due`] may say something else.
    pub(super) async fn changes(&self) {
        self.changed.notified().await;
    }

    /// A request's head is complete.
    pub(super) fn begin(self: &Arc<Self>, version: Version) -> Running {
        let mut now = self.now();
        now.is_shared = version == Version::HTTP_2;
        now.head_since = None;
        let number = now.n_begun;
        now.n_begun += 1;
        now.running.insert(number, Instant::now());
        drop(now);
        self.changed.notify_one();
        Running { activity: Arc::clone(self), number }
    }

    fn end(&self, number: u64) {
        let mut now = self.now();
        now.running.remove(&number);
        now.idle_since = Instant::now();
        drop(now);
        self.changed.notify_one();
    }

    fn bytes_came(&self) {
        let mut now = self.now();
        if now.running.is_empty() && now.head_since.is_none() && !now.is_shared {
            now.head_since = Some(Instant::now());
            drop(now);
            self.changed.notify_one();
        }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that runs, until its answer was handed over or given up.
pub(super) struct Running {
    activity: Arc<Activity>,
    number: u64,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.activity.end(self.number);
    }
}

/// An answer's body, in pieces. The request runs as long as it is there: until the last piece is handed over.
pub(super) struct Answering {
    body: Body,
    /// What is left of a frame that is larger than a piece.
    rest: Bytes,
    _running: Running,
}

impl Answering {
    pub(super) fn new(body: Body, running: Running) -> Self {
        Self { body, rest: Bytes::new(), _running: running }
    }
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                ended => return Poll::Ready(ended),
            };
            match frame.into_data() {
                Ok(data) if data.len() > PIECE_BYTES_MAX => self.rest = data,
                Ok(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Err(other) => return Poll::Ready(Some(Ok(other))),
            }
        }
        let n_bytes = self.rest.len().min(PIECE_BYTES_MAX);
        // Copied, for a part of the frame would keep all of it in memory for as long as it waits to be written.
        let piece = Bytes::copy_from_slice(&self.rest.split_to(n_bytes));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (left, body) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower().saturating_add(left));
        if let Some(upper) = body.upper() {
            hint.set_upper(upper.saturating_add(left));
        }
        hint
    }
}

/// A connection that says when bytes come.
pub(super) struct Observed<I> {
    io: I,
    activity: Arc<Activity>,
}

impl<I> Observed<I> {
    pub(super) fn new(io: I, activity: Arc<Activity>) -> Self {
        Self { io, activity }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Observed<I> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.io).poll_read(context, into);
        if into.filled().len() > before {
            self.activity.bytes_came();
        }
        read
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Observed<I> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience =
        Patience { head: Duration::from_secs(1), idle: Duration::from_secs(100), answer: Duration::from_secs(10) };

    #[test]
    fn a_connection_is_in_one_phase_at_a_time() {
        let activity = Activity::new();
        let phase = || activity.due(&PATIENCE).0;
        assert_eq!(phase(), Phase::Head, "the first head is expected at once");
        let first = activity.begin(Version::HTTP_11);
        assert_eq!(phase(), Phase::Answer);
        activity.bytes_came();
        drop(first);
        assert_eq!(phase(), Phase::Idle);
        activity.bytes_came();
        assert_eq!(phase(), Phase::Head);
        let (one, other) = (activity.begin(Version::HTTP_2), activity.begin(Version::HTTP_2));
        let due = activity.due(&PATIENCE);
        drop(other);
        assert_eq!(activity.due(&PATIENCE), due, "the oldest counts");
        drop(one);
        activity.bytes_came();
        assert_eq!(phase(), Phase::Idle, "a byte of HTTP/2 may be anything");
    }

    #[tokio::test]
    async fn an_answer_is_handed_over_in_pieces_and_its_request_runs_until_the_last() {
        let activity = Activity::new();
        let running = activity.begin(Version::HTTP_2);
        let whole: Vec<u8> = (0..=u8::MAX).cycle().take(2 * PIECE_BYTES_MAX + 1).collect();
        let mut answer = Answering::new(Body::from(whole.clone()), running);
        let mut came = Vec::new();
        while !answer.is_end_stream() {
            assert_eq!(activity.due(&PATIENCE).0, Phase::Answer);
            assert_eq!(answer.size_hint().exact(), Some((whole.len() - came.len()) as u64));
            let frame = std::future::poll_fn(|context| Pin::new(&mut answer).poll_frame(context)).await;
            let piece = frame.expect("there is more").expect("it is in memory").into_data().expect("no trailers");
            assert!(piece.len() <= PIECE_BYTES_MAX, "{}", piece.len());
            came.extend_from_slice(&piece);
        }
        assert!(came == whole, "nothing is lost");
        drop(answer);
        assert_eq!(activity.due(&PATIENCE).0, Phase::Idle);
    }
}
