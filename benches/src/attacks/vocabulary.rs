//! The words of a catalog, as an attacker reads them.

use std::collections::{BTreeMap, BTreeSet};

use shortlist_index::{Tool, identifier_words};

/// The shortest word that is stuffed.
const WORD_CHARS_MIN: usize = 4;
/// A word that more than one in so many tools holds tells nothing.
const COMMON_SHARE: usize = 4;

/// The words of names and descriptions, the most telling of the catalog as a whole first: in how many tools a word stands,
/// times its inverse document frequency. Words that a quarter of the tools hold are left out.
pub(super) fn telling_words(tools: &[Tool]) -> Vec<String> {
    let mut holding: BTreeMap<String, usize> = BTreeMap::new();
    for tool in tools {
        let words: BTreeSet<String> = identifier_words(&format!("{} {}", tool.name, tool.description))
            .into_iter()
            .map(|word| word.to_lowercase())
            .filter(|word| word.chars().count() >= WORD_CHARS_MIN && word.chars().all(char::is_alphabetic))
            .collect();
        words.into_iter().for_each(|word| *holding.entry(word).or_default() += 1);
    }
    let weight = |n: usize| n as f64 * (tools.len() as f64 / n as f64).ln();
    let mut words: Vec<(String, usize)> =
        holding.into_iter().filter(|&(_, n)| n <= tools.len().div_ceil(COMMON_SHARE)).collect();
    words.sort_by(|(_, a), (_, b)| weight(*b).total_cmp(&weight(*a)));
    words.into_iter().map(|(word, _)| word).collect()
}

/// Words that say the same.
const SYNONYMS: [(&str, &str); 12] = [
    ("get", "fetch"),
    ("gets", "fetches"),
    ("retrieve", "get"),
    ("retrieves", "gets"),
    ("list", "show"),
    ("lists", "shows"),
    ("create", "make"),
    ("creates", "makes"),
    ("delete", "remove"),
    ("find", "look up"),
    ("optionally", "if wanted,"),
    ("specific", "given"),
];

/// The text in slightly other words, with a sentence behind it: the same to a reader, and no copy to the letter.
pub(super) fn reworded(text: &str) -> String {
    let word = |word: &str| {
        let synonym = SYNONYMS.iter().find(|(known, _)| word.eq_ignore_ascii_case(known));
        match synonym {
            Some((_, other)) if word.starts_with(char::is_uppercase) => {
                let mut letters = other.chars();
                letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
            }
            Some((_, other)) => (*other).to_owned(),
            None => word.to_owned(),
        }
    };
    let words: Vec<String> = text.split_whitespace().map(word).collect();
    format!("{} Fast and reliable.", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewording_keeps_the_sense_and_changes_the_letters() {
        assert_eq!(
            reworded("Lists the files.  Get one of them."),
            "Shows the files. Fetch one of them. Fast and reliable."
        );
        assert_eq!(reworded("Перевод текста."), "Перевод текста. Fast and reliable.");
    }
}
