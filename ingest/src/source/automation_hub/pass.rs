//! [`Pass`]: a catalog read from its first page to its last, and asked afterwards whether it stood still.

use std::collections::HashSet;
use std::time::Instant;

use reqwest::Url;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::config::EtagCovers;
use super::journal::Journal;
use super::page::Page;
use super::{ACTIONS_MAX, AutomationHub, PAGES_MAX, record};
use crate::error::SourceError;
use crate::network::{Got, contract, printable};
use crate::source::Record;

/// One page as it was read: its cursor (`None` for the first), its ETag where it had one, and its body's SHA-256.
pub(super) type Stamp = (Option<String>, Option<String>, String);

/// A catalog read to its end.
pub(super) struct Reading {
    pub(super) records: Vec<Record>,
    pub(super) stamps: Vec<Stamp>,
    /// Of the pages' bodies.
    pub(super) n_bytes: u64,
}

/// One pass over a hub, within its time.
pub(super) struct Pass<'h> {
    hub: &'h AutomationHub,
    deadline: Instant,
}

impl<'h> Pass<'h> {
    pub(super) fn begin(hub: &'h AutomationHub) -> Self {
        Self { hub, deadline: Instant::now() + hub.pass_timeout() }
    }

    /// The pages that speak for all.
    fn speakers<'s>(&self, stamps: &'s [Stamp]) -> &'s [Stamp] {
        match self.hub.config.etag_covers {
            EtagCovers::Page => stamps,
            EtagCovers::Catalog => stamps.get(..1).unwrap_or_default(),
        }
    }

    /// Whether it can be asked if the pages are what they were: not without ETags.
    pub(super) fn can_ask(&self, stamps: &[Stamp]) -> bool {
        let speakers = self.speakers(stamps);
        !speakers.is_empty() && speakers.iter().all(|(_, etag, _)| etag.is_some())
    }

    /// Whether the pages are what they were. Where that cannot be asked, the answer is no.
    pub(super) fn still_current(&self, stamps: &[Stamp]) -> Result<bool, SourceError> {
        if !self.can_ask(stamps) {
            return Ok(false);
        }
        let covers = self.hub.config.etag_covers;
        for (cursor, etag, digest) in self.speakers(stamps) {
            match self.get_again(cursor.as_deref(), etag.as_deref())? {
                Got::NotModified => {}
                // Some hubs send ETags and ignore the question, or make a new ETag for each answer. The same bytes prove
                // a page, but not what else a catalog's ETag speaks for.
                Got::Page { body, etag: now } => {
                    let same = match covers {
                        EtagCovers::Page => hash(&body) == *digest,
                        EtagCovers::Catalog => now == *etag,
                    };
                    if !same {
                        return Ok(false);
                    }
                }
                Got::Gone => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Reads every page, those of an unfinished pass from its journal. `None` when a cursor expired: start again.
    pub(super) fn read(&self, journal: &mut Journal) -> Result<Option<Reading>, SourceError> {
        let mut reading = Reading { records: Vec::new(), stamps: Vec::new(), n_bytes: 0 };
        let mut seen = HashSet::new();
        let mut cursor: Option<String> = None;
        loop {
            let url = self.hub.page_url(cursor.as_deref());
            let replayed = journal.page(cursor.as_deref());
            let is_new = replayed.is_none();
            let (body, etag) = match replayed {
                Some((body, etag)) => (body, Some(etag)),
                None => {
                    let is_resumed = journal.n_replayed() > 0;
                    let got = if is_resumed { self.get_again(cursor.as_deref(), None) } else { self.get(&url, None) };
                    match got? {
                        Got::Page { body, etag } => (body, etag),
                        Got::Gone if cursor.is_some() => return Ok(None),
                        Got::Gone | Got::NotModified => {
                            let detail = "the first page exists and is sent when it is asked for";
                            return Err(contract(&self.hub.config.name, &url, detail));
                        }
                    }
                }
            };
            reading.n_bytes = reading.n_bytes.saturating_add(body.len() as u64);
            self.check_size(&reading)?;
            let page = Page::parse(&body, &self.hub.config, &url)?;
            if is_new {
                journal.keep(cursor.as_deref(), etag.as_deref(), &body);
            }
            self.take(page.actions, &mut reading);
            reading.stamps.push((cursor, etag, hash(&body)));
            self.check_size(&reading)?;
            let Some(next) = page.next_cursor else { return Ok(Some(reading)) };
            if !seen.insert(next.clone()) {
                let hint = if next.is_empty() {
                    "; if an empty cursor means the end, set empty_cursor_ends = true"
                } else {
                    ""
                };
                let detail = format!("page {} gives a cursor that an earlier page gave{hint}", reading.stamps.len());
                return Err(contract(&self.hub.config.name, &url, detail));
            }
            cursor = Some(next);
        }
    }

    /// Gets a page by a cursor that may be of an earlier pass. Hubs say of one that has expired what they say of one that
    /// they never gave, and that is not always 410.
    fn get_again(&self, cursor: Option<&str>, etag: Option<&str>) -> Result<Got, SourceError> {
        match self.get(&self.hub.page_url(cursor), etag) {
            Err(SourceError::Status { status: 400 | 404, .. }) if cursor.is_some() => Ok(Got::Gone),
            got => got,
        }
    }

    /// Gets a page while there is time.
    fn get(&self, url: &Url, etag: Option<&str>) -> Result<Got, SourceError> {
        if Instant::now() >= self.deadline {
            return Err(SourceError::TooSlow {
                name: self.hub.config.name.clone(),
                what: format!("the catalog at {}", printable(&self.hub.actions)),
                max_s: self.hub.pass_timeout().as_secs(),
            });
        }
        self.hub.get(url, etag)
    }

    fn take(&self, actions: Vec<Value>, reading: &mut Reading) {
        let page = reading.stamps.len() + 1;
        for (index, action) in actions.into_iter().enumerate() {
            let position = format!("action {} of page {page}", index + 1);
            reading.records.push(record::record(action, &self.hub.config, &position));
        }
    }

    fn check_size(&self, reading: &Reading) -> Result<(), SourceError> {
        let too_large = |max: u64, unit: &'static str| SourceError::TooLarge {
            name: self.hub.config.name.clone(),
            what: format!("the catalog at {}", printable(&self.hub.actions)),
            max,
            unit,
        };
        match (reading.stamps.len(), reading.records.len()) {
            (n_pages, _) if n_pages >= PAGES_MAX => Err(too_large(PAGES_MAX as u64, "pages")),
            (_, n_actions) if n_actions > ACTIONS_MAX => Err(too_large(ACTIONS_MAX as u64, "actions")),
            _ if reading.n_bytes > self.hub.bytes_max => Err(too_large(self.hub.bytes_max, "bytes")),
            _ => Ok(()),
        }
    }
}

fn hash(body: &[u8]) -> String {
    shortlist_index::hex(&Sha256::digest(body))
}
