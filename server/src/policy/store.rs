//! [`Policies`]: the policy in force, reloaded when its file or the run-time rules change, and each principal's grant under
//! it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::Policy;
use super::file::{self, PolicyError};
use super::granted::{Granted, Grants};
use super::in_force::{FileState, InForce, RunTimeState};
use super::rule::{Rule, RuleName};
use super::run_time::{Made, Record, RunTimeRule, RunTimeRules, VersionRow};
use super::versions::{RunTimeError, Versions};
use super::written::WrittenRule;
use crate::limits::{GRANTS_BYTES_MAX, RULES_AT_ONCE_MAX, RUN_TIME_RULES_MAX};
use crate::principal::Principal;
use crate::telemetry::Tally;

/// How long a changed file must stay the same to be taken.
const SETTLE_TIME: Duration = Duration::from_millis(30);

/// The policy in force.
pub(crate) struct Policies {
    path: PathBuf,
    versions: Versions,
    current: ArcSwap<InForce>,
    /// What the last look saw. Held for the length of a look or a change, so that there is one at a time.
    looked: Mutex<Looked>,
    grants: Grants,
}

struct Looked {
    seen: Option<Seen>,
    /// The last good file; gone with the file.
    file: Option<Policy>,
    refusal: Option<String>,
    run_time: RunTimeState,
    /// The highest version that was ever in force here.
    version_max: u64,
}

#[derive(PartialEq, Eq)]
enum Seen {
    Text(String),
    Unreadable(String),
}

/// What an admin asks for.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Add(Box<WrittenRule>),
    Remove(String),
    RollBack(u64),
}

/// Why it was not done. Nothing has changed then, unless the disk failed: see [`Versions::write`].
#[derive(Debug)]
pub(crate) enum ChangeError {
    /// The policy in force is another one than the admin has seen.
    OtherVersion {
        in_force: Arc<str>,
    },
    /// The rule is wrong.
    BadRule(String),
    /// There is a rule that says the same.
    Exists {
        id: String,
    },
    NoSuchRule,
    NoSuchVersion,
    TooManyRules,
    /// It is not known which rules there are; only a roll-back helps.
    Refused(Arc<str>),
    Store(RunTimeError),
}

impl Policies {
    /// Nothing is visible until the first good [`Policies::reload`].
    pub(crate) fn new(path: PathBuf, home: &Path) -> Self {
        let looked = Looked {
            seen: None,
            file: None,
            refusal: None,
            run_time: Err("it was not looked for yet".into()),
            version_max: 0,
        };
        Self {
            path,
            versions: Versions::of(home),
            current: ArcSwap::from_pointee(looked.in_force(0)),
            looked: Mutex::new(looked),
            grants: Grants::new(GRANTS_BYTES_MAX),
        }
    }

    /// What the principal may see now. Costs each rule a look where it is not at hand.
    pub(crate) fn granted(&self, principal: &Principal) -> Arc<Granted> {
        self.grants.of(&self.current.load(), principal)
    }

    /// What the principal may see now, if that is at hand or so quickly resolved that another thread is not worth it.
    pub(crate) fn granted_at_once(&self, principal: &Principal) -> Option<Arc<Granted>> {
        let in_force = self.current.load();
        match in_force.policy.n_rules() <= RULES_AT_ONCE_MAX {
            true => Some(self.grants.of(&in_force, principal)),
            false => self.grants.at_hand(&in_force, principal),
        }
    }

    /// How often a principal's grant was at hand.
    pub(crate) fn grants_tally(&self) -> &Tally {
        self.grants.tally()
    }

    /// The policy in force, as long as the caller holds it.
    pub(crate) fn in_force(&self) -> Arc<InForce> {
        self.current.load_full()
    }

    /// Whether the policy in force calls the principal an admin.
    pub(crate) fn is_admin(&self, principal: &Principal) -> bool {
        self.current.load().policy.is_admin(principal)
    }

    /// Looks at the file and at the run-time rules, and puts what is good and changed into force. Blocks on the disk; a
    /// change is known by its content.
    ///
    /// A broken file leaves the policy before it in force; a file that is gone takes it away, and nothing is visible. A
    /// file that still changes while it is looked at is left for the next look: half of a policy may well parse, and
    /// allow more than the whole. Whoever replaces a policy by renaming a finished file needs no such luck.
    ///
    /// Run-time rules are written by programs, not by people: where they cannot be read something is wrong that may hide a
    /// revocation, so nothing is visible until it is mended.
    pub(crate) fn reload(&self) {
        let mut looked = self.look();
        let file_changed = self.look_at_file(&mut looked);
        if self.look_at_run_time(&mut looked) || file_changed {
            self.put_into_force(&looked);
        }
    }

    /// Changes the run-time rules: written down first, then in force, then told. `expected` are versions, one of which must
    /// be in force; `now` is in seconds of Unix time. Blocks on the disk.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub(crate) fn change(
        &self,
        request: Request,
        expected: impl FnOnce(&str) -> bool,
        by: &str,
        now: u64,
    ) -> Result<(Arc<InForce>, Made), ChangeError> {
        if let Request::Add(rule) = &request {
            Rule::new(RuleName::RunTime(String::new()), (**rule).clone()).map_err(ChangeError::BadRule)?;
        }
        let mut looked = self.look();
        let lock = self.versions.lock().map_err(ChangeError::Store)?;
        // Another process may have changed them since the last look.
        if self.look_at_run_time(&mut looked) {
            self.put_into_force(&looked);
        }
        let in_force = self.in_force();
        if !expected(&in_force.version) {
            return Err(ChangeError::OtherVersion { in_force: Arc::clone(&in_force.version) });
        }
        let names = self.versions.list().map_err(ChangeError::Store)?;
        let version = names.last().map_or(0, |name| name.version).max(looked.version_max) + 1;
        let (made, rules) = match request {
            Request::Add(rule) => added(&looked.run_time, *rule, version, by, now)?,
            Request::Remove(id) => removed(&looked.run_time, id)?,
            Request::RollBack(0) => (Made::RolledBack(0), Vec::new()),
            Request::RollBack(to) => {
                let mut named = names.iter().filter(|name| name.version == to);
                let name = named.next().ok_or(ChangeError::NoSuchVersion)?;
                // To take one of two would be to guess, and the other may be the one that took a grant away.
                if named.next().is_some() {
                    let folder = self.versions.folder().to_owned();
                    return Err(ChangeError::Store(RunTimeError::Twice { folder, version: to }));
                }
                (Made::RolledBack(to), self.versions.read(name).map_err(ChangeError::Store)?.written().to_vec())
            }
        };
        let record = Record::new(version, now, by.to_owned(), made.clone(), rules);
        looked.take(self.versions.write(&lock, record).map_err(ChangeError::Store)?);
        self.put_into_force(&looked);
        if let Err(error) = self.versions.remove_older(&lock) {
            tracing::warn!(error = %error, "old versions of the run-time rules could not be removed");
        }
        Ok((self.in_force(), made))
    }

    /// The versions of the run-time rules, newest first. Blocks on the disk.
    pub(crate) fn version_rows(&self) -> Result<Vec<VersionRow>, RunTimeError> {
        self.versions.rows()
    }

    fn look(&self) -> MutexGuard<'_, Looked> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whether something is to be put into force, or told.
    fn look_at_file(&self, looked: &mut Looked) -> bool {
        let text = file::read(&self.path);
        let seen = Seen::of(&text);
        if looked.seen.as_ref() == Some(&seen) {
            return false;
        }
        std::thread::sleep(SETTLE_TIME);
        if Seen::of(&file::read(&self.path)) != seen {
            return false;
        }
        looked.seen = Some(seen);
        let in_file = |source| PolicyError::InFile { path: self.path.clone(), source: Box::new(source) };
        match text.and_then(|text| Policy::parse(&text).map_err(in_file)) {
            Ok(policy) => {
                looked.refusal = None;
                tracing::info!(
                    policy.digest = policy.digest(),
                    policy.n_rules = policy.n_rules(),
                    "policy is in force"
                );
                looked.file = Some(policy);
            }
            Err(error) => {
                if !self.path.exists() {
                    looked.file = None;
                }
                let effect = match looked.file {
                    Some(_) => "the policy before it stays in force",
                    None => "nothing is visible to anybody",
                };
                tracing::error!(error = %error, "policy refused: {effect}");
                looked.refusal = Some(error.to_string());
            }
        }
        true
    }

    /// Says whether something is to be put into force. What is there is read only where it is not what is known.
    fn look_at_run_time(&self, looked: &mut Looked) -> bool {
        let newest = match self.versions.newest_name() {
            Ok(name) => {
                let (version, sum) = name.as_ref().map_or((0, ""), |name| (name.version, name.sum.as_str()));
                if looked.run_time.as_ref().is_ok_and(|known| known.version() == version && known.sum() == sum) {
                    return false;
                }
                if version < looked.version_max {
                    let (folder, seen) = (self.versions.folder().to_owned(), looked.version_max);
                    Err(RunTimeError::WentBack { folder, seen, newest: version })
                } else {
                    name.map_or_else(|| Ok(RunTimeRules::none()), |name| self.versions.read(&name))
                }
            }
            Err(error) => Err(error),
        };
        match newest {
            Ok(rules) => {
                if rules.version() > 0 {
                    let (version, n_rules) = (rules.version(), rules.written().len());
                    tracing::info!(
                        run_time.version = version,
                        run_time.n_rules = n_rules,
                        "run-time rules are in force"
                    );
                }
                looked.take(rules);
            }
            Err(error) => {
                let reason: Arc<str> = error.to_string().into();
                if looked.run_time.as_ref().is_err_and(|known| *known == reason) {
                    return false;
                }
                tracing::error!(error = %error, "run-time rules refused: nothing is visible to anybody");
                looked.run_time = Err(reason);
            }
        }
        true
    }

    fn put_into_force(&self, looked: &Looked) {
        let before = self.current.load();
        let mut next = looked.in_force(before.serial);
        if next.version != before.version || next.file.loaded != before.file.loaded {
            next.serial += 1;
        }
        let is_other = next.serial != before.serial;
        drop(before);
        self.current.store(Arc::new(next));
        if is_other {
            self.grants.forget();
        }
    }
}

impl Looked {
    fn take(&mut self, rules: RunTimeRules) {
        self.version_max = self.version_max.max(rules.version());
        self.run_time = Ok(Arc::new(rules));
    }

    fn in_force(&self, serial: u64) -> InForce {
        let policy = match (&self.file, &self.run_time) {
            (None, _) => Policy::nothing(),
            (Some(file), Ok(rules)) => file.clone().with(rules),
            (Some(file), Err(_)) => file.clone().shut(),
        };
        InForce {
            version: policy.version().into(),
            policy: Arc::new(policy),
            file: FileState {
                loaded: self.file.is_some(),
                digest: self.file.as_ref().map(|file| file.digest().to_owned()),
                n_rules: self.file.as_ref().map_or(0, Policy::n_rules),
                refusal: self.refusal.clone(),
            },
            run_time: self.run_time.clone(),
            serial,
        }
    }
}

impl Seen {
    fn of(text: &Result<String, PolicyError>) -> Self {
        match text {
            Ok(text) => Self::Text(file::digest(text)),
            Err(error) => Self::Unreadable(error.to_string()),
        }
    }
}

/// The rules with one more.
fn added(
    before: &RunTimeState,
    rule: WrittenRule,
    version: u64,
    by: &str,
    now: u64,
) -> Result<(Made, Vec<RunTimeRule>), ChangeError> {
    let mut rules = known(before)?.written().to_vec();
    // Of two that say the same, removing one would revoke nothing.
    let same = |known: &&RunTimeRule| {
        WrittenRule { note: None, ..known.rule.clone() } == WrittenRule { note: None, ..rule.clone() }
    };
    if let Some(same) = rules.iter().find(same) {
        return Err(ChangeError::Exists { id: same.id.clone() });
    }
    if rules.len() >= RUN_TIME_RULES_MAX {
        return Err(ChangeError::TooManyRules);
    }
    let id = format!("r{version}");
    rules.push(RunTimeRule { id: id.clone(), by: by.to_owned(), unix_s: now, rule });
    Ok((Made::Added(id), rules))
}

/// The rules without one.
fn removed(before: &RunTimeState, id: String) -> Result<(Made, Vec<RunTimeRule>), ChangeError> {
    let mut rules = known(before)?.written().to_vec();
    let n_before = rules.len();
    rules.retain(|rule| rule.id != id);
    if rules.len() == n_before { Err(ChangeError::NoSuchRule) } else { Ok((Made::Removed(id), rules)) }
}

fn known(state: &RunTimeState) -> Result<&RunTimeRules, ChangeError> {
    state.as_deref().map_err(|reason| ChangeError::Refused(Arc::clone(reason)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// This policy, in force.
    pub(in crate::policy) fn in_force(policy: Policy) -> InForce {
        let run_time = Ok(Arc::new(RunTimeRules::none()));
        Looked { seen: None, file: Some(policy), refusal: None, run_time, version_max: 0 }.in_force(1)
    }
}
