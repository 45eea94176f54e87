//! The layer that lets an admin's request go on when its connection is gone.
//!
//! hyper drops a request's future as soon as the caller resets the stream or hangs up. Whoever only reads loses nothing but
//! the answer. A change is made on another thread and takes effect all the same, so what follows it must be done too: its
//! record, and the line in the log.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;

use super::asked::IsAdmin;
use crate::error::ApiError;
use crate::state::AppState;

/// Runs an admin's request on a task of its own, which the stop of the server waits for.
pub(super) async fn outlive(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if request.extensions().get::<IsAdmin>().is_none() {
        return next.run(request).await;
    }
    let lasting = Arc::clone(&state.0.lasting).read_owned().await;
    let answering = async move {
        let _lasting = lasting;
        next.run(request).await
    };
    tokio::spawn(answering.in_current_span()).await.unwrap_or_else(|error| ApiError::internal(error).into_response())
}
