//! Which documents of a folder are read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::folder::Document;

/// Well-known APIs with about 5,000 methods together: what the demo reads.
#[rustfmt::skip]
pub const WELL_KNOWN_APIS: &[&str] = &[
    // Mail, files and people.
    "drive", "gmail", "calendar", "sheets", "docs", "slides", "forms", "tasks", "keep", "chat", "meet", "people",
    "classroom", "script", "admin", "driveactivity", "drivelabels", "groupssettings", "groupsmigration", "licensing",
    "reseller", "vault", "cloudidentity", "alertcenter", "workspaceevents", "cloudsearch",
    // Video, books, maps, shops and measuring.
    "youtube", "youtubeAnalytics", "youtubereporting", "books", "blogger", "customsearch", "webfonts",
    "walletobjects", "places", "addressvalidation", "airquality", "solar", "pollen", "fitness", "games",
    "androidpublisher", "playintegrity", "androidmanagement", "searchconsole", "analyticsadmin", "analyticsdata",
    "tagmanager", "adsense", "admob", "content",
    // Data, compute and storage.
    "bigquery", "bigqueryconnection", "bigquerydatatransfer", "bigqueryreservation", "storage", "storagetransfer",
    "compute", "container", "run", "cloudfunctions", "cloudbuild:v1", "pubsub", "cloudscheduler", "cloudtasks",
    "workflows", "workflowexecutions", "eventarc", "spanner", "sqladmin", "firestore", "datastore", "bigtableadmin",
    "redis", "memcache", "alloydb", "firebase", "firebaserules", "fcm", "firebasedatabase",
    // Running and securing a cloud.
    "iam:v1", "cloudresourcemanager", "secretmanager", "cloudkms", "monitoring", "monitoring:v1",
    "clouderrorreporting", "cloudtrace", "dns:v1", "serviceusage", "cloudbilling", "billingbudgets", "orgpolicy",
    "accesscontextmanager", "artifactregistry", "clouddeploy", "dataflow", "composer",
    // Understanding text, speech and pictures.
    "vision", "translate", "language", "speech", "texttospeech", "videointelligence", "documentai", "dlp",
    "recaptchaenterprise",
];

/// APIs by name, with or without a version; nothing means everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selection(BTreeSet<String>);

/// What a selection takes of a folder.
pub(super) struct Chosen<'a> {
    /// The documents, in the folder's order.
    pub documents: Vec<&'a Document>,
    /// Entries of the selection that no document answers to.
    pub missing: Vec<String>,
}

impl Selection {
    pub fn new(apis: &[String]) -> Self {
        Self(apis.iter().map(|api| api.trim().to_owned()).filter(|api| !api.is_empty()).collect())
    }

    pub fn choose<'a>(&self, documents: &'a [Document]) -> Chosen<'a> {
        if self.0.is_empty() {
            return Chosen { documents: documents.iter().collect(), missing: Vec::new() };
        }
        let newest = newest(documents);
        let mut met = BTreeSet::new();
        let taken = |document: &&Document| {
            let exact = format!("{}:{}", document.api, document.version);
            let by_version = self.0.contains(&exact).then_some(exact);
            let is_newest = newest.get(&family(document)).is_some_and(|&best| best.file_name == document.file_name);
            let by_name = (is_newest && self.0.contains(&document.api)).then(|| document.api.clone());
            let taken = by_version.is_some() || by_name.is_some();
            met.extend(by_version.into_iter().chain(by_name));
            taken
        };
        let chosen = documents.iter().filter(taken).collect();
        Chosen { documents: chosen, missing: self.0.difference(&met).cloned().collect() }
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, api) in self.0.iter().enumerate() {
            write!(f, "{}{api}", if position == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// An API, or one part of an API that is published in parts: what has versions.
fn family(document: &Document) -> (&str, Option<&str>) {
    (&document.api, document.version.part())
}

/// The newest stable version of each family, or the newest of all where none is stable.
fn newest(documents: &[Document]) -> BTreeMap<(&str, Option<&str>), &Document> {
    let rank = |document: &Document| (document.version.is_stable(), document.version.semver().clone());
    let mut newest = BTreeMap::new();
    for document in documents {
        let best = newest.entry(family(document)).or_insert(document);
        if rank(document) > rank(best) {
            *best = document;
        }
    }
    newest
}
