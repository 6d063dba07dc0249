//! The bench's server in the background: whoever comes is answered rightly, until a suite takes a request to answer it wrongly.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use slcert_rigs::bench::Visitors;
use slcert_rigs::modbus::serve::Held;
use slcert_rigs::rig::Server;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::connection::{Here, MOST_SAID, Taken, receive};
use super::reading::{breach, exposed, known_by, tells};
use super::refusal::{Comings, Door};
use crate::fuzz::finding::Finding;

/// The most connections at a time.
const MOST: usize = 16;
/// The most kinds of requests that are told apart, and findings that wait.
const MOST_POLLS: usize = 64;
const MOST_BREACHES: usize = 16;

/// What is known of those who come.
#[derive(Default)]
pub struct State {
    /// What is answered.
    pub held: Held,
    /// How many right answers went out.
    pub answered: u64,
    /// What the device asks, by the bytes that it is known by.
    pub of_kind: BTreeMap<Vec<u8>, Poll>,
    /// What was wrong with what they sent.
    pub breaches: Vec<Finding>,
    /// Whether the device may hold what is known again: it may have taken it from what together is an answer.
    may_hold: bool,
    /// The most that there were at a time.
    pub most_open: usize,
    /// When they came, since nobody is let in or from the beginning.
    pub comings: Comings,
    door: Door,
    wanted: Option<Wanted>,
    pub(super) open: usize,
}

/// What the device asks again and again.
#[derive(Clone, Debug, Default)]
pub struct Poll {
    /// Its request, as it came last.
    pub request: Vec<u8>,
    /// How often it came.
    pub came: u64,
    /// How often it was answered rightly with what is held now.
    pub answered: u64,
}

struct Wanted {
    asked: Vec<u8>,
    to: oneshot::Sender<Taken>,
}

pub(super) struct Shared {
    state: Mutex<State>,
    changed: Notify,
    /// Moves when all connections are to be reset.
    pub(super) torn: watch::Sender<u64>,
    pub(super) unit: Option<u8>,
}

/// The bench's server; dropping it ends it.
pub struct Service {
    shared: Arc<Shared>,
    back: mpsc::UnboundedSender<Here>,
    task: JoinHandle<()>,
}

impl Service {
    /// Serves those who come.
    pub fn start(visitors: Visitors, server: &Server) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Notify::new(),
            torn: watch::Sender::new(0),
            unit: server.unit,
        });
        let (back, given) = mpsc::unbounded_channel();
        let task = tokio::spawn(receive(Arc::clone(&shared), visitors, given));
        Self { shared, back, task }
    }

    /// What is known.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }

    /// Holds other values from now on.
    pub fn hold(&self, held: Held) {
        let mut state = self.state();
        state.held = held;
        for poll in state.of_kind.values_mut() {
            poll.answered = 0;
        }
    }

    /// Waits until something is so.
    pub async fn until(&self, deadline: Instant, is_so: impl Fn(&State) -> bool) -> bool {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if is_so(&self.state()) {
                return true;
            }
            if timeout_at(deadline, changed).await.is_err() {
                return is_so(&self.state());
            }
        }
    }

    /// The next request that begins so, which nobody else answers; none within `limit`.
    pub async fn take(&self, asked: &[u8], limit: Duration) -> Option<Taken> {
        let (to, taken) = oneshot::channel();
        let asked = asked.to_vec();
        self.state().wanted = Some(Wanted { asked, to });
        let taken = tokio::time::timeout(limit, taken).await;
        self.state().wanted = None;
        taken.ok()?.ok()
    }

    /// Serves a connection rightly again.
    pub fn give_back(&self, here: Here) {
        let _ = self.back.send(here);
    }

    /// All that was said wrongly on a connection, before the last of it goes out.
    pub fn says(&self, all: &[u8], pending: &BTreeSet<u16>) {
        let mut state = self.state();
        let mut polls = state.of_kind.values();
        let told = polls.any(|poll| tells(all, &poll.request, pending));
        // What was said before is not known whole.
        state.may_hold |= told || all.len() > MOST_SAID;
    }

    /// Resets all connections.
    pub fn tear(&self) {
        self.shared.torn.send_modify(|count| *count += 1);
    }

    /// Waits until all that the device asks has come again.
    pub async fn round(&self, deadline: Instant) {
        let before: BTreeMap<_, _> = {
            let state = self.state();
            let polls = state.of_kind.iter();
            polls
                .map(|(kind, poll)| (kind.clone(), poll.came))
                .collect()
        };
        let again = |state: &State| {
            before
                .iter()
                .all(|(kind, came)| state.of_kind.get(kind).is_some_and(|it| it.came > *came))
        };
        self.until(deadline, again).await;
    }

    /// Lets nobody in from now on, and says how many are there still.
    pub fn shut(&self) -> usize {
        let mut state = self.state();
        state.door = Door::Shut;
        state.comings = Comings::default();
        state.open
    }

    /// Lets those who come ask before they are sent away.
    pub fn let_ask(&self) {
        self.state().door = Door::ShutOnceAsked;
    }

    /// Lets everybody in again, and says who came meanwhile.
    pub fn let_in(&self) -> Comings {
        let mut state = self.state();
        state.door = Door::Open;
        std::mem::take(&mut state.comings)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is done with somebody who comes.
    pub(super) fn door(&self, came: Instant) -> Door {
        let mut state = self.state();
        state.comings.add(came);
        match state.door {
            Door::Open if state.open >= MOST => Door::Shut,
            door => door,
        }
    }

    /// A request has come: says what it is known by, and who wants to answer it.
    pub(super) fn came(&self, request: &[u8]) -> Option<oneshot::Sender<Taken>> {
        let mut state = self.state();
        let kind = known_by(request);
        if state.of_kind.contains_key(kind) || state.of_kind.len() < MOST_POLLS {
            let poll = state.of_kind.entry(kind.to_vec()).or_default();
            poll.request = request.to_vec();
            poll.came += 1;
        }
        let wanted = state
            .wanted
            .take_if(|wanted| request.starts_with(&wanted.asked));
        drop(state);
        self.changed.notify_waiters();
        Some(wanted?.to)
    }

    pub(super) fn answered(&self, request: &[u8], held: Held) {
        let mut state = self.state();
        if state.held == held {
            state.answered += 1;
            if let Some(poll) = state.of_kind.get_mut(known_by(request)) {
                poll.answered += 1;
            }
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Holds what the device sent against the specification.
    pub(super) fn judge(&self, frame: &[u8]) {
        let mut state = self.state();
        let exposed = || exposed(frame).filter(|_| !state.may_hold);
        let Some(found) = breach(frame, self.unit).or_else(exposed) else {
            return;
        };
        if state.breaches.len() < MOST_BREACHES {
            state.breaches.push(found);
        }
    }
}
