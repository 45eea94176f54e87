//! A folder of [Google API Discovery documents](https://developers.google.com/discovery/v1/reference/apis): one tool for
//! each REST method.
//!
//! # What a method is called
//! `drive.files.list` of `drive` `v3` becomes `<source>://drive.files.list@3.0.0`: the namespace is the API's name, the
//! name the rest of the method id, the version the API's version read as semver (`v1beta2` is `1.0.0-beta.2`, see
//! [`version`]). So the same method of two API versions is two versions of one tool, which is what it is: search finds the
//! newest, and the older stay reachable by their ref. Over the 610 documents of google-api-python-client 2.202.0 this
//! gives 27,998 refs, all different, in 16,967 families and 353 namespaces; a stable version is older than a pre-release
//! of the same tool in six families only. The other choices were worse: a namespace for each version (`drive.v3`) lists
//! every API up to six times and lets four near-identical twins crowd one answer; keeping only the preferred version loses
//! 11,000 methods.
//!
//! A few APIs are published in parts (`admin` as `directory_v1` and `reports_v1`), and two parts may share a method id, so
//! the part stands in the namespace: `admin_directory`.
//!
//! # What is refused
//! A broken document rejects itself, a broken method itself, each with its reason; a method that was already read (the
//! package carries three documents twice, under two file names) is rejected as a duplicate.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use super::{Fetched, Record, Source, SourceState};
use crate::error::SourceError;
use crate::normalize::{normalize, rejection};

pub mod expand;
mod folder;
mod method;
pub mod selection;
pub mod version;

use folder::{Document, Folder};
use selection::Selection;

/// The kind's name in configuration and provenance.
pub const SOURCE_TYPE: &str = "google_discovery";

/// Grows when the same document would give other tools or rejections, so that a pass after an upgrade does not answer "unchanged".
const MAPPING: &str = "3";

/// The most methods one document may hold; the largest real one has 1,600.
const METHODS_MAX: usize = 20_000;

/// A folder of Discovery documents.
#[derive(Clone, Debug)]
pub struct GoogleDiscovery {
    name: String,
    folder: PathBuf,
    selection: Selection,
}

impl GoogleDiscovery {
    /// The documents of `folder` (its `*.json` files, not those of folders inside it) as the source `name`.
    ///
    /// `apis` chooses among them: `drive:v3` is one version of an API, `drive` its newest stable one (the newest of all
    /// where none is stable), and an empty list takes every document.
    pub fn new(name: impl Into<String>, folder: impl Into<PathBuf>, apis: &[String]) -> Self {
        Self { name: name.into(), folder: folder.into(), selection: Selection::new(apis) }
    }

    /// Reads one document and gives its methods to `sink`.
    fn read(
        &self,
        folder: &Folder,
        document: &Document,
        seen: &mut BTreeSet<String>,
        sink: &mut dyn FnMut(Record),
    ) -> Result<(), SourceError> {
        let bytes = folder.read_again(document)?;
        let root: Value = match serde_json::from_slice(&bytes) {
            Ok(root) => root,
            Err(error) => {
                sink(Err(rejection(&document.file_name, format!("the document is not JSON: {error}"))));
                return Ok(());
            }
        };
        let api = match method::Api::of(&root) {
            Ok(api) => api,
            Err(reason) => {
                sink(Err(rejection(&document.file_name, reason)));
                return Ok(());
            }
        };
        let methods = method::Methods::of(&root);
        let n_methods = methods.found.len() + methods.refused.len();
        if n_methods > METHODS_MAX {
            let reason = format!("the document has {n_methods} methods, more than the {METHODS_MAX} allowed");
            sink(Err(rejection(&document.file_name, reason)));
            return Ok(());
        }
        for (place, reason) in methods.refused {
            sink(Err(api.rejection(&place, &reason)));
        }
        for (key, value) in methods.found {
            let record = match api.draft(&key, value) {
                Ok(draft) => normalize(draft, &self.name, SOURCE_TYPE),
                Err(rejected) => Err(rejected),
            };
            sink(match record {
                Ok(tool) if !seen.insert(tool.reference.to_string()) => Err(rejection(
                    &tool.provenance.foreign_id,
                    format!("the method was already read; {} holds it once more", document.file_name),
                )),
                record => record,
            });
        }
        Ok(())
    }
}

impl Source for GoogleDiscovery {
    fn name(&self) -> &str {
        &self.name
    }

    fn source_type(&self) -> &'static str {
        SOURCE_TYPE
    }

    fn fetch(&self, since: Option<&SourceState>, sink: &mut dyn FnMut(Record)) -> Result<Fetched, SourceError> {
        let folder = Folder::list(&self.name, &self.folder)?;
        let state = SourceState::from([
            ("mapping".to_owned(), MAPPING.to_owned()),
            ("apis".to_owned(), self.selection.to_string()),
            ("documents_sha256".to_owned(), folder.digest()),
        ]);
        if since == Some(&state) {
            return Ok(Fetched::Unchanged);
        }
        let chosen = self.selection.choose(folder.documents());
        if let Some(missing) = chosen.missing.first() {
            return Err(SourceError::NoCatalog {
                name: self.name.clone(),
                detail: format!(
                    "no document in {} is of the API {missing:?}; apis are written like \"drive:v3\" or \"drive\"",
                    self.folder.display()
                ),
            });
        }
        for refused in folder.refused() {
            sink(Err(refused.clone()));
        }
        let mut seen = BTreeSet::new();
        for document in chosen.documents {
            self.read(&folder, document, &mut seen, sink)?;
        }
        Ok(Fetched::Complete(state))
    }
}
