//! [`run`]: accepts connections until it is told to stop, then lets running requests finish.
//!
//! A connection has a place as long as it is open, and its own task from the first moment on: what is slow, broken or idle on
//! one is bounded there ([`activity`]) and never in the way of another.

mod activity;
mod connection;
mod places;
mod tls;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch as watching;
use tokio::task::JoinSet;

use self::connection::Shared;
use self::places::Full;
use crate::http::app;
use crate::origin::Origin;
use crate::state::AppState;
use crate::watch;

pub use self::tls::{Tls, TlsError};

pub(crate) use self::places::Places;

/// How long the listening socket is left alone when the process has no more file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(500);

/// Why the server ended otherwise than asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// Requests were still running when the time to finish them was over; they were cut off.
    #[error("some requests did not finish within {seconds} s after the stop, and were cut off")]
    DrainTimeout {
        /// The time they had.
        seconds: u64,
    },
}

/// Serves until `stop` is done: then takes no more connections and lets running requests finish, for as long as the
/// configuration allows. Watches for new generations, policies and certificates meanwhile.
///
/// # Errors
/// [`RunError`] when requests had to be cut off.
pub async fn run(
    listener: TcpListener,
    state: AppState,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), RunError> {
    let (drain_timeout, lasting) = (state.0.drain_timeout, Arc::clone(&state.0.lasting));
    let watcher = tokio::spawn(watch::follow(state.clone()));
    let shared = Arc::new(Shared::new(app(state.clone()), state));
    let (stopping, told_to_stop) = watching::channel(false);
    let mut connections = JoinSet::new();
    {
        let accepting = accept(&listener, &shared, &told_to_stop, &mut connections);
        tokio::select! {
            () = accepting => {}
            () = stop => {}
        }
    }
    tracing::info!("stopping: no more connections are taken, running requests finish");
    drop(listener);
    // The receivers are gone only where no connection is open.
    let _ = stopping.send(true);
    let draining = async {
        while connections.join_next().await.is_some() {}
        drop(lasting.write().await);
    };
    let drained = tokio::time::timeout(drain_timeout, draining).await;
    watcher.abort();
    // What is left of the connections ends with their set.
    drained.map_err(|_| RunError::DrainTimeout { seconds: drain_timeout.as_secs() })
}

/// Accepts for ever. Nothing that a peer does is waited for here, except that somebody makes room when all places are taken;
/// who comes meanwhile waits in the system's queue, as nobody could be served before.
async fn accept(
    listener: &TcpListener,
    shared: &Arc<Shared>,
    told_to_stop: &watching::Receiver<bool>,
    connections: &mut JoinSet<()>,
) {
    loop {
        let (stream, peer) = next(listener).await;
        while let Some(ended) = connections.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(error = %error, "the task of a connection failed");
            }
        }
        let origin = Origin::of(peer.ip());
        let place = match shared.state.0.places.take(origin) {
            Err(Full::All) => shared.state.0.places.wait(origin).await,
            taken => taken,
        };
        if let Ok(place) = place {
            connections.spawn(connection::serve(Arc::clone(shared), stream, peer, told_to_stop.clone(), place));
        }
    }
}

/// The next connection. What can go wrong is one connection's fault, or passes.
pub(crate) async fn next(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) => {}
            Err(error) => {
                tracing::error!(error = %error, "no connection can be taken; it is tried again");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}
