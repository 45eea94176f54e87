//! [`run`]: accepts connections until it is told to stop, then lets running requests finish.

use std::future::{Future, IntoFuture};
use std::net::SocketAddr;

use axum::serve::ListenerExt;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::http::app;
use crate::state::AppState;
use crate::watch;

/// Why the server ended otherwise than asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The listening socket failed.
    #[error("the server's socket failed: {0}")]
    Socket(#[from] std::io::Error),
    /// Requests were still running when the time to finish them was over; they were cut off.
    #[error("some requests did not finish within {seconds} s after the stop, and were cut off")]
    DrainTimeout {
        /// The time they had.
        seconds: u64,
    },
}

/// Serves until `stop` is done: then takes no more connections and lets running requests finish, for as long as the
/// configuration allows. Watches for new generations and policies meanwhile.
///
/// # Errors
/// [`RunError`] when the socket fails, or when requests had to be cut off.
pub async fn run(
    listener: TcpListener,
    state: AppState,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), RunError> {
    let drain_timeout = state.0.drain_timeout;
    let watcher = tokio::spawn(watch::follow(state.clone()));
    let listener = listener.tap_io(|stream| {
        // Answers are small and written at once: waiting to fill a packet would only add 40 ms.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "TCP_NODELAY was refused");
        }
    });
    let (stopping, stopped) = oneshot::channel::<()>();
    let stop = async move {
        stop.await;
        tracing::info!("stopping: no more connections are taken, running requests finish");
        // The receiver is gone only when the server has ended already.
        let _ = stopping.send(());
    };
    let service = app(state).into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(stop).into_future();
    let deadline = async move {
        if stopped.await.is_err() {
            // The stop can no more come: there is no deadline either.
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(drain_timeout).await;
    };
    let result = tokio::select! {
        served = serving => served.map_err(RunError::from),
        () = deadline => Err(RunError::DrainTimeout { seconds: drain_timeout.as_secs() }),
    };
    watcher.abort();
    result
}
