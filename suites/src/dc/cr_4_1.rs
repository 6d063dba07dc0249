//! CR 4.1: information confidentiality. The part on the wire.

use std::time::Duration;

use slcert_rigs::Secret;
use slcert_rigs::bench::Entry;
use slcert_rigs::line::{Direction, Event, Mark, find};
use slcert_rigs::rig::{InterfaceKind, Values};

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::fresh;
use crate::fuzz::history::{self, Property};
use crate::hands::readings;
use crate::password::{Subject, account_with_password, enter as enter_with};
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "planted-secrets",
        title: "a planted secret never comes back",
        requirements: &["CR 4.1"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::PASSWORD),
        needs: &[],
        objective: "Set a password that no device has seen before, use every interface, and look for it in all that the device sends.",
        criterion: "The planted password stands in nothing that the device sends on any line, as text, in base64 or in hexadecimal.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(planted_secrets(p)) },
    },
    Case {
        id: "secrets-on-the-wire",
        title: "a password does not cross the network in clear",
        requirements: &["CR 4.1"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::MQTT),
        needs: &[],
        objective: "Log in over the network, and look for the password in the bytes of the connection.",
        criterion: "The password does not stand in the bytes that cross the network, in either direction.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(secrets_on_the_wire(p)) },
    },
    Case {
        id: "fuzz-histories",
        title: "no order of events makes the device show a password",
        requirements: &["CR 4.1"],
        kind: Kind::Fuzz,
        scope: Scope::Device,
        needs: &[],
        objective: "Change passwords, as their users and as an administrator, also in ways that have to be refused, log in with right and wrong ones on \
                    every interface, leave sessions, cut the power, and read all that can be read, in many orders.",
        criterion: "No planted password, whether it is set, was set before, is refused or is wrong, stands in anything that the device sends on any line, as \
                    text, in base64 or in hexadecimal, nor in what crosses a network under TLS.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(histories(p)) },
    },
];

/// For how many seconds a console is listened to for what the device says on its own.
const REMARKS: u32 = 3;

async fn planted_secrets(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let subject = Subject::find(p)?;
    let planted = Secret::new(fresh::strong_password());
    let mark = p.bench().recorder().mark();
    subject
        .change(p, &subject.original, &subject.original, &planted)
        .await?;
    let used = use_everything(p).await;
    match enter_with(p, subject.account, &planted).await? {
        Entry::In(mut session) => {
            // A device that talks on its own gets the time to do so; an idle session would lock.
            if let Some(console) = session.console() {
                for _ in 0..REMARKS {
                    let newline = console.manner().newline.clone();
                    let _ = console.line().send_bytes(newline.as_bytes()).await;
                    let _ = console
                        .line()
                        .until_quiet(Duration::from_secs(1), Duration::from_secs(1))
                        .await;
                }
            }
            session.close().await;
        }
        Entry::Refused(_) => {
            return Err(Stop::inconclusive(
                "the password could not be planted: see CR 1.5",
            ));
        }
    }
    subject.put_back(p, &planted).await?;
    let used = used?;
    stands_nowhere(p, mark, "the planted password", |received| {
        shows(received, planted.reveal())
    });
    p.check(
        "operations used meanwhile (for information)",
        "recorded",
        used.join(", "),
        true,
    );
    Ok(())
}

/// Writes down for each line that what a bench has planted, or keeps secret, stands in nothing that came over it since a
/// moment. `found` says how it stands there.
pub fn stands_nowhere(
    p: &mut Procedure<'_>,
    mark: Mark,
    what: &str,
    found: impl Fn(&[u8]) -> Option<&'static str>,
) {
    let events = match p.bench().recorder().since(mark) {
        Ok(events) => events,
        Err(why) => return p.cannot_tell(what, "not there", why.to_string()),
    };
    let mut lines: Vec<&str> = events.iter().map(Event::line).collect();
    lines.sort_unstable();
    lines.dedup();
    for line in lines {
        let received = bytes_of(&events, line, Direction::Received);
        if received.is_empty() {
            continue;
        }
        let found = found(&received);
        let observed = match found {
            Some(how) => format!("it stands there, {how}"),
            None => format!("not in {} bytes", received.len()),
        };
        p.check(
            format!("{what} in what came over `{line}`"),
            "not there",
            observed,
            found.is_none(),
        );
    }
}

/// Performs every operation that reads, as somebody who may; what was used.
///
/// # Errors
/// The bench could not.
pub async fn use_everything(p: &Procedure<'_>) -> Result<Vec<String>, Stop> {
    let rig = p.rig();
    let mut used = Vec::new();
    for interface in rig.interfaces.keys() {
        for account in rig
            .accounts_on(interface.as_str())
            .map(|(name, _)| name.as_str())
        {
            let mut operations = readings(rig, account, interface.as_str());
            operations.retain(|name| !used.contains(&format!("{name}@{interface}")));
            if operations.is_empty() {
                continue;
            }
            let Ok(mut session) = p.bench().login(interface.as_str(), account).await else {
                // The account whose password was planted is tried by the case itself.
                continue;
            };
            for operation in operations {
                if session.perform(operation, &Values::new()).await.is_ok() {
                    used.push(format!("{operation}@{interface}"));
                }
                if session.is_over() {
                    break;
                }
            }
            session.close().await;
        }
    }
    Ok(used)
}

async fn secrets_on_the_wire(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let account = account_with_password(p)?;
    let password = p.bench().password(account)?;
    let mark = p.bench().recorder().mark();
    p.login(account).await?.close().await;
    let events = p.bench().recorder().since(mark)?;
    // Under TLS the network sees the ciphertext; without it, the interface's own bytes.
    let wire = if p.interface()?.tls.is_some() {
        format!("{}.wire", p.name())
    } else {
        p.name().to_owned()
    };
    let mut bytes = bytes_of(&events, &wire, Direction::Sent);
    bytes.extend(bytes_of(&events, &wire, Direction::Received));
    if bytes.is_empty() {
        return Err(Stop::inconclusive("nothing was recorded on the wire"));
    }
    let found = shows(&bytes, password.reveal());
    let observed = match found {
        Some(how) => format!("it stands there, {how}"),
        None => format!("not in {} bytes", bytes.len()),
    };
    if let (Some(_), Some(measure)) = (found, p.compensated()) {
        return Err(Stop::review(format!(
            "not met by the component; compensating measure declared: {measure}"
        )));
    }
    p.check(
        format!("the password of `{account}` in the bytes of the connection"),
        "not there",
        observed,
        found.is_none(),
    );
    debug_assert!(p.interface()?.kind == InterfaceKind::Mqtt);
    Ok(())
}

async fn histories(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let property = Property::secrets(p)?;
    history::hold(p, property).await
}

/// What came or went over a line.
pub fn bytes_of(events: &[Event], line: &str, direction: Direction) -> Vec<u8> {
    events
        .iter()
        .filter(|event| event.line() == line && event.direction == direction)
        .flat_map(|event| event.bytes.iter().copied())
        .collect()
}

/// How a secret stands in bytes: as it is, in hexadecimal, or in base64 at any offset.
pub fn shows(bytes: &[u8], secret: &str) -> Option<&'static str> {
    if find(bytes, secret.as_bytes()).is_some() {
        return Some("as text");
    }
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let lower = bytes.to_ascii_lowercase();
    if find(&lower, hex.as_bytes()).is_some() {
        return Some("in hexadecimal");
    }
    // Within a longer base64 text the secret begins at one of three places in a group of four characters: what does
    // not depend on its neighbours is looked for.
    for skip in 0..3 {
        let mut padded = vec![0; skip];
        padded.extend_from_slice(secret.as_bytes());
        let encoded = base64(&padded);
        let first = (skip * 8).div_ceil(6);
        let last = encoded.len().saturating_sub(2);
        if let Some(core) = encoded.get(first..last.min(padded.len() * 8 / 6))
            && core.len() >= 8
            && find(bytes, core).is_some()
        {
            return Some("in base64");
        }
    }
    None
}

/// Base64 of RFC 4648 section 4, without padding.
fn base64(bytes: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = Vec::new();
    for group in bytes.chunks(3) {
        let word = group
            .iter()
            .fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for at in 0..=group.len() {
            encoded.push(ALPHABET[(word >> (18 - 6 * at) & 63) as usize]);
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_every_dress() {
        let secret = "Qz7abcdefghijkmXk4W9";
        assert_eq!(shows(b"x Qz7abcdefghijkmXk4W9 y", secret), Some("as text"));
        let hex: String = secret.bytes().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(shows(hex.as_bytes(), secret), Some("in hexadecimal"));
        for before in ["", "a", "ab", "abc"] {
            let whole = format!("{before}{secret}-and-more");
            assert_eq!(
                shows(&base64(whole.as_bytes()), secret),
                Some("in base64"),
                "{before}"
            );
        }
        assert_eq!(shows(b"Qz7abcdefghijkm", secret), None);
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        assert_eq!(base64(b"foobar"), b"Zm9vYmFy");
        assert_eq!(base64(b"fooba"), b"Zm9vYmE");
    }
}
