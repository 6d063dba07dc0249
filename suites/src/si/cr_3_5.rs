//! CR 3.5: input validation. The part on the protocols' own limits; generated inputs are fuzz cases.

use std::time::Duration;

use slcert_rigs::bench::Who;
use slcert_rigs::modbus::wire::{Illegal, Mbap, Rtu, legal_answer, mbap, rtu};
use slcert_rigs::mqtt::wire::{Version, frame};
use slcert_rigs::rig::{InterfaceKind, MqttVersion, Values};

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::fresh;
use crate::procedure::{Procedure, Stop};
use crate::si::cr_3_1::{carries_out, corrupted, hex, reading};

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
        criterion: "Each such request is answered with an exception, or not at all; a right request is answered afterwards, and the essential \
                    functions hold.",
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
/// The silence that ends an RTU frame here.
const GAP: Duration = Duration::from_millis(60);

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
    let interface = p.interface()?;
    let who = p
        .rig()
        .accounts_on(p.name())
        .next()
        .map_or(Who::Nobody, |(name, _)| Who::Account(name.as_str()));
    for (what, pdu) in FORBIDDEN {
        let mut raw = p.bench().raw_modbus(p.name(), &who).await?;
        let (sent, answer) = if interface.kind == InterfaceKind::ModbusRtu {
            let mut bytes = vec![interface.unit];
            bytes.extend_from_slice(pdu);
            let sent = raw.send(&rtu::seal(bytes)).await;
            (sent, raw.receive_rtu(LIMIT / 2, GAP).await.ok().flatten())
        } else {
            let sent = raw
                .send(&mbap::lie(
                    0x5151,
                    0,
                    (pdu.len() + 1) as u16,
                    interface.unit,
                    pdu,
                ))
                .await;
            (sent, raw.receive_tcp(LIMIT).await.ok().flatten())
        };
        drop(raw);
        if sent.is_err() {
            return Err(Stop::inconclusive(format!("`{what}` could not be sent")));
        }
        let (observed, legal) = judge(interface.kind, pdu, answer.as_deref());
        p.check(*what, "an exception, or no answer", observed, legal);
    }
    let pdu = reading(p);
    if interface.kind == InterfaceKind::ModbusTls {
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
            p.check(
                format!("a read with {how}"),
                "not carried out",
                observed,
                !taken,
            );
        }
    }
    let mut client = p.bench().modbus_client(p.name(), &who).await?;
    let answered = client.exchange(&pdu, Duration::from_secs(2)).await;
    let observed = match &answered {
        Ok(answer) => format!("answered with {}", hex(answer)),
        Err(error) => error.to_string(),
    };
    p.check(
        "a right request afterwards",
        "answered",
        observed,
        answered.is_ok(),
    );
    Ok(())
}

/// What was seen, and whether it is legal as an answer to a forbidden request.
fn judge(kind: InterfaceKind, request: &[u8], answer: Option<&[u8]>) -> (String, bool) {
    let Some(bytes) = answer else {
        return ("no answer".to_owned(), true);
    };
    let framed: Result<Vec<u8>, String> = match kind {
        InterfaceKind::ModbusRtu => Rtu::new_checked(bytes)
            .map(|frame| frame.pdu().to_vec())
            .map_err(|error| error.to_string()),
        _ => Mbap::new_checked(bytes)
            .map(|frame| frame.pdu().to_vec())
            .map_err(|error| error.to_string()),
    };
    let pdu = match framed {
        Ok(pdu) => pdu,
        Err(error) => return (format!("{} is no right frame: {error}", hex(bytes)), false),
    };
    let verdict: Result<(), Illegal> = legal_answer(request, &pdu);
    match verdict {
        Ok(()) if pdu.first().is_some_and(|function| function & 0x80 != 0) => (
            format!("exception {}", pdu.get(1).copied().unwrap_or(0)),
            true,
        ),
        Ok(()) => (format!("carried out: {}", hex(&pdu)), false),
        Err(illegal) => (format!("{}: {illegal}", hex(&pdu)), false),
    }
}

/// Packets that MQTT forbids from anybody: raw bytes, and the statement that they break.
const BEFORE_CONNECT: &[(&str, &[u8])] = &[
    ("a PINGREQ before CONNECT [MQTT-3.1.0-1]", &[0xC0, 0x00]),
    ("packet type 0", &[0x00, 0x00]),
    ("a CONNECT with reserved flags", &[0x11, 0x00]),
    (
        "a remaining length of five bytes",
        &[0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
    ),
    (
        "a CONNECT of a protocol that does not exist",
        &[
            0x10, 0x0C, 0x00, 0x04, b'M', b'Q', b'T', b'X', 0x04, 0x02, 0x00, 0x3C, 0x00, 0x00,
        ],
    ),
];

async fn mqtt_limits(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let interface = p.interface()?;
    let version = match interface.version {
        MqttVersion::V311 => Version::V311,
        MqttVersion::V5 => Version::V5,
    };
    for (what, bytes) in BEFORE_CONNECT {
        let mut raw = p.bench().raw_mqtt(p.name()).await?;
        let _ = raw.send(bytes).await;
        let ended = ended(&mut raw).await;
        p.check(
            *what,
            "the connection is closed",
            if ended { "closed" } else { "still open" },
            ended,
        );
    }
    let Some((account, _)) = p
        .rig()
        .accounts_on(p.name())
        .find(|(_, account)| account.password.is_some())
    else {
        return Err(Stop::not_evaluated(format!(
            "no account with a password is listed for `{}`",
            p.name()
        )));
    };
    let user = p.bench().user(account.as_str()).to_owned();
    let password = p.bench().password(account.as_str())?;
    let properties: &[u8] = if version == Version::V5 { &[0] } else { &[] };
    let mut wildcard = vec![0, 3, b'a', b'/', b'#', 0, 1];
    wildcard.extend_from_slice(properties);
    let mut no_id = vec![0, 1, b'a', 0, 0];
    no_id.extend_from_slice(properties);
    let mut empty_filters = vec![0, 1];
    empty_filters.extend_from_slice(properties);
    let mut nul = vec![0, 3, b'a', 0, b'b', 0, 1];
    nul.extend_from_slice(properties);
    let mut not_utf8 = vec![0, 3, 0xC3, 0x28, b'b', 0, 1];
    not_utf8.extend_from_slice(properties);
    let forbidden: Vec<(&str, Vec<u8>)> = vec![
        (
            "a PUBLISH with quality of service 3 [MQTT-3.3.1-4]",
            packet(0x36, &wildcard),
        ),
        (
            "a PUBLISH to a topic with a wildcard [MQTT-3.3.2-2]",
            packet(0x32, &wildcard),
        ),
        (
            "a PUBLISH with packet identifier 0 [MQTT-2.2.1-3]",
            packet(0x32, &no_id),
        ),
        (
            "a SUBSCRIBE without a filter [MQTT-3.8.3-2]",
            packet(0x82, &empty_filters),
        ),
        (
            "a SUBSCRIBE with reserved flags [MQTT-3.8.1-1]",
            packet(0x80, &empty_filters),
        ),
        (
            "a PUBLISH to a topic with NUL [MQTT-1.5.4-2]",
            packet(0x32, &nul),
        ),
        (
            "a PUBLISH to a topic that is no UTF-8 [MQTT-1.5.4-1]",
            packet(0x32, &not_utf8),
        ),
        (
            "a second CONNECT [MQTT-3.1.0-2]",
            connect(version, &fresh::tag(), &user, password.reveal()),
        ),
        (
            "a PUBLISH that ends inside its topic",
            packet(0x32, &[0, 9, b'a']),
        ),
    ];
    for (what, bytes) in forbidden {
        let mut raw = p.bench().raw_mqtt(p.name()).await?;
        raw.send(&connect(
            version,
            &format!("slcert-{}", fresh::tag()),
            &user,
            password.reveal(),
        ))
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
        p.check(
            what,
            "the connection is closed",
            if ended { "closed" } else { "still open" },
            ended,
        );
    }
    p.login(account.as_str()).await?.close().await;
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

/// A right CONNECT with a user name and a password, clean.
fn connect(version: Version, client_id: &str, user: &str, password: &str) -> Vec<u8> {
    let mut body = vec![
        0,
        4,
        b'M',
        b'Q',
        b'T',
        b'T',
        if version == Version::V5 { 5 } else { 4 },
        0xC2,
        0,
        60,
    ];
    if version == Version::V5 {
        body.push(0);
    }
    for text in [client_id, user, password] {
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
        .filter(|(name, operation)| {
            !operation.changes_state()
                && name.as_str() != "clear_audit"
                && rig
                    .binding(name.as_str(), p.name())
                    .is_some_and(|binding| binding.placeholders().is_empty())
        })
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
