//! CR 2.1 RE(4): dual approval.

use slcert_rigs::rig::Values;

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::effect::{other_value, state};
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "dual-approval",
    title: "a critical action takes two people",
    requirements: &["CR 2.1 RE(4)"],
    kind: Kind::Conformance,
    scope: Scope::Each(Fits {
        identity: true,
        ..Fits::HUMAN
    }),
    needs: &["request_critical", "approve_critical"],
    objective: "Find out whether the critical action that the rig file names is done by one person alone, by one who approves twice, or \
                by somebody without the right.",
    criterion: "Asked for, it is not done; approved by who asked for it, or by somebody without the right, it is not done; approved by \
                another person with the right, it is; the same approval does not work again.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(dual_approval(p)) },
}];

const READ: &str = "read_critical";
const REQUEST: &str = "request_critical";
const APPROVE: &str = "approve_critical";

async fn dual_approval(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let rig = p.rig();
    p.anywhere(READ)?;
    let may = |name: &&str| rig.may(name, REQUEST) && rig.may(name, APPROVE);
    let names: Vec<&str> = rig
        .accounts_on(p.name())
        .map(|(name, _)| name.as_str())
        .collect();
    let able: Vec<&str> = names.iter().copied().filter(may).collect();
    let [first, second, ..] = able[..] else {
        return Err(Stop::not_evaluated(format!(
            "two accounts on `{}` that may perform `{REQUEST}` and `{APPROVE}` are needed",
            p.name()
        )));
    };
    let outsider = names.iter().copied().find(|name| !rig.may(name, APPROVE));
    let before = state(p, READ).await?;
    let tried = approvals(p, first, second, outsider, &before).await;
    if state(p, READ).await? != before {
        let request = ask(p, first, &before).await?;
        approve(p, second, &request).await?;
        if state(p, READ).await? != before {
            return tried.and(Err(Stop::inconclusive(format!(
                "`{READ}` could not be set to {before} again"
            ))));
        }
    }
    tried
}

async fn approvals(
    p: &mut Procedure<'_>,
    first: &str,
    second: &str,
    outsider: Option<&str>,
    before: &str,
) -> Result<(), Stop> {
    let described = &p.rig().operations[REQUEST];
    let value = other_value(described, before);
    let mut request = ask(p, first, &value).await?;
    if !not_done(p, &format!("asked for by {first}"), before, "asked").await? {
        return Ok(());
    }
    let words = approve(p, first, &request).await?;
    if !not_done(
        p,
        &format!("approved by {first}, who asked for it"),
        before,
        &words,
    )
    .await?
    {
        return Ok(());
    }
    if let Some(outsider) = outsider {
        let words = approve(p, outsider, &request).await?;
        let name = format!("approved by {outsider}, who has no right to");
        if !not_done(p, &name, before, &words).await? {
            return Ok(());
        }
    }
    let mut words = approve(p, second, &request).await?;
    let mut after = state(p, READ).await?;
    if after != value {
        // A device may drop a request whose approval it has refused.
        request = ask(p, first, &value).await?;
        words = approve(p, second, &request).await?;
        after = state(p, READ).await?;
    }
    let name = format!("approved by {second}");
    let observed = format!("{READ} is {after}; the device said: {words}");
    if after != value {
        p.cannot_tell(name, "done", observed);
        return Ok(());
    }
    p.check(name, "done", observed, true);

    // With the value put back, the old approval would be seen to work.
    let back = ask(p, first, before).await?;
    approve(p, second, &back).await?;
    if state(p, READ).await? != before {
        return Err(Stop::inconclusive(format!(
            "`{READ}` could not be set back"
        )));
    }
    let words = approve(p, second, &request).await?;
    not_done(
        p,
        &format!("approved by {second} once more"),
        before,
        &words,
    )
    .await?;
    Ok(())
}

/// Checks that the action was not done; whether it was not.
async fn not_done(
    p: &mut Procedure<'_>,
    name: &str,
    before: &str,
    words: &str,
) -> Result<bool, Stop> {
    let after = state(p, READ).await?;
    let met = after == before;
    let observed = format!("{READ} is {after}; the device said: {words}");
    p.check(name, format!("not done: {READ} is {before}"), observed, met);
    Ok(met)
}

/// Asks for the action; the request's name, where the device gives one.
async fn ask(p: &Procedure<'_>, account: &str, value: &str) -> Result<Option<String>, Stop> {
    let values = Values::from([("value".to_owned(), value.to_owned())]);
    let mut session = p.login(account).await?;
    let attempt = session.perform(REQUEST, &values).await;
    session.close().await;
    let attempt = attempt?;
    if !attempt.is_done() {
        let said = slcert_reports::excerpt(&attempt.answer().text, 200);
        return Err(Stop::inconclusive(format!(
            "`{account}` cannot ask for the action: {said}"
        )));
    }
    Ok(attempt.answer().value.clone())
}

/// Approves a request; what the device said.
async fn approve(
    p: &Procedure<'_>,
    account: &str,
    request: &Option<String>,
) -> Result<String, Stop> {
    let request = request.clone().unwrap_or_default();
    let values = Values::from([("request".to_owned(), request)]);
    let mut session = p.login(account).await?;
    let attempt = session.perform(APPROVE, &values).await;
    session.close().await;
    Ok(attempt?.answer().text.clone())
}
