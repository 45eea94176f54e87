//! [`Granted`]: a principal's grant under one policy; and [`Grants`]: those that were asked for lately.

use std::sync::Arc;

use moka::sync::Cache;
use shortlist_index::Grant;

use super::rule::Rule;
use super::{InForce, grant_of};
use crate::limits::{GRANTS_KEPT, KEPT_IDLE};
use crate::principal::Principal;
use crate::telemetry::Tally;

/// A principal's grant under one policy.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) grant: Grant,
    pub(crate) fingerprint: String,
    /// Whether their searches compare every vector.
    pub(crate) exact: bool,
    /// [`super::Policy::version`] of the policy that gave it.
    pub(crate) policy_version: Arc<str>,
    /// About how many bytes it takes, with the principal whose it is.
    n_bytes: usize,
}

impl Granted {
    /// What an operator sees: everything, by no policy.
    pub(crate) fn everything() -> Self {
        Self::by_no_policy(Grant::everything())
    }

    /// Nothing, for the work that resolves its own grant.
    pub(crate) fn nothing() -> Self {
        Self::by_no_policy(Grant::nothing())
    }

    fn by_no_policy(grant: Grant) -> Self {
        Self { fingerprint: grant.fingerprint(), grant, exact: false, policy_version: "none".into(), n_bytes: 0 }
    }

    fn of(in_force: &InForce, principal: &Principal) -> Self {
        let rules: Vec<&Rule> = in_force.policy.concerning(principal).collect();
        let grant = grant_of(&rules, principal);
        Self {
            fingerprint: grant.fingerprint(),
            grant,
            exact: in_force.policy.is_exact(principal),
            policy_version: Arc::clone(&in_force.version),
            // The principal is the key, and their scopes stand in the grant again.
            n_bytes: rules.iter().map(|rule| rule.selector_bytes()).sum::<usize>() + 2 * principal.n_bytes(),
        }
    }
}

/// The grants that were asked for lately. Whoever may ask for users can make up as many principals as they like, so all of
/// them together have a size, and not only a number.
pub(super) struct Grants {
    kept: Cache<(u64, Principal), Arc<Granted>>,
    tally: Tally,
}

impl Grants {
    pub(super) fn new(n_bytes_max: u64) -> Self {
        // What takes less than its share counts as its share: then there are no more than so many.
        let share = n_bytes_max / GRANTS_KEPT;
        let weight = move |_: &(u64, Principal), granted: &Arc<Granted>| {
            u32::try_from((granted.n_bytes as u64).max(share)).unwrap_or(u32::MAX)
        };
        let kept = Cache::builder().max_capacity(n_bytes_max).weigher(weight).time_to_idle(KEPT_IDLE).build();
        Self { kept, tally: Tally::default() }
    }

    /// The grant, if it is at hand.
    pub(super) fn at_hand(&self, in_force: &InForce, principal: &Principal) -> Option<Arc<Granted>> {
        let granted = self.kept.get(&(in_force.serial, principal.clone()));
        granted.inspect(|_| self.tally.count(true))
    }

    /// The grant; resolved where it is not at hand.
    pub(super) fn of(&self, in_force: &InForce, principal: &Principal) -> Arc<Granted> {
        let mut is_hit = true;
        let granted = self.kept.get_with((in_force.serial, principal.clone()), || {
            is_hit = false;
            Arc::new(Granted::of(in_force, principal))
        });
        self.tally.count(is_hit);
        granted
    }

    /// Those of the policy before are of no more use.
    pub(super) fn forget(&self) {
        self.kept.invalidate_all();
    }

    /// How often one was at hand.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }
}

#[cfg(test)]
mod tests {
    use super::super::Policy;
    use super::super::store::tests::in_force;
    use super::*;

    #[test]
    fn made_up_principals_take_no_more_memory_than_there_is_for_all() {
        let rule = |number: usize| {
            format!("[[rule]]\neffect = \"allow\"\nto = [\"everyone\"]\nrefs = [\"m://a.b{number}\", \"m://c.*\"]\n")
        };
        let text: String = (0..100).map(rule).collect();
        let in_force = in_force(Policy::parse(&text).expect("a policy"));
        let n_bytes_max = 1024 * 1024;
        let grants = Grants::new(n_bytes_max);
        for number in 0..500 {
            let principal = Principal::user("alice").with_scopes([format!("scope {number}")]);
            let granted = grants.of(&in_force, &principal);
            assert!(granted.n_bytes > 100 * 2 * 16, "every rule is counted: {}", granted.n_bytes);
            assert_eq!(granted.fingerprint, in_force.policy.grant(&principal).fingerprint());
        }
        grants.kept.run_pending_tasks();
        assert!(grants.kept.weighted_size() <= n_bytes_max && grants.kept.entry_count() > 10);
        assert!(grants.kept.entry_count() < 100, "{}", grants.kept.entry_count());
    }
}
