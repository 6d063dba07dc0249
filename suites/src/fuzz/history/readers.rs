//! Who reads all that there is to read.

use std::collections::BTreeSet;
use std::time::Duration;

use slcert_rigs::bench::Entry;
use slcert_rigs::rig::{Rig, Values};
use tokio::time::Instant;

use super::stage::{Event, Stage};
use super::step::Step;
use crate::hands::readings;
use crate::procedure::Stop;
use crate::session::{is_of_the_line, watches};

/// The longest that one look takes: a subscription may be to what nobody publishes.
const LONGEST: Duration = Duration::from_secs(10);

/// Somebody who looks.
#[derive(Clone, Debug)]
pub struct Reader {
    /// The account.
    pub account: String,
    /// Where.
    pub interface: String,
    /// How often, by the operations that nobody before does.
    pub weight: u32,
}

impl Reader {
    /// Reads all.
    pub fn look(&self) -> Step {
        Step::ReadAll {
            account: self.account.clone(),
            interface: self.interface.clone(),
        }
    }
}

/// Who can read what, until nothing is left: the accounts that can read most go first.
pub fn readers(rig: &Rig) -> Vec<Reader> {
    let mut readers = Vec::new();
    for (interface, described) in &rig.interfaces {
        let (interface, modbus) = (interface.as_str(), described.kind.is_modbus());
        let accounts = rig.accounts_on(interface).map(|(name, _)| name.as_str());
        let mut accounts: Vec<_> = accounts
            .filter(|account| !watches(rig, account))
            .map(|account| (account, readings(rig, account, interface)))
            .collect();
        accounts.sort_by_key(|(_, reads)| std::cmp::Reverse(reads.len()));
        let mut known = BTreeSet::new();
        for (account, reads) in accounts {
            let new = reads.iter().filter(|it| known.insert(**it)).count();
            if new > 0 {
                readers.push(Reader {
                    account: account.to_owned(),
                    interface: interface.to_owned(),
                    // There is no text in registers but by a fault.
                    weight: if modbus { 1 } else { new as u32 },
                });
            }
        }
    }
    readers
}

impl Stage<'_, '_> {
    /// Does all that only reads, as an account.
    pub(super) async fn read_all(&mut self, account: &str, interface: &str) -> Result<Event, Stop> {
        self.make_room(interface).await;
        let mut session = match self.enter(account, interface, false).await? {
            Entry::In(session) => session,
            Entry::Refused(answer) => return Ok(Event::Refused(answer.text)),
        };
        let until = Instant::now() + LONGEST;
        let mut read = Event::Nothing;
        for operation in readings(self.p.rig(), account, interface) {
            match session.perform(operation, &Values::new()).await {
                Ok(attempt) if attempt.is_done() => read = Event::Done,
                Ok(_) => {}
                Err(error) if is_of_the_line(&error) => break,
                Err(error) => return Err(error.into()),
            }
            if session.is_over() || Instant::now() >= until {
                break;
            }
        }
        session.close().await;
        Ok(read)
    }
}
