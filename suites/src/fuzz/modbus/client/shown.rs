//! A register that the device reads from the bench's server and shows: what it took of an answer, and whether it might.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use slcert_rigs::bench::Bench;
use slcert_rigs::modbus::serve::Held;
use slcert_rigs::rig::{self, Area};
use tokio::time::sleep;

use super::reading::{offered, takable};
use crate::fuzz::deed::Deed;
use crate::fuzz::finding::{Finding, Oracle};
use crate::modbus::hex;
use crate::procedure::Stop;

/// How often it is looked whether an answer was taken, and the time between two looks.
const LOOKS: (u32, Duration) = (2, Duration::from_millis(15));

/// The register, and who reads what the device shows of it.
pub struct Shown<'b> {
    /// As the rig file has it.
    pub stated: &'b rig::Shown,
    bench: &'b Bench,
    reads: Deed<'b>,
    /// What the device shows where it has no value: it may stand in an answer by chance.
    own: Mutex<BTreeSet<u16>>,
}

impl<'b> Shown<'b> {
    /// Of the rig file.
    ///
    /// # Errors
    /// NOT EVALUATED where nobody can read it.
    pub fn of(bench: &'b Bench, stated: &'b rig::Shown) -> Result<Self, Stop> {
        let operation = stated.by.value.as_str();
        let reads = Deed::quickest(bench, operation, |_| true).ok_or_else(|| {
            Stop::not_evaluated(format!(
                "nobody can read what the device shows (`{operation}`)"
            ))
        })?;
        Ok(Self {
            stated,
            bench,
            reads,
            own: Mutex::default(),
        })
    }

    /// One of two numbers that the bench answers with in turn.
    pub fn held(&self, turn: bool) -> (Held, u16) {
        let (from, to) = self.stated.values;
        let value = match turn {
            false => from,
            true => from + (to - from) / 2,
        };
        (Held::of(self.stated, value), value)
    }

    /// The register's place behind the first one that a request reads; none where it does not read it.
    pub fn place(&self, request: &[u8]) -> Option<usize> {
        let area = match request.first()? {
            3 | 23 => Area::Holding,
            4 => Area::Input,
            _ => return None,
        };
        let word = |at| Some(u16::from_be_bytes(*request.get(at..)?.first_chunk()?));
        let place = self.stated.at.checked_sub(word(1)?)?;
        (area == self.stated.area && place < word(3)?).then_some(usize::from(place))
    }

    /// What the device shows now; none where the bench cannot read it as a number.
    pub async fn value(&self) -> Option<u16> {
        self.reads.read(self.bench).await?.trim().parse().ok()
    }

    /// Whether the device shows this by now.
    pub async fn shows(&self, value: u16) -> Option<bool> {
        Some(self.value().await? == value)
    }

    /// Whether the device has taken a number that no right answer to the request had. `before` is what it showed, and `right` what
    /// it is answered rightly; `all` is what was said on the connection
    /// that was not right, `said` what was said last.
    pub async fn taken(
        &self,
        (before, right): (u16, u16),
        request: &[u8],
        (all, said): (&[u8], &[u8]),
        pending: &BTreeSet<u16>,
    ) -> Option<Finding> {
        let place = self.place(request)?;
        let (looks, between) = LOOKS;
        for look in 0..looks {
            if look > 0 {
                sleep(between).await;
            }
            let after = self.value().await?;
            if after == before {
                continue;
            }
            let bytes = after.to_be_bytes();
            let answers = takable(all, request, pending);
            let might = answers
                .iter()
                .any(|data| data.get(2 * place..2 * place + 2) == Some(&bytes[..]));
            let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
            if !offered(said, place).contains(&after) {
                own.insert(after);
            }
            if might || after == right || own.contains(&after) {
                return None;
            }
            return Some(Finding::new(
                Oracle::Acceptance,
                "a value is taken from what is no answer to the request",
                format!(
                    "`{}` went from {before} to {after} after {}",
                    self.reads.operation,
                    hex(said)
                ),
            ));
        }
        None
    }
}
