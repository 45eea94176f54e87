//! [`Signals`]: what fusion and confidence know of a candidate, and what each of it counts.

use serde::Serialize;

use crate::query_class::QueryClass;

/// What is known of a candidate besides its rank. It depends on the query, the candidate and the allowed set alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Signals {
    /// How far its BM25F score stands out from those of the best, in standard deviations.
    pub lexical: f32,
    /// How far its cosine stands out, likewise.
    pub dense: f32,
    /// Its cosine with the query, -1 to 1. Confidence goes by it; the order goes by `dense`.
    pub cosine: f32,
    /// The share of the query's words that it holds, weighed as BM25F weighs them, 0 to 1.
    pub cover: f32,
    /// The share of its name's words that stand in the query, 0 to 1.
    pub name_cover: f32,
}

impl Signals {
    /// Their weighted sum, by which candidates are ordered.
    ///
    /// The weights were learned by `data/training/fusion.py` and rounded. A request is told best by its meaning, and among
    /// what means the same by how much of it a tool's words cover. The vector of a long one blurs its parts: there words count
    /// more, and a name that it spells out counts most. A name that somebody types is a matter of words, and so is a script
    /// in which the encoder was not trained.
    pub(crate) fn score(&self, class: QueryClass) -> f32 {
        let [lexical, dense, cover, name_cover] = match class {
            QueryClass::Identifier => [0.6, 0.4, 0.0, 1.0],
            QueryClass::Keywords => [0.35, 0.65, 0.0, 0.0],
            QueryClass::Intent => [0.25, 0.75, 1.0, 0.0],
            QueryClass::Passage => [0.4, 0.6, 3.0, 1.0],
            QueryClass::OtherScript => [0.6, 0.4, 0.0, 0.0],
        };
        lexical * self.lexical + dense * self.dense + cover * self.cover + name_cover * self.name_cover
    }
}
