//! [`Places`]: how many connections are open, in all and of one origin.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::origin::Origin;

/// The places for connections. Nobody can hold all of them, and when they are all taken, an idle one is given back.
pub(crate) struct Places {
    n_max: usize,
    n_per_origin_max: usize,
    open: Mutex<Open>,
    freed: Notify,
    /// Told once for each place that is missing. The idle connection that hears it makes room.
    wanted: Notify,
}

#[derive(Default)]
struct Open {
    n: usize,
    by_origin: HashMap<Origin, Count>,
}

#[derive(Default)]
struct Count {
    n: usize,
    n_refused: u64,
}

/// A connection's place, given back when it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    origin: Origin,
}

/// Why there is no place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// The origin has its share.
    Share,
    /// All places are taken.
    All,
}

impl Places {
    pub(crate) fn new(n_max: usize, n_per_origin_max: usize) -> Arc<Self> {
        Arc::new(Self {
            n_max: n_max.max(1),
            n_per_origin_max: n_per_origin_max.max(1),
            open: Mutex::default(),
            freed: Notify::new(),
            wanted: Notify::new(),
        })
    }

    /// A place, if there is one now.
    ///
    /// # Errors
    /// [`Full`] says whose limit it is.
    pub(super) fn take(self: &Arc<Self>, origin: Origin) -> Result<Place, Full> {
        let mut open = self.open();
        let is_full = open.n >= self.n_max;
        let n = open.by_origin.get(&origin).map_or(0, |count| count.n);
        if n >= self.n_per_origin_max {
            let count = open.by_origin.entry(origin).or_default();
            count.n_refused += 1;
            if count.n_refused == 1 {
                tracing::warn!(
                    peer = %origin, connections = n,
                    "a peer has as many connections as one may; more are closed (see [limits], connections_per_peer)"
                );
            }
            return Err(Full::Share);
        }
        if is_full {
            return Err(Full::All);
        }
        open.n += 1;
        open.by_origin.entry(origin).or_default().n += 1;
        Ok(Place { places: Arc::clone(self), origin })
    }

    /// A place as soon as there is one; asks an idle connection to make room.
    ///
    /// # Errors
    /// [`Full::Share`] when the origin came to have its share meanwhile.
    pub(super) async fn wait(self: &Arc<Self>, origin: Origin) -> Result<Place, Full> {
        self.wanted.notify_one();
        let taken = loop {
            let freed = self.freed.notified();
            match self.take(origin) {
                Err(Full::All) => freed.await,
                taken => break taken,
            }
        };
        // Where no idle connection heard it, it is taken back: the next to be idle has no reason to go.
        pin!(self.wanted.notified()).enable();
        taken
    }

    /// Done when this connection should make room.
    pub(super) async fn is_wanted(&self) {
        self.wanted.notified().await;
    }

    /// How many are open.
    pub(crate) fn n(&self) -> usize {
        self.open().n
    }

    /// How many may be.
    pub(crate) fn n_max(&self) -> usize {
        self.n_max
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.places.open();
        open.n = open.n.saturating_sub(1);
        if let Some(count) = open.by_origin.get_mut(&self.origin) {
            count.n = count.n.saturating_sub(1);
            if count.n == 0 {
                if count.n_refused > 0 {
                    tracing::info!(peer = %self.origin, refused = count.n_refused, "the peer's connections are gone");
                }
                open.by_origin.remove(&self.origin);
            }
        }
        drop(open);
        self.places.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(last: u8) -> Origin {
        Origin::of(std::net::IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn a_share_is_less_than_all_and_all_is_all() {
        let places = Places::new(3, 2);
        let first = places.take(origin(1)).map_err(drop).expect("the first");
        let second = places.take(origin(1)).map_err(drop).expect("its share");
        assert_eq!(places.take(origin(1)).err(), Some(Full::Share));
        let third = places.take(origin(2)).map_err(drop).expect("somebody else's");
        assert_eq!(places.take(origin(2)).err(), Some(Full::All));
        // Whoever has a share is told so even then.
        assert_eq!(places.take(origin(1)).err(), Some(Full::Share));
        drop(first);
        let fourth = places.take(origin(2)).map_err(drop).expect("it is free again");
        drop((second, third, fourth));
        assert!(places.open().by_origin.is_empty() && places.open().n == 0);
    }

    #[tokio::test]
    async fn who_waits_asks_an_idle_connection_to_go_and_gets_its_place() {
        let places = Places::new(1, 1);
        let held = places.take(origin(1)).map_err(drop).expect("free");
        let idle = async {
            places.is_wanted().await;
            drop(held);
        };
        let (waited, ()) = tokio::join!(places.wait(origin(2)), idle);
        assert!(waited.is_ok());
    }

    #[tokio::test]
    async fn no_idle_connection_is_asked_for_a_place_that_was_found_otherwise() {
        let places = Places::new(1, 1);
        let held = places.take(origin(1)).map_err(drop).expect("free");
        let (waited, ()) = tokio::join!(places.wait(origin(2)), async { drop(held) });
        assert!(waited.is_ok());
        assert!(!pin!(places.wanted.notified()).enable(), "nobody wants a place");
    }
}
