//! [`Handling`]: how an operator wants a source's readings to be handled, whatever its kind.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// The share of its tools that a source may lose from one reading to the next unless configured.
pub const SHRINK_MAX: f64 = 0.5;
/// A source that lost fewer tools than this is not held back, whatever their share, unless it lost all of them: small
/// sources change by large shares.
pub const SHRINK_TOOLS_MIN: u64 = 10;

/// How often a source is read unless configured.
pub const EVERY: Duration = Duration::from_secs(10 * 60);
/// The shortest interval: a catalog that changes faster announces it.
pub const EVERY_MIN: Duration = Duration::from_secs(1);
/// The longest interval.
pub const EVERY_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The keys of a `[[source]]` that mean the same for every kind.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Handling {
    /// The share of its tools, 0 to 1, that may be gone at once. A reading that lost more is held back, and the last good
    /// tools serve, until an operator accepts it. 1 takes every reading.
    pub shrink_max: f64,
    /// How often it is read while `shortlist sync --watch` runs: a number and `s`, `m`, `h` or `d`.
    #[serde(deserialize_with = "duration")]
    pub every: Duration,
    /// What becomes of a tool whose text changed after it was served, of one that comes back with another text, and of another
    /// version of it.
    pub on_change: OnText,
    /// What becomes of a tool that was never here, those of a first reading included.
    pub on_new: OnText,
}

/// What becomes of a text that nobody approved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnText {
    /// It is served.
    #[default]
    Accept,
    /// It waits for an operator.
    Quarantine,
}

impl Default for Handling {
    fn default() -> Self {
        Self { shrink_max: SHRINK_MAX, every: EVERY, on_change: OnText::Accept, on_new: OnText::Accept }
    }
}

impl Handling {
    /// The keys, as they stand in a `[[source]]` table.
    const KEYS: [&str; 4] = ["shrink_max", "every", "on_change", "on_new"];

    /// Takes its keys out of a source's table and leaves those of its kind.
    ///
    /// # Errors
    /// A sentence that names the key.
    pub(crate) fn take(table: &mut toml::Table) -> Result<Self, String> {
        let own: toml::Table =
            Self::KEYS.iter().filter_map(|&key| Some((key.to_owned(), table.remove(key)?))).collect();
        let handling: Self =
            own.try_into().map_err(|error: toml::de::Error| error.to_string().trim_end().to_owned())?;
        if !(0.0..=1.0).contains(&handling.shrink_max) {
            return Err(format!("\"shrink_max\" is a share from 0 to 1, not {}", handling.shrink_max));
        }
        Ok(handling)
    }

    /// Whether a reading of `has` tools, where there were `had`, is to wait for an operator's word. An empty catalog is a
    /// shrink however few tools there were.
    pub fn holds_back(&self, had: u64, has: u64) -> bool {
        let gone = had.saturating_sub(has);
        let is_large = gone >= SHRINK_TOOLS_MIN || (gone > 0 && has == 0);
        self.shrink_max < 1.0 && is_large && gone as f64 > self.shrink_max * had as f64
    }
}

/// Reads `90s`, `15m`, `6h` or `1d`.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let refuse = || {
        serde::de::Error::custom(format!("{text:?} is no interval; write one from \"1s\" to \"30d\", such as \"15m\""))
    };
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(refuse()),
    };
    let every = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds)).map(Duration::from_secs);
    every.filter(|every| (EVERY_MIN..=EVERY_MAX).contains(every)).ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_loss_is_held_back_and_a_small_one_is_not() {
        let check = |shrink_max: f64, had: u64, has: u64, expected: bool| {
            let handling = Handling { shrink_max, ..Handling::default() };
            assert_eq!(handling.holds_back(had, has), expected, "{shrink_max}: {had} to {has}");
        };
        check(0.5, 100, 50, false);
        check(0.5, 100, 49, true);
        check(0.5, 100, 120, false);
        check(0.5, 12, 3, false);
        check(0.5, 3, 0, true);
        check(0.5, 0, 0, false);
        check(0.0, 100, 90, true);
        check(0.0, 100, 95, false);
        check(0.9, 100, 5, true);
        check(1.0, 100, 0, false);
    }

    #[test]
    fn its_keys_are_taken_and_the_others_left() {
        let mut table: toml::Table = toml::from_str("name = 'a'\nshrink_max = 0.25\nevery = '15m'\n").expect("TOML");
        let handling = Handling::take(&mut table).expect("its keys");
        assert_eq!((handling.shrink_max, handling.every.as_secs()), (0.25, 900));
        assert_eq!(table.keys().collect::<Vec<_>>(), ["name"]);
        let refused = |text: &str| Handling::take(&mut toml::from_str(text).expect("TOML")).expect_err(text);
        for every in ["15", "m", "0s", "31d", "-1s", "1 m", "99999999999999999999s"] {
            assert!(refused(&format!("every = {every:?}")).contains("is no interval"), "{every}");
        }
        assert!(refused("on_new = 'refuse'").contains("quarantine"));
        assert!(refused("shrink_max = 1.5").contains("from 0 to 1"));
        assert!(refused("shrink_max = 'half'").contains("shrink_max"));
    }
}
