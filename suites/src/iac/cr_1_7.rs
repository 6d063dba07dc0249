//! CR 1.7: strength of password-based authentication.

use slcert_rigs::rig::Values;

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::fresh;
use crate::password::Subject;
use crate::procedure::{Procedure, Stop};
use crate::rights::by_whoever_may;

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "weak-passwords",
        title: "weak passwords are not taken",
        requirements: &["CR 1.7"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::PASSWORD),
        needs: &[],
        objective: "Find out whether the device enforces the password rules that it states.",
        criterion: "A password that breaks one rule is refused and opens no session; one that keeps them all is taken.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(weak_passwords(p)) },
    },
    Case {
        id: "configurable",
        title: "the password rules can be set",
        requirements: &["CR 1.7"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::PASSWORD),
        needs: &[],
        objective: "Find out whether a change of the least length has effect.",
        criterion: "After the least length is raised by an authorised role, a password of the old least length is refused.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(configurable(p)) },
    },
];

async fn weak_passwords(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let rules = p.rig().policy.password.ok_or_else(|| {
        Stop::not_evaluated("the rig file states no rules for passwords (`policy.password`)")
    })?;
    let subject = Subject::find(p)?;
    for (weak, why) in fresh::weak_passwords(rules) {
        let taken = subject.takes(p, &weak).await?;
        p.check(
            why,
            "refused",
            if taken { "taken" } else { "refused" },
            !taken,
        );
    }
    let strong = fresh::strong_password();
    if subject.takes(p, &strong).await? {
        p.check("a password that keeps the rules", "taken", "taken", true);
    } else {
        p.cannot_tell(
            "a password that keeps the rules",
            "taken",
            "refused: then the refusals above say nothing",
        );
    }
    Ok(())
}

async fn configurable(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let rules = p.rig().policy.password.ok_or_else(|| {
        Stop::not_evaluated("the rig file states no rules for passwords (`policy.password`)")
    })?;
    p.anywhere("set_password_length")?;
    let subject = Subject::find(p)?;
    let long = fresh::strong_password();
    let length = |value: usize| Values::from([("value".to_owned(), value.to_string())]);
    if !subject.takes(p, &long).await? {
        return Err(Stop::inconclusive(
            "a strong password is refused under the rules as they stand",
        ));
    }
    by_whoever_may(p, "set_password_length", &length(long.len() + 4)).await?;
    let longer = fresh::strong_password();
    let taken = subject.takes(p, &longer).await;
    by_whoever_may(p, "set_password_length", &length(rules.length as usize)).await?;
    let taken = taken?;
    p.check(
        format!(
            "a password of {} characters, where {} are the least now",
            longer.len(),
            long.len() + 4
        ),
        "refused",
        if taken { "taken" } else { "refused" },
        !taken,
    );
    Ok(())
}
