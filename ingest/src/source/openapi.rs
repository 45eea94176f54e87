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
use std::path::PathBuf;

use rayon::prelude::*;
use serde_json::Value;

use super::{Fetched, Record, Source, SourceState};
use crate::error::SourceError;
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

pub use config::OpenApiConfig;
use document::NO_API;
use files::Files;
use library::Library;

/// The kind's name in configuration and provenance.
pub const SOURCE_TYPE: &str = "openapi";

/// Grows when the same document would give other tools or rejections, so that a pass after an upgrade does not answer "unchanged".
const MAPPING: &str = "1";

/// How many documents are read at a time: enough to keep the cores busy, few enough that their tools fit the memory.
const BATCH: usize = 16;

/// One document, or a folder of them.
#[derive(Clone, Debug)]
pub struct OpenApi {
    name: String,
    namespace: Option<String>,
    path: PathBuf,
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
        Self { name: name.into(), path: path.into(), namespace }
    }

    fn state(&self, files: &Files) -> SourceState {
        SourceState::from([
            ("mapping".to_owned(), MAPPING.to_owned()),
            ("namespace".to_owned(), self.namespace.clone().unwrap_or_default()),
            ("documents_sha256".to_owned(), files.digest()),
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

    fn fetch_document(&self, files: &Files, sink: &mut dyn FnMut(Record)) -> Result<(), SourceError> {
        for path in files.paths() {
            let reading = self.read(files, path, self.own_namespace())?;
            match reading.content {
                Content::Api(records) => records.into_iter().for_each(&mut *sink),
                Content::Part => return Err(self.no_catalog(NO_API)),
                Content::Broken(reason) => return Err(self.no_catalog(&reason)),
            }
        }
        Ok(())
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
        let library = Library::open(path, root, &mut read)?;
        let content = match document::records(&library, &self.name, namespace) {
            Ok(records) => Content::Api(records),
            Err(reason) => Content::Broken(reason),
        };
        Ok(Reading { content, siblings: library.siblings().map(str::to_owned).collect() })
    }

    fn no_catalog(&self, reason: &str) -> SourceError {
        SourceError::NoCatalog {
            name: self.name.clone(),
            detail: format!("{} cannot be taken: {reason}", self.path.display()),
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
        let files = Files::list(&self.name, &self.path)?;
        let state = self.state(&files);
        if since == Some(&state) {
            return Ok(Fetched::Unchanged);
        }
        if files.is_folder() {
            self.fetch_folder(&files, sink)?;
        } else {
            self.fetch_document(&files, sink)?;
        }
        Ok(Fetched::Complete(state))
    }
}
