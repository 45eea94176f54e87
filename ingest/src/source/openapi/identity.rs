//! [`Identity`]: what the operations of a document are called.
//!
//! An operation's ref is made of its `operationId`, where it has one that no other operation of the document has, for that
//! is what OpenAPI means it for; else of method and path (`GET /pets/{id}`). No other operation of the document changes it,
//! save one that takes the same id. What is too long for a ref is cut and ends in a hash of the whole.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use shortlist_index::{ToolRef, hex};

use super::operation::Operation;
use crate::normalize::NAME_CHARS_MAX;

/// How many hexadecimal digits tell two long names apart that begin alike.
const DIGEST_DIGITS: usize = 12;

/// The names of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// What it is called: its id, whether others have the same or not.
    pub name: String,
    /// What it is called in its ref.
    pub ref_name: String,
}

/// Names all operations of a document.
pub(super) fn identities(operations: &[Operation<'_>], source: &str, namespace: &str) -> Vec<Identity> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for id in operations.iter().filter_map(Operation::id) {
        *counts.entry(id).or_default() += 1;
    }
    let fits =
        |name: &str| name.chars().count() <= NAME_CHARS_MAX && ToolRef::new(source, namespace, name, None).is_ok();
    let identity = |operation: &Operation<'_>| {
        let signature = operation.signature();
        // An id that looks like method and path might be another operation's.
        let id = operation.id().filter(|id| fits(id) && !id.contains(" /"));
        let own = id.filter(|id| counts.get(id) == Some(&1));
        let ref_name = own.map_or_else(|| shortened(&signature, &fits), str::to_owned);
        Identity { name: id.map_or_else(|| ref_name.clone(), str::to_owned), ref_name }
    };
    operations.iter().map(identity).collect()
}

/// The text, or as much of its beginning as fits with a hash of the whole after it. Where nothing fits, the text itself: what
/// is wrong with it is then said where every record is judged, as it is of characters that no ref may hold.
fn shortened(text: &str, fits: &dyn Fn(&str) -> bool) -> String {
    if fits(text) {
        return text.to_owned();
    }
    let digest = hex(&Sha256::digest(text));
    let digest = digest.get(..DIGEST_DIGITS).unwrap_or(&digest);
    let ends: Vec<usize> = text.char_indices().map(|(end, _)| end).take(NAME_CHARS_MAX).collect();
    let cut = |end: &usize| format!("{}~{digest}", text.get(..*end).unwrap_or_default());
    // Longer names fit less, so the last that fits is found by halving.
    let n_fitting = ends.partition_point(|end| fits(&cut(end)));
    match n_fitting.checked_sub(1).and_then(|last| ends.get(last)) {
        Some(end) => cut(end),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_and_stay_different() {
        let fits = |name: &str| ToolRef::new("source", "space", name, None).is_ok();
        let (one, two) = (format!("GET /{}/one", "{a}/".repeat(150)), format!("GET /{}/two", "{a}/".repeat(150)));
        let (one_cut, two_cut) = (shortened(&one, &fits), shortened(&two, &fits));
        assert!(fits(&one_cut) && fits(&two_cut) && one_cut != two_cut);
        assert!(one.starts_with(one_cut.split('~').next().unwrap_or_default()));
        assert!(ToolRef::new("source", "space", &one_cut, None).is_ok_and(|r| r.to_string().len() > 480), "{one_cut}");
        assert_eq!(shortened("GET /short", &fits), "GET /short");
    }
}
