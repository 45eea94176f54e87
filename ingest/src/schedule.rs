//! [`Schedule`]: when each source is to be read. Pure: the clock is the caller's.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use shortlist_index::{Health, SourceStatuses};

/// The share of an interval by which it is moved, so that many sources (and many who read one) do not ask at once.
const JITTER: f64 = 0.1;
/// Nothing is read more often than this, whatever a catalog announces or says of its freshness.
const REST: Duration = Duration::from_secs(5);
/// The longest wait after failures, unless the interval itself is longer.
const BACKOFF_MAX: Duration = Duration::from_secs(60 * 60);

/// When each source is due, in milliseconds of Unix time.
#[derive(Clone, Debug)]
pub struct Schedule {
    entries: BTreeMap<String, Entry>,
    seed: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    every: Duration,
    due_ms: u64,
    /// Not before this.
    rest_until_ms: u64,
    n_failures: u32,
    n_passes: u64,
}

impl Schedule {
    /// The sources with their intervals. What was scheduled before a restart still stands, so that a restart does not ask
    /// everybody at once; what was not is due now. The same seed gives the same jitter.
    pub fn new(intervals: &BTreeMap<String, Duration>, before: &SourceStatuses, now_ms: u64, seed: u64) -> Self {
        let entry = |(name, &every): (&String, &Duration)| {
            let status = before.get(name);
            let n_failures = status.map_or(0, |status| status.n_failures);
            // A due time beyond what could have been planned is of another clock or another configuration.
            let latest = now_ms.saturating_add(ms(delay(every, n_failures).mul_f64(1.0 + JITTER)));
            let planned = status.and_then(|status| status.next_due_unix_s).map(|due| due.saturating_mul(1_000));
            let due_ms = planned.filter(|&due| due <= latest).unwrap_or(now_ms).max(now_ms);
            (name.clone(), Entry { every, due_ms, rest_until_ms: 0, n_failures, n_passes: 0 })
        };
        Self { entries: intervals.iter().map(entry).collect(), seed }
    }

    /// The sources to read now.
    pub fn due(&self, now_ms: u64) -> BTreeSet<String> {
        self.entries.iter().filter(|(_, entry)| entry.due_ms <= now_ms).map(|(name, _)| name.clone()).collect()
    }

    /// How long nothing is due.
    pub fn wait(&self, now_ms: u64) -> Duration {
        let next = self.entries.values().map(|entry| entry.due_ms).min().unwrap_or(u64::MAX);
        Duration::from_millis(next.saturating_sub(now_ms))
    }

    /// When a source is due, in seconds of Unix time.
    pub fn next_due_unix_s(&self, name: &str) -> Option<u64> {
        self.entries.get(name).map(|entry| entry.due_ms.div_ceil(1_000))
    }

    /// A reading ended. One that failed is tried again after a longer time with each failure; one that succeeded after its
    /// interval, or sooner where the catalog says that it is good for less (`fresh_for`).
    pub fn ended(&mut self, name: &str, health: Health, fresh_for: Option<Duration>, now_ms: u64) {
        let seed = self.seed;
        let Some(entry) = self.entries.get_mut(name) else { return };
        entry.n_passes += 1;
        entry.n_failures = match health {
            Health::Ok | Health::HeldBack => 0,
            Health::Stale | Health::Failed => entry.n_failures.saturating_add(1),
        };
        let interval = match (entry.n_failures, fresh_for) {
            (0, Some(fresh_for)) => entry.every.min(fresh_for),
            (n_failures, _) => delay(entry.every, n_failures),
        };
        let moved = interval.mul_f64(1.0 + JITTER * unit(seed, name, entry.n_passes)).max(REST);
        entry.due_ms = now_ms.saturating_add(ms(moved));
        entry.rest_until_ms = now_ms.saturating_add(ms(REST));
    }

    /// A source announced a change: it is due as soon as it has rested. One that fails is not believed more often than its
    /// turn comes.
    pub fn wake(&mut self, name: &str, now_ms: u64) {
        if let Some(entry) = self.entries.get_mut(name).filter(|entry| entry.n_failures == 0) {
            entry.due_ms = entry.due_ms.min(now_ms.max(entry.rest_until_ms));
        }
    }

    /// All are tried again later, for a pass as a whole failed.
    pub fn postpone(&mut self, names: &BTreeSet<String>, now_ms: u64) {
        for name in names {
            self.ended(name, Health::Stale, None, now_ms);
        }
    }
}

/// The interval, doubled with each failure after the first.
fn delay(every: Duration, n_failures: u32) -> Duration {
    let doubled = every.saturating_mul(1_u32.checked_shl(n_failures.saturating_sub(1)).unwrap_or(u32::MAX));
    doubled.min(BACKOFF_MAX.max(every))
}

/// A number from -1 to 1 that the seed, the name and the pass decide.
fn unit(seed: u64, name: &str, pass: u64) -> f64 {
    let mut hasher = DefaultHasher::new();
    (seed, name, pass).hash(&mut hasher);
    (hasher.finish() as f64 / u64::MAX as f64).mul_add(2.0, -1.0)
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use shortlist_index::SourceStatus;

    use super::*;

    const MINUTE: u64 = 60_000;

    fn schedule(seed: u64) -> Schedule {
        let every = |minutes: u64| Duration::from_secs(60 * minutes);
        let intervals = BTreeMap::from([("fast".to_owned(), every(1)), ("slow".to_owned(), every(30))]);
        Schedule::new(&intervals, &SourceStatuses::new(), 0, seed)
    }

    /// Milliseconds until the source is due.
    fn wait(schedule: &Schedule, name: &str, now: u64) -> u64 {
        schedule.entries[name].due_ms - now
    }

    #[test]
    fn all_are_due_at_first_and_then_after_their_intervals_with_jitter() {
        let mut distinct = BTreeSet::new();
        for seed in 0..50 {
            let mut schedule = schedule(seed);
            assert_eq!(schedule.due(0).len(), 2);
            schedule.ended("fast", Health::Ok, None, 0);
            schedule.ended("slow", Health::Ok, None, 0);
            let (fast, slow) = (wait(&schedule, "fast", 0), wait(&schedule, "slow", 0));
            assert!((54_000..=66_000).contains(&fast) && (27 * MINUTE..=33 * MINUTE).contains(&slow));
            assert_eq!(schedule.wait(0), Duration::from_millis(fast));
            assert!(schedule.due(fast - 1).is_empty());
            assert_eq!(schedule.due(fast), BTreeSet::from(["fast".to_owned()]));
            distinct.insert(fast);
        }
        assert!(distinct.len() > 40, "the jitter differs: {distinct:?}");
    }

    #[test]
    fn a_failing_source_waits_longer_each_time_within_bounds_and_recovers() {
        let mut schedule = schedule(7);
        let mut waits = Vec::new();
        for _ in 0..40 {
            schedule.ended("fast", Health::Failed, None, 0);
            waits.push(wait(&schedule, "fast", 0) / MINUTE);
        }
        assert!(waits[0] <= 1 && (3..=4).contains(&waits[2]) && (50..=66).contains(&waits[10]), "{waits:?}");
        assert!(waits.iter().all(|&wait| wait <= 66), "{waits:?}");
        schedule.wake("fast", 0);
        assert!(wait(&schedule, "fast", 0) > 50 * MINUTE, "an announcement of a source that fails is not believed");
        schedule.ended("fast", Health::Ok, None, 0);
        assert!(wait(&schedule, "fast", 0) <= 66_000);
        // One that is held back is well, and waits for its operator at its usual pace.
        schedule.ended("fast", Health::HeldBack, None, 0);
        assert!(wait(&schedule, "fast", 0) <= 66_000);
    }

    #[test]
    fn a_catalogs_word_and_its_announcements_come_sooner_but_never_without_rest() {
        let mut schedule = schedule(7);
        schedule.ended("slow", Health::Ok, Some(Duration::from_secs(120)), 0);
        assert!((108_000..=132_000).contains(&wait(&schedule, "slow", 0)));
        schedule.ended("slow", Health::Ok, Some(Duration::ZERO), 0);
        assert_eq!(wait(&schedule, "slow", 0), 5_000);
        schedule.ended("slow", Health::Ok, Some(Duration::from_secs(100_000)), 0);
        assert!(wait(&schedule, "slow", 0) <= 33 * MINUTE, "the operator's interval is the longest");
        schedule.wake("slow", 1_000);
        assert_eq!(wait(&schedule, "slow", 1_000), 4_000);
        schedule.wake("slow", 9_000);
        assert!(schedule.due(9_000).contains("slow"));
        schedule.wake("unknown", 0);
    }

    #[test]
    fn a_restart_keeps_what_was_planned_and_believes_no_other_clock() {
        let intervals = BTreeMap::from([("a".to_owned(), Duration::from_secs(600))]);
        let due = |planned: Option<u64>| {
            let mut status = SourceStatus::after(None, "jsonl", Health::Ok, 1_000, None);
            status.next_due_unix_s = planned;
            Schedule::new(&intervals, &SourceStatuses::from([("a".to_owned(), status)]), 1_000_000, 7).entries["a"]
                .due_ms
        };
        assert_eq!(due(Some(1_300)), 1_300_000);
        assert_eq!(due(None), 1_000_000);
        assert_eq!(due(Some(900)), 1_000_000);
        assert_eq!(due(Some(99_999)), 1_000_000);
    }
}
