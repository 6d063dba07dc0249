//! CR 2.12: non-repudiation.

use slcert_rigs::bench::Who;

use crate::audit;
use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::effect::{Actor, Effect, attempt};
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "who-did-it",
    title: "the audit log names who did it",
    requirements: &["CR 2.12"],
    kind: Kind::Conformance,
    scope: Scope::Each(Fits {
        identity: true,
        ..Fits::HUMAN
    }),
    needs: &[],
    objective: "Find out whether what a person did is in the audit log under that person's name.",
    criterion: "After an operation that changes something, a new entry of the log names the user that did it, for two different users.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(who_did_it(p)) },
}];

/// Acts as up to two accounts of the interface under test, and looks for what each did in the log.
///
/// # Errors
/// The log cannot be read, or nobody may change anything that can be read back.
pub async fn who_did_it(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let format = audit::format(p)?;
    if !format
        .entry
        .capture_names()
        .flatten()
        .any(|name| name == "user")
    {
        return Err(Stop::not_evaluated(
            "the rig file's pattern of an audit entry has no group `user`",
        ));
    }
    let rig = p.rig();
    let mut doers = Vec::new();
    for (name, operation) in &rig.operations {
        if !operation.changes_state() || rig.binding(name.as_str(), p.name()).is_none() {
            continue;
        }
        for (account, _) in rig.accounts_on(p.name()) {
            let known = doers.iter().any(|(_, doer)| *doer == account.as_str());
            if rig.may(account.as_str(), name.as_str()) && !known {
                doers.push((name.as_str(), account.as_str()));
            }
        }
    }
    if doers.is_empty() {
        return Err(Stop::not_evaluated(format!(
            "no account on `{}` may change anything that can be read back",
            p.name()
        )));
    }
    for (operation, account) in doers.into_iter().take(2) {
        let before = audit::read(p).await?;
        let mut actor = Actor::new(Who::Account(account));
        let effect = attempt(p, &mut actor, operation).await?;
        actor.leave().await;
        if !matches!(effect, Effect::Happened(_)) {
            return Err(Stop::inconclusive(format!(
                "`{account}` could not perform `{operation}`: {}",
                effect.words()
            )));
        }
        let entries = audit::new_entries(&before, audit::read(p).await?);
        let user = p.bench().user(account);
        // Logging in leaves an entry with the user's name as well: it says nothing about what was done.
        let access = format
            .categories
            .get(&slcert_rigs::rig::Category::AccessControl);
        let of_doing: Vec<_> = entries
            .iter()
            .filter(|entry| {
                access.is_none_or(|pattern| {
                    entry
                        .field("category")
                        .is_none_or(|category| !pattern.is_match(category))
                })
            })
            .collect();
        let named = of_doing
            .iter()
            .any(|entry| entry.field("user") == Some(user));
        let seen: Vec<_> = of_doing.iter().map(|entry| entry.text.as_str()).collect();
        p.check(
            format!("{account} performed {operation}"),
            format!("an entry that names `{user}`"),
            seen.join("\n"),
            named,
        );
    }
    Ok(())
}
