//! A document's bytes -> [`Value`], JSON or YAML, within budgets.
//!
//! YAML is read as JSON Schema's subset of YAML 1.2, which OpenAPI asks for: `yes`, dates and `0123` are texts, keys are texts
//! whatever they look like (`200:`), and of two equal keys the last counts, as in JSON. Merge keys and aliases are expanded,
//! and what they expand to counts.

use std::str;

use serde_json::Value;
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};

/// The largest document, in bytes; the largest real one (Microsoft Graph, beta) has 47 MB.
pub(super) const DOCUMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The most nodes of a YAML document, aliases expanded. Microsoft Graph has 1.5 million.
const YAML_NODES_MAX: usize = 4_000_000;
/// The deepest nesting of a YAML document; serde_json's own limit for JSON is the same.
const YAML_DEPTH_MAX: usize = 127;

/// Parses a document. What begins like a JSON object is JSON.
///
/// # Errors
/// A sentence that says what is wrong and where.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, String> {
    let text = str::from_utf8(bytes).map_err(|error| format!("the document is not UTF-8: {error}"))?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| format!("the document is not JSON: {error}"))
    } else {
        yaml(text)
    }
}

fn yaml(text: &str) -> Result<Value, String> {
    let scalar_bytes_max = usize::try_from(DOCUMENT_BYTES_MAX).unwrap_or(usize::MAX);
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: YAML_DEPTH_MAX,
            flow_nesting_limit: YAML_DEPTH_MAX,
            max_nodes: YAML_NODES_MAX,
            max_events: 3 * YAML_NODES_MAX,
            max_total_scalar_bytes: scalar_bytes_max,
            max_documents: 1,
            // A path may be longer than YAML's 1,024 characters for a key.
            simple_key_max_lookahead: 8 * 1024,
            // Documents with one anchor and many aliases are common; the budgets above bound what they become.
            enforce_alias_anchor_ratio: false,
        },
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        strict_booleans: true,
        null_as_string: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        // YAML is anything at all, so a text that is no API description says so later, with a better reason.
        format!("the document is neither a JSON object nor YAML: {error}")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn yaml_means_what_json_would_say() {
        let parsed = parse(
            b"swagger: 2.0\n200: ok\ntrue: t\n~: n\nwhen: 2020-01-01\nno: no\nbig: 123456789012345678901234567890\n\
              huge: 1e999\ncode: 0123\nsum: 1_000\nhex: 0x1F\nempty:\ntwice: 1\ntwice: 2\n\
              base: &base {a: 1, b: 2}\nmerged:\n  <<: *base\n  b: 3\nagain: *base\n",
        );
        let expected = json!({
            "swagger": 2.0, "200": "ok", "true": "t", "~": "n", "when": "2020-01-01", "no": "no",
            "big": 123456789012345678901234567890.0, "huge": ".inf", "code": "0123", "sum": "1_000", "hex": 31,
            "empty": null, "twice": 2, "base": { "a": 1, "b": 2 }, "merged": { "a": 1, "b": 3 },
            "again": { "a": 1, "b": 2 },
        });
        assert_eq!(parsed, Ok(expected));
    }

    #[test]
    fn a_byte_order_mark_and_space_before_json_are_fine() {
        assert_eq!(parse(b"\xEF\xBB\xBF \n{\"a\": 1}"), Ok(json!({ "a": 1 })));
        assert_eq!(parse(b"\xEF\xBB\xBFa: 1"), Ok(json!({ "a": 1 })));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let check = |bytes: &[u8], part: &str| {
            let reason = parse(bytes).expect_err(part);
            assert!(reason.contains(part), "{reason:?} should say {part:?}");
        };
        check(b"{\"a\": ", "not JSON: EOF");
        check(b"\xFF\xFE{", "not UTF-8");
        check(b"a: [", "YAML");
        check(b"a: *nowhere", "YAML");
        check(format!("{{\"a\":{}1{}}}", "[".repeat(500), "]".repeat(500)).as_bytes(), "recursion limit");
        check(format!("a: {}1{}", "[".repeat(500), "]".repeat(500)).as_bytes(), "YAML");
        let deep: String = (0..500).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
        check(deep.as_bytes(), "YAML");
    }

    #[test]
    fn an_alias_bomb_is_left_alone() {
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            laughs.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        assert!(parse(laughs.as_bytes()).is_err());
        let mut long = format!("text: &text {}\nall:\n", "x".repeat(1_000_000));
        long.push_str(&"  - *text\n".repeat(1_000));
        assert!(parse(long.as_bytes()).is_err(), "a gigabyte of copies");
    }
}
