//! CR 1.2: software process and device identification and authentication.

use slcert_rigs::bench::{Entry, Who};
use slcert_rigs::rig::InterfaceKind;
use slcert_rigs::tls::pki::Fault;

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::effect::{Actor, attempt};
use crate::fresh;
use crate::offer::CHANGE_THE_DEVICE;
use crate::plain;
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "peer-credentials",
        title: "only a known peer is let in",
        requirements: &["CR 1.2"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::PROCESS),
        needs: &[],
        objective: "Find out whether software or a device is let in without showing who it is.",
        criterion: "Without credentials, with wrong ones, and with a certificate that is self-signed or of a foreign authority \
                    nothing works; with the right ones it does. An interface that cannot tell its peers apart changes nothing for anyone.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(peer_credentials(p)) },
    },
    Case {
        id: "device-identity",
        title: "the device shows who it is",
        requirements: &["CR 1.2"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits {
            tls: true,
            ..Fits::PROCESS
        }),
        needs: &[],
        objective: "Find out whether a client can tell that it talks to this device.",
        criterion: "The device's certificate verifies against the authority that the rig file names, for the name that it is known by.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(device_identity(p)) },
    },
];

async fn peer_credentials(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let interface = p.interface()?;
    if !interface.has_identity() {
        return plain::changes_nothing(p).await;
    }
    let Some((name, _)) = p.rig().accounts_on(p.name()).next() else {
        return Err(Stop::not_evaluated(format!(
            "no account is listed for `{}`",
            p.name()
        )));
    };
    let account = name.as_str();

    // The control comes first: a refusal means nothing where nobody gets in.
    p.login(account).await?.close().await;
    p.check(
        format!("the right credentials of {account}"),
        "let in",
        "let in",
        true,
    );

    refused(p, "no credentials", &Who::Nobody).await?;
    match interface.kind {
        InterfaceKind::ModbusTls => {
            for fault in [Fault::SelfSigned, Fault::ForeignAuthority] {
                let identity = p.bench().faulty_identity(p.name(), fault)?;
                refused(p, fault.words(), &Who::Certificate(&identity)).await?;
            }
        }
        _ => {
            let user = p.bench().user(account).to_owned();
            let wrong = slcert_rigs::Secret::new(fresh::strong_password());
            let unknown = format!("no{}", &fresh::tag()[..6]);
            refused(
                p,
                "a wrong password",
                &Who::Password {
                    user: &user,
                    password: &wrong,
                },
            )
            .await?;
            refused(
                p,
                "an unknown user",
                &Who::Password {
                    user: &unknown,
                    password: &wrong,
                },
            )
            .await?;
        }
    }
    p.login(account).await?.close().await;
    Ok(())
}

/// Checks that whoever comes like this gets nothing done: not let in, or let in and unable to read anything protected.
async fn refused(p: &mut Procedure<'_>, what: &str, who: &Who<'_>) -> Result<(), Stop> {
    let entry = p.enter(who).await?;
    match entry {
        Entry::Refused(answer) => p.check(what, "not let in", answer.text, true),
        Entry::In(session) => {
            session.close().await;
            let rig = p.rig();
            let Some(operation) =
                rig.operations
                    .keys()
                    .map(|name| name.as_str())
                    .find(|operation| {
                        rig.binding(operation, p.name())
                            .is_some_and(|binding| binding.placeholders().is_empty())
                            && !CHANGE_THE_DEVICE.contains(operation)
                            && rig.who_may_str(operation, p.name()).is_some()
                            && p.interface()
                                .is_ok_and(|interface| !interface.is_open(operation))
                    })
            else {
                p.check(what, "not let in", "let in", false);
                return Ok(());
            };
            let mut actor = Actor::new(*who);
            let effect = attempt(p, &mut actor, operation).await?;
            actor.leave().await;
            p.check(
                what,
                "not let in",
                format!("let in; `{operation}`: {}", effect.words()),
                false,
            );
        }
    }
    Ok(())
}

async fn device_identity(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let interface = p.interface()?;
    if interface.tls.as_ref().is_none_or(|tls| tls.ca.is_none()) {
        return Err(Stop::not_evaluated(format!(
            "the rig file names no authority for the certificate of `{}` (`tls.ca`)",
            p.name()
        )));
    }
    match p.bench().verify_server(p.name()).await? {
        Ok(words) => p.check("the device's certificate", "verifies", words, true),
        Err(words) => p.check("the device's certificate", "verifies", words, false),
    }
    Ok(())
}
