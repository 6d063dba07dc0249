//! CR 1.9: strength of public key-based authentication.

mod revocation;

use slcert_rigs::bench::{Entry, Who};
use slcert_rigs::tls::pki::Fault;

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "certificate-validation",
        title: "only certificates that validate to a known authority are taken",
        requirements: &["CR 1.9"],
        kind: Kind::Conformance,
        scope: Scope::Each(CERTIFIED),
        needs: &[],
        objective: "Find out whether the device validates the whole chain of a client's certificate (RFC 5280 section 6): signature, authority, \
                    period, usage, and that whoever issued it may.",
        criterion: "Each certificate that is wrong in one thing is refused; one that is right in all, of the same authority, is taken before and after.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(certificate_validation(p)) },
    },
    Case {
        id: "revocation",
        title: "a revoked certificate is refused, and only the authority revokes",
        requirements: &["CR 1.9"],
        kind: Kind::Conformance,
        scope: Scope::Each(CERTIFIED),
        needs: &[],
        objective: "Revoke one of two certificates of the same authority by a list that the authority has signed, hand the device that list, and then \
                    lists of the other certificate that the authority has not signed.",
        criterion: "Both are taken before. The revoked one is refused from then on, whatever lists are handed over, and after a restart; the other one \
                    is taken, and no list that was altered or that somebody else has signed makes the device refuse it alone.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(revocation::revocation(p)) },
    },
];

/// Interfaces whose clients show a certificate.
const CERTIFIED: Fits = Fits {
    client_certificate: true,
    ..Fits::ALL
};

/// What is wrong with the certificates that are tried.
const FAULTS: [Fault; 7] = [
    Fault::SelfSigned,
    Fault::ForeignAuthority,
    Fault::BadSignature,
    Fault::Expired,
    Fault::NotYetValid,
    Fault::ServerOnly,
    Fault::IssuedByClient,
];

async fn certificate_validation(p: &mut Procedure<'_>) -> Result<(), Stop> {
    issues(p)?;
    taken(p, "before").await?;
    for fault in FAULTS {
        let identity = p.bench().faulty_identity(p.name(), fault)?;
        match p.enter(&Who::Certificate(&identity)).await? {
            Entry::Refused(answer) => p.check(fault.words(), "refused", answer.text, true),
            Entry::In(session) => {
                session.close().await;
                p.check(fault.words(), "refused", "taken", false);
            }
        }
    }
    taken(p, "after").await
}

/// Sees that the bench can issue certificates for the interface.
fn issues(p: &Procedure<'_>) -> Result<(), Stop> {
    if p.bench().has_issuer(p.name()) {
        return Ok(());
    }
    Err(Stop::not_evaluated(format!(
        "the bench cannot issue certificates that the device would trust: add `tls.issuer` to `{}` in the rig file",
        p.name()
    )))
}

/// The control: a refusal says nothing where no certificate is taken.
async fn taken(p: &mut Procedure<'_>, when: &str) -> Result<(), Stop> {
    let sound = p.bench().faulty_identity(p.name(), Fault::None)?;
    match p.enter(&Who::Certificate(&sound)).await? {
        Entry::In(session) => session.close().await,
        Entry::Refused(answer) => {
            return Err(Stop::inconclusive(format!(
                "{} is refused as well: {}",
                Fault::None.words(),
                slcert_reports::excerpt(&answer.text, 200)
            )));
        }
    }
    let name = format!("{}, {when}", Fault::None.words());
    p.check(name, "taken", "taken", true);
    Ok(())
}
