//! [`Handler`]: what each message of MCP does.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::request::Parts;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, CustomRequest, CustomResult, DiscoverResult,
    ErrorCode, Implementation, InitializeRequestParams, InitializeResult, JsonObject, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tracing::Instrument;
use tracing::field::Empty;

use super::asking::Asking;
use super::stdio::Local;
use super::tools::{GET_TOOL_DETAILS, INSTRUCTIONS, LIST_NAMESPACES, SEARCH_TOOLS, SHAPE};
use super::{results, text, tools};
use crate::doors;
use crate::doors::read;
use crate::doors::wire::{NamespacesRequest, SearchToolsRequest};
use crate::error::{ApiError, Code};
use crate::http::{TraceContext, is_harmless_id, log_error};
use crate::limits::{MCP_TTL, TOKENS_MAX};
use crate::state::AppState;
use crate::telemetry::begin_trace;

/// Answers messages. Who sends them is known by the HTTP request that brought them, or for all of them at once.
#[derive(Clone)]
pub(crate) struct Handler {
    state: AppState,
    local: Option<Arc<Local>>,
}

impl Handler {
    /// For messages that come by HTTP, each with its [`Asking`] in the extensions of its request.
    pub(crate) fn over_http(state: AppState) -> Self {
        Self { state, local: None }
    }

    /// For messages that all come from one viewer.
    pub(super) fn of(local: Local, state: AppState) -> Self {
        Self { state, local: Some(Arc::new(local)) }
    }

    /// Who sends this message, and what the audit calls it.
    fn asking(&self, context: &RequestContext<RoleServer>, door: &'static str) -> Result<Asking, ErrorData> {
        let asking = match &self.local {
            Some(local) => Some(local.asking(&self.state)),
            None => context.extensions.get::<Parts>().and_then(|parts| parts.extensions.get::<Asking>().cloned()),
        };
        let mut asking = asking.ok_or_else(|| ErrorData::internal_error("nobody was identified", None))?;
        asking.caller.note.door(door);
        let own = context.meta.0.0.get(results::REQUEST_ID).and_then(Value::as_str);
        if let Some(id) = own.filter(|id| is_harmless_id(id)) {
            asking.caller.note.asks("client_request_id", id);
            asking.request_id = id.into();
        }
        Ok(asking)
    }

    async fn call(&self, asking: Asking, request: CallToolRequestParams) -> Result<CallToolResult, ErrorData> {
        let Asking { caller, outcome, .. } = asking;
        let arguments = request.arguments.unwrap_or_default();
        let result = match &*request.name {
            SEARCH_TOOLS => match arguments_of::<SearchToolsRequest>(arguments) {
                Ok(mut request) => {
                    // rmcp writes a message out on a thread that answers others too, and fifty tools whole are 25 MB.
                    request.max_tokens.get_or_insert(TOKENS_MAX);
                    let write = |found| results::answer(text::search(&found), &found);
                    doors::search_tools(&self.state, caller, request, write).await
                }
                Err(error) => Err(error),
            },
            GET_TOOL_DETAILS => match arguments_of(arguments) {
                Ok(request) => {
                    doors::get_tool_details(&self.state, caller, request, |found| results::details(&found)).await
                }
                Err(error) => Err(error),
            },
            LIST_NAMESPACES => match arguments_of::<NamespacesRequest>(arguments) {
                Ok(request) => {
                    let by_prefix = request.prefix.as_ref().is_some_and(|prefix| !prefix.is_empty());
                    let write = move |found| results::answer(text::namespaces(&found, by_prefix), &found);
                    doors::list_namespaces(&self.state, caller, request, write).await
                }
                Err(error) => Err(error),
            },
            _ => {
                let message = format!(
                    "there is no such tool; there are {SEARCH_TOOLS}, {GET_TOOL_DETAILS} and {LIST_NAMESPACES}"
                );
                outcome.is(Some(ApiError::new(Code::BadMessage)));
                return Err(ErrorData::invalid_params(message, None));
            }
        };
        let told = result.unwrap_or_else(|error| {
            let told = results::error(&error);
            if self.local.is_some() {
                log_error(&error);
            }
            outcome.is(Some(error));
            told
        });
        outcome.is(None);
        Ok(told)
    }
}

/// The arguments as the door's request.
fn arguments_of<T: DeserializeOwned>(arguments: JsonObject) -> Result<T, ApiError> {
    if arguments.contains_key(SHAPE) {
        return Err(ApiError::new(Code::UnknownField)
            .at(format!("/{SHAPE}"))
            .detail("Answers have one shape over MCP."));
    }
    read(Value::Object(arguments))
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let implementation = Implementation::new("shortlist", env!("CARGO_PKG_VERSION"))
            .with_title("Shortlist")
            .with_description("Semantic tool discovery inside the caller's permissions.");
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(implementation)
            .with_instructions(INSTRUCTIONS)
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let asking = self.asking(&context, "mcp/initialize")?;
        let result = self.negotiate_initialize(&request);
        context.peer.set_peer_info(request);
        asking.outcome.is(None);
        result
    }

    async fn discover(&self, context: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let asking = self.asking(&context, "mcp/discover")?;
        asking.outcome.is(None);
        let versions = self.supported_protocol_versions().into_owned();
        let discovered = DiscoverResult::from_server_info(versions, self.get_info());
        Ok(discovered.with_ttl_ms(ttl_ms()).with_cache_scope(CacheScope::Private))
    }

    async fn ping(&self, context: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        self.asking(&context, "mcp/ping")?.outcome.is(None);
        Ok(())
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let asking = self.asking(&context, "mcp/list_tools")?;
        // All are on the first page, so no cursor was ever given out.
        if request.is_some_and(|page| page.cursor.is_some()) {
            asking.outcome.is(Some(ApiError::new(Code::BadCursor)));
            return Err(ErrorData::invalid_params("not a cursor of this server; list without one", None));
        }
        asking.outcome.is(None);
        let listed = ListToolsResult::with_all_items(tools::all().to_vec());
        Ok(listed.with_ttl_ms(ttl_ms()).with_cache_scope(CacheScope::Private))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::all().iter().find(|tool| tool.name == name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let door = match &*request.name {
            SEARCH_TOOLS => "mcp/search_tools",
            GET_TOOL_DETAILS => "mcp/get_tool_details",
            LIST_NAMESPACES => "mcp/list_namespaces",
            _ => "mcp/unknown_tool",
        };
        let asking = self.asking(&context, door)?;
        let caller = context.meta.0.get_traceparent().and_then(TraceContext::read);
        let span = tracing::info_span!(
            parent: &asking.span,
            "tool",
            mcp.tool = door,
            request.id = %asking.request_id,
            trace.id = Empty,
            trace.span_id = Empty,
        );
        // As for a request: the span that is exported, or one that only keeps the caller's trace together.
        let ours = caller.and_then(|caller| begin_trace(&span, Some(caller)).or(Some(caller.child())));
        if let Some(ours) = ours {
            ours.record_in(&span);
        }
        let request_id = Arc::clone(&asking.request_id);
        let answering = self.call(asking, request).instrument(span);
        // Whoever hung up or called it off waits for nothing any more, and gives up the place in the queue.
        let result = tokio::select! {
            biased;
            result = answering => result?,
            () = context.ct.cancelled() => return Err(ErrorData::internal_error("the request was cancelled", None)),
        };
        Ok(CallToolResponse::Complete(results::with_ids(result, &request_id, ours)))
    }

    /// What rmcp could read as none of its messages: one of its methods with other parameters, or another method.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        Err(match request.method.as_str() {
            "tools/call" | "tools/list" => ErrorData::invalid_params("the params are not those of this method", None),
            _ => ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "there is no such method", None),
        })
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [rmcp::model::ProtocolVersion]> {
        Cow::Borrowed(rmcp::model::ProtocolVersion::KNOWN_VERSIONS)
    }
}

/// In milliseconds, as the protocol counts.
fn ttl_ms() -> u64 {
    u64::try_from(MCP_TTL.as_millis()).unwrap_or(u64::MAX)
}
