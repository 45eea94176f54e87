//! The policy's file: TOML in, [`Policy`] or a reason out.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use shortlist_index::{Pattern, Selector};
use thiserror::Error;

use super::{Effect, Policy, Rule, Subject};
use crate::limits::{POLICY_BYTES_MAX, POLICY_LIST_MAX, POLICY_RULES_MAX};

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
    /// Not TOML, or not of a policy's shape.
    #[error("the policy is not valid TOML with [[rule]] tables: {reason}")]
    Syntax {
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
    /// Any of the others, in a file.
    #[error("policy file {}: {source}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<PolicyError>,
    },
}

/// The file's shape. The rules are read one by one, so that an error can name its rule.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    #[serde(default)]
    admins: Vec<String>,
    #[serde(default)]
    exact: Vec<String>,
    #[serde(default)]
    rule: Vec<toml::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    effect: EffectFile,
    to: Vec<String>,
    refs: Option<Vec<String>>,
    namespaces: Option<Vec<String>>,
    sources: Option<Vec<String>>,
    tags: Option<Vec<String>>,
    required_scopes: Option<Vec<String>>,
    #[serde(default)]
    scopes_held: bool,
    read_only: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum EffectFile {
    Allow,
    Deny,
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
    let file: PolicyFile =
        toml::from_str(text).map_err(|error| PolicyError::Syntax { reason: error.to_string().trim().to_owned() })?;
    if file.rule.len() > POLICY_RULES_MAX {
        return Err(PolicyError::TooManyRules { n_rules: file.rule.len() });
    }
    let rules = (1..).zip(file.rule).map(|(number, value)| {
        let read = value.try_into::<RuleFile>().map_err(|error| error.to_string().trim().to_owned());
        read.and_then(rule).map_err(|reason| PolicyError::Rule { number, reason })
    });
    Ok(Policy {
        rules: rules.collect::<Result<_, _>>()?,
        admins: admins(&file.admins).map_err(|reason| PolicyError::Admins { reason })?,
        exact: subjects(&file.exact).map_err(|reason| PolicyError::Exact { reason })?,
        digest: digest(text),
    })
}

/// The version of a policy's text.
pub(super) fn digest(text: &str) -> String {
    shortlist_index::hex(&Sha256::digest(text.as_bytes()))
}

fn rule(file: RuleFile) -> Result<Rule, String> {
    let RuleFile { effect, to, refs, namespaces, sources, tags, required_scopes, scopes_held, read_only } = file;
    if to.is_empty() {
        return Err(r#"`to` is empty; write whom it concerns, such as to = ["everyone"]"#.to_owned());
    }
    let lists = [&refs, &namespaces, &sources, &tags, &required_scopes];
    if lists.iter().all(|list| list.is_none()) && !scopes_held && read_only.is_none() {
        // An absent selector never means permission: "every tool" has to be written.
        return Err(r#"it selects nothing; write refs = ["*"] if it is meant for every tool"#.to_owned());
    }
    if to.len() > POLICY_LIST_MAX || lists.iter().any(|list| list.as_ref().is_some_and(|l| l.len() > POLICY_LIST_MAX)) {
        return Err(format!(
            "a list has more than the {POLICY_LIST_MAX} entries allowed; use patterns or another rule"
        ));
    }
    Ok(Rule {
        effect: match effect {
            EffectFile::Allow => Effect::Allow,
            EffectFile::Deny => Effect::Deny,
        },
        to: to.iter().map(|to| subject(to)).collect::<Result<_, _>>()?,
        selector: Selector {
            refs: patterns("refs", refs)?,
            namespaces: patterns("namespaces", namespaces)?,
            sources: patterns("sources", sources)?,
            tags: patterns("tags", tags)?,
            required_scopes: patterns("required_scopes", required_scopes)?,
            scopes_held,
            read_only,
        },
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
    list.iter().map(|text| subject(text)).collect()
}

fn subject(text: &str) -> Result<Subject, String> {
    match text.split_once(':') {
        Some((_, "")) => Err(format!("{text:?} names nobody after the colon")),
        Some(("user", user)) => Ok(Subject::User(user.to_owned())),
        Some(("group", group)) => Ok(Subject::Group(group.to_owned())),
        Some(("role", role)) => Ok(Subject::Role(role.to_owned())),
        Some(("tenant", tenant)) => Ok(Subject::Tenant(tenant.to_owned())),
        Some(("scope", scope)) => Ok(Subject::Scope(scope.to_owned())),
        Some(("service", service)) => Ok(Subject::Service(service.to_owned())),
        _ if text == "everyone" => Ok(Subject::Everyone),
        _ => {
            let text: String = text.chars().take(80).collect();
            let known = r#""user:…", "group:…", "role:…", "tenant:…", "scope:…", "service:…" and "everyone""#;
            Err(format!("`to` takes {known}, not {text:?}"))
        }
    }
}

fn patterns(key: &str, list: Option<Vec<String>>) -> Result<Vec<Pattern>, String> {
    let Some(list) = list else { return Ok(Vec::new()) };
    if list.is_empty() {
        return Err(format!("`{key}` is an empty list; leave it out if it does not matter"));
    }
    list.iter().map(|glob| Pattern::new(glob).map_err(|error| format!("`{key}`: {error}"))).collect()
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
