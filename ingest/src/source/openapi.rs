//! [OpenAPI](https://spec.openapis.org/oas/latest.html) 3.x and Swagger 2.0 documents, JSON or YAML: one tool for each
//! operation.
//!
//! # What an operation is called
//! The document is the namespace: the operator's `namespace`, else the source's name where it is a single document, or the
//! file's path where it is one of a folder (`amazonaws.com/ec2`). Titles and hosts are not unique (68 documents of the public
//! directory are titled "SqlManagementClient") and change with a new edition; a path is and does not. Inside it the tool is
//! named by its `operationId`, or by method and path (see `identity`). There is no version: `info.version` is seldom semantic,
//! and an API's versions that live side by side are separate documents.
//!
//! # What becomes of the rest
//! Parameters and body are one schema (`input`), the 2xx answer another (`schema`), `security` is the required scopes
//! (`security`), and the method tells the effects. Webhooks and callbacks are not operations that can be called, and are no
//! tools.
//!
//! # What is refused
//! A document is walked as it comes, with no model that it must fit. What identity, permission or dispatch rest on and cannot be read
//! rejects its operation, with the reason; what merely describes is left out. A document that is broken as a whole is a
//! rejection where it is one of a folder, and ends the pass where it is the only one, so that its last good tools keep
//! serving.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};
use shortlist_index::hex;

use super::{Fetched, Record, Source, SourceState};
use crate::error::SourceError;
use crate::network::{Auth, Network};
use crate::normalize::rejection;

mod config;
mod document;
mod files;
mod identity;
mod input;
mod library;
mod media;
mod operation;
mod parse;
mod schema;
mod security;
mod web;

pub use config::OpenApiConfig;
use document::NO_API;
use files::Files;
use library::Library;
use parse::parse;
use web::{Page, Web};

/// The kind's name in configuration and provenance.
pub const SOURCE_TYPE: &str = "openapi";

/// Grows when the same document would give other tools or rejections, so that a pass after an upgrade does not answer "unchanged".
const MAPPING: &str = "1";

/// How many documents are read at a time: enough to keep the cores busy, few enough that their tools fit the memory.
const BATCH: usize = 16;

/// One document, or a folder of them.
pub struct OpenApi {
    name: String,
    namespace: Option<String>,
    place: Place,
}

/// Where the documents are.
enum Place {
    Disk(PathBuf),
    Web(Box<Web>),
}

/// What became of one file of a folder.
struct Reading {
    content: Content,
    /// The other files that were read for it.
    siblings: Vec<String>,
}

enum Content {
    Api(Vec<Record>),
    /// No API description, perhaps a part of one.
    Part,
    Broken(String),
}

impl OpenApi {
    /// The document `path`, or the documents of the folder `path`, as the source `name`.
    ///
    /// `namespace` is that of a single document, or stands before the paths of a folder's documents.
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>, namespace: Option<String>) -> Self {
        Self { name: name.into(), namespace, place: Place::Disk(path.into()) }
    }

    /// The document behind the address of a configuration; `auth` are its credentials.
    ///
    /// # Errors
    /// [`SourceError`] when the address is none, is not allowed or is not there, or the credentials cannot be used.
    pub fn at_url(config: &OpenApiConfig, network: &Network, auth: Option<Auth>) -> Result<Self, SourceError> {
        let url = config.url.as_deref().unwrap_or_default();
        let web = Web::new(&config.name, url, network, auth, config.allow_plain_http)?;
        Ok(Self { name: config.name.clone(), namespace: config.namespace.clone(), place: Place::Web(Box::new(web)) })
    }

    /// What a pass leaves: `place` is what was read (`file`, `folder`, or the digest of an address), `digest` that of all
    /// content. The same content has other namespaces in another place, and an ETag is of one address.
    fn state(&self, place: &str, digest: String) -> SourceState {
        SourceState::from([
            ("mapping".to_owned(), MAPPING.to_owned()),
            ("place".to_owned(), place.to_owned()),
            ("namespace".to_owned(), self.namespace.clone().unwrap_or_default()),
            ("documents_sha256".to_owned(), digest),
        ])
    }

    /// The namespace of a document that is read alone.
    fn own_namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or(&self.name)
    }

    /// The namespace of a folder's document: its path without the extension.
    fn namespace_of(&self, path: &str) -> String {
        let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{stem}"),
            None => stem.to_owned(),
        }
    }

    fn fetch_files(
        &self,
        path: &Path,
        since: Option<&SourceState>,
        sink: &mut dyn FnMut(Record),
    ) -> Result<Fetched, SourceError> {
        let files = Files::list(&self.name, path)?;
        let state = self.state(if files.is_folder() { "folder" } else { "file" }, files.digest());
        if since == Some(&state) {
            return Ok(Fetched::Unchanged);
        }
        if files.is_folder() {
            self.fetch_folder(&files, sink)?;
        } else {
            for file in files.paths() {
                let reading = self.read(&files, file, self.own_namespace())?;
                self.give_only(reading.content, &path.display().to_string(), sink)?;
            }
        }
        Ok(Fetched::Complete(state))
    }

    fn fetch_url(
        &self,
        web: &Web,
        since: Option<&SourceState>,
        sink: &mut dyn FnMut(Record),
    ) -> Result<Fetched, SourceError> {
        // An ETag vouches for the document; that it would be mapped to the same tools again, the rest of the state does.
        let place = web.address_sha256();
        let known = since.filter(|since| {
            let digest = since.get("documents_sha256").cloned().unwrap_or_default();
            self.state(&place, digest).iter().all(|(key, value)| since.get(key) == Some(value))
        });
        let etag = known.and_then(|known| known.get("etag"));
        let Some(Page { body, etag }) = web.get(etag.map(String::as_str))? else { return Ok(Fetched::Unchanged) };
        let mut state = self.state(&place, hex(&Sha256::digest(&body)));
        if known.is_some_and(|known| known.get("documents_sha256") == state.get("documents_sha256")) {
            return Ok(Fetched::Unchanged);
        }
        let content = match parse(&body) {
            Ok(root) => self.map(&Library::alone(root), self.own_namespace()),
            Err(reason) => Content::Broken(reason),
        };
        self.give_only(content, &web.shown(), sink)?;
        state.extend(etag.map(|etag| ("etag".to_owned(), etag)));
        Ok(Fetched::Complete(state))
    }

    /// Gives the records of the only document, which must be one.
    fn give_only(&self, content: Content, shown: &str, sink: &mut dyn FnMut(Record)) -> Result<(), SourceError> {
        let reason = match content {
            Content::Api(records) => {
                records.into_iter().for_each(sink);
                return Ok(());
            }
            Content::Part => NO_API.to_owned(),
            Content::Broken(reason) => reason,
        };
        Err(SourceError::NoCatalog { name: self.name.clone(), detail: format!("{shown} cannot be taken: {reason}") })
    }

    fn fetch_folder(&self, files: &Files, sink: &mut dyn FnMut(Record)) -> Result<(), SourceError> {
        let mut parts = BTreeSet::new();
        let mut used = BTreeSet::new();
        let mut taken: BTreeMap<String, &str> = BTreeMap::new();
        for batch in files.paths().chunks(BATCH) {
            let readings: Result<Vec<(&str, Reading)>, SourceError> =
                batch.par_iter().map(|path| Ok((*path, self.read(files, path, &self.namespace_of(path))?))).collect();
            for (path, reading) in readings? {
                used.extend(reading.siblings);
                match reading.content {
                    Content::Api(records) => match taken.entry(self.namespace_of(path)) {
                        Entry::Vacant(free) => {
                            free.insert(path);
                            records.into_iter().for_each(&mut *sink);
                        }
                        Entry::Occupied(other) => {
                            let reason = format!("{} has the same name and was read", other.get());
                            sink(Err(rejection(path, reason)));
                        }
                    },
                    Content::Part => {
                        parts.insert(path);
                    }
                    Content::Broken(reason) => sink(Err(rejection(path, reason))),
                }
            }
        }
        // What some document is made of is read, and nothing is missing.
        for part in parts.into_iter().filter(|part| !used.contains(*part)) {
            sink(Err(rejection(part, NO_API)));
        }
        Ok(())
    }

    fn read(&self, files: &Files, path: &str, namespace: &str) -> Result<Reading, SourceError> {
        let of = |content| Reading { content, siblings: Vec::new() };
        let root: Value = match files.parse(path)? {
            Some(Ok(root)) => root,
            Some(Err(reason)) => return Ok(of(Content::Broken(reason))),
            None => return Ok(of(Content::Part)),
        };
        if !document::is_api(&root) {
            return Ok(of(Content::Part));
        }
        let mut read = |path: &str| -> Result<Option<Value>, SourceError> {
            // What cannot be parsed cannot be referred to; as a document of its own it is rejected with the reason.
            Ok(files.parse(path)?.and_then(Result::ok))
        };
        let library =
            if files.is_folder() { Library::open(path, root, &mut read)? } else { Library::single(path, root) };
        let content = self.map(&library, namespace);
        Ok(Reading { content, siblings: library.siblings().map(str::to_owned).collect() })
    }

    fn map(&self, library: &Library, namespace: &str) -> Content {
        match document::records(library, &self.name, namespace) {
            Ok(records) => Content::Api(records),
            Err(reason) => Content::Broken(reason),
        }
    }
}

impl Source for OpenApi {
    fn name(&self) -> &str {
        &self.name
    }

    fn source_type(&self) -> &'static str {
        SOURCE_TYPE
    }

    fn fetch(&self, since: Option<&SourceState>, sink: &mut dyn FnMut(Record)) -> Result<Fetched, SourceError> {
        match &self.place {
            Place::Disk(path) => self.fetch_files(path, since, sink),
            Place::Web(web) => self.fetch_url(web, since, sink),
        }
    }
}
