//! The clock that tokens, keys, rules and sources are judged by.

use std::time::{SystemTime, UNIX_EPOCH};

/// In seconds of Unix time. A clock before 1970 is wrong, and 0 makes every token one of the future.
pub(crate) fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
