//! What is looked at when somebody reads, rather than counted on the way: the state of the server.

use std::sync::{Arc, Weak};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};
use shortlist_index::Snapshot;

use super::table::{self, Kind, Metric};
use super::{Tally, process};
use crate::clock::unix_s as now;
use crate::ledger::{SourceRow, source_rows};
use crate::state::Shared;

/// Where a look puts what it sees.
type Seen<'s> = &'s dyn AsyncInstrument<f64>;

/// Lets the readers of this meter see the state. It is held weakly: a meter outlives what it measures.
pub(crate) fn observe(meter: &Meter, state: &Arc<Shared>) {
    let state = Observer { meter, state: Arc::downgrade(state) };
    connections(&state);
    work(&state);
    caches(&state);
    issuers(&state);
    generation(&state);
    sources(&state);
    policy(&state);
    audit(&state);
    exports(&state);
    process_state(&state);
}

struct Observer<'m> {
    meter: &'m Meter,
    state: Weak<Shared>,
}

impl Observer<'_> {
    /// What `look` sees is the metric's value, or its values where it has labels.
    fn see(&self, metric: Metric, look: impl Fn(&Shared, Seen<'_>) + Send + Sync + 'static) {
        let state = self.state.clone();
        let callback = move |seen: Seen<'_>| {
            if let Some(state) = state.upgrade() {
                look(&state, seen);
            }
        };
        match metric.kind {
            Kind::Counter => {
                let builder = self.meter.f64_observable_counter(metric.name).with_unit(metric.unit);
                builder.with_description(metric.help).with_callback(callback).build();
            }
            Kind::Gauge | Kind::Histogram(_) => {
                let builder = self.meter.f64_observable_gauge(metric.name).with_unit(metric.unit);
                builder.with_description(metric.help).with_callback(callback).build();
            }
        }
    }

    /// A metric without labels, which is missing where there is no value.
    fn value(&self, metric: Metric, look: impl Fn(&Shared) -> Option<f64> + Send + Sync + 'static) {
        self.see(metric, move |state, seen| {
            if let Some(value) = look(state) {
                seen.observe(value, &[]);
            }
        });
    }
}

fn connections(state: &Observer<'_>) {
    state.value(table::CONNECTIONS_OPEN, |state| Some(state.places.n() as f64));
    state.value(table::CONNECTIONS_OPEN_LIMIT, |state| Some(state.places.n_max() as f64));
}

fn work(state: &Observer<'_>) {
    state.value(table::WORK_RUNNING, |state| Some(state.engine.load().n_running as f64));
    state.value(table::WORK_WAITING, |state| Some(state.engine.load().n_waiting as f64));
    state.value(table::WORK_RUNNING_LIMIT, |state| Some(state.engine.load().running_max as f64));
    state.value(table::WORK_WAITING_LIMIT, |state| Some(state.engine.load().waiting_max as f64));
}

fn caches(state: &Observer<'_>) {
    state.see(table::CACHE_LOOKUPS, |state, seen| {
        let cache = |name: &'static str, tallies: &mut dyn Iterator<Item = &Tally>| {
            let (hits, misses) =
                tallies.fold((0, 0), |(hits, misses), tally| (hits + tally.hits(), misses + tally.misses()));
            for (result, n) in [("hit", hits), ("miss", misses)] {
                seen.observe(n as f64, &[KeyValue::new("cache", name), KeyValue::new("result", result)]);
            }
        };
        cache("allowed_sets", &mut std::iter::once(state.engine.allowed_tally()));
        cache("query_vectors", &mut state.engine.query_vectors_tally().into_iter());
        cache("grants", &mut std::iter::once(state.policies.grants_tally()));
        cache("issuer_keys", &mut state.identity.fetched_keys().map(|(_, keys)| keys.tally()));
    });
}

fn issuers(state: &Observer<'_>) {
    state.see(table::ISSUER_KEYS_AGE, |state, seen| {
        for (issuer, keys) in state.identity.fetched_keys() {
            if let Some(age) = keys.age() {
                seen.observe(age.as_secs_f64(), &[KeyValue::new("issuer", issuer)]);
            }
        }
    });
    state.see(table::ISSUER_KEYS_FAILING, |state, seen| {
        for (issuer, keys) in state.identity.fetched_keys() {
            seen.observe(number(keys.is_failing()), &[KeyValue::new("issuer", issuer)]);
        }
    });
}

fn generation(state: &Observer<'_>) {
    let of_snapshot = |metric: Metric, look: fn(&Snapshot) -> f64| {
        state.value(metric, move |state| state.engine.look_at(look));
    };
    of_snapshot(table::GENERATION, |snapshot| snapshot.number() as f64);
    of_snapshot(table::GENERATION_AGE, |snapshot| now().saturating_sub(snapshot.manifest().created_unix_s) as f64);
    of_snapshot(table::GENERATION_TOOLS, |snapshot| snapshot.manifest().n_tools as f64);
    state.value(table::GENERATION_REFUSED, |state| Some(number(state.generations.refuses())));
    state.value(table::EMBEDDER_FITS, |state| {
        let expected = state.engine.expected_embedder()?;
        let loaded = state.engine.models().embedder.as_ref();
        Some(number(loaded.is_some_and(|loaded| loaded.fingerprint().0 == expected)))
    });
}

fn sources(state: &Observer<'_>) {
    let of_each = |metric: Metric, look: fn(&SourceRow, KeyValue, Seen<'_>)| {
        state.see(metric, move |state, seen| {
            let statuses = state.statuses.current();
            let rows = state.engine.look_at(|snapshot| source_rows(Some(snapshot.manifest()), &statuses, now()));
            for row in rows.unwrap_or_else(|| source_rows(None, &statuses, now())) {
                let source = KeyValue::new("source", row.name.clone());
                look(&row, source, seen);
            }
        });
    };
    of_each(table::SOURCE_STATE, |row, source, seen| seen.observe(1.0, &[source, KeyValue::new("state", row.state)]));
    of_each(table::SOURCE_AGE, |row, source, seen| {
        if let Some(age) = row.age_s {
            seen.observe(age as f64, &[source]);
        }
    });
    of_each(table::SOURCE_FAILURES, |row, source, seen| seen.observe(f64::from(row.n_failures), &[source]));
    of_each(table::SOURCE_RECORDS, |row, source, seen| {
        let outcomes = [("searchable", row.n_searchable), ("rejected", row.n_rejected), ("pending", row.n_pending)];
        for (outcome, n) in outcomes {
            seen.observe(n as f64, &[source.clone(), KeyValue::new("outcome", outcome)]);
        }
    });
}

fn policy(state: &Observer<'_>) {
    state.see(table::POLICY, |state, seen| {
        let version = state.policies.in_force().version.to_string();
        seen.observe(1.0, &[KeyValue::new("version", version)]);
    });
    state.value(table::POLICY_RULES, |state| Some(state.policies.in_force().policy.n_rules() as f64));
    state.see(table::POLICY_REFUSED, |state, seen| {
        let in_force = state.policies.in_force();
        let refused = [("file", in_force.file.refusal.is_some()), ("run_time", in_force.run_time.is_err())];
        for (part, is_refused) in refused {
            seen.observe(number(is_refused), &[KeyValue::new("part", part)]);
        }
    });
}

fn audit(state: &Observer<'_>) {
    state.value(table::AUDIT_RECORDS, |state| Some(state.audit.as_ref()?.status().last_seq as f64));
    state.value(table::AUDIT_WAITING, |state| Some(state.audit.as_ref()?.n_waiting() as f64));
    state.value(table::AUDIT_FAILING, |state| Some(number(state.audit.as_ref()?.status().failing)));
    state.value(table::AUDIT_MISSED, |state| Some(state.audit.as_ref()?.status().n_missed as f64));
}

fn exports(state: &Observer<'_>) {
    state.see(table::TELEMETRY_EXPORTS, |state, seen| {
        for (signal, n_good, n_failed) in state.telemetry.exports() {
            for (outcome, n) in [("ok", n_good), ("failed", n_failed)] {
                seen.observe(n as f64, &[KeyValue::new("signal", signal), KeyValue::new("outcome", outcome)]);
            }
        }
    });
}

fn process_state(state: &Observer<'_>) {
    state.value(table::PROCESS_MEMORY, |_| process::resident_bytes());
    state.value(table::PROCESS_CPU, |_| process::cpu_seconds());
    state.value(table::PROCESS_FILES, |_| process::open_files());
    state.value(table::PROCESS_FILES_LIMIT, |_| process::open_files_limit());
    state.value(table::PROCESS_STARTED, |_| process::started());
}

fn number(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}
