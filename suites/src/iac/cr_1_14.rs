//! CR 1.14: strength of authentication with symmetric keys.

use slcert_rigs::Secret;
use slcert_rigs::line::Mark;
use slcert_rigs::rig::{Form, SharedKey};

use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::dc::cr_4_1::{shows, stands_nowhere, use_everything};
use crate::hands::{hand, restart};
use crate::procedure::{Procedure, Stop};
use crate::sealed::{Message, Sender, all_sealed, senders};

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "sealed-messages",
        title: "only what is sealed with the shared key, and new, is done",
        requirements: &["CR 1.14"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &[],
        objective: "For each key that the device shares with a peer, find out whether a message is acted upon whose seal does not show that it comes \
                    from that peer, unaltered and for the first time.",
        criterion: "A message with the right seal is acted upon, before the others and after them. One without a seal, with the seal of another key \
                    or of another message, with one that is altered or cut short, and one that was acted upon before, changes nothing, after a \
                    restart as well. No two peers have the same key.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(sealed_messages(p)) },
    },
    Case {
        id: "shared-key-protected",
        title: "a shared key can be changed, and not be read",
        requirements: &["CR 1.14"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &[],
        objective: "Give the device a new key for each peer, look for it in all that the device tells, and use the key before.",
        criterion: "The new key seals, and the one before does not any more; the new one stands in nothing that the device sends on any line, as \
                    text, in base64 or in hexadecimal.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(shared_key_protected(p)) },
    },
];

async fn sealed_messages(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let (mut senders, without) = senders(p)?;
    apart(p, &senders)?;
    let keys: Result<Vec<_>, Stop> = senders.iter().map(Key::of).collect();
    let keys = keys?;
    for sender in &mut senders {
        let tried = match sender.wrong_seals(p, &keys).await {
            Ok(()) => sender.replays(p).await,
            stopped => stopped,
        };
        sender.leave().await;
        tried?;
    }
    all_sealed(&without)
}

/// A key, and whose it is.
struct Key<'r> {
    name: &'r str,
    described: &'r SharedKey,
    secret: Secret,
}

impl<'r> Key<'r> {
    fn of(sender: &Sender<'r>) -> Result<Self, Stop> {
        Ok(Self {
            name: sender.name,
            described: sender.described,
            secret: sender.key()?.clone(),
        })
    }
}

/// No two peers have the same key.
fn apart(p: &mut Procedure<'_>, senders: &[Sender<'_>]) -> Result<(), Stop> {
    for (at, one) in senders.iter().enumerate() {
        for other in &senders[at + 1..] {
            let same = one.described.bytes(one.key()?) == other.described.bytes(other.key()?);
            let words = if same { "the same" } else { "another" };
            p.check(
                format!("the keys of {} and {}", one.name, other.name),
                "not the same",
                words,
                !same,
            );
        }
    }
    Ok(())
}

async fn shared_key_protected(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let (mut senders, without) = senders(p)?;
    let changer = hand(p, "change_key")?;
    for sender in &mut senders {
        let old = sender.key()?.clone();
        let new = sender.new_key(&old)?;
        p.bench().recorder().conceal(&new);
        sender.change(p, changer, &new).await?;
        // What is typed may be echoed; what is read may not be the key.
        let mark = p.bench().recorder().mark();
        let tried = sender.changed(p, &old, &new).await;
        sender.leave().await;
        let used = use_everything(p).await;
        sender.change(p, changer, &old).await?;
        let message = sender.message(p, None).await?;
        let (back, words) = sender.acts(p, message).await?;
        sender.leave().await;
        tried?;
        if !back {
            return Err(Stop::inconclusive(format!(
                "the original key of {} could not be set again: set it by hand before the next run; {words}",
                sender.name
            )));
        }
        let used = used?;
        sender.is_hidden(p, &new, mark);
        p.check(
            "operations used meanwhile (for information)",
            "recorded",
            used.join(", "),
            true,
        );
    }
    all_sealed(&without)
}

impl<'r> Sender<'r> {
    async fn wrong_seals(&mut self, p: &mut Procedure<'r>, all: &[Key<'r>]) -> Result<(), Stop> {
        let first = self.control(p, "before the others").await?;
        let message = self.message(p, None).await?;
        self.in_vain(p, "no seal", message.with("")).await?;
        let foreign = self.new_key(self.key()?)?;
        let message = self.message(p, Some(&foreign)).await?;
        self.in_vain(p, "the seal of a key that nobody has", message)
            .await?;
        for other in all {
            // Its own, or one that is the same, which was told before.
            if other.described.bytes(&other.secret) == self.described.bytes(self.key()?) {
                continue;
            }
            let key = self.described.bytes_as(other.described, &other.secret);
            let Some(key) = key else { continue };
            let message = self.message(p, Some(&key)).await?;
            self.in_vain(p, format!("the seal of {}", other.name), message)
                .await?;
        }
        let message = self.message(p, None).await?;
        self.in_vain(p, "the seal of another message", message.with(first.seal()))
            .await?;
        let message = self.message(p, None).await?;
        let altered = altered(message.seal());
        self.in_vain(
            p,
            "a seal with one character altered",
            message.with(altered),
        )
        .await?;
        for (part, word) in [(2, "half of"), (8, "an eighth of")] {
            let message = self.message(p, None).await?;
            let cut = cut(message.seal(), part);
            self.in_vain(p, format!("{word} the seal"), message.with(cut))
                .await?;
        }
        self.control(p, "after the others").await?;
        Ok(())
    }

    async fn replays(&mut self, p: &mut Procedure<'r>) -> Result<(), Stop> {
        let recorded = self.control(p, "which is recorded").await?;
        self.moved_from(p, &recorded).await?;
        self.in_vain(p, "a message that was acted upon before", recorded.clone())
            .await?;
        if p.bench().can_power_cycle() {
            self.leave().await;
            restart(p, &mut self.desk).await?;
            self.moved_from(p, &recorded).await?;
            self.in_vain(p, "the same after a restart", recorded.clone())
                .await?;
        }
        self.control(p, "after it").await?;
        Ok(())
    }

    /// Sees to it that a message would change something again. Where it would, nothing is sent: a newer message could make
    /// the device refuse an older one that it has forgotten.
    async fn moved_from(&mut self, p: &mut Procedure<'r>, recorded: &Message) -> Result<(), Stop> {
        if self.now(p).await? == recorded.value {
            self.control(p, "after the recorded one").await?;
        }
        Ok(())
    }

    /// The new key seals, and the old one does not.
    async fn changed(
        &mut self,
        p: &mut Procedure<'r>,
        old: &Secret,
        new: &Secret,
    ) -> Result<(), Stop> {
        let message = self.message(p, Some(new)).await?;
        let (acts, words) = self.acts(p, message).await?;
        p.check(
            format!("{}: the seal of the new key", self.name),
            "is acted upon",
            words,
            acts,
        );
        let message = self.message(p, Some(old)).await?;
        self.in_vain(p, "the seal of the key before", message).await
    }

    /// The key stands in nothing that came on any line.
    fn is_hidden(&self, p: &mut Procedure<'r>, key: &Secret, mark: Mark) {
        let raw = self.described.bytes(key).unwrap_or_default();
        let texts = [
            key.reveal().to_owned(),
            Form::Hex.write(&raw),
            Form::Base64.write(&raw),
        ];
        let what = format!("the key of {}", self.name);
        stands_nowhere(p, mark, &what, |received| {
            texts.iter().find_map(|text| shows(received, text))
        });
    }
}

/// A seal with its first character altered: in hexadecimal and in base64 it is one still.
fn altered(seal: &str) -> String {
    let first = if seal.starts_with('a') { 'b' } else { 'a' };
    let rest = seal.chars().skip(1);
    std::iter::once(first).chain(rest).collect()
}

/// The first part of a seal: whole groups of base64, whole bytes of hexadecimal.
fn cut(seal: &str, part: usize) -> &str {
    let length = (seal.len() / part) & !3;
    seal.get(..length).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_altered_seal_is_another_one() {
        assert_eq!(altered("a1"), "b1");
        assert_eq!(altered("01"), "a1");
    }

    #[test]
    fn a_part_of_a_seal_is_whole_bytes() {
        let seal = "0123456789abcdef0123456789abcdef";
        assert_eq!(cut(seal, 2), "0123456789abcdef");
        assert_eq!(cut(seal, 8), "0123");
        assert_eq!(cut("0123", 2), "");
    }
}
