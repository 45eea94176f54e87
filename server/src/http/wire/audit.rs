//! The audit log's admin door on the wire.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::audit::AuditStatus;

/// What the audit door takes. Everything that is given narrows.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct AuditRequest {
    /// The user's key, or that of the admin who acted as somebody.
    #[param(max_length = 2048)]
    pub(in crate::http) user: Option<String>,
    /// A tool that was asked for or shown; without a version, every version.
    #[serde(rename = "ref")]
    #[param(max_length = 2048)]
    pub(in crate::http) reference: Option<String>,
    /// The door, such as `search_tools`, `tools` or `admin/why_not`; `none` where there is none.
    #[param(max_length = 2048)]
    pub(in crate::http) door: Option<String>,
    /// `allow`, `partial`, `deny`, `invalid` or `error`; or an error's code; or an HTTP status.
    #[param(max_length = 2048)]
    pub(in crate::http) outcome: Option<String>,
    /// The request's id.
    #[param(max_length = 2048)]
    pub(in crate::http) request_id: Option<String>,
    /// Not before this time: RFC 3339, a day (UTC), or how long ago (`90m`, `7d`).
    #[param(max_length = 2048)]
    pub(in crate::http) since: Option<String>,
    /// Before this time, likewise.
    #[param(max_length = 2048)]
    pub(in crate::http) until: Option<String>,
    /// Only records with a lower number; `next_before` of the page before.
    #[param(minimum = 1, maximum = 9007199254740991i64)]
    pub(in crate::http) before: Option<u64>,
    /// Records on the page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    pub(in crate::http) limit: Option<usize>,
}

/// What the audit door gives.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct AuditAnswer {
    /// As they stand in the log, newest first.
    #[schema(value_type = Vec<Object>)]
    pub(in crate::http) records: Vec<Value>,
    /// Asks for the records before these; null when the beginning was reached. A page may have few records or none and go on
    /// all the same, since only so much of the log is read for each.
    pub(in crate::http) next_before: Option<u64>,
    /// How the log is now.
    pub(in crate::http) log: AuditStatus,
}
