//! Defects of the Modbus server that only generated inputs find. Each is switched here, at the moment that it needs.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::controller::Controller;
use crate::flaw::Defect;

/// How long the flaw `mask-stalls-control` stalls.
const STALL: Duration = Duration::from_secs(3);
/// How much later each function 11 makes what follows (flaw `degrades`).
const LATER: Duration = Duration::from_millis(200);
/// The request at which the flaw `late-crash` ends the process.
const LATE: u32 = 40;
/// How many bytes a connection leaves behind (flaw `connection-leaks`).
const LEFT_BEHIND: usize = 2048;
/// The connections that end inside a request before the flaw `deaf-to-newcomers` shows.
const UNFINISHED: u32 = 4;

/// What the defects remember of a whole device.
#[derive(Debug, Default)]
pub(crate) struct Deep {
    refused: AtomicU32,
    unfinished: AtomicU32,
    late: AtomicU32,
    map_gone: AtomicBool,
    last: Mutex<Vec<u8>>,
    left_behind: Mutex<Vec<Vec<u8>>>,
}

/// What they remember of a connection.
#[derive(Debug, Default)]
pub(super) struct Connection {
    functions: VecDeque<u8>,
    pub(super) deaf: bool,
}

/// Looks at a request before it is answered.
pub(super) fn request(controller: &Controller, connection: &mut Connection, request: &[u8]) {
    let has = |defect| controller.flaws.enabled(defect);
    connection
        .functions
        .push_back(request.first().copied().unwrap_or_default());
    if connection.functions.len() > 3 {
        connection.functions.pop_front();
    }
    let crash = connection.functions == [43, 23, 15] && has(Defect::CrashAfterThree)
        || has(Defect::CrashOnRecordSum) && record_bytes(request) > 245;
    if crash {
        controller.crash.notify_one();
    }
    match *request {
        [24, ..] if has(Defect::DeafConnection) => connection.deaf = true,
        [22, _, _, 0, 0, _, _] if has(Defect::MaskStallsControl) => controller.process.stall(STALL),
        [11, ..] if has(Defect::Degrades) => {
            controller.deep.late.fetch_add(1, Relaxed);
        }
        [16, _, _, 0, 0, ..] if has(Defect::MapDestroyed) => {
            controller.deep.map_gone.store(true, Relaxed);
        }
        _ => {}
    }
}

/// How many bytes a request for file records asks for, whatever its own lengths say.
fn record_bytes(request: &[u8]) -> u32 {
    match request {
        [20, _, parts @ ..] => {
            let parts = parts.chunks_exact(7);
            parts
                .map(|part| 2 * u32::from(u16::from_be_bytes([part[5], part[6]])))
                .sum()
        }
        _ => 0,
    }
}

/// Changes an answer.
pub(super) fn answer(controller: &Controller, request: &[u8], answer: Vec<u8>) -> Vec<u8> {
    let has = |defect| controller.flaws.enabled(defect);
    let refused = answer.first().is_some_and(|code| code & 0x80 != 0);
    if refused
        && has(Defect::LateCrash)
        && controller.deep.refused.fetch_add(1, Relaxed) + 1 == LATE
    {
        controller.crash.notify_one();
    }
    let mut answer = answer;
    match request {
        [4, ..] if has(Defect::MapDestroyed) && controller.deep.map_gone.load(Relaxed) => {
            answer = vec![0x84, 2];
        }
        [15, ..] if refused && request.len() > 6 && has(Defect::LieAccepted) => {
            answer = request[..5].to_vec();
        }
        [4, 0, from, 0, count]
            if from.checked_add(*count) == Some(9) && refused && has(Defect::BeyondTheMap) =>
        {
            answer = vec![4, 2 * count];
            answer.resize(2 + 2 * usize::from(*count), 0);
        }
        [1, _, _, _, count] if !refused && count % 8 != 0 && has(Defect::PaddingBits) => {
            if let Some(last) = answer.last_mut() {
                *last |= 0xFF << (count % 8);
            }
        }
        [17, ..] if refused && has(Defect::BareException) => answer.truncate(1),
        [43, 14, 4, object @ 0x80..=0xFF] if has(Defect::StaleObject) => {
            let last = controller
                .deep
                .last
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let kept = &last[..last.len().min(64)];
            answer = vec![43, 14, 4, 0x83, 0, 0, 1, *object, kept.len() as u8];
            answer.extend(kept);
        }
        _ => {}
    }
    if has(Defect::StaleObject) {
        let mut last = controller
            .deep
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        last.clear();
        last.extend_from_slice(request);
    }
    answer
}

/// How late an answer is.
pub(super) fn delay(controller: &Controller) -> Option<Duration> {
    let late = controller.deep.late.load(Relaxed);
    (late > 0 && controller.flaws.enabled(Defect::Degrades)).then(|| LATER * late.min(10))
}

/// A connection begins.
pub(super) fn connected(controller: &Controller) {
    if controller.flaws.enabled(Defect::ConnectionLeaks) {
        let left_behind = &controller.deep.left_behind;
        let mut left_behind = left_behind.lock().unwrap_or_else(PoisonError::into_inner);
        left_behind.push(vec![1; LEFT_BEHIND]);
    }
}

/// A connection has ended inside a request.
pub(super) fn unfinished(controller: &Controller) {
    if controller.flaws.enabled(Defect::DeafToNewcomers) {
        controller.deep.unfinished.fetch_add(1, Relaxed);
    }
    let spins = controller.flaws.enabled(Defect::SpinsAfterUnfinished);
    // One is enough, and leaves a processor to others.
    if spins && controller.deep.unfinished.fetch_max(1, Relaxed) == 0 {
        std::thread::spawn(|| {
            loop {
                std::hint::spin_loop();
            }
        });
    }
}

/// Whether a new connection is left unanswered.
pub(super) fn is_deaf(controller: &Controller) -> bool {
    controller.deep.unfinished.load(Relaxed) >= UNFINISHED
}
