//! [`Client`]: requests with a deadline, a size limit, bounded retries, guarded redirects and credentials that stay at home.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH,
    LOCATION,
};
use reqwest::{Method, Response, StatusCode, Url};
use tokio::runtime::Runtime;

use super::Network;
use super::auth::{Auth, Session};
use super::body::{self, BodyError};
use super::error::{NetworkError, broken, contract, forbidden, unreachable};
use super::retry::{self, Patience, Pause};
use super::url::{is_loopback, printable};
use crate::error::SourceError;

/// The longest ETag kept; longer ones are treated as absent.
const ETAG_BYTES_MAX: usize = 512;

/// What a source may choose for its client.
pub struct ClientOptions {
    /// For one attempt, from resolving the name to the last byte, redirects included.
    pub timeout: Duration,
    /// For one body, as sent and unpacked.
    pub bytes_max: u64,
    /// The `Accept` header.
    pub accept: &'static str,
    /// Whether credentials may travel over plain HTTP to another machine.
    pub allow_plain_http: bool,
    /// Waits between attempts.
    pub pause: Pause,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            bytes_max: 32 * 1024 * 1024,
            accept: "application/json",
            allow_plain_http: false,
            pause: Box::new(std::thread::sleep),
        }
    }
}

/// What an address answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Got {
    /// 304: it is what it was when it had this ETag.
    NotModified,
    /// 200, with its ETag where it has one.
    Page {
        /// Unpacked.
        body: Vec<u8>,
        /// At most 512 bytes; a longer one counts as none.
        etag: Option<String>,
    },
    /// 410: what was here is gone for good.
    Gone,
}

/// A blocking client of one source; not to be called from asynchronous code.
///
/// An attempt that fails for a reason that may pass (429, 408, 500, 502, 503, 504, a connection that breaks or is too slow) is
/// repeated, four times at most, after waits that double from a second and vary by chance, or after what `Retry-After` asks
/// for. A request waits five minutes at most in all, and not at all for a server that asks for more than two: that is left to
/// the next pass. A 401 renews credentials that can be renewed, once.
pub struct Client {
    /// Ended without waiting for what it still does: a name server that does not answer must not hold anybody up.
    runtime: Option<Runtime>,
    network: Network,
    source: String,
    base: Url,
    session: Option<Session>,
    timeout: Duration,
    bytes_max: u64,
    accept: &'static str,
    pause: Arc<Pause>,
    /// One for each way out that was needed: straight, or through one of the proxies.
    routes: Mutex<Vec<(Option<String>, reqwest::Client)>>,
}

/// One request, whatever becomes of it.
struct Ask<'a> {
    url: &'a Url,
    etag: Option<&'a str>,
    /// Sent by POST where there is one.
    form: Option<&'a str>,
    /// Besides those that every request has.
    header: Option<HeaderValue>,
}

/// The last answer, after redirects.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Read where somebody wants it: of 200, and of whatever answers a form.
    pub(super) body: Vec<u8>,
}

/// Why one attempt failed, and whether another may help.
struct Failure {
    error: SourceError,
    retry: bool,
    told: Option<Duration>,
}

impl Failure {
    fn last(error: SourceError) -> Self {
        Self { error, retry: false, told: None }
    }
}

impl Client {
    pub(super) fn new(
        network: Network,
        source: &str,
        base: &Url,
        auth: Option<Auth>,
        options: ClientOptions,
    ) -> Result<Self, SourceError> {
        network.check(base).map_err(|error| forbidden(source, base, error))?;
        if auth.is_some() {
            check_encrypted(source, base, options.allow_plain_http)?;
        }
        let ClientOptions { timeout, bytes_max, accept, allow_plain_http, pause } = options;
        let pause = Arc::new(pause);
        let open = |auth| Session::open(&network, source, auth, timeout, allow_plain_http, Arc::clone(&pause));
        let session = auth.map(open).transpose()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("shortlist-client")
            .enable_all()
            .build()
            .map_err(|error| broken(source, base, format!("no thread can be had: {error}")))?;
        Ok(Self {
            runtime: Some(runtime),
            network,
            source: source.to_owned(),
            base: base.clone(),
            session,
            timeout,
            bytes_max,
            accept,
            pause,
            routes: Mutex::default(),
        })
    }

    /// Gets one address. `etag` makes the request conditional. With credentials, the address is one of the base's origin.
    ///
    /// # Errors
    /// [`SourceError`] when the last attempt failed, or the first one in a way that no other can mend.
    pub fn get(&self, url: &Url, etag: Option<&str>) -> Result<Got, SourceError> {
        let answer = self.ask(Ask { url, etag, form: None, header: None })?;
        match answer.status {
            StatusCode::NOT_MODIFIED => Ok(Got::NotModified),
            StatusCode::GONE => Ok(Got::Gone),
            _ => {
                let etag = text(&answer.headers, &ETAG).filter(|etag| etag.len() <= ETAG_BYTES_MAX);
                Ok(Got::Page { body: answer.body, etag })
            }
        }
    }

    /// Posts a form and gives back whatever was answered, once the retries are over.
    pub(super) fn post_form(&self, url: &Url, form: &str, header: Option<HeaderValue>) -> Result<Answer, SourceError> {
        self.ask(Ask { url, etag: None, form: Some(form), header })
    }

    fn ask(&self, ask: Ask<'_>) -> Result<Answer, SourceError> {
        let mut patience = Patience::new();
        loop {
            let failure = match self.attempt(&ask) {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let wait = if failure.retry { patience.next(failure.told, fastrand::f64()) } else { None };
            match wait {
                Some(wait) => (self.pause)(wait),
                None => return Err(failure.error),
            }
        }
    }

    /// One attempt; a second request when credentials had to be renewed.
    fn attempt(&self, ask: &Ask<'_>) -> Result<Answer, Failure> {
        let Some(session) = &self.session else { return self.exchange(ask, ask.header.clone()) };
        if ask.url.origin() != self.base.origin() {
            let host = ask.url.host_str().unwrap_or_default().to_owned();
            return Err(Failure::last(forbidden(&self.source, ask.url, NetworkError::OtherOrigin(host))));
        }
        let header = session.header().map_err(Failure::last)?;
        let failure = match self.exchange(ask, Some(header.clone())) {
            Err(failure) if is_unauthorized(&failure.error) => failure,
            answer => return answer,
        };
        match session.renewed(&header).map_err(Failure::last)? {
            Some(header) => self.exchange(ask, Some(header)),
            None => Err(failure),
        }
    }

    fn exchange(&self, ask: &Ask<'_>, header: Option<HeaderValue>) -> Result<Answer, Failure> {
        // Gone only while the client is dropped, when nobody can ask.
        let Some(runtime) = &self.runtime else {
            return Err(Failure::last(broken(&self.source, ask.url, "the client is closed".to_owned())));
        };
        let late = |_| {
            let reason = format!("the answer was not complete after {:?}", self.timeout);
            Err(Failure { error: broken(&self.source, ask.url, reason), retry: true, told: None })
        };
        runtime
            .block_on(async { tokio::time::timeout(self.timeout, self.follow(ask, header)).await.unwrap_or_else(late) })
    }

    /// Sends the request and follows redirects.
    async fn follow(&self, ask: &Ask<'_>, header: Option<HeaderValue>) -> Result<Answer, Failure> {
        let mut url = ask.url.clone();
        let mut n_redirects = 0;
        loop {
            let response = self.send(ask, &url, header.as_ref()).await?;
            // A form carries secrets, so it is not sent on.
            let to = if ask.form.is_none() { redirect(&url, &response) } else { None };
            let Some(to) = to else { return self.answer(ask, &url, response).await };
            n_redirects += 1;
            let checked = self.network.0.guard.check_redirect(ask.url, &to, header.is_some(), n_redirects);
            checked.map_err(|error| Failure::last(forbidden(&self.source, &url, error)))?;
            url = to;
        }
    }

    async fn send(&self, ask: &Ask<'_>, url: &Url, header: Option<&HeaderValue>) -> Result<Response, Failure> {
        let refuse = |error| Failure::last(forbidden(&self.source, url, error));
        self.network.check(url).map_err(refuse)?;
        let http = self.route(url)?;
        let method = if ask.form.is_some() { Method::POST } else { Method::GET };
        let mut request = http.request(method, url.clone()).header(ACCEPT, self.accept).header(ACCEPT_ENCODING, "gzip");
        if let Some(etag) = ask.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(form) = ask.form {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.to_owned());
        }
        if let Some(header) = header {
            request = request.header(AUTHORIZATION, header.clone());
        }
        request.send().await.map_err(|error| {
            let retry = !error.is_builder();
            match unreachable(&self.source, url, error) {
                error @ SourceError::Forbidden { .. } => Failure::last(error),
                error => Failure { error, retry, told: None },
            }
        })
    }

    async fn answer(&self, ask: &Ask<'_>, url: &Url, response: Response) -> Result<Answer, Failure> {
        let (status, headers) = (response.status(), response.headers().clone());
        let may_pass = matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504);
        let wants_body = status == StatusCode::OK || (ask.form.is_some() && !may_pass);
        let is_expected = match status {
            StatusCode::OK | StatusCode::GONE => true,
            StatusCode::NOT_MODIFIED => ask.etag.is_some(),
            _ => ask.form.is_some() && !may_pass,
        };
        if !is_expected {
            let told = retry::told(&headers, SystemTime::now());
            return Err(Failure { error: self.refused(url, status, told), retry: may_pass, told });
        }
        let body = if wants_body { self.body(url, response).await? } else { Vec::new() };
        Ok(Answer { status, headers, body })
    }

    async fn body(&self, url: &Url, response: Response) -> Result<Vec<u8>, Failure> {
        let again = |error| Failure { error, retry: true, told: None };
        body::read(response, self.bytes_max).await.map_err(|error| match error {
            BodyError::TooLarge => Failure::last(SourceError::TooLarge {
                name: self.source.clone(),
                what: format!("the answer of {}", printable(url)),
                max: self.bytes_max,
                unit: "bytes",
            }),
            BodyError::Encoding(what) => {
                let detail =
                    format!("it is packed as {what:?}, where gzip was offered; turn that off for this address");
                Failure::last(contract(&self.source, url, detail))
            }
            BodyError::Broken(reason) => again(broken(&self.source, url, reason)),
            BodyError::Connection(error) => again(unreachable(&self.source, url, error)),
        })
    }

    /// The client for the way out to an address.
    fn route(&self, url: &Url) -> Result<reqwest::Client, Failure> {
        let refuse = |error| Failure::last(forbidden(&self.source, url, error));
        let route = self.network.0.routes.of(url).map_err(refuse)?;
        let key = route.as_ref().map(|route| route.key());
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, http)) = routes.iter().find(|(known, _)| *known == key) {
            return Ok(http.clone());
        }
        let builder = self.network.builder(route.as_ref()).map_err(refuse)?;
        let http = builder.build().map_err(|error| Failure::last(unreachable(&self.source, url, error)))?;
        routes.push((key, http.clone()));
        Ok(http)
    }

    fn refused(&self, url: &Url, status: StatusCode, told: Option<Duration>) -> SourceError {
        let advice = match (status, told) {
            (StatusCode::UNAUTHORIZED, _) if self.session.is_some() => {
                "so it did not accept the credentials; check the token, or the file or variable that holds it"
                    .to_owned()
            }
            (StatusCode::UNAUTHORIZED, _) => "so it wants credentials; configure a token for this source".to_owned(),
            (StatusCode::FORBIDDEN, _) => {
                "so the owner of the credentials may not list the catalog; ask its operator for that right".to_owned()
            }
            (StatusCode::NOT_FOUND, _) => "so the source's address does not lead to its catalog; check it".to_owned(),
            (StatusCode::BAD_REQUEST, _) => {
                "so it did not understand the request; check the source's address and limits".to_owned()
            }
            (_, Some(told)) if told.as_secs() > 0 => format!(
                "and asks for a wait of {} seconds, which the retries did not satisfy; run the sync again later",
                told.as_secs()
            ),
            (StatusCode::TOO_MANY_REQUESTS, _) => {
                "after all retries; run the sync less often or ask for a higher rate".to_owned()
            }
            (status, _) if status.is_redirection() => {
                "which is no answer to a catalog request; check the source's address".to_owned()
            }
            (status, _) if status.is_server_error() => {
                "after all retries; look at the server's own logs, then run the sync again".to_owned()
            }
            _ => "where 200 or 304 was expected; check the source's address".to_owned(),
        };
        SourceError::Status { name: self.source.clone(), url: printable(url), status: status.as_u16(), advice }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Whether credentials for this address cannot be read on the way.
pub(crate) fn check_encrypted(source: &str, url: &Url, allow_plain_http: bool) -> Result<(), SourceError> {
    if url.scheme() == "https" || is_loopback(url) || allow_plain_http {
        return Ok(());
    }
    let host = url.host_str().unwrap_or_default().to_owned();
    Err(forbidden(source, url, NetworkError::PlainHttp(host)))
}

fn is_unauthorized(error: &SourceError) -> bool {
    matches!(error, SourceError::Status { status: 401, .. })
}

/// Where a redirect leads. One without a usable address is an answer like any other, and refused as such.
fn redirect(from: &Url, response: &Response) -> Option<Url> {
    let redirects = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let to = redirects.then(|| text(response.headers(), &LOCATION)).flatten()?;
    from.join(&to).ok()
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
