//! [`Address`]: a server at an address, and the client that speaks to it over streamable HTTP.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use rmcp::model::{ClientJsonRpcMessage, CustomResult, JsonRpcMessage, ServerResult};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::common::client_side_sse::ExponentialBackoff;
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpClientTransportConfig, StreamableHttpError,
    StreamableHttpPostResponse, StreamableHttpResponseLimits,
};
use serde_json::{Value, json};
use sse_stream::Sse;

use super::guard::{MESSAGE_BYTES_MAX, Verdict};
use super::session::reason;
use crate::error::SourceError;
use crate::network::{Network, Secret, printable};

/// The key under which a listing travels through the transport, so that it is not taken for one there.
const WRAPPED: &str = "shortlist/listing";

/// The longest pause before a stream of announcements that broke off is opened again.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(300);

/// Where the server is and what is shown to it.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) url: Url,
    pub(super) network: Network,
    pub(super) token: Option<Secret>,
    pub(super) headers: Vec<(HeaderName, Secret)>,
}

impl Address {
    /// The address without its query, for messages.
    pub(super) fn shown(&self) -> String {
        printable(&self.url)
    }

    /// A transport to it; the secrets are read now, for a file may have been replaced.
    pub(super) fn transport(
        &self,
        source: &str,
        verdict: &Verdict,
    ) -> Result<StreamableHttpClientTransport<Plain>, SourceError> {
        let unusable = |reason: String| SourceError::Credentials { name: source.to_owned(), reason };
        let builder = self.network.async_client(source, &self.url)?;
        // Answers that are not read to their end would stall the next request on the same connection.
        let client = builder.pool_max_idle_per_host(0).build().map_err(|error| SourceError::Unreachable {
            name: source.to_owned(),
            url: self.shown(),
            error: Box::new(error.without_url()),
        })?;
        let mut headers = HashMap::new();
        for (name, secret) in &self.headers {
            let token = secret.read().map_err(unusable)?;
            let mut value = HeaderValue::from_str(token.reveal())
                .map_err(|_| unusable(format!("what the header {name} should be cannot stand in a header")))?;
            value.set_sensitive(true);
            headers.insert(name.clone(), value);
        }
        let mut config = StreamableHttpClientTransportConfig::with_uri(self.url.as_str())
            .custom_headers(headers)
            .max_sse_event_size(MESSAGE_BYTES_MAX)
            .max_json_response_size(MESSAGE_BYTES_MAX);
        let mut backoff = ExponentialBackoff::default();
        backoff.max_delay = Some(RETRY_PAUSE_MAX);
        config.retry_config = Arc::new(backoff);
        if let Some(secret) = &self.token {
            config = config.auth_header(secret.read().map_err(unusable)?.reveal());
        }
        Ok(StreamableHttpClientTransport::with_client(Plain { client, verdict: Arc::clone(verdict) }, config))
    }
}

/// The HTTP client with three differences: a listing passes through the transport unread, for the transport would leave out
/// tools without a word; what cannot be parsed ends the answer instead of being waited past; and errors name no query.
#[derive(Clone)]
pub(super) struct Plain {
    client: reqwest::Client,
    /// Why an answer could not be read to its end, which the transport does not pass on.
    verdict: Verdict,
}

type Failure = StreamableHttpError<reqwest::Error>;
type Events = futures_util::stream::BoxStream<'static, Result<Sse, SseError>>;
type Headers = HashMap<HeaderName, HeaderValue>;

impl StreamableHttpClient for Plain {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: Headers,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        let limits = StreamableHttpResponseLimits::default();
        self.post_message_with_response_limits(uri, message, session_id, auth_header, custom_headers, limits).await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: Headers,
        limits: StreamableHttpResponseLimits,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        let answer = self
            .client
            .post_message_with_response_limits(uri, message, session_id, auth_header, custom_headers, limits)
            .await
            .map_err(without_url)?;
        Ok(match answer {
            StreamableHttpPostResponse::Json(mut message, session) => {
                if let JsonRpcMessage::Response(response) = &mut message
                    && let ServerResult::ListToolsResult(listing) = &response.result
                {
                    let listing = serde_json::to_value(listing).map_err(StreamableHttpError::Deserialize)?;
                    response.result = ServerResult::CustomResult(CustomResult(json!({ WRAPPED: listing })));
                }
                StreamableHttpPostResponse::Json(message, session)
            }
            StreamableHttpPostResponse::Sse(events, session) => {
                let verdict = Arc::clone(&self.verdict);
                let events = events.map(move |event| {
                    event.and_then(wrapped).inspect_err(|error| {
                        // The first reason is the one that counts.
                        let _ = verdict.set(format!("its answer cannot be read: {}", reason(error)));
                    })
                });
                StreamableHttpPostResponse::Sse(events.boxed(), session)
            }
            other => other,
        })
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session_id: Arc<str>,
        auth_header: Option<String>,
        custom_headers: Headers,
    ) -> Result<(), Failure> {
        self.client.delete_session(uri, session_id, auth_header, custom_headers).await.map_err(without_url)
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: Headers,
    ) -> Result<Events, Failure> {
        let max = MESSAGE_BYTES_MAX;
        self.get_stream_with_max_sse_event_size(uri, session_id, last_event_id, auth_header, custom_headers, max).await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: Headers,
        max: usize,
    ) -> Result<Events, Failure> {
        let events = self
            .client
            .get_stream_with_max_sse_event_size(uri, session_id, last_event_id, auth_header, custom_headers, max)
            .await
            .map_err(without_url)?;
        // An answer that broke off is resumed here.
        Ok(events.map(|event| event.and_then(wrapped)).boxed())
    }
}

/// A page of tools as it came; undoes what was done on its way through the transport.
pub(super) fn unwrapped(result: ServerResult) -> Result<Value, serde_json::Error> {
    let mut value = serde_json::to_value(result)?;
    Ok(match value.get_mut(WRAPPED) {
        Some(listing) => listing.take(),
        None => value,
    })
}

/// An event whose message is a listing, with the listing wrapped.
fn wrapped(event: Sse) -> Result<Sse, SseError> {
    // Other kinds of events carry no message.
    if !matches!(event.event.as_deref(), None | Some("" | "message")) {
        return Ok(event);
    }
    let Some(data) = event.data.as_deref().filter(|data| !data.trim().is_empty()) else { return Ok(event) };
    let mut message: Value = serde_json::from_str(data).map_err(|error| SseError::Body(Box::new(error)))?;
    let Some(result) = message.get_mut("result").filter(|result| result.get("tools").is_some()) else {
        return Ok(event);
    };
    *result = json!({ WRAPPED: result.take() });
    Ok(Sse { data: Some(message.to_string()), ..event })
}

fn without_url(error: Failure) -> Failure {
    match error {
        StreamableHttpError::Client(error) => StreamableHttpError::Client(error.without_url()),
        other => other,
    }
}
