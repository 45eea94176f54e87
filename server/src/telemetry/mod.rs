//! What operators see of the server from outside: metrics, in one table, and traces.
//!
//! Everything is counted and measured once, with the instruments of OpenTelemetry, and read by whoever is configured: the
//! metrics page, in Prometheus's text format on an address of its own, and a collector that gets metrics and traces by OTLP.
//! Without a reader the instruments do nothing.
//!
//! No label ever holds a query, a token, a principal, a ref or a namespace. Labels are words of this program (doors, codes,
//! stages) and names that the operator configured (sources, issuers), so there is a bounded number of series.

mod table;

mod followed;
mod metrics;
mod observed;
mod page;
mod process;
mod tally;

mod collector;
mod otlp;
mod traces;

use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use thiserror::Error;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use self::collector::{Exports, Signal};
use crate::limits::TELEMETRY_CLOSE_TIMEOUT;

pub use self::otlp::OtlpConfig;
pub use self::page::serve_metrics;
pub use self::table::{Kind, METRICS, Metric};

pub(crate) use self::followed::{Followed, stage_span};
pub(crate) use self::metrics::Metrics;
pub(crate) use self::observed::observe;
pub(crate) use self::tally::Tally;
pub(crate) use self::traces::{begin_trace, end_trace};

/// What this server calls itself, unless `OTEL_SERVICE_NAME` says otherwise.
const SERVICE: &str = "shortlist";

/// What is measured, and who reads it. Cheap to clone.
#[derive(Clone)]
pub struct Telemetry(Arc<Inner>);

struct Inner {
    meters: SdkMeterProvider,
    tracers: Option<SdkTracerProvider>,
    page: Option<prometheus::Registry>,
    exports: Option<Arc<Exports>>,
}

/// Who reads what is measured.
#[derive(Clone, Debug, Default)]
pub struct TelemetryConfig {
    /// Whether there is a metrics page.
    pub page: bool,
    /// The collector, where one is named.
    pub otlp: OtlpConfig,
}

/// Why nothing can be told.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// The metrics page cannot be set up.
    #[error("the metrics page cannot be set up: {0}")]
    Page(String),
    /// The way to the collector cannot be set up.
    #[error("the way to the collector cannot be set up: {0}")]
    Collector(String),
}

impl From<ExporterBuildError> for TelemetryError {
    fn from(error: ExporterBuildError) -> Self {
        Self::Collector(error.to_string())
    }
}

impl Telemetry {
    /// Nobody reads.
    pub fn none() -> Self {
        let meters = SdkMeterProvider::builder().build();
        Self(Arc::new(Inner { meters, tracers: None, page: None, exports: None }))
    }

    /// For these readers.
    ///
    /// # Errors
    /// [`TelemetryError`], where one of them cannot be set up. Nothing is connected to yet.
    pub fn start(config: &TelemetryConfig) -> Result<Self, TelemetryError> {
        let otlp = &config.otlp;
        let attributes = otlp.attributes.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
        let resource = resource(attributes);
        let exports = otlp.names_a_collector().then(Arc::<Exports>::default);
        let mut meters = SdkMeterProvider::builder().with_resource(resource.clone());
        let mut page = None;
        if config.page {
            let registry = prometheus::Registry::new();
            let reader = opentelemetry_prometheus::exporter()
                .with_registry(registry.clone())
                .scope_info_enabled(false)
                .build()
                .map_err(|error| TelemetryError::Page(error.to_string()))?;
            meters = meters.with_reader(reader);
            page = Some(registry);
        }
        let mut tracers = None;
        if let Some(exports) = &exports {
            if let Some(reader) = otlp.metrics(exports)? {
                meters = meters.with_reader(reader);
            }
            tracers = otlp.tracers(resource, exports)?;
        }
        Ok(Self(Arc::new(Inner { meters: meters.build(), tracers, page, exports })))
    }

    /// The metrics page, in the text format of Prometheus; `None` where none is configured. Reads the state of the process
    /// and of all sources, which takes some milliseconds at the most.
    pub fn page(&self) -> Option<String> {
        let registry = self.0.page.as_ref()?;
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather());
        Some(text.unwrap_or_else(|error| {
            tracing::error!(error = %error, "the metrics page cannot be written");
            String::new()
        }))
    }

    /// What collects traces, for the subscriber of the process; `None` where nobody does.
    pub fn layer<S>(&self) -> Option<impl Layer<S> + use<S>>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        self.0.tracers.as_ref().map(traces::layer)
    }

    /// Sends what waits to the collector, and ends. Blocks, but not for longer than [`TELEMETRY_CLOSE_TIMEOUT`]; what is
    /// not sent then is lost. Not to be called on a thread of an asynchronous runtime.
    pub fn shut_down(&self) {
        if self.0.exports.is_none() {
            return;
        }
        let (ends, ended) = std::sync::mpsc::channel();
        let this = self.clone();
        let end = move || {
            if let Some(tracers) = &this.0.tracers {
                // A failure was counted and told by the collector's client.
                let _ = tracers.shutdown_with_timeout(TELEMETRY_CLOSE_TIMEOUT);
            }
            let _ = this.0.meters.shutdown_with_timeout(TELEMETRY_CLOSE_TIMEOUT);
            // The receiver is gone when nobody waited so long.
            let _ = ends.send(());
        };
        if std::thread::Builder::new().name("telemetry".to_owned()).spawn(end).is_ok() {
            let _ = ended.recv_timeout(TELEMETRY_CLOSE_TIMEOUT);
        }
    }

    pub(crate) fn meter(&self) -> opentelemetry::metrics::Meter {
        self.0.meters.meter(SERVICE)
    }

    /// How sending to the collector goes: signal, attempts that were taken, attempts that were not.
    fn exports(&self) -> impl Iterator<Item = (&'static str, u64, u64)> + '_ {
        let exports = self.0.exports.iter();
        exports.flat_map(|exports| {
            Signal::ALL.into_iter().map(|signal| {
                let (n_good, n_failed) = exports.counts(signal);
                (signal.as_str(), n_good, n_failed)
            })
        })
    }
}

/// What is said of this process. The environment's words win over ours, the configuration's over both.
fn resource(attributes: impl Iterator<Item = KeyValue>) -> Resource {
    let named = ["OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"].iter().any(|name| {
        std::env::var(name).is_ok_and(|value| *name == "OTEL_SERVICE_NAME" || value.contains("service.name="))
    });
    let mut resource = Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if !named {
        resource = resource.with_service_name(SERVICE);
    }
    resource.with_attributes(attributes.collect::<Vec<_>>()).build()
}
