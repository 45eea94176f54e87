//! [`Confidence`]: whether the first hit is likely what was asked for.

use serde::Serialize;

use crate::lexical::identifier_words;
use crate::signals::Signals;
use crate::tool_ref::ToolRef;

/// From this probability on a hit is strong, and from this one on it is weak.
const STRONG_MIN: f32 = 0.75;
const WEAK_MIN: f32 = 0.1;

/// Whether the first hit is likely what was asked for. Of an answer whose tool is not in the catalog (or not among those
/// that the asker may see, which is the same), it is to be `weak` or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Nothing found is like what was asked for.
    None,
    /// Something is, and may not be what was meant.
    Weak,
    /// The first hit is likely what was asked for.
    Strong,
    /// The query is the first hit's name or ref.
    Exact,
}

impl Confidence {
    /// Of a first hit with these [`log_odds`].
    pub(crate) fn of(log_odds: f32) -> Self {
        match 1.0 / (1.0 + (-log_odds).exp()) {
            p if p >= STRONG_MIN => Self::Strong,
            p if p >= WEAK_MIN => Self::Weak,
            _ => Self::None,
        }
    }
}

/// The odds that the tool that was asked for is there, by the first hit (Platt, 1999): their natural logarithm, comparable
/// between queries. Learned by `data/training/fusion.py` from queries whose tool is in the catalog, the same queries where it
/// is not, and requests that no tool serves.
pub(crate) fn log_odds(signals: &Signals) -> f32 {
    15.4 * signals.cosine + 2.5 * signals.cover + 0.9 * signals.name_cover - 9.4
}

/// Whether a query is a tool's name or ref, however it is spelled: `files.list` and `Files List` are one name.
pub(crate) fn is_named(query: &str, reference: &ToolRef, name: &str) -> bool {
    let words = |text: &str| -> Vec<String> { identifier_words(text).iter().map(|word| word.to_lowercase()).collect() };
    let asked = words(query);
    let full = || words(&format!("{} {}", reference.namespace(), reference.name()));
    let newest = || reference.version().is_some() && asked == words(&reference.without_version().to_string());
    !asked.is_empty() && (asked == words(name) || asked == full() || asked == words(&reference.to_string()) || newest())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_however_it_is_spelled() {
        let reference = ToolRef::new("hub", "drive", "files.list", None).expect("a ref");
        for query in ["files.list", "Files List", "filesList", "drive.files.list", "hub://drive.files.list"] {
            assert!(is_named(query, &reference, "files.list"), "{query}");
        }
        for query in ["files", "list files", "", "???", "files.list.all"] {
            assert!(!is_named(query, &reference, "files.list"), "{query}");
        }
        let second: ToolRef = "hub://drive.files.list@2.0.0".parse().expect("a ref");
        for query in ["hub://drive.files.list", "hub://drive.files.list@2.0.0"] {
            assert!(is_named(query, &second, "files.list"), "{query}");
        }
        assert!(!is_named("hub://drive.files.list@1.0.0", &second, "files.list"));
    }

    #[test]
    fn more_evidence_is_no_less_confidence() {
        let none = Signals::default();
        let all = Signals { cosine: 0.9, cover: 1.0, name_cover: 1.0, ..none };
        assert_eq!(Confidence::of(log_odds(&none)), Confidence::None);
        assert_eq!(Confidence::of(log_odds(&all)), Confidence::Strong);
        for signals in
            [Signals { cosine: 0.5, ..none }, Signals { cover: 0.5, ..none }, Signals { name_cover: 1.0, ..none }]
        {
            assert!(log_odds(&signals) >= log_odds(&none));
        }
    }
}
