//! What an operator writes or keeps: refs, policies, configurations, keys, the audit log.

use std::path::Path;

use shortlist_index::{Grant, Pattern, ToolRef};
use shortlist_ingest::config::Config as SyncConfig;
use shortlist_server::audit::{Backward, verify};
use shortlist_server::{KeyFile, Policy, Principal, Settings, read_discovery};

use super::with_file;

/// A ref is printed as it was read; a pattern matches what it is.
pub(super) fn refs(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(reference) = text.parse::<ToolRef>() {
        let printed = reference.to_string();
        assert_eq!(printed.parse::<ToolRef>().as_ref(), Ok(&reference), "{text:?} is printed as {printed:?}");
    }
    let (pattern, value) = text.split_once('\n').unwrap_or((text, text));
    if let Ok(pattern) = Pattern::new(pattern) {
        let _ = pattern.matches(value);
    }
}

/// Whatever parses grants nothing to whom no rule names.
pub(super) fn policy(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(policy) = Policy::parse(text) else { return };
    let _ = policy.grant(&Principal::user("a").with_groups(["a"]).with_roles(["b"]));
    if !text.contains("everyone") && !text.contains("\\") {
        let nobody = policy.grant(&Principal::user("nobody that a rule could name"));
        assert_eq!(nobody.fingerprint(), Grant::nothing().fingerprint(), "{text:?}");
    }
}

pub(super) fn sync_config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = SyncConfig::parse(text, Path::new("shortlist.toml"));
}

/// A configuration of the server. What it names is looked for beside it, and is not there.
pub(super) fn serve_config(bytes: &[u8]) {
    with_file("serve.toml", bytes, |path| drop(Settings::load(path)));
}

/// A gateway's public key in PEM, or a JWK Set, which is read as an issuer's is.
pub(super) fn keys(bytes: &[u8]) {
    with_file("keys", bytes, |path| {
        let settings = path.with_file_name("serve.toml");
        let gateway = "[[gateway_token]]\nname = \"a\"\nissuer = \"b\"\naudience = \"c\"\nkey_file = \"keys\"\n";
        std::fs::write(&settings, gateway).expect("the disk has room");
        let _ = Settings::load(&settings);
    });
}

/// A discovery document. The keys that it leads to are elsewhere, and come encrypted.
pub(super) fn discovery(bytes: &[u8]) {
    if let Some(keys) = read_discovery(bytes) {
        assert!(keys.starts_with("https://") && !keys.starts_with("https://localhost"), "{keys}");
    }
}

/// The records of API keys.
pub(super) fn key_file(bytes: &[u8]) {
    with_file("keys.json", bytes, |path| drop(KeyFile::new(path).list()));
}

/// A file of the audit log. Read from either end it has the same lines.
pub(super) fn audit(bytes: &[u8]) {
    with_file("audit-00000000000000000001.jsonl", bytes, |path| {
        let folder = path.parent().unwrap_or(path);
        let report = verify(folder, &[], &[]).expect("the folder can be read");
        assert!(report.n_records <= bytes.split(|&byte| byte == b'\n').count() as u64);
        let backward = Backward::new(folder, None).expect("the folder can be read");
        backward.for_each(|line| drop(line.expect("the file can be read")));
    });
}
