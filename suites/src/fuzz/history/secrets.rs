//! CR 4.1 over histories: in no order of events does a password that was planted stand in what the device sends.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use tokio::time::Instant;

use super::change::{Fault, asks_for_more};
use super::model::{Cast, Model, anybody};
use super::readers::{Reader, readers};
use super::stage::Event;
use super::step::{Shown, Spelling, Step};
use crate::case::Fits;
use crate::fuzz::finding::Finding;
use crate::procedure::{Procedure, Stop};
use crate::session::watches;

/// The longest lock that is waited for where no administrator ends it.
const LONGEST: Duration = Duration::from_secs(20);
/// The most passwords that have to be set until an old one may be set again.
const MOST_REMEMBERED: u32 = 4;
/// How many events there are before the look.
const EVENTS: RangeInclusive<usize> = 3..=6;

/// Whose passwords are planted, and who looks.
#[derive(Clone, Debug)]
pub struct Secrets {
    users: Vec<User>,
    /// They can together read all that can be read.
    readers: Vec<Reader>,
    /// Whether logins may fail: an account that is locked can be used again.
    fails: bool,
    cycles: bool,
}

/// An account with a password.
#[derive(Clone, Debug)]
struct User {
    account: String,
    /// Where it logs in.
    places: Vec<String>,
    /// How its password is changed: where its user does; none for an administrator.
    ways: Vec<Option<String>>,
    /// Why such a change has to be refused, where it has to.
    faults: Vec<(Option<String>, Fault)>,
}

impl Secrets {
    /// The accounts of a rig that have a password.
    ///
    /// # Errors
    /// NOT EVALUATED where there are none, or nothing can be read.
    pub fn of(p: &Procedure<'_>) -> Result<Self, Stop> {
        let rig = p.rig();
        let needed = ["set_password", "unlock_account"].map(|it| p.anywhere(it).ok());
        let needed: BTreeSet<&str> = needed.into_iter().flatten().map(|(_, by)| by).collect();
        let users: Vec<User> = rig
            .accounts
            .iter()
            .filter(|(name, account)| {
                let free = !needed.contains(name.as_str()) && !watches(rig, name.as_str());
                free && account.password.is_some() && account.certificate.is_none()
            })
            .map(|(name, _)| user(p, name.as_str()))
            .filter(|user| !user.places.is_empty())
            .collect();
        if users.is_empty() {
            return Err(Stop::not_evaluated(
                "no secret can be planted: no account with a password is listed, beside those whose hands the bench needs",
            ));
        }
        let readers = readers(rig);
        if readers.is_empty() {
            return Err(Stop::not_evaluated(
                "no operation that only reads is bound on an interface for an account that may perform it",
            ));
        }
        let waits = rig.policy.lockout.is_some_and(|it| it.0 <= LONGEST);
        let unlocks = p.anywhere("unlock_account").is_ok();
        let fails = rig.policy.failed_logins.is_none() || waits || unlocks;
        if !fails && users.iter().all(|user| user.ways.is_empty()) {
            return Err(Stop::not_evaluated(
                "no secret can be planted: no password can be changed, and nobody can unlock an account whose login fails",
            ));
        }
        Ok(Self {
            users,
            readers,
            fails,
            cycles: p.bench().can_power_cycle(),
        })
    }

    fn tries(&self, user: &User, password: Shown) -> BoxedStrategy<Step> {
        let account = user.account.clone();
        let places = select(user.places.clone());
        places
            .prop_map(move |place| attempt(&account, &place, password))
            .boxed()
    }

    /// A look or two; whoever can read more looks more often.
    fn looks(&self) -> BoxedStrategy<Vec<Step>> {
        let weighted = self.readers.iter().map(|it| (it.weight, Just(it.look())));
        let one = Union::new_weighted(weighted.collect::<Vec<_>>());
        prop::collection::vec(one, 1..=2).boxed()
    }

    /// What happens to one account, or beside it.
    fn event(&self, user: &User) -> BoxedStrategy<Step> {
        let (session, account) = (1, user.account.clone());
        let comes = select(user.places.clone()).prop_map(move |interface| Step::Login {
            session,
            account: account.clone(),
            interface,
            kept: false,
        });
        let goes = select(vec![Step::Logout { session }, Step::Vanish { session }]);
        let looks = select(self.readers.clone()).prop_map(|it| it.look());
        let mut events = vec![
            (8, self.tries(user, Shown::Right)),
            (1, comes.boxed()),
            (1, goes.boxed()),
            (1, looks.boxed()),
        ];
        let account = user.account.clone();
        let changes = move |(way, fault)| change(&account, way, fault);
        if !user.ways.is_empty() {
            let right = select(user.ways.clone()).prop_map(|way| (way, None));
            events.push((6, right.prop_map(changes.clone()).boxed()));
        }
        let mut faults = user.faults.clone();
        faults.retain(|(_, fault)| self.fails || *fault != Fault::WrongOld);
        if !faults.is_empty() {
            let faulty = anybody(&faults, |(_, fault)| fault.word());
            let faulty = faulty.prop_map(|(way, fault)| (way, Some(fault)));
            events.push((8, faulty.prop_map(changes).boxed()));
        }
        if self.fails {
            events.push((5, self.tries(user, Shown::Wrong)));
        }
        Union::new_weighted(events).boxed()
    }

    /// Where among the events the power is cut, if it is. Once at most: it takes its time, and a device may forget by it what
    /// it would have told.
    fn cut(&self) -> BoxedStrategy<Option<usize>> {
        match self.cycles {
            true => prop::option::weighted(0.3, 0..=*EVENTS.end()).boxed(),
            false => Just(None).boxed(),
        }
    }

    /// Anybody; who has more ways in, and more to another password, is the more often there.
    fn anybody(&self) -> BoxedStrategy<User> {
        let users = self.users.iter();
        let weighted = users.map(|it| {
            let many = it.places.len() + it.ways.len();
            (many as u32, Just(it.clone()))
        });
        Union::new_weighted(weighted.collect::<Vec<_>>()).boxed()
    }
}

impl Cast for Secrets {
    fn label(&self) -> &'static str {
        "a history of secrets"
    }

    fn listens(&self) -> bool {
        true
    }

    /// Histories of one account, and a look at their end.
    fn histories(&self) -> BoxedStrategy<Vec<Step>> {
        let cast = self.clone();
        let whose = self.anybody();
        whose
            .prop_flat_map(move |user| {
                let events = prop::collection::vec(cast.event(&user), EVENTS);
                let whole = (events, cast.cut(), cast.looks());
                whole.prop_map(|(mut events, cut, looks)| {
                    if let Some(at) = cut {
                        events.insert(at.min(events.len()), Step::PowerCycle);
                    }
                    [events, looks].concat()
                })
            })
            .boxed()
    }

    fn any_step(&self) -> BoxedStrategy<Step> {
        let cast = self.clone();
        let whose = self.anybody();
        let event = whose.prop_flat_map(move |user| cast.event(&user));
        match self.cycles {
            true => prop_oneof![8 => event, 1 => Just(Step::PowerCycle)].boxed(),
            false => event.boxed(),
        }
    }

    /// A password is changed where one can be, used wherever that is, and looked for wherever something can be read.
    fn control(&self) -> Vec<Step> {
        let changed = self.users.iter().find(|it| !it.ways.is_empty());
        let user = changed.unwrap_or(&self.users[0]);
        let way = user.ways.first();
        let planted = match way {
            Some(way) => change(&user.account, way.clone(), None),
            None => attempt(&user.account, &user.places[0], Shown::Wrong),
        };
        let comes = user.places.iter();
        let comes = comes.map(|place| attempt(&user.account, place, Shown::Right));
        let looks = self.readers.iter().map(Reader::look);
        [planted].into_iter().chain(comes).chain(looks).collect()
    }

    fn model(&self) -> Box<dyn Model> {
        Box::new(Used {
            changes: self.users.iter().any(|it| !it.ways.is_empty()),
            ..Used::default()
        })
    }
}

fn user(p: &Procedure<'_>, account: &str) -> User {
    let rig = p.rig();
    let owns = |name: &str| rig.accounts_on(name).any(|(it, _)| it.as_str() == account);
    let there = rig.interfaces.iter();
    let places: Vec<String> = there
        .filter(|(name, it)| Fits::PASSWORD.kinds.contains(&it.kind) && owns(name.as_str()))
        .map(|(name, _)| name.as_str().to_owned())
        .collect();
    let own = places.iter().filter(|name| {
        rig.binding("change_own_password", name).is_some()
            && rig.may(account, "change_own_password")
    });
    let life = rig.policy.password_life.unwrap_or_default();
    let old = life.history.unwrap_or(0) <= MOST_REMEMBERED;
    let young = life.minimum_days.unwrap_or(0) == 0;
    let own = own.filter(|_| old && young).cloned().map(Some);
    let set = (old && p.anywhere("set_password").is_ok()).then_some(None);
    let ways: Vec<Option<String>> = own.chain(set).collect();
    let too_simple = asks_for_more(rig).then_some(Fault::TooSimple);
    let faults = ways.iter().flat_map(|way| {
        let wrong = way.as_ref().map(|_| Fault::WrongOld);
        let faults = wrong.into_iter().chain(too_simple);
        faults.map(|fault| (way.clone(), fault))
    });
    User {
        account: account.to_owned(),
        faults: faults.collect(),
        places,
        ways,
    }
}

fn attempt(account: &str, interface: &str, password: Shown) -> Step {
    Step::Try {
        account: account.to_owned(),
        interface: interface.to_owned(),
        password,
        spelling: Spelling::Right,
    }
}

fn change(account: &str, interface: Option<String>, fault: Option<Fault>) -> Step {
    Step::Change {
        account: account.to_owned(),
        interface,
        fault,
    }
}

/// What came about: the looks themselves are behind each step.
#[derive(Default)]
struct Used {
    /// Whether passwords can be changed.
    changes: bool,
    planted: bool,
    used: bool,
    read: bool,
}

impl Model for Used {
    fn saw(&mut self, step: &Step, _began: Instant, event: &Event) -> Option<Finding> {
        match (step, event) {
            (Step::Change { fault: None, .. }, Event::Done) => self.planted = true,
            (Step::Try { password, .. }, _) if *password == Shown::Wrong => {
                self.planted |= !self.changes;
            }
            (Step::Try { .. }, Event::In) => self.used |= self.planted,
            (Step::ReadAll { .. }, Event::Done) => self.read |= self.used,
            _ => {}
        }
        None
    }

    fn judged(&self) -> bool {
        self.read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(changes: bool, steps: &[(Step, Event)]) -> bool {
        let mut model = Used {
            changes,
            ..Used::default()
        };
        for (step, event) in steps {
            assert_eq!(model.saw(step, Instant::now(), event), None);
        }
        model.judged()
    }

    #[test]
    fn a_silence_counts_once_a_planted_password_was_used_and_all_was_read() {
        let planted = (change("vera", None, None), Event::Done);
        let refused = Event::Refused(String::new());
        let comes = attempt("vera", "console", Shown::Right);
        let read = Step::ReadAll {
            account: "ada".to_owned(),
            interface: "console".to_owned(),
        };
        let wrong = attempt("vera", "console", Shown::Wrong);
        let wrong = (wrong, refused.clone());
        let (used, read) = ((comes.clone(), Event::In), (read, Event::Done));
        assert!(judged(true, &[planted.clone(), used.clone(), read.clone()]));
        assert!(!judged(true, &[used.clone(), read.clone()]));
        assert!(!judged(true, &[wrong.clone(), used.clone(), read.clone()]));
        assert!(!judged(
            true,
            &[planted.clone(), (comes, refused), read.clone()]
        ));
        assert!(!judged(true, &[read.clone(), planted, used.clone()]));
        assert!(judged(false, &[wrong, used.clone(), read.clone()]));
        assert!(!judged(false, &[used, read]));
    }
}
