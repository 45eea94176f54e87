//! Words that say how somebody asks, and not for what.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::analyzer;

/// What a stop word counts, of what another word counts that as many tools hold. In a small catalog a word such as `please` may
/// stand in a single description, and its inverse document frequency would make it the most telling word of a request. Not
/// nothing, for a description that words its purpose as the request does is the likelier one. Measured in coarse steps on
/// the development sets (`benches/RESULTS.md`).
pub(super) const STOP_WEIGHT: f32 = 0.3;

/// What English grammar and good manners put into any request: articles, pronouns, auxiliary verbs, question words, the words
/// of asking for something, the prepositions that tell no operations apart (`on`, `off`, `out`, `up` and `by` do), and what
/// the analyzer leaves of contractions (`I'd`, `what's`). `id` and `us` are words of tools.
const STOP_WORDS: &str = "a an and are as at be been being but for if in into is am it its of or such that the their them \
    then there these they this those to was were will with from i me my we our ours you your yours he she his her who whom \
    whose which what when where why how do does did doing done can could would should shall may might must please thanks \
    thank hi hello hey want wants wanted need needs needed like help let lets just some any so than too very really also tell \
    give has have had having about d ll m re s t ve";

static TERMS: LazyLock<BTreeSet<String>> = LazyLock::new(|| analyzer::terms(STOP_WORDS).into_iter().collect());

/// Whether a term, stemmed as all are, is a stop word.
pub(super) fn is_stop_word(term: &str) -> bool {
    TERMS.contains(term)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_tools_are_none() {
        for word in ["id", "ids", "us", "mining", "on", "off", "up", "out", "by", "all", "new", "get", "show", "list"] {
            let term = analyzer::terms(word);
            assert!(!is_stop_word(&term[0]), "{word}: {term:?}");
        }
        assert!(analyzer::terms("I'd what's please needs").iter().all(|term| is_stop_word(term)));
    }
}
