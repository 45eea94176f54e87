//! [`Asking`]: who sends a message, and where the handler says what became of it.

use std::sync::{Arc, OnceLock};

use tracing::Span;

use crate::doors::Caller;
use crate::error::ApiError;

/// Who sends a message.
#[derive(Clone)]
pub(crate) struct Asking {
    pub(crate) caller: Caller,
    /// The request's id, which goes back with the answer.
    pub(crate) request_id: Arc<str>,
    /// The request's span; rmcp handles messages on tasks of its own.
    pub(crate) span: Span,
    pub(crate) outcome: Outcome,
}

/// What became of a message, once a handler has seen it. One that rmcp refuses by itself never gets that far.
#[derive(Clone, Default)]
pub(crate) struct Outcome(Arc<OnceLock<Option<ApiError>>>);

impl Outcome {
    /// The message was answered; with an error, where a tool gave one.
    pub(crate) fn is(&self, error: Option<ApiError>) {
        // A message is handled once.
        let _ = self.0.set(error);
    }

    /// `None` where no handler has seen the message.
    pub(crate) fn get(&self) -> Option<Option<ApiError>> {
        self.0.get().cloned()
    }
}
