//! [`ApiVersion`]: a Google API's version, read as semver.

use std::fmt;
use std::str::FromStr;

use semver::{BuildMetadata, Prerelease, Version};
use thiserror::Error;

/// An API's version as its document writes it, such as `v1beta2` or `directory_v1`, with its meaning.
///
/// | written | part | semver |
/// |---|---|---|
/// | `v3` | | `3.0.0` |
/// | `v2.1` | | `2.1.0` |
/// | `v1beta2` | | `1.0.0-beta.2` |
/// | `v1p3beta1` | | `1.0.0-p3.beta.1` |
/// | `alpha` | | `0.0.0-alpha` |
/// | `directory_v1` | `directory` | `1.0.0` |
///
/// `v1p3beta1` adds to `v1` but is no release, so it stays a pre-release of `1.0.0`, where it cannot hide the stable
/// version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiVersion {
    text: String,
    part: Option<String>,
    semver: Version,
}

/// The text is no version of an API.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no API version such as v3, v2.1, v1beta2 or directory_v1")]
pub struct ApiVersionError(String);

impl ApiVersion {
    /// The part of an API that is published in parts.
    pub fn part(&self) -> Option<&str> {
        self.part.as_deref()
    }

    /// The version as semver.
    pub fn semver(&self) -> &Version {
        &self.semver
    }

    /// Whether it is neither alpha, beta nor preview.
    pub fn is_stable(&self) -> bool {
        self.semver.pre.is_empty()
    }
}

impl FromStr for ApiVersion {
    type Err = ApiVersionError;

    fn from_str(text: &str) -> Result<Self, ApiVersionError> {
        let refuse = || ApiVersionError(text.chars().take(80).collect());
        let (part, version) = match text.rsplit_once('_') {
            Some((part, version)) => (Some(part.to_owned()), version),
            None => (None, text),
        };
        let (major, minor, rest) = match version.strip_prefix('v') {
            Some(numbered) => {
                let (major, rest) = number(numbered).ok_or_else(refuse)?;
                match rest.strip_prefix('.').and_then(number) {
                    Some((minor, rest)) => (major, minor, rest),
                    None => (major, 0, rest),
                }
            }
            None => (0, 0, version),
        };
        let empty = part.as_deref() == Some("") || version.is_empty();
        if empty || !rest.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(refuse());
        }
        let pre = Prerelease::new(&identifiers(rest)).map_err(|_| refuse())?;
        let semver = Version { major, minor, patch: 0, pre, build: BuildMetadata::EMPTY };
        Ok(Self { text: text.to_owned(), part, semver })
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Splits a leading number off.
fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok().map(|number| (number, &text[end..]))
}

/// `beta2` -> `beta.2`, so that `beta10` comes after `beta2`; `p3beta1` -> `p3.beta.1`; a letter after the number stays
/// with it (`beta1a` -> `beta.1a`).
fn identifiers(rest: &str) -> String {
    let (point, rest) = match rest.strip_prefix('p').and_then(number) {
        Some((point, rest)) => (format!("p{point}."), rest),
        None => (String::new(), rest),
    };
    let digits = rest.bytes().position(|b| b.is_ascii_digit()).unwrap_or(rest.len());
    let (word, number) = rest.split_at(digits);
    let dot = if word.is_empty() || number.is_empty() { "" } else { "." };
    format!("{point}{word}{dot}{number}").trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_become_semver_in_their_order() {
        let ordered = [
            ("alpha", "0.0.0-alpha"),
            ("preview", "0.0.0-preview"),
            ("v0", "0.0.0"),
            ("v1alpha", "1.0.0-alpha"),
            ("v1beta1a", "1.0.0-beta.1a"),
            ("v1p3beta1", "1.0.0-p3.beta.1"),
            ("v1", "1.0.0"),
            ("v1.2", "1.2.0"),
            ("v2beta2", "2.0.0-beta.2"),
            ("v2beta10", "2.0.0-beta.10"),
            ("v23", "23.0.0"),
        ];
        let parsed: Vec<Version> =
            ordered.iter().map(|(text, _)| text.parse::<ApiVersion>().expect("a version").semver).collect();
        for ((text, semver), parsed) in ordered.iter().zip(&parsed) {
            assert_eq!(&parsed.to_string(), semver, "{text}");
        }
        assert!(parsed.is_sorted());
    }

    #[test]
    fn a_part_stands_before_the_version() {
        let version: ApiVersion = "directory_v1".parse().expect("a version");
        assert_eq!((version.part(), version.semver().to_string()), (Some("directory"), "1.0.0".to_owned()));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "v", "vx", "_v1", "v1_", "v1-beta", "v1beta01", "v99999999999999999999"] {
            assert!(text.parse::<ApiVersion>().is_err(), "{text:?}");
        }
    }
}
