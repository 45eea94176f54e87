//! The policy's file: TOML or JSON in, [`Policy`] or a reason out.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserializer;
use serde_path_to_error::Segment;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::Policy;
use super::rule::{Rule, RuleName, Subject};
use super::versions::RunTimeError;
use super::written::WrittenPolicy;
use crate::limits::{POLICY_BYTES_MAX, POLICY_LIST_MAX, POLICY_RULES_MAX};
use crate::object::Object;

/// Why there is no policy. Its text is for the operator.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The file cannot be read.
    #[error("cannot read the policy file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Too large to be a policy.
    #[error("the policy has more than the {POLICY_BYTES_MAX} bytes allowed; merge rules with patterns")]
    TooLarge,
    /// Neither TOML nor JSON, or not of a policy's shape.
    #[error("the policy is not valid {format}: {reason}")]
    Syntax {
        /// What it was read as: TOML with `[[rule]]` tables, or JSON with a list `rule`.
        format: &'static str,
        /// The parser's words, with line and column.
        reason: String,
    },
    /// Too many rules.
    #[error("the policy has {n_rules} rules, more than the {POLICY_RULES_MAX} allowed; merge rules with patterns")]
    TooManyRules {
        /// How many it has.
        n_rules: usize,
    },
    /// The list of admins is wrong.
    #[error("`admins` of the policy: {reason}")]
    Admins {
        /// What is wrong, and what to write.
        reason: String,
    },
    /// The list of those who search exactly is wrong.
    #[error("`exact` of the policy: {reason}")]
    Exact {
        /// What is wrong, and what to write.
        reason: String,
    },
    /// One rule is wrong.
    #[error("rule {number} of the policy: {reason}")]
    Rule {
        /// The rule's position, 1 is the first.
        number: usize,
        /// What is wrong, and what to write.
        reason: String,
    },
    /// The rules that were added at run time cannot be read.
    #[error(transparent)]
    RunTime(Box<RunTimeError>),
    /// Any of the others, in a file.
    #[error("policy file {}: {source}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<PolicyError>,
    },
}

pub(super) fn load(path: &Path) -> Result<Policy, PolicyError> {
    let in_file = |source| PolicyError::InFile { path: path.to_owned(), source: Box::new(source) };
    parse(&read(path)?).map_err(in_file)
}

/// The file's text, never more of it than a policy may have.
pub(super) fn read(path: &Path) -> Result<String, PolicyError> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(POLICY_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|source| PolicyError::Read { path: path.to_owned(), source })?;
    Ok(text)
}

pub(super) fn parse(text: &str) -> Result<Policy, PolicyError> {
    if text.len() as u64 > POLICY_BYTES_MAX {
        return Err(PolicyError::TooLarge);
    }
    let WrittenPolicy { admins: named, exact, rule } = written(text)?;
    if rule.len() > POLICY_RULES_MAX {
        return Err(PolicyError::TooManyRules { n_rules: rule.len() });
    }
    let rules = (1..).zip(rule).map(|(number, rule)| {
        Rule::new(RuleName::File(number), rule.0).map_err(|reason| PolicyError::Rule { number, reason })
    });
    Ok(Policy {
        rules: rules.collect::<Result<_, _>>()?,
        admins: admins(&named).map_err(|reason| PolicyError::Admins { reason })?,
        exact: subjects(&exact).map_err(|reason| PolicyError::Exact { reason })?,
        digest: digest(text),
        run_time: None,
    })
}

/// The version of a policy's text.
pub(super) fn digest(text: &str) -> String {
    shortlist_index::hex(&Sha256::digest(text.as_bytes()))
}

/// A policy in JSON is an object, and no TOML begins with a brace: the text itself says what it is.
fn written(text: &str) -> Result<WrittenPolicy, PolicyError> {
    if text.trim_start().starts_with('{') {
        let mut json = serde_json::Deserializer::from_str(text);
        let format = "JSON with a list \"rule\"";
        let written = take(&mut json, format)?;
        json.end().map_err(|error| PolicyError::Syntax { format, reason: error.to_string() })?;
        return Ok(written);
    }
    let format = "TOML with [[rule]] tables";
    let toml = toml::Deserializer::parse(text);
    take(toml.map_err(|error| PolicyError::Syntax { format, reason: error.to_string().trim().to_owned() })?, format)
}

/// An error names its rule, where it is in one.
fn take<'de, D>(deserializer: D, format: &'static str) -> Result<WrittenPolicy, PolicyError>
where
    D: Deserializer<'de>,
    D::Error: std::fmt::Display,
{
    let read = serde_path_to_error::deserialize::<_, Object<WrittenPolicy>>(deserializer);
    read.map(|Object(written)| written).map_err(|error| {
        let reason = error.inner().to_string().trim().to_owned();
        let segments: Vec<&Segment> = error.path().iter().take(2).collect();
        match segments.as_slice() {
            [Segment::Map { key }, Segment::Seq { index }] if key == "rule" => {
                PolicyError::Rule { number: index + 1, reason }
            }
            _ => PolicyError::Syntax { format, reason },
        }
    })
}

/// Admins see past every grant, so each is named: `everyone` is none.
fn admins(list: &[String]) -> Result<Vec<Subject>, String> {
    let admins = subjects(list)?;
    if admins.contains(&Subject::Everyone) {
        return Err(r#"it names "everyone"; name users or groups"#.to_owned());
    }
    Ok(admins)
}

fn subjects(list: &[String]) -> Result<Vec<Subject>, String> {
    if list.len() > POLICY_LIST_MAX {
        return Err(format!("it has more than the {POLICY_LIST_MAX} entries allowed; name a group"));
    }
    list.iter().map(|text| Subject::new(text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principal::Principal;
    use shortlist_index::Grant;

    #[test]
    fn a_rule_concerns_whom_it_names() {
        let policy = Policy::parse(
            r#"
            [[rule]]
            effect = "allow"
            to = ["user:alice", "group:eng", "scope:https://a.b/c"]
            refs = ["*"]
            "#,
        )
        .expect("a policy");
        let sees =
            |who: &Principal| policy.grant(who).fingerprint() != policy.grant(&Principal::user("x")).fingerprint();
        assert!(sees(&Principal::user("alice")));
        assert!(!sees(&Principal::user("bob")) && !sees(&Principal::user("eng")));
        assert!(sees(&Principal::user("bob").with_groups(["eng"])));
        let with_scope = |scope: &str| policy.grant(&Principal::user("bob").with_scopes([scope]));
        let held = |scope: &str| Grant::new(vec![], vec![], [scope.to_owned()].into());
        assert_ne!(with_scope("https://a.b/c").fingerprint(), held("https://a.b/c").fingerprint());
        assert_eq!(with_scope("https://a.b").fingerprint(), held("https://a.b").fingerprint());
    }

    #[test]
    fn roles_tenants_and_services_are_exact_and_a_service_lends_its_grants_to_nobody() {
        let rule = |effect: &str, to: &str| format!("[[rule]]\neffect = {effect:?}\nto = [{to:?}]\nrefs = [\"*\"]\n");
        let concerns = |policy: &str, who: &Principal| {
            let grant = Policy::parse(policy).expect("a policy").grant(who);
            grant.fingerprint() != Grant::new(vec![], vec![], who.scopes.clone()).fingerprint()
        };
        assert!(concerns(&rule("allow", "role:reader"), &Principal::user("a").with_roles(["reader"])));
        assert!(!concerns(&rule("allow", "role:reader"), &Principal::user("a").with_groups(["reader"])));
        assert!(concerns(&rule("allow", "tenant:t"), &Principal::user("a").of_tenant("t")));
        assert!(!concerns(&rule("allow", "tenant:t"), &Principal::user("a").of_tenant("u")));

        let hub = Principal::service("hub");
        let for_alice = Principal { user: "alice".to_owned(), ..hub.clone() };
        assert!(concerns(&rule("allow", "service:hub"), &hub) && !concerns(&rule("allow", "service:hub"), &for_alice));
        assert!(concerns(&rule("deny", "service:hub"), &hub) && concerns(&rule("deny", "service:hub"), &for_alice));
        assert!(
            !concerns(&rule("allow", "user:hub"), &hub)
                && !concerns(&rule("allow", "service:hub"), &Principal::user("hub"))
        );
    }

    #[test]
    fn nobody_sees_anything_without_a_rule() {
        let empty = Policy::parse("").expect("an empty policy is one");
        let grant = empty.grant(&Principal::user("alice"));
        assert_eq!(grant.fingerprint(), Grant::nothing().fingerprint());
        assert_eq!(empty.n_rules(), 0);
    }

    #[test]
    fn a_wrong_rule_is_named_with_what_to_do() {
        let good = "[[rule]]\neffect = \"deny\"\nto = [\"everyone\"]\nscopes_held = true\n";
        assert!(Policy::parse(good).is_ok());
        let check = |rule: &str, expected: &str| {
            let error = Policy::parse(&format!("{good}[[rule]]\n{rule}")).map(|_| ()).expect_err(rule).to_string();
            assert!(error.starts_with("rule 2 of the policy: ") && error.contains(expected), "{rule}\n{error}");
        };
        check("effect = \"allow\"\nto = [\"everyone\"]", r#"write refs = ["*"]"#);
        check("effect = \"permit\"\nto = [\"everyone\"]", "permit");
        check("effect = \"allow\"\nto = []\nrefs = [\"*\"]", "whom it concerns");
        check("effect = \"allow\"\nto = [\"alice\"]\nrefs = [\"*\"]", "user:…");
        check("effect = \"allow\"\nto = [\"user:\"]\nrefs = [\"*\"]", "nobody");
        check("effect = \"allow\"\nto = [\"everyone\"]\nrefs = []", "empty list");
        check("effect = \"allow\"\nto = [\"everyone\"]\nrefs = [\"a[\"]", "has no meaning here");
        check("effect = \"allow\"\nto = [\"everyone\"]\nref = [\"*\"]", "unknown field `ref`");
        check("to = [\"everyone\"]\nrefs = [\"*\"]", "effect");
        check(
            &format!("effect = \"allow\"\nto = [\"everyone\"]\nread_only = true\nnote = {:?}", "x".repeat(501)),
            "note",
        );
    }

    #[test]
    fn json_and_toml_say_the_same_with_the_same_errors() {
        let toml = r#"
            admins = ["user:root"]
            [[rule]]
            effect = "allow"
            to = ["group:eng"]
            refs = ["a://b.*"]
            destructive = false
            note = "why"
        "#;
        let json = r#" {"admins": ["user:root"], "rule": [
            {"effect": "allow", "to": ["group:eng"], "refs": ["a://b.*"], "destructive": false, "note": "why"}]}"#;
        let [toml, json] = [toml, json].map(|text| Policy::parse(text).expect("a policy"));
        let eng = Principal::user("x").with_groups(["eng"]);
        assert_eq!(toml.grant(&eng).fingerprint(), json.grant(&eng).fingerprint());
        assert_ne!(toml.grant(&eng).fingerprint(), toml.grant(&Principal::user("x")).fingerprint());
        assert!(json.is_admin(&Principal::user("root")));
        assert_eq!(toml.rules()[0].to_string(), "allows group:eng: refs a://b.*; destructive = false");

        let check = |text: &str, expected: &str| {
            let error = Policy::parse(text).map(|_| ()).expect_err(text).to_string();
            assert!(error.contains(expected), "{text}\n{error}");
        };
        let good = r#"{"effect": "deny", "to": ["everyone"], "scopes_held": true}"#;
        let with = |rule: &str| format!(r#"{{"rule": [{good}, {rule}]}}"#);
        check(
            &with(r#"{"effect": "permit", "to": ["everyone"], "refs": ["*"]}"#),
            "rule 2 of the policy: unknown variant",
        );
        check(&with(r#"{"effect": "allow", "to": ["everyone"]}"#), "rule 2 of the policy: it selects nothing");
        check(&with(r#"{"effect": "allow", "to": ["everyone"], "ref": ["*"]}"#), "rule 2 of the policy: unknown field");
        // The last of two would win silently; and a list of values is no rule.
        check(&with(r#"{"effect": "deny", "effect": "allow", "to": ["everyone"], "refs": ["*"]}"#), "duplicate field");
        check(&with(r#"["allow", ["everyone"], ["*"]]"#), "rule 2 of the policy: ");
        check(r#"{"rule": []} x"#, "not valid JSON");
        check(r#"{"rules": []}"#, "not valid JSON");
        check("[{}]", "not valid TOML");
    }

    #[test]
    fn an_admin_is_named_and_nobody_else_is_one() {
        let policy = Policy::parse("admins = [\"user:root\", \"group:ops\"]\n").expect("a policy");
        assert!(policy.is_admin(&Principal::user("root")));
        assert!(policy.is_admin(&Principal::user("x").with_groups(["ops"])));
        assert!(!policy.is_admin(&Principal::user("ops")) && !policy.is_admin(&Principal::user("x")));
        assert!(!Policy::parse("").expect("a policy").is_admin(&Principal::user("root")));
        for wrong in ["everyone", "root", "user:"] {
            let error = Policy::parse(&format!("admins = [{wrong:?}]\n")).map(|_| ()).expect_err(wrong);
            assert!(matches!(error, PolicyError::Admins { .. }), "{error}");
        }
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        assert!(matches!(Policy::parse("[[rule]"), Err(PolicyError::Syntax { .. })));
        assert!(matches!(Policy::parse("rules = []"), Err(PolicyError::Syntax { .. })));
        let many = "[[rule]]\neffect=\"deny\"\nto=[\"everyone\"]\nscopes_held=true\n".repeat(POLICY_RULES_MAX + 1);
        assert!(matches!(Policy::parse(&many), Err(PolicyError::TooManyRules { n_rules: 10_001 })));
        let large = "#".repeat(POLICY_BYTES_MAX as usize + 1);
        assert!(matches!(Policy::parse(&large), Err(PolicyError::TooLarge)));
        assert!(
            Policy::load(Path::new("/nonexistent/policy.toml"))
                .expect_err("no file")
                .to_string()
                .contains("nonexistent")
        );
    }
}
