//! CR 1.11 over histories: no order of attempts gets more tries than the policy allows, opens a locked account, or locks
//! another.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use slcert_rigs::rig::InterfaceKind;
use tokio::time::Instant;

use super::model::{Cast, Model};
use super::stage::Event;
use super::step::{Shown, Spelling, Step};
use crate::fuzz::finding::{Finding, Oracle};
use crate::procedure::{Procedure, Stop};
use crate::session::watches;

/// The longest lock that is waited for where no administrator ends it.
const LONGEST: Duration = Duration::from_secs(20);
/// The most failures in a row that a history has time for.
const MOST: u32 = 10;
/// A device that counts whole seconds may end a lock this much early.
const TICK: Duration = Duration::from_secs(1);
/// What is wrong.
const OPENED: &str = "the right password is taken where the account has to be locked";
const LOCKED: &str = "an account is locked for which nobody has failed";
const WRONG: &str = "a wrong password is taken";

/// Who comes, and what the rig file says of locks.
#[derive(Clone, Debug)]
pub struct Attempts {
    limit: u32,
    lockout: Option<Duration>,
    /// The accounts, each with its ways in.
    accounts: Vec<(String, Vec<String>)>,
    /// The interfaces that are consoles.
    consoles: Vec<String>,
    cycles: bool,
}

impl Attempts {
    /// The accounts of a rig that have a password.
    ///
    /// # Errors
    /// NOT EVALUATED where the rig file does not state the policy, or no account can be locked and unlocked again; NOT
    /// APPLICABLE where nobody is to log in with a password.
    pub fn of(p: &Procedure<'_>) -> Result<Self, Stop> {
        let rig = p.rig();
        let by_password = rig.accounts.values().any(|it| it.password.is_some());
        if let Some(reason) = p.declared_absent().filter(|_| !by_password) {
            return Err(Stop::not_applicable(format!(
                "declared absent: {reason}; and no account of this rig has a password"
            )));
        }
        let limit = rig.policy.failed_logins.ok_or_else(|| {
            Stop::not_evaluated("the rig file states no limit (`policy.failed_logins`)")
        })?;
        if limit > MOST {
            return Err(Stop::not_evaluated(format!(
                "{limit} failures in a row are more than a history has time for ({MOST})"
            )));
        }
        let lockout = rig.policy.lockout.map(|period| period.0);
        let unlocks = p
            .anywhere("unlock_account")
            .ok()
            .map(|(_, account)| account);
        let waits = lockout.is_some_and(|period| period <= LONGEST);
        if unlocks.is_none() && !waits {
            return Err(Stop::not_evaluated(format!(
                "nobody can unlock an account (`unlock_account`), and no lock ends within {} s",
                LONGEST.as_secs()
            )));
        }
        let by_password = rig.accounts.iter().filter(|(name, account)| {
            account.password.is_some()
                && !watches(rig, name.as_str())
                && unlocks != Some(name.as_str())
        });
        let accounts: Vec<_> = by_password
            .map(|(name, account)| {
                let places = account
                    .interfaces
                    .iter()
                    .map(|place| place.as_str().to_owned());
                (name.as_str().to_owned(), places.collect::<Vec<_>>())
            })
            .filter(|(_, places)| !places.is_empty())
            .collect();
        if accounts.is_empty() {
            return Err(Stop::not_evaluated(
                "no account with a password is listed that may be locked",
            ));
        }
        let consoles = rig
            .interfaces
            .iter()
            .filter(|(_, it)| it.kind == InterfaceKind::Console);
        Ok(Self {
            limit,
            lockout,
            accounts,
            consoles: consoles.map(|(name, _)| name.as_str().to_owned()).collect(),
            cycles: p.bench().can_power_cycle(),
        })
    }

    /// What comes between the failures of an account.
    fn between(&self, at: usize) -> BoxedStrategy<Step> {
        let right = || Just(Spelling::Right).boxed();
        let mut steps = vec![
            (2, self.attempt(at, Shown::Wrong, other())),
            (1, self.attempt(at, Shown::Right, right())),
            (2, self.attempt(at, Shown::Right, other())),
            (1, (50u64..400).prop_map(|ms| Step::Pause { ms }).boxed()),
        ];
        if self.accounts.len() > 1 {
            let others = (0..self.accounts.len()).filter(move |it| *it != at);
            let others = others.map(|it| self.attempt(it, Shown::Right, right()));
            steps.push((3, proptest::strategy::Union::new(others).boxed()));
        }
        if let Some(left) = self.left(at) {
            steps.push((4, left));
        }
        if self.cycles {
            steps.push((2, Just(Step::PowerCycle).boxed()));
        }
        proptest::strategy::Union::new_weighted(steps).boxed()
    }

    fn place(&self, at: usize) -> BoxedStrategy<(String, String)> {
        let (account, places) = self.accounts[at].clone();
        let place = prop::sample::select(places);
        place
            .prop_map(move |place| (account.clone(), place))
            .boxed()
    }

    fn attempt(
        &self,
        at: usize,
        password: Shown,
        spelling: BoxedStrategy<Spelling>,
    ) -> BoxedStrategy<Step> {
        let tried = (self.place(at), spelling);
        tried
            .prop_map(move |((account, interface), spelling)| Step::Try {
                account,
                interface,
                password,
                spelling,
            })
            .boxed()
    }

    /// A login that is left after the name: consoles alone ask for one thing after the other.
    fn left(&self, at: usize) -> Option<BoxedStrategy<Step>> {
        let (account, places) = self.accounts[at].clone();
        let consoles = places.into_iter().filter(|it| self.consoles.contains(it));
        let left = consoles.map(|interface| Step::Abandon {
            account: account.clone(),
            interface,
        });
        let left: Vec<_> = left.collect();
        (!left.is_empty()).then(|| prop::sample::select(left).boxed())
    }
}

impl Cast for Attempts {
    fn label(&self) -> &'static str {
        "a history of attempts"
    }

    /// Histories of attempts at one account, with others in between, and a right password at the end.
    fn histories(&self) -> BoxedStrategy<Vec<Step>> {
        let cast = self.clone();
        // Who has more ways in is the more often tried.
        let whose = (0..)
            .zip(&self.accounts)
            .map(|(at, (_, places))| (places.len() as u32, Just(at)));
        proptest::strategy::Union::new_weighted(whose.collect::<Vec<_>>())
            .prop_flat_map(move |at| {
                let right = || Just(Spelling::Right).boxed();
                let wrong = cast.attempt(at, Shown::Wrong, right());
                let between = || prop::option::weighted(0.6, cast.between(at));
                let count = cast.limit as usize..=cast.limit as usize + 1;
                let tries = prop::collection::vec((between(), wrong), count);
                let spelling = prop_oneof![4 => right(), 1 => other()];
                let last = cast.attempt(at, Shown::Right, spelling.boxed());
                (tries, between(), last).prop_map(|(tries, between, last)| {
                    let tries = tries.into_iter().flat_map(|(between, wrong)| {
                        let wrong = std::iter::once(wrong);
                        between.into_iter().chain(wrong)
                    });
                    tries.chain(between).chain([last]).collect()
                })
            })
            .boxed()
    }

    fn any_step(&self) -> BoxedStrategy<Step> {
        let cast = self.clone();
        let whose = 0..self.accounts.len();
        whose.prop_flat_map(move |at| cast.between(at)).boxed()
    }

    fn model(&self) -> Box<dyn Model> {
        Box::new(Locks {
            limit: self.limit,
            lockout: self.lockout,
            accounts: BTreeMap::new(),
        })
    }
}

/// What is known of each account.
#[derive(Debug)]
pub struct Locks {
    limit: u32,
    lockout: Option<Duration>,
    accounts: BTreeMap<String, Account>,
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
            (Step::PutBack, _) => {
                self.accounts.clear();
                None
            }
            _ => None,
        }
    }

    /// A refusal that nobody has brought about is asked for again: it may be the bench's.
    fn doubts(&self, finding: &Finding) -> bool {
        finding.what == LOCKED
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

    /// The right password was taken; whether it must not have been.
    fn taken(&mut self) -> bool {
        let now = Instant::now();
        let locked = match &self.standing {
            Standing::Locked(until) => until.is_none_or(|until| now < until),
            _ => false,
        };
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

fn other() -> BoxedStrategy<Spelling> {
    prop::sample::select(&Spelling::OTHERS[..]).boxed()
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
        Locks {
            limit: 2,
            lockout: Some(Duration::from_secs(2)),
            accounts: BTreeMap::new(),
        }
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
