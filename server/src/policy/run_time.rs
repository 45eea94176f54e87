//! [`RunTimeRules`]: the rules that admins added while the server ran, as one version of them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rule::{Rule, RuleName};
use super::written::WrittenRule;

/// Raised when a version is written in another way, so that an older program refuses it instead of misreading it.
const FORMAT: u32 = 1;

/// All rules that were added at run time and not removed.
#[derive(Clone, Debug)]
pub(crate) struct RunTimeRules {
    record: Record,
    /// SHA-256 of the record as it stands on disk; empty for [`RunTimeRules::none`].
    sum: String,
    rules: Vec<Rule>,
}

/// A version as it stands on disk.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    format: u32,
    pub(super) version: u64,
    pub(super) unix_s: u64,
    pub(super) by: String,
    pub(super) made: Made,
    pub(super) rules: Vec<RunTimeRule>,
}

/// A rule that was added at run time.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunTimeRule {
    /// Its name for good: `r` and the version that it came with.
    pub(crate) id: String,
    /// Who added it.
    pub(crate) by: String,
    /// When, in seconds of Unix time.
    pub(crate) unix_s: u64,
    /// What it says.
    pub(crate) rule: WrittenRule,
}

/// What a version changed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Made {
    /// This rule was added.
    Added(String),
    /// This rule was removed.
    Removed(String),
    /// The rules became those of this version.
    RolledBack(u64),
}

/// One version in a list of them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct VersionRow {
    /// Its number.
    pub(crate) version: u64,
    /// Why it is refused; the fields below are absent then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refusal: Option<String>,
    /// When it was made, in seconds of Unix time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unix_s: Option<u64>,
    /// By whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<String>,
    /// What it changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) made: Option<Made>,
    /// How many rules it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) n_rules: Option<usize>,
}

impl Record {
    pub(super) fn new(version: u64, unix_s: u64, by: String, made: Made, rules: Vec<RunTimeRule>) -> Self {
        Self { format: FORMAT, version, unix_s, by, made, rules }
    }

    /// Understands what is read or about to be written. The error is a sentence.
    pub(super) fn understand(self, sum: String) -> Result<RunTimeRules, String> {
        if self.format != FORMAT {
            return Err(format!("it is of format {}, and this program knows format {FORMAT}", self.format));
        }
        let rules = self.rules.iter().map(|RunTimeRule { id, rule, .. }| {
            let understood = Rule::new(RuleName::RunTime(id.clone()), rule.clone());
            understood.map_err(|reason| format!("its rule {id}: {reason}"))
        });
        Ok(RunTimeRules { rules: rules.collect::<Result<_, _>>()?, record: self, sum })
    }
}

impl RunTimeRules {
    /// None were ever added: version 0.
    pub(crate) fn none() -> Self {
        let record = Record::new(0, 0, String::new(), Made::RolledBack(0), Vec::new());
        Self { record, sum: String::new(), rules: Vec::new() }
    }

    pub(crate) fn version(&self) -> u64 {
        self.record.version
    }

    pub(super) fn sum(&self) -> &str {
        &self.sum
    }

    /// As they were written.
    pub(crate) fn written(&self) -> &[RunTimeRule] {
        &self.record.rules
    }

    pub(super) fn understood(&self) -> &[Rule] {
        &self.rules
    }

    /// The number and the beginning of the checksum; `None` before the first version.
    pub(super) fn tag(&self) -> Option<String> {
        let sum: String = self.sum.chars().take(8).collect();
        (self.record.version > 0).then(|| format!("{}.{sum}", self.record.version))
    }

    pub(super) fn row(&self) -> VersionRow {
        let Record { version, unix_s, by, made, rules, .. } = self.record.clone();
        VersionRow {
            version,
            refusal: None,
            unix_s: Some(unix_s),
            by: Some(by),
            made: Some(made),
            n_rules: Some(rules.len()),
        }
    }
}
