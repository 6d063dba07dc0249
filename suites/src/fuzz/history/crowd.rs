//! CR 2.7 over histories: a user has no more sessions than stated, and gets as many, whatever sessions came and went, in whatever way.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::Union;
use slcert_rigs::rig::{InterfaceKind, SessionLimit};

use super::model::{Cast, Model, anybody};
use super::room::Room;
use super::step::Step;
use crate::procedure::{Procedure, Stop};
use crate::session::{reading, watches};

/// The limit that the device is set to, where it can be set.
const FEW: u32 = 2;
/// The highest limit that a history fills.
const MOST: u32 = 6;

/// Who comes, and how many of them there may be.
#[derive(Clone, Debug)]
pub struct Crowds {
    users: Vec<User>,
    limits: BTreeMap<String, SessionLimit>,
    /// What the device is set to for each history.
    set: Option<u32>,
    cycles: bool,
}

/// An account whose sessions on an interface are counted.
#[derive(Clone, Debug)]
struct User {
    account: String,
    interface: String,
    most: u32,
    /// Whether a connection can be left there behind its handshake.
    knocks: bool,
    /// The other interfaces of the account.
    elsewhere: Vec<String>,
}

impl Crowds {
    /// The accounts of a rig that can read something on an interface whose sessions are limited.
    ///
    /// # Errors
    /// NOT EVALUATED where no limit is stated, or none that a history has time for; NOT APPLICABLE where there are to be no
    /// sessions over a network.
    pub fn of(p: &Procedure<'_>) -> Result<Self, Stop> {
        let rig = p.rig();
        let kinds = [InterfaceKind::ModbusTls, InterfaceKind::Mqtt];
        let mut there = rig.interfaces.values();
        let known = there.any(|it| kinds.contains(&it.kind) && it.has_identity());
        if let Some(reason) = p.declared_absent().filter(|_| !known) {
            return Err(Stop::not_applicable(format!(
                "declared absent: {reason}; and no interface has sessions over a network that know their user"
            )));
        }
        let stated = |name: &str| rig.policy.sessions.get(name).map(|it| it.value);
        let mut limits: BTreeMap<String, SessionLimit> = BTreeMap::new();
        for (name, interface) in &rig.interfaces {
            let limited = kinds.contains(&interface.kind) && interface.has_identity();
            if let Some(limit) = stated(name.as_str()).filter(|_| limited) {
                limits.insert(name.as_str().to_owned(), limit);
            }
        }
        let mut all = rig.policy.sessions.values().map(|it| it.value.most);
        let first = all.next();
        let alike = all.all(|most| Some(most) == first);
        let set = (alike && p.anywhere("set_session_limit").is_ok()).then_some(FEW);
        let high = limits.values().map(|it| it.most).max();
        if set.is_none() {
            limits.retain(|_, limit| limit.most <= MOST);
        }
        let mut users = Vec::new();
        for (interface, limit) in &limits {
            for (account, described) in rig.accounts_on(interface) {
                let account = account.as_str();
                if watches(rig, account) || reading(rig, interface, account).is_none() {
                    continue;
                }
                let places = described.interfaces.iter().map(|it| it.as_str().to_owned());
                users.push(User {
                    account: account.to_owned(),
                    interface: interface.clone(),
                    most: set.unwrap_or(limit.most),
                    knocks: rig.interface(interface).map(|it| it.kind)
                        == Some(InterfaceKind::ModbusTls),
                    elsewhere: places.filter(|it| it != interface).collect(),
                });
            }
        }
        if users.is_empty() {
            return Err(Stop::not_evaluated(match high {
                None => "the rig file states no number of sessions for an interface over a network (`policy.sessions`)".to_owned(),
                Some(most) if most > MOST && set.is_none() => format!(
                    "a user may have {most} sessions: set the device to at most {MOST} for the test, or bind `set_session_limit`"
                ),
                Some(_) => "no account may read anything where sessions are limited, but one that watches an essential function".to_owned(),
            }));
        }
        limits.retain(|name, _| users.iter().any(|it| it.interface == *name));
        Ok(Self {
            users,
            limits,
            set,
            cycles: p.bench().can_power_cycle(),
        })
    }

    /// Anybody, each interface as often as the others.
    fn anybody(&self) -> BoxedStrategy<User> {
        anybody(&self.users, |it| &it.interface)
    }

    /// What comes before there are as many as there may be, some of it more than once.
    fn before(&self, user: &User) -> BoxedStrategy<Vec<Step>> {
        let most = user.most as u8;
        let comes = |user: &User| {
            let user = user.clone();
            (1..=most + 1).prop_map(move |number| (number, user.comes(number)))
        };
        let stays = comes(user).prop_map(|(_, comes)| vec![comes]);
        let logs_out =
            comes(user).prop_map(|(session, comes)| vec![comes, Step::Logout { session }]);
        let vanishes =
            comes(user).prop_map(|(session, comes)| vec![comes, Step::Vanish { session }]);
        let other = self.anybody().prop_map(|it| vec![it.comes(21)]);
        let mut steps = vec![
            (2, stays.boxed()),
            (2, logs_out.boxed()),
            (2, vanishes.boxed()),
            (1, other.boxed()),
        ];
        if user.knocks {
            let (account, interface) = (user.account.clone(), user.interface.clone());
            steps.push((4, Just(vec![Step::Abandon { account, interface }]).boxed()));
        }
        if !user.elsewhere.is_empty() {
            let account = user.account.clone();
            let places = prop::sample::select(user.elsewhere.clone());
            let comes = places.prop_map(move |interface| {
                vec![Step::Login {
                    session: 22,
                    account: account.clone(),
                    interface,
                    kept: false,
                }]
            });
            steps.push((4, comes.boxed()));
        }
        if self.cycles {
            // A device may forget what it was set to.
            let cut = std::iter::once(Step::PowerCycle).chain(self.set());
            steps.push((1, Just(cut.collect()).boxed()));
        }
        let again = (Union::new_weighted(steps), 1..=user.most as usize + 1);
        again
            .prop_map(|(steps, times)| vec![steps; times].concat())
            .boxed()
    }

    fn set(&self) -> impl Iterator<Item = Step> + use<> {
        self.set.map(|most| Step::Limit { most }).into_iter()
    }

    /// One session more than there may be, and a look at all of them.
    fn fill(&self, user: &User) -> Vec<Step> {
        let comes = (1..=user.most as u8 + 1).map(|number| user.comes(number));
        let (account, interface) = (user.account.clone(), user.interface.clone());
        comes.chain([Step::Count { account, interface }]).collect()
    }
}

impl User {
    fn comes(&self, session: u8) -> Step {
        Step::Login {
            session,
            account: self.account.clone(),
            interface: self.interface.clone(),
            kept: false,
        }
    }
}

impl Cast for Crowds {
    fn label(&self) -> &'static str {
        "a history of sessions and their number"
    }

    fn histories(&self) -> BoxedStrategy<Vec<Step>> {
        let cast = self.clone();
        let about = self.anybody();
        about
            .prop_flat_map(move |user| {
                let before = prop::collection::vec(cast.before(&user), 1..=3);
                let (set, fill): (Vec<_>, _) = (cast.set().collect(), cast.fill(&user));
                before.prop_map(move |before| {
                    let before = before.into_iter().flatten();
                    set.iter()
                        .cloned()
                        .chain(before)
                        .chain(fill.clone())
                        .collect()
                })
            })
            .boxed()
    }

    fn any_step(&self) -> BoxedStrategy<Step> {
        let cast = self.clone();
        let about = self.anybody();
        let steps = about.prop_flat_map(move |user| cast.before(&user));
        steps.prop_map(|mut steps| steps.swap_remove(0)).boxed()
    }

    /// One session too many on each interface.
    fn control(&self) -> Vec<Step> {
        let mut steps: Vec<_> = self.set().collect();
        for interface in self.limits.keys() {
            let user = self.users.iter().find(|it| it.interface == *interface);
            steps.extend(user.into_iter().flat_map(|user| self.fill(user)));
        }
        steps
    }

    fn model(&self) -> Box<dyn Model> {
        Box::new(Room::of(self.limits.clone()))
    }
}
