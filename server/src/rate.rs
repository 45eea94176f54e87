//! [`RateLimiter`]: how often one caller may ask, and how often a peer may come with an identity that is refused.
//!
//! A bucket of tokens each, kept as one number: the time at which it is full again (GCRA). The crates for this cannot be
//! asked whether a bucket is empty without taking from it, and that is the question here before a token is verified.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::identity::{Identified, TOKEN_HEADER};
use crate::limits::{CALLS, CREDENTIALS_KEPT, KEPT_IDLE, RATE_MAX, RATES_KEPT, REFUSALS};
use crate::origin::Origin;
use crate::principal::Principal;

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// On average; at least 1.
    pub per_second: u32,
    /// At once, after a pause; at least 1.
    pub burst: u32,
}

/// The rates of requests.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Of one user or service.
    pub calls: Rate,
    /// Of one peer's requests that bring no accepted identity.
    pub refusals: Rate,
}

impl Rates {
    /// The most that a configuration may say: for whoever measures the server and not its limits.
    pub const MOST: Self = {
        let most = Rate { per_second: RATE_MAX, burst: RATE_MAX };
        Self { calls: most, refusals: most }
    };
}

impl Default for Rates {
    fn default() -> Self {
        Self { calls: CALLS, refusals: REFUSALS }
    }
}

/// A request that came too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limited {
    /// When the next one will be taken.
    pub(crate) retry_after: Duration,
    /// Whether the one before was refused too. Then it is counted and nothing else, so that a flood fills no log.
    pub(crate) is_repeated: bool,
}

/// Keeps the buckets of everybody who asked lately.
pub(crate) struct RateLimiter {
    calls: Buckets<Caller>,
    refusals: Buckets<Option<Origin>>,
    /// Credentials that were accepted lately, by a hash with a key of this process. Where many share an address, those who
    /// are known are served on while somebody there tries tokens.
    known: Cache<u64, ()>,
    hasher: RandomState,
}

/// Whose bucket it is. Not the groups or scopes: with other ones it is the same caller.
///
/// A gateway, and a service that asks for users, have no bucket for all of their users together, or one of these could use up
/// the share of the others. Either could make up users, and is trusted not to: it could as well name an admin. How much the
/// machine does at once, the engine bounds, whoever asks.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Caller {
    user: String,
    tenant: Option<String>,
    service: Option<String>,
}

impl RateLimiter {
    pub(crate) fn new(rates: Rates) -> Self {
        Self {
            calls: Buckets::new(rates.calls),
            refusals: Buckets::new(rates.refusals),
            known: lru(CREDENTIALS_KEPT, KEPT_IDLE),
            hasher: RandomState::new(),
        }
    }

    /// Whether a credential is not even looked at, because its peer came with too many bad ones. Headers of a gateway are
    /// compared with one secret, which costs nothing, and are looked at always.
    pub(crate) fn before(&self, origin: Option<Origin>, headers: &HeaderMap) -> Option<Limited> {
        let presented = self.presented(headers)?;
        // First, for the look at the bucket counts a refusal, and who is known is not refused.
        if self.known.contains_key(&presented) {
            return None;
        }
        self.refusals.is_empty(&origin)
    }

    /// Counts a request by who asks, or by where it comes from when nobody is known to. As whom an admin acts does not
    /// matter: they ask as themselves.
    ///
    /// # Errors
    /// [`Limited`] when it came too early. What it returns else is how many did since the last that did not.
    pub(crate) fn count<E>(
        &self,
        origin: Option<Origin>,
        headers: &HeaderMap,
        identified: &Result<Identified, E>,
    ) -> Result<u64, Limited> {
        match identified {
            Err(_) => self.refusals.take(origin),
            Ok(Identified { principal, .. }) => {
                if let Some(presented) = self.presented(headers) {
                    self.known.insert(presented, ());
                }
                let Principal { user, tenant, service, .. } = &**principal;
                let (user, tenant, service) = (user.clone(), tenant.clone(), service.clone());
                self.calls.take(Caller { user, tenant, service })
            }
        }
    }

    fn presented(&self, headers: &HeaderMap) -> Option<u64> {
        let mut values = headers.get_all(AUTHORIZATION).iter().chain(headers.get_all(TOKEN_HEADER)).peekable();
        values.peek()?;
        Some(self.hasher.hash_one(values.map(|value| value.as_bytes()).collect::<Vec<_>>()))
    }
}

/// One bucket for each key. Who was not seen for long is forgotten, and has a full bucket again by then.
struct Buckets<K> {
    rate: Rate,
    began: Instant,
    kept: Cache<K, Arc<Bucket>>,
}

impl<K: Hash + Eq + Send + Sync + 'static> Buckets<K> {
    fn new(rate: Rate) -> Self {
        // As long as it takes to be full again: who is forgotten sooner would get a new burst for a pause.
        let filling = Duration::from_secs(u64::from(rate.burst.max(1)).div_ceil(u64::from(rate.per_second.max(1))));
        Self { rate, began: Instant::now(), kept: lru(RATES_KEPT, KEPT_IDLE.max(filling)) }
    }

    fn take(&self, key: K) -> Result<u64, Limited> {
        let now = self.now();
        self.kept.get_with(key, Arc::default).take(&self.rate, now)
    }

    /// Whether the next one would be refused. Takes nothing, but counts as a refusal if so.
    fn is_empty(&self, key: &K) -> Option<Limited> {
        let bucket = self.kept.get(key)?;
        let wait = bucket.wait(&self.rate, self.now(), bucket.full_at.load(Ordering::Relaxed));
        wait.err().map(|wait| bucket.refuse(wait))
    }

    /// In nanoseconds since the beginning; 64 bits last for centuries.
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// `EvictionPolicy::lru`, since moka's usual policy keeps new keys out when it is full, and who is kept out has no limit.
fn lru<K: Hash + Eq + Send + Sync + 'static, V: Clone + Send + Sync + 'static>(
    n_max: u64,
    idle: Duration,
) -> Cache<K, V> {
    Cache::builder().max_capacity(n_max).time_to_idle(idle).eviction_policy(EvictionPolicy::lru()).build()
}

#[derive(Default)]
struct Bucket {
    /// When it is full again, in nanoseconds; in the past, it is full.
    full_at: AtomicU64,
    /// How many were refused since the last that was not.
    n_refused: AtomicU64,
}

impl Bucket {
    fn take(&self, rate: &Rate, now: u64) -> Result<u64, Limited> {
        let taken = self
            .full_at
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| self.wait(rate, now, full_at).ok());
        match taken {
            Ok(_) => Ok(self.n_refused.swap(0, Ordering::Relaxed)),
            Err(full_at) => Err(self.refuse(self.wait(rate, now, full_at).err().unwrap_or_default())),
        }
    }

    /// When it is full again once one more was taken, or how long that has to wait.
    fn wait(&self, rate: &Rate, now: u64, full_at: u64) -> Result<u64, Duration> {
        let each = 1_000_000_000 / u64::from(rate.per_second.max(1));
        let all = each.saturating_mul(u64::from(rate.burst.max(1)));
        let full_at = full_at.max(now).saturating_add(each);
        match (full_at - now).checked_sub(all) {
            None | Some(0) => Ok(full_at),
            Some(wait) => Err(Duration::from_nanos(wait)),
        }
    }

    fn refuse(&self, wait: Duration) -> Limited {
        Limited { retry_after: wait, is_repeated: self.n_refused.fetch_add(1, Ordering::Relaxed) > 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 10, burst: 3 };
    const TENTH: u64 = 100_000_000;

    #[test]
    fn a_bucket_gives_its_burst_at_once_and_then_one_by_one() {
        let bucket = Bucket::default();
        let take = |now: u64| bucket.take(&RATE, now).map_err(|limited| (limited.retry_after, limited.is_repeated));
        for _ in 0..3 {
            assert_eq!(take(TENTH), Ok(0));
        }
        assert_eq!(take(TENTH), Err((Duration::from_nanos(TENTH), false)));
        assert_eq!(take(TENTH + 1), Err((Duration::from_nanos(TENTH - 1), true)));
        assert_eq!(take(2 * TENTH), Ok(2), "two were refused before it");
        assert_eq!(take(2 * TENTH), Err((Duration::from_nanos(TENTH), false)));
        // After a pause it is full, and not more than that.
        for _ in 0..3 {
            assert!(take(1_000 * TENTH).is_ok());
        }
        assert!(take(1_000 * TENTH).is_err());
    }

    #[test]
    fn the_least_and_the_most_of_a_rate_are_kept() {
        for rate in [Rate { per_second: 0, burst: 0 }, Rate { per_second: 1, burst: 1 }] {
            let bucket = Bucket::default();
            assert!(bucket.take(&rate, 5).is_ok() && bucket.take(&rate, 1_000_000_004).is_err());
            assert!(bucket.take(&rate, 1_000_000_005).is_ok());
        }
        let bucket = Bucket::default();
        let most = Rate { per_second: u32::MAX, burst: u32::MAX };
        assert!((0..1_000).all(|_| bucket.take(&most, u64::MAX).is_ok()));
    }

    #[test]
    fn many_takers_at_once_get_no_more_than_there_is() {
        let buckets = Buckets::new(Rate { per_second: 1, burst: 50 });
        let n_taken = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        n_taken.fetch_add(u64::from(buckets.take("key").is_ok()), Ordering::Relaxed);
                    }
                });
            }
        });
        // On a slow machine some more seconds give some more.
        assert!((50..200).contains(&n_taken.into_inner()));
    }

    #[test]
    fn no_more_keys_are_kept_than_allowed() {
        let buckets = Buckets::new(RATE);
        for key in 0..RATES_KEPT + 1_000 {
            assert!(buckets.take(key).is_ok());
        }
        buckets.kept.run_pending_tasks();
        assert!(buckets.kept.entry_count() <= RATES_KEPT);
    }

    #[test]
    fn a_bad_credential_is_not_looked_at_any_more_and_a_known_one_is() {
        let limiter = RateLimiter::new(Rates { refusals: Rate { per_second: 1, burst: 2 }, ..Rates::default() });
        let bearer =
            |token: &str| HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().expect("a value"))]);
        let origin = Some(Origin::of([192, 0, 2, 1].into()));
        let alice = Identified { principal: Arc::new(Principal::user("alice")), by: "test".into(), actor: None };
        assert_eq!(limiter.count(origin, &bearer("good"), &Ok::<_, ()>(alice)), Ok(0));
        for _ in 0..2 {
            assert_eq!(limiter.before(origin, &bearer("bad")), None);
            assert_eq!(limiter.count(origin, &bearer("bad"), &Err(())), Ok(0));
        }
        assert_eq!(limiter.before(origin, &bearer("good")), None, "it is no refusal, and not the first of a flood");
        assert!(limiter.before(origin, &bearer("bad")).is_some_and(|limited| !limited.is_repeated));
        assert!(limiter.before(origin, &bearer("worse")).is_some_and(|limited| limited.is_repeated));
        assert_eq!(limiter.before(origin, &bearer("good")), None);
        assert_eq!(limiter.before(origin, &HeaderMap::new()), None);
        assert_eq!(limiter.before(Some(Origin::of([192, 0, 2, 2].into())), &bearer("bad")), None);
    }
}
