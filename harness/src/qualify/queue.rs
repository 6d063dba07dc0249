//! Several devices side by side: whole campaigns begin apart, those of one trial fill the time between.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::device::Device;
use super::interrupt::Interrupt;
use super::matrix;
use super::row::Row;
use super::work::Work;

/// How many devices a processor core tests side by side, unless the user says: their trials wait most of the time.
const EACH_CORE: usize = 17;
/// About how long a whole campaign takes. They begin apart: all of them at once would scan, flood and restart at the same moments.
const LASTS: Duration = Duration::from_secs(120);

/// As many as this machine's processors take.
pub(super) fn jobs() -> usize {
    std::thread::available_parallelism().map_or(EACH_CORE, |cores| cores.get() * EACH_CORE)
}

/// Runs so many devices side by side, and hands back their rows in the order of the flaws.
pub(super) fn side_by_side(work: &Work, devices: VecDeque<Device<'_>>, jobs: usize) -> Vec<Row> {
    let total = devices.len();
    let all = devices.into_iter().enumerate();
    let (deep, whole) = all.partition(|(_, device)| device.is_deep());
    let queue = Queue {
        waiting: Mutex::new(Waiting {
            whole,
            deep,
            begins: Instant::now(),
        }),
        apart: match work.quick {
            true => Duration::ZERO,
            false => LASTS / u32::try_from(jobs).unwrap_or(u32::MAX),
        },
    };
    let done: Mutex<Vec<(usize, Row)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(total) {
            scope.spawn(|| {
                while let Some((place, device)) = queue.next(&work.interrupt) {
                    let row = work.judge(device);
                    // What a campaign came to that was cut short says nothing of the suites.
                    if work.interrupt.came() {
                        break;
                    }
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push((place, row));
                    if let Some((_, row)) = done.last() {
                        let word = if row.is_right() {
                            "as expected"
                        } else {
                            "NOT AS EXPECTED"
                        };
                        let name = row.name();
                        eprintln!("{}/{total} {name}: {word}, {} s", done.len(), row.seconds);
                        // A whole qualification takes its time: what is wrong is worth to know at once.
                        eprint!("{}", matrix::reasons(row));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, row)| row).collect()
}

/// A device with its place in the list.
type Placed<'p> = (usize, Device<'p>);

/// Devices that wait to be tested.
struct Queue<'p> {
    waiting: Mutex<Waiting<'p>>,
    /// The time between the beginnings of two whole campaigns.
    apart: Duration,
}

struct Waiting<'p> {
    whole: VecDeque<Placed<'p>>,
    /// Those of one trial, which fill the time until the next whole campaign may begin.
    deep: VecDeque<Placed<'p>>,
    /// When that is.
    begins: Instant,
}

impl<'p> Queue<'p> {
    /// The next device, once it may begin; none after an interrupt.
    fn next(&self, interrupt: &Interrupt) -> Option<Placed<'p>> {
        let (next, begins) = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            if waiting.begins > now || waiting.whole.is_empty() {
                let deep = waiting.deep.pop_front();
                if deep.is_some() {
                    return deep.filter(|_| !interrupt.came());
                }
            }
            let next = waiting.whole.pop_front()?;
            let begins = waiting.begins.max(now);
            waiting.begins = begins + self.apart;
            (next, begins)
        };
        interrupt.sleep_until(begins);
        Some(next).filter(|_| !interrupt.came())
    }
}
