//! As whom a command looks: an operator sees everything, or what somebody else would see.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::builder::NonEmptyStringValueParser;
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
// An empty name is refused: it comes of a variable that is not set, and must not be taken for nobody.
#[derive(Debug, clap::Args)]
pub struct WhoArgs {
    /// See what this user may see; without anybody, everything
    #[arg(long = "as", value_name = "USER", value_parser = NonEmptyStringValueParser::new())]
    user: Option<String>,
    /// A group of that user; may be repeated
    #[arg(long, value_name = "GROUP", value_parser = NonEmptyStringValueParser::new())]
    group: Vec<String>,
    /// A role of that user; may be repeated
    #[arg(long, value_name = "ROLE", value_parser = NonEmptyStringValueParser::new())]
    role: Vec<String>,
    /// The tenant of that user
    #[arg(long, value_name = "TENANT", value_parser = NonEmptyStringValueParser::new())]
    tenant: Option<String>,
    /// A scope that the user holds; may be repeated
    #[arg(long, value_name = "SCOPE", value_parser = NonEmptyStringValueParser::new())]
    scope: Vec<String>,
    /// The service that asks, for that user or for itself
    #[arg(long, value_name = "SERVICE", value_parser = NonEmptyStringValueParser::new())]
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
        viewer.map(|(principal, policy)| Ok((in_force(&policy, home)?, principal))).transpose()
    }
}

/// The policy in force over this home, of the file that --policy names.
pub fn in_force(file: &Path, home: &Path) -> Result<Policy> {
    if file.try_exists().is_ok_and(|exists| !exists) {
        bail!("there is no policy {}; name one that exists with --policy", file.display());
    }
    Ok(Policy::in_force(file, home)?)
}

impl WhoArgs {
    /// Whoever is named; `None` where no flag names anybody.
    pub fn principal(&self) -> Option<Principal> {
        let Self { user, group, role, tenant, scope, service } = self;
        let no_name = [user, tenant, service].into_iter().all(Option::is_none);
        if no_name && [group, role, scope].into_iter().all(Vec::is_empty) {
            return None;
        }
        let principal = Principal {
            user: user.clone().unwrap_or_default(),
            tenant: tenant.clone(),
            service: service.clone(),
            ..Principal::default()
        };
        Some(principal.with_groups(group.clone()).with_roles(role.clone()).with_scopes(scope.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_name_is_somebody_and_nobody_is_whom_no_flag_names() {
        let nobody = || WhoArgs { user: None, group: vec![], role: vec![], tenant: None, scope: vec![], service: None };
        assert!(nobody().principal().is_none());
        assert!(WhoArgs { user: Some(String::new()), ..nobody() }.principal().is_some());
    }
}
