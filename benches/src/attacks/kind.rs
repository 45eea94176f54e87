//! [`Attack`]: a way in which somebody who may publish tools tries to be found instead of others.

use serde::Serialize;

/// A way of poisoning a catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Attack {
    /// The catalog's most telling words in every field: a few of them again and again, or a great many once.
    Stuffing,
    /// A popular tool under another namespace, reworded so lightly that it still says the same, and is no copy to the letter.
    Imitation,
    /// A tool that does nothing in particular and tells the model to call it.
    Orders,
    /// An imitation that tells the model to call it.
    OrderingImitation,
    /// Requests that others of the set's queries make, as a description.
    KnownRequests,
    /// The very queries that are asked, as a description: the attacker knows what will be asked, which is the worst case.
    AskedRequests,
    /// All of these in turn.
    Mixed,
}

impl Attack {
    /// Each kind, in the order of a report.
    pub const ALL: [Self; 7] = [
        Self::Stuffing,
        Self::Imitation,
        Self::Orders,
        Self::OrderingImitation,
        Self::KnownRequests,
        Self::AskedRequests,
        Self::Mixed,
    ];

    /// Those that [`Attack::Mixed`] takes in turn.
    pub(super) const SINGLE: [Self; 6] = [
        Self::Stuffing,
        Self::Imitation,
        Self::Orders,
        Self::OrderingImitation,
        Self::KnownRequests,
        Self::AskedRequests,
    ];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stuffing => "stuffing",
            Self::Imitation => "imitation",
            Self::Orders => "orders",
            Self::OrderingImitation => "imitation with orders",
            Self::KnownRequests => "known requests",
            Self::AskedRequests => "asked requests",
            Self::Mixed => "mixed",
        }
    }
}
