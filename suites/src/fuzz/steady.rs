//! O6 for what no input of a suite has the right to change: values that orders alone write, read back beside the inputs.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use slcert_reports::excerpt;
use slcert_rigs::bench::{Bench, Entry, Who};
use slcert_rigs::rig::{Interface, OutputState, Values};
use slcert_rigs::{Attempt, bench::BenchError};
use tokio::time::{Instant, sleep, timeout};

use super::finding::{Finding, Oracle};

/// The time between two looks while inputs are sent.
const BETWEEN: Duration = Duration::from_millis(500);
/// The time between two readings that have to be the same.
const AGAIN: Duration = Duration::from_millis(100);
/// How long one reading or one order may take.
const LIMIT: Duration = Duration::from_secs(3);
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

/// An operation, where it is performed, and as whom.
#[derive(Clone, Copy)]
struct Deed<'d> {
    operation: &'d str,
    interface: &'d str,
    who: Who<'d>,
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

impl Deed<'_> {
    async fn read(&self, bench: &Bench) -> Option<String> {
        match self.perform(bench, &Values::new()).await {
            Ok(Some(Attempt::Done(answer))) => answer.value,
            _ => None,
        }
    }

    /// Performs it in a session of its own; none where the device lets nobody in, or takes too long.
    async fn perform(&self, bench: &Bench, values: &Values) -> Result<Option<Attempt>, BenchError> {
        let done = async {
            let mut session = match bench.enter(self.interface, &self.who).await? {
                Entry::In(session) => session,
                Entry::Refused(_) => return Ok(None),
            };
            let attempt = session.perform(self.operation, values).await;
            session.close().await;
            attempt.map(Some)
        };
        timeout(LIMIT, done).await.unwrap_or(Ok(None))
    }
}

/// What reads a value that an order writes, and the order.
fn pairs<'d>(bench: &'d Bench, beside: &str) -> Vec<(Deed<'d>, Option<Deed<'d>>)> {
    let rig = bench.rig();
    let loss = rig.policy.output_on_loss.as_ref();
    // An output that falls back when its master is gone changes without an order.
    let falls_back = loss.is_some_and(|loss| loss.state != OutputState::Hold);
    let read_back = rig.operations.iter().filter_map(|(order, described)| {
        if falls_back && order.as_str() == "write_output" {
            return None;
        }
        let read = described.read_back.as_ref()?;
        let read = deed(bench, read.as_str(), beside)?;
        Some((read, deed(bench, order.as_str(), beside)))
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

/// Where an operation can be performed quickly, on another interface than the one under test.
fn deed<'d>(bench: &'d Bench, operation: &'d str, beside: &str) -> Option<Deed<'d>> {
    let rig = bench.rig();
    let mut deeds: Vec<(bool, Deed<'d>)> = Vec::new();
    for (name, interface) in &rig.interfaces {
        let name = name.as_str();
        if name == beside || interface.kind.is_serial() || rig.binding(operation, name).is_none() {
            continue;
        }
        let who = who(interface, operation, || rig.who_may_str(operation, name));
        if let Some(who) = who {
            let slow = !interface.kind.is_modbus();
            deeds.push((
                slow,
                Deed {
                    operation,
                    interface: name,
                    who,
                },
            ));
        }
    }
    deeds.sort_by_key(|(slow, _)| *slow);
    deeds.first().map(|(_, deed)| *deed)
}

fn who<'d>(
    interface: &Interface,
    operation: &str,
    account: impl FnOnce() -> Option<&'d str>,
) -> Option<Who<'d>> {
    if interface.is_open(operation) {
        return Some(Who::Nobody);
    }
    account().map(Who::Account)
}
