//! [`Collector`]: the way to a collector. What it cannot take is lost, counted and told; nothing waits for it.

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::http::HeaderMap;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::blocking::Client;
use reqwest::redirect;

use crate::authorities::authorities;
use crate::limits::{COLLECTOR_ANSWER_BYTES_MAX, COLLECTOR_TIMEOUT, COLLECTOR_WARNING_INTERVAL};

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    Metrics,
}

impl Signal {
    pub(crate) const ALL: [Self; 2] = [Self::Traces, Self::Metrics];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
        }
    }
}

/// How sending went, since the start of the process.
#[derive(Debug, Default)]
pub(crate) struct Exports {
    traces: Tries,
    metrics: Tries,
}

#[derive(Debug, Default)]
struct Tries {
    n_good: AtomicU64,
    n_failed: AtomicU64,
    /// Since when it fails, and when that was said last.
    failing: Mutex<Option<Failing>>,
}

#[derive(Clone, Copy, Debug)]
struct Failing {
    said: Instant,
}

impl Exports {
    fn of(&self, signal: Signal) -> &Tries {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Metrics => &self.metrics,
        }
    }

    /// How many attempts were taken, and how many were not.
    pub(crate) fn counts(&self, signal: Signal) -> (u64, u64) {
        let tries = self.of(signal);
        (tries.n_good.load(Ordering::Relaxed), tries.n_failed.load(Ordering::Relaxed))
    }

    /// Counts an attempt. A failure is told at once, again after a while where it lasts, and when it is over.
    fn note(&self, signal: Signal, failure: Option<&str>) {
        let (tries, name) = (self.of(signal), signal.as_str());
        let mut failing = tries.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(reason) = failure else {
            tries.n_good.fetch_add(1, Ordering::Relaxed);
            if failing.take().is_some() {
                tracing::info!(telemetry.signal = name, "the collector takes what is sent again");
            }
            return;
        };
        let n_failed = tries.n_failed.fetch_add(1, Ordering::Relaxed) + 1;
        if failing.is_none_or(|failing| failing.said.elapsed() >= COLLECTOR_WARNING_INTERVAL) {
            *failing = Some(Failing { said: Instant::now() });
            tracing::warn!(
                telemetry.signal = name,
                telemetry.n_failed = n_failed,
                error = reason,
                "the collector does not take what is sent; it is lost, and requests are served on"
            );
        }
    }
}

/// An HTTP client for one signal.
pub(super) struct Collector {
    client: Client,
    /// Sent with each request; they may hold credentials.
    headers: HeaderMap,
    signal: Signal,
    exports: Arc<Exports>,
}

impl Collector {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// A sentence, when a certificate cannot be read or no client can be made.
    pub(super) fn new(
        signal: Signal,
        headers: HeaderMap,
        ca_file: Option<&Path>,
        exports: Arc<Exports>,
    ) -> Result<Self, String> {
        // A second installation is refused and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .user_agent(concat!("shortlist/", env!("CARGO_PKG_VERSION")))
            // Credentials stay where they are configured for.
            .redirect(redirect::Policy::none())
            .timeout(timeout());
        if let Some(path) = ca_file {
            builder = builder.tls_certs_merge(authorities(path)?);
        }
        let client = builder.build().map_err(|error| format!("no client can be made: {error}"))?;
        Ok(Self { client, headers, signal, exports })
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        let (head, body) = request.into_parts();
        let sent = self.client.post(head.uri.to_string()).headers(head.headers).headers(self.headers.clone());
        let mut answer = sent.body(body).send().map_err(|error| innermost(&error.without_url()))?;
        let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
        let mut text = Vec::new();
        let read = answer.take(COLLECTOR_ANSWER_BYTES_MAX).read_to_end(&mut text);
        read.map_err(|error| error.to_string())?;
        let mut response = Response::new(Bytes::from(text));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

#[async_trait]
impl HttpClient for Collector {
    /// Blocks: whoever exports has a thread for it.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let result = self.send(request);
        let failure = match &result {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("it answers {}", response.status().as_u16())),
            Err(reason) => Some(reason.clone()),
        };
        self.exports.note(self.signal, failure.as_deref());
        result.map_err(HttpError::from)
    }
}

/// Without the headers.
impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Collector({:?})", self.signal)
    }
}

/// How long one attempt may take: what the standard variable says in milliseconds, but never longer than a stop would wait.
fn timeout() -> Duration {
    let said = std::env::var("OTEL_EXPORTER_OTLP_TIMEOUT").ok().and_then(|text| text.parse().ok());
    said.map_or(COLLECTOR_TIMEOUT, Duration::from_millis).min(COLLECTOR_TIMEOUT)
}

/// What happened at the bottom of an error: `Connection refused` rather than `error sending request`.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
