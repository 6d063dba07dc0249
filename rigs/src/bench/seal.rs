//! Messages that are sealed with a key that the device shares with a peer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::Bench;
use super::error::BenchError;
use crate::rig::{Name, Seal, SharedKey, Values};
use crate::secret::Secret;

/// The last number that a message was given.
static LAST: AtomicU64 = AtomicU64::new(0);

/// A number that is larger than any before it, in this run and in those before: milliseconds since 1970, or one more than
/// the last.
pub(super) fn counter() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let next = |last: u64| Some(now.max(last + 1));
    let last = LAST.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next);
    last.map_or(now, |last| now.max(last + 1))
}

/// The keys of a rig, at hand.
#[derive(Clone)]
pub struct Sealer(BTreeMap<Name, (SharedKey, Option<Secret>)>);

impl Bench {
    /// The keys that the device shares with its peers.
    pub fn sealer(&self) -> Sealer {
        let values = self.values();
        let fetch = |(name, key): (&Name, &SharedKey)| {
            let secret = key.secret.fetch(&values).ok();
            if let Some(secret) = &secret {
                self.recorder.conceal(secret);
            }
            (name.clone(), (key.clone(), secret))
        };
        Sealer(self.rig.keys.iter().map(fetch).collect())
    }
}

impl Sealer {
    /// A key.
    ///
    /// # Errors
    /// There is none of this name, or it cannot be had.
    pub fn key(&self, name: &str) -> Result<&Secret, BenchError> {
        let key = self.0.get(name).and_then(|(_, secret)| secret.as_ref());
        key.ok_or_else(|| BenchError::Rig(format!("the key `{name}` cannot be had (`key.{name}`)")))
    }

    /// The seal over a message with these values: by the key of the rig file, or by another in its place.
    ///
    /// # Errors
    /// The key cannot be had, or is not of the form that the rig file says; a placeholder has no value.
    pub fn seal(
        &self,
        seal: &Seal,
        other: Option<&Secret>,
        values: &Values,
    ) -> Result<String, BenchError> {
        let name = seal.key.as_str();
        let key = other.map_or_else(|| self.key(name), Ok)?;
        let over = seal.over.fill(values)?;
        let made = self.0.get(name).and_then(|(it, _)| it.seal(key, &over));
        made.map(|bytes| seal.form.write(&bytes))
            .ok_or_else(|| BenchError::Rig(format!("the key `{name}` is not of its `form`")))
    }

    /// The values of a message with those that it lacks: a number that no message had before, and the seal.
    ///
    /// # Errors
    /// As [`Sealer::seal`].
    pub fn complete(&self, seal: &Seal, mut values: Values) -> Result<Values, BenchError> {
        values
            .entry("counter".to_owned())
            .or_insert_with(|| counter().to_string());
        if !values.contains_key("seal") {
            let made = self.seal(seal, None, &values)?;
            values.insert("seal".to_owned(), made);
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_only_rises() {
        let numbers: Vec<u64> = (0..100).map(|_| counter()).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
