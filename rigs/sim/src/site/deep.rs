//! Defects of the device as a client that only generated inputs find. Each is switched here, at the moment that it needs.

use std::time::Duration;

use super::packet::{ALIAS, Fields, USER, kind};
use super::{DEMAND, Next};
use crate::controller::Controller;
use crate::flaw::Defect;

/// How long the flaw `topic-alias-stalls-control` stalls.
const STALL: Duration = Duration::from_secs(3);
/// The user properties of a CONNACK that the flaw `crash-on-connack-properties` does not bear.
const PROPERTIES: usize = 100;
/// A user property named `k` with the value `v` (MQTT 5.0 section 2.2.2.2).
const PROPERTY: [u8; 7] = [USER, 0, 1, b'k', 0, 1, b'v'];
/// How many bytes each unknown PUBREL leaves behind (flaw `pubrel-leaks`).
const LEFT_BEHIND: usize = 256 * 1024;

/// What the defects remember of a client.
#[derive(Debug, Default)]
pub(super) struct Deep {
    kinds: Vec<u8>,
    came_before: bool,
    left_behind: Vec<Vec<u8>>,
}

impl Deep {
    /// A packet has come, and is not read yet.
    pub(super) fn came(&mut self, controller: &Controller, first: u8, body: &[u8]) {
        let has = |defect| controller.flaws.enabled(defect);
        self.kinds.push(first >> 4);
        let properties = body.windows(PROPERTY.len());
        let properties = properties.filter(|part| *part == PROPERTY).count();
        let sequence = [kind::PUBREC, kind::PUBREL, kind::PUBCOMP];
        if has(Defect::CrashOnLatePubcomp) && self.kinds.ends_with(&sequence)
            || has(Defect::CrashOnConnackProperties)
                && first >> 4 == kind::CONNACK
                && properties > PROPERTIES
        {
            controller.crash.notify_one();
        }
        let mut fields = Fields(body);
        let topic = fields.text();
        let publish = first >> 4 == kind::PUBLISH;
        // Behind the packet identifier and the length of the properties.
        let property = if first & 6 == 0 { 1 } else { 3 };
        let alias = fields.0.get(property) == Some(&ALIAS);
        if publish && alias && has(Defect::TopicAliasStallsControl) {
            controller.process.stall(STALL);
        }
        if publish && has(Defect::MalformedDemandTaken) && topic == Ok(DEMAND) {
            super::demand(controller, number(body));
        }
    }

    /// The connection has ended behind these bytes.
    pub(super) fn ended(&self, controller: &Controller, bytes: &[u8]) {
        let cut = bytes
            .first()
            .is_some_and(|first| first >> 4 == kind::PUBLISH);
        let names = bytes
            .windows(DEMAND.len())
            .any(|part| part == DEMAND.as_bytes());
        if cut && names && controller.flaws.enabled(Defect::CutDemandTaken) {
            super::demand(controller, number(bytes));
        }
    }

    /// A SUBACK for another packet than the one that was sent has come.
    pub(super) fn foreign(&self, controller: &Controller) {
        if self.came_before && controller.flaws.enabled(Defect::CrashOnForeignSuback) {
            controller.crash.notify_one();
        }
    }

    /// A PUBREL for a message that is not open has come.
    pub(super) fn unknown(&mut self, controller: &Controller) {
        if controller.flaws.enabled(Defect::PubrelLeaks) {
            self.left_behind.push(vec![1; LEFT_BEHIND]);
        }
    }

    /// Whether a packet that is not right is taken as if nothing had come.
    pub(super) fn ignores(&self, controller: &Controller, first: u8) -> bool {
        first >> 4 == kind::PUBLISH
            && first >> 1 & 3 == 3
            && controller.flaws.enabled(Defect::QosThreeIgnored)
    }

    /// The connection is over.
    pub(super) fn over(&mut self) {
        self.kinds.clear();
        self.came_before = true;
    }
}

/// What comes next when the server has ended the connection with a reason.
pub(super) fn next(controller: &Controller, reason: u8, v5: bool) -> Next {
    let busy = if v5 { 0x89 } else { 0x03 };
    if v5 && reason == 0x9D && controller.flaws.enabled(Defect::MovedNeverReturns) {
        Next::Never
    } else if reason == busy && controller.flaws.enabled(Defect::BusyComesAtOnce) {
        Next::AtOnce
    } else {
        Next::Again
    }
}

/// The digits at the end.
fn number(bytes: &[u8]) -> &[u8] {
    let digits = bytes.iter().rev().take_while(|byte| byte.is_ascii_digit());
    &bytes[bytes.len() - digits.count()..]
}
