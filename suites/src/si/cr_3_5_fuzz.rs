//! CR 3.5: input validation. The part over generated inputs; the protocols' own limits are fixed cases.

use slcert_rigs::rig::{InterfaceKind, ServerKind};

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::fuzz::{self, Reference};
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "fuzz-modbus",
        title: "no Modbus input breaks the device, and none is taken that the protocol forbids",
        requirements: &["CR 3.5"],
        kind: Kind::Fuzz,
        scope: Scope::Each(Fits::MODBUS),
        needs: &[],
        objective: "Send generated requests over the whole protocol, in right and in wrong frames, and judge every answer and the device as a whole.",
        criterion: "Every answer is one that the protocol allows for its request, every legal request is answered, what the protocol forbids is refused; the \
                declared data model is there; new clients are served, the device does not restart, and the essential functions hold.",
        svv: Svv::Vulnerability,
        body: |p| -> Run<'_> { Box::pin(modbus(p)) },
    },
    Case {
        id: "fuzz-mqtt",
        title: "no MQTT input breaks the broker, and none is taken that the standard forbids",
        requirements: &["CR 3.5"],
        kind: Kind::Fuzz,
        scope: Scope::Each(Fits::MQTT),
        needs: &[],
        objective: "Send generated packets of every type, before and in a session, in right and in wrong frames, and judge what comes back and the device as a whole.",
        criterion: "Every packet that comes back is one that the standard allows, what has to be acknowledged is, and what the standard forbids ends the \
                connection; new clients are served, the device does not restart, and the essential functions hold.",
        svv: Svv::Vulnerability,
        body: |p| -> Run<'_> { Box::pin(mqtt(p)) },
    },
    Case {
        id: "fuzz-broker",
        title: "no broker that answers wrongly breaks the device that comes to it, and no order is taken that is none",
        requirements: &["CR 3.5"],
        kind: Kind::Fuzz,
        scope: Scope::Servers(ServerKind::Mqtt),
        needs: &[],
        objective: "Be the broker that the device comes to, answer wrongly at each step of the protocol, and judge what the device says, whether it comes again, \
                and the device as a whole.",
        criterion: "The device comes again in the time that the rig file grants it, and no sooner than it states, with a right CONNECT; it says what the standard \
                allows, a client of 3.1.1 ends the connection where the standard asks it to, no order is carried out whose packet does not read; \
                the device does not restart, and the essential functions hold.",
        svv: Svv::Vulnerability,
        body: |p| -> Run<'_> { Box::pin(broker(p)) },
    },
    Case {
        id: "fuzz-server",
        title: "no Modbus server that answers wrongly breaks the device that polls it, and nothing is taken that answers nothing",
        requirements: &["CR 3.5"],
        kind: Kind::Fuzz,
        scope: Scope::Servers(ServerKind::ModbusTcp),
        needs: &[],
        objective: "Be the Modbus server that the device polls, answer its requests wrongly or not at all, and judge what it asks then, what it takes of the \
                answers, and the device as a whole.",
        criterion: "The device polls on, or comes again in the time that the rig file grants it, and no sooner than it states; its requests are those of the \
                specification; it shows what it is answered rightly, and no value of an answer to another transaction, of another protocol or function, or \
                of another size; the device does not restart, and the essential functions hold.",
        svv: Svv::Vulnerability,
        body: |p| -> Run<'_> { Box::pin(server(p)) },
    },
    Case {
        id: "fuzz-tls",
        title: "nothing that comes before or below a TLS handshake breaks the device, and none is taken that the protocol forbids",
        requirements: &["CR 3.5"],
        kind: Kind::Fuzz,
        scope: Scope::Each(Fits::TLS),
        needs: &[],
        objective: "Send generated records, handshake messages and alerts before a handshake, in right and in wrong frames and order, and below one that is \
                done, and judge what comes back and the device as a whole.",
        criterion: "What comes back is records of TLS that the protocol allows, and no more than a handshake before one is done; what has to be refused ends the \
                connection, and a right ClientHello is answered or refused; new clients are served, the device does not restart, and the essential \
                functions hold.",
        svv: Svv::Vulnerability,
        body: |p| -> Run<'_> { Box::pin(tls(p)) },
    },
    Case {
        id: "fuzz-tls-session",
        title: "no TLS record behind a handshake breaks the device, and none is taken that the protocol forbids",
        requirements: &["CR 3.5"],
        kind: Kind::Fuzz,
        scope: Scope::Each(Fits::TLS),
        needs: &[],
        objective: "Open sessions of TLS 1.3 and 1.2 and send generated records in them, sealed with the session's own keys: KeyUpdates, messages of the \
                handshake, renegotiation, alerts, records without content, and as long as they may be or longer; then a right request, and judge what \
                comes back and the device as a whole.",
        criterion: "What RFC 8446 or RFC 5246 demands to end the connection ends it, nothing behind a close_notify is answered, a request behind right \
                records is, and keys change when that was asked for; every record that comes back is sealed with the session's keys; new clients are \
                served, the device does not restart, and the essential functions hold.",
        svv: Svv::Vulnerability,
        body: |p| -> Run<'_> { Box::pin(tls_session(p)) },
    },
    Case {
        id: "fuzz-console",
        title: "nothing that is typed breaks the console, or shows or changes what it must not",
        requirements: &["CR 3.5"],
        kind: Kind::Fuzz,
        scope: Scope::Each(Fits::CONSOLE),
        needs: &[],
        objective: "Type generated lines, keys, escape sequences and bytes that are no text, in a session and in every state of a login, and judge what the \
                console does and the device as a whole.",
        criterion: "The console comes back to its prompt or its login and answers a right command, in the time that the rig file gives it; nothing typed before a \
                login is carried out or begins a line of the audit log, and nothing typed as a password shows; a new login works, the device does not \
                restart, and the essential functions hold.",
        svv: Svv::Vulnerability,
        body: |p| -> Run<'_> { Box::pin(console(p)) },
    },
];

async fn modbus(p: &mut Procedure<'_>) -> Result<(), Stop> {
    if p.interface()?.kind.is_serial() {
        let target = fuzz::modbus::serial(p)?;
        fuzz::hold(p, &target).await
    } else {
        let target = fuzz::modbus::tcp(p)?;
        let reference = Reference::start(p).await;
        let beside = reference.target(|bench| Ok(fuzz::modbus::beside(&target, bench)));
        let held = fuzz::hold_beside(p, &target, beside.as_ref()).await;
        reference.stop().await;
        held
    }
}

async fn mqtt(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let target = fuzz::mqtt::broker(p)?;
    let reference = Reference::start(p).await;
    let beside = reference.target(|bench| fuzz::mqtt::beside(&target, bench));
    let held = fuzz::hold_beside(p, &target, beside.as_ref()).await;
    reference.stop().await;
    held
}

async fn broker(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let target = fuzz::mqtt::client::client(p)?;
    fuzz::hold_in_part(p, &target).await
}

async fn server(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let target = fuzz::modbus::client::client(p)?;
    fuzz::hold_in_part(p, &target).await
}

async fn tls(p: &mut Procedure<'_>) -> Result<(), Stop> {
    if p.interface()?.kind == InterfaceKind::Mqtt {
        let target = fuzz::tls::mqtt(p)?;
        fuzz::hold_in_part(p, &target).await
    } else {
        let target = fuzz::tls::modbus(p)?;
        fuzz::hold_in_part(p, &target).await
    }
}

async fn tls_session(p: &mut Procedure<'_>) -> Result<(), Stop> {
    if p.interface()?.kind == InterfaceKind::Mqtt {
        let target = fuzz::tls::behind_mqtt(p)?;
        fuzz::tls::hold_behind(p, &target).await
    } else {
        let target = fuzz::tls::behind_modbus(p)?;
        fuzz::tls::hold_behind(p, &target).await
    }
}

async fn console(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let target = fuzz::console::terminal(p)?;
    fuzz::hold(p, &target).await
}
