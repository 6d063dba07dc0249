//! CR 3.5: input validation. The part on the protocols' own limits; generated inputs are fuzz cases.

use std::time::Duration;

use slcert_rigs::mqtt::wire::{Version, frame};
use slcert_rigs::rig::{InterfaceKind, Values};

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::fresh;
use crate::modbus::{Peer, Said, Served, first_account, hex, reading, words};
use crate::password::account_with_password;
use crate::procedure::{Procedure, Stop};
use crate::si::cr_3_1::{carries_out, corrupted};

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "modbus-limits",
        title: "Modbus requests beyond the protocol's limits are refused",
        requirements: &["CR 3.5"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::MODBUS),
        needs: &[],
        objective: "Find out how the device answers requests with quantities, addresses, lengths and functions that the protocol forbids.",
        criterion: "Each such request is answered with an exception, or not at all; the right request that follows each is answered, \
                    and the essential functions hold.",
        svv: Svv::Vulnerability,
        body: |p| -> Run<'_> { Box::pin(modbus_limits(p)) },
    },
    Case {
        id: "mqtt-limits",
        title: "malformed MQTT packets end the connection without effect",
        requirements: &["CR 3.5"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::MQTT),
        needs: &[],
        objective: "Find out how the broker answers packets that the protocol forbids, before and after CONNECT.",
        criterion: "The broker closes the connection for each, and serves a right client afterwards.",
        svv: Svv::Vulnerability,
        body: |p| -> Run<'_> { Box::pin(mqtt_limits(p)) },
    },
    Case {
        id: "console-limits",
        title: "the console copes with any line",
        requirements: &["CR 3.5"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::CONSOLE),
        needs: &[],
        objective: "Find out how the console takes lines that are too long, control characters, escape sequences and bytes that are no text.",
        criterion: "After each the console still works, and the essential functions hold.",
        svv: Svv::Vulnerability,
        body: |p| -> Run<'_> { Box::pin(console_limits(p)) },
    },
];

const LIMIT: Duration = Duration::from_secs(1);

/// Requests that the Modbus application protocol forbids (V1.1b3 sections 6.1 to 6.21, 7), as PDUs.
const FORBIDDEN: &[(&str, &[u8])] = &[
    ("FC 1, no coils", &[1, 0, 0, 0, 0]),
    ("FC 1, 2001 coils", &[1, 0, 0, 0x07, 0xD1]),
    ("FC 1, 65535 coils", &[1, 0, 0, 0xFF, 0xFF]),
    ("FC 2, 2001 inputs", &[2, 0, 0, 0x07, 0xD1]),
    ("FC 3, no registers", &[3, 0, 0, 0, 0]),
    ("FC 3, 126 registers", &[3, 0, 0, 0, 126]),
    ("FC 3, 65535 registers", &[3, 0, 0, 0xFF, 0xFF]),
    ("FC 3, beyond the last address", &[3, 0xFF, 0xFF, 0, 2]),
    ("FC 4, 126 registers", &[4, 0, 0, 0, 126]),
    (
        "FC 5, a value that is neither on nor off",
        &[5, 0, 0, 0x12, 0x34],
    ),
    ("FC 15, no coils", &[15, 0, 0, 0, 0, 0]),
    ("FC 15, 1969 coils", &[15, 0, 0, 0x07, 0xB1, 1, 0]),
    ("FC 15, a byte count that lies", &[15, 0, 0, 0, 8, 9, 0]),
    ("FC 16, no registers", &[16, 0, 0, 0, 0, 0]),
    ("FC 16, 124 registers", &[16, 0, 0, 0, 124, 248, 0, 0]),
    ("FC 16, a byte count that lies", &[16, 0, 0, 0, 1, 4, 0, 0]),
    (
        "FC 43/14, a reading code that does not exist",
        &[0x2B, 0x0E, 0x09, 0x00],
    ),
    (
        "FC 43, an MEI type that does not exist",
        &[0x2B, 0x63, 0x01],
    ),
    ("FC 0", &[0]),
    ("FC 65, user-defined", &[65, 0, 0]),
    ("FC 100, user-defined", &[100]),
    ("FC 127", &[127, 1, 2, 3]),
    ("FC 131, an exception as a request", &[0x83, 2]),
];

async fn modbus_limits(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let mut peer = Peer::open(p).await?;
    if let Served::Never(why) = peer.serves().await? {
        return Err(Stop::inconclusive(format!(
            "a right request is not answered: {why}"
        )));
    }
    for (what, pdu) in FORBIDDEN {
        let (said, served) = peer.ask_and_serve(pdu).await?;
        let met = is_refusal(&said);
        p.check(*what, "an exception, or no answer", words(&said), met);
        if !still_served(p, served, what).await? {
            return Ok(());
        }
    }
    let interface = p.interface()?;
    if interface.kind == InterfaceKind::ModbusTls {
        drop(peer);
        let pdu = reading(p);
        let who = first_account(p);
        // Without TLS, a wrong header is a matter of integrity: CR 3.1. Under TLS it can only come from the client itself.
        for (how, frame) in corrupted(interface.kind, interface.unit, &pdu) {
            let mut raw = p.bench().raw_modbus(p.name(), &who).await?;
            let _ = raw.send(&frame).await;
            let answer = raw.receive_tcp(LIMIT).await.ok().flatten();
            let taken = answer
                .as_deref()
                .is_some_and(|bytes| carries_out(interface.kind, bytes, &pdu));
            let observed = answer
                .as_deref()
                .map_or_else(|| "no answer".to_owned(), hex);
            let what = format!("a read with {how}");
            p.check(&what, "not carried out", observed, !taken);
        }
        let mut peer = Peer::open(p).await?;
        let served = peer.serves().await?;
        still_served(p, served, "all of them").await?;
    }
    Ok(())
}

/// Checks that the server answered a right request after `what`: otherwise the silences that follow would say nothing. A
/// server that is deaf is switched off and on; without that, nothing more can be asked of it.
async fn still_served(p: &mut Procedure<'_>, served: Served, what: &str) -> Result<bool, Stop> {
    let (observed, served) = match served {
        Served::AtOnce(_) => return Ok(true),
        Served::After(lost) => (format!("answered after {lost} that were lost"), true),
        Served::Never(why) if p.bench().can_power_cycle() => {
            p.bench().power_cycle().await?;
            (format!("{why}, until the power was cut"), true)
        }
        Served::Never(why) => (format!("{why}; nothing more was sent"), false),
    };
    let name = format!("a right request after {what}");
    p.check(name, "answered", observed, false);
    Ok(served)
}

/// Whether this is a legal way to refuse a request that the protocol forbids.
fn is_refusal(said: &Said) -> bool {
    match said {
        Said::Legal(pdu) => pdu.first().is_some_and(|function| function & 0x80 != 0),
        Said::Nothing | Said::Ended => true,
        Said::Illegal(..) => false,
    }
}

/// A packet that MQTT forbids: what is wrong with it, and its bytes.
type Forbidden = (&'static str, Vec<u8>);

/// What MQTT forbids before a right CONNECT, from anybody. The statements are those of 3.1.1; 5.0 has them all.
fn before_connect(version: Version) -> Vec<Forbidden> {
    let connect = |flags: u8, texts: &[&str]| connect(version, flags, texts);
    let mut forbidden = vec![
        ("a PINGREQ before CONNECT [MQTT-3.1.0-1]", packet(0xC0, &[])),
        (
            "a PUBLISH before CONNECT [MQTT-3.1.0-1]",
            packet(0x30, &[0, 1, b'a', 0]),
        ),
        ("packet type 0", vec![0x00, 0x00]),
        (
            "a CONNECT with reserved flags in its header [MQTT-2.2.2-2]",
            vec![0x11, 0x00],
        ),
        (
            "a remaining length of five bytes",
            vec![0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
        ),
        (
            "a CONNECT of a protocol that does not exist [MQTT-3.1.2-1]",
            packet(0x10, &[0, 4, b'M', b'Q', b'T', b'X', 4, 2, 0, 60, 0, 0]),
        ),
        (
            "a CONNECT of protocol level 99 [MQTT-3.1.2-2]",
            packet(0x10, &[0, 4, b'M', b'Q', b'T', b'T', 99, 2, 0, 60, 0, 0]),
        ),
        (
            "a CONNECT with the reserved flag [MQTT-3.1.2-3]",
            connect(0x03, &["slcert"]),
        ),
        (
            "a CONNECT with will quality of service 3 [MQTT-3.1.2-14]",
            connect(0x1E, &["slcert", "a", "b"]),
        ),
        (
            "a CONNECT that retains a will that it does not have [MQTT-3.1.2-15]",
            connect(0x22, &["slcert"]),
        ),
        (
            "a CONNECT that ends inside its client identifier",
            packet(
                0x10,
                &[0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60, 0, 9, b'a'],
            ),
        ),
    ];
    if version == Version::V311 {
        // In 5.0 a password may stand alone (section 3.1.2.9).
        forbidden.push((
            "a CONNECT with a password and no user name [MQTT-3.1.2-22]",
            connect(0x42, &["slcert", "secret"]),
        ));
    }
    forbidden
}

/// What MQTT forbids in a session. `again` is the CONNECT that opened it.
fn in_session(version: Version, again: Vec<u8>) -> Vec<Forbidden> {
    // In 5.0 a byte for the length of the properties, none here, follows the packet identifier (section 2.2.2).
    let properties: &[u8] = if version == Version::V5 { &[0] } else { &[] };
    let identified = |first: u8, before: &[u8], after: &[u8]| {
        packet(first, &[before, &[0, 1], properties, after].concat())
    };
    let publish = |first: u8, topic: &[u8]| {
        let length = [0, topic.len() as u8];
        identified(first, &[&length, topic].concat(), b"x")
    };
    let mut forbidden = vec![
        (
            "a PUBLISH with quality of service 3 [MQTT-3.3.1-4]",
            publish(0x36, b"a"),
        ),
        (
            "a PUBLISH of quality of service 0 that says it is a repetition [MQTT-3.3.1-2]",
            packet(0x38, &[&[0, 1, b'a'], properties, b"x"].concat()),
        ),
        (
            "a PUBLISH to a topic with a wildcard [MQTT-3.3.2-2]",
            publish(0x32, b"a/#"),
        ),
        (
            "a PUBLISH to a topic with NUL [MQTT-1.5.3-2]",
            publish(0x32, b"a\0b"),
        ),
        (
            "a PUBLISH to a topic that is no UTF-8 [MQTT-1.5.3-1]",
            publish(0x32, b"\xC3\x28b"),
        ),
        (
            "a PUBLISH to a topic with a surrogate [MQTT-1.5.3-1]",
            publish(0x32, b"a\xED\xA0\x80"),
        ),
        (
            "a PUBLISH to an empty topic [MQTT-4.7.3-1]",
            publish(0x32, b""),
        ),
        (
            "a PUBLISH with packet identifier 0 [MQTT-2.3.1-1]",
            packet(0x32, &[&[0, 1, b'a', 0, 0], properties].concat()),
        ),
        (
            "a PUBLISH that ends inside its topic",
            packet(0x32, &[0, 9, b'a']),
        ),
        (
            "a SUBSCRIBE without a filter [MQTT-3.8.3-3]",
            identified(0x82, &[], &[]),
        ),
        (
            "a SUBSCRIBE with reserved flags [MQTT-3.8.1-1]",
            identified(0x80, &[], &[0, 1, b'a', 0]),
        ),
        (
            "a SUBSCRIBE with quality of service 3 [MQTT-3.8.3-4]",
            identified(0x82, &[], &[0, 1, b'a', 3]),
        ),
        (
            "a SUBSCRIBE with # inside its filter [MQTT-4.7.1-2]",
            identified(0x82, &[], &[0, 5, b'a', b'/', b'#', b'/', b'b', 0]),
        ),
        (
            "an UNSUBSCRIBE without a filter [MQTT-3.10.3-2]",
            identified(0xA2, &[], &[]),
        ),
        (
            "a PUBREL with reserved flags [MQTT-3.6.1-1]",
            packet(0x60, &[0, 1]),
        ),
        (
            "a PINGREQ with reserved flags [MQTT-2.2.2-2]",
            packet(0xC1, &[]),
        ),
        ("a PINGREQ with a body", packet(0xC0, &[0])),
        (
            "a DISCONNECT with reserved flags [MQTT-3.14.1-1]",
            packet(0xE1, &[]),
        ),
        (
            "a CONNACK, which only a server sends",
            packet(0x20, &[0, 0]),
        ),
        ("packet type 0", vec![0x00, 0x00]),
        ("a second CONNECT [MQTT-3.1.0-2]", again),
    ];
    if version == Version::V311 {
        forbidden.push(("packet type 15", vec![0xF0, 0x00]));
    }
    forbidden
}

async fn mqtt_limits(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let version = Version::from(p.interface()?.version);
    for (what, bytes) in before_connect(version) {
        let mut raw = p.bench().raw_mqtt(p.name()).await?;
        let _ = raw.send(&bytes).await;
        let ended = ended(&mut raw).await;
        let observed = if ended { "closed" } else { "still open" };
        p.check(what, "the connection is closed", observed, ended);
    }
    let account = account_with_password(p)?;
    let user = p.bench().user(account).to_owned();
    let password = p.bench().password(account)?;
    let right = || {
        let client_id = format!("slcert-{}", fresh::tag());
        connect(version, 0xC2, &[&client_id, &user, password.reveal()])
    };
    for (what, bytes) in in_session(version, right()) {
        let mut raw = p.bench().raw_mqtt(p.name()).await?;
        raw.send(&right())
            .await
            .map_err(|error| Stop::inconclusive(error.to_string()))?;
        match raw.receive(Duration::from_secs(2)).await {
            Ok(Some(answer)) if answer.first() == Some(&0x20) && answer.get(3) == Some(&0) => {}
            other => {
                return Err(Stop::inconclusive(format!(
                    "a right CONNECT was not taken: {other:?}"
                )));
            }
        }
        let _ = raw.send(&bytes).await;
        let ended = ended(&mut raw).await;
        let observed = if ended { "closed" } else { "still open" };
        p.check(what, "the connection is closed", observed, ended);
    }
    p.login(account).await?.close().await;
    p.check("a right client afterwards", "served", "served", true);
    Ok(())
}

/// Whether the broker ends the connection; what it sends before is passed over.
async fn ended(raw: &mut slcert_rigs::mqtt::Raw<slcert_rigs::line::Line>) -> bool {
    for _ in 0..4 {
        match raw.receive(Duration::from_millis(800)).await {
            Ok(Some(_)) => {}
            Ok(None) => {
                return matches!(
                    raw.closed(Duration::from_millis(200)).await,
                    Ok(Some(_)) | Err(_)
                );
            }
            Err(_) => return true,
        }
    }
    false
}

/// A packet whose length is right; what is in it need not be.
fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    frame::packet(first, body).unwrap_or_default()
}

/// A CONNECT with these flags and these texts in its payload, as section 3.1.3 orders them.
fn connect(version: Version, flags: u8, texts: &[&str]) -> Vec<u8> {
    let level = if version == Version::V5 { 5 } else { 4 };
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', level, flags, 0, 60];
    if version == Version::V5 {
        body.push(0);
    }
    for (at, text) in texts.iter().enumerate() {
        // In 5.0 a will has properties of its own, before its topic.
        if at == 1 && flags & 0x04 != 0 && version == Version::V5 {
            body.push(0);
        }
        body.extend((text.len() as u16).to_be_bytes());
        body.extend(text.as_bytes());
    }
    packet(0x10, &body)
}

async fn console_limits(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let (account, operation) = readable(p)?;
    let long = |count: usize| vec![b'A'; count];
    let lines: Vec<(&str, Vec<u8>)> = vec![
        ("a line of 300 characters", long(300)),
        ("a line of 5000 characters", long(5000)),
        ("a line of NUL bytes", vec![0; 64]),
        (
            "bytes that are no UTF-8",
            vec![0xFF, 0xFE, 0xC0, 0x80, 0xF5, 0x28],
        ),
        (
            "escape sequences",
            b"\x1b[2J\x1b[999;999H\x1b]0;x\x07\x1b[c\x1b[6n".to_vec(),
        ),
        ("format directives", b"%s%s%s%n%x%x".to_vec()),
        ("quotes that do not end", b"show \"'`$(".to_vec()),
        (
            "tabs and backspaces",
            b"\t\t\x08\x08\x7f\x7fshow\x08\x08".to_vec(),
        ),
    ];
    for (what, bytes) in lines {
        // At the login first: nobody needs a password to send it.
        let mut outside = p.bench().console(p.name()).await?;
        let mut line = bytes.clone();
        line.extend_from_slice(outside.manner().newline.clone().as_bytes());
        let _ = outside.line().send_bytes(&line).await;
        let _ = outside
            .line()
            .until_quiet(Duration::from_millis(100), Duration::from_secs(1))
            .await;
        drop(outside);
        let mut session = match p.login(&account).await {
            Ok(session) => session,
            Err(stop) => {
                let runs = p.bench().device_runs().await;
                p.check(
                    format!("{what}, at the login"),
                    "the console still works",
                    format!(
                        "the device's process {}; {}",
                        if runs { "runs" } else { "has ended" },
                        stop.reason
                    ),
                    false,
                );
                if !runs {
                    p.bench().power_cycle().await?;
                }
                return Ok(());
            }
        };
        if let Some(console) = session.console() {
            let mut line = bytes;
            line.extend_from_slice(console.manner().newline.clone().as_bytes());
            let _ = console.line().send_bytes(&line).await;
            let _ = console
                .line()
                .until_quiet(Duration::from_millis(100), Duration::from_secs(1))
                .await;
        }
        session.close().await;
        let mut session = p.login(&account).await?;
        let attempt = session.perform(&operation, &Values::new()).await;
        session.close().await;
        let attempt = attempt?;
        p.check(
            what,
            "the console still works",
            &attempt.answer().text,
            attempt.is_done(),
        );
    }
    Ok(())
}

/// An account and an operation that only reads.
fn readable(p: &Procedure<'_>) -> Result<(String, String), Stop> {
    let rig = p.rig();
    rig.operations
        .iter()
        .filter(|(name, _)| rig.only_reads(name.as_str(), p.name()))
        .find_map(|(name, _)| {
            Some((
                rig.who_may_str(name.as_str(), p.name())?.to_owned(),
                name.as_str().to_owned(),
            ))
        })
        .ok_or_else(|| {
            Stop::not_evaluated(format!(
                "no operation that only reads is bound on `{}`",
                p.name()
            ))
        })
}
