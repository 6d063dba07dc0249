//! CR 4.3: use of cryptography. The part that a client sees of TLS.

use std::time::Duration;

use slcert_rigs::bench::{Entry, Who};
use slcert_rigs::rig::TlsVersion;
use slcert_rigs::tls::pki::Fault;
use slcert_rigs::tls::probe::{Answer, Offer, Version, probe};
use slcert_rigs::tls::suites::{self, Strength};

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "tls-versions",
        title: "only current versions of TLS are taken",
        requirements: &["CR 4.3"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::TLS),
        needs: &[],
        objective: "Find out which versions of TLS the device takes.",
        criterion: "SSL 3.0, TLS 1.0 and TLS 1.1 are refused (RFC 7568, RFC 8996), as is what is older than the rig file states; TLS 1.2 or 1.3 is taken.",
        svv: Svv::Vulnerability,
        body: |p| -> Run<'_> { Box::pin(tls_versions(p)) },
    },
    Case {
        id: "tls-suites",
        title: "broken cipher suites are refused",
        requirements: &["CR 4.3"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::TLS),
        needs: &[],
        objective: "Find out whether the device takes a suite without encryption or authentication, or with a broken algorithm.",
        criterion: "None of the suites with NULL, EXPORT, RC4, DES, 3DES or anonymous key exchange is taken, nor compression; a good one is.",
        svv: Svv::Vulnerability,
        body: |p| -> Run<'_> { Box::pin(tls_suites(p)) },
    },
    Case {
        id: "client-certificates",
        title: "client certificates that are not valid are refused",
        requirements: &["CR 4.3"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits {
            client_certificate: true,
            ..Fits::ALL
        }),
        needs: &[],
        objective: "Find out whether the device checks validity and signature of its clients' certificates.",
        criterion: "A certificate that has expired, is not valid yet or has an altered signature is refused; an otherwise equal one is taken.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(client_certificates(p)) },
    },
];

const LIMIT: Duration = Duration::from_secs(2);

async fn ask(
    p: &Procedure<'_>,
    version: Version,
    offered: Vec<u16>,
    compression: bool,
) -> Result<Answer, Stop> {
    let address = p.bench().address(p.name())?;
    let mut line = p
        .bench()
        .open_line(p.name(), &format!("{}.probe", p.name()))
        .await?;
    let offer = Offer {
        version,
        suites: offered,
        compression,
    };
    probe(&mut line, &address, &offer, [0xA5; 32], LIMIT)
        .await
        .map_err(|error| Stop::inconclusive(error.to_string()))
}

async fn tls_versions(p: &mut Procedure<'_>) -> Result<(), Stop> {
    for version in [Version::SSL_3_0, Version::TLS_1_0, Version::TLS_1_1] {
        let answer = ask(p, version, suites::all(), false).await?;
        let taken = answer.hello().is_some();
        p.check(version.to_string(), "refused", answer.to_string(), !taken);
    }
    let mut all = suites::all();
    // The suites of TLS 1.3, RFC 8446 appendix B.4.
    all.extend([0x1301, 0x1302, 0x1303]);
    let twelve = ask(p, Version::TLS_1_2, all, false).await?;
    if p.rig().policy.tls_oldest == Some(TlsVersion::V13) {
        p.check(
            "TLS 1.2",
            "refused, as the rig file states",
            twelve.to_string(),
            twelve.hello().is_none(),
        );
    }
    // A client that takes the device's certificate as it is shows whether any version is taken at all.
    let works = works(p).await?;
    p.check(
        "TLS 1.2 or 1.3",
        "taken",
        works.clone().unwrap_or_else(|| "refused".to_owned()),
        works.is_some(),
    );
    Ok(())
}

/// The version and suite that a usual client gets.
async fn works(p: &Procedure<'_>) -> Result<Option<String>, Stop> {
    let name = p.name();
    let bench = p.bench();
    let account = p
        .rig()
        .accounts_on(name)
        .find(|(_, account)| account.certificate.is_some());
    let identity = account
        .map(|(account, _)| bench.identity(name, account.as_str()))
        .transpose()?;
    let settings = bench.tls_settings(name, identity)?;
    let wire = bench.open_line(name, &format!("{name}.wire")).await?;
    Ok(bench
        .open_tls_over(name, wire, &settings)
        .await
        .ok()
        .map(|(_, facts)| format!("{} {}", facts.version, facts.suite)))
}

async fn tls_suites(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let works = works(p).await?;
    if works.is_none() {
        return Err(Stop::inconclusive(
            "a usual TLS client is refused: then a refusal says nothing",
        ));
    }
    // All at once first: a device that takes one of them names it, and then they are tried one by one.
    for version in [Version::TLS_1_2, Version::TLS_1_0] {
        let broken = suites::of(Strength::Broken);
        let answer = ask(p, version, broken.clone(), false).await?;
        if answer.hello().is_none() {
            p.check(
                format!("{} broken suites, {version}", broken.len()),
                "refused",
                answer.to_string(),
                true,
            );
            continue;
        }
        for suite in broken {
            let answer = ask(p, version, vec![suite], false).await?;
            if answer.hello().is_some() {
                p.check(
                    format!("{}, {version}", suites::name(suite)),
                    "refused",
                    answer.to_string(),
                    false,
                );
            }
        }
    }
    let mut good = suites::of(Strength::Good);
    good.extend(suites::of(Strength::Dated));
    let answer = ask(p, Version::TLS_1_2, good, true).await?;
    let compressed = answer.hello().is_some_and(|hello| hello.compression != 0);
    p.check("compression", "not chosen", answer.to_string(), !compressed);
    let dated = ask(p, Version::TLS_1_2, suites::of(Strength::Dated), false).await?;
    p.check(
        "suites without forward secrecy or authenticated encryption (for information)",
        "recorded",
        dated.to_string(),
        true,
    );
    Ok(())
}

async fn client_certificates(p: &mut Procedure<'_>) -> Result<(), Stop> {
    if !p.bench().has_issuer(p.name()) {
        return Err(Stop::not_evaluated(format!(
            "the bench cannot issue certificates that the device would trust: add `tls.issuer` to `{}` in the rig file",
            p.name()
        )));
    }
    let sound = p.bench().faulty_identity(p.name(), Fault::None)?;
    match p.enter(&Who::Certificate(&sound)).await? {
        Entry::In(session) => session.close().await,
        Entry::Refused(answer) => {
            return Err(Stop::inconclusive(format!(
                "{} is refused: {}",
                Fault::None.words(),
                answer.text
            )));
        }
    }
    p.check(Fault::None.words(), "taken", "taken", true);
    for fault in [Fault::Expired, Fault::NotYetValid, Fault::BadSignature] {
        let identity = p.bench().faulty_identity(p.name(), fault)?;
        match p.enter(&Who::Certificate(&identity)).await? {
            Entry::Refused(answer) => p.check(fault.words(), "refused", answer.text, true),
            Entry::In(session) => {
                session.close().await;
                p.check(fault.words(), "refused", "taken", false);
            }
        }
    }
    Ok(())
}
