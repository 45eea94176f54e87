//! [`watch`]: passes on a schedule, until it is told to stop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shortlist_index::{Embedder, Health, SourceStatuses, Store, StoreError};

use crate::schedule::Schedule;
use crate::source::Source;
use crate::sync::{SyncError, SyncObserver, SyncOptions, SyncReport, sync};

/// How long a thread waits for a source's announcement before it looks whether it is to end, and how long it rests after
/// one.
const LISTEN: Duration = Duration::from_secs(1);
/// When a pass that another process's pass kept out is tried again.
const BUSY: Duration = Duration::from_secs(5);

/// What wakes a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The source of this name announced a change.
    Changed(String),
    /// It is to end, after the pass that runs.
    Stop,
}

/// Reads each source when it is due (its interval stands in `options.handling`), or when it announces a change, and
/// publishes what is new. A source that fails is tried again less and less often, and keeps nobody else waiting but for the
/// time of its reading. `on_pass` hears the result of each pass. Ends at [`Wake::Stop`] in `wakes`, between two passes;
/// `waker` is the channel's other end.
///
/// The sources, and so the configuration, stay those that it was started with. What was planned before stands, but every
/// source is due at once where the generation that serves has others than these; so is one that could not be opened, and one
/// of `options.accept_shrink`: its next reading that succeeds is taken however much it shrank, and those after that are not.
pub fn watch(
    sources: &[Box<dyn Source>],
    store: &Store,
    embedder: &dyn Embedder,
    options: &SyncOptions,
    observer: &mut dyn SyncObserver,
    (waker, wakes): (Sender<Wake>, Receiver<Wake>),
    on_pass: &mut dyn FnMut(Result<&SyncReport, &SyncError>),
) {
    let interval = |source: &dyn Source| options.handling.get(source.name()).cloned().unwrap_or_default().every;
    let intervals: BTreeMap<String, Duration> =
        sources.iter().map(|source| (source.name().to_owned(), interval(source.as_ref()))).collect();
    let mut schedule = Schedule::new(&intervals, &planned(store, &intervals, options), unix_ms(), seed());
    let mut accept_shrink = options.accept_shrink.clone();
    let stopped = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let mut heard: BTreeSet<&str> = BTreeSet::new();
        loop {
            let due = schedule.due(unix_ms());
            if !due.is_empty() {
                let (due_now, accept) = (Some(due.clone()), accept_shrink.clone());
                let only = SyncOptions { due: due_now, accept_shrink: accept, ..options.clone() };
                let result = sync(sources, store, embedder, observer, &only);
                if let Ok(report) = &result {
                    accept_shrink.retain(|name| health(report, name) != Some(Health::Ok));
                }
                plan(&mut schedule, &result, &due, sources);
                note(store, &schedule);
                on_pass(result.as_ref());
            }
            // Whether a catalog announces changes may only be known once it was read.
            for source in sources.iter().filter(|source| source.announces_changes()) {
                if heard.insert(source.name()) {
                    let (waker, stopped) = (waker.clone(), &stopped);
                    scope.spawn(move || listen(source.as_ref(), &waker, stopped));
                }
            }
            match wakes.recv_timeout(schedule.wait(unix_ms())) {
                Ok(Wake::Changed(name)) => schedule.wake(&name, unix_ms()),
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        stopped.store(true, Ordering::Relaxed);
    });
}

/// How the sources are, with when they were to be read next where that still stands.
fn planned(store: &Store, intervals: &BTreeMap<String, Duration>, options: &SyncOptions) -> SourceStatuses {
    // What cannot be read is begun anew by the first pass, which also says so.
    let mut statuses = store.statuses().unwrap_or_default();
    let served = store.current().ok().flatten().and_then(|number| Store::manifest_in(&store.folder(number)).ok());
    // A source that is no longer configured serves on until a pass, and one that was added waits for one.
    let same = served.is_some_and(|manifest| manifest.sources.keys().eq(intervals.keys()));
    for (name, status) in &mut statuses {
        // What it lacked may be there now, and nobody is asked where it is not.
        let unopened = status.n_failures > 0 && status.last_fault.as_ref().is_some_and(|f| f.class == "not_opened");
        if !same || unopened || options.accept_shrink.contains(name) {
            status.next_due_unix_s = None;
        }
    }
    statuses
}

/// Waits for announcements until the watch ends.
fn listen(source: &dyn Source, waker: &Sender<Wake>, stopped: &AtomicBool) {
    while !stopped.load(Ordering::Relaxed) {
        if source.wait_for_change(LISTEN) {
            if waker.send(Wake::Changed(source.name().to_owned())).is_err() {
                return;
            }
            // A catalog that announces without end is not to fill the channel.
            std::thread::sleep(LISTEN);
        }
    }
}

/// What a pass says of a source's health; `None` where it was not read.
fn health(report: &SyncReport, name: &str) -> Option<Health> {
    report.sources.get(name)?.outcome.health()
}

/// Plans the next reading of each source that was due.
fn plan(
    schedule: &mut Schedule,
    result: &Result<SyncReport, SyncError>,
    due: &BTreeSet<String>,
    sources: &[Box<dyn Source>],
) {
    let now = unix_ms();
    match result {
        Ok(report) => {
            for source in sources {
                if let Some(health) = health(report, source.name()) {
                    schedule.ended(source.name(), health, source.fresh_for(), now);
                }
            }
        }
        Err(SyncError::Store(StoreError::Busy(_))) => {
            due.iter().for_each(|name| schedule.ended(name, Health::Ok, Some(BUSY), now));
        }
        Err(_) => schedule.postpone(due, now),
    }
}

/// Writes down when each source is due, for operators and for a restart. Whoever writes at the moment is not waited for.
fn note(store: &Store, schedule: &Schedule) {
    let Ok(lock) = store.lock() else { return };
    let Ok(mut statuses) = store.statuses() else { return };
    for (name, status) in &mut statuses {
        status.next_due_unix_s = schedule.next_due_unix_s(name);
    }
    // The next pass would warn of a disk that refuses.
    let _ = store.set_statuses(&lock, &statuses);
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// Differs from process to process, so that two that read the same catalogs drift apart.
fn seed() -> u64 {
    unix_ms() ^ u64::from(std::process::id()).rotate_left(32)
}
