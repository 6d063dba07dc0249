//! CR 2.1 and its RE(1) over histories: nobody without the right ever changes protected state, in no order of logins, role changes,
//! logouts, new connections and restarts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use slcert_rigs::rig::{Rig, User};
use tokio::time::Instant;

use super::model::{Cast, Model, anybody};
use super::owed::{holds, permission};
use super::stage::Event;
use super::step::Step;
use crate::case::Fits;
use crate::fuzz::finding::{Finding, Oracle};
use crate::hands::hands;
use crate::procedure::{Procedure, Stop};
use crate::session::{revoked_within, watches};

/// The longest time for which what was revoked is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who comes, and what can be asked for.
#[derive(Clone, Debug)]
pub struct Changes {
    rig: Arc<Rig>,
    /// Whose interfaces are judged.
    users: User,
    /// All that anybody can ask for.
    asks: Vec<Asks>,
    /// Rights that can be given and taken away, by role and operation.
    rights: Vec<(String, String)>,
    cycles: bool,
}

impl Changes {
    /// The accounts of a rig that can ask for a change on their interface.
    ///
    /// # Errors
    /// NOT EVALUATED where no change can be read back, or none of these users lacks a right; NOT APPLICABLE where there are
    /// to be no such users.
    pub fn of(p: &Procedure<'_>, users: User) -> Result<Self, Stop> {
        let rig = p.rig();
        if !rig.interfaces.values().any(|it| it.used_by(users)) {
            let fits = match users {
                User::Human => Fits::HUMAN,
                _ => Fits::PROCESS,
            };
            let why = format!("this rig has no interface {}", fits.describe());
            return Err(match p.declared_absent() {
                Some(reason) => {
                    Stop::not_applicable(format!("declared absent: {reason}; and {why}"))
                }
                None => Stop::not_evaluated(why),
            });
        }
        let mut asks = asks(p);
        asks.retain(|it| !watches(rig, &it.account));
        let lacks =
            |it: &Asks| is_of(rig, &it.interface, users) && !rig.may(&it.account, &it.operation);
        if !asks.iter().any(lacks) {
            return Err(Stop::not_evaluated(
                "no account of these users lacks a right to a change that can be read back",
            ));
        }
        let change = ["grant", "revoke"].iter().all(|it| p.anywhere(it).is_ok());
        let soon = revoked_within(p) <= PATIENCE;
        let mut rights: Vec<_> = asks
            .iter()
            .map(|it| {
                let role = rig.accounts[it.account.as_str()].role.value.as_str();
                (role.to_owned(), it.operation.clone())
            })
            .filter(|_| change && soon)
            .collect();
        rights.sort();
        rights.dedup();
        Ok(Self {
            rig: Arc::new(rig.clone()),
            users,
            asks,
            rights,
            cycles: p.bench().can_power_cycle(),
        })
    }

    /// Who asks for what: an interface, an account there, and an operation.
    fn anybody(&self, judged: bool) -> BoxedStrategy<Asks> {
        let asks = self.asks.iter();
        let asks = asks.filter(|it| !judged || is_of(&self.rig, &it.interface, self.users));
        anybody(asks, |it| &it.interface)
    }

    /// Somebody, and another one: the more often one who may do the same, on another interface.
    fn two(&self) -> BoxedStrategy<(Asks, Asks)> {
        let cast = self.clone();
        // Few of all who can ask have a right that can be taken, or lack one that somebody uses elsewhere: most faults are
        // about these.
        let judged = self.asks.iter();
        let judged = judged.filter(|it| is_of(&self.rig, &it.interface, self.users));
        let takes = judged.clone().filter(|it| self.taken(it).is_some());
        let lacks = judged.filter(|it| {
            let used = |other: &&Asks| {
                other.operation == it.operation
                    && other.interface != it.interface
                    && self.rig.may(&other.account, &other.operation)
            };
            !self.rig.may(&it.account, &it.operation) && self.asks.iter().any(|other| used(&other))
        });
        let some: [Vec<Asks>; 2] = [takes.cloned().collect(), lacks.cloned().collect()];
        let some = some.into_iter().filter(|them| !them.is_empty());
        let some = some.map(|them| prop::sample::select(them).boxed());
        let who = proptest::strategy::Union::new(some.chain([self.anybody(true)]));
        let two = who.prop_flat_map(move |who| {
            let same = cast.asks.iter().filter(|it| {
                it.operation == who.operation && cast.rig.may(&it.account, &it.operation)
            });
            let (here, elsewhere): (Vec<_>, Vec<_>) =
                same.cloned().partition(|it| it.interface == who.interface);
            let arms = [(1, here), (2, elsewhere)].into_iter();
            let arms = arms.filter(|(_, them)| !them.is_empty());
            let arms = arms.map(|(weight, them)| (weight, prop::sample::select(them).boxed()));
            let arms = arms.chain([(1, cast.anybody(false))]);
            let other = proptest::strategy::Union::new_weighted(arms.collect());
            (Just(who), other)
        });
        two.boxed()
    }

    /// Takes somebody's right, where they have it and it can be taken.
    fn taken(&self, who: &Asks) -> Option<Step> {
        let role = self.rig.accounts.get(who.account.as_str())?;
        let role = role.role.value.as_str().to_owned();
        let operation = who.operation.clone();
        let taken = holds(&self.rig, &role, &operation)
            && self.rights.contains(&(role.clone(), operation.clone()));
        taken.then_some(Step::Revoke { role, operation })
    }

    /// Whether a right that was taken stays so, through whatever ends a session.
    fn stays(
        &self,
        who: &Asks,
        revoke: Step,
        any: BoxedStrategy<Step>,
    ) -> BoxedStrategy<Vec<Step>> {
        let mut ends = vec![Step::Logout { session: 1 }, Step::Vanish { session: 1 }];
        ends.extend(self.cycles.then_some(Step::PowerCycle));
        let ends = prop::sample::select(ends);
        let (some, more) = (
            prop::collection::vec(any.clone(), 0..=1),
            prop::collection::vec(any, 0..=1),
        );
        let asks = who.performs(1);
        (some, prop::bool::ANY, ends, more)
            .prop_map(move |(some, again, end, more)| {
                let begun = [asks.clone(), revoke.clone()];
                let ended = [end, asks.clone()];
                begun
                    .into_iter()
                    .chain(some)
                    .chain(again.then(|| asks.clone()))
                    .chain(more)
                    .chain(ended)
                    .collect()
            })
            .boxed()
    }

    /// A step of one of the two, or of an administrator.
    fn step(&self, who: &Asks, other: &Asks) -> BoxedStrategy<Step> {
        let session = || 1..=2u8;
        let mut steps = vec![
            (6, Just(who.performs(1)).boxed()),
            (3, Just(other.performs(2)).boxed()),
            (
                1,
                session()
                    .prop_map(|session| Step::Logout { session })
                    .boxed(),
            ),
            (
                1,
                session()
                    .prop_map(|session| Step::Vanish { session })
                    .boxed(),
            ),
        ];
        let role = self.rig.accounts.get(who.account.as_str());
        let role = role.map(|it| it.role.value.as_str().to_owned());
        let right = (role.unwrap_or_default(), who.operation.clone());
        if self.rights.contains(&right) {
            let (role, operation) = right.clone();
            steps.push((1, Just(Step::Grant { role, operation }).boxed()));
            let (role, operation) = right;
            let held = if holds(&self.rig, &role, &operation) {
                5
            } else {
                1
            };
            steps.push((held, Just(Step::Revoke { role, operation }).boxed()));
        }
        if self.cycles {
            steps.push((2, Just(Step::PowerCycle).boxed()));
        }
        proptest::strategy::Union::new_weighted(steps).boxed()
    }
}

/// Two who ask for what each wants, one after the other: what one may do is no right of the other's.
fn in_turn(who: &Asks, other: &Asks, any: BoxedStrategy<Step>) -> BoxedStrategy<Vec<Step>> {
    let (asks, theirs) = (who.performs(1), other.performs(2));
    (1..=3usize, prop::collection::vec(any, 0..=1))
        .prop_map(move |(turns, some)| {
            let turns = (0..turns).flat_map(|_| [theirs.clone(), asks.clone()]);
            std::iter::once(asks.clone())
                .chain(some)
                .chain(turns)
                .collect()
        })
        .boxed()
}

impl Cast for Changes {
    fn label(&self) -> &'static str {
        "a history of sessions and rights"
    }

    /// Histories about one right of one account, with others who use theirs in between.
    fn histories(&self) -> BoxedStrategy<Vec<Step>> {
        let cast = self.clone();
        let about = self.two();
        let histories = about.prop_flat_map(move |(who, other)| {
            let any = cast.step(&who, &other);
            // It begins in a session: what comes after is what may change it.
            let begun = who.clone();
            let free = prop::collection::vec(any.clone(), 2..=8).prop_map(move |mut steps| {
                steps.insert(0, begun.performs(1));
                steps
            });
            match cast.taken(&who) {
                Some(revoke) => prop_oneof![2 => free, 1 => cast.stays(&who, revoke, any)].boxed(),
                None => prop_oneof![2 => free, 1 => in_turn(&who, &other, any)].boxed(),
            }
        });
        histories.boxed()
    }

    fn any_step(&self) -> BoxedStrategy<Step> {
        let cast = self.clone();
        let about = self.two();
        about
            .prop_flat_map(move |(who, other)| cast.step(&who, &other))
            .boxed()
    }

    fn control(&self) -> Vec<Step> {
        let mut asks = self.asks.iter();
        let may = asks.find(|it| self.rig.may(&it.account, &it.operation));
        may.map(|it| it.performs(1)).into_iter().collect()
    }

    fn model(&self) -> Box<dyn Model> {
        Box::new(Rights {
            rig: Arc::clone(&self.rig),
            users: self.users,
            changed: BTreeMap::new(),
            judged: false,
        })
    }
}

/// Somebody, and what they ask for.
#[derive(Clone, Debug)]
pub struct Asks {
    /// The account.
    pub account: String,
    /// Where.
    pub interface: String,
    /// The operation.
    pub operation: String,
}

impl Asks {
    /// Asks for it in a session.
    pub fn performs(&self, session: u8) -> Step {
        Step::Perform {
            session,
            account: self.account.clone(),
            interface: self.interface.clone(),
            operation: self.operation.clone(),
        }
    }
}

/// Which role has which rights now, where that is not what the rig file says.
#[derive(Debug)]
pub struct Rights {
    rig: Arc<Rig>,
    /// Whose interfaces are judged.
    users: User,
    /// By role and permission. Nothing is known of a right whose change the device did not acknowledge.
    changed: BTreeMap<(String, String), Option<bool>>,
    /// Whether anybody has changed anything.
    judged: bool,
}

impl Model for Rights {
    fn saw(&mut self, step: &Step, _began: Instant, event: &Event) -> Option<Finding> {
        self.judged |= matches!(event, Event::Asked { changed: true, .. });
        match (step, event) {
            (Step::Grant { role, operation }, _) => {
                self.set(role, operation, (*event == Event::Done).then_some(true));
                None
            }
            (Step::Revoke { role, operation }, _) => {
                self.set(role, operation, (*event == Event::Done).then_some(false));
                None
            }
            (
                Step::Perform {
                    account,
                    interface,
                    operation,
                    ..
                },
                Event::Asked {
                    changed: true,
                    seen,
                },
            ) if is_of(&self.rig, interface, self.users)
                && !self.may(account, interface, operation) =>
            {
                Some(Finding::new(
                    Oracle::Model,
                    format!("`{operation}` is done for somebody who has no right to it"),
                    format!("`{account}` on `{interface}`: {seen}"),
                ))
            }
            _ => None,
        }
    }

    fn judged(&self) -> bool {
        self.judged
    }
}

impl Rights {
    fn set(&mut self, role: &str, operation: &str, may: Option<bool>) {
        let right = (role.to_owned(), permission(&self.rig, operation));
        self.changed.insert(right, may);
    }

    fn may(&self, account: &str, interface: &str, operation: &str) -> bool {
        let described = self.rig.accounts.get(account);
        let Some(role) = described.map(|it| it.role.value.as_str()) else {
            return false;
        };
        let open = self
            .rig
            .interface(interface)
            .is_some_and(|it| it.is_open(operation));
        match self
            .changed
            .get(&(role.to_owned(), permission(&self.rig, operation)))
        {
            Some(Some(may)) => *may || open,
            Some(None) => true,
            None => open || holds(&self.rig, role, operation),
        }
    }
}

/// All changes that can be read back, and all who can ask for them, where that is bound.
pub fn asks(p: &Procedure<'_>) -> Vec<Asks> {
    let (rig, operations) = (p.rig(), changes(p));
    let mut all = Vec::new();
    for (name, account) in &rig.accounts {
        for place in &account.interfaces {
            let bound = operations
                .iter()
                .filter(|it| rig.binding(it, place.as_str()).is_some());
            all.extend(bound.map(|it| Asks {
                account: name.as_str().to_owned(),
                interface: place.as_str().to_owned(),
                operation: (*it).to_owned(),
            }));
        }
    }
    all
}

/// The operations of a rig whose change somebody may make and somebody may read back.
fn changes<'r>(p: &Procedure<'r>) -> Vec<&'r str> {
    let rig = p.rig();
    let changes = rig.operations.iter().filter(|(_, it)| it.changes_state());
    changes
        .map(|(name, _)| name.as_str())
        .filter(|name| hands(p, name).is_ok())
        .filter(|name| {
            let read_back = rig.operations[*name].read_back.as_ref();
            read_back.is_some_and(|it| hands(p, it.value.as_str()).is_ok())
        })
        .collect()
}

/// Whether an interface is there for such users.
fn is_of(rig: &Rig, interface: &str, users: User) -> bool {
    rig.interface(interface).is_some_and(|it| it.used_by(users))
}

#[cfg(test)]
mod tests {
    use slcert_profiles::file::Source;
    use slcert_rigs::rig::SIMULATED;

    use super::*;

    fn rights() -> Rights {
        Rights {
            rig: Arc::new(Rig::load(&Source::new("simulated.toml", SIMULATED)).unwrap()),
            users: User::Process,
            changed: BTreeMap::new(),
            judged: false,
        }
    }

    fn wrote(model: &mut Rights, account: &str, changed: bool) -> bool {
        let step = Step::Perform {
            session: 1,
            account: account.to_owned(),
            interface: "gateway".to_owned(),
            operation: "write_output".to_owned(),
        };
        let event = Event::Asked {
            changed,
            seen: String::new(),
        };
        model.saw(&step, Instant::now(), &event).is_some()
    }

    fn change(model: &mut Rights, give: bool, event: &Event) {
        let (role, operation) = ("controller".to_owned(), "write_sealed".to_owned());
        let step = if give {
            Step::Grant { role, operation }
        } else {
            Step::Revoke { role, operation }
        };
        assert!(model.saw(&step, Instant::now(), event).is_none());
    }

    #[test]
    fn a_change_is_wrong_where_the_role_has_no_right_to_it() {
        let mut model = rights();
        assert!(!wrote(&mut model, "gw-control", true));
        assert!(wrote(&mut model, "gw-telemetry", true));
        assert!(!wrote(&mut model, "gw-telemetry", false));
    }

    #[test]
    fn a_right_that_was_taken_away_is_gone_for_all_that_it_is_for() {
        let mut model = rights();
        change(&mut model, false, &Event::Done);
        assert!(wrote(&mut model, "gw-control", true));
        change(&mut model, true, &Event::Done);
        assert!(!wrote(&mut model, "gw-control", true));
    }

    #[test]
    fn nothing_is_known_of_a_right_whose_change_was_not_acknowledged() {
        let mut model = rights();
        change(&mut model, false, &Event::Refused(String::new()));
        assert!(!wrote(&mut model, "gw-control", true));
    }
}
