//! A URL or folder becomes an object store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientConfigKey, ObjectStore, RetryConfig};
use reqwest::Url;

use super::Remote;
use super::error::{RemoteError, reason};
use crate::network::is_loopback;

/// For one request with its answer: a part of 8 MiB on a slow line.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a request is tried again, and for how long at most.
const RETRIES_MAX: usize = 5;
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) fn open(url: &str, settings: &[(String, String)]) -> Result<Remote, RemoteError> {
    let (store, folder, location, secrets) = match url.split_once("://") {
        Some(("s3", _)) => s3(url, settings)?,
        Some(("file", _)) => {
            let parsed = parse(url)?;
            folder(&parsed.to_file_path().map_err(|()| refuse(url, "it names no local folder"))?)?
        }
        Some((scheme, _)) => return Err(refuse(url, &format!("{scheme} is not known"))),
        None if url.is_empty() => return Err(refuse(url, "it is empty")),
        None => folder(Path::new(url))?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("remote")
        .enable_all()
        .build()
        .map_err(RemoteError::Runtime)?;
    Ok(Remote { runtime, store, folder, location, secrets })
}

type Opened = (Arc<dyn ObjectStore>, Option<PathBuf>, String, Vec<String>);

/// The folder is made by the first write. Every write is flushed to the disk.
fn folder(path: &Path) -> Result<Opened, RemoteError> {
    let path = std::path::absolute(path).map_err(|error| refuse(&path.display().to_string(), &error.to_string()))?;
    let location = path.display().to_string();
    let root =
        object_store::path::Path::from_absolute_path(&path).map_err(|error| refuse(&location, &error.to_string()))?;
    let store = PrefixStore::new(LocalFileSystem::new().with_fsync(true), root);
    Ok((Arc::new(store), Some(path), location, Vec::new()))
}

fn s3(url: &str, settings: &[(String, String)]) -> Result<Opened, RemoteError> {
    let parsed = parse(url)?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(refuse(
            url,
            "credentials do not belong into a URL; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ));
    }
    if parsed.query().is_some() || parsed.fragment().is_some() || parsed.port().is_some() {
        return Err(refuse(url, "the endpoint is set by AWS_ENDPOINT_URL, not in the URL"));
    }
    let bucket = parsed.host_str().filter(|host| !host.is_empty()).ok_or_else(|| refuse(url, "it names no bucket"))?;
    // object_store's client is built without a provider of its own; a second installation changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = AmazonS3Builder::new();
    for (name, value) in settings.iter().filter(|(name, _)| name.starts_with("AWS_")) {
        if let Ok(key) = name.to_ascii_lowercase().parse() {
            builder = builder.with_config(key, value);
        }
    }
    builder =
        builder.with_bucket_name(bucket).with_conditional_put(S3ConditionalPut::ETagMatch).with_retry(RetryConfig {
            backoff: BackoffConfig { max_backoff: Duration::from_secs(10), ..BackoffConfig::default() },
            max_retries: RETRIES_MAX,
            retry_timeout: RETRY_TIMEOUT,
        });
    for (key, default) in
        [(ClientConfigKey::Timeout, REQUEST_TIMEOUT), (ClientConfigKey::ConnectTimeout, CONNECT_TIMEOUT)]
    {
        builder = builder.with_config(AmazonS3ConfigKey::Client(key), format!("{}s", default.as_secs()));
    }
    let endpoint = [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint]
        .iter()
        .find_map(|key| builder.get_config_value(key))
        .and_then(|endpoint| endpoint.parse::<Url>().ok());
    if endpoint.is_some_and(|endpoint| is_loopback(&endpoint)) {
        builder = builder.with_allow_http(true);
    }
    let secrets = [AmazonS3ConfigKey::SecretAccessKey, AmazonS3ConfigKey::AccessKeyId, AmazonS3ConfigKey::Token];
    let secrets: Vec<String> =
        secrets.iter().filter_map(|key| builder.get_config_value(key)).filter(|secret| !secret.is_empty()).collect();
    let store = builder.build().map_err(|error| refuse(url, &reason(&error, &secrets)))?;
    let prefix =
        object_store::path::Path::from_url_path(parsed.path()).map_err(|error| refuse(url, &error.to_string()))?;
    let location = format!("s3://{bucket}/{prefix}").trim_end_matches('/').to_owned();
    Ok((Arc::new(PrefixStore::new(store, prefix)), None, location, secrets))
}

fn parse(url: &str) -> Result<Url, RemoteError> {
    url.parse().map_err(|_| refuse(url, "it is no URL"))
}

/// The URL is shown without what may be credentials.
fn refuse(url: &str, reason: &str) -> RemoteError {
    let shown = match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://…@{rest}"),
        _ => url.to_owned(),
    };
    let shown = shown.split(['?', '#']).next().unwrap_or_default().to_owned();
    RemoteError::Url { url: shown, reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_place_for_generations_is_refused_without_showing_credentials() {
        for (url, why) in [
            ("", "it is empty"),
            ("ftp://host/x", "ftp is not known"),
            ("s3://", "no"),
            ("s3://key:hunter2@bucket/x", "credentials do not belong"),
            ("s3://bucket/x?secret=hunter2", "AWS_ENDPOINT_URL"),
            ("file://other/x", "no local folder"),
        ] {
            let error = open(url, &[]).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(why) && !error.contains("hunter2"), "{url}: {error}");
        }
    }
}
