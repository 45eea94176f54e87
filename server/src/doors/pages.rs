//! [`Pages`]: how an answer of several pages goes on.

use serde::Serialize;

use super::Caller;
use crate::cursor::Binding;
use crate::error::ApiError;
use crate::state::AppState;

/// The pages of one answer to one caller.
pub(super) struct Pages {
    state: AppState,
    binding: Binding,
    /// The caller's, of the page that is asked for.
    cursor: Option<String>,
}

impl Pages {
    /// `request` is what decides what there is on all pages together; a cursor is good for the same alone. So its own cursor
    /// is not part of it, nor what may change from page to page.
    ///
    /// # Errors
    /// Internal ones only.
    pub(super) fn new(
        state: &AppState,
        caller: &Caller,
        door: &str,
        request: &impl Serialize,
        cursor: Option<String>,
    ) -> Result<Self, ApiError> {
        caller.note.asks("cursor", cursor.is_some());
        let meaning = serde_json::to_string(request).map_err(ApiError::internal)?;
        let binding = Binding::new(door, &meaning, &caller.principal, &caller.granted);
        Ok(Self { state: state.clone(), binding, cursor })
    }

    /// Where the page that is asked for starts.
    ///
    /// # Errors
    /// `bad_cursor` and `stale_cursor`.
    pub(super) fn offset(&self, generation: u64) -> Result<usize, ApiError> {
        let open = |cursor: &String| self.state.0.cursors.open(self.binding, generation, cursor);
        self.cursor.as_ref().map_or(Ok(0), open)
    }

    /// The cursor of the page that starts at `offset`.
    pub(super) fn cursor(&self, generation: u64, offset: usize) -> String {
        self.state.0.cursors.seal(self.binding, generation, offset)
    }
}
