//! [`serve_stdio`]: MCP over a pair of streams, for one viewer on this machine.

use std::sync::Arc;

use rmcp::service::{QuitReason, ServerInitializeError};
use rmcp::transport::async_rw::AsyncRwTransport;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::Span;

use super::asking::{Asking, Outcome};
use super::handler::Handler;
use crate::doors::Caller;
use crate::http::Note;
use crate::limits::BODY_BYTES_MAX;
use crate::policy::Granted;
use crate::principal::Principal;
use crate::state::AppState;
use crate::watch;

/// Through whose eyes all messages look.
#[derive(Clone, Debug)]
pub enum Viewer {
    /// Whoever runs the program and can read its files anyway: everything.
    Operator,
    /// What the policy in force lets them see.
    As(Principal),
}

/// Why the streams ended otherwise than by their end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StdioError {
    /// What came first was no beginning of MCP.
    #[error("the other side does not begin as MCP does; is this program started by an MCP client?")]
    NoHandshake,
    /// A task of ours failed.
    #[error("the server failed: {0}")]
    Failed(#[from] tokio::task::JoinError),
}

/// A [`Viewer`] with what each message needs of them.
pub(super) enum Local {
    Operator(Arc<Granted>),
    As(Arc<Principal>),
}

impl Local {
    fn new(viewer: Viewer) -> Self {
        match viewer {
            Viewer::Operator => Self::Operator(Arc::new(Granted::everything())),
            Viewer::As(principal) => Self::As(Arc::new(principal)),
        }
    }

    /// One message's. Nothing is audited: whoever sends it can read the catalog's files.
    pub(super) fn asking(&self, state: &AppState) -> Asking {
        let caller = match self {
            Self::Operator(granted) => {
                Caller::granted(Arc::new(Principal::default()), Arc::clone(granted), Note::default())
            }
            Self::As(principal) => Caller::new(state, Arc::clone(principal), Note::default()),
        };
        Asking { caller, request_id: Arc::from(""), span: Span::none(), outcome: Outcome::default() }
    }
}

/// Serves until the input ends. Generations and the policy are followed meanwhile. A line has the limit of a body; longer ones
/// are dropped.
///
/// # Errors
/// [`StdioError`] when the other side speaks something else, or something here failed.
pub async fn serve_stdio(
    state: AppState,
    viewer: Viewer,
    input: impl AsyncRead + Send + Unpin + 'static,
    output: impl AsyncWrite + Send + Unpin + 'static,
) -> Result<(), StdioError> {
    let watcher = match &viewer {
        Viewer::Operator => tokio::spawn(watch::follow_catalog(state.clone())),
        Viewer::As(_) => tokio::spawn(watch::follow(state.clone())),
    };
    let transport = AsyncRwTransport::new_server(input, output).with_max_line_length(BODY_BYTES_MAX);
    let handler = Handler::of(Local::new(viewer), state);
    let served = match rmcp::serve_server(handler, transport).await {
        Ok(running) => running.waiting().await.map_err(StdioError::from),
        // A client that goes before it said anything is gone, which is no failure.
        Err(ServerInitializeError::ConnectionClosed(_)) => Ok(QuitReason::Closed),
        // What it said may hold anything, so it is not repeated.
        Err(_) => Err(StdioError::NoHandshake),
    };
    watcher.abort();
    served.map(|_| ())
}
