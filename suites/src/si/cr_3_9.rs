//! CR 3.9: protection of audit information.

use std::collections::BTreeSet;

use slcert_rigs::bench::{Entry, Who};
use slcert_rigs::rig::{Audit, Category, InterfaceKind, Values};

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
        criterion: "No attempt shows an entry, and all of them leave every entry in the log, the oldest excepted that make room.",
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
/// How many entries a log has at least, so that it shows when it was cleared: more than all attempts leave.
const ENTRIES: u32 = 20;
/// How many events are provoked before a power cycle.
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
            let mut operations: Vec<_> = operations
                .iter()
                .copied()
                .filter(|name| rig.binding(name, interface).is_some())
                .filter(|name| !described.is_open(name))
                .filter(|name| !account.is_some_and(|account| rig.may(account, name)))
                .collect();
            if account.is_none() && described.kind == InterfaceKind::Console {
                // What reads is tried at the login by CR 1.1 already.
                operations.retain(|name| *name == CLEARING);
            }
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

/// What came of an operation that may not be done.
pub struct Tried<'r> {
    /// The operation.
    pub operation: &'r str,
    /// Whether the device refused in so many words.
    pub refused: bool,
    /// Whether it showed what is in the log.
    pub shown: bool,
    /// What it said.
    pub said: String,
}

/// Tries each of the operations.
///
/// # Errors
/// The bench could not try.
pub async fn attempt<'r>(
    p: &Procedure<'_>,
    forbidden: &Forbidden<'r>,
) -> Result<Vec<Tried<'r>>, Stop> {
    let who = forbidden.account.map_or(Who::Nobody, Who::Account);
    let mut session = None;
    let mut tried = Vec::new();
    for operation in &forbidden.operations {
        if session.is_none() {
            match p.bench().enter(forbidden.interface, &who).await? {
                Entry::In(opened) => session = Some(opened),
                Entry::Refused(answer) => {
                    tried.push(Tried {
                        operation,
                        refused: true,
                        shown: false,
                        said: format!("not let in: {}", answer.text),
                    });
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
        // Whatever the words are: what is shown is shown, and no words of a login dialogue are an entry.
        let audit = p.rig().audit.as_ref();
        let listed = audit.is_some_and(|audit| !audit::entries(audit, &said).is_empty());
        let exported = *operation == "export_audit" && !audit::objects(&said).0.is_empty();
        tried.push(Tried {
            operation,
            refused: attempt.is_refused(),
            shown: listed || exported,
            said,
        });
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
    let done = provoker.events(p, ENTRIES).await;
    provoker.end(p, done).await?;
    let mut before = audit::read(p).await?;
    let mut refused = false;
    for forbidden in &tries {
        // What a login dialogue makes of a command is no refusal: it is judged by the log alone, so what came before is judged first.
        if refused && forbidden.account.is_none() {
            before = judge_kept(p, "the log after those that were refused", &before, "").await?;
            refused = false;
        }
        for tried in attempt(p, forbidden).await? {
            let name = forbidden.words(tried.operation);
            if tried.operation != CLEARING {
                p.check(name, "shows no entry", tried.said, !tried.shown);
            } else if tried.refused {
                p.check(name, "refused, or without effect", tried.said, true);
                refused = true;
            } else {
                before = judge_kept(p, &name, &before, &tried.said).await?;
            }
        }
    }
    if refused {
        judge_kept(p, "the log after those that were refused", &before, "").await?;
    }
    Ok(())
}

/// Reads the log, and judges whether the newer entries of before are still there: the oldest may have made room, or a
/// listing may not show them.
async fn judge_kept(
    p: &mut Procedure<'_>,
    name: &str,
    before: &[AuditEntry],
    said: &str,
) -> Result<Vec<AuditEntry>, Stop> {
    let after = audit::read(p).await?;
    judge(p, name, before, &after, said);
    Ok(after)
}

fn judge(
    p: &mut Procedure<'_>,
    name: &str,
    before: &[AuditEntry],
    after: &[AuditEntry],
    said: &str,
) {
    // A log may have its newest entry first: then the newer half is the first one.
    let (one, other) = before.split_at(before.len() / 2);
    let gone = |half: &[AuditEntry]| half.iter().filter(|entry| !after.contains(entry)).count();
    let gone = gone(one).min(gone(other));
    let expected = format!("the newer ones of {} entries are still there", before.len());
    let observed = format!(
        "{gone} of them are gone, and {} entries are shown; {said}",
        after.len()
    );
    // A log that was cleared is shorter. Where as many are shown, others may have taken their place in the listing.
    if gone > 0 && after.len() * 5 > before.len() * 4 {
        p.cannot_tell(name, expected, observed);
    } else {
        p.check(name, expected, observed, gone == 0);
    }
}

async fn kept(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let format = audit::format(p)?;
    let mut provoker = Provoker::find(p).await?;
    provoker.events(p, EVENTS).await?;
    let before = provoker.read(p).await;
    let before = provoker.end(p, before).await?;
    let mut open = Vec::new();
    if p.bench().can_power_cycle() {
        let after = power::cycle(p).await?;
        judge(p, "the log after a power cycle", &before, &after, "");
    } else {
        open.push("the bench cannot switch the device off and on: add `power` to the rig file");
    }
    if p.anywhere(CLEARING).is_ok() {
        cleared(p, format).await?;
    } else {
        open.push("operation `clear_audit` is bound for nobody who may perform it");
    }
    if open.is_empty() {
        return Ok(());
    }
    Err(Stop::not_evaluated(open.join("; ")))
}

async fn cleared(p: &mut Procedure<'_>, format: &Audit) -> Result<(), Stop> {
    let before = audit::read(p).await?;
    by_whoever_may(p, CLEARING, &Values::new()).await?;
    let new = audit::new_entries(&before, audit::read(p).await?);
    let (name, expected) = ("the log after it was cleared", "an entry that tells of it");
    if format.categories.contains_key(&Category::AuditLog) {
        let told = new
            .iter()
            .find(|entry| entry.is_of(format, Category::AuditLog));
        let words = told.map_or_else(|| audit::words(&new), |entry| entry.text.clone());
        p.check(name, expected, words, told.is_some());
    } else if new
        .iter()
        .any(|entry| entry.text.to_lowercase().contains("clear"))
    {
        p.check(name, expected, audit::words(&new), true);
    } else {
        let why = format!(
            "the rig file does not say what the category of such an entry is called (`audit.categories`): {}",
            audit::words(&new)
        );
        p.cannot_tell(name, expected, why);
    }
    Ok(())
}
