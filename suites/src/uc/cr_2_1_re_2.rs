//! CR 2.1 RE(2): permission mapping to roles.

use slcert_rigs::bench::Who;
use slcert_rigs::rig::Values;

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::effect::{Actor, Effect, attempt};
use crate::procedure::{Procedure, Stop};
use crate::rights::by_whoever_may;

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "map-permissions",
    title: "a role's rights can be changed, and the change has effect",
    requirements: &["CR 2.1 RE(2)"],
    kind: Kind::Conformance,
    scope: Scope::Each(Fits::HUMAN),
    needs: &["grant", "revoke"],
    objective: "Find out whether an authorised role can give a right to a role and take it away.",
    criterion: "An operation that is refused works after the right is granted, and is refused again after it is revoked.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(map_permissions(p)) },
}];

async fn map_permissions(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let rig = p.rig();
    let mut pairs = rig.operations.iter().filter(|(name, operation)| {
        operation.changes_state() && rig.binding(name.as_str(), p.name()).is_some()
    });
    let found = pairs.find_map(|(name, operation)| {
        let account = rig.who_may_not(name.as_str(), p.name())?;
        Some((name.as_str(), operation, account.as_str()))
    });
    let Some((operation, described, account)) = found else {
        return Err(Stop::not_evaluated(format!(
            "no account on `{}` lacks a right to an operation that can be read back",
            p.name()
        )));
    };
    let role_name = &rig.accounts[account].role.value;
    let role = rig
        .roles
        .get(role_name)
        .and_then(|role| role.called.clone())
        .unwrap_or_else(|| role_name.as_str().to_owned());
    let permission = described
        .permission
        .clone()
        .unwrap_or_else(|| operation.to_owned());
    let values = Values::from([
        ("role".to_owned(), role.clone()),
        ("permission".to_owned(), permission),
    ]);

    let before = as_account(p, account, operation).await?;
    by_whoever_may(p, "grant", &values).await?;
    let granted = as_account(p, account, operation).await;
    by_whoever_may(p, "revoke", &values).await?;
    let granted = granted?;
    let revoked = as_account(p, account, operation).await?;

    let refused = |effect: &Effect| !matches!(effect, Effect::Happened(_));
    p.check(
        format!("{account}, {operation}, before"),
        "refused",
        before.words(),
        refused(&before),
    );
    p.check(
        format!("{account}, {operation}, after `{role}` was granted the right"),
        "done",
        granted.words(),
        !refused(&granted),
    );
    p.check(
        format!("{account}, {operation}, after the right was revoked"),
        "refused",
        revoked.words(),
        refused(&revoked),
    );
    Ok(())
}

async fn as_account(p: &Procedure<'_>, account: &str, operation: &str) -> Result<Effect, Stop> {
    let mut actor = Actor::new(Who::Account(account));
    let effect = attempt(p, &mut actor, operation).await;
    actor.leave().await;
    effect
}
