//! [`Patience`]: how long the next attempt is waited for, and when it is enough.

use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// How often one request is tried; with the waits below that is at most 15 seconds of patience where nobody asks for more.
pub(super) const ATTEMPTS_MAX: u32 = 5;
/// The first wait; each further one is twice as long.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// The longest wait that `Retry-After` may ask for. What wants a longer one is left to the next pass.
const WAIT_MAX: Duration = Duration::from_secs(120);
/// The most waiting for one request, all attempts together.
const PATIENCE_MAX: Duration = Duration::from_secs(300);

/// Waits between attempts. Tests give one that only takes notes.
pub type Pause = Box<dyn Fn(Duration) + Send + Sync>;

/// What is left of it for one request.
pub(super) struct Patience {
    n_attempts: u32,
    waited: Duration,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self { n_attempts: 1, waited: Duration::ZERO }
    }

    /// The wait before the next attempt; `None` when there is none any more. `told` is what the server asked for; it is
    /// never waited less than that. `chance` is 0 to 1: many clients that failed together must not come back together.
    pub(super) fn next(&mut self, told: Option<Duration>, chance: f64) -> Option<Duration> {
        if self.n_attempts >= ATTEMPTS_MAX || told.is_some_and(|told| told > WAIT_MAX) {
            return None;
        }
        let wait = match told {
            Some(told) => told.mul_f64(1.0 + chance / 10.0),
            None => (BACKOFF_FIRST * 2u32.pow(self.n_attempts - 1)).mul_f64((1.0 + chance) / 2.0),
        };
        self.n_attempts += 1;
        self.waited += wait;
        (self.waited <= PATIENCE_MAX).then_some(wait)
    }
}

/// What `Retry-After` asks for, in either of its forms. A date is read against the server's own `Date` where it sends one, so
/// that the two clocks need not agree.
pub(super) fn told(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let date = |text: &str| httpdate::parse_http_date(text).ok();
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let asked = text(RETRY_AFTER)?;
    match asked.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let since = text(DATE).and_then(date).unwrap_or(now);
            Some(date(asked)?.duration_since(since).unwrap_or(Duration::ZERO))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn all(told: Option<Duration>, chance: f64) -> Vec<Duration> {
        let mut patience = Patience::new();
        std::iter::from_fn(|| patience.next(told, chance)).collect()
    }

    #[test]
    fn the_waits_double_and_chance_takes_up_to_half_of_each() {
        let seconds = |chance| all(None, chance).iter().map(Duration::as_secs_f64).collect::<Vec<_>>();
        assert_eq!(seconds(1.0), [1.0, 2.0, 4.0, 8.0]);
        assert_eq!(seconds(0.0), [0.5, 1.0, 2.0, 4.0]);
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..1_000 {
            for (wait, full) in seconds(rng.f64()).iter().zip([1.0, 2.0, 4.0, 8.0]) {
                assert!((full / 2.0..=full).contains(wait), "{wait} of {full}");
            }
        }
    }

    #[test]
    fn what_the_server_asks_for_is_waited_at_least_and_within_reason() {
        for chance in [0.0, 0.5, 1.0] {
            let waits = all(Some(Duration::from_secs(30)), chance);
            assert_eq!(waits.len(), 4);
            assert!(waits.iter().all(|wait| (30.0..=33.0).contains(&wait.as_secs_f64())), "{waits:?}");
        }
        assert_eq!(all(Some(WAIT_MAX), 0.0), [WAIT_MAX; 2], "two of these are within the patience, three are not");
        assert!(all(Some(WAIT_MAX + Duration::from_secs(1)), 0.0).is_empty());
        assert!(all(Some(Duration::MAX), 1.0).is_empty());
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let http = |shift: i64| {
            httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs((1_700_000_000 + shift) as u64))
        };
        let check = |retry_after: &str, date: Option<String>, expected: Option<u64>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(retry_after).expect("a header"));
            if let Some(date) = date {
                headers.insert(DATE, HeaderValue::from_str(&date).expect("a header"));
            }
            assert_eq!(told(&headers, now), expected.map(Duration::from_secs), "{retry_after}");
        };
        check("7", None, Some(7));
        check(" 7 ", None, Some(7));
        check(&http(90), None, Some(90));
        check(&http(-90), None, Some(0));
        // The server's clock is an hour ahead.
        check(&http(3_630), Some(http(3_600)), Some(30));
        check(&http(30), Some("yesterday".to_owned()), Some(30));
        for odd in ["soon", "-1", "1.5", "", "99999999999999999999"] {
            check(odd, None, None);
        }
        assert_eq!(told(&HeaderMap::new(), now), None);
    }
}
