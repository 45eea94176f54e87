//! As whom a command looks: an operator sees everything, or what somebody else would see.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use shortlist_index::Grant;
use shortlist_server::{Policy, Principal};

/// Looking through somebody's eyes.
#[derive(Debug, clap::Args)]
pub struct ViewerArgs {
    #[command(flatten)]
    who: WhoArgs,
    /// The policy that decides, with what was added to it at run time
    #[arg(long, env = "SHORTLIST_POLICY", value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// Somebody, as a policy knows them.
#[derive(Debug, clap::Args)]
pub struct WhoArgs {
    /// See what this user may see; without anybody, everything
    #[arg(long = "as", value_name = "USER")]
    user: Option<String>,
    /// A group of that user; may be repeated
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,
    /// A role of that user; may be repeated
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
    /// The tenant of that user
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// A scope that the user holds; may be repeated
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// The service that asks, for that user or for itself
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
}

impl ViewerArgs {
    /// What may be seen, over this home.
    pub fn grant(&self, home: &Path) -> Result<Grant> {
        Ok(self.viewer(home)?.map_or_else(Grant::everything, |(policy, principal)| policy.grant(&principal)))
    }

    /// Whoever is named, and the file of the policy that decides; `None` is an operator, who sees everything.
    pub fn principal_and_policy(&self) -> Result<Option<(Principal, PathBuf)>> {
        match (self.who.principal(), &self.policy) {
            (None, _) => Ok(None),
            (Some(principal), Some(policy)) => Ok(Some((principal, policy.clone()))),
            (Some(_), None) => bail!("--as needs the policy that decides; name it with --policy"),
        }
    }

    /// Who looks under which policy; `None` is an operator, who sees everything.
    pub fn viewer(&self, home: &Path) -> Result<Option<(Policy, Principal)>> {
        let viewer = self.principal_and_policy()?;
        viewer.map(|(principal, policy)| Ok((Policy::in_force(&policy, home)?, principal))).transpose()
    }
}

impl WhoArgs {
    /// Whoever is named; `None` where nobody is.
    pub fn principal(&self) -> Option<Principal> {
        let Self { user, group, role, tenant, scope, service } = self;
        let principal = Principal {
            user: user.clone().unwrap_or_default(),
            tenant: tenant.clone(),
            service: service.clone(),
            ..Principal::default()
        };
        let principal = principal.with_groups(group.clone()).with_roles(role.clone()).with_scopes(scope.clone());
        (principal != Principal::default()).then_some(principal)
    }
}
