//! The model of CR 2.7: how many sessions a user has, and whether there is room for one more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use slcert_rigs::rig::{Excess, SessionLimit};
use tokio::time::Instant;

use super::model::Model;
use super::stage::Event;
use super::step::Step;
use crate::fuzz::finding::{Finding, Oracle};

/// How long a device may take to notice that connections were dropped.
const NOTICES: Duration = Duration::from_secs(10);
/// How long the oldest session may go on when a new one has taken its place.
const NOTICES_END: Duration = Duration::from_secs(2);
/// What is wrong.
const TOO_MANY: &str = "more sessions of a user do something than there may be";
const NO_ROOM: &str = "a user is refused who has fewer sessions than there may be";

/// What is known of the sessions of all users.
#[derive(Debug)]
pub struct Room {
    limits: BTreeMap<String, SessionLimit>,
    setting: Setting,
    /// The account and the interface of each session that nobody has left.
    seats: BTreeMap<u8, (String, String)>,
    /// Where one session too many was asked for, and not all of them were ended.
    judged: BTreeSet<String>,
}

/// What the device is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setting {
    /// To what the rig file states.
    Stated,
    /// By an administrator.
    Set(u32),
    /// To one or the other.
    Unsure(u32),
}

impl Room {
    /// Nobody is here yet.
    pub fn of(limits: BTreeMap<String, SessionLimit>) -> Self {
        Self {
            limits,
            setting: Setting::Stated,
            seats: BTreeMap::new(),
            judged: BTreeSet::new(),
        }
    }

    /// How many a user has room for at least and at most, and what becomes of one too many.
    fn limit(&self, interface: &str) -> Option<(u32, u32, Excess)> {
        let stated = self.limits.get(interface)?;
        let (least, most) = match self.setting {
            Setting::Stated => (stated.most, stated.most),
            Setting::Set(most) => (most, most),
            Setting::Unsure(other) => (stated.most.min(other), stated.most.max(other)),
        };
        Some((least, most, stated.excess))
    }

    fn of_account(&self, account: &str) -> impl Iterator<Item = &str> {
        let own = self.seats.values().filter(move |(it, _)| it == account);
        own.map(|(_, interface)| interface.as_str())
    }

    fn kept_out(&self, account: &str, interface: &str, said: &str) -> Option<Finding> {
        let (least, _, excess) = self.limit(interface)?;
        let here = self.of_account(account).filter(|it| *it == interface);
        let here = here.count() as u32;
        // Sessions on other interfaces may count as well.
        let elsewhere = self.of_account(account).any(|it| it != interface);
        let room = excess == Excess::OldestEnds || here < least && !elsewhere;
        room.then(|| {
            let seen = format!(
                "`{account}` is refused on `{interface}` with {here} sessions open there, and another account is let in: {said}"
            );
            Finding::by_silence(Oracle::Model, NO_ROOM, seen)
        })
    }

    fn counted(&mut self, account: &str, interface: &str, alive: usize) -> Option<Finding> {
        let (_, most, _) = self.limit(interface)?;
        let seats = self.of_account(account).filter(|it| *it == interface);
        let asked = seats.count();
        if alive > 0 && asked >= most as usize {
            self.judged.insert(interface.to_owned());
        }
        (alive > most as usize).then(|| {
            let seen = format!("{alive} of `{account}` on `{interface}`, where {most} may be");
            Finding::new(Oracle::Model, TOO_MANY, seen)
        })
    }
}

impl Model for Room {
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
                self.seats.remove(session);
                match event {
                    Event::In => {
                        let seat = (account.clone(), interface.clone());
                        self.seats.insert(*session, seat);
                        None
                    }
                    Event::KeptOut(said) => self.kept_out(account, interface, said),
                    _ => None,
                }
            }
            (Step::Logout { session } | Step::Vanish { session }, _) => {
                self.seats.remove(session);
                None
            }
            (Step::Limit { most }, _) => {
                let taken = *event == Event::Done && self.seats.is_empty();
                self.setting = match taken {
                    true => Setting::Set(*most),
                    false => Setting::Unsure(*most),
                };
                None
            }
            (Step::PowerCycle | Step::PutBack, _) => {
                self.seats.clear();
                if let Setting::Set(most) = self.setting {
                    self.setting = Setting::Unsure(most);
                }
                None
            }
            (Step::Count { account, interface }, Event::Alive(alive)) => {
                self.counted(account, interface, *alive)
            }
            _ => None,
        }
    }

    fn judged(&self) -> bool {
        self.limits.keys().all(|it| self.judged.contains(it))
    }

    fn patience(&self, finding: &Finding) -> Option<Duration> {
        match finding.what.as_str() {
            TOO_MANY => Some(NOTICES_END),
            NO_ROOM => Some(NOTICES),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(excess: Excess) -> Room {
        let limit = SessionLimit { most: 2, excess };
        Room::of([("plc".to_owned(), limit), ("gateway".to_owned(), limit)].into())
    }

    fn login(model: &mut Room, session: u8, interface: &str, event: &Event) -> Option<String> {
        let step = Step::Login {
            session,
            account: "olga".to_owned(),
            interface: interface.to_owned(),
            kept: false,
        };
        let found = model.saw(&step, Instant::now(), event);
        found.map(|found| found.what)
    }

    fn count(model: &mut Room, alive: usize) -> Option<String> {
        let step = Step::Count {
            account: "olga".to_owned(),
            interface: "plc".to_owned(),
        };
        let found = model.saw(&step, Instant::now(), &Event::Alive(alive));
        found.map(|found| found.what)
    }

    fn saw(model: &mut Room, step: Step) {
        assert_eq!(model.saw(&step, Instant::now(), &Event::Done), None);
    }

    fn out() -> Event {
        Event::KeptOut(String::new())
    }

    #[test]
    fn no_more_sessions_work_than_there_may_be() {
        let mut model = room(Excess::Refused);
        for session in 1..=3 {
            assert_eq!(login(&mut model, session, "plc", &Event::In), None);
        }
        assert_eq!(count(&mut model, 2), None);
        assert_eq!(count(&mut model, 3).as_deref(), Some(TOO_MANY));
        let found = Finding::new(Oracle::Model, TOO_MANY, "");
        assert!(model.patience(&found).is_some(), "the oldest may be late");
    }

    #[test]
    fn there_is_room_again_when_a_session_is_left_in_whatever_way() {
        for end in [
            Step::Logout { session: 1 },
            Step::Vanish { session: 1 },
            Step::PowerCycle,
        ] {
            let mut model = room(Excess::Refused);
            login(&mut model, 1, "plc", &Event::In);
            login(&mut model, 2, "plc", &Event::In);
            assert_eq!(login(&mut model, 3, "plc", &out()), None);
            saw(&mut model, end);
            assert_eq!(
                login(&mut model, 3, "plc", &out()).as_deref(),
                Some(NO_ROOM)
            );
        }
    }

    #[test]
    fn one_too_many_is_let_in_where_the_oldest_ends() {
        let mut model = room(Excess::OldestEnds);
        login(&mut model, 1, "plc", &Event::In);
        login(&mut model, 2, "plc", &Event::In);
        assert_eq!(
            login(&mut model, 3, "plc", &out()).as_deref(),
            Some(NO_ROOM)
        );
        // Where nobody is let in, it is no matter of one user's sessions.
        let nobody = Event::Refused(String::new());
        assert_eq!(login(&mut model, 3, "plc", &nobody), None);
    }

    #[test]
    fn sessions_on_another_interface_may_count() {
        let mut model = room(Excess::Refused);
        login(&mut model, 1, "gateway", &Event::In);
        assert_eq!(login(&mut model, 2, "plc", &out()), None);
    }

    #[test]
    fn what_the_device_was_set_to_may_be_forgotten_by_a_restart() {
        let mut model = room(Excess::Refused);
        saw(&mut model, Step::Limit { most: 1 });
        login(&mut model, 1, "plc", &Event::In);
        login(&mut model, 2, "plc", &Event::In);
        assert_eq!(count(&mut model, 2).as_deref(), Some(TOO_MANY));
        saw(&mut model, Step::PowerCycle);
        login(&mut model, 1, "plc", &Event::In);
        assert_eq!(count(&mut model, 2), None);
        assert_eq!(login(&mut model, 2, "plc", &out()), None);
        // Nor is it known what becomes of those that are there when it is set.
        saw(&mut model, Step::Limit { most: 1 });
        assert_eq!(count(&mut model, 2), None);
    }
}
