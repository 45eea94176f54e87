//! [`Probed`]: a program that is asked which revisions it speaks, before rmcp shakes hands with it.
//!
//! rmcp asks too, but waits ten seconds and then takes a late answer for the answer to its next question. A program that is
//! only starting (an interpreter that loads, `npx` that installs) needs longer. Here the wait is ours, and a late answer is
//! dropped.

use std::future::Future;
use std::time::Duration;

use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, DiscoverRequest, DiscoverRequestParams, ErrorCode, InitializeRequestParams,
    JsonRpcMessage, NumberOrString, ProtocolVersion, RequestMetaObject, ServerJsonRpcMessage, ServerResult,
};
use rmcp::service::{ClientLifecycleMode, RoleClient};
use rmcp::transport::Transport;

/// The question's id: none that rmcp counts to.
const ID: &str = "shortlist-probe";

/// A transport that drops the answer to our own question.
pub(super) struct Probed<T>(pub(super) T);

impl<T: Transport<RoleClient>> Probed<T> {
    /// Asks for the newest revision, and says how to begin: as the program answers, or in the old way when it does not
    /// within `patience`.
    ///
    /// # Errors
    /// When the question cannot be sent.
    pub(super) async fn ask(
        &mut self,
        this: InitializeRequestParams,
        patience: Duration,
    ) -> Result<ClientLifecycleMode, T::Error> {
        let newest = ProtocolVersion::V_2026_07_28;
        let mut request = DiscoverRequest::new(DiscoverRequestParams {});
        let meta = RequestMetaObject::with_client_context(newest.clone(), this.client_info, this.capabilities);
        request.extensions.insert(meta);
        let id = NumberOrString::String(ID.into());
        self.0.send(ClientJsonRpcMessage::request(ClientRequest::DiscoverRequest(request), id)).await?;
        let answer = async {
            loop {
                match self.0.receive().await {
                    // An error may leave out which question it answers, and there is none but ours.
                    Some(JsonRpcMessage::Error(error)) if error.id.is_none() => {
                        return Some(JsonRpcMessage::Error(error));
                    }
                    Some(message) if !is_ours(&message) => {}
                    answer => return answer,
                }
            }
        };
        let is_modern = match tokio::time::timeout(patience, answer).await {
            Ok(Some(JsonRpcMessage::Response(response))) => match response.result {
                ServerResult::DiscoverResult(result) => result.supported_versions.contains(&newest),
                _ => false,
            },
            // Only a server that knows the question says so; rmcp tells what is wrong.
            Ok(Some(JsonRpcMessage::Error(error))) => error.error.code == ErrorCode::UNSUPPORTED_PROTOCOL_VERSION,
            _ => false,
        };
        Ok(if is_modern {
            ClientLifecycleMode::Discover { preferred_versions: vec![newest] }
        } else {
            ClientLifecycleMode::Initialize
        })
    }
}

impl<T: Transport<RoleClient>> Transport<RoleClient> for Probed<T> {
    type Error = T::Error;

    fn send(&mut self, item: ClientJsonRpcMessage) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.0.send(item)
    }

    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        loop {
            match self.0.receive().await {
                Some(message) if is_ours(&message) => {}
                other => return other,
            }
        }
    }

    fn close(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        self.0.close()
    }
}

/// Whether it answers our question.
fn is_ours(message: &ServerJsonRpcMessage) -> bool {
    let is_ours = |id: &NumberOrString| matches!(id, NumberOrString::String(text) if text.as_ref() == ID);
    match message {
        JsonRpcMessage::Response(response) => is_ours(&response.id),
        JsonRpcMessage::Error(error) => error.id.as_ref().is_some_and(is_ours),
        _ => false,
    }
}
