//! Traces: the spans of requests and stages, for whoever collects them.

use axum::http::StatusCode;
use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider as _,
};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use super::SERVICE;
use crate::http::TraceContext;

/// Continues the caller's trace, if there is one, in a request's span that was not entered yet; gives the span's own place,
/// where traces are collected. Of the caller nothing but the numbers is taken over: `tracestate` is any text.
pub(crate) fn begin_trace(span: &Span, caller: Option<TraceContext>) -> Option<TraceContext> {
    if let Some(TraceContext { trace_id, span_id, is_sampled }) = caller {
        let flags = if is_sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
        let (trace_id, span_id) = (TraceId::from(trace_id), SpanId::from(span_id));
        let remote = SpanContext::new(trace_id, span_id, flags, true, TraceState::NONE);
        // It fails where no traces are collected, and then there is nothing to continue.
        let _ = span.set_parent(Context::new().with_remote_span_context(remote));
    }
    let context = span.context();
    let ours = context.span().span_context().clone();
    ours.is_valid().then(|| TraceContext {
        trace_id: u128::from_be_bytes(ours.trace_id().to_bytes()),
        span_id: u64::from_be_bytes(ours.span_id().to_bytes()),
        is_sampled: ours.is_sampled(),
    })
}

/// Says in a request's span how it was answered.
pub(crate) fn end_trace(status: StatusCode, code: &'static str) {
    let span = Span::current();
    span.set_attribute("http.response.status_code", i64::from(status.as_u16()));
    if code != "ok" {
        span.set_attribute("error.type", code);
    }
    if status.is_server_error() {
        span.set_status(Status::error(code));
    }
}

/// The layer that collects this crate's spans, and what is logged in them from level `info` up. It does not depend on what
/// the log wants.
pub(super) fn layer<S>(tracers: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let is_ours = |metadata: &Metadata<'_>| {
        let level = if metadata.is_span() { LevelFilter::DEBUG } else { LevelFilter::INFO };
        metadata.target().starts_with("shortlist_server") && *metadata.level() <= level
    };
    tracing_opentelemetry::layer()
        .with_tracer(tracers.tracer(SERVICE))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(is_ours).with_max_level_hint(LevelFilter::DEBUG))
}
