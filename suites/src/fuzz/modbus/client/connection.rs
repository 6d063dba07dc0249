//! A connection of the device's at the bench's server.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use slcert_rigs::bench::Visitors;
use slcert_rigs::line::Line;
use slcert_rigs::modbus::wire::Mbap;
use slcert_rigs::modbus::wire::mbap::MbapError;
use slcert_rigs::modbus::{Raw, RawError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::refusal::Door;
use super::service::Shared;

/// A client that asks nothing for so long is gone.
const IDLE: Duration = Duration::from_secs(600);
/// How long who is to be sent away may take to ask.
const ASKS: Duration = Duration::from_millis(10);
/// The most bytes of what was said wrongly on a connection that are kept.
pub(super) const MOST_SAID: usize = 64 * 1024;

/// A request that a suite answers, and its connection.
pub struct Taken {
    /// The connection.
    pub here: Here,
    /// The request's frame.
    pub frame: Vec<u8>,
}

/// What a client did next on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It asked.
    Asks,
    /// It ended the connection.
    Leaves,
}

/// A connection of the device's.
pub struct Here {
    /// The connection.
    pub raw: Raw<Line>,
    /// Whether the bench's side is closed.
    pub shut: bool,
    /// The transactions that have no right answer.
    pub pending: BTreeSet<u16>,
    /// What was said wrongly.
    pub said: Vec<u8>,
    /// Who waits for what comes next on it.
    pub next: Option<oneshot::Sender<Next>>,
    _open: Open,
}

/// Counts a connection for as long as it is there.
struct Open(Arc<Shared>);

impl Open {
    fn new(shared: &Arc<Shared>) -> Self {
        let mut state = shared.state();
        state.open += 1;
        state.most_open = state.most_open.max(state.open);
        Self(Arc::clone(shared))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.state().open -= 1;
    }
}

impl Here {
    /// Keeps what was said wrongly.
    pub fn said(&mut self, bytes: &[u8]) {
        if self.said.len() + bytes.len() <= MOST_SAID {
            self.said.extend_from_slice(bytes);
        }
    }

    fn comes(&mut self, next: Next) {
        if let Some(waits) = self.next.take() {
            let _ = waits.send(next);
        }
    }
}

/// Takes those who come, and those whom a suite gives back.
pub(super) async fn receive(
    shared: Arc<Shared>,
    visitors: Visitors,
    mut given: mpsc::UnboundedReceiver<Here>,
) {
    let mut served = JoinSet::new();
    loop {
        let here = tokio::select! {
            visitor = visitors.next(IDLE) => {
                let Some(visitor) = visitor else { continue };
                match shared.door(visitor.came) {
                    Door::Open => {}
                    Door::Shut => continue,
                    Door::ShutOnceAsked => {
                        let mut raw = Raw::new(visitor.line);
                        served.spawn(async move { drop(raw.receive_tcp(ASKS).await) });
                        continue;
                    }
                }
                Here {
                    raw: Raw::new(visitor.line),
                    shut: false,
                    pending: BTreeSet::new(),
                    said: Vec::new(),
                    next: None,
                    _open: Open::new(&shared),
                }
            }
            Some(here) = given.recv() => here,
            Some(_) = served.join_next() => continue,
        };
        served.spawn(stay(Arc::clone(&shared), here));
    }
}

/// Serves one connection until it ends, or a suite takes it.
async fn stay(shared: Arc<Shared>, mut here: Here) {
    let mut torn = shared.torn.subscribe();
    let taken = loop {
        let came = tokio::select! {
            came = here.raw.receive_tcp(IDLE) => came,
            _ = torn.changed() => break None,
        };
        match one(&shared, &mut here, came).await {
            Go::On => {}
            Go::End => break None,
            Go::To(to, frame) => break Some((to, frame)),
        }
    };
    match taken {
        Some((to, frame)) => {
            let _ = to.send(Taken { here, frame });
        }
        None => here.comes(Next::Leaves),
    }
}

enum Go {
    On,
    End,
    To(oneshot::Sender<Taken>, Vec<u8>),
}

async fn one(shared: &Shared, here: &mut Here, came: Result<Option<Vec<u8>>, RawError>) -> Go {
    let Ok(Some(frame)) = came else {
        return Go::End;
    };
    here.comes(Next::Asks);
    let asked = match Mbap::new_checked(&frame) {
        Ok(asked) => asked,
        // What the end of the connection has cut off.
        Err(MbapError::Truncated { .. }) => return Go::End,
        Err(MbapError::Mismatch { said, got }) if got < usize::from(said) => return Go::End,
        Err(_) => {
            shared.judge(&frame);
            return Go::End;
        }
    };
    shared.judge(&frame);
    here.pending.insert(asked.transaction());
    if let Some(to) = shared.came(asked.pdu()) {
        return Go::To(to, frame);
    }
    if here.shut {
        return Go::On;
    }
    let held = shared.state().held;
    let Some(reply) = held.reply(&frame) else {
        return Go::End;
    };
    if here.raw.send(&reply).await.is_err() {
        return Go::End;
    }
    here.pending.remove(&asked.transaction());
    shared.answered(asked.pdu(), held);
    Go::On
}
