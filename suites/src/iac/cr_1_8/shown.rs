//! Which certificate a device shows, on each interface with TLS.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use slcert_rigs::bench::BenchError;
use slcert_rigs::line::LineError;
use slcert_rigs::tls::fingerprint;
use tokio::time::{Instant, sleep};

use crate::hands::ready;
use crate::procedure::{Procedure, Stop};

/// How long a device may take to show a certificate that it has taken.
const APPLIES: Duration = Duration::from_secs(5);
/// The time between two looks.
const BETWEEN: Duration = Duration::from_millis(100);

/// What each interface with TLS shows: a certificate's fingerprint, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown(BTreeMap<String, Result<String, String>>);

/// Where a certificate is shown, of all the interfaces that showed the same one at first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Spread {
    Everywhere,
    Nowhere,
    NotOn(String),
}

impl Shown {
    /// What the device shows now.
    ///
    /// # Errors
    /// An interface does not answer.
    pub(super) async fn now(p: &Procedure<'_>) -> Result<Self, Stop> {
        let mut shown = BTreeMap::new();
        for (name, interface) in &p.rig().interfaces {
            if interface.tls.is_none() {
                continue;
            }
            let face = match p.bench().shown_key(name.as_str()).await {
                Ok(key) => Ok(fingerprint(&key.certificate)),
                // The device answers, and there is no handshake with it: that is what it shows.
                Err(BenchError::Line {
                    source: LineError::PeerTls { why, .. } | LineError::PeerAlert { alert: why, .. },
                    ..
                }) => Err(why),
                Err(other) => return Err(other.into()),
            };
            shown.insert(name.as_str().to_owned(), face);
        }
        Ok(Self(shown))
    }

    /// What the device shows as soon as that is right, or after the time that it may take.
    ///
    /// # Errors
    /// An interface does not answer.
    pub(super) async fn settled(
        p: &Procedure<'_>,
        right: impl Fn(&Self) -> bool,
    ) -> Result<Self, Stop> {
        let began = Instant::now();
        loop {
            match Self::now(p).await {
                Ok(is) if right(&is) || began.elapsed() >= APPLIES => return Ok(is),
                // A device may start anew over a certificate.
                Err(stop) if began.elapsed() >= ready(p) => return Err(stop),
                _ => sleep(BETWEEN).await,
            }
        }
    }

    /// What the device shows as soon as a certificate is everywhere where it belongs, or after the time that it may take.
    ///
    /// # Errors
    /// An interface does not answer.
    pub(super) async fn with(
        p: &Procedure<'_>,
        before: &Self,
        certificate: &str,
    ) -> Result<Self, Stop> {
        Self::settled(p, |is| is.spread(before, certificate) == Spread::Everywhere).await
    }

    /// Whether any interface shows a certificate.
    pub(super) fn has_certificate(&self) -> bool {
        self.0.values().any(Result::is_ok)
    }

    /// Where a certificate is shown, of the interfaces that belong together: `before`, they showed the same one.
    pub(super) fn spread(&self, before: &Self, certificate: &str) -> Spread {
        let shows = |name: &String| {
            let face = self.0.get(name);
            face.is_some_and(|face| face.as_deref() == Ok(certificate))
        };
        let shown = before.0.iter().filter(|(name, _)| shows(name));
        let services: Vec<_> = shown.map(|(_, face)| face).collect();
        if services.is_empty() {
            return Spread::Nowhere;
        }
        let mut together = before.0.iter().filter(|(_, face)| services.contains(face));
        match together.find(|(name, _)| !shows(name)) {
            Some((name, _)) => Spread::NotOn(name.clone()),
            None => Spread::Everywhere,
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, face)) in self.0.iter().enumerate() {
            let between = if at == 0 { "" } else { ", " };
            let face = face.as_deref().map_or_else(|why| why, short);
            write!(f, "{between}`{name}` {face}")?;
        }
        Ok(())
    }
}

/// The head of a fingerprint: enough to tell a few apart.
pub(super) fn short(fingerprint: &str) -> &str {
    fingerprint.get(..16).unwrap_or(fingerprint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(faces: &[(&str, &str)]) -> Shown {
        let faces = faces.iter().map(|(name, face)| {
            let face = match *face {
                "" => Err("no handshake".to_owned()),
                face => Ok(face.to_owned()),
            };
            ((*name).to_owned(), face)
        });
        Shown(faces.collect())
    }

    #[test]
    fn interfaces_that_showed_the_same_certificate_belong_together() {
        let before = shown(&[("plc", "a"), ("mqtt", "a"), ("web", "b")]);
        for (now, spread) in [
            (["new", "new", "b"], Spread::Everywhere),
            (["a", "a", "new"], Spread::Everywhere),
            (["new", "a", "b"], Spread::NotOn("mqtt".to_owned())),
            (["new", "", "new"], Spread::NotOn("mqtt".to_owned())),
            (["a", "a", "b"], Spread::Nowhere),
            (["", "", ""], Spread::Nowhere),
        ] {
            let now = shown(&[("plc", now[0]), ("mqtt", now[1]), ("web", now[2])]);
            assert_eq!(now.spread(&before, "new"), spread, "{now}");
        }
    }
}
