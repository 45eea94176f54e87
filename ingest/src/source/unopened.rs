//! [`Unopened`]: a configured source that could not be opened, so that the others still are.

use super::{Fetched, Record, Source, SourceState};
use crate::error::SourceError;

/// A source whose every pass fails with the reason why it could not be opened. It keeps its name and type, so a sync treats
/// it as any source that cannot be read at the moment.
pub(crate) struct Unopened {
    name: String,
    source_type: &'static str,
    reason: String,
}

impl Unopened {
    pub(crate) fn new(name: &str, source_type: &'static str, reason: String) -> Self {
        Self { name: name.to_owned(), source_type, reason }
    }
}

impl Source for Unopened {
    fn name(&self) -> &str {
        &self.name
    }

    fn source_type(&self) -> &'static str {
        self.source_type
    }

    fn fetch(&self, _: Option<&SourceState>, _: &mut dyn FnMut(Record)) -> Result<Fetched, SourceError> {
        Err(SourceError::NotOpened { name: self.name.clone(), reason: self.reason.clone() })
    }
}
