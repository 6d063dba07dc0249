//! CR 1.11 over histories: no order of attempts gets more tries than the policy allows, opens a locked account, or locks
//! another.

use std::time::Duration;

use proptest::prelude::*;
use slcert_rigs::rig::InterfaceKind;

use super::locks::Locks;
use super::model::{Cast, Model};
use super::step::{Shown, Spelling, Step};
use crate::procedure::{Procedure, Stop};
use crate::session::watches;

/// The longest lock that is waited for where no administrator ends it.
const LONGEST: Duration = Duration::from_secs(20);
/// The most failures in a row that a history has time for.
const MOST: u32 = 10;

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

    fn control(&self) -> Vec<Step> {
        let first = self.accounts.first();
        let tried = |password: Shown| {
            first.map(|(account, places)| Step::Try {
                account: account.clone(),
                interface: places[0].clone(),
                password,
                spelling: Spelling::Right,
            })
        };
        let wrong = (0..self.limit).filter_map(|_| tried(Shown::Wrong));
        wrong.chain(tried(Shown::Right)).collect()
    }

    fn model(&self) -> Box<dyn Model> {
        Box::new(Locks::of(self.limit, self.lockout))
    }
}

fn other() -> BoxedStrategy<Spelling> {
    prop::sample::select(&Spelling::OTHERS[..]).boxed()
}
