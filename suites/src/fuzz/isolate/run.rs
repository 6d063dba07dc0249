//! One replay: inputs are sent again in order, until the oracles say what is sought.

use std::time::Duration;

use tokio::time::sleep;

use crate::fuzz::device::Device;
use crate::fuzz::finding::Finding;
use crate::fuzz::input::Input;
use crate::fuzz::open::Open;
use crate::fuzz::target::Target;

/// How long a device may take to go down.
const MOMENT: Duration = Duration::from_millis(150);

/// What a replay is to bring about.
pub(super) struct Sought<'s> {
    /// How it shows.
    pub shows: Shows,
    /// Whether it may be the device as a whole.
    pub grave: bool,
    /// Whether it is this.
    pub is: &'s (dyn Fn(&Finding) -> bool + Send + Sync),
}

/// How what is sought shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shows {
    /// At once.
    Now,
    /// On the essential functions: until each is seen to go on.
    OnControl,
    /// Perhaps there, and perhaps later: for as long as one of them may go without a right reading.
    InTime,
}

/// What came of a replay.
pub(super) struct Ran {
    /// What the oracles said first that is sought, else what they said last.
    pub found: Option<Finding>,
    /// How many of the inputs had been sent by then.
    pub sent: usize,
}

/// Sends inputs in order.
pub(super) async fn run<T: Target>(
    device: &Device<'_, T>,
    inputs: &[Input],
    sought: Sought<'_>,
) -> Ran {
    let most = device.target.waiting();
    let mut link = None;
    let mut open = Open::default();
    let mut other = None;
    for (at, input) in inputs.iter().enumerate() {
        let sent = at + 1;
        let seen = |found| Ran { found, sent };
        if input.anew {
            link = None;
        }
        let opened = match link.take() {
            Some(link) => link,
            None => match device.target.open().await {
                Ok(opened) => opened,
                // The device as a whole says more of it than a connection that is refused.
                Err(_) => break,
            },
        };
        let delivered = device.target.deliver(opened, input).await;
        link = delivered.link;
        open.add(delivered.later);
        let mut found = delivered.finding;
        // A device that is gone leaves all unanswered that is sent to it still.
        if found.is_none() && open.len() >= most && sought.grave {
            found = device.look(false).await;
        }
        loop {
            match found {
                Some(found) if (sought.is)(&found) => return seen(Some(found)),
                Some(found) => other = Some(found),
                None => {}
            }
            found = open.next(most, false).await;
            if found.is_none() {
                break;
            }
        }
    }
    let sent = inputs.len();
    if !open.is_empty() && sought.grave {
        let whole = device.look(false).await;
        if whole.as_ref().is_some_and(sought.is) {
            return Ran { found: whole, sent };
        }
    }
    while let Some(found) = open.next(most, true).await {
        if (sought.is)(&found) {
            let found = Some(found);
            return Ran { found, sent };
        }
        other = Some(found);
    }
    drop(link);
    let mut whole = match sought.shows {
        Shows::Now => device.look(false).await,
        Shows::OnControl => device.look_last().await,
        Shows::InTime => device.look_later().await,
    };
    if whole.is_none() && other.is_none() && sought.grave {
        sleep(MOMENT).await;
        whole = device.look(false).await;
    }
    let found = whole.or(other);
    Ran { found, sent }
}
