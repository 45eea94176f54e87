//! [`QueryClass`]: what kind of text a query is, by rule.

use serde::Serialize;

/// The most words of a query that is a list of keywords.
const KEYWORDS_MAX: usize = 4;
/// The most words of a request that says one thing.
const INTENT_MAX: usize = 30;
/// Words that a list of keywords does without: one of them makes a sentence. What stop words count is the lexical leg's to say, and
/// it has a list of its own: `by` makes a sentence, and tells `get_by_id` from `get_by_name`.
const FUNCTION_WORDS: [&str; 48] = [
    "a", "an", "and", "any", "are", "at", "by", "can", "could", "do", "does", "for", "from", "give", "have", "help",
    "how", "i", "i'd", "i'm", "if", "in", "is", "it", "let", "me", "my", "need", "of", "on", "or", "our", "please",
    "should", "tell", "that", "the", "there", "this", "to", "want", "what", "when", "where", "which", "with", "would",
    "you",
];

/// What kind of text a query is: people who know a tool's name write it, others describe what they want. Decided by rule
/// from the text alone, so that the same text is always read the same way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryClass {
    /// A name as programs write it: `files.list`, `find_symbol`, `createIssue`.
    Identifier,
    /// A few words without grammar: `weather forecast`.
    Keywords,
    /// A request in words: `what is the weather in Paris tomorrow?`
    #[default]
    Intent,
    /// A request of more than 30 words, often one of several parts.
    Passage,
    /// With letters that are not Latin, alone or among Latin ones.
    OtherScript,
}

impl QueryClass {
    /// The class of a query. Costs one pass over it.
    pub fn of(query: &str) -> Self {
        if query.chars().any(|c| c.is_alphabetic() && !is_latin(c)) {
            return Self::OtherScript;
        }
        let words: Vec<&str> = query.split_whitespace().collect();
        match words.as_slice() {
            [word] if is_identifier(word) => Self::Identifier,
            words if words.len() <= KEYWORDS_MAX && !words.iter().any(|word| is_function_word(word)) => Self::Keywords,
            words if words.len() > INTENT_MAX => Self::Passage,
            _ => Self::Intent,
        }
    }

    /// Its name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identifier => "identifier",
            Self::Keywords => "keywords",
            Self::Intent => "intent",
            Self::Passage => "passage",
            Self::OtherScript => "other_script",
        }
    }
}

/// Whether a word has inner separators or humps.
fn is_identifier(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    crate::lexical::identifier_words(word).len() > 1
}

fn is_function_word(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    FUNCTION_WORDS.binary_search(&word.as_str()).is_ok()
}

/// Latin letters with all their marks (Unicode's blocks up to Latin Extended Additional).
fn is_latin(c: char) -> bool {
    matches!(u32::from(c), 0x41..=0x24F | 0x1E00..=0x1EFF | 0xFF21..=0xFF5A)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_by_their_form() {
        for (query, class) in [
            ("find_symbol", QueryClass::Identifier),
            ("drive.files.list", QueryClass::Identifier),
            ("createIssue", QueryClass::Identifier),
            ("`gmail.send`", QueryClass::Identifier),
            ("weather", QueryClass::Keywords),
            ("weather forecast paris", QueryClass::Keywords),
            ("delete a file", QueryClass::Intent),
            ("I'd like gmail", QueryClass::Intent),
            ("list every open pull request", QueryClass::Intent),
            ("Flüge nach Zürich", QueryClass::Keywords),
            ("погода завтра", QueryClass::OtherScript),
            ("查询 weather", QueryClass::OtherScript),
            ("???", QueryClass::Keywords),
            (&"word ".repeat(31), QueryClass::Passage),
        ] {
            assert_eq!(QueryClass::of(query), class, "{query}");
        }
    }

    #[test]
    fn the_function_words_can_be_searched_in() {
        assert!(FUNCTION_WORDS.is_sorted());
    }
}
