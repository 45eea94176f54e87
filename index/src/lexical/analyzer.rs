//! Text to terms: identifiers split and whole, words stemmed, every script kept.

use tantivy::tokenizer::{Language, Stemmer, TextAnalyzer, TokenStream, WhitespaceTokenizer};

/// The longest term, in bytes; longer ones (encoded blobs) are left out.
const TERM_BYTES_MAX: usize = 64;
/// The most terms read of one text: a bound on a hostile description, far above a real one.
const TERMS_MAX: usize = 20_000;

/// Splits text at everything that is no letter or digit, and identifiers at their humps: `listFilesV2` gives `list`,
/// `Files`, `V2`; `HTTPServer` gives `HTTP`, `Server`. Case is kept.
pub fn identifier_words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric()).flat_map(humps).map(str::to_owned).collect()
}

/// The terms of a text, in order, for indexing and for queries alike.
///
/// Each word gives its stem (Porter's for English; other scripts are left as they are). An identifier of several words
/// (`files.list`, `find_symbol`, `findSymbol`) also gives the whole, without its separators, so that it is found however
/// its parts are joined. Runs of Chinese, Japanese and Korean characters, which have no spaces, give their overlapping
/// pairs, as Lucene's CJK analyzer does.
pub fn terms(text: &str) -> Vec<String> {
    let mut words = String::with_capacity(text.len() + 16);
    for identifier in text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))) {
        let mut parts = 0;
        for run in identifier.split(|c: char| !c.is_alphanumeric()) {
            for part in scripts(run) {
                parts += 1;
                push_run(part, &mut words);
            }
        }
        if parts > 1 && identifier.len() <= TERM_BYTES_MAX && !identifier.contains(is_cjk) {
            words.extend(identifier.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase));
            words.push(' ');
        }
    }
    stem(&words)
}

/// Lower-cases a run into `words`, pairs for CJK, each followed by a space.
fn push_run(run: &str, words: &mut String) {
    if !run.starts_with(is_cjk) {
        words.extend(run.chars().flat_map(char::to_lowercase));
        words.push(' ');
        return;
    }
    let characters: Vec<char> = run.chars().collect();
    for pair in characters.windows(2.min(characters.len())) {
        words.extend(pair);
        words.push(' ');
    }
}

/// Stems the space-separated words.
fn stem(words: &str) -> Vec<String> {
    let mut analyzer =
        TextAnalyzer::builder(WhitespaceTokenizer::default()).filter(Stemmer::new(Language::English)).build();
    let mut stream = analyzer.token_stream(words);
    let mut terms = Vec::new();
    while stream.advance() && terms.len() < TERMS_MAX {
        let term = &stream.token().text;
        if term.len() <= TERM_BYTES_MAX {
            terms.push(term.clone());
        }
    }
    terms
}

/// Splits a run of letters and digits where CJK begins or ends, and the rest at its humps.
fn scripts(run: &str) -> impl Iterator<Item = &str> {
    split_where(run, |before, after, _| is_cjk(before) != is_cjk(after))
        .flat_map(|part| if part.starts_with(is_cjk) { vec![part] } else { humps(part).collect() })
}

/// Splits `camelCase`, `HTTPServer` and `v2Name` into words. Digits stay with the letters before them (`v2`, `s3`) and end
/// the word.
fn humps(run: &str) -> impl Iterator<Item = &str> {
    split_where(run, |before, after, next| {
        let small_to_large = before.is_lowercase() && after.is_uppercase();
        let end_of_acronym = before.is_uppercase() && after.is_uppercase() && next.is_some_and(char::is_lowercase);
        let after_digits = before.is_numeric() && after.is_alphabetic();
        small_to_large || end_of_acronym || after_digits
    })
}

/// Cuts `text` between each two characters for which `cut(before, after, the one after that)` holds.
fn split_where(text: &str, cut: impl Fn(char, char, Option<char>) -> bool) -> impl Iterator<Item = &str> {
    let mut cuts = Vec::new();
    let mut characters = text.char_indices().peekable();
    let mut before = None;
    while let Some((at, after)) = characters.next() {
        let next = characters.peek().map(|&(_, c)| c);
        if before.is_some_and(|before| cut(before, after, next)) {
            cuts.push(at);
        }
        before = Some(after);
    }
    cuts.push(text.len());
    let mut start = 0;
    cuts.into_iter().map(move |end| &text[std::mem::replace(&mut start, end)..end]).filter(|part| !part.is_empty())
}

fn is_cjk(c: char) -> bool {
    matches!(u32::from(c),
        0x3040..=0x30FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xAC00..=0xD7AF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(terms(text), expected, "{text}");
    }

    #[test]
    fn identifiers_are_split_and_kept_whole() {
        check("find_symbol", &["find", "symbol", "findsymbol"]);
        check("findSymbol", &["find", "symbol", "findsymbol"]);
        check("drive.files.list", &["drive", "file", "list", "drivefileslist"]);
        check("HTTPServer", &["http", "server", "httpserver"]);
        check("s3GetObjectV2", &["s3", "get", "object", "v2", "s3getobjectv2"]);
    }

    #[test]
    fn words_are_stemmed_and_ends_of_sentences_are_no_identifiers() {
        check("Lists the files.", &["list", "the", "file"]);
    }

    #[test]
    fn every_script_is_kept() {
        check("Прогноз погоды", &["прогноз", "погоды"]);
        check("天气预报", &["天气", "气预", "预报"]);
        check("查weather数", &["查", "weather", "数"]);
        check("günstige Flüge", &["günstige", "flüge"]);
    }

    #[test]
    fn hostile_text_is_bounded() {
        assert!(terms(&"x".repeat(1_000_000)).is_empty());
        assert_eq!(terms(&"a b ".repeat(50_000)).len(), TERMS_MAX);
    }

    #[test]
    fn words_keep_their_case_for_the_models() {
        assert_eq!(identifier_words("azure.listVMs_v2"), ["azure", "list", "V", "Ms", "v2"]);
        assert_eq!(identifier_words("get__quotes"), ["get", "quotes"]);
    }
}
