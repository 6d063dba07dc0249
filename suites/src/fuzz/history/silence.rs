//! CR 2.6 over histories: a session over a network that is silent for the stated time is ended, whoever else comes or is not
//! let in meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use slcert_rigs::rig::InterfaceKind;
use tokio::time::Instant;

use super::model::{Cast, Model, anybody};
use super::stage::{Event, Stage};
use super::step::{Shown, Step, Visit};
use crate::administrator::{number, try_set};
use crate::fuzz::finding::{Finding, Oracle};
use crate::procedure::{Procedure, Stop};
use crate::session::{deed, watches};
use crate::uc::cr_2_6::{GRACE, SHORT};

/// What is wrong.
const GOES_ON: &str = "a session that was silent for longer than stated does something";
/// The longest silence that histories sit out: each of them waits for it.
const LONGEST: Duration = Duration::from_secs(3);
/// The time between two who come meanwhile.
const BETWEEN: Duration = Duration::from_millis(400);

/// Who has sessions over a network, and who comes meanwhile.
#[derive(Clone, Debug)]
pub struct Silences {
    /// An account and an interface each.
    users: Vec<(String, String)>,
    visits: Vec<Visit>,
    /// Whether the device can be set to a short time.
    sets: bool,
}

impl Silences {
    /// The accounts of a rig whose sessions over a network show that they are alive.
    ///
    /// # Errors
    /// NOT EVALUATED where there are none, or the time is too long for histories.
    pub fn of(p: &Procedure<'_>) -> Result<Self, Stop> {
        let rig = p.rig();
        let stated = rig.policy.remote_idle.ok_or_else(|| {
            Stop::not_evaluated(
                "the rig file states no time until a silent remote session ends (`policy.remote_idle`)",
            )
        })?;
        let sets = p.anywhere("set_remote_idle").is_ok();
        if !sets && stated.0 > LONGEST {
            return Err(Stop::not_evaluated(format!(
                "silent sessions end after {stated}: bind `set_remote_idle` for the test, or see the case `idle`"
            )));
        }
        let kinds = [InterfaceKind::ModbusTls, InterfaceKind::Mqtt];
        let (mut users, mut visits) = (Vec::new(), Vec::new());
        for (name, interface) in &rig.interfaces {
            let name = name.as_str();
            if interface.kind.is_serial() || !interface.has_identity() {
                continue;
            }
            for (account, described) in rig.accounts_on(name) {
                let account = account.as_str();
                let may = !watches(rig, account);
                if may && kinds.contains(&interface.kind) && deed(p, name, account).is_some() {
                    users.push((account.to_owned(), name.to_owned()));
                }
                if may && described.password.is_some() && interface.kind == InterfaceKind::Mqtt {
                    visits.extend([Shown::Right, Shown::Wrong].map(|password| Visit {
                        account: account.to_owned(),
                        interface: name.to_owned(),
                        password,
                    }));
                }
            }
        }
        if users.is_empty() {
            return Err(Stop::not_evaluated(
                "no interface of this rig has sessions over a network that show that they are alive",
            ));
        }
        Ok(Self {
            users,
            visits,
            sets,
        })
    }

    fn history(&self, (account, interface): &(String, String), beside: Option<Visit>) -> Vec<Step> {
        let session = 1;
        let sets = self.sets.then_some(Step::LimitIdle { seconds: SHORT });
        let comes = Step::Login {
            session,
            account: account.clone(),
            interface: interface.clone(),
            kept: false,
        };
        let acts = Step::Act { session };
        let rest = [comes, acts, Step::Neglect { session, beside }];
        sets.into_iter().chain(rest).collect()
    }
}

impl Cast for Silences {
    fn label(&self) -> &'static str {
        "a history of silence"
    }

    fn histories(&self) -> BoxedStrategy<Vec<Step>> {
        let cast = self.clone();
        let users = anybody(&self.users, |(_, interface)| interface);
        let beside = match self.visits.is_empty() {
            true => Just(None).boxed(),
            false => prop::option::weighted(0.9, select(self.visits.clone())).boxed(),
        };
        (users, beside)
            .prop_map(move |(user, beside)| {
                // Another login of one user may be taken for that user's being there.
                let own = |visit: &Visit| visit.password == Shown::Right && visit.account == user.0;
                let beside = beside.filter(|visit| !own(visit));
                cast.history(&user, beside)
            })
            .boxed()
    }

    fn any_step(&self) -> BoxedStrategy<Step> {
        Just(Step::Act { session: 1 }).boxed()
    }

    /// A session on each interface that is silent.
    fn control(&self) -> Vec<Step> {
        let mut seen = BTreeSet::new();
        let each = self
            .users
            .iter()
            .filter(|(_, interface)| seen.insert(interface));
        each.flat_map(|user| self.history(user, None)).collect()
    }

    fn model(&self) -> Box<dyn Model> {
        let interfaces = self.users.iter().map(|(_, interface)| interface.clone());
        Box::new(Silent {
            here: None,
            worked: false,
            owed: interfaces.collect(),
        })
    }
}

/// Whether the session did something before it was left alone.
struct Silent {
    /// Where it is.
    here: Option<String>,
    worked: bool,
    /// The interfaces on which a plain history has to show something.
    owed: BTreeSet<String>,
}

impl Model for Silent {
    fn saw(&mut self, step: &Step, _began: Instant, event: &Event) -> Option<Finding> {
        match (step, event) {
            (Step::Login { interface, .. }, Event::In) => {
                (self.here, self.worked) = (Some(interface.clone()), false);
            }
            (Step::Act { .. }, Event::Acted { alive, .. }) => self.worked = *alive,
            (Step::Neglect { .. }, Event::Acted { alive: true, seen }) if self.worked => {
                return Some(Finding::new(Oracle::Model, GOES_ON, seen.clone()));
            }
            (Step::Neglect { .. }, Event::Acted { alive: false, .. }) if self.worked => {
                if let Some(here) = self.here.take() {
                    self.owed.remove(&here);
                }
            }
            _ => {}
        }
        None
    }

    fn judged(&self) -> bool {
        self.owed.is_empty()
    }
}

impl Stage<'_, '_> {
    /// Sets after how long a silent session over a network ends.
    pub(super) async fn limit_idle(&mut self, seconds: u64) -> Result<Event, Stop> {
        let Some(stated) = self.p.rig().policy.remote_idle else {
            return Ok(Event::Nothing);
        };
        self.make_room_for("set_remote_idle").await;
        self.owed.idle(stated.0);
        if !try_set(self.p, "set_remote_idle", &number(seconds)).await? {
            return Ok(Event::Nothing);
        }
        self.idle = Some(Duration::from_secs(seconds));
        Ok(Event::Done)
    }

    /// Leaves a session alone until the device has ended it, or should have, while somebody comes and goes.
    pub(super) async fn neglect(
        &mut self,
        number: u8,
        beside: Option<&Visit>,
    ) -> Result<Event, Stop> {
        let stated = self.p.rig().policy.remote_idle.map(|period| period.0);
        let Some(period) = self.idle.or(stated).filter(|period| *period <= LONGEST) else {
            return Ok(Event::Nothing);
        };
        let until = Instant::now() + period + GRACE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Some(seat) = self.seats.get_mut(&number) else {
                return Ok(Event::Nothing);
            };
            let slice = if beside.is_some() { BETWEEN } else { left };
            let ended = seat.session.ended(left.min(slice)).await?;
            if ended.is_some() || Instant::now() >= until {
                break;
            }
            if let Some(visit) = beside {
                let (account, interface) = (&visit.account, &visit.interface);
                let spelling = Default::default();
                self.attempt(account, interface, visit.password, spelling)
                    .await?;
            }
        }
        let event = self.act(number).await;
        // A line that is over is of no use to anybody.
        if let Some(seat) = self.seats.remove(&number) {
            seat.session.abandon().await;
        }
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saw(worked: bool, alive: bool) -> (bool, bool) {
        let mut model = Silent {
            here: None,
            worked: false,
            owed: BTreeSet::from(["gateway".to_owned()]),
        };
        let session = 1;
        let login = Step::Login {
            session,
            account: "otto".to_owned(),
            interface: "gateway".to_owned(),
            kept: false,
        };
        let left = Step::Neglect {
            session,
            beside: None,
        };
        let acted = |alive| Event::Acted {
            alive,
            seen: String::new(),
        };
        let mut found = false;
        for (step, event) in [
            (login, Event::In),
            (Step::Act { session }, acted(worked)),
            (left, acted(alive)),
        ] {
            found |= model.saw(&step, Instant::now(), &event).is_some();
        }
        (found, model.judged())
    }

    #[test]
    fn only_a_session_that_worked_can_go_on_for_too_long() {
        assert_eq!(saw(true, true), (true, false));
        assert_eq!(saw(true, false), (false, true));
        assert_eq!(saw(false, true), (false, false));
        assert_eq!(saw(false, false), (false, false));
    }
}
