//! Defects of the device as a Modbus client that only generated inputs find. Each is switched here, at the moment that it needs.

use std::time::Duration;

use super::{EXCEPTION, Next, READ_INFLOW};
use crate::controller::Controller;
use crate::flaw::Defect;

/// How long the flaw `unknown-exception-stalls-control` stalls.
const STALL: Duration = Duration::from_secs(3);
/// The greatest exception code (AP section 7).
const LAST_EXCEPTION: u8 = 11;
const SERVER_BUSY: u8 = 6;
/// What stands before the registers of a write.
const HEAD: usize = super::TELL_LEVEL.len();
/// How many bytes each frame that is not looked at leaves behind (flaw `foreign-answer-leaks`).
const LEFT_BEHIND: usize = 1024 * 1024;
/// How many headers of another protocol the flaw `crash-on-third-protocol` does not bear.
const PROTOCOLS: u32 = 3;
/// How long the flaw `half-close-deafens` waits for what cannot come.
const DEAF: Duration = Duration::from_millis(20);

/// What the defects remember of a client.
#[derive(Debug, Default)]
pub(super) struct Deep {
    protocols: u32,
    left_over: Vec<u8>,
    left_behind: Vec<Vec<u8>>,
}

impl Deep {
    /// A frame has come, and is not read yet.
    pub(super) fn came(&mut self, controller: &Controller, request: &[u8], frame: &[u8]) {
        let has = |defect| controller.flaws.enabled(defect);
        let (answer, function) = (&frame[7..], request[0]);
        let Some(&[code, count]) = answer.first_chunk() else {
            return;
        };
        let data = &answer[2..];
        if has(Defect::CrashOnByteCount) && code == function && usize::from(count) > data.len() {
            controller.crash.notify_one();
        }
        if has(Defect::UnknownExceptionStallsControl)
            && code == function | EXCEPTION
            && count > LAST_EXCEPTION
        {
            controller.process.stall(STALL);
        }
        let kept = has(Defect::StaleBytesTold) || has(Defect::SurplusRegistersTold);
        if kept && request == READ_INFLOW && code == function {
            self.left_over = data.get(4..).unwrap_or_default().to_vec();
        }
    }

    /// The level is about to be told.
    pub(super) fn tells(&mut self, controller: &Controller, request: &mut Vec<u8>) {
        request.append(&mut self.left_over);
        request.truncate(252);
        if controller.flaws.enabled(Defect::SurplusRegistersTold) {
            let registers = (request.len() - HEAD) / 2;
            request.truncate(HEAD + 2 * registers);
            request[4] = registers as u8;
            request[5] = 2 * registers as u8;
        }
    }

    /// Whether what answers nothing that was asked is taken.
    pub(super) fn takes_foreign(&self, controller: &Controller, frame: &[u8]) -> bool {
        frame[6] == super::UNIT && controller.flaws.enabled(Defect::ForeignAnswerTaken)
    }

    /// Whether the byte count of an answer is not looked at.
    pub(super) fn takes_any_count(&self, controller: &Controller) -> bool {
        controller.flaws.enabled(Defect::ByteCountIgnored)
    }

    /// A frame that answers nothing was not looked at.
    pub(super) fn discarded(&mut self, controller: &Controller) {
        if controller.flaws.enabled(Defect::ForeignAnswerLeaks) {
            self.left_behind.push(vec![1; LEFT_BEHIND]);
        }
    }

    /// A header of another protocol has come.
    pub(super) fn protocol(&mut self, controller: &Controller) {
        self.protocols += 1;
        if self.protocols >= PROTOCOLS && controller.flaws.enabled(Defect::CrashOnThirdProtocol) {
            controller.crash.notify_one();
        }
    }

    /// The server refuses: what comes next, where that ends the connection.
    pub(super) fn refused(&self, controller: &Controller, code: u8) -> Option<Next> {
        let ends = code == SERVER_BUSY && controller.flaws.enabled(Defect::BusyEndsPolling);
        ends.then_some(Next::Never)
    }

    /// The server has ended its side: what comes next.
    pub(super) async fn ended(&self, controller: &Controller) -> Option<Next> {
        if controller.flaws.enabled(Defect::HalfCloseDeafens) {
            tokio::time::sleep(DEAF).await;
            return None;
        }
        Some(Next::Again)
    }
}

/// What comes next when a connection is over on which nothing was answered.
pub(super) fn unanswered(controller: &Controller) -> Next {
    match controller.flaws.enabled(Defect::RefusedComesAtOnce) {
        true => Next::AtOnce,
        false => Next::Again,
    }
}
