//! [`ToolRef`]: the one public identity of a tool, `<source>://<namespace>.<name>[@<semver>]`.

use std::fmt;
use std::str::FromStr;

use semver::Version;
use thiserror::Error;

/// The most bytes a printed ref may have.
pub const REF_BYTES_MAX: usize = 512;

/// The identity of a tool: which source it came from, its namespace, its name and, where the source has versions, its
/// version.
///
/// Printed as `<source>://<namespace>.<name>[@<semver>]`, for example `google://drive.files.list` or
/// `hub://billing.refund@2.1.0`. The namespace ends at the first dot, so a name may hold dots and a namespace's own are
/// written `%2E`. Any byte that is not a letter, a digit or one of `-_~:` (and `.` in a name) is percent-encoded;
/// letters and digits of every script stand as they are. There is exactly one spelling of each ref: what
/// [`ToolRef::from_str`] accepts, [`fmt::Display`] prints back identically.
///
/// The order is by source, namespace, name, then version by semver precedence (no version first), so the versions of one
/// tool are neighbours and the newest is the last of them.
///
/// ```
/// use shortlist_index::ToolRef;
/// let tool: ToolRef = "google://drive.files.list".parse()?;
/// assert_eq!((tool.source(), tool.namespace(), tool.name()), ("google", "drive", "files.list"));
/// assert_eq!(tool.to_string(), "google://drive.files.list");
/// # Ok::<(), shortlist_index::RefError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToolRef {
    source: String,
    namespace: String,
    name: String,
    version: Option<Version>,
}

/// Why a text is not a ref, or why its parts cannot make one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RefError {
    /// The text has no `://`.
    #[error("a tool ref is <source>://<namespace>.<name>[@<semver>], and this has no \"://\"")]
    NoSource,
    /// The source's name has a character outside `[a-z0-9_-]`, or is empty or longer than 64 bytes.
    #[error("a source is named by 1 to 64 of a-z, 0-9, '-' and '_', not {0:?}")]
    Source(String),
    /// The part after `://` has no dot between namespace and name, or one of them is empty.
    #[error("a tool ref has a namespace and a name with a dot between them after \"://\"")]
    NoName,
    /// Namespace or name holds a control, invisible or bidirectional-formatting character.
    #[error("a namespace or a name may not hold the character U+{0:04X}")]
    Character(u32),
    /// The version is not one of semver.
    #[error("{0:?} is not a semantic version such as 1.4.0")]
    Version(String),
    /// The text is not the one spelling of the ref it seems to mean.
    #[error("a tool ref has one spelling, and this one is written {canonical}")]
    NotCanonical {
        /// The accepted spelling.
        canonical: String,
    },
    /// Longer than [`REF_BYTES_MAX`] when printed.
    #[error("a tool ref has at most {REF_BYTES_MAX} bytes, and this has {0}")]
    TooLong(usize),
}

impl ToolRef {
    /// Makes a ref of its parts, none of them encoded.
    ///
    /// # Errors
    /// [`RefError`] when a part is empty, too long or holds a forbidden character.
    pub fn new(source: &str, namespace: &str, name: &str, version: Option<Version>) -> Result<Self, RefError> {
        check_source(source)?;
        if namespace.is_empty() || name.is_empty() {
            return Err(RefError::NoName);
        }
        if let Some(c) = namespace.chars().chain(name.chars()).find(|&c| is_forbidden(c)) {
            return Err(RefError::Character(c.into()));
        }
        let tool = Self { source: source.to_owned(), namespace: namespace.to_owned(), name: name.to_owned(), version };
        match tool.to_string().len() {
            length if length > REF_BYTES_MAX => Err(RefError::TooLong(length)),
            _ => Ok(tool),
        }
    }

    /// The catalog source, as its operator named it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The namespace, decoded.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name inside the namespace, decoded.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version; `None` where the source has none, or where a caller means the newest. A record without a version counts as
    /// older than every version of the same name.
    pub fn version(&self) -> Option<&Version> {
        self.version.as_ref()
    }

    /// The ref of the same tool in whatever version.
    #[must_use]
    pub fn without_version(&self) -> Self {
        Self { version: None, ..self.clone() }
    }

    /// Whether both name the same tool, in whatever version.
    pub fn same_family(&self, other: &Self) -> bool {
        (&self.source, &self.namespace, &self.name) == (&other.source, &other.namespace, &other.name)
    }
}

/// Checks a source's name: 1 to 64 of `[a-z0-9_-]`.
///
/// # Errors
/// [`RefError::Source`] otherwise.
pub fn check_source(source: &str) -> Result<(), RefError> {
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    if (1..=64).contains(&source.len()) && source.bytes().all(known) {
        Ok(())
    } else {
        Err(RefError::Source(source.chars().take(80).collect()))
    }
}

impl fmt::Display for ToolRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.source)?;
        encode(&self.namespace, false, f)?;
        f.write_str(".")?;
        encode(&self.name, true, f)?;
        match &self.version {
            Some(version) => write!(f, "@{version}"),
            None => Ok(()),
        }
    }
}

impl FromStr for ToolRef {
    type Err = RefError;

    fn from_str(text: &str) -> Result<Self, RefError> {
        if text.len() > REF_BYTES_MAX {
            return Err(RefError::TooLong(text.len()));
        }
        let (source, rest) = text.split_once("://").ok_or(RefError::NoSource)?;
        // '@' stands in a ref only before the version: in a name it is %40.
        let (path, version) = match rest.split_once('@') {
            Some((path, version)) => {
                let parsed = Version::parse(version).map_err(|_| RefError::Version(version.to_owned()))?;
                (path, Some(parsed))
            }
            None => (rest, None),
        };
        let (namespace, name) = path.split_once('.').ok_or(RefError::NoName)?;
        let tool = Self::new(source, &decode(namespace), &decode(name), version)?;
        let canonical = tool.to_string();
        if canonical == text { Ok(tool) } else { Err(RefError::NotCanonical { canonical }) }
    }
}

/// Control characters, line and paragraph separators, and the invisible and bidirectional formatting characters that make
/// two different names look alike.
pub fn is_forbidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}'
            | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E0FFF}'
            // Hangul's fillers are letters that are blank.
            | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}'
            // Variation selectors. The last two stay, for emoji are written with them.
            | '\u{FE00}'..='\u{FE0D}')
}

fn encode(part: &str, dots: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '~' | ':') || (dots && c == '.');
    // Run by run, as nearly all of a ref is plain: a search's page reads twenty.
    let mut rest = part;
    while let Some((at, escaped)) = rest.char_indices().find(|&(_, c)| !is_plain(c)) {
        f.write_str(&rest[..at])?;
        for byte in escaped.encode_utf8(&mut [0; 4]).bytes() {
            write!(f, "%{byte:02X}")?;
        }
        rest = &rest[at + escaped.len_utf8()..];
    }
    f.write_str(rest)
}

/// Undoes [`encode`]; what is not a well-formed escape stays as it is, and the caller's comparison with the canonical
/// spelling refuses it.
fn decode(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let [first, tail @ ..] = rest {
        let escape = match tail {
            [high, low, ..] if *first == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escape {
            Some((high, low)) => {
                bytes.push(high << 4 | low);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ref_prints_back_as_it_was_parsed() {
        for text in [
            "google://drive.files.list",
            "hub://billing.refund@2.1.0-rc.1+build.7",
            "openapi://1forge%2Ecom.GET%20%2Fquotes",
            "jsonl://погода.прогноз",
            "m://a.b%40c",
            "m://a.%25",
        ] {
            assert_eq!(text.parse::<ToolRef>().map(|r| r.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn random_parts_survive_the_round_trip() {
        let alphabet: Vec<char> = "ab.Z09-_~:/@% {}ßж中#?&'\"\\".chars().collect();
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..20_000 {
            let mut part =
                || -> String { (0..rng.usize(1..12)).map(|_| alphabet[rng.usize(..alphabet.len())]).collect() };
            let (namespace, name) = (part(), part());
            let version = rng.bool().then(|| Version::new(rng.u64(..9), rng.u64(..9), rng.u64(..9)));
            let made = ToolRef::new("src", &namespace, &name, version).expect("no forbidden characters");
            assert_eq!(made.to_string().parse(), Ok(made.clone()), "{made}");
        }
    }

    #[test]
    fn what_is_not_a_ref_is_refused_with_its_reason() {
        let check = |text: &str, expected: RefError| assert_eq!(text.parse::<ToolRef>(), Err(expected), "{text}");
        check("drive.files.list", RefError::NoSource);
        check("Google://a.b", RefError::Source("Google".into()));
        check("google://drive", RefError::NoName);
        check("google://.list", RefError::NoName);
        check("google://drive.", RefError::NoName);
        check("google://a.b@1.0", RefError::Version("1.0".into()));
        check("google://a.b c", RefError::NotCanonical { canonical: "google://a.b%20c".into() });
        check("google://a.%2e", RefError::NotCanonical { canonical: "google://a..".into() });
        check("google://a.%0A", RefError::Character(10));
        check("google://a.b\u{202E}c", RefError::Character(0x202E));
        check(&format!("google://a.{}", "b".repeat(600)), RefError::TooLong(611));
    }

    #[test]
    fn newer_versions_come_later() {
        let mut refs: Vec<ToolRef> =
            ["m://a.b@10.0.0", "m://a.b@9.0.0", "m://a.b", "m://a.b@10.0.0-rc.1", "m://a.a@99.0.0"]
                .iter()
                .map(|text| text.parse().expect("a ref"))
                .collect();
        refs.sort();
        let printed: Vec<String> = refs.iter().map(ToString::to_string).collect();
        assert_eq!(printed, ["m://a.a@99.0.0", "m://a.b", "m://a.b@9.0.0", "m://a.b@10.0.0-rc.1", "m://a.b@10.0.0"]);
    }
}
