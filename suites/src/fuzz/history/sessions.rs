//! CR 3.8 and CR 2.6 over histories: a session that was left, ended from elsewhere or cut off by a restart is over, whoever comes
//! in between; and the end of one user's session ends no other's.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::Union;
use slcert_rigs::rig::{self, InterfaceKind};

use super::alive::locks;
use super::ended::{Ended, Stated};
use super::model::{Cast, Model, anybody};
use super::step::Step;
use crate::hands::reader;
use crate::lingering::question;
use crate::procedure::{Procedure, Stop};
use crate::session::{deed, revoked_within, stays_open, watches};

/// For how long a session that nobody uses stays open, where the rig file says nothing else.
const STEADY: Duration = Duration::from_secs(5);

/// Who comes, and how their sessions end.
#[derive(Clone, Debug)]
pub struct Visits {
    visitors: Vec<Visitor>,
    stated: Stated,
    cycles: bool,
}

/// An account on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Visitor {
    account: String,
    interface: String,
    /// Whether that is a console.
    console: bool,
    /// Whether it is at a broker.
    brokered: bool,
    /// Whether something is left of a session by which one could come back.
    returns: bool,
    /// Whether an administrator can end it.
    ends: bool,
    /// Whether it can be locked.
    locks: bool,
}

impl Visits {
    /// The accounts of a rig whose sessions show that they are alive, and of which it can be shown that they are over.
    ///
    /// # Errors
    /// NOT EVALUATED where there are none; NOT APPLICABLE where there are to be no sessions.
    pub fn of(p: &Procedure<'_>) -> Result<Self, Stop> {
        let rig = p.rig();
        let admin = ["list_sessions", "end_session"].map(|it| p.anywhere(it).ok());
        let mut visitors = Vec::new();
        let mut busy: BTreeSet<String> = admin
            .iter()
            .flatten()
            .map(|(place, _)| (*place).to_owned())
            .collect();
        for (name, interface) in &rig.interfaces {
            let name = name.as_str();
            let console = interface.kind == InterfaceKind::Console;
            let returns = match interface.kind {
                InterfaceKind::Console => question(p, name).is_ok(),
                kind => kind == InterfaceKind::Mqtt,
            };
            if !interface.has_identity() {
                continue;
            }
            for account in rig.accounts_on(name).map(|(account, _)| account.as_str()) {
                let Some(operation) = deed(p, name, account).filter(|_| !watches(rig, account))
                else {
                    continue;
                };
                let read_back = rig.operations[operation].read_back.as_ref();
                let witness = read_back.and_then(|it| reader(p, it.value.as_str()).ok());
                busy.extend(witness.and_then(|it| it.interface()).map(str::to_owned));
                let is_admin = admin.iter().flatten().any(|(_, it)| *it == account);
                let ends = admin[1].is_some() && !is_admin && stays_open(p, name, "end_session");
                let visitor = Visitor {
                    account: account.to_owned(),
                    interface: name.to_owned(),
                    console,
                    brokered: interface.kind == InterfaceKind::Mqtt,
                    returns,
                    ends: ends && !console,
                    locks: locks(rig, name).is_some() && rig.accounts[account].password.is_some(),
                };
                if visitor.returns || visitor.ends {
                    visitors.push(visitor);
                }
            }
        }
        let known = rig.interfaces.values().any(|it| it.has_identity());
        if let Some(reason) = p.declared_absent().filter(|_| !known) {
            return Err(Stop::not_applicable(format!(
                "declared absent: {reason}; and no interface of this rig knows its user"
            )));
        }
        if visitors.is_empty() {
            return Err(Stop::not_evaluated(
                "of no session of this rig anything is left to come back by, and none is ended by an administrator (`end_session`)",
            ));
        }
        let policy = &rig.policy;
        let people = rig.interfaces.values().any(|it| {
            let remote = it.has_identity() && !it.kind.is_serial();
            remote && it.used_by(rig::User::Human)
        });
        let idle = [policy.session_lock.filter(|_| people), policy.remote_idle];
        let steady = idle.iter().flatten().map(|period| period.0 / 2);
        let remote = visitors.iter().filter(|it| it.ends);
        let interfaces = visitors.iter().map(|it| it.interface.clone()).collect();
        Ok(Self {
            stated: Stated {
                revocation: revoked_within(p),
                steady: steady.min().unwrap_or(STEADY).min(STEADY),
                busy,
                remote: remote.map(|it| it.interface.clone()).collect(),
                users: rig
                    .accounts
                    .keys()
                    .map(|it| (it.to_string(), p.bench().user(it.as_str()).to_owned()))
                    .collect(),
                interfaces,
            },
            visitors,
            cycles: p.bench().can_power_cycle(),
        })
    }

    /// Anybody, each interface as often as the others.
    fn anybody(&self) -> BoxedStrategy<Visitor> {
        anybody(&self.visitors, |it| &it.interface)
    }

    /// Somebody, and another one: the more often one on the same interface.
    fn two(&self) -> BoxedStrategy<(Visitor, Visitor)> {
        let cast = self.clone();
        let two = self.anybody().prop_flat_map(move |who| {
            let near = cast.others(&who);
            let other = match near.is_empty() {
                true => cast.anybody(),
                false => prop_oneof![prop::sample::select(near), cast.anybody()].boxed(),
            };
            (Just(who), other)
        });
        two.boxed()
    }

    /// The other accounts of an interface.
    fn others(&self, who: &Visitor) -> Vec<Visitor> {
        let all = self.visitors.iter();
        let others = all.filter(|it| it.interface == who.interface && it.account != who.account);
        others.cloned().collect()
    }

    /// How a session ends.
    fn end(&self, who: &Visitor) -> BoxedStrategy<Step> {
        let (session, account) = (1, who.account.clone());
        let mut ends = vec![(2, Just(Step::Logout { session }).boxed())];
        // A console's line stays up, whoever leaves it, and is another one after a restart.
        if who.console {
            return ends.swap_remove(0).1;
        }
        ends.push((1, Just(Step::Vanish { session }).boxed()));
        if who.ends {
            ends.push((5, Just(Step::Terminate { account }).boxed()));
        }
        if self.cycles {
            ends.push((2, Just(Step::PowerCycle).boxed()));
        }
        Union::new_weighted(ends).boxed()
    }

    /// What comes when a session is over. On a console, whoever comes next would take its place.
    fn after(&self, who: &Visitor) -> BoxedStrategy<Vec<Step>> {
        let pause = (20u64..200).prop_map(|ms| Step::Pause { ms });
        match who.console {
            true => prop::collection::vec(pause, 0..=1).boxed(),
            false => prop::collection::vec(self.between(who), 0..=2).boxed(),
        }
    }

    /// What comes in between.
    fn between(&self, who: &Visitor) -> BoxedStrategy<Step> {
        let (session, others) = (1, 2..=3u8);
        let logs_out = others.clone().prop_map(|session| Step::Logout { session });
        let vanishes = others.prop_map(|session| Step::Vanish { session });
        let acts = (1..=3u8).prop_map(|session| Step::Act { session });
        let pauses = (20u64..200).prop_map(|ms| Step::Pause { ms });
        let mut steps = vec![
            (2, acts.boxed()),
            (1, logs_out.boxed()),
            (1, vanishes.boxed()),
            (1, pauses.boxed()),
        ];
        // Whoever comes to a console ends the session there.
        let elsewhere = |it: &&Visitor| !who.console || it.interface != who.interface;
        let others: Vec<_> = self.visitors.iter().filter(elsewhere).cloned().collect();
        if !others.is_empty() {
            let comes = prop::sample::select(others).prop_map(|it| it.comes(3));
            steps.push((3, comes.boxed()));
        }
        if !who.console {
            steps.push((3, Just(who.comes(2)).boxed()));
        }
        if who.locks {
            steps.push((12, Just(Step::Lock { session }).boxed()));
        }
        if who.returns {
            steps.push((1, Just(Step::Return { session }).boxed()));
        }
        if self.cycles {
            steps.push((1, Just(Step::PowerCycle).boxed()));
        }
        Union::new_weighted(steps).boxed()
    }
}

impl Visitor {
    fn comes(&self, session: u8) -> Step {
        Step::Login {
            session,
            account: self.account.clone(),
            interface: self.interface.clone(),
            kept: false,
        }
    }

    /// Comes to a session that a broker is to keep.
    fn comes_to_stay(&self, session: u8) -> Step {
        Step::Login {
            session,
            account: self.account.clone(),
            interface: self.interface.clone(),
            kept: true,
        }
    }

    /// Comes with what a broker knew another one's session by.
    fn takes(&self, session: u8) -> Step {
        let account = self.account.clone();
        Step::Take { session, account }
    }

    /// What shows that the first session is over.
    fn tried(&self) -> Vec<Step> {
        let session = 1;
        let acts = self.ends.then_some(Step::Act { session });
        let returns = self.returns.then_some(Step::Return { session });
        acts.into_iter().chain(returns).collect()
    }
}

/// Two users, of whom one is ended: the other one's session goes on.
fn spared(who: &Visitor, other: &Visitor, end: BoxedStrategy<Step>) -> BoxedStrategy<Vec<Step>> {
    let begun = [who.comes(1), other.comes(2), Step::Act { session: 2 }];
    end.prop_map(move |end| {
        let ended = [end, Step::Act { session: 2 }];
        begun.iter().cloned().chain(ended).collect()
    })
    .boxed()
}

impl Cast for Visits {
    fn label(&self) -> &'static str {
        "a history of sessions"
    }

    /// Histories of one session, its end, and what is tried with it then; and of two users.
    fn histories(&self) -> BoxedStrategy<Vec<Step>> {
        let cast = self.clone();
        self.two()
            .prop_flat_map(move |(who, other)| {
                let between = prop::collection::vec(cast.between(&who), 0..=2);
                let begun = match who.brokered {
                    true => prop_oneof![Just(who.comes(1)), Just(who.comes_to_stay(1))].boxed(),
                    false => Just(who.comes(1)).boxed(),
                };
                let mut tried = who.tried();
                let near = who.interface == other.interface && who.account != other.account;
                if who.brokered && near {
                    tried.insert(0, other.takes(1));
                }
                let one = (begun, between, cast.end(&who), cast.after(&who)).prop_map(
                    move |(begun, some, end, more)| {
                        let begun = [begun, Step::Act { session: 1 }];
                        let ended = std::iter::once(end);
                        let steps = begun.into_iter().chain(some).chain(ended).chain(more);
                        steps.chain(tried.clone()).collect()
                    },
                );
                if who.account == other.account {
                    return one.boxed();
                }
                prop_oneof![2 => one, 1 => spared(&who, &other, cast.end(&who))].boxed()
            })
            .boxed()
    }

    fn any_step(&self) -> BoxedStrategy<Step> {
        let cast = self.clone();
        let about = self.anybody();
        about.prop_flat_map(move |who| cast.between(&who)).boxed()
    }

    /// A session on each interface that is ended, and tried when it is over; where a broker keeps one, another user comes for it.
    fn control(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for interface in &self.stated.interfaces {
            let here = self.visitors.iter().filter(|it| it.interface == *interface);
            let Some(who) = here.max_by_key(|it| (it.ends, it.returns)) else {
                continue;
            };
            let end = match who.ends {
                true => Step::Terminate {
                    account: who.account.clone(),
                },
                false => Step::Logout { session: 1 },
            };
            steps.extend([who.comes(1), Step::Act { session: 1 }, end]);
            steps.extend(who.tried());
            let other = self.others(who).into_iter().next();
            if let Some(other) = other.filter(|_| who.brokered) {
                let session = 1;
                let left = [Step::Act { session }, Step::Vanish { session }];
                steps.push(who.comes_to_stay(session));
                steps.extend(left);
                steps.push(other.takes(session));
            }
        }
        steps
    }

    fn model(&self) -> Box<dyn Model> {
        Box::new(Ended::of(self.stated.clone()))
    }
}
