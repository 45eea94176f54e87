//! As whom a command looks: an operator sees everything, or what somebody else would see.

use std::path::PathBuf;

use anyhow::{Result, bail};
use shortlist_index::Grant;
use shortlist_server::{Policy, Principal};

/// Looking through somebody's eyes.
#[derive(Debug, clap::Args)]
pub struct ViewerArgs {
    /// See what this user may see; without it, everything
    #[arg(long = "as", value_name = "USER", requires = "policy")]
    user: Option<String>,
    /// A group of that user; may be repeated
    #[arg(long, value_name = "GROUP", requires = "user")]
    group: Vec<String>,
    /// A scope that the user holds; may be repeated
    #[arg(long, value_name = "SCOPE", requires = "user")]
    scope: Vec<String>,
    /// The policy that decides
    #[arg(long, env = "SHORTLIST_POLICY", value_name = "FILE")]
    policy: Option<PathBuf>,
}

impl ViewerArgs {
    /// What may be seen.
    pub fn grant(&self) -> Result<Grant> {
        Ok(self.viewer()?.map_or_else(Grant::everything, |(policy, principal)| policy.grant(&principal)))
    }

    /// Who looks under which policy; `None` is an operator, who sees everything.
    pub fn viewer(&self) -> Result<Option<(Policy, Principal)>> {
        match (&self.user, &self.policy) {
            (None, _) => Ok(None),
            (Some(user), Some(policy)) => {
                let principal = Principal::user(user).with_groups(self.group.clone()).with_scopes(self.scope.clone());
                Ok(Some((Policy::load(policy)?, principal)))
            }
            (Some(_), None) => bail!("--as needs the policy that decides; name it with --policy"),
        }
    }
}
