//! What an HTTP method says of a call's effects (RFC 9110, section 9.2), read with care: whoever is allowed nothing but
//! read-only tools must not be given one that deletes because its API does so by GET.

use shortlist_index::Annotations;

/// Words with which a question begins. A POST may be a search in disguise.
const ASKS: &[&str] = &[
    "get", "list", "search", "query", "test", "batchget", "find", "lookup", "check", "validate", "generate", "describe",
];
/// Parts of a name that speak of loss.
const DELETES: &[&str] = &["delete", "purge", "destroy", "erase", "wipe"];
/// Words with which a command begins. Those that are as often a noun (`post`, `issue`, `tag`) are left out.
#[rustfmt::skip]
const CHANGES: &[&str] = &[
    "accept", "activate", "add", "allocate", "apply", "approve", "assign", "associate", "attach", "authorize", "cancel",
    "clear", "confirm", "create", "deactivate", "delete", "deploy", "deregister", "destroy", "detach", "disable",
    "disassociate", "edit", "enable", "erase", "execute", "flush", "insert", "invite", "invoke", "kill", "logout", "merge",
    "modify", "pause", "publish", "purchase", "purge", "put", "reboot", "register", "reject", "release", "remove", "rename",
    "replace", "reset", "restart", "restore", "resume", "revoke", "run", "save", "send", "set", "start", "stop", "submit",
    "subscribe", "suspend", "terminate", "trigger", "unassign", "unsubscribe", "untag", "update", "upload", "upsert",
    "wipe", "withdraw",
];

/// The claims of an operation that is called by `method` (in capitals). `names` are what it is called by: an id such as
/// `files.list`, `Users_Delete` or `repos/create-fork`, or the last part of a path.
///
/// A POST that reads like a question claims nothing, rather than that it changes something; a GET that reads like a command
/// claims nothing, rather than that it does not.
pub(super) fn annotations(method: &str, names: &[&str]) -> Annotations {
    let last_words = || names.iter().map(|name| name.rsplit(['.', '/']).next().unwrap_or(name).to_ascii_lowercase());
    match method {
        "GET" | "HEAD" | "OPTIONS" | "TRACE" | "QUERY" if names.iter().any(|name| is_command(name)) => {
            Annotations::default()
        }
        "GET" | "HEAD" | "OPTIONS" | "TRACE" | "QUERY" => {
            Annotations { read_only: Some(true), destructive: Some(false), idempotent: Some(true), open_world: None }
        }
        "DELETE" => {
            Annotations { read_only: Some(false), destructive: Some(true), idempotent: Some(true), open_world: None }
        }
        "PUT" => Annotations { read_only: Some(false), idempotent: Some(true), ..Annotations::default() },
        "POST" if last_words().any(|action| ASKS.iter().any(|word| action.starts_with(word))) => Annotations::default(),
        _ => {
            let deletes = last_words().any(|action| DELETES.iter().any(|word| action.contains(word)));
            Annotations { read_only: Some(false), destructive: deletes.then_some(true), ..Annotations::default() }
        }
    }
}

/// Whether the first word of the name is a command (`deleteUser`, `GET_TerminateInstances`), or the last part's is and the
/// first word asks nothing (`Users_Delete`, `users.delete`; but not `get_update`).
fn is_command(name: &str) -> bool {
    let mut parts = name.split(|c: char| !c.is_alphanumeric() && c != '-').filter(|part| {
        // Some ids begin with their method.
        !part.is_empty() && !matches!(*part, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "QUERY")
    });
    let Some(first) = parts.next().map(first_word) else { return false };
    let last = parts.next_back().map(first_word);
    let is_change = |word: &str| CHANGES.contains(&word);
    is_change(&first) || (!ASKS.contains(&first.as_str()) && last.is_some_and(|word| is_change(&word)))
}

/// `terminate` of `TerminateInstances`, `terminate-instances` and `TERMINATE`.
fn first_word(part: &str) -> String {
    let all_capitals = !part.contains(|c: char| c.is_lowercase());
    let end = part.char_indices().skip(1).find(|&(_, c)| c == '-' || (c.is_uppercase() && !all_capitals));
    part[..end.map_or(part.len(), |(end, _)| end)].to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_get_that_reads_like_a_command_claims_nothing() {
        let claim = |names: &[&str]| annotations("GET", names).read_only;
        for name in
            ["GET_TerminateInstances", "deleteUser", "Users_Delete", "users.delete", "remove-item", "DELETE_ALL"]
        {
            assert_eq!(claim(&[name]), None, "{name}");
        }
        for name in ["listUsers", "get_update", "Updates_List", "repos/list-tags", "settings", "GetDeletedItems", ""] {
            assert_eq!(claim(&[name]), Some(true), "{name}");
        }
        assert_eq!(claim(&["users", "deleteUser"]), None, "any of its names is enough");
    }

    #[test]
    fn a_post_is_a_change_unless_it_asks() {
        let claims = |names: &[&str]| {
            let claims = annotations("POST", names);
            (claims.read_only, claims.destructive)
        };
        assert_eq!(claims(&["orders.create"]), (Some(false), None));
        assert_eq!(claims(&["orders.batchDelete"]), (Some(false), Some(true)));
        assert_eq!(claims(&["orders.searchAll"]), (None, None));
    }
}
