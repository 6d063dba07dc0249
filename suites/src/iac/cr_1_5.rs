//! CR 1.5: authenticator management.

use slcert_rigs::Secret;
use slcert_rigs::bench::{Entry, Who};
use slcert_rigs::rig::Values;

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::fresh;
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "change-password",
    title: "a password can be changed, and the old one is dead",
    requirements: &["CR 1.5"],
    kind: Kind::Conformance,
    scope: Scope::Each(Fits::PASSWORD),
    needs: &["change_own_password"],
    objective: "Find out whether an account can change its password, and whether the old one still opens a session.",
    criterion: "After the change the new password opens a session and the old one does not; a change without the right old password \
                is refused; the original password can be set again.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(change_password(p)) },
}];

async fn change_password(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let account = p.who_may("change_own_password")?;
    let original = p.bench().password(account)?;
    let new = Secret::new(fresh::strong_password());
    let wrong = Secret::new(fresh::strong_password());

    let said = change(p, account, &original, &wrong, &new).await?;
    let works = opens(p, account, &new).await?;
    p.check(
        "a change with a wrong old password",
        "refused, and without effect",
        said,
        !works,
    );
    if works {
        change(p, account, &new, &new, &original).await?;
    }

    let said = change(p, account, &original, &original, &new).await?;
    if !opens(p, account, &new).await? {
        if !opens(p, account, &original).await? {
            return Err(Stop::inconclusive(format!(
                "neither the old nor the new password of `{account}` opens a session any more"
            )));
        }
        p.check("a change with the right old password", "done", said, false);
        return Ok(());
    }
    p.check("a change with the right old password", "done", said, true);
    let old = opens(p, account, &original).await?;
    let observed = if old { "opens a session" } else { "refused" };
    p.check("the old password", "refused", observed, !old);
    change(p, account, &new, &new, &original).await?;
    if !opens(p, account, &original).await? {
        return Err(Stop::inconclusive(format!(
            "the original password of `{account}` could not be set again: set it by hand before the next run"
        )));
    }
    Ok(())
}

/// Logs in, and changes the password; what the device said.
async fn change(
    p: &Procedure<'_>,
    account: &str,
    now: &Secret,
    old: &Secret,
    new: &Secret,
) -> Result<String, Stop> {
    let user = p.bench().user(account).to_owned();
    let mut session = match p
        .enter(&Who::Password {
            user: &user,
            password: now,
        })
        .await?
    {
        Entry::In(session) => session,
        Entry::Refused(answer) => {
            return Err(Stop::inconclusive(format!(
                "`{account}` is not let in: {}",
                answer.text
            )));
        }
    };
    let values = Values::from([
        ("old_password".to_owned(), old.reveal().to_owned()),
        ("new_password".to_owned(), new.reveal().to_owned()),
    ]);
    let attempt = session.perform("change_own_password", &values).await;
    session.close().await;
    Ok(attempt?.answer().text.clone())
}

/// Whether a password opens a session.
pub async fn opens(p: &Procedure<'_>, account: &str, password: &Secret) -> Result<bool, Stop> {
    let user = p.bench().user(account).to_owned();
    Ok(
        match p
            .enter(&Who::Password {
                user: &user,
                password,
            })
            .await?
        {
            Entry::In(session) => {
                session.close().await;
                true
            }
            Entry::Refused(_) => false,
        },
    )
}
