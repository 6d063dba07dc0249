//! CR 1.5: authenticator management.

use slcert_rigs::Secret;

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::fresh;
use crate::password::{Subject, Way, opens};
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "change-password",
    title: "a password can be changed, and the old one is dead",
    requirements: &["CR 1.5"],
    kind: Kind::Conformance,
    scope: Scope::Each(Fits::PASSWORD),
    needs: &[],
    objective: "Find out whether an account's password can be changed, by itself or by an administrator, and whether the old one still \
                opens a session.",
    criterion: "After the change the new password opens a session and the old one does not; a change by the account itself without the \
                right old password is refused; the original password can be set again.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(change_password(p)) },
}];

async fn change_password(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let subject = Subject::find(p)?;
    let account = subject.account;
    let new = Secret::new(fresh::strong_password());

    if subject.way == Way::Own {
        let wrong = Secret::new(fresh::strong_password());
        let said = subject.change(p, &subject.original, &wrong, &new).await?;
        let works = opens(p, account, &new).await?;
        p.check(
            "a change with a wrong old password",
            "refused, and without effect",
            said,
            !works,
        );
        if works {
            subject.put_back(p, &new).await?;
        }
    }

    let said = subject
        .change(p, &subject.original, &subject.original, &new)
        .await?;
    let works = opens(p, account, &new).await?;
    if !works && !opens(p, account, &subject.original).await? {
        return Err(Stop::inconclusive(format!(
            "neither the old nor the new password of `{account}` opens a session any more"
        )));
    }
    let name = match subject.way {
        Way::Own => "a change with the right old password".to_owned(),
        Way::Set { interface, by } => format!("a change by {by} on `{interface}`"),
    };
    p.check(name, "done", said, works);
    if !works {
        return Ok(());
    }
    let old = opens(p, account, &subject.original).await?;
    let observed = if old { "opens a session" } else { "refused" };
    p.check("the old password", "refused", observed, !old);
    subject.put_back(p, &new).await
}
