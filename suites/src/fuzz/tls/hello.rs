//! ClientHellos.

use proptest::prelude::*;

use super::wire::{
    P_256_POINT, TLS_1_2, TLS_1_3, extension as ext, group, handshake, message, sized_8, sized_16,
    words,
};

/// A handshake message, and what it is.
pub type Message = (String, Vec<u8>);

/// Suites that servers have: three of TLS 1.3, and ECDHE with AES and ChaCha20 of TLS 1.2.
const SUITES: [u16; 9] = [
    0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8,
];
const SIGNATURES: [u16; 9] = [
    0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601,
];
/// The parts of a ClientHello, and what is said of their lengths.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) legacy: u16,
    pub(super) random: [u8; 32],
    pub(super) session_id: Vec<u8>,
    pub(super) suites: Vec<u8>,
    pub(super) compression: Vec<u8>,
    pub(super) extensions: Vec<(u16, Vec<u8>)>,
    /// How an extension's length lies.
    pub(super) lie: Option<(usize, u16)>,
    /// The length of all extensions, where it is not theirs.
    pub(super) block: Option<u16>,
    /// Whether there is a block of extensions.
    pub(super) has_block: bool,
    /// What stands behind the last one.
    pub(super) trailing: Vec<u8>,
    /// How much of the message is left out at its end, with its length as if it were there.
    pub(super) cut: usize,
}

/// A number for [`random`]. None is simpler than another: there is nothing to find out by making it smaller.
pub fn number() -> impl Strategy<Value = u64> {
    any::<u64>().no_shrink()
}

/// Thirty-two bytes that no other number makes.
pub fn random(number: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    let mut state = number;
    for part in bytes.as_chunks_mut::<8>().0 {
        // SplitMix64.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        *part = (mixed ^ mixed >> 31).to_be_bytes();
    }
    bytes
}

impl Parts {
    pub(super) fn right(number: u64, newest: bool) -> Self {
        let random = random(number);
        let share = |of: u16, share: &[u8]| [&words(&[of])[..], &sized_16(share)].concat();
        let shares = [
            share(group::X25519, &random),
            share(group::P_256, &P_256_POINT),
        ];
        let mut extensions = vec![
            (
                ext::SUPPORTED_GROUPS,
                sized_16(&words(&[group::X25519, group::P_256])),
            ),
            (ext::POINT_FORMATS, vec![1, 0]),
            (ext::SIGNATURES, sized_16(&words(&SIGNATURES))),
            (ext::MASTER_SECRET, Vec::new()),
            (ext::RENEGOTIATION, vec![0]),
        ];
        if newest {
            extensions.push((
                ext::SUPPORTED_VERSIONS,
                sized_8(&words(&[TLS_1_3, TLS_1_2])),
            ));
            extensions.push((ext::KEY_SHARE, sized_16(&shares.concat())));
        }
        Self {
            legacy: TLS_1_2,
            random,
            session_id: if newest { random.to_vec() } else { Vec::new() },
            suites: words(&SUITES),
            compression: vec![0],
            extensions,
            lie: None,
            block: None,
            has_block: true,
            trailing: Vec::new(),
            cut: 0,
        }
    }

    pub(super) fn without(&mut self, kind: u16) {
        self.extensions.retain(|(of, _)| *of != kind);
    }

    pub(super) fn set(&mut self, kind: u16, content: Vec<u8>) {
        match self.extensions.iter_mut().find(|(of, _)| *of == kind) {
            Some((_, old)) => *old = content,
            None => self.extensions.push((kind, content)),
        }
    }

    pub(super) fn emit(&self) -> Vec<u8> {
        let mut body = [
            &words(&[self.legacy])[..],
            &self.random,
            &sized_8(&self.session_id),
            &sized_16(&self.suites),
            &sized_8(&self.compression),
        ]
        .concat();
        if self.has_block {
            let mut block = Vec::new();
            for (at, (kind, content)) in self.extensions.iter().enumerate() {
                let length = match self.lie {
                    Some((liar, length)) if liar % self.extensions.len() == at => length,
                    _ => content.len().min(0xFFFF) as u16,
                };
                block.extend(words(&[*kind, length]));
                block.extend(content);
            }
            let length = self.block.unwrap_or(block.len().min(0xFFFF) as u16);
            body.extend(words(&[length]));
            body.extend(block);
        }
        body.extend(&self.trailing);
        let mut message = handshake(message::CLIENT_HELLO, &body);
        message.truncate(message.len() - self.cut.min(message.len()));
        message
    }
}

/// A ClientHello with nothing wrong in it, of TLS 1.3 or 1.2.
pub fn right() -> BoxedStrategy<Message> {
    (number(), prop_oneof![2 => Just(true), 1 => Just(false)])
        .prop_map(|(number, newest)| {
            let hello = Parts::right(number, newest).emit();
            ("ClientHello".to_owned(), hello)
        })
        .boxed()
}

/// A ClientHello of so many bytes or more: it is padded (RFC 7685).
pub fn padded(number: u64, bytes: usize) -> Vec<u8> {
    let mut parts = Parts::right(number, true);
    let without = parts.emit().len() + 4;
    let padding = vec![0; bytes.saturating_sub(without).min(0xF000)];
    parts.extensions.push((ext::PADDING, padding));
    parts.emit()
}
