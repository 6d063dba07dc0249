//! Defects before a TLS handshake that only generated inputs find. Each is switched here.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;

use super::{Hello, Stage, content};
use crate::controller::Controller;
use crate::flaw::Defect;

/// The records of a ClientHello that the flaw `fragments-block-newcomers` bears.
const RECORDS: usize = 20;
/// The lengths of a record that the flaw `crash-on-record-length` does not bear.
const LENGTHS: std::ops::RangeInclusive<usize> = 16_641..=18_432;
/// The handshakes that are left half open before the flaw `deaf-after-half-open` shows.
const HALF_OPEN: u32 = 5;
/// How long the flaw `empty-extensions-stall-control` stalls.
const STALL: Duration = Duration::from_secs(3);
/// How many bytes a connection leaves behind (flaw `hello-leaks`).
const LEFT_BEHIND: usize = 64 << 10;
/// How much of the connection before the flaw `alert-echoes` shows.
const ECHO: usize = 64;

/// What the defects remember of a whole device.
#[derive(Debug, Default)]
pub(crate) struct Deep {
    blocked: AtomicBool,
    refused: AtomicBool,
    half_open: AtomicU32,
    /// The first bytes of the last connection.
    last: Mutex<Vec<u8>>,
    left_behind: Mutex<Vec<Vec<u8>>>,
}

impl Deep {
    /// Leaves new clients waiting from now on.
    pub(super) fn block(&self) {
        self.blocked.store(true, Relaxed);
    }
}

/// What becomes of a record.
pub(super) enum Fate {
    /// rustls has it.
    Usual,
    /// Nothing comes of it.
    Lost,
    /// This is said, and the connection ends.
    Answered(Vec<u8>),
}

/// Whether new clients are left waiting.
pub(super) fn is_blocked(controller: &Controller) -> bool {
    controller.tls_deep.blocked.load(Relaxed)
}

/// Whether records are kept from rustls until they are whole: two flaws leave some of them out.
pub(super) fn holds_back(controller: &Controller) -> bool {
    let has = |defect| controller.flaws.enabled(defect);
    has(Defect::EarlyDataIgnored) || has(Defect::FatalAlertIgnored)
}

/// The first bytes of a connection came.
pub(super) fn begins(controller: &Controller, hello: &mut Hello, bytes: &[u8]) {
    if !hello.begun() && controller.flaws.enabled(Defect::AlertEchoes) {
        let own = bytes[..bytes.len().min(ECHO)].to_vec();
        let mut last = controller.tls_deep.last.lock();
        let last = last.as_deref_mut().map(|last| std::mem::replace(last, own));
        hello.before = last.unwrap_or_default();
    }
}

/// The head of a record came.
pub(super) fn announced(controller: &Controller, length: usize) {
    if LENGTHS.contains(&length) && controller.flaws.enabled(Defect::CrashOnRecordLength) {
        controller.crash.notify_one();
    }
}

/// Looks at a record.
pub(super) fn record(controller: &Controller, hello: &Hello, record: &[u8]) -> Fate {
    let has = |defect| controller.flaws.enabled(defect);
    match record[0] {
        content::ALERT if has(Defect::AlertEchoes) => {
            let before = &hello.before;
            let mut answer = vec![content::ALERT, 3, 3, 0, 2 + before.len() as u8, 2, 10];
            answer.extend_from_slice(before);
            Fate::Answered(answer)
        }
        content::ALERT if has(Defect::FatalAlertIgnored) => Fate::Lost,
        content::APPLICATION_DATA if has(Defect::EarlyDataIgnored) => Fate::Lost,
        _ => Fate::Usual,
    }
}

/// Looks at a ClientHello that is whole.
pub(super) fn hello(controller: &Controller, hello: &Hello) {
    let has = |defect| controller.flaws.enabled(defect);
    if hello.records > RECORDS && has(Defect::FragmentsBlockNewcomers) {
        controller.tls_deep.block();
    }
    if has(Defect::EmptyExtensionsStallControl) && extensions(&hello.message) == Some(0) {
        controller.process.stall(STALL);
    }
}

/// The length of all extensions, where there is one.
fn extensions(message: &[u8]) -> Option<usize> {
    // Behind the head, the version and the random number.
    let mut rest = message.get(4 + 2 + 32..)?;
    rest = rest.get(1 + usize::from(*rest.first()?)..)?;
    let suites = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
    rest = rest.get(2 + suites..)?;
    rest = rest.get(1 + usize::from(*rest.first()?)..)?;
    Some(usize::from(u16::from_be_bytes([
        *rest.first()?,
        *rest.get(1)?,
    ])))
}

/// A connection ends.
pub(super) fn ends(controller: &Controller, hello: &Hello, stage: Stage) {
    let has = |defect| controller.flaws.enabled(defect);
    let deep = &controller.tls_deep;
    if stage == Stage::Refused {
        deep.refused.store(true, Relaxed);
    }
    if stage == Stage::Answered
        && has(Defect::DeafAfterHalfOpen)
        && deep.half_open.fetch_add(1, Relaxed) + 1 >= HALF_OPEN
    {
        deep.block();
    }
    if hello.begun() && !hello.whole && has(Defect::HelloLeaks) {
        let mut left_behind = deep
            .left_behind
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        left_behind.push(vec![1; LEFT_BEHIND]);
    }
}

/// Whether a client that speaks without TLS is answered.
pub(crate) async fn in_clear(controller: &Controller, stream: &TcpStream) -> bool {
    let mut first = [0];
    controller.flaws.enabled(Defect::PlainAfterRefusal)
        && controller.tls_deep.refused.load(Relaxed)
        && stream
            .peek(&mut first)
            .await
            .is_ok_and(|length| length == 1)
        && first == [0]
}
