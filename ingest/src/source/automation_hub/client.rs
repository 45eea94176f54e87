//! [`Client`]: GET with a deadline, a size limit, bounded retries and redirects that stay on the host.

use std::io::Read;
use std::time::{Duration, Instant};

use reqwest::blocking::Response;
use reqwest::header::{ACCEPT, AUTHORIZATION, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, RETRY_AFTER};
use reqwest::{StatusCode, Url, redirect};

use super::token::Token;
use crate::error::SourceError;

/// The largest page taken: 1,000 actions of 16 KiB each, twice over.
pub(super) const PAGE_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// How often one request is tried; with the waits below that is about 15 seconds of patience.
pub(super) const ATTEMPTS_MAX: u32 = 5;
/// The first wait; each further one is twice as long.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// The longest wait between two attempts, whatever `Retry-After` asks for.
const BACKOFF_MAX: Duration = Duration::from_secs(120);
/// Redirects followed for one request, all of them on the same host.
const REDIRECTS_MAX: usize = 5;
/// The longest ETag kept; longer ones are treated as absent.
const ETAG_BYTES_MAX: usize = 512;

/// Waits between attempts. Tests give one that only takes notes.
pub type Pause = Box<dyn Fn(Duration) + Send + Sync>;

/// What a page's address answered.
pub(super) enum Got {
    /// 304: it is what it was when it had this ETag.
    NotModified,
    /// 200, with its ETag where it has one.
    Page { body: Vec<u8>, etag: Option<String> },
    /// 410: the cursor is no longer known.
    Gone,
}

/// A client of one hub.
pub(super) struct Client {
    http: reqwest::blocking::Client,
    source: String,
    timeout: Duration,
    pause: Pause,
}

/// Why one attempt failed, and whether another may help.
struct Failure {
    error: SourceError,
    retry: bool,
    wait: Option<Duration>,
}

impl Client {
    pub(super) fn new(
        source: &str,
        base: &Url,
        timeout: Duration,
        token: Option<&Token>,
        pause: Pause,
    ) -> Result<Self, SourceError> {
        // reqwest is built without a provider of its own; a second installation is refused and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.reveal())).map_err(|_| {
                contract(source, base, "the token holds characters that no HTTP header can carry; check its file")
            })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let mut builder = reqwest::blocking::Client::builder()
            .user_agent(concat!("shortlist/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .timeout(timeout)
            .connect_timeout(timeout)
            .redirect(redirect::Policy::custom(same_origin));
        if is_loopback(base) {
            // A proxy cannot reach this machine's own addresses.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| unreachable(source, base, error))?;
        Ok(Self { http, source: source.to_owned(), timeout, pause })
    }

    /// Gets one address. `etag` makes the request conditional.
    pub(super) fn get(&self, url: &Url, etag: Option<&str>) -> Result<Got, SourceError> {
        let mut backoff = BACKOFF_FIRST;
        let mut attempt = 1;
        loop {
            match self.attempt(url, etag) {
                Ok(got) => return Ok(got),
                Err(failure) if !failure.retry || attempt >= ATTEMPTS_MAX => return Err(failure.error),
                Err(failure) => (self.pause)(failure.wait.unwrap_or(backoff).min(BACKOFF_MAX)),
            }
            backoff *= 2;
            attempt += 1;
        }
    }

    fn attempt(&self, url: &Url, etag: Option<&str>) -> Result<Got, Failure> {
        let started = Instant::now();
        let mut request = self.http.get(url.clone());
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        // A redirect that was refused stays refused; everything else on the way there may be a hiccup.
        let response = request.send().map_err(|error| Failure {
            retry: !error.is_redirect() && !error.is_builder(),
            error: unreachable(&self.source, url, error),
            wait: None,
        })?;
        match response.status() {
            StatusCode::NOT_MODIFIED if etag.is_some() => Ok(Got::NotModified),
            StatusCode::GONE => Ok(Got::Gone),
            StatusCode::OK => {
                let etag = header(&response, ETAG.as_str()).filter(|etag| etag.len() <= ETAG_BYTES_MAX);
                self.body(url, response, started).map(|body| Got::Page { body, etag })
            }
            status => Err(self.refused(url, status, &response)),
        }
    }

    /// Reads the body within its limits. reqwest's timeout is one of each read, so a hub that drips bytes would hold the
    /// sync for ever without the deadline here.
    fn body(&self, url: &Url, mut response: Response, started: Instant) -> Result<Vec<u8>, Failure> {
        let too_large = || Failure {
            error: SourceError::TooLarge {
                name: self.source.clone(),
                what: format!("the page {}", printable(url)),
                max: PAGE_BYTES_MAX,
                unit: "bytes",
            },
            retry: false,
            wait: None,
        };
        let expected = response.content_length();
        if expected.is_some_and(|bytes| bytes > PAGE_BYTES_MAX) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let broken = |error: std::io::Error| Failure {
                error: unreachable(&self.source, url, error),
                retry: true,
                wait: None,
            };
            let n_bytes = response.read(&mut buffer).map_err(broken)?;
            if n_bytes == 0 {
                return Ok(body);
            }
            body.extend_from_slice(&buffer[..n_bytes]);
            if body.len() as u64 > PAGE_BYTES_MAX {
                return Err(too_large());
            }
            if started.elapsed() > self.timeout {
                let late = format!("the page was not complete after {} seconds", self.timeout.as_secs());
                return Err(broken(std::io::Error::new(std::io::ErrorKind::TimedOut, late)));
            }
        }
    }

    fn refused(&self, url: &Url, status: StatusCode, response: &Response) -> Failure {
        let advice = match status {
            StatusCode::UNAUTHORIZED => "so it did not accept the token; check the token file or variable",
            StatusCode::FORBIDDEN => {
                "so the token's owner may not list the catalog; ask the hub's operator for that right"
            }
            StatusCode::NOT_FOUND => "so base_url does not lead to a hub; it is the part before /api/catalog/actions",
            StatusCode::BAD_REQUEST => "so it did not understand the request; check page_limit and base_url",
            StatusCode::TOO_MANY_REQUESTS => "after all retries; run the sync less often or ask for a higher rate",
            status if status.is_redirection() => "which is no answer to a catalog request; check base_url",
            status if status.is_server_error() => {
                "after all retries; look at the hub's own logs, then run the sync again"
            }
            _ => "where 200 or 304 was expected; check base_url",
        };
        Failure {
            error: SourceError::Status {
                name: self.source.clone(),
                url: printable(url),
                status: status.as_u16(),
                advice: advice.to_owned(),
            },
            retry: matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504),
            // Only the form in seconds; a date would need trust in two clocks, and the backoff serves instead.
            wait: header(response, RETRY_AFTER.as_str())
                .and_then(|text| text.trim().parse().ok())
                .map(Duration::from_secs),
        }
    }
}

/// An error of the catalog's contract.
pub(super) fn contract(source: &str, url: &Url, detail: impl Into<String>) -> SourceError {
    SourceError::Contract { name: source.to_owned(), url: printable(url), detail: detail.into() }
}

/// Scheme, host, port and path. Cursors may carry secrets of the hub, so a query is left out.
pub(super) fn printable(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Both fail only for addresses that cannot hold credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

/// Whether the address names this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => {
            host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        None => false,
    }
}

fn unreachable(source: &str, url: &Url, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> SourceError {
    let error = error.into();
    // reqwest prints the whole address in its messages, cursor included; its causes tell what happened.
    let error = match error.downcast::<reqwest::Error>() {
        Ok(error) => causes(&error.without_url()).into(),
        Err(error) => error,
    };
    SourceError::Unreachable { name: source.to_owned(), url: printable(url), error }
}

/// The error and its causes in one line, for reqwest's own message says only which phase failed.
fn causes(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}

fn header(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn same_origin(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let stays = attempt.previous().first().is_some_and(|first| first.origin() == attempt.url().origin());
    if !stays {
        let host = attempt.url().host_str().unwrap_or("nowhere").to_owned();
        return attempt
            .error(format!("the hub redirects to another host, {host}; name that host in base_url if it is right"));
    }
    if attempt.previous().len() > REDIRECTS_MAX {
        return attempt.error("the hub redirects in a circle");
    }
    attempt.follow()
}
