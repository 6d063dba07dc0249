//! Modbus/TCP Security: mutual TLS, and the client's role in its certificate.

mod role;
mod verifier;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::tcp::{CONNECTIONS, Rate, accept, converse};
use super::{Access, Client};
use crate::audit::{Category, Event, Source};
use crate::controller::{Actor, Controller, StartError};
use crate::device::STALL;
use crate::flaw::{Defect, FlawSet};
use crate::handshake;
use crate::pki;
use crate::session::Excess;
use crate::store::Store;
use verifier::Verifier;

/// Connections within a second under which the flaw `handshakes-stall-control` stalls.
const STALLS: usize = 12;
const HANDSHAKE_TIME: Duration = Duration::from_secs(5);
/// How long the flaw `refused-certificate-falsifies` does so.
const FALSIFIED: Duration = Duration::from_secs(2);

/// TLS 1.2 and 1.3 with the device's certificate; clients must have one of the device's CA.
pub(crate) fn acceptor(controller: &Controller) -> Result<TlsAcceptor, StartError> {
    let store = &controller.store;
    let verifier = Verifier::new(certificates(store, pki::CA)?, controller)?;
    let mut config = ServerConfig::builder_with_provider(handshake::provider())
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .map_err(unreadable)?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::clone(&controller.certificate) as _);
    // A session that has ended stays ended: every connection shows its certificate anew.
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves Modbus/TLS.
pub(crate) async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    controller: Arc<Controller>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut rate = Rate::default();
    loop {
        let Some((stream, place)) = accept(&listener, &places, &mut connections).await else {
            continue;
        };
        if rate.is_over(STALLS) && controller.flaws.enabled(Defect::HandshakesStallControl) {
            controller.process.stall(STALL);
        }
        let (controller, acceptor) = (Arc::clone(&controller), acceptor.clone());
        connections.spawn(async move {
            if !controller.flaws.enabled(Defect::Tls10) || !answered_as_tls_1_0(&stream).await {
                secured(stream, &acceptor, &controller, true).await;
            }
            drop(place);
        });
    }
}

/// Serves Modbus/TLS to the network outside, while that is approved.
pub(crate) async fn serve_outside(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    controller: Arc<Controller>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Some((stream, place)) = accept(&listener, &places, &mut connections).await else {
            continue;
        };
        let logged = !controller.flaws.enabled(Defect::OutsideUnlogged);
        let Some(until) = controller.boundary.access_until() else {
            if logged {
                controller.audit.record(Event {
                    source: Source::ModbusTls,
                    category: Category::Access,
                    kind: "connect",
                    user: "",
                    success: false,
                    detail: "from outside, not approved",
                });
            }
            continue;
        };
        let (controller, acceptor) = (Arc::clone(&controller), acceptor.clone());
        connections.spawn(async move {
            let over = tokio::time::sleep_until(until.into());
            tokio::select! {
                () = secured(stream, &acceptor, &controller, logged) => {}
                () = over => {}
            }
            drop(place);
        });
    }
}

async fn secured(stream: TcpStream, acceptor: &TlsAcceptor, controller: &Controller, logged: bool) {
    if handshake::in_clear(controller, &stream).await {
        let client = Client::unknown(Source::ModbusTls, Access::ReadOnly);
        converse(stream, controller, &client).await;
        return;
    }
    let mut stream = match handshake::accept(acceptor, stream, controller, HANDSHAKE_TIME).await {
        Ok(stream) => stream,
        Err(late) if late.kind() == io::ErrorKind::TimedOut => return,
        Err(_) if !logged => return,
        Err(error) => return refused(controller, &error),
    };
    let certificate = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(<[_]>::first);
    let Some(certificate) = certificate else {
        return;
    };
    let mut client = client(certificate, &controller.flaws);
    let Some(session) = controller.open_session(&client.actor, Excess::Refused) else {
        return;
    };
    let detail = format!("role {}", client.actor.role);
    if logged {
        controller.record(&client.actor, Category::Access, "connect", true, &detail);
    }
    let (ended, came) = tokio::select! {
        came = converse(&mut stream, controller, &client) => (false, came),
        () = session.ended() => (true, true),
    };
    if ended && controller.revives(&client.actor).await {
        converse(&mut stream, controller, &client).await;
    }
    if ended && controller.flaws.enabled(Defect::EndedSessionStillWrites) {
        client.access = Access::Ended;
        converse(&mut stream, controller, &client).await;
    }
    if logged {
        controller.record(&client.actor, Category::Access, "disconnect", true, "");
    }
    if !came && controller.flaws.enabled(Defect::DroppedHandshakeCounts) {
        session.leak();
    }
}

fn client(certificate: &CertificateDer<'_>, flaws: &FlawSet) -> Client {
    let subject = role::subject(certificate);
    let role = if flaws.enabled(Defect::CertificateRoleIgnored) {
        Some("engineer")
    } else {
        role::role(certificate)
    };
    let access = if role.is_some() {
        Access::ByRole
    } else {
        Access::None
    };
    let role = role.unwrap_or_default().to_owned();
    Client {
        actor: Actor {
            source: Source::ModbusTls,
            name: subject,
            role,
        },
        access,
    }
}

/// Writes down a certificate that was refused; the rest of what a handshake can be is noise.
fn refused(controller: &Controller, error: &io::Error) {
    let cause = error
        .get_ref()
        .and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(
            cause @ (rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented),
        ) => {
            let source = Source::ModbusTls;
            if controller
                .flaws
                .enabled(Defect::RefusedCertificateFalsifies)
            {
                controller.process.falsify(FALSIFIED);
            }
            let nobody = Actor {
                source,
                name: String::new(),
                role: String::new(),
            };
            controller.record(
                &nobody,
                Category::Access,
                "connect",
                false,
                &cause.to_string(),
            );
        }
        _ => controller
            .audit
            .record_malformed(Source::ModbusTls, "TLS handshake"),
    }
}

fn certificates(store: &Store, name: &str) -> Result<Vec<CertificateDer<'static>>, StartError> {
    CertificateDer::pem_file_iter(store.path(name))
        .and_then(Iterator::collect)
        .map_err(unreadable)
}

fn unreadable(error: impl std::fmt::Display) -> StartError {
    StartError::Pki(error.to_string())
}

/// The flaw `tls-1.0`: a ClientHello of TLS 1.0 is answered with a ServerHello that picks a CBC suite; the handshake goes no further.
async fn answered_as_tls_1_0(stream: &TcpStream) -> bool {
    let mut hello = [0; 11];
    let whole = timeout(HANDSHAKE_TIME, async {
        while stream.peek(&mut hello).await? < hello.len() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        io::Result::Ok(())
    });
    let handshake_of_tls_1_0 = hello_is_old(whole.await.is_ok_and(|read| read.is_ok()), &hello);
    if handshake_of_tls_1_0 {
        let mut answer = vec![0x16, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1];
        answer.extend([0x42; 32]);
        // No session id, TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
        answer.extend([0, 0x00, 0x2f, 0]);
        let _ = stream.writable().await;
        let _ = stream.try_write(&answer);
    }
    handshake_of_tls_1_0
}

fn hello_is_old(whole: bool, hello: &[u8; 11]) -> bool {
    whole && hello[0] == 0x16 && hello[9..11] == [3, 1]
}
