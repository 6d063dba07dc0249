//! CR 6.1: audit log accessibility.

use std::collections::BTreeSet;

use slcert_rigs::rig::Values;

use crate::audit;
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::procedure::{Procedure, Stop};
use crate::provoke::Provoker;
use crate::si::cr_3_9::{attempt, forbidden};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "access",
    title: "who may reads the audit log, and reading changes nothing",
    requirements: &["CR 6.1"],
    kind: Kind::Conformance,
    scope: Scope::Device,
    needs: &[],
    objective: "Read the audit log as each role, and find out whether those that may can, whether the others cannot, and whether reading is \
                all that it does.",
    criterion: "Each role that the rig file lists sees a fresh event, and sees it after others have read it; each other role sees no entry.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(access(p)) },
}];

async fn access(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let format = audit::format(p)?;
    p.anywhere("read_audit")?;
    let mut provoker = Provoker::find(p).await?;
    provoker.events(p, 1).await?;
    let fresh = provoker.fresh(p).await;
    let fresh = provoker.end(p, fresh).await?;
    let Some(fresh) = fresh.first() else {
        return Err(Stop::inconclusive(
            "a fresh event left no entry: see CR 2.8",
        ));
    };
    let rig = p.rig();
    for interface in rig.interfaces.keys().map(|name| name.as_str()) {
        if rig.binding("read_audit", interface).is_none() {
            continue;
        }
        let mut roles = BTreeSet::new();
        for (account, described) in rig.accounts_on(interface) {
            let account = account.as_str();
            if !rig.may(account, "read_audit") || !roles.insert(&described.role.value) {
                continue;
            }
            let mut session = p.bench().login(interface, account).await?;
            let read = session.perform("read_audit", &Values::new()).await;
            session.close().await;
            let read = read?;
            let name = format!("{account}, read_audit on `{interface}`");
            let expected = "shows the log, with the fresh event that others have read before";
            if !read.is_done() {
                p.cannot_tell(
                    name,
                    expected,
                    format!(
                        "not done, though the rig file lists it: {}",
                        read.answer().text
                    ),
                );
                continue;
            }
            let entries = audit::entries(format, &read.answer().text);
            p.check(
                name,
                expected,
                format!(
                    "{} entries, {}",
                    entries.len(),
                    if entries.contains(fresh) {
                        "with it"
                    } else {
                        "without it"
                    }
                ),
                entries.contains(fresh),
            );
        }
    }
    for forbidden in forbidden(p, &["read_audit"]) {
        // What nobody can do is CR 3.9's matter.
        if forbidden.account.is_none() {
            continue;
        }
        for tried in attempt(p, &forbidden).await? {
            let name = forbidden.words(tried.operation);
            p.check(name, "shows no entry", tried.said, !tried.shown);
        }
    }
    Ok(())
}
