//! The model of CR 1.11: what is known of each account's failures, and when it has to be locked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::model::Model;
use super::stage::Event;
use super::step::{Shown, Spelling, Step};
use crate::fuzz::finding::{Finding, Oracle};

/// A device that counts whole seconds may end a lock this much early.
const TICK: Duration = Duration::from_secs(1);
/// What is wrong.
const OPENED: &str = "the right password is taken where the account has to be locked";
const LOCKED: &str = "an account is locked for which nobody has failed";
const WRONG: &str = "a wrong password is taken";

/// What is known of each account.
#[derive(Debug)]
pub struct Locks {
    limit: u32,
    lockout: Option<Duration>,
    accounts: BTreeMap<String, Account>,
    /// Whether the right password came while an account had to be locked.
    judged: bool,
}

/// What is known of one account. The device may count more than this: tries in another spelling of the name, a login that
/// was left, right passwords that it refused.
#[derive(Debug, Default)]
struct Account {
    standing: Standing,
    /// Whether anything came that may count.
    tried: bool,
    /// The spellings that the device has let this account in by, and where: it takes them for its name.
    names: BTreeSet<(String, &'static str)>,
}

#[derive(Debug)]
enum Standing {
    /// So many failures are counted at least.
    Counting(u32),
    /// It is locked, until this moment at least; without one, until an administrator unlocks it.
    Locked(Option<Instant>),
    /// It may be locked or not: nothing counts before the right password has been taken.
    Unclear,
}

impl Default for Standing {
    fn default() -> Self {
        Self::Counting(0)
    }
}

impl Locks {
    /// Nobody has failed yet.
    pub fn of(limit: u32, lockout: Option<Duration>) -> Self {
        Self {
            limit,
            lockout,
            accounts: BTreeMap::new(),
            judged: false,
        }
    }
}

impl Model for Locks {
    fn saw(&mut self, step: &Step, began: Instant, event: &Event) -> Option<Finding> {
        match (step, event) {
            (
                Step::Try {
                    account,
                    interface,
                    password,
                    spelling,
                },
                Event::In | Event::Refused(_),
            ) => {
                let (limit, lockout) = (self.limit, self.lockout);
                let known = self.accounts.entry(account.clone()).or_default();
                let name = (interface.clone(), word(*spelling));
                self.judged |= *password == Shown::Right && known.has_to_be_locked();
                let own = *spelling == Spelling::Right || known.names.contains(&name);
                match (password, event) {
                    (Shown::Wrong, Event::In) => {
                        let seen = format!("`{account}` on `{interface}`");
                        Some(Finding::new(Oracle::Model, WRONG, seen))
                    }
                    (Shown::Wrong, _) => {
                        known.failed(own, began, limit, lockout);
                        None
                    }
                    (Shown::Right, Event::In) => {
                        known.names.insert(name);
                        let locked = known.taken();
                        locked.then(|| {
                            let by = match spelling {
                                Spelling::Right => String::new(),
                                other => format!(" ({})", word(*other)),
                            };
                            let seen = format!(
                                "`{account}`{by} is let in on `{interface}` after {limit} wrong passwords"
                            );
                            Finding::new(Oracle::Model, OPENED, seen)
                        })
                    }
                    (Shown::Right, _) if own => known.kept_out(account, interface),
                    (Shown::Right, _) => {
                        known.tried = true;
                        None
                    }
                }
            }
            (Step::Abandon { account, .. }, Event::Done) => {
                self.accounts.entry(account.clone()).or_default().tried = true;
                None
            }
            // A device may forget a count when its power is cut, and not a lock.
            (Step::PowerCycle, Event::Done) => {
                for known in self.accounts.values_mut() {
                    if let Standing::Counting(count) = &mut known.standing {
                        *count = 0;
                    }
                }
                None
            }
            _ => None,
        }
    }

    fn judged(&self) -> bool {
        self.judged
    }

    /// A refusal that nobody has brought about is asked for again: it may be the bench's.
    fn patience(&self, finding: &Finding) -> Option<Duration> {
        (finding.what == LOCKED).then_some(Duration::ZERO)
    }
}

impl Account {
    fn failed(&mut self, own: bool, began: Instant, limit: u32, lockout: Option<Duration>) {
        self.tried = true;
        if let Standing::Counting(count) = &mut self.standing
            && own
        {
            *count += 1;
            if *count >= limit {
                let least = |period: Duration| began + period - TICK.min(period / 4);
                self.standing = Standing::Locked(lockout.map(least));
            }
        }
    }

    fn has_to_be_locked(&self) -> bool {
        match &self.standing {
            Standing::Locked(until) => until.is_none_or(|until| Instant::now() < until),
            _ => false,
        }
    }

    /// The right password was taken; whether it must not have been.
    fn taken(&mut self) -> bool {
        let locked = self.has_to_be_locked();
        self.standing = Standing::Counting(0);
        locked
    }

    /// The right password was refused.
    fn kept_out(&mut self, account: &str, interface: &str) -> Option<Finding> {
        if !self.tried {
            let seen = format!("`{account}` is not let in on `{interface}`");
            return Some(Finding::by_silence(Oracle::Model, LOCKED, seen));
        }
        // It may have counted more than is known, and what it counts now is not known either.
        if let Standing::Counting(_) = self.standing {
            self.standing = Standing::Unclear;
        }
        None
    }
}

fn word(spelling: Spelling) -> &'static str {
    match spelling {
        Spelling::Right => "as it is",
        Spelling::Capitals => "in capital letters",
        Spelling::Nul => "with a NUL after it",
        Spelling::Space => "with a space after it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locks() -> Locks {
        Locks::of(2, Some(Duration::from_secs(2)))
    }

    fn tried(password: Shown, spelling: Spelling) -> Step {
        Step::Try {
            account: "olga".to_owned(),
            interface: "console".to_owned(),
            password,
            spelling,
        }
    }

    fn said(model: &mut Locks, step: Step, event: &Event) -> Option<String> {
        let found = model.saw(&step, Instant::now(), event);
        found.map(|found| found.what)
    }

    const OUT: Event = Event::Refused(String::new());

    #[test]
    fn the_right_password_must_not_open_a_locked_account() {
        let mut model = locks();
        for _ in 0..2 {
            assert_eq!(
                said(&mut model, tried(Shown::Wrong, Spelling::Right), &OUT),
                None
            );
        }
        let right = tried(Shown::Right, Spelling::Right);
        assert_eq!(said(&mut model, right.clone(), &OUT), None);
        assert_eq!(said(&mut model, Step::PowerCycle, &Event::Done), None);
        assert_eq!(said(&mut model, right, &Event::In).as_deref(), Some(OPENED));
    }

    #[test]
    fn a_count_begins_anew_after_a_success_and_may_be_forgotten_without_power() {
        for between in [tried(Shown::Right, Spelling::Right), Step::PowerCycle] {
            let mut model = locks();
            let event = match between {
                Step::PowerCycle => Event::Done,
                _ => Event::In,
            };
            said(&mut model, tried(Shown::Wrong, Spelling::Right), &OUT);
            said(&mut model, between, &event);
            said(&mut model, tried(Shown::Wrong, Spelling::Right), &OUT);
            assert_eq!(
                said(&mut model, tried(Shown::Right, Spelling::Right), &Event::In),
                None
            );
        }
    }

    #[test]
    fn another_spelling_counts_only_where_the_device_takes_it_for_the_name() {
        let wrong = || tried(Shown::Wrong, Spelling::Capitals);
        let right = || tried(Shown::Right, Spelling::Capitals);
        let mut model = locks();
        for _ in 0..2 {
            said(&mut model, wrong(), &OUT);
        }
        assert_eq!(said(&mut model, right(), &Event::In), None);
        for _ in 0..2 {
            said(&mut model, wrong(), &OUT);
        }
        assert_eq!(
            said(&mut model, right(), &Event::In).as_deref(),
            Some(OPENED)
        );
    }

    #[test]
    fn an_account_that_nobody_has_tried_is_open() {
        let mut model = locks();
        let right = tried(Shown::Right, Spelling::Right);
        assert_eq!(
            said(&mut model, right.clone(), &OUT).as_deref(),
            Some(LOCKED)
        );
        said(&mut model, tried(Shown::Wrong, Spelling::Right), &OUT);
        assert_eq!(said(&mut model, right, &OUT), None);
    }

    #[test]
    fn after_its_time_a_lock_says_nothing_before_the_next_success() {
        let mut model = locks();
        model.lockout = Some(Duration::ZERO);
        for _ in 0..4 {
            said(&mut model, tried(Shown::Wrong, Spelling::Right), &OUT);
        }
        assert_eq!(
            said(&mut model, tried(Shown::Right, Spelling::Right), &Event::In),
            None
        );
    }
}
