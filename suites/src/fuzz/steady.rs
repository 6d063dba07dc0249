//! O6 for what no input of a suite has the right to change: values that orders alone write, read back beside the inputs.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use slcert_reports::excerpt;
use slcert_rigs::bench::Bench;
use slcert_rigs::rig::{Name, OutputState, Values};
use tokio::time::{Instant, sleep};

use super::deed::Deed;
use super::finding::{Finding, Oracle};

/// The time between two looks while inputs are sent.
const BETWEEN: Duration = Duration::from_millis(500);
/// The time between two readings that have to be the same.
const AGAIN: Duration = Duration::from_millis(100);
/// The most values that are read.
const MOST: usize = 4;

/// The values of a device that stay as they are while no order is given.
pub(super) struct Steady<'d> {
    bench: &'d Bench,
    values: Vec<Value<'d>>,
    looked: Mutex<Option<Instant>>,
}

/// A value, who reads it where, and who puts it back.
struct Value<'d> {
    read: Deed<'d>,
    write: Option<Deed<'d>>,
    was: Mutex<String>,
}

impl Value<'_> {
    fn was(&self) -> MutexGuard<'_, String> {
        self.was.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'d> Steady<'d> {
    /// Reads the values that can be read beside the interface under test; none where its inputs may be orders.
    pub async fn find(bench: &'d Bench, beside: Option<&str>) -> Self {
        let mut values = Vec::new();
        for (read, write) in beside.map_or_else(Vec::new, |beside| pairs(bench, beside)) {
            let Some(was) = read.read(bench).await else {
                continue;
            };
            sleep(AGAIN).await;
            if read.read(bench).await.as_ref() == Some(&was) {
                let was = Mutex::new(was);
                values.push(Value { read, write, was });
            }
            if values.len() >= MOST {
                break;
            }
        }
        Self {
            bench,
            values,
            looked: Mutex::new(None),
        }
    }

    /// The operations that read them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|value| value.read.operation)
    }

    /// What has changed, where it was not read a moment ago.
    pub async fn changed_by_now(&self) -> Option<Finding> {
        {
            let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            if looked.is_some_and(|at| at.elapsed() < BETWEEN) {
                return None;
            }
            *looked = Some(Instant::now());
        }
        self.changed().await
    }

    /// What has changed. A value that cannot be read says nothing.
    pub async fn changed(&self) -> Option<Finding> {
        for value in &self.values {
            let was = value.was().clone();
            let now = value.read.read(self.bench).await;
            if now.is_none() || now.as_ref() == Some(&was) {
                continue;
            }
            sleep(AGAIN).await;
            if value.read.read(self.bench).await == now {
                let now = now.unwrap_or_default();
                let seen = format!("{}, and {} before", excerpt(&now, 100), excerpt(&was, 100));
                let what = format!(
                    "`{}` reads otherwise, and no order was given",
                    value.read.operation
                );
                return Some(Finding::to_confirm(Oracle::State, what, seen));
            }
        }
        None
    }

    /// Puts back what has changed; what cannot be put back is taken as it is from here on.
    pub async fn restore(&self) {
        for value in &self.values {
            let was = value.was().clone();
            let Some(now) = value.read.read(self.bench).await else {
                continue;
            };
            if now == was {
                continue;
            }
            if let Some(write) = &value.write {
                let order = Values::from([("value".to_owned(), was)]);
                let _ = write.perform(self.bench, &order).await;
            }
            if let Some(now) = value.read.read(self.bench).await {
                *value.was() = now;
            }
        }
    }
}

/// What reads a value that an order writes, and the order.
fn pairs<'d>(bench: &'d Bench, beside: &str) -> Vec<(Deed<'d>, Option<Deed<'d>>)> {
    let rig = bench.rig();
    let loss = rig.policy.output_on_loss.as_ref();
    // An output that falls back when its master is gone changes without an order.
    let falls_back = loss.is_some_and(|loss| loss.state != OutputState::Hold);
    // On a serial line somebody else may be in the way.
    let quick = |name: &str| {
        let interface = rig.interface(name);
        name != beside && interface.is_some_and(|it| !it.kind.is_serial())
    };
    let deed = |operation: &'d Name| Deed::quickest(bench, operation.as_str(), quick);
    let read_back = rig.operations.iter().filter_map(|(order, described)| {
        if falls_back && order.as_str() == "write_output" {
            return None;
        }
        let read = deed(&described.read_back.as_ref()?.value)?;
        Some((read, deed(order)))
    });
    let mut pairs: Vec<(Deed<'_>, Option<Deed<'_>>)> = Vec::new();
    for (read, write) in read_back {
        match pairs
            .iter_mut()
            .find(|(it, _)| it.operation == read.operation)
        {
            Some((_, known)) => *known = known.or(write),
            None => pairs.push((read, write)),
        }
    }
    pairs
}
