//! Defects behind a TLS handshake that only generated inputs find. A record's type and length are in clear; what is in it is not, so
//! that a KeyUpdate is known by its length, which hardly anything else has. Each is switched here.

use super::{HEAD, content};
use crate::controller::Controller;
use crate::flaw::Defect;
use crate::process::Point;

/// A KeyUpdate of five bytes, its type and the tag, in a sealed record of TLS 1.3.
const KEY_UPDATE: (u8, usize) = (content::APPLICATION_DATA, 5 + 1 + 16);
/// The length that the flaw `long-record-blocks-newcomers` does not bear.
const LONG: usize = 1 << 14;
/// What the flaw `alert-answered-in-clear` says.
const IN_CLEAR: [u8; 6] = [content::APPLICATION_DATA, 3, 3, 0, 1, 0];

/// The records of a client behind its ClientHello, as far as they came.
#[derive(Default)]
pub(super) struct Behind {
    head: Vec<u8>,
    /// How many bytes of the record are still to come.
    left: usize,
    /// The last one was a KeyUpdate.
    updated: bool,
}

impl Behind {
    /// Looks at bytes, and hands back what a flaw says to them.
    pub(super) fn comes(
        &mut self,
        controller: &Controller,
        mut bytes: &[u8],
    ) -> Option<&'static [u8]> {
        let mut said = None;
        while !bytes.is_empty() {
            if self.left == 0 {
                self.head.push(bytes[0]);
                bytes = &bytes[1..];
                if let [kind, _, _, high, low] = self.head[..] {
                    self.left = usize::from(u16::from_be_bytes([high, low]));
                    self.head.clear();
                    said = said.or(self.record(controller, kind));
                }
            } else {
                let part = self.left.min(bytes.len());
                self.left -= part;
                bytes = &bytes[part..];
            }
            debug_assert!(self.head.len() < HEAD);
        }
        said
    }

    fn record(&mut self, controller: &Controller, kind: u8) -> Option<&'static [u8]> {
        let has = |defect| controller.flaws.enabled(defect);
        let updates = (kind, self.left) == KEY_UPDATE;
        if updates && self.updated && has(Defect::CrashOnKeyUpdates) {
            controller.crash.notify_one();
        }
        if updates && has(Defect::KeyUpdateClearsLimit) {
            controller.process.set(Point::Limit, 0);
        }
        self.updated = updates;
        if self.left > LONG && has(Defect::LongRecordBlocksNewcomers) {
            controller.tls_deep.block();
        }
        let says = kind == content::ALERT && has(Defect::AlertAnsweredInClear);
        says.then_some(&IN_CLEAR)
    }
}
