//! Logins: one way in for every interface, so that failures count together.

use std::time::{Duration, Instant};

use crate::account::Account;
use crate::audit::{Category, Source};
use crate::controller::{Actor, Controller};
use crate::device::STALL;
use crate::flaw::Defect;
use crate::password::Hash;
use crate::policy::Policy;
use crate::role::{self, Users};

/// What a failed login may be told apart by; the interfaces do not, unless flawed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    Unknown,
    Refused,
    /// The credentials are right, and the password is too old.
    Expired,
}

/// What the credentials are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Login,
    /// To unlock the own session.
    Unlock,
    /// To change the own password.
    PasswordChange,
}

impl Purpose {
    fn kind(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Unlock => "unlock",
            Self::PasswordChange => "reauthenticate",
        }
    }
}

/// What one connection counts when the flaw `lockout-per-connection` is on.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    failures: u32,
    locked_until: Option<Instant>,
}

/// What a login came to, for the audit log.
enum Verdict {
    Welcome,
    Wrong { locks: bool },
    Locked,
}

impl Controller {
    /// Checks a name, a password, and the code of a second factor where one is demanded.
    ///
    /// Every try costs the same and is refused alike, whatever the reason. A try while the account is locked is refused and does not
    /// prolong the lock.
    pub(crate) async fn login(
        &self,
        source: Source,
        purpose: Purpose,
        name: &str,
        (password, code): (&str, &str),
        attempts: &mut Attempts,
    ) -> Result<Actor, Failed> {
        let respelled = self.uncounted(name);
        let name = respelled.as_deref().unwrap_or(name);
        let account = self.state().accounts.get(name).cloned();
        let known = account.is_some();
        let expired = purpose == Purpose::Login
            && account
                .as_ref()
                .is_some_and(|account| self.is_expired(account));
        let role = account
            .as_ref()
            .map(|account| account.role.clone())
            .unwrap_or_default();
        let enabled = account.as_ref().is_some_and(|account| account.enabled);
        let matches = self.password_matches(account, password).await;
        let fits = role::logs_in_by(&role, source);
        // A code is used up by a login alone that its account may make.
        let matches = match purpose {
            Purpose::Login if fits && enabled => self.has_both(source, name, matches, code),
            _ => matches,
        };
        let verdict = if !known {
            Verdict::Wrong { locks: false }
        } else if respelled.is_some() {
            match matches && fits && enabled {
                true => Verdict::Welcome,
                false => Verdict::Wrong { locks: false },
            }
        } else if self.flaws.enabled(Defect::LockoutPerConnection) {
            attempts.judge(&self.policy(), matches && fits && enabled)
        } else {
            self.judge(name, matches && fits, source)
        };
        let actor = Actor {
            source,
            name: name.to_owned(),
            role,
        };
        let anonymous = Actor {
            role: String::new(),
            ..actor.clone()
        };
        if !matches!(verdict, Verdict::Welcome) {
            self.remember_refusal();
            self.remember_failed(&actor, password);
        }
        match verdict {
            Verdict::Welcome if expired => {
                let kind = purpose.kind();
                self.record(
                    &anonymous,
                    Category::Access,
                    kind,
                    false,
                    "password expired",
                );
                return Err(Failed::Expired);
            }
            Verdict::Welcome => {
                if self.flaws.enabled(Defect::LoginForgetsFailures) {
                    self.forget_failures(None);
                }
                let beside = self.beside_login(&actor);
                self.record(&actor, Category::Access, purpose.kind(), true, &beside);
                return Ok(actor);
            }
            Verdict::Wrong { locks } => {
                self.record(
                    &anonymous,
                    Category::Access,
                    purpose.kind(),
                    false,
                    "wrong credentials",
                );
                if locks {
                    if self.flaws.enabled(Defect::LockoutStallsControl) {
                        self.process.stall(STALL);
                    }
                    self.record(
                        &anonymous,
                        Category::Access,
                        "lockout",
                        true,
                        "account locked",
                    );
                }
            }
            Verdict::Locked => {
                self.record(
                    &anonymous,
                    Category::Access,
                    purpose.kind(),
                    false,
                    "account locked",
                );
            }
        }
        Err(if known {
            Failed::Refused
        } else {
            Failed::Unknown
        })
    }

    async fn password_matches(&self, account: Option<Account>, password: &str) -> bool {
        // Two at a time: a storm of logins must leave the processor to the rest.
        let Ok(_turn) = self.hashing.acquire().await else {
            return false;
        };
        let password = password.to_owned();
        let (hash, previous) = match account {
            Some(account) => (account.hash, account.previous),
            None => (Hash::unmatchable(), None),
        };
        let check = move || {
            hash.matches(&password) || previous.is_some_and(|previous| previous.matches(&password))
        };
        tokio::task::spawn_blocking(check).await.unwrap_or(false)
    }

    fn is_expired(&self, account: &Account) -> bool {
        let spared = match role::users(&account.role) {
            Users::Human => Defect::NoMaximumAge,
            Users::Process => Defect::ProcessPasswordsNeverExpire,
        };
        account.is_expired(self.clock.now().as_millisecond(), &self.policy())
            && !self.flaws.enabled(spared)
    }

    /// Judges a try against the account's own count, under the lock: tries at the same time count one by one.
    fn judge(&self, name: &str, matches: bool, source: Source) -> Verdict {
        let now = self.clock.now().as_millisecond();
        let counted = !self.flaws.enabled(Defect::NoLockout);
        let mut before = match self.state().accounts.get(name) {
            Some(account) if account.enabled => account.clone(),
            Some(_)
                if source == Source::Mqtt && self.flaws.enabled(Defect::DisabledLogsInByMqtt) =>
            {
                return if matches {
                    Verdict::Welcome
                } else {
                    Verdict::Wrong { locks: false }
                };
            }
            _ => return Verdict::Wrong { locks: false },
        };
        before.turn(source, &self.flaws);
        if matches && before.failures == 0 && before.locked_until.is_none() {
            return Verdict::Welcome;
        }
        if counted && before.is_locked(now, &self.policy()) {
            return Verdict::Locked;
        }
        self.change(|state| {
            let policy = &state.policy;
            let Some(account) = state
                .accounts
                .get_mut(name)
                .filter(|account| account.enabled)
            else {
                return Ok(Verdict::Wrong { locks: false });
            };
            account.turn(source, &self.flaws);
            let verdict = account.count(now, matches, counted, policy);
            account.turn(source, &self.flaws);
            Ok(verdict)
        })
        .unwrap_or(Verdict::Wrong { locks: false })
    }
}

impl Account {
    fn count(&mut self, now: i64, matches: bool, counted: bool, policy: &Policy) -> Verdict {
        if counted && self.is_locked(now, policy) {
            return Verdict::Locked;
        }
        if matches {
            (self.failures, self.locked_until) = (0, None);
            return Verdict::Welcome;
        }
        self.locked_until = None;
        self.failures += u32::from(counted);
        let locks = counted && self.failures >= policy.failed_logins;
        if locks {
            self.failures = 0;
            self.locked_until = Some(now + policy.lockout().as_millis() as i64);
        }
        Verdict::Wrong { locks }
    }

    fn is_locked(&self, now: i64, policy: &Policy) -> bool {
        // A clock that was set back must not lock an account for longer than the policy says.
        let left = self.locked_until.map_or(0, |until| until - now);
        (1..=policy.lockout().as_millis() as i64).contains(&left)
    }
}

impl Attempts {
    fn judge(&mut self, policy: &Policy, matches: bool) -> Verdict {
        if self
            .locked_until
            .is_some_and(|until| Instant::now() < until)
        {
            return Verdict::Locked;
        }
        self.locked_until = None;
        if matches {
            self.failures = 0;
            return Verdict::Welcome;
        }
        self.failures += 1;
        let locks = self.failures >= policy.failed_logins;
        if locks {
            *self = Self {
                failures: 0,
                locked_until: Some(Instant::now() + policy.lockout()),
            };
        }
        Verdict::Wrong { locks }
    }
}

/// How long a refused login takes on the console, whatever the reason.
pub(crate) const REFUSAL_TIME: Duration = Duration::from_millis(150);
