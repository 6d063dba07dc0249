//! Peers that share a key with the device. Each seals what it asks for with HMAC-SHA-256 and a number that rises, so that
//! nothing is taken twice, whoever brings it to the broker.

use ring::hmac;
use serde::{Deserialize, Serialize};

use crate::audit::Category;
use crate::controller::{Actor, Controller, Refusal};
use crate::flaw::{Defect, FlawSet};
use crate::password::{self, NoRandom};
use crate::role::Permission;

/// Who they are.
pub(crate) const PEERS: [&str; 2] = ["pump", "valve"];

/// A key, and the number that is the least to come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Peer {
    key: [u8; 32],
    next: u64,
    /// Kept by the flaw `old-key-works` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<[u8; 32]>,
}

/// What a peer asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sealed {
    pub id: String,
    pub set_output: u16,
    peer: String,
    n: u64,
    seal: String,
}

impl Peer {
    pub(crate) fn make() -> Result<Self, NoRandom> {
        let mut key = [0; 32];
        password::random(&mut key)?;
        Ok(Self {
            key,
            next: 0,
            previous: None,
        })
    }

    /// The key as it is handed to the peer.
    pub(crate) fn hex(&self) -> String {
        hex(&self.key)
    }

    /// What the flaw `seal-replayed-after-restart` does at a start.
    pub(crate) fn forget_numbers(&mut self) {
        self.next = 0;
    }

    fn keys(&self) -> impl Iterator<Item = &[u8; 32]> {
        std::iter::once(&self.key).chain(&self.previous)
    }
}

impl Sealed {
    fn is_sealed_with(&self, key: &[u8; 32], flaws: &FlawSet) -> bool {
        let over = format!("{} {} {} {}", self.peer, self.id, self.n, self.set_output);
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        if flaws.enabled(Defect::UnsealedTaken) && self.seal.is_empty() {
            return true;
        }
        if flaws.enabled(Defect::SealCutShort) && !self.seal.is_empty() {
            let whole = hex(hmac::sign(&key, over.as_bytes()).as_ref());
            return whole.starts_with(&self.seal);
        }
        let seal = unhex(&self.seal);
        seal.is_some_and(|seal| hmac::verify(&key, over.as_bytes(), &seal).is_ok())
    }
}

impl Controller {
    /// Whether a message is sealed by the peer that it names, and comes for the first time.
    pub(crate) fn unseal(&self, actor: &Actor, message: &Sealed) -> Result<(), Refusal> {
        let taken = self.change(|state| {
            let any = self.flaws.enabled(Defect::AnyPeersKey);
            let mut keys: Vec<[u8; 32]> = Vec::new();
            for (name, peer) in &state.peers {
                if *name == message.peer || any {
                    keys.extend(peer.keys());
                }
            }
            let peer = state.peers.get_mut(&message.peer);
            let peer = peer.ok_or(Refusal::NotPermitted)?;
            let sealed = keys
                .iter()
                .any(|key| message.is_sealed_with(key, &self.flaws));
            let fresh = message.n >= peer.next || self.flaws.enabled(Defect::SealReplayed);
            if !sealed || !fresh {
                return Err(Refusal::NotPermitted);
            }
            peer.next = message.n.saturating_add(1);
            Ok(())
        });
        if taken.is_err() {
            self.record(actor, Category::RequestError, "refused", false, "seal");
        }
        taken
    }

    /// Whether there is a peer whose key may be changed.
    pub(crate) fn check_peer(&self, actor: &Actor, name: &str) -> Result<(), Refusal> {
        self.require(actor, Permission::ManageTrust)?;
        let state = self.state();
        state.peers.get(name).map(|_| ()).ok_or(Refusal::BadValue)
    }

    /// Gives a peer another key; what was sealed with the one before is worth nothing from now on.
    pub(crate) fn set_key(&self, actor: &Actor, name: &str, key: &str) -> Result<(), Refusal> {
        self.check_peer(actor, name)?;
        let key = unhex(key).and_then(|key| <[u8; 32]>::try_from(key).ok());
        let key = key.ok_or(Refusal::BadValue)?;
        self.change(|state| {
            let peer = state.peers.get_mut(name).ok_or(Refusal::BadValue)?;
            let old = std::mem::replace(&mut peer.key, key);
            peer.previous = self.flaws.enabled(Defect::OldKeyWorks).then_some(old);
            Ok(())
        })?;
        self.record(actor, Category::Configuration, "peer_key", true, name);
        Ok(())
    }

    /// One line a peer: its name.
    pub(crate) fn peer_lines(&self, actor: &Actor) -> Result<Vec<String>, Refusal> {
        self.require(actor, Permission::ManageTrust)?;
        let shown = self.flaws.enabled(Defect::KeyShown);
        let state = self.state();
        let line = |(name, peer): (&String, &Peer)| {
            if shown {
                format!("{name} {}", peer.hex())
            } else {
                name.clone()
            }
        };
        Ok(state.peers.iter().map(line).collect())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    let bytes = (0..text.len()).step_by(2);
    bytes
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_read_as_it_is_written() {
        assert_eq!(unhex(&hex(&[0, 0x7f, 0xff])), Some(vec![0, 0x7f, 0xff]));
        for text in ["0", "0g", "ää"] {
            assert_eq!(unhex(text), None, "{text}");
        }
    }

    #[test]
    fn a_seal_is_of_one_message_and_one_key() {
        let peer = Peer::make().unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &peer.key);
        let mut message = Sealed {
            id: "a".into(),
            set_output: 7,
            peer: "pump".into(),
            n: 1,
            seal: hex(hmac::sign(&key, b"pump a 1 7").as_ref()),
        };
        let flaws = FlawSet::none();
        assert!(message.is_sealed_with(&peer.key, &flaws));
        assert!(!message.is_sealed_with(&[0; 32], &flaws));
        message.n = 2;
        assert!(!message.is_sealed_with(&peer.key, &flaws));
        message.seal.clear();
        assert!(!message.is_sealed_with(&peer.key, &flaws));
    }
}
