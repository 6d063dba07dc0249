//! What is done in sessions, and to them.

use std::time::Duration;

use slcert_rigs::bench::{Entry, Place, Who};
use slcert_rigs::rig::Rig;
use tokio::time::sleep;

use super::stage::{Event, Stage};
use crate::administrator::{number, try_set};
use crate::fresh;
use crate::hands::reader;
use crate::lingering::question;
use crate::procedure::{Procedure, Stop};
use crate::session::{acts, deed, reading, watches};
use crate::terminate::end_all;

/// How long a connection stays that is left before a word was said.
const MOMENT: Duration = Duration::from_millis(60);

impl Stage<'_, '_> {
    /// Opens a session. Where the device does not let somebody in, another account is tried: it may let nobody in.
    pub(super) async fn come(
        &mut self,
        number: u8,
        (account, interface): (&str, &str),
        kept: bool,
    ) -> Result<Event, Stop> {
        let came = self.login(number, (account, interface), kept).await?;
        let Event::Refused(said) = came else {
            return Ok(came);
        };
        if self.is_serial(interface) {
            return Ok(Event::Refused(said));
        }
        let other = self.another(account, interface);
        let Some(other) = other else {
            return Ok(Event::Refused(said));
        };
        match self
            .p
            .bench()
            .enter(interface, &Who::Account(&other))
            .await?
        {
            Entry::In(session) => {
                session.close().await;
                Ok(Event::KeptOut(said))
            }
            Entry::Refused(_) => Ok(Event::Refused(said)),
        }
    }

    /// An account of an interface that has no session.
    fn another(&self, account: &str, interface: &str) -> Option<String> {
        let rig = self.p.rig();
        let seated = |name: &str| self.seats.values().any(|seat| seat.account == name);
        let accounts = rig.accounts_on(interface).map(|(name, _)| name.as_str());
        accounts
            .filter(|name| *name != account && !watches(rig, name))
            .find(|name| !seated(name))
            .map(str::to_owned)
    }

    /// Shows a certificate and goes.
    pub(super) async fn knock(&mut self, account: &str, interface: &str) -> Result<Event, Stop> {
        let bench = self.p.bench();
        let line = bench.raw_modbus(interface, &Who::Account(account)).await?;
        sleep(MOMENT).await;
        drop(line);
        Ok(Event::Done)
    }

    /// Ends a session as its user does.
    pub(super) async fn log_out(&mut self, number: u8) -> Event {
        let Some(mut seat) = self.seats.remove(&number) else {
            return Event::Nothing;
        };
        let Some(console) = seat.session.console() else {
            seat.session.close().await;
            return Event::Done;
        };
        if console.log_out().await
            && let Some(trace) = self.traces.get_mut(&number)
        {
            trace.console = Some(seat.session);
        }
        Event::Done
    }

    /// Does in a session what shows that it is alive.
    pub(super) async fn act(&mut self, number: u8) -> Result<Event, Stop> {
        let Some(seat) = self.seats.get(&number) else {
            return Ok(Event::Nothing);
        };
        let (rig, interface) = (self.p.rig(), seat.interface.clone());
        let Some(operation) = deed(self.p, &interface, &seat.account) else {
            return Ok(Event::Nothing);
        };
        let read_back = rig.operations.get(operation);
        if let Some(read_back) = read_back.and_then(|it| it.read_back.as_ref()) {
            let witness = reader(self.p, read_back.value.as_str())?.interface();
            if let Some(witness) = witness.filter(|it| *it != interface && self.is_serial(it)) {
                self.leave(witness).await;
            }
        }
        let Some(seat) = self.seats.get_mut(&number) else {
            return Ok(Event::Nothing);
        };
        let (alive, seen) = acts(self.p, &mut seat.session, operation).await?;
        let who = format!("`{}` on `{}`: {seen}", seat.account, seat.interface);
        Ok(Event::Acted { alive, seen: who })
    }

    /// How many sessions of an account do something.
    pub(super) async fn count(&mut self, account: &str, interface: &str) -> Result<Event, Stop> {
        let Some((_, operation)) = reading(self.p.rig(), interface, account) else {
            return Ok(Event::Nothing);
        };
        let mut alive = 0;
        for seat in self.seats.values_mut() {
            if seat.account == account && seat.interface == interface {
                alive += usize::from(acts(self.p, &mut seat.session, operation).await?.0);
            }
        }
        Ok(Event::Alive(alive))
    }

    /// Comes to where a session was, with nothing but what it was known by.
    pub(super) async fn come_back(&mut self, number: u8) -> Result<Event, Stop> {
        let Some(trace) = self.traces.get_mut(&number) else {
            return Ok(Event::Nothing);
        };
        let interface = trace.interface.clone();
        if let Some(console) = trace.console.as_mut().and_then(|it| it.console()) {
            let question = question(self.p, &interface)?;
            let heard = question.ask_outside(console).await;
            let works = heard.iter().find(|it| it.works);
            let (alive, seen) = match (works, heard.last()) {
                (Some(it), _) => (true, format!("{}: {}", it.what, it.said)),
                (None, Some(it)) => (false, it.said.clone()),
                (None, None) => return Ok(Event::Nothing),
            };
            // What was typed stands in the login: whoever comes next brings it back.
            trace.console = None;
            let seen = format!("on `{interface}`, {seen}");
            return Ok(Event::Acted { alive, seen });
        }
        let Some(client_id) = trace.client_id.clone() else {
            return Ok(Event::Nothing);
        };
        if let Some(said) = refused(self.p, &interface, &client_id, false).await? {
            let (alive, seen) = (false, format!("on `{interface}`: {said}"));
            return Ok(Event::Acted { alive, seen });
        }
        // Where anybody is let in, the identifier opens nothing.
        let own = format!("slcert-{}", fresh::tag());
        if refused(self.p, &interface, &own, true).await?.is_none() {
            return Ok(Event::Nothing);
        }
        let seen = format!("on `{interface}`, who shows nothing else is let in");
        Ok(Event::Acted { alive: true, seen })
    }

    /// Another account comes with what a broker knew a session by.
    pub(super) async fn take_over(&mut self, number: u8, account: &str) -> Result<Event, Stop> {
        let bench = self.p.bench();
        let Some(trace) = self.traces.get(&number) else {
            return Ok(Event::Nothing);
        };
        let mut there = self.p.rig().accounts_on(&trace.interface);
        let comes_here = there.any(|(name, _)| name.as_str() == account);
        let same = bench.user(account) == bench.user(&trace.account);
        let Some(client_id) = trace.client_id.clone().filter(|_| comes_here && !same) else {
            return Ok(Event::Nothing);
        };
        let (interface, who) = (trace.interface.clone(), Who::Account(account));
        let came = bench.mqtt_client(&interface, &who, &client_id, false);
        let (alive, seen) = match came.await? {
            Err(answer) => (false, answer.text),
            Ok(client) => {
                let present = client.session_present();
                client.disconnect().await;
                // A clean one in its place ends what the broker would keep.
                let clean = bench.mqtt_client(&interface, &who, &client_id, true);
                if let Ok(client) = clean.await? {
                    client.disconnect().await;
                }
                let what = if present { "the session" } else { "no session" };
                (present, format!("let in, and {what} is present"))
            }
        };
        let seen = format!("`{account}` on `{interface}`: {seen}");
        Ok(Event::Acted { alive, seen })
    }

    /// Forgets what a session was known by, and ends what a broker keeps of it.
    pub(super) async fn forget(&mut self, number: u8) {
        let Some(trace) = self.traces.remove(&number).filter(|trace| trace.kept) else {
            return;
        };
        let Some(client_id) = trace.client_id else {
            return;
        };
        let (bench, who) = (self.p.bench(), Who::Account(&trace.account));
        let came = bench.mqtt_client(&trace.interface, &who, &client_id, true);
        // Where somebody else has it, they have ended it.
        if let Ok(Ok(client)) = came.await {
            client.disconnect().await;
        }
    }

    /// Locks a session by hand, and unlocks it.
    pub(super) async fn lock(&mut self, number: u8) -> Result<Event, Stop> {
        let Some(seat) = self.seats.get_mut(&number) else {
            return Ok(Event::Nothing);
        };
        let Some(lock) = locks(self.p.rig(), &seat.interface) else {
            return Ok(Event::Nothing);
        };
        let password = self.p.bench().password(&seat.account)?;
        let Some(console) = seat.session.console() else {
            return Ok(Event::Nothing);
        };
        if console.say(lock).await?.place != Place::Locked {
            return Ok(Event::Nothing);
        }
        match console.unlock(&password).await? {
            Ok(()) => Ok(Event::Done),
            Err(said) => Err(Stop::inconclusive(format!(
                "a locked session is not unlocked by its user's password: {}",
                slcert_reports::excerpt(&said, 200)
            ))),
        }
    }

    /// Ends all sessions of an account from elsewhere.
    pub(super) async fn terminate(&mut self, account: &str) -> Result<Event, Stop> {
        self.desk.close().await;
        for operation in ["list_sessions", "end_session"] {
            self.make_room_for(operation).await;
        }
        let own = |seat: &&mut super::stage::Seat| seat.account == account && !seat.ended;
        let open = self.seats.values_mut().filter(own).count();
        if !end_all(self.p, account, open).await? {
            return Ok(Event::Refused(String::new()));
        }
        for seat in self.seats.values_mut().filter(own) {
            seat.ended = true;
        }
        Ok(Event::Done)
    }

    /// Sets how many sessions a user may have.
    pub(super) async fn limit(&mut self, most: u32) -> Result<Event, Stop> {
        let stated = self.p.rig().policy.sessions.values().next();
        let Some(stated) = stated.map(|it| it.value.most) else {
            return Ok(Event::Nothing);
        };
        self.make_room_for("set_session_limit").await;
        self.owed.sessions(stated);
        let taken = try_set(self.p, "set_session_limit", &number(most)).await?;
        Ok(if taken { Event::Done } else { Event::Nothing })
    }
}

/// The command that locks a session of an interface, where it can be unlocked again.
pub(super) fn locks<'r>(rig: &'r Rig, interface: &str) -> Option<&'r str> {
    let manner = rig.interface(interface)?.console.as_ref()?;
    let unlocks = manner.locked.is_some() && !manner.unlock.is_empty();
    manner.lock.as_deref().filter(|_| unlocks)
}

/// What a broker says to somebody who shows nothing but a client identifier; none where it lets them in.
async fn refused(
    p: &Procedure<'_>,
    interface: &str,
    client_id: &str,
    clean: bool,
) -> Result<Option<String>, Stop> {
    let came = p
        .bench()
        .mqtt_client(interface, &Who::Nobody, client_id, clean);
    match came.await? {
        Err(answer) => Ok(Some(answer.text)),
        Ok(client) => {
            client.disconnect().await;
            Ok(None)
        }
    }
}
