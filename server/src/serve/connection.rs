//! One connection, from its handshake to its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

use super::activity::{Activity, Answering, Observed, Patience, Phase};
use super::places::Place;
use crate::config::ConnectionLimits;
use crate::limits::{CLOSE_TIMEOUT, HEAD_BYTES_MAX, HEADERS_MAX, HTTP2_STREAMS_MAX, PIECE_BYTES_MAX};
use crate::state::AppState;

/// What all connections share.
pub(super) struct Shared {
    pub(super) state: AppState,
    app: Router,
    http: auto::Builder<TokioExecutor>,
}

impl Shared {
    pub(super) fn new(app: Router, state: AppState) -> Self {
        let mut http = auto::Builder::new(TokioExecutor::new());
        // `Activity` keeps the time.
        http.http1().header_read_timeout(None).max_headers(HEADERS_MAX).max_buf_size(HEAD_BYTES_MAX);
        http.http2()
            .max_concurrent_streams(HTTP2_STREAMS_MAX)
            // A caller may announce any window and read nothing: what then waits here is past the time for answers.
            .max_send_buf_size(PIECE_BYTES_MAX)
            .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX));
        Self { state, app, http }
    }
}

/// Serves a connection until it ends, is too slow, or is told to.
pub(super) async fn serve(
    shared: Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
    stopping: watch::Receiver<bool>,
    _place: Place,
) {
    // Answers are small and written at once: waiting to fill a packet would only add 40 ms.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = %error, "TCP_NODELAY was refused");
    }
    match &shared.state.0.tls {
        None => speak(&shared, stream, peer, stopping).await,
        Some(tls) => {
            let handshake = TlsAcceptor::from(tls.current()).accept(stream);
            match timeout(shared.state.0.connections.handshake, handshake).await {
                Ok(Ok(stream)) => speak(&shared, stream, peer, stopping).await,
                Ok(Err(error)) => tracing::debug!(error = %error, "a TLS handshake failed"),
                Err(_) => tracing::debug!("a TLS handshake was too slow"),
            }
        }
    }
}

async fn speak<I>(shared: &Shared, io: I, peer: SocketAddr, mut stopping: watch::Receiver<bool>)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let ConnectionLimits { head, idle, answer, .. } = shared.state.0.connections;
    let patience = Patience { head, idle, answer };
    let activity = Activity::new();
    let io = TokioIo::new(Observed::new(io, Arc::clone(&activity)));
    let service = service_fn(|request: Request<Incoming>| {
        let running = activity.begin(request.version());
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        // A router is always ready.
        let answer = shared.app.clone().call(request);
        async move { Ok::<_, Infallible>(answer.await?.map(|body| Answering::new(body, running))) }
    });
    let mut connection = pin!(shared.http.serve_connection(io, service));
    // When it was told to close: it may finish what it does, within this time.
    let mut close_by: Option<Instant> = None;
    let mut is_stopped = false;
    loop {
        let (phase, due) = activity.due(&patience);
        let due = match close_by {
            // Its time to be idle may be over; that is why it closes.
            Some(close_by) if phase == Phase::Idle => close_by,
            Some(close_by) => close_by.min(due),
            None => due,
        };
        let is_idle = phase == Phase::Idle && close_by.is_none();
        tokio::select! {
            ended = &mut connection => {
                if let Err(error) = ended {
                    tracing::debug!(error = %error, "a connection broke");
                }
                return;
            }
            () = activity.changes() => {}
            () = sleep_until(due) => {
                // What it does may have changed at the last moment.
                let (phase, due) = activity.due(&patience);
                match (phase, close_by) {
                    (_, Some(close_by)) if close_by <= Instant::now() => return,
                    _ if due > Instant::now() => {}
                    (Phase::Idle, None) => {
                        connection.as_mut().graceful_shutdown();
                        close_by = Some(Instant::now() + CLOSE_TIMEOUT);
                    }
                    _ => {
                        tracing::debug!(phase = ?phase, "a connection was too slow");
                        return;
                    }
                }
            }
            () = shared.state.0.places.is_wanted(), if is_idle => {
                connection.as_mut().graceful_shutdown();
                close_by = Some(Instant::now() + CLOSE_TIMEOUT);
            }
            _ = stopping.wait_for(|&stopping| stopping), if !is_stopped => {
                is_stopped = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
