//! [`serve_metrics`]: `GET /metrics`, on an address of its own. It is for operators, so it never stands beside the doors.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::Telemetry;
use crate::limits::{METRICS_CONNECTION_TIMEOUT, METRICS_CONNECTIONS_MAX, METRICS_READERS_MAX, METRICS_TIMEOUT};
use crate::serve::next;

/// What Prometheus calls its text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Clone)]
struct Page {
    telemetry: Telemetry,
    readers: Arc<Semaphore>,
}

/// Serves the metrics page until it is dropped. Whoever reaches the address may read it, and learns how much is asked and
/// how the sources are, never by whom nor for what. A connection takes one request and a bounded time, and there are few at a
/// time: the process has file descriptors for the doors.
pub async fn serve_metrics(listener: TcpListener, telemetry: Telemetry) {
    let page = Page { telemetry, readers: Arc::new(Semaphore::new(METRICS_READERS_MAX)) };
    let app = TowerToHyperService::new(Router::new().route("/metrics", get(metrics)).with_state(page));
    let places = Arc::new(Semaphore::new(METRICS_CONNECTIONS_MAX));
    // Nobody closes the semaphore.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let (stream, _) = next(&listener).await;
        let app = app.clone();
        tokio::spawn(async move {
            let _place = place;
            let connection = http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), app);
            if let Ok(Err(error)) = tokio::time::timeout(METRICS_CONNECTION_TIMEOUT, connection).await {
                tracing::debug!(error = %error, "a connection to the metrics page broke");
            }
        });
    }
}

/// Reading takes locks and files, so it is done on a blocking thread, by a few at a time.
async fn metrics(State(page): State<Page>) -> Response {
    let Ok(reader) = page.readers.try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many read the metrics\n").into_response();
    };
    let read = move || {
        let _reader = reader;
        page.telemetry.page()
    };
    match tokio::time::timeout(METRICS_TIMEOUT, tokio::task::spawn_blocking(read)).await {
        Ok(Ok(Some(text))) => ([(CONTENT_TYPE, TEXT_FORMAT), (CACHE_CONTROL, "no-store")], text).into_response(),
        Ok(Ok(None)) => StatusCode::NOT_FOUND.into_response(),
        Ok(Err(_)) | Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the metrics cannot be read\n").into_response(),
    }
}
