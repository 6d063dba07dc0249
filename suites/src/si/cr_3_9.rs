//! CR 3.9: protection of audit information.

use std::collections::BTreeSet;

use slcert_rigs::bench::{Entry, Who};
use slcert_rigs::rig::{Category, InterfaceKind, Values};

use crate::audit::{self, AuditEntry};
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::power;
use crate::procedure::{Procedure, Stop};
use crate::provoke::Provoker;
use crate::rights::by_whoever_may;

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "by-the-unauthorised",
        title: "who may not read or clear the audit log can do neither",
        requirements: &["CR 3.9"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &[],
        objective: "Try to read and to clear the audit log as each role that may not, and as nobody, on every interface that can do it.",
        criterion: "Each attempt is refused, shows no entry, and leaves every entry in the log.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(by_the_unauthorised(p)) },
    },
    Case {
        id: "kept",
        title: "entries survive a power cycle, and clearing the log leaves one",
        requirements: &["CR 3.9"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &[],
        objective: "Find out whether the audit log is kept through a power cycle, and whether it tells that it was cleared.",
        criterion: "Each entry of before a power cycle is there after it, the oldest excepted; after somebody with the right has cleared the \
                    log, an entry tells of that.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(kept(p)) },
    },
];

/// What takes from the log.
const CLEARING: &str = "clear_audit";
/// How many events are provoked to have entries to look after.
const EVENTS: u32 = 3;

/// What somebody may not do with the log.
pub struct Forbidden<'r> {
    /// The interface.
    pub interface: &'r str,
    /// The account; none for somebody who shows nothing.
    pub account: Option<&'r str>,
    /// The operations.
    pub operations: Vec<&'r str>,
}

/// What may not be done of these operations: by one account of each role, and by nobody, on each interface that binds them.
pub fn forbidden<'r>(p: &Procedure<'r>, operations: &[&'r str]) -> Vec<Forbidden<'r>> {
    let rig = p.rig();
    let mut all = Vec::new();
    for (name, described) in &rig.interfaces {
        let interface = name.as_str();
        let mut roles = BTreeSet::new();
        let accounts = rig
            .accounts_on(interface)
            .filter(|(_, account)| roles.insert(&account.role.value))
            .map(|(name, _)| Some(name.as_str()));
        for account in accounts.chain([None]) {
            let operations: Vec<_> = operations
                .iter()
                .copied()
                .filter(|name| rig.binding(name, interface).is_some())
                .filter(|name| !described.is_open(name))
                .filter(|name| !account.is_some_and(|account| rig.may(account, name)))
                .collect();
            if !operations.is_empty() {
                all.push(Forbidden {
                    interface,
                    account,
                    operations,
                });
            }
        }
    }
    all
}

/// Tries each of the operations; for each, whether the device did it or showed an entry, and what it said.
///
/// # Errors
/// The bench could not try.
pub async fn attempt<'r>(
    p: &Procedure<'_>,
    forbidden: &Forbidden<'r>,
) -> Result<Vec<(&'r str, bool, String)>, Stop> {
    let who = forbidden.account.map_or(Who::Nobody, Who::Account);
    let console = p
        .rig()
        .interface(forbidden.interface)
        .is_some_and(|it| it.kind == InterfaceKind::Console);
    let mut session = None;
    let mut tried = Vec::new();
    for operation in &forbidden.operations {
        if session.is_none() {
            match p.bench().enter(forbidden.interface, &who).await? {
                Entry::In(opened) => session = Some(opened),
                Entry::Refused(answer) => {
                    let said = format!("not let in: {}", answer.text);
                    tried.push((*operation, false, said));
                    continue;
                }
            }
        }
        let Some(open) = session.as_mut() else {
            continue;
        };
        let attempt = open.perform(operation, &Values::new()).await?;
        if open.is_over() {
            session = None;
        }
        let said = attempt.answer().text.clone();
        // Whatever the words are: an entry that is shown is shown.
        let audit = p.rig().audit.as_ref();
        let shown = audit.is_some_and(|audit| !audit::entries(audit, &said).is_empty());
        // Before a login, any words would count as an answer.
        let done = attempt.is_done() && !(console && forbidden.account.is_none());
        tried.push((*operation, done || shown, said));
    }
    if let Some(session) = session {
        session.close().await;
    }
    Ok(tried)
}

impl Forbidden<'_> {
    /// One of the operations in words, for a report.
    pub fn words(&self, operation: &str) -> String {
        let account = self.account.unwrap_or("nobody");
        format!("{account}, {operation} on `{}`", self.interface)
    }
}

async fn by_the_unauthorised(p: &mut Procedure<'_>) -> Result<(), Stop> {
    audit::format(p)?;
    p.anywhere("read_audit")?;
    let tries = forbidden(p, &["read_audit", "export_audit", CLEARING]);
    if tries.is_empty() {
        return Err(Stop::not_evaluated(
            "no operation on the audit log is bound for anybody who may not perform it",
        ));
    }
    let mut provoker = Provoker::find(p).await?;
    provoker.events(p, EVENTS).await?;
    provoker.end(p).await?;
    let before = audit::read(p).await?;
    for forbidden in &tries {
        for (operation, done, said) in attempt(p, forbidden).await? {
            p.check(forbidden.words(operation), "refused", said, !done);
        }
    }
    let gone = vanished(&before, &audit::read(p).await?);
    p.check(
        format!("the {} entries of before, after all of them", before.len()),
        "still there, the oldest excepted",
        format!("{gone} of the newer ones are gone"),
        gone == 0,
    );
    Ok(())
}

/// How many entries are gone of the newer half of those before: the oldest may have made room.
fn vanished(before: &[AuditEntry], after: &[AuditEntry]) -> usize {
    // A log may have its newest entry first: then those are the first half. What is gone of either half is looked at.
    let (one, other) = before.split_at(before.len() / 2);
    let gone = |half: &[AuditEntry]| half.iter().filter(|entry| !after.contains(entry)).count();
    gone(one).min(gone(other))
}

async fn kept(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let format = audit::format(p)?;
    let mut provoker = Provoker::find(p).await?;
    provoker.events(p, EVENTS).await?;
    provoker.end(p).await?;
    let before = audit::read(p).await?;

    p.anywhere(CLEARING)?;
    by_whoever_may(p, CLEARING, &Values::new()).await?;
    let after = audit::read(p).await?;
    let told: Vec<_> = audit::new_entries(&before, after)
        .into_iter()
        .filter(|entry| match format.categories.get(&Category::AuditLog) {
            Some(_) => entry.is_of(format, Category::AuditLog),
            None => entry.text.to_lowercase().contains("clear"),
        })
        .collect();
    p.check(
        "the log after it was cleared",
        "an entry of that, among the events of the audit log",
        audit::words(&told),
        !told.is_empty(),
    );

    let mut provoker = Provoker::find(p).await?;
    provoker.events(p, EVENTS).await?;
    provoker.end(p).await?;
    let before = audit::read(p).await?;
    let after = power::cycle(p).await?;
    let gone = vanished(&before, &after);
    p.check(
        format!("{} entries, after a power cycle", before.len()),
        "still there, the oldest excepted",
        format!("{gone} of the newer ones are gone"),
        gone == 0,
    );
    Ok(())
}
