//! CR 1.8: public key infrastructure certificates.

mod enrolment;
mod shown;

use slcert_rigs::tls::pki::Authority;

use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::procedure::{Procedure, Stop};
use enrolment::Enrolment;

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "enrolment",
        title: "the device asks for a certificate for its own key, shows the one it gets, and renews it",
        requirements: &["CR 1.8"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &[],
        objective: "Let the device make requests for certificates (PKCS#10), issue them by an authority of the bench's, and see in handshakes what \
                    the device shows then.",
        criterion: "A request is well formed, signed with the key that it is for, and as strong as the rig file says (112 bits where it does not). The \
                    certificate for it is shown on each interface that showed the one before, at once or after a restart, and stays; a renewed one takes \
                    its place. One for another key is not taken.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(enrolment(p)) },
    },
    Case {
        id: "trust-list",
        title: "only certificates of a trusted authority are taken",
        requirements: &["CR 1.8"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &[],
        objective: "Hand the device certificates for its own requests: of an authority that it was told to trust, of one that it was not, and of the \
                    first one again, once it was told to trust that no more.",
        criterion: "The first is taken, and shown in handshakes; the others are refused, and the device shows what it showed.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(trust_list(p)) },
    },
];

async fn enrolment(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let mut device = Enrolment::prepare(p).await?;
    let tried = enrol(p, &mut device).await;
    let back = device.put_back(p).await;
    tried.and(back)
}

async fn enrol<'r>(p: &mut Procedure<'r>, device: &mut Enrolment<'r>) -> Result<(), Stop> {
    let authority = device.trusted_authority(p).await?;
    for what in ["the first certificate", "the renewed certificate"] {
        let Some(certificate) = device.certified(p, what, &authority).await? else {
            return Ok(());
        };
        if !device.is_taken(p, what, &certificate).await? {
            return Ok(());
        }
    }
    device.is_kept(p).await?;
    let what = "a certificate for another key than the request's";
    let Some(request) = device.request(p, what).await? else {
        return Ok(());
    };
    let other = authority.certify_another_key(&request, &p.bench().server_names()?);
    device.is_refused(p, what, &other.map_err(ours)?).await
}

async fn trust_list(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let mut device = Enrolment::prepare(p).await?;
    device.has_a_trust_list(p)?;
    let tried = by_trust(p, &mut device).await;
    let back = device.put_back(p).await;
    tried.and(back)
}

async fn by_trust<'r>(p: &mut Procedure<'r>, device: &mut Enrolment<'r>) -> Result<(), Stop> {
    let trusted = Authority::new("slcert trial CA").map_err(ours)?;
    device.trust(p, &trusted).await?;
    // The right one comes first: it shows how long the device takes to show what it takes.
    let what = "a certificate of an authority that is trusted";
    let Some(certificate) = device.certified(p, what, &trusted).await? else {
        return Ok(());
    };
    if !device.is_taken(p, what, &certificate).await? {
        return Ok(());
    }

    let other = Authority::new("slcert other CA").map_err(ours)?;
    let what = "a certificate of an authority that is not trusted";
    let Some(certificate) = device.certified(p, what, &other).await? else {
        return Ok(());
    };
    device.is_refused(p, what, &certificate).await?;

    device.distrust(p).await?;
    let what = "a certificate of the authority that is trusted no more";
    let Some(certificate) = device.certified(p, what, &trusted).await? else {
        return Ok(());
    };
    device.is_refused(p, what, &certificate).await
}

fn ours(error: slcert_rigs::line::LineError) -> Stop {
    Stop::inconclusive(error.to_string())
}
