//! NDR 1.13: access via untrusted networks.

use std::collections::BTreeSet;

use slcert_rigs::bench::{Entry, Who};
use slcert_rigs::rig::Rig;

use super::ndr_1_13_re_1::approved;
use crate::audit::{self, AuditEntry, new_entries};
use crate::boundary::untrusted;
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "untrusted-access",
    title: "only declared ways in answer to an untrusted network, and their use is recorded",
    requirements: &["NDR 1.13"],
    kind: Kind::Conformance,
    scope: Scope::Device,
    needs: &[],
    objective: "Find out which TCP ports of the device answer in each untrusted network, come in by each interface that it serves there, with an account \
                and without, and read the audit log.",
    criterion: "Every port that answers is declared; an account gets in, somebody who shows nothing does not, and each of both leaves an entry that \
                reading the log alone does not leave.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(untrusted_access(p)) },
}];

/// How long an approval lasts that the case needs, in seconds: it is used at once.
const APPROVED: u64 = 30;

/// The interfaces that the device serves in a network, each with an account of its own.
///
/// # Errors
/// NOT EVALUATED where there is none with an account.
pub fn served<'r>(rig: &'r Rig, network: &str) -> Result<Vec<(&'r str, &'r str)>, Stop> {
    let interfaces = rig.networks.get(network).map(|it| &it.interfaces);
    let names = interfaces.into_iter().flat_map(|it| it.keys());
    let found: Vec<_> = names
        .filter_map(|name| {
            let (account, _) = rig.accounts_on(name.as_str()).next()?;
            Some((name.as_str(), account.as_str()))
        })
        .collect();
    if found.is_empty() {
        return Err(Stop::not_evaluated(format!(
            "the rig file names no interface with an account that the device serves in `{network}` (`network.{network}.interfaces`)"
        )));
    }
    Ok(found)
}

/// Whether somebody gets in from a network; the inner error says what came instead.
///
/// # Errors
/// The rig file has no such network.
pub async fn enters(
    p: &Procedure<'_>,
    network: &str,
    interface: &str,
    who: &Who<'_>,
) -> Result<Result<(), String>, Stop> {
    let _visit = p.bench().come_from(network)?;
    Ok(match p.bench().enter(interface, who).await {
        Ok(Entry::In(session)) => {
            session.close().await;
            Ok(())
        }
        Ok(Entry::Refused(answer)) => Err(answer.text),
        Err(error) => Err(error.to_string()),
    })
}

async fn untrusted_access(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let rig = p.rig();
    for network in untrusted(rig)? {
        let open = p.bench().ports_in(network).await?;
        let mut known: BTreeSet<u16> = rig.networks[network].serves.iter().copied().collect();
        // What is relayed is no way into the device.
        let relayed = rig
            .flows
            .values()
            .filter(|flow| flow.from.as_str() == network);
        known.extend(relayed.map(|flow| flow.port));
        for port in &rig.networks[network].serves {
            let met = open.contains(port);
            let word = if met { "answers" } else { "does not answer" };
            p.check(
                format!("declared port {port} in {network}"),
                "answers",
                word,
                met,
            );
        }
        for port in open.difference(&known) {
            p.check(
                format!("port {port} in {network}"),
                "does not answer: it is not declared",
                "answers",
                false,
            );
        }
        p.check(
            format!("ports 1 to 65535 in {network}"),
            "scanned",
            format!("{} answer", open.len()),
            true,
        );
        for (interface, account) in served(rig, network)? {
            comes_in(p, network, interface, account).await?;
        }
    }
    Ok(())
}

/// Comes in as an account and as nobody, and looks for both in the log.
async fn comes_in(
    p: &mut Procedure<'_>,
    network: &str,
    interface: &str,
    account: &str,
) -> Result<(), Stop> {
    approved(p, APPROVED).await?;
    let tried = with_approval(p, network, interface, account).await;
    let ended = approved(p, 0).await;
    tried.and(ended)
}

async fn with_approval(
    p: &mut Procedure<'_>,
    network: &str,
    interface: &str,
    account: &str,
) -> Result<(), Stop> {
    // What reading the log leaves in it by itself.
    let first = audit::read(p).await?;
    let mut before = audit::read(p).await?;
    let noise: Vec<AuditEntry> = new_entries(&first, before.clone());
    for who in [Who::Account(account), Who::Nobody] {
        let entered = enters(p, network, interface, &who).await?;
        let name = match who {
            Who::Account(account) => format!("`{account}` at `{interface}` from {network}"),
            _ => format!("nobody at `{interface}` from {network}"),
        };
        let is_account = matches!(who, Who::Account(_));
        match (&entered, is_account) {
            (Ok(_), true) => p.check(&name, "let in", "let in", true),
            (Err(why), true) => {
                return Err(Stop::inconclusive(format!(
                    "{name} was not let in: {}",
                    slcert_reports::excerpt(why, 200)
                )));
            }
            (Ok(_), false) => p.check(&name, "not let in", "let in", false),
            (Err(why), false) => p.check(&name, "not let in", why, true),
        }
        let after = audit::read(p).await?;
        let new: Vec<_> = new_entries(&before, after.clone())
            .into_iter()
            .filter(|entry| !noise.iter().any(|other| other.alike() == entry.alike()))
            .collect();
        p.check(
            format!("{name}, in the audit log"),
            "an entry",
            audit::words(&new),
            !new.is_empty(),
        );
        before = after;
    }
    Ok(())
}
