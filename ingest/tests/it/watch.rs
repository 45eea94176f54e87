//! Passes on a schedule: what a restart takes over at once, and how long an operator's word holds.

use std::sync::mpsc;
use std::time::{SystemTime, UNIX_EPOCH};

use shortlist_index::{HashingEmbedder, SourceFault, StoreError};
use shortlist_ingest::source::Source;
use shortlist_ingest::sync::{Outcome, Quiet, SyncError, SyncOptions, SyncReport};
use shortlist_ingest::watch::{Wake, watch};

use crate::support::{DIMENSION, Place, accept_shrink, actions, once_free, sources, start};

/// What the first look of a watch does, where anything is due then.
fn first_look(place: &Place, sources: &[Box<dyn Source>], options: &SyncOptions) -> Option<SyncReport> {
    let look = || {
        let (waker, wakes) = mpsc::channel();
        // Heard after the first look.
        waker.send(Wake::Stop).expect("it listens");
        let mut seen: Result<Option<SyncReport>, StoreError> = Ok(None);
        let embedder = HashingEmbedder::new(DIMENSION);
        watch(sources, &place.store, &embedder, options, &mut Quiet, (waker, wakes), &mut |pass| {
            seen = match pass {
                Ok(report) => Ok(Some(report.clone())),
                Err(SyncError::Store(StoreError::Busy(home))) => Err(StoreError::Busy(home.clone())),
                Err(error) => panic!("{error}"),
            };
        });
        seen
    };
    once_free(look).expect("a look")
}

/// Plans every source for later, as a watch that has ended did; of a kind of fault where it had one.
fn plan_for_later(place: &Place, fault: Option<&str>) {
    let lock = once_free(|| place.store.lock()).expect("nobody else writes");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
    let mut statuses = place.store.statuses().expect("statuses");
    for status in statuses.values_mut() {
        status.next_due_unix_s = Some(now + 300);
        status.n_failures = u32::from(fault.is_some());
        status.last_fault = fault.map(|class| SourceFault::new(now, class, "it could not be read"));
    }
    place.store.set_statuses(&lock, &statuses).expect("they are written");
}

#[test]
fn a_restart_keeps_to_the_plan_but_for_other_sources_a_word_about_one_and_one_that_was_not_opened() {
    let (one, two) = (start(actions(12)), start(actions(9)));
    let place = Place::new();
    let both = sources(&[("one", &one), ("two", &two)]);
    place.sync(&both).expect("a pass");
    for fault in [None, Some("unreachable")] {
        plan_for_later(&place, fault);
        assert!(first_look(&place, &both, &SyncOptions::default()).is_none(), "{fault:?}");
    }
    plan_for_later(&place, Some("not_opened"));
    let report = first_look(&place, &both, &SyncOptions::default()).expect("a pass");
    assert!(report.sources.values().all(|source| source.outcome == Outcome::Unchanged));

    plan_for_later(&place, None);
    one.replace(actions(1));
    let report = first_look(&place, &both, &accept_shrink("one")).expect("a pass");
    assert_eq!((&report.sources["one"].outcome, &report.sources["two"].outcome), (&Outcome::Read, &Outcome::NotDue));

    plan_for_later(&place, None);
    let report = first_look(&place, &sources(&[("one", &one)]), &SyncOptions::default()).expect("a pass");
    assert_eq!((report.removed_sources.get("two"), place.tools().len()), (Some(&9), 1));
}

#[test]
fn a_shrink_is_accepted_once_and_the_next_one_is_held_back() {
    let server = start(actions(40));
    let place = Place::new();
    let sources = sources(&[("hub", &server)]);
    place.sync(&sources).expect("a pass");
    server.replace(actions(8));
    let (waker, wakes) = mpsc::channel();
    let (ours, embedder, mut outcomes) = (waker.clone(), HashingEmbedder::new(DIMENSION), Vec::new());
    watch(&sources, &place.store, &embedder, &accept_shrink("hub"), &mut Quiet, (waker, wakes), &mut |pass| {
        // One that another process kept out is tried again.
        let Ok(report) = pass else { return };
        outcomes.push(report.sources["hub"].outcome.clone());
        server.replace(Vec::new());
        let next = if outcomes.len() == 1 { Wake::Changed("hub".to_owned()) } else { Wake::Stop };
        ours.send(next).expect("it listens");
    });
    assert_eq!(outcomes, [Outcome::Read, Outcome::HeldBack { had: 8, has: 0 }]);
    assert_eq!(place.tools().len(), 8);
}
