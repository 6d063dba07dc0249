//! CR 2.1 RE(1): authorization enforcement for all users.

use slcert_rigs::bench::{Entry, Who};
use slcert_rigs::rig::{InterfaceKind, User};
use slcert_rigs::tls::pki::Fault;

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::effect::{Actor, Effect, attempt};
use crate::fuzz::history::{self, Property};
use crate::plain;
use crate::procedure::{Procedure, Stop};
use crate::rights;

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "rights-matrix",
        title: "every process and device does what it may, and nothing else",
        requirements: &["CR 2.1 RE(1)"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::PROCESS),
        needs: &[],
        objective: "Find out, for every process identity and every operation of the interface, whether it is allowed as the rig file lists it.",
        criterion: "What the identity's role may not do is refused by the device and, where it can be read back, has not happened; what it \
                    may do works. An interface without identities changes nothing for anyone.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(matrix(p)) },
    },
    Case {
        id: "role-in-certificate",
        title: "a certificate without a proper role has no rights",
        requirements: &["CR 2.1 RE(1)"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits {
            kinds: &[InterfaceKind::ModbusTls],
            users: &[User::Process],
            ..Fits::ALL
        }),
        needs: &[],
        objective: "Find out whether a role that is missing, doubled, of the wrong type or under the wrong identifier gives rights.",
        criterion: "With each such certificate every operation that changes something is refused and reads back unchanged; with a proper \
                    role in an otherwise equal certificate it works.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(role_in_certificate(p)) },
    },
    Case {
        id: "fuzz-histories",
        title: "no order of logins, role changes and restarts gives a process a right",
        requirements: &["CR 2.1 RE(1)"],
        kind: Kind::Fuzz,
        scope: Scope::Device,
        needs: &[],
        objective: "Open generated sessions on all interfaces together, ask for changes in them, and change roles, log out, connect again and restart the device in \
                    between; read back as somebody else what each has changed.",
        criterion: "What the role of a process or a device may not do at the time has not happened, whatever came before.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(histories(p)) },
    },
];

async fn histories(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let property = Property::rights(p, User::Process)?;
    history::hold(p, property).await
}

async fn matrix(p: &mut Procedure<'_>) -> Result<(), Stop> {
    if p.interface()?.has_identity() {
        rights::matrix(p).await
    } else {
        plain::changes_nothing(p).await
    }
}

async fn role_in_certificate(p: &mut Procedure<'_>) -> Result<(), Stop> {
    if !p.bench().has_issuer(p.name()) {
        return Err(Stop::not_evaluated(format!(
            "the bench cannot issue certificates that the device would trust: add `tls.issuer` to `{}` in the rig file",
            p.name()
        )));
    }
    let rig = p.rig();
    let operation = rig
        .operations
        .iter()
        .filter(|(name, operation)| {
            operation.changes_state()
                && rig.binding(name.as_str(), p.name()).is_some()
                && rig.who_may(name.as_str(), p.name()).is_some()
        })
        .map(|(name, _)| name.as_str())
        .next()
        .ok_or_else(|| {
            Stop::not_evaluated(format!(
                "no operation that changes something is bound on `{}`",
                p.name()
            ))
        })?;

    let sound = p.bench().faulty_identity(p.name(), Fault::None)?;
    let mut control = Actor::new(Who::Certificate(&sound));
    let works = attempt(p, &mut control, operation).await?;
    control.leave().await;
    if !matches!(works, Effect::Happened(_)) {
        return Err(Stop::inconclusive(format!(
            "`{operation}` does not work with a proper certificate of the same authority either: {}",
            slcert_reports::excerpt(works.words(), 200)
        )));
    }
    for fault in [
        Fault::NoRole,
        Fault::TwoRoles,
        Fault::RoleAsIa5String,
        Fault::RoleElsewhere,
    ] {
        let identity = p.bench().faulty_identity(p.name(), fault)?;
        if let Entry::In(session) = p.enter(&Who::Certificate(&identity)).await? {
            session.close().await;
        }
        let mut actor = Actor::new(Who::Certificate(&identity));
        let effect = attempt(p, &mut actor, operation).await?;
        actor.leave().await;
        let name = format!("{}, {operation}", fault.words());
        p.check(
            name,
            "refused",
            effect.words(),
            !matches!(effect, Effect::Happened(_)),
        );
    }
    Ok(())
}
