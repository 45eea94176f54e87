//! [`Stages`]: how a caller follows a search from stage to stage. This crate has no clock; whoever wants to know how long a
//! stage takes brings one.

/// A part of a search that takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The query becomes a vector.
    Embed,
    /// The vectors of the allowed set are compared with it, all of them or those whose sketches are near. In a large set that
    /// happens on another thread during [`Stage::Lexical`], and the stage is what is then waited for it.
    Dense,
    /// The posting lists of the query's terms are read and scored.
    Lexical,
    /// The lists of both legs become one; and at last those of the whole query and of its parts.
    Fuse,
    /// The first candidates are read together with the query.
    Rerank,
    /// Candidates that say the same as a better one give up their places.
    Collapse,
    /// The tools of the page are read from the table.
    Fetch,
}

impl Stage {
    /// All of them, in the order in which they mostly run.
    pub const ALL: [Self; 7] =
        [Self::Embed, Self::Dense, Self::Lexical, Self::Fuse, Self::Rerank, Self::Collapse, Self::Fetch];

    /// As it stands in metrics and traces.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Embed => "embed",
            Self::Dense => "dense",
            Self::Lexical => "lexical",
            Self::Fuse => "fuse",
            Self::Rerank => "rerank",
            Self::Collapse => "collapse",
            Self::Fetch => "fetch",
        }
    }
}

/// Follows one search. Both methods are called on the thread that searches, in pairs, one stage after the other; a stage
/// that a request does not need is not entered, and one that panics is not left.
pub trait Stages {
    /// The stage begins.
    fn enter(&self, stage: Stage);
    /// The stage has ended, well or not.
    fn leave(&self, stage: Stage);
}

/// Follows nothing.
impl Stages for () {
    fn enter(&self, _: Stage) {}
    fn leave(&self, _: Stage) {}
}

impl dyn Stages + '_ {
    /// Does the work as this stage.
    pub(crate) fn run<T>(&self, stage: Stage, work: impl FnOnce() -> T) -> T {
        self.enter(stage);
        let result = work();
        self.leave(stage);
        result
    }
}
