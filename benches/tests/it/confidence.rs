//! Whether an answer says when the tool is not there.

use shortlist_benches::BenchError;
use shortlist_benches::confidence::measure;

use crate::support::{CountingEmbedder, crosscheck, models};

#[test]
fn a_query_that_could_not_be_embedded_tells_nothing() {
    let set = crosscheck(Some(3));
    measure(&set, &models(CountingEmbedder::new(false)), None).expect("it measures");
    let refused = measure(&set, &models(CountingEmbedder::new(true)), None);
    assert!(matches!(refused, Err(BenchError::Degraded { stage: "dense", .. })), "{refused:?}");
}
