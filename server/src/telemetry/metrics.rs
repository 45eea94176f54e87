//! [`Metrics`]: what requests count and measure on their way.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter, UpDownCounter};

use super::table::{self, Kind, Metric};

/// The instruments of requests. Each costs well below a microsecond.
pub(crate) struct Metrics {
    requests: Counter<u64>,
    request_duration: Histogram<f64>,
    in_flight: UpDownCounter<i64>,
    stage_duration: Histogram<f64>,
    allowed_tools: Histogram<u64>,
    degraded: Counter<u64>,
    empty: Counter<u64>,
    refusals: Counter<u64>,
}

/// One request that is being answered, until it is dropped: a caller who hangs up ends it too.
pub(crate) struct InFlight(UpDownCounter<i64>);

impl Metrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        let counter = |metric: Metric| meter.u64_counter(metric.name).with_description(metric.help).build();
        let times = |metric: Metric| {
            let builder = meter.f64_histogram(metric.name).with_description(metric.help).with_unit(metric.unit);
            builder.with_boundaries(bounds(&metric)).build()
        };
        let allowed = table::ALLOWED_TOOLS;
        let allowed_tools = meter.u64_histogram(allowed.name).with_description(allowed.help);
        let in_flight = table::REQUESTS_IN_FLIGHT;
        Self {
            requests: counter(table::REQUESTS),
            request_duration: times(table::REQUEST_DURATION),
            in_flight: meter.i64_up_down_counter(in_flight.name).with_description(in_flight.help).build(),
            stage_duration: times(table::STAGE_DURATION),
            allowed_tools: allowed_tools.with_boundaries(bounds(&allowed)).build(),
            degraded: counter(table::SEARCHES_DEGRADED),
            empty: counter(table::SEARCHES_EMPTY),
            refusals: counter(table::IDENTITY_REFUSALS),
        }
    }

    /// A request has come.
    pub(crate) fn begin(&self) -> InFlight {
        self.in_flight.add(1, &[]);
        InFlight(self.in_flight.clone())
    }

    /// A request was answered. `door` is the name of a route, or what a handler calls itself: never a caller's word.
    pub(crate) fn answered(&self, door: &str, code: &'static str, took: Duration) {
        let door = KeyValue::new("door", door.to_owned());
        self.request_duration.record(took.as_secs_f64(), std::slice::from_ref(&door));
        self.requests.add(1, &[door, KeyValue::new("code", code)]);
    }

    /// A stage has ended.
    pub(crate) fn stage(&self, stage: &'static str, took: Duration) {
        self.stage_duration.record(took.as_secs_f64(), &[KeyValue::new("stage", stage)]);
    }

    /// A request's caller may see so many tools.
    pub(crate) fn allowed(&self, n_tools: u64) {
        self.allowed_tools.record(n_tools, &[]);
    }

    /// A search was answered.
    pub(crate) fn searched(&self, is_empty: bool, degraded: impl Iterator<Item = &'static str>) {
        if is_empty {
            self.empty.add(1, &[]);
        }
        degraded.for_each(|stage| self.degraded.add(1, &[KeyValue::new("stage", stage)]));
    }

    /// Nobody was identified.
    pub(crate) fn refused(&self, reason: &'static str) {
        self.refusals.add(1, &[KeyValue::new("reason", reason)]);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.add(-1, &[]);
    }
}

fn bounds(metric: &Metric) -> Vec<f64> {
    match metric.kind {
        Kind::Histogram(bounds) => bounds.to_vec(),
        Kind::Counter | Kind::Gauge => Vec::new(),
    }
}
