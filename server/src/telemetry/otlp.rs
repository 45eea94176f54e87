//! A collector that gets traces and metrics by OTLP, in protobuf over HTTP.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use opentelemetry_otlp::{
    MetricExporter, OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::PeriodicReader;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};

use super::TelemetryError;
use super::collector::{Collector, Exports, Signal};
use crate::limits::COLLECTOR_TIMEOUT;

/// Where traces and metrics go, and which.
#[derive(Clone, Debug, Default)]
pub struct OtlpConfig {
    /// The collector's address, to which `/v1/traces` and `/v1/metrics` are appended. Without it, what the standard
    /// variables name (`OTEL_EXPORTER_OTLP_ENDPOINT`, or `…_TRACES_ENDPOINT` and `…_METRICS_ENDPOINT`).
    pub endpoint: Option<String>,
    /// Sent with each request, beside those of `OTEL_EXPORTER_OTLP_HEADERS`. They may hold credentials.
    pub headers: HeaderMap,
    /// Authorities that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// The share of requests that are traced, from 0 to 1, where the caller does not say by a `traceparent`; without it,
    /// what `OTEL_TRACES_SAMPLER` says, or all.
    pub sample_ratio: Option<f64>,
    /// How often metrics are sent; without it, what `OTEL_METRIC_EXPORT_INTERVAL` says, or each minute.
    pub metrics_every: Option<Duration>,
    /// What more is said of this server, beside `OTEL_RESOURCE_ATTRIBUTES`.
    pub attributes: BTreeMap<String, String>,
}

impl OtlpConfig {
    /// Whether a collector is named, here or in the environment.
    pub fn names_a_collector(&self) -> bool {
        Signal::ALL.into_iter().any(|signal| self.wants(signal))
    }

    /// Whether the signal is to be sent: its collector is named, and the environment does not turn it off.
    fn wants(&self, signal: Signal) -> bool {
        let (address, exporter) = match signal {
            Signal::Traces => (OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, "OTEL_TRACES_EXPORTER"),
            Signal::Metrics => (OTEL_EXPORTER_OTLP_METRICS_ENDPOINT, "OTEL_METRICS_EXPORTER"),
        };
        let named = || [address, OTEL_EXPORTER_OTLP_ENDPOINT].into_iter().any(|name| !variable(name).is_empty());
        let is_off = variable("OTEL_SDK_DISABLED").eq_ignore_ascii_case("true") || variable(exporter) == "none";
        (self.endpoint.is_some() || named()) && !is_off
    }

    fn address(&self, signal: Signal) -> Option<String> {
        let endpoint = self.endpoint.as_ref()?;
        Some(format!("{}/v1/{}", endpoint.trim_end_matches('/'), signal.as_str()))
    }

    fn collector(&self, signal: Signal, exports: &Arc<Exports>) -> Result<Collector, TelemetryError> {
        Collector::new(signal, self.headers.clone(), self.ca_file.as_deref(), Arc::clone(exports))
            .map_err(TelemetryError::Collector)
    }

    /// What makes and sends traces. Finished spans wait in a bounded queue (2,048 unless `OTEL_BSP_MAX_QUEUE_SIZE` says
    /// otherwise) for a thread of its own; what finds no room is dropped.
    pub(super) fn tracers(
        &self,
        resource: Resource,
        exports: &Arc<Exports>,
    ) -> Result<Option<SdkTracerProvider>, TelemetryError> {
        if !self.wants(Signal::Traces) {
            return Ok(None);
        }
        let mut exporter =
            SpanExporter::builder().with_http().with_http_client(self.collector(Signal::Traces, exports)?);
        exporter = exporter.with_timeout(COLLECTOR_TIMEOUT);
        if let Some(address) = self.address(Signal::Traces) {
            exporter = exporter.with_endpoint(address);
        }
        let mut tracers = SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter.build()?);
        if let Some(ratio) = self.sample_ratio {
            tracers = tracers.with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio))));
        }
        Ok(Some(tracers.build()))
    }

    /// What reads metrics and sends them, on a thread of its own.
    pub(super) fn metrics(
        &self,
        exports: &Arc<Exports>,
    ) -> Result<Option<PeriodicReader<MetricExporter>>, TelemetryError> {
        if !self.wants(Signal::Metrics) {
            return Ok(None);
        }
        let mut exporter =
            MetricExporter::builder().with_http().with_http_client(self.collector(Signal::Metrics, exports)?);
        exporter = exporter.with_timeout(COLLECTOR_TIMEOUT);
        if let Some(address) = self.address(Signal::Metrics) {
            exporter = exporter.with_endpoint(address);
        }
        let mut reader = PeriodicReader::builder(exporter.build()?);
        if let Some(every) = self.metrics_every {
            reader = reader.with_interval(every);
        }
        Ok(Some(reader.build()))
    }
}

/// A variable of the environment, empty where it is not set.
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}
