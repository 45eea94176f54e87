//! A toolkit's version, which is a Python package's (PEP 440), as a semantic one.

use semver::Version;

/// The semantic version that stands in the same order among its kind: `1.4` is `1.4.0`, `2.0rc1` is `2.0.0-rc.1`, a
/// development release comes before every other of its number, and a post-release after it. Semantic versions stay as they
/// are.
pub(super) fn to_semver(text: &str) -> Result<String, String> {
    let text = text.trim();
    if let Ok(version) = Version::parse(text) {
        return Ok(version.to_string());
    }
    python(text)
        .ok_or_else(|| format!("the toolkit's version {text:?} cannot be told as a semantic version such as 1.4.0"))
}

fn python(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (release, suffix) = text.split_at(end);
    // `1.0.dev3` has a dot in front of its suffix.
    let release = release.strip_suffix('.').unwrap_or(release);
    let mut numbers = [0_u64; 3];
    for (place, part) in release.split('.').enumerate() {
        *numbers.get_mut(place)? = part.parse().ok()?;
    }
    let [major, minor, patch] = numbers;
    let words = suffix.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = || suffix.get(words.len()..).and_then(|digits| digits.parse::<u64>().ok());
    let suffix = match words {
        "" if suffix.is_empty() => String::new(),
        "a" => format!("-alpha.{}", number()?),
        "b" => format!("-beta.{}", number()?),
        "rc" => format!("-rc.{}", number()?),
        // Numbers come before words in a semantic pre-release.
        "dev" => format!("-0.dev.{}", number()?),
        "post" => format!("+post.{}", number()?),
        _ => return None,
    };
    Some(format!("{major}.{minor}.{patch}{suffix}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_versions_keep_their_order() {
        let ascending = ["0.9", "1.0.dev3", "1.0a1", "1.0b2", "1.0rc1", "1.0", "1.0.post1", "1.0.1", "2"];
        let versions: Vec<Version> = ascending
            .iter()
            .map(|text| Version::parse(&to_semver(text).expect("a version")).expect("a semantic version"))
            .collect();
        assert!(versions.is_sorted(), "{versions:?}");
        assert_eq!(to_semver(" 1.4.0-beta.2+b7 ").as_deref(), Ok("1.4.0-beta.2+b7"));
    }

    #[test]
    fn what_cannot_be_told_exactly_is_refused() {
        for text in ["", "latest", "1.2.3.4", "1!2.0", "1.0a1.dev2", "1.0+local", "v1", "1..2", "99999999999999999999"]
        {
            assert!(to_semver(text).is_err(), "{text:?}");
        }
    }
}
