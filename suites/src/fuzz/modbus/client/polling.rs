//! The device as it polls: whether it asks, asks on, and shows what it is answered.

use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::service::State;
use super::shown::Shown;
use super::target::Client;

/// The time between two looks whether a right answer shows.
const BETWEEN: Duration = Duration::from_millis(10);

impl Client<'_> {
    /// Waits until the device has asked, and asks on when it was answered rightly.
    pub(super) async fn polls(&self, deadline: Instant) -> Result<(), String> {
        let limit = self.returns.limit().as_millis();
        let silent = || format!("the device does not poll within {limit} ms");
        let before = self.service.state().answered;
        let answered = self
            .service
            .until(deadline, |state| state.answered > before);
        if !answered.await {
            return Err(silent());
        }
        let asked = |state: &State| -> u64 { state.of_kind.values().map(|poll| poll.came).sum() };
        let before = asked(&self.service.state());
        let asks_on = self.service.until(deadline, |state| asked(state) > before);
        match asks_on.await {
            true => Ok(()),
            false => Err(format!(
                "the device does not poll on within {limit} ms though it is answered rightly"
            )),
        }
    }

    /// Waits until the device shows another number that it is answered with.
    pub(super) async fn shows(&self, shown: &Shown<'_>, deadline: Instant) -> Result<(), String> {
        let turn = {
            let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
            *turn = !*turn;
            *turn
        };
        let (held, value) = shown.held(turn);
        self.service.hold(held);
        let read = |state: &State| {
            let mut polls = state.of_kind.values();
            polls.any(|poll| poll.answered > 0 && shown.place(&poll.request).is_some())
        };
        let limit = self.returns.limit().as_millis();
        if !self.service.until(deadline, read).await {
            return Err(format!(
                "the device does not ask for what it shows within {limit} ms"
            ));
        }
        loop {
            match shown.shows(value).await {
                // Whether the interface that shows it serves is looked at by others.
                Some(true) | None => return Ok(()),
                Some(false) if Instant::now() >= deadline => {
                    return Err(format!(
                        "the device does not show what it is answered rightly within {limit} ms"
                    ));
                }
                Some(false) => sleep(BETWEEN).await,
            }
        }
    }

    /// Waits until all that the device asks has come twice, or as long as it may take.
    pub(super) async fn learn(&self, deadline: Instant) {
        let twice = |state: &State| {
            !state.of_kind.is_empty() && state.of_kind.values().all(|poll| poll.came > 2)
        };
        self.service.until(deadline, twice).await;
    }
}
