//! [`Setting`]: one way of searching, by a name that reports, floors and the command line share.

use std::fmt;
use std::str::FromStr;

use shortlist_index::Mode;

/// One way of searching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// BM25 over names and descriptions alone, which is how tool search is mostly built: what every other setting has to be
    /// worth its cost against. Nothing of our index takes part in it.
    Plain,
    /// The index's own search.
    Search {
        /// Which legs run.
        mode: Mode,
        /// Whether the reranker does.
        rerank: bool,
    },
}

/// The name of [`Setting::Plain`].
pub const PLAIN: &str = "bm25-plain";
/// What stands behind the mode of a setting that reranks.
const RERANK: &str = "+rerank";

impl Setting {
    /// A search without reranking.
    pub fn of(mode: Mode) -> Self {
        Self::Search { mode, rerank: false }
    }

    /// `bm25-plain`, `lexical`, `dense` or `hybrid`.
    pub fn mode(self) -> String {
        match self {
            Self::Plain => PLAIN.to_owned(),
            Self::Search { mode, .. } => mode.to_string(),
        }
    }

    /// Whether the reranker runs.
    pub fn reranks(self) -> bool {
        matches!(self, Self::Search { rerank: true, .. })
    }

    /// Whether the embedding model does.
    pub fn embeds(self) -> bool {
        matches!(self, Self::Search { mode: Mode::Dense | Mode::Hybrid, .. })
    }
}

/// The name of a setting by its parts, as it stands in tables: `hybrid`, `hybrid+rerank`.
pub(crate) fn name(mode: &str, rerank: bool) -> String {
    format!("{mode}{}", if rerank { RERANK } else { "" })
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&name(&self.mode(), self.reranks()))
    }
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mode, rerank) = text.strip_suffix(RERANK).map_or((text, false), |mode| (mode, true));
        match mode.parse() {
            Ok(mode) => Ok(Self::Search { mode, rerank }),
            Err(_) if text == PLAIN => Ok(Self::Plain),
            Err(_) => Err(format!(
                "{text:?} is no setting; there are {PLAIN}, lexical, dense and hybrid, and with {RERANK} behind them the last three"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_its_setting_back() {
        for name in [PLAIN, "lexical", "dense+rerank", "hybrid", "hybrid+rerank"] {
            assert_eq!(name.parse().map(|setting: Setting| setting.to_string()), Ok(name.to_owned()));
        }
        for name in ["", "bm25-plain+rerank", "+rerank", "hybrid+", "HYBRID RERANK"] {
            assert!(name.parse::<Setting>().is_err(), "{name}");
        }
    }
}
