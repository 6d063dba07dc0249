//! The model of CR 3.8 and CR 2.6: which sessions are over, and which nobody has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::model::Model;
use super::stage::Event;
use super::step::Step;
use crate::fuzz::finding::{Finding, Oracle};

/// What is wrong.
const ALIVE: &str = "a session that an administrator has ended does something";
const BACK: &str = "a session is opened without a login by what an earlier one was known by";
const HANDED: &str = "a session is handed on to another user";
const ENDED: &str = "a session is over since another user's was ended";

/// What the rig file says of sessions.
#[derive(Clone, Debug)]
pub struct Stated {
    /// How long an ended session may go on.
    pub revocation: Duration,
    /// For how long a session surely stays open that nobody uses.
    pub steady: Duration,
    /// Where the bench itself comes in between: a session there may have to make room.
    pub busy: BTreeSet<String>,
    /// The interfaces whose sessions an administrator can end: those over a network.
    pub remote: BTreeSet<String>,
    /// The user that each account is to the device.
    pub users: BTreeMap<String, String>,
    /// The interfaces on which a plain history has to show something.
    pub interfaces: BTreeSet<String>,
}

/// What is known of each session.
#[derive(Debug)]
pub struct Ended {
    stated: Stated,
    sessions: BTreeMap<u8, Known>,
    /// The interfaces on which a session that had worked was tried when it was over.
    judged: BTreeSet<String>,
}

#[derive(Debug)]
struct Known {
    account: String,
    interface: String,
    standing: Standing,
    /// When it did something last.
    worked: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Nothing has come since it was opened or did something last.
    Open,
    /// A session of another user was ended since then, and nothing else came.
    Spared,
    /// It may be over.
    Unclear,
    /// An administrator has ended it: it may go on until this moment.
    Ended(Instant),
    /// Its user has left it, or it had no power.
    Left,
}

impl Ended {
    /// Nobody is here yet.
    pub fn of(stated: Stated) -> Self {
        Self {
            stated,
            sessions: BTreeMap::new(),
            judged: BTreeSet::new(),
        }
    }

    fn opened(&mut self, number: u8, account: &str, interface: &str) {
        let known = Known {
            account: account.to_owned(),
            interface: interface.to_owned(),
            standing: Standing::Open,
            worked: None,
        };
        self.sessions.insert(number, known);
    }

    /// Something has come that may end any session.
    fn unclear(&mut self) {
        for known in self.sessions.values_mut() {
            if matches!(known.standing, Standing::Open | Standing::Spared) {
                known.standing = Standing::Unclear;
            }
        }
    }

    /// A session of this account is over, and no other user's.
    fn spares_others(&mut self, account: &str) {
        let user = |account: &str| self.stated.users.get(account).map(String::as_str);
        let own = user(account);
        for known in self.sessions.values_mut() {
            known.standing = match known.standing {
                Standing::Open | Standing::Spared if user(&known.account) == own => {
                    Standing::Unclear
                }
                Standing::Open => Standing::Spared,
                other => other,
            };
        }
    }

    fn left(&mut self, number: u8) {
        if let Some(known) = self.sessions.get_mut(&number) {
            known.standing = Standing::Left;
            let account = known.account.clone();
            self.spares_others(&account);
        }
    }

    fn terminated(&mut self, account: &str) {
        let until = Instant::now() + self.stated.revocation;
        let remote = &self.stated.remote;
        let own = self.sessions.values_mut();
        for known in own.filter(|it| it.account == account && remote.contains(&it.interface)) {
            if !matches!(known.standing, Standing::Left | Standing::Ended(_)) {
                known.standing = Standing::Ended(until);
            }
        }
        self.spares_others(account);
    }

    fn acted(&mut self, number: u8, alive: bool, seen: &str) -> Option<Finding> {
        let known = self.sessions.get_mut(&number)?;
        match (known.standing, alive) {
            (Standing::Ended(_), true) => Some(Finding::new(Oracle::Model, ALIVE, seen)),
            (Standing::Ended(_), false) => {
                if known.worked.is_some() {
                    self.judged.insert(known.interface.clone());
                }
                None
            }
            (Standing::Left, _) => None,
            (_, true) => {
                (known.standing, known.worked) = (Standing::Open, Some(Instant::now()));
                None
            }
            (standing, false) => {
                let steady = |at: Instant| at.elapsed() < self.stated.steady;
                let surely = known.worked.is_some_and(steady);
                let busy = self.stated.busy.contains(&known.interface);
                (standing == Standing::Spared && surely && !busy)
                    .then(|| Finding::by_silence(Oracle::Model, ENDED, seen))
            }
        }
    }

    fn came_back(&mut self, number: u8, alive: bool, seen: &str) -> Option<Finding> {
        if alive {
            return Some(Finding::new(Oracle::Model, BACK, seen));
        }
        let known = self.sessions.get_mut(&number)?;
        if known.worked.is_some() {
            self.judged.insert(known.interface.clone());
        }
        None
    }
}

impl Model for Ended {
    fn saw(&mut self, step: &Step, _began: Instant, event: &Event) -> Option<Finding> {
        match (step, event) {
            (
                Step::Login {
                    session,
                    account,
                    interface,
                    ..
                },
                _,
            ) => {
                self.sessions.remove(session);
                self.unclear();
                if *event == Event::In {
                    self.opened(*session, account, interface);
                }
                None
            }
            (Step::Act { session }, Event::Acted { alive, seen }) => {
                self.acted(*session, *alive, seen)
            }
            (Step::Return { session }, event) => {
                // Whose identifier it is may have to make room.
                self.unclear();
                match event {
                    Event::Acted { alive, seen } => self.came_back(*session, *alive, seen),
                    _ => None,
                }
            }
            (Step::Take { .. }, event) => {
                self.unclear();
                match event {
                    Event::Acted { alive: true, seen } => {
                        Some(Finding::new(Oracle::Model, HANDED, seen.clone()))
                    }
                    _ => None,
                }
            }
            (Step::Logout { session } | Step::Vanish { session }, Event::Done) => {
                self.left(*session);
                None
            }
            (Step::Terminate { account }, Event::Done) => {
                self.terminated(account);
                None
            }
            (Step::PowerCycle | Step::PutBack, _) => {
                for known in self.sessions.values_mut() {
                    known.standing = Standing::Left;
                }
                None
            }
            (Step::Act { .. } | Step::Lock { .. } | Step::Pause { .. }, _)
            | (Step::Logout { .. } | Step::Vanish { .. }, Event::Nothing) => None,
            _ => {
                self.unclear();
                None
            }
        }
    }

    fn judged(&self) -> bool {
        self.judged.is_superset(&self.stated.interfaces)
    }

    fn patience(&self, finding: &Finding) -> Option<Duration> {
        let ends = self.sessions.values().filter_map(|it| match it.standing {
            Standing::Ended(until) => Some(until),
            _ => None,
        });
        match finding.what.as_str() {
            ALIVE => {
                let left = ends.max()?.saturating_duration_since(Instant::now());
                Some(left)
            }
            ENDED => Some(Duration::ZERO),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(revocation: u64) -> Ended {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Ended::of(Stated {
            revocation: Duration::from_secs(revocation),
            steady: Duration::from_secs(9),
            busy: names(&["console"]),
            remote: names(&["plc"]),
            users: ["olga", "otto", "vera"]
                .map(|it| (it.to_owned(), it.to_owned()))
                .into(),
            interfaces: names(&["plc"]),
        })
    }

    fn login(session: u8, account: &str, interface: &str) -> (Step, Event) {
        let (account, interface) = (account.to_owned(), interface.to_owned());
        let step = Step::Login {
            session,
            account,
            interface,
            kept: false,
        };
        (step, Event::In)
    }

    fn acted(alive: bool) -> Event {
        let seen = "it".to_owned();
        Event::Acted { alive, seen }
    }

    fn act(session: u8, alive: bool) -> (Step, Event) {
        (Step::Act { session }, acted(alive))
    }

    fn terminate(account: &str) -> (Step, Event) {
        let account = account.to_owned();
        (Step::Terminate { account }, Event::Done)
    }

    /// What is wrong with the last of them, where nothing is with those before.
    fn last(model: &mut Ended, steps: &[(Step, Event)]) -> Option<String> {
        let mut found = None;
        for (step, event) in steps {
            assert_eq!(found, None, "before {step:?}");
            found = model
                .saw(step, Instant::now(), event)
                .map(|found| found.what);
        }
        found
    }

    #[test]
    fn an_ended_session_does_nothing_more_however_often_its_user_comes_again() {
        let mut steps = vec![login(1, "olga", "plc"), act(1, true), terminate("olga")];
        let mut known = model(0);
        assert_eq!(last(&mut known, &steps), None);
        assert!(!known.judged());
        assert_eq!(last(&mut known, &[act(1, false)]), None);
        assert!(known.judged());
        steps.extend([login(2, "olga", "plc"), act(1, true)]);
        let mut known = model(0);
        assert_eq!(last(&mut known, &steps).as_deref(), Some(ALIVE));
        // The device may take its time.
        let found = Finding::new(Oracle::Model, ALIVE, "");
        assert!(known.patience(&found).unwrap() == Duration::ZERO);
        let mut known = model(3);
        last(&mut known, &steps);
        assert!(known.patience(&found).unwrap() > Duration::from_secs(2));
    }

    #[test]
    fn only_sessions_over_a_network_are_ended_from_elsewhere() {
        let steps = [
            login(1, "olga", "console"),
            act(1, true),
            terminate("olga"),
            act(1, true),
        ];
        assert_eq!(last(&mut model(0), &steps), None);
    }

    #[test]
    fn two_accounts_of_one_user_may_end_together() {
        let mut known = model(0);
        let user = "olga".to_owned();
        known.stated.users.insert("otto".to_owned(), user);
        let steps = [
            login(1, "olga", "plc"),
            login(2, "otto", "plc"),
            act(2, true),
            terminate("olga"),
            act(2, false),
        ];
        assert_eq!(last(&mut known, &steps), None);
    }

    #[test]
    fn what_a_session_was_known_by_opens_nothing() {
        for between in [Step::Logout { session: 1 }, Step::PowerCycle] {
            let mut known = model(0);
            let steps = [
                login(1, "olga", "plc"),
                act(1, true),
                (between, Event::Done),
                (Step::Return { session: 1 }, acted(false)),
            ];
            assert_eq!(last(&mut known, &steps), None);
            assert!(known.judged());
            let back = [(Step::Return { session: 1 }, acted(true))];
            assert_eq!(last(&mut known, &back).as_deref(), Some(BACK));
        }
    }

    #[test]
    fn no_session_is_handed_on_to_another_user() {
        let take = |present| {
            let (session, account) = (1, "otto".to_owned());
            (Step::Take { session, account }, acted(present))
        };
        let steps = [login(1, "olga", "plc"), act(1, true), take(false)];
        let mut known = model(0);
        assert_eq!(last(&mut known, &steps), None);
        // Whose it was may have had to make room.
        assert_eq!(last(&mut known, &[act(1, false)]), None);
        assert_eq!(last(&mut known, &[take(true)]).as_deref(), Some(HANDED));
    }

    #[test]
    fn ending_one_users_session_ends_no_others() {
        let two = [
            login(1, "olga", "plc"),
            login(2, "otto", "plc"),
            act(2, true),
        ];
        let ends = [
            (Step::Logout { session: 1 }, Event::Done),
            (Step::Vanish { session: 1 }, Event::Done),
            terminate("olga"),
        ];
        for end in ends {
            let mut steps = two.to_vec();
            steps.extend([end.clone(), act(2, false)]);
            assert_eq!(last(&mut model(0), &steps).as_deref(), Some(ENDED));
            // Whoever comes in between may be the cause.
            steps.insert(4, login(3, "vera", "plc"));
            assert_eq!(last(&mut model(0), &steps), None);
        }
    }

    #[test]
    fn nothing_is_said_of_a_session_that_may_have_had_to_make_room() {
        let here = |place| {
            [
                login(1, "olga", "plc"),
                login(2, "otto", place),
                act(2, true),
                terminate("olga"),
                act(2, false),
            ]
        };
        assert_eq!(last(&mut model(0), &here("console")), None);
        let mut same = here("plc");
        same[1] = login(2, "olga", "plc");
        same[3] = (Step::Logout { session: 1 }, Event::Done);
        assert_eq!(last(&mut model(0), &same), None);
        // One that never did anything shows nothing.
        let mut never = here("plc").to_vec();
        never.remove(2);
        assert_eq!(last(&mut model(0), &never), None);
    }
}
