//! What only the doors of HTTP take and give. What the tools' doors take and give stands in `doors`.

mod admin;
mod admin_policy;
mod audit;

pub(super) use admin::{SourcesAnswer, WhyNotRequest};
pub(super) use admin_policy::{PolicyAnswer, PolicyChanged, RollBackRequest, RunTimeBody, VersionsAnswer};
pub(super) use audit::{AuditAnswer, AuditRequest};
