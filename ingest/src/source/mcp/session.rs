//! [`Session`]: a connection to a server, from the handshake to its end.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    ClientCapabilities, ClientConfig, ClientRequest, ErrorCode, Implementation, ListToolsRequest,
    PaginatedRequestParams, ProtocolVersion, SubscriptionFilter,
};
use rmcp::service::{
    ClientInitializeError, ClientLifecycleMode, ClientServiceExt, NotificationContext, PeerRequestOptions, RoleClient,
    RunningService, RunningServiceCancellationToken,
};
use rmcp::transport::Transport;
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::{ClientHandler, Peer, ServiceError};
use serde_json::Value;
use tokio::task::JoinHandle;

use super::child::{Child, Program};
use super::config::Handshake;
use super::guard::{Guarded, Verdict};
use super::http::{Address, unwrapped};
use super::listing::{Limits, Listing, Refusal};
use super::live::Changes;
use super::probe::Probed;
use crate::error::SourceError;
use crate::normalize::one_line;

/// How long a session may take to end, before the rest is left behind.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(5);
/// How much of an error of the transport is told, in characters: it may quote a whole page.
const REASON_CHARS_MAX: usize = 500;

/// Which server, and how it is treated.
pub(super) struct Plan {
    pub(super) source: String,
    pub(super) target: Target,
    pub(super) handshake: Handshake,
    pub(super) shared_listing: bool,
    pub(super) connect_timeout: Duration,
    pub(super) request_timeout: Duration,
}

/// How a server is reached.
pub(super) enum Target {
    Program(Program),
    Address(Box<Address>),
}

/// A connection. Dropped without [`Session::close`], it kills the program.
pub(super) struct Session {
    peer: Peer<RoleClient>,
    stop: Option<RunningServiceCancellationToken>,
    ended: JoinHandle<()>,
    child: Option<Child>,
    verdict: Verdict,
}

/// What a server says of itself.
pub(super) struct About {
    /// The revision that is spoken.
    pub(super) revision: String,
    /// Its name and version; empty where it has none.
    pub(super) server: String,
    /// Whether it announces changes of its tools.
    pub(super) announces: bool,
}

type Serving = Pin<Box<dyn Future<Output = Result<RunningService<RoleClient, Handler>, ClientInitializeError>> + Send>>;

impl Plan {
    /// The server, for messages, without what may be a secret.
    pub(super) fn shown(&self) -> String {
        match &self.target {
            Target::Program(program) => program.shown().to_owned(),
            Target::Address(address) => address.shown(),
        }
    }

    pub(super) fn no_listing(&self, detail: String) -> SourceError {
        SourceError::NoListing { name: self.source.clone(), server: self.shown(), detail }
    }

    pub(super) fn no_runtime(&self, error: &std::io::Error) -> SourceError {
        self.no_listing(format!("this machine has no more for it to run with: {error}"))
    }

    /// Starts or reaches the server and shakes hands with it.
    pub(super) async fn open(&self, changes: &Arc<Changes>) -> Result<Session, SourceError> {
        let verdict = Verdict::default();
        let handler = Handler(Arc::clone(changes));
        let (mut child, serving): (Option<Child>, Serving) = match &self.target {
            Target::Program(program) => {
                let (child, output, input) =
                    program.start().map_err(|error| self.no_listing(format!("it cannot be started: {error}")))?;
                let output = Guarded::new(output, Arc::clone(&verdict));
                // The guard's limit is the smaller one.
                let transport = AsyncRwTransport::new_client(output, input).with_max_line_length(usize::MAX);
                (Some(child), Box::pin(begin(handler, Probed(transport), self.handshake, self.connect_timeout / 2)))
            }
            Target::Address(address) => {
                let transport = address.transport(&self.source, &verdict)?;
                // What listens there is running, so rmcp's ten seconds for the first question are enough.
                (None, Box::pin(handler.serve_with_lifecycle(transport, lifecycle(self.handshake))))
            }
        };
        let what = match tokio::time::timeout(self.connect_timeout, serving).await {
            Ok(Ok(service)) => {
                let peer = service.peer().clone();
                let stop = Some(service.cancellation_token());
                let changes = Arc::clone(changes);
                let ended = tokio::spawn(async move {
                    // However it ended, it ended.
                    let _ = service.waiting().await;
                    changes.end();
                });
                return Ok(Session { peer, stop, ended, child, verdict });
            }
            Ok(Err(error)) if error.is_authorization_required() => wants_credentials(),
            Ok(Err(ClientInitializeError::ConnectionClosed(_))) => {
                "it closed the connection before the handshake was done".to_owned()
            }
            Ok(Err(error)) => format!("the handshake failed: {}", reason(&error)),
            Err(_) => format!("it had not finished the handshake after {} s", self.connect_timeout.as_secs()),
        };
        Err(self.fault(what, child.as_mut(), &verdict).await)
    }

    /// An error with what is known of the program's end. Its input is closed by now.
    async fn fault(&self, what: String, child: Option<&mut Child>, verdict: &Verdict) -> SourceError {
        let mut detail = verdict.get().cloned().unwrap_or(what);
        if let Some(child) = child {
            let status = child.end().await;
            if let (None, Some(status)) = (verdict.get(), status) {
                detail.push_str(&format!("; it ended with {status}"));
            }
            if let Some(words) = child.last_words() {
                detail.push_str(&format!("; the end of its error output is: {words}"));
            }
        }
        self.no_listing(detail)
    }
}

impl Session {
    /// Reads every page of `tools/list`, giving each tool with its position to `sink`.
    pub(super) async fn list(
        &mut self,
        plan: &Plan,
        sink: &mut dyn FnMut(&str, Value),
    ) -> Result<Listing, SourceError> {
        let mut listing = Listing::new(Limits::default(), plan.shared_listing);
        let mut cursor = None;
        loop {
            let page = match self.page(plan, cursor).await {
                Ok(page) => page,
                Err(what) => {
                    self.stop().await;
                    return Err(plan.fault(what, self.child.as_mut(), &self.verdict).await);
                }
            };
            let next = listing.take(page, sink).map_err(|refusal| refused(plan, refusal))?;
            let Some(next) = next else { return Ok(listing) };
            cursor = Some(next);
        }
    }

    /// One page as the server sent it.
    async fn page(&self, plan: &Plan, cursor: Option<String>) -> Result<Value, String> {
        let mut params = PaginatedRequestParams::default();
        params.cursor = cursor;
        let request =
            ListToolsRequest { method: Default::default(), params: Some(params), extensions: Default::default() };
        let options = PeerRequestOptions::with_timeout(plan.request_timeout);
        let answer = match self.peer.send_cancellable_request(ClientRequest::ListToolsRequest(request), options).await {
            Ok(request) => request.await_response().await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(result) => unwrapped(result).map_err(|error| format!("its answer cannot be read: {error}")),
            Err(error) if error.is_authorization_required() => Err(wants_credentials()),
            Err(ServiceError::Timeout { timeout }) => {
                Err(format!("it had not answered tools/list after {} s", timeout.as_secs()))
            }
            Err(ServiceError::TransportClosed) => {
                Err("it closed the connection before it had answered tools/list".to_owned())
            }
            Err(ServiceError::McpError(error)) if error.code == ErrorCode::METHOD_NOT_FOUND => {
                Err("it has no tools: it does not know tools/list".to_owned())
            }
            Err(error) => Err(format!("tools/list failed: {}", reason(&error))),
        }
    }

    /// What the server said of itself in the handshake.
    pub(super) fn about(&self) -> About {
        let info = self.peer.peer_info();
        let info = info.as_deref();
        let tools = info.and_then(|info| info.capabilities.tools.as_ref());
        About {
            revision: info.map(|info| one_line(info.protocol_version.as_str())).unwrap_or_default(),
            server: info
                .and_then(|info| info.server_info.as_ref())
                .map(|server| one_line(&format!("{} {}", server.name, server.version)))
                .map(|server| server.chars().take(REASON_CHARS_MAX).collect())
                .unwrap_or_default(),
            announces: tools.and_then(|tools| tools.list_changed) == Some(true),
        }
    }

    /// Has the server announce changes. Up to 2025-11-25 it does so unasked.
    pub(super) async fn subscribe(&self, plan: &Plan, changes: &Arc<Changes>) -> Result<(), SourceError> {
        if self.peer.peer_info().is_none_or(|info| info.protocol_version.has_initialize()) {
            return Ok(());
        }
        let wanted = SubscriptionFilter::builder().tools_list_changed().build();
        let mut subscription = match tokio::time::timeout(plan.request_timeout, self.peer.listen(wanted)).await {
            Ok(Ok(subscription)) => subscription,
            Ok(Err(error)) => return Err(plan.no_listing(format!("it does not announce changes: {}", reason(&error)))),
            Err(_) => return Err(plan.no_listing("it did not answer subscriptions/listen".to_owned())),
        };
        let changes = Arc::clone(changes);
        tokio::spawn(async move {
            while let Ok(Some(_)) = subscription.next().await {
                changes.announce();
            }
            changes.end();
        });
        Ok(())
    }

    /// Ends the connection and the program.
    pub(super) async fn close(mut self) {
        self.stop().await;
        if let Some(child) = &mut self.child {
            child.end().await;
        }
    }

    /// Ends the connection: a program loses its input.
    async fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.cancel();
            // What has not ended by then ends with the runtime.
            let _ = tokio::time::timeout(CLOSE_TIME_MAX, &mut self.ended).await;
        }
    }
}

/// The side of the protocol that the server sees: it can do nothing but hear that the tools changed.
struct Handler(Arc<Changes>);

impl ClientHandler for Handler {
    fn get_info(&self) -> ClientConfig {
        let this = Implementation::new("shortlist", env!("CARGO_PKG_VERSION"));
        ClientConfig::new(ClientCapabilities::default(), this)
            .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
    }

    fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) -> impl Future<Output = ()> + Send + '_ {
        self.0.announce();
        ready(())
    }
}

/// Shakes hands with a program.
async fn begin<T: Transport<RoleClient> + 'static>(
    handler: Handler,
    mut transport: Probed<T>,
    handshake: Handshake,
    patience: Duration,
) -> Result<RunningService<RoleClient, Handler>, ClientInitializeError> {
    let lifecycle = match handshake {
        Handshake::Auto => transport
            .ask(handler.get_info(), patience)
            .await
            .map_err(|error| ClientInitializeError::transport::<T>(error, "asking for its revisions"))?,
        other => lifecycle(other),
    };
    handler.serve_with_lifecycle(transport, lifecycle).await
}

fn lifecycle(handshake: Handshake) -> ClientLifecycleMode {
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
    match handshake {
        Handshake::Auto => ClientLifecycleMode::Auto {
            preferred_versions,
            legacy_version: Some(ProtocolVersion::LATEST_WITH_INITIALIZE),
        },
        Handshake::Initialize => ClientLifecycleMode::Initialize,
        Handshake::Discover => ClientLifecycleMode::Discover { preferred_versions },
    }
}

fn refused(plan: &Plan, refusal: Refusal) -> SourceError {
    let (name, server) = (plan.source.clone(), plan.shown());
    match refusal {
        Refusal::TooLarge { max, unit } => {
            SourceError::TooLarge { name, what: format!("the listing of {server}"), max, unit }
        }
        Refusal::Contract(detail) => SourceError::Contract { name, url: server, detail },
        Refusal::Private => SourceError::PrivateListing { name, server },
    }
}

fn wants_credentials() -> String {
    "it wants credentials that it accepts; name them with token_env or token_file".to_owned()
}

/// An error with its causes, each told once.
pub(super) fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let told = error.to_string();
        if !text.contains(&told) {
            text = format!("{text}: {told}");
        }
        cause = error.source();
    }
    one_line(&text).chars().take(REASON_CHARS_MAX).collect()
}
