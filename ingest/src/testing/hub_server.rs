//! [`HubServer`]: an Automation Hub over a real socket, with honest ETags and faults on demand.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

/// What goes wrong with one request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status, with `Retry-After` where seconds are given.
    Status(u16, Option<u64>),
    /// Half the page, then a closed connection.
    Cut,
    /// The right answer, after this time.
    Slow(Duration),
    /// The right answer, a byte after each such time.
    Drip(Duration),
    /// So many spaces, packed to a thousandth.
    Bomb(usize),
    /// This body with status 200.
    Body(String),
    /// A redirect to this address.
    Redirect(String),
    /// The catalog becomes this one, then the request is answered from it.
    Change(Vec<Value>),
    /// The next cursor is this one, whatever the page.
    NextCursor(Value),
}

/// What the server noted of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The cursor that was sent.
    pub cursor: Option<String>,
    /// The status that was answered.
    pub status: u16,
    /// The `Authorization` header.
    pub authorization: Option<String>,
}

/// An Automation Hub on a loopback port of its own, until it is dropped.
///
/// Cursors are positions, written so that nobody takes them for numbers; those of a catalog's earlier state are honoured, as
/// a hub without snapshots does.
pub struct HubServer {
    address: SocketAddr,
    state: Arc<Hub>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the server and its owner share.
struct Hub {
    shared: Mutex<Shared>,
    arrived: Condvar,
}

#[derive(Default)]
struct Shared {
    /// Requests that came, answered or not.
    n_arrived: usize,
    actions: Vec<Value>,
    /// One entry is taken by each request; `None` is a request that goes well.
    faults: VecDeque<Option<Fault>>,
    requests: Vec<Request>,
    without_etags: bool,
    catalog_etag: bool,
    expired: bool,
}

#[derive(Deserialize)]
struct Paging {
    cursor: Option<String>,
    limit: Option<usize>,
}

impl HubServer {
    /// Serves the actions on a free loopback port.
    ///
    /// # Errors
    /// When no socket or thread can be had.
    pub fn start(actions: Vec<Value>) -> io::Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), actions)
    }

    /// Serves the actions at an address.
    ///
    /// # Errors
    /// When the address is taken, or no thread can be had.
    pub fn start_at(address: SocketAddr, actions: Vec<Value>) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Mutex::new(Shared { actions, ..Shared::default() });
        let state = Arc::new(Hub { shared, arrived: Condvar::new() });
        let app = Router::new().route("/api/catalog/actions", get(page)).with_state(Arc::clone(&state));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("hub-server".to_owned()).spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                tokio::select! {
                    _ = axum::serve(listener, app) => {}
                    _ = stopped => {}
                }
            });
            // Connections that are kept alive, or slow on purpose, end with the server.
            runtime.shutdown_background();
        })?;
        Ok(Self { address, state, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens; another may, after this one.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a source takes as `base_url`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Offers another catalog from now on.
    pub fn replace(&self, actions: Vec<Value>) {
        self.shared().actions = actions;
    }

    /// The next requests meet these, one each; `None` goes well.
    pub fn plan(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.shared().faults = faults.into_iter().collect();
    }

    /// No ETags from now on.
    pub fn without_etags(&self) {
        self.shared().without_etags = true;
    }

    /// Every page's ETag covers the whole catalog from now on.
    pub fn with_catalog_etag(&self) {
        self.shared().catalog_etag = true;
    }

    /// Whether cursors have expired: a page asked for by cursor is answered with 410.
    pub fn expire_cursors(&self, expired: bool) {
        self.shared().expired = expired;
    }

    /// Every request since the last call.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.shared().requests)
    }

    /// Waits until so many requests have come since the server began, answered or not; `false` after `at_most`.
    pub fn wait_for_requests(&self, n_requests: usize, at_most: Duration) -> bool {
        let waiting = |shared: &mut Shared| shared.n_arrived < n_requests;
        match self.state.arrived.wait_timeout_while(self.shared(), at_most, waiting) {
            Ok((_, timeout)) => !timeout.timed_out(),
            Err(_) => false,
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.state.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for HubServer {
    fn drop(&mut self) {
        // Both fail only when the server has ended already.
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn page(State(hub): State<Arc<Hub>>, Query(paging): Query<Paging>, headers: HeaderMap) -> Response {
    let lock = || hub.shared.lock().unwrap_or_else(PoisonError::into_inner);
    let fault = {
        let mut shared = lock();
        shared.n_arrived += 1;
        hub.arrived.notify_all();
        shared.faults.pop_front().flatten()
    };
    if let Some(Fault::Slow(time)) = fault {
        tokio::time::sleep(time).await;
    }
    let mut shared = lock();
    if let Some(Fault::Change(actions)) = &fault {
        shared.actions.clone_from(actions);
    }
    let response = answer(&shared, &paging, &headers, fault);
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned);
    shared.requests.push(Request {
        cursor: paging.cursor,
        status: response.status().as_u16(),
        authorization: text(header::AUTHORIZATION),
    });
    response
}

fn answer(shared: &Shared, paging: &Paging, headers: &HeaderMap, fault: Option<Fault>) -> Response {
    let Some(start) = position(paging.cursor.as_deref()) else {
        return (StatusCode::BAD_REQUEST, "an unknown cursor").into_response();
    };
    if shared.expired && paging.cursor.is_some() {
        return (StatusCode::GONE, "the cursor has expired").into_response();
    }
    let end = start.saturating_add(paging.limit.unwrap_or(100).max(1)).min(shared.actions.len());
    let actions = shared.actions.get(start..end).unwrap_or_default();
    let mut next = if end < shared.actions.len() { json!(format!("at-{end}")) } else { Value::Null };
    if let Some(Fault::NextCursor(cursor)) = &fault {
        next.clone_from(cursor);
    }
    let body = json!({ "actions": actions, "nextCursor": next }).to_string();
    let vouched = if shared.catalog_etag { Value::Array(shared.actions.clone()).to_string() } else { body.clone() };
    let etag = format!("\"{}\"", shortlist_index::hex(&Sha256::digest(vouched.as_bytes())));
    let plain = |body: Body| Response::builder().header(header::CONTENT_TYPE, "application/json").body(body);
    let response = match fault {
        Some(Fault::Status(status, wait)) => {
            let mut response =
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response();
            if let Some(seconds) = wait {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            return response;
        }
        Some(Fault::Redirect(to)) => {
            Response::builder().status(StatusCode::FOUND).header(header::LOCATION, to).body(Body::empty())
        }
        Some(Fault::Body(text)) => plain(Body::from(text)),
        Some(Fault::Drip(pause)) => {
            let bytes = body.into_bytes().into_iter();
            plain(Body::from_stream(futures_util::stream::unfold(bytes, move |mut bytes| async move {
                tokio::time::sleep(pause).await;
                bytes.next().map(|byte| (Ok::<_, io::Error>(vec![byte]), bytes))
            })))
        }
        Some(Fault::Bomb(n_bytes)) => Response::builder()
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONTENT_ENCODING, "gzip")
            .body(Body::from(bomb(n_bytes))),
        Some(Fault::Cut) => {
            let half = body.as_bytes()[..body.len() / 2].to_vec();
            let broken = io::Error::new(io::ErrorKind::ConnectionAborted, "cut on purpose");
            plain(Body::from_stream(futures_util::stream::iter([Ok(half), Err(broken)])))
        }
        _ if shared.without_etags => plain(Body::from(body)),
        _ if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes()) => {
            Response::builder().status(StatusCode::NOT_MODIFIED).header(header::ETAG, etag).body(Body::empty())
        }
        _ => Response::builder()
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ETAG, etag)
            .body(Body::from(body)),
    };
    response.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// So many spaces, packed.
fn bomb(n_bytes: usize) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    // Memory does not refuse.
    let _ = packer.write_all(&vec![b' '; n_bytes]);
    packer.finish().unwrap_or_default()
}

/// The position that a cursor means; none, and an empty one, is the start.
fn position(cursor: Option<&str>) -> Option<usize> {
    match cursor {
        None | Some("") => Some(0),
        Some(cursor) => cursor.strip_prefix("at-")?.parse().ok(),
    }
}
