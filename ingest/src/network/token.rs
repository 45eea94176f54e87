//! [`Token`]: a credential that cannot be printed.

use std::fmt;

use reqwest::header::HeaderValue;

/// A bearer token or another secret. It has no `Display`, and its `Debug` says only that there is one.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Takes a token as it was read from a file or the environment, without the white space around it; `None` when
    /// nothing is left.
    pub fn new(text: &str) -> Option<Self> {
        Some(text.trim()).filter(|text| !text.is_empty()).map(|text| Self(text.to_owned()))
    }

    /// The secret itself, for whoever signs or sends with it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// As an `Authorization` header that no log prints.
    ///
    /// # Errors
    /// A sentence, when the token cannot stand in a header.
    pub(super) fn bearer(&self) -> Result<HeaderValue, String> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0))
            .map_err(|_| "the token holds characters that no HTTP header can carry".to_owned())?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
