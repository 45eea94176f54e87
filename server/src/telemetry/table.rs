//! Every metric, in one table.
//!
//! Names and units are OpenTelemetry's. On the page they follow its rule for Prometheus: dots become `_`, the unit is
//! appended (`s` as `seconds`, `By` as `bytes`) and then `_total` to counters.

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Goes up only, from 0 at the start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts measurements by size; these are the upper bounds of its buckets.
    Histogram(&'static [f64]),
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name, such as `shortlist.request.duration`.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its unit: `s`, `By`, or nothing for a number.
    pub unit: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

impl Metric {
    /// Its name on the metrics page. A histogram stands there with `_bucket`, `_sum` and `_count` behind it.
    pub fn page_name(&self) -> String {
        let unit = match self.unit {
            "s" => "_seconds",
            "By" => "_bytes",
            _ => "",
        };
        let total = if self.kind == Kind::Counter { "_total" } else { "" };
        format!("{}{unit}{total}", self.name.replace('.', "_"))
    }
}

/// In seconds. A lexical search over a small catalog takes a fifth of a millisecond, a hybrid one some milliseconds, a
/// reranked one half a second, and after ten seconds a request is given up: three bounds a decade lie between.
const TIMES_S: &[f64] =
    &[0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// In tools: none, few, a team's, a hub's, all of the largest catalogs.
const TOOLS: &[f64] = &[0.0, 10.0, 100.0, 1_000.0, 5_000.0, 10_000.0, 50_000.0, 100_000.0, 500_000.0];

macro_rules! table {
    ($($(#[doc = $doc:literal])+ $constant:ident = $kind:expr, $name:literal, $unit:literal, [$($label:literal),*];)+) => {
        $($(#[doc = $doc])+ pub(super) const $constant: Metric = Metric {
            name: $name,
            kind: $kind,
            unit: $unit,
            labels: &[$($label),*],
            // One line, as the page wants it.
            help: concat!($($doc),+).trim_ascii(),
        };)+

        /// Every metric that there is.
        pub const METRICS: &[Metric] = &[$($constant),+];
    };
}

use Kind::{Counter, Gauge, Histogram};

table! {
    /// Requests answered, by door (none where there is no route; mcp/ and the tool or message over MCP) and by the error's code, ok without one. Those that were shed are overloaded, those given up timeout.
    REQUESTS = Counter, "shortlist.requests", "", ["door", "code"];
    /// From when it is known who asks to the answer's head, by door. A wait for an issuer's keys comes before.
    REQUEST_DURATION = Histogram(TIMES_S), "shortlist.request.duration", "s", ["door"];
    /// Requests that are being answered.
    REQUESTS_IN_FLIGHT = Gauge, "shortlist.requests.in_flight", "", [];
    /// Time in each stage of the work on a request: queue, allow, embed, dense (over many tools, what is waited for it after lexical), lexical, fuse, rerank, collapse, fetch, render.
    STAGE_DURATION = Histogram(TIMES_S), "shortlist.stage.duration", "s", ["stage"];
    /// Connections that are open.
    CONNECTIONS_OPEN = Gauge, "shortlist.connections.open", "", [];
    /// How many connections may be open at the same time.
    CONNECTIONS_OPEN_LIMIT = Gauge, "shortlist.connections.open_limit", "", [];
    /// Requests that compute.
    WORK_RUNNING = Gauge, "shortlist.work.running", "", [];
    /// How many requests may compute at the same time.
    WORK_RUNNING_LIMIT = Gauge, "shortlist.work.running_limit", "", [];
    /// Requests that wait for a thread.
    WORK_WAITING = Gauge, "shortlist.work.waiting", "", [];
    /// How many requests may wait; more are shed.
    WORK_WAITING_LIMIT = Gauge, "shortlist.work.waiting_limit", "", [];
    /// Tools that the callers of requests may see.
    ALLOWED_TOOLS = Histogram(TOOLS), "shortlist.allowed.tools", "", [];
    /// Searches from which a stage was missing, by stage.
    SEARCHES_DEGRADED = Counter, "shortlist.searches.degraded", "", ["stage"];
    /// Searches that found nothing on their first page.
    SEARCHES_EMPTY = Counter, "shortlist.searches.empty", "", [];
    /// Look-ups in caches, by cache (grants, allowed_sets, query_vectors, issuer_keys) and result (hit, miss).
    CACHE_LOOKUPS = Counter, "shortlist.cache.lookups", "", ["cache", "result"];
    /// Requests that nobody was identified for, by the kind of reason.
    IDENTITY_REFUSALS = Counter, "shortlist.identity.refusals", "", ["reason"];
    /// How old the keys of an issuer are; missing where none are held.
    ISSUER_KEYS_AGE = Gauge, "shortlist.issuer.keys.age", "s", ["issuer"];
    /// Whether the last attempt to fetch an issuer's keys failed.
    ISSUER_KEYS_FAILING = Gauge, "shortlist.issuer.keys.failing", "", ["issuer"];
    /// The number of the generation that serves; missing where none does.
    GENERATION = Gauge, "shortlist.generation.number", "", [];
    /// How long ago the generation that serves was built.
    GENERATION_AGE = Gauge, "shortlist.generation.age", "s", [];
    /// Tools of the generation that serves, in all versions.
    GENERATION_TOOLS = Gauge, "shortlist.generation.tools", "", [];
    /// Whether the current generation was refused, so that an older one serves or none.
    GENERATION_REFUSED = Gauge, "shortlist.generation.refused", "", [];
    /// Whether the embedding model that is loaded is the one of the generation that serves.
    EMBEDDER_FITS = Gauge, "shortlist.embedder.fits", "", [];
    /// 1, with the state that a source is in: ok, stale, held_back, failed.
    SOURCE_STATE = Gauge, "shortlist.source.state", "", ["source", "state"];
    /// How old what serves of a source is; missing where it was never read.
    SOURCE_AGE = Gauge, "shortlist.source.age", "s", ["source"];
    /// Attempts to read a source that failed since the last one that succeeded.
    SOURCE_FAILURES = Gauge, "shortlist.source.failures", "", ["source"];
    /// Records of a source in the generation that serves, by what became of them: searchable, rejected, pending.
    SOURCE_RECORDS = Gauge, "shortlist.source.records", "", ["source", "outcome"];
    /// 1, with the version of the policy in force.
    POLICY = Gauge, "shortlist.policy.info", "", ["version"];
    /// The rules of the policy in force.
    POLICY_RULES = Gauge, "shortlist.policy.rules", "", [];
    /// Whether a part of the policy (file, run_time) was refused when it was read last.
    POLICY_REFUSED = Gauge, "shortlist.policy.refused", "", ["part"];
    /// Records in the audit log.
    AUDIT_RECORDS = Gauge, "shortlist.audit.records", "", [];
    /// Decisions that wait to be recorded.
    AUDIT_WAITING = Gauge, "shortlist.audit.waiting", "", [];
    /// Whether decisions cannot be recorded at the moment.
    AUDIT_FAILING = Gauge, "shortlist.audit.failing", "", [];
    /// Decisions that were not recorded.
    AUDIT_MISSED = Counter, "shortlist.audit.missed", "", [];
    /// Attempts to send something to the collector, by signal (traces, metrics) and outcome (ok, failed).
    TELEMETRY_EXPORTS = Counter, "shortlist.telemetry.exports", "", ["signal", "outcome"];
    /// Memory of the process that is in use.
    PROCESS_MEMORY = Gauge, "process.resident_memory", "By", [];
    /// Time of processors that the process has used.
    PROCESS_CPU = Counter, "process.cpu", "s", [];
    /// Files and sockets that the process has open.
    PROCESS_FILES = Gauge, "process.open_fds", "", [];
    /// How many files and sockets it may have open.
    PROCESS_FILES_LIMIT = Gauge, "process.max_fds", "", [];
    /// When the process started, in Unix time.
    PROCESS_STARTED = Gauge, "process.start_time", "s", [];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_written_as_prometheus_wants_them() {
        let names: std::collections::BTreeSet<String> = METRICS.iter().map(Metric::page_name).collect();
        assert_eq!(names.len(), METRICS.len());
        for metric in METRICS {
            let name = metric.page_name();
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            assert!(metric.help.ends_with('.') && !metric.help.contains('\n'), "{name}");
            if let Histogram(bounds) = metric.kind {
                assert!(bounds.is_sorted_by(|a, b| a < b), "{name}");
            }
        }
        assert_eq!(REQUEST_DURATION.page_name(), "shortlist_request_duration_seconds");
        assert_eq!(PROCESS_CPU.page_name(), "process_cpu_seconds_total");
        assert_eq!(PROCESS_MEMORY.page_name(), "process_resident_memory_bytes");
    }
}
