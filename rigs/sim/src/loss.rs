//! The loss of the master: who wrote the output last is watched, and the output goes where the settings say when that
//! session is gone.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use crate::audit::{Category, Event, Source};
use crate::controller::{Actor, Controller, Write};
use crate::flaw::Defect;
use crate::process::Point;

/// How often the master is looked for; it is gone when it is missed twice.
const PERIOD: Duration = Duration::from_millis(50);

/// Who wrote the output last, over a line whose sessions the device knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Master {
    user: String,
    source: Source,
}

impl Controller {
    /// Notes who writes the output.
    pub(crate) fn note_master(&self, actor: &Actor, writes: &[Write]) {
        if !writes
            .iter()
            .any(|write| matches!(write, Write::Point(Point::Output, _)))
        {
            return;
        }
        let watched = matches!(actor.source, Source::Mqtt | Source::ModbusTls);
        let master = watched.then(|| Master {
            user: actor.name.clone(),
            source: actor.source,
        });
        *self.master.lock().unwrap_or_else(PoisonError::into_inner) = master;
    }

    fn master(&self) -> Option<Master> {
        let master = self.master.lock().unwrap_or_else(PoisonError::into_inner);
        master.clone()
    }

    fn master_is_gone(&self, gone: &Master) {
        {
            let mut master = self.master.lock().unwrap_or_else(PoisonError::into_inner);
            if master.as_ref() != Some(gone) {
                return;
            }
            *master = None;
        }
        let value = self.policy().output_on_loss;
        self.audit.record(Event {
            source: Source::Device,
            category: Category::System,
            kind: "master_lost",
            user: &gone.user,
            success: true,
            detail: "",
        });
        let Some(value) = value.filter(|_| !self.flaws.enabled(Defect::OutputHoldsOnLoss)) else {
            return;
        };
        let device = Actor {
            source: Source::Device,
            name: String::new(),
            role: String::new(),
        };
        if let Err(error) = self.apply(&device, &[Write::Point(Point::Output, value)]) {
            eprintln!("output on loss: {error}");
        }
    }
}

/// Watches the master for as long as the device runs.
pub(crate) async fn watch(controller: Arc<Controller>) {
    let mut missed = None;
    loop {
        sleep(PERIOD).await;
        let absent = controller
            .master()
            .filter(|master| !controller.sessions.has(&master.user, master.source));
        if let Some(master) = &absent
            && missed == absent
        {
            controller.master_is_gone(master);
        }
        missed = absent;
    }
}
