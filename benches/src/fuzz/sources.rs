//! The catalogs, as a pass reads them.

use std::collections::BTreeSet;

use shortlist_index::ToolRef;
use shortlist_ingest::source::google_discovery::GoogleDiscovery;
use shortlist_ingest::source::jsonl::Jsonl;
use shortlist_ingest::source::openapi::OpenApi;
use shortlist_ingest::source::parquet::Parquet;
use shortlist_ingest::source::{Record, Source, arcade, automation_hub, mcp};

use super::with_file;

pub(super) fn jsonl(bytes: &[u8]) {
    with_file("tools.jsonl", bytes, |path| check(&Jsonl::new("a", path)));
}

pub(super) fn parquet(bytes: &[u8]) {
    with_file("tools.parquet", bytes, |path| check(&Parquet::new("a", path)));
}

pub(super) fn google_discovery(bytes: &[u8]) {
    with_file("drive.v3.json", bytes, |path| {
        check(&GoogleDiscovery::new("a", path.parent().unwrap_or(path), &[]));
    });
}

pub(super) fn openapi(bytes: &[u8]) {
    with_file("api.yaml", bytes, |path| check(&OpenApi::new("a", path, None)));
}

pub(super) fn hub(bytes: &[u8]) {
    automation_hub::read_page(bytes).into_iter().for_each(check_record);
}

pub(super) fn worker(bytes: &[u8]) {
    arcade::read_list(bytes).into_iter().for_each(check_record);
}

pub(super) fn listing(bytes: &[u8]) {
    mcp::read_page(bytes).into_iter().for_each(check_record);
}

fn check(source: &dyn Source) {
    let mut identities = BTreeSet::new();
    // A pass that cannot be complete is an error, and what it gave before is thrown away.
    let _ = source.fetch(None, &mut |record| {
        if let Ok(tool) = &record {
            assert!(identities.insert(tool.reference.to_string()), "{} came twice", tool.reference);
        }
        check_record(record);
    });
}

/// A tool's ref reads back, and a rejection says why.
fn check_record(record: Record) {
    match record {
        Ok(tool) => {
            assert_eq!(tool.reference.to_string().parse::<ToolRef>().as_ref(), Ok(&tool.reference));
            let _ = (tool.embedding_text(), tool.content_hash());
        }
        Err(rejection) => assert!(!rejection.reason.is_empty()),
    }
}
