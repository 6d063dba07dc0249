//! Defects of the broker that only generated inputs find. Each is switched here, at the screen before it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::screen::{Packet, kind};
use crate::controller::Controller;
use crate::flaw::Defect;
use crate::process::Point;

/// How long the flaw `unsubscribe-stalls-control` stalls.
const STALL: Duration = Duration::from_secs(3);
/// The levels of a topic that the flaw `crash-on-deep-topic` does not bear.
const LEVELS: usize = 150;
/// The properties that the flaw `crash-on-properties` does not bear.
const PROPERTIES: usize = 300;
/// A user property named `k` with the value `v` (MQTT 5.0 section 2.2.2.2).
const PROPERTY: [u8; 7] = [0x26, 0, 1, b'k', 0, 1, b'v'];
/// The declared length from which the flaw `declared-blocks-newcomers` blocks.
const LARGE: usize = 1_000_000;

/// What the defects remember of a whole device.
#[derive(Debug, Default)]
pub(crate) struct Deep {
    /// Whether somebody has declared a large packet.
    blocked: AtomicBool,
}

/// What the defects remember of a session.
#[derive(Debug, Default)]
pub(super) struct Session {
    kinds: Vec<u8>,
    deaf: bool,
}

/// What becomes of a packet of a client.
pub(super) enum Fate {
    /// It is judged and passed on as any other.
    Usual,
    /// It is passed on without being judged.
    Unjudged,
    /// Nothing comes of it.
    Lost,
}

/// Looks at a packet of a client.
pub(super) fn from_client(controller: &Controller, session: &mut Session, packet: &Packet) -> Fate {
    let has = |defect| controller.flaws.enabled(defect);
    if packet.kind() != kind::PINGREQ {
        session.kinds.push(packet.kind());
    }
    let body = packet.body();
    let levels = body.iter().filter(|byte| **byte == b'/').count();
    let properties = body
        .windows(PROPERTY.len())
        .filter(|part| *part == PROPERTY)
        .count();
    let sequence = session
        .kinds
        .ends_with(&[kind::PUBLISH, kind::SUBSCRIBE, kind::PUBLISH]);
    if has(Defect::CrashOnDeepTopic) && levels > LEVELS
        || has(Defect::CrashOnProperties) && properties > PROPERTIES
        || has(Defect::CrashAfterSubscribe) && sequence
    {
        controller.crash.notify_one();
    }
    match packet.kind() {
        kind::PUBCOMP if has(Defect::PubcompDeafens) => session.deaf = true,
        kind::UNSUBSCRIBE if body.len() > 60 && has(Defect::UnsubscribeStallsControl) => {
            controller.process.stall(STALL);
        }
        kind::PUBREL
            if body.first().is_some_and(|high| *high > 0) && has(Defect::ReleaseClearsLimit) =>
        {
            controller.process.set(Point::Limit, 0);
        }
        kind::CONNACK if has(Defect::ConnackIgnored) => return Fate::Lost,
        kind::PUBACK..=kind::PUBCOMP if has(Defect::ZeroIdentifier) => return Fate::Unjudged,
        _ => {}
    }
    if session.deaf {
        Fate::Lost
    } else {
        Fate::Usual
    }
}

/// Changes what the broker sends to a client of MQTT 3.1.1; whether it is shortened as that version asks.
pub(super) fn to_client(controller: &Controller, packet: &mut Packet) -> bool {
    let has = |defect| controller.flaws.enabled(defect);
    match packet.kind() {
        kind::PUBACK if has(Defect::AcknowledgedTwice) => {
            packet.double();
            return false;
        }
        kind::SUBACK if packet.body().len() > 4 && has(Defect::SubackShort) => packet.drop_last(),
        kind::PUBREC => return !has(Defect::ForeignPubrec),
        _ => {}
    }
    true
}

/// Somebody has declared a packet of so many bytes.
pub(super) fn declared(controller: &Controller, length: usize) {
    if length >= LARGE && controller.flaws.enabled(Defect::DeclaredBlocksNewcomers) {
        controller.mqtt_deep.blocked.store(true, Ordering::Relaxed);
    }
}

/// Whether new clients are left waiting.
pub(super) fn is_blocked(controller: &Controller) -> bool {
    controller.mqtt_deep.blocked.load(Ordering::Relaxed)
}
