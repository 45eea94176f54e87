//! The admin doors of the policy, on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::policy::{FileState, Made, RunTimeRule, VersionRow};

/// The policy in force.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct PolicyAnswer {
    /// Its version, which the ETag repeats: the beginning of the file's digest, `+`, and the version of the run-time rules.
    pub(in crate::http) version: String,
    /// The policy's file.
    pub(in crate::http) file: FileState,
    /// What admins added.
    pub(in crate::http) run_time: RunTimeBody,
}

/// The rules that admins added at run time.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct RunTimeBody {
    /// The number of the last change; 0 before the first, null where it is not known.
    pub(in crate::http) version: Option<u64>,
    /// Why it is not known which rules there are. Nothing is visible then, until a roll-back.
    pub(in crate::http) refusal: Option<String>,
    /// The rules, oldest first.
    pub(in crate::http) rules: Vec<RunTimeRule>,
}

/// What a change gives, when it is in force.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct PolicyChanged {
    /// What was changed.
    pub(in crate::http) made: Made,
    /// The version of the policy from now on.
    pub(in crate::http) version: String,
    /// The number of this change, to roll back to.
    pub(in crate::http) run_time_version: u64,
}

/// The versions of the run-time rules that are kept, newest first.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct VersionsAnswer {
    pub(in crate::http) versions: Vec<VersionRow>,
}

/// What `roll_back` takes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct RollBackRequest {
    /// The version whose rules are to be in force again; 0 for none at all. It becomes a new version.
    #[serde(deserialize_with = "crate::whole::whole")]
    #[schema(maximum = 9007199254740991i64)]
    pub(in crate::http) version: u64,
}
