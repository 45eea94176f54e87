//! [`Token`]: a credential that cannot be printed.

use std::fmt;

/// A bearer token. It has no `Display`, and its `Debug` says only that there is one.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Takes a token as it was read from a file or the environment, without the white space around it; `None` when
    /// nothing is left.
    pub fn new(text: &str) -> Option<Self> {
        Some(text.trim()).filter(|text| !text.is_empty()).map(|text| Self(text.to_owned()))
    }

    /// The secret itself, for the request alone.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
