//! [`whole`] and [`some_whole`]: whole numbers, however JSON writes them.
//!
//! To JSON Schema `340.0` is an integer, and programs that know one kind of number write it so; many a model's host does.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

/// Up to here every whole number is written exactly as a fraction.
const EXACT_MAX: f64 = 9_007_199_254_740_991.0;

/// For a field that is a whole number and not negative.
pub(crate) fn whole<'de, N: TryFrom<u64>, D: Deserializer<'de>>(deserializer: D) -> Result<N, D::Error> {
    let Whole(number) = Whole::deserialize(deserializer)?;
    N::try_from(number).map_err(|_| Error::custom("the number is too large"))
}

/// The same for a field that may be left out or null.
pub(crate) fn some_whole<'de, N: TryFrom<u64>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<N>, D::Error> {
    let number = Option::<Whole>::deserialize(deserializer)?;
    let number = number.map(|Whole(number)| N::try_from(number)).transpose();
    number.map_err(|_| Error::custom("the number is too large"))
}

struct Whole(u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;

        impl Visitor<'_> for Number {
            type Value = Whole;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number that is not negative")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Whole, E> {
                Ok(Whole(number))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Whole, E> {
                u64::try_from(number).map(Whole).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Whole, E> {
                match number.fract() == 0.0 && (0.0..=EXACT_MAX).contains(&number) {
                    // Whole and within what both kinds hold exactly, so nothing is lost.
                    true => Ok(Whole(number as u64)),
                    false => Err(E::invalid_type(Unexpected::Float(number), &self)),
                }
            }
        }
        // A query's parameter comes as text, and is read as a number when asked for one.
        deserializer.deserialize_u64(Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Request {
        #[serde(default, deserialize_with = "some_whole")]
        limit: Option<usize>,
    }

    #[test]
    fn a_whole_number_is_one_however_it_is_written() {
        let read = |text: &str| serde_json::from_str::<Request>(text).map(|request| request.limit);
        for (text, expected) in [
            (r#"{"limit":340}"#, Some(340)),
            (r#"{"limit":340.0}"#, Some(340)),
            (r#"{"limit":3.4e2}"#, Some(340)),
            (r#"{"limit":-0.0}"#, Some(0)),
            (r#"{"limit":null}"#, None),
            ("{}", None),
        ] {
            assert_eq!(read(text).ok(), Some(expected), "{text}");
        }
        for wrong in ["340.5", "-1", "-1.0", "1e300", "\"340\"", "true", "[]"] {
            let error = read(&format!("{{\"limit\":{wrong}}}")).expect_err(wrong).to_string();
            assert!(error.contains("a whole number"), "{error}");
        }
        let by_value = serde_json::json!({ "limit": 5.0 });
        assert_eq!(serde_json::from_value::<Request>(by_value).map(|request| request.limit).ok(), Some(Some(5)));
    }
}
