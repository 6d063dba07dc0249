//! CR 1.10: authenticator feedback.

use slcert_rigs::Secret;
use slcert_rigs::bench::{Entry, Who};
use slcert_rigs::line::{Direction, find};
use slcert_rigs::rig::InterfaceKind;

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::dc::cr_4_1::bytes_of;
use crate::fresh;
use crate::password::account_with_password;
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "echo",
        title: "a secret is not shown while it is typed",
        requirements: &["CR 1.10"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::CONSOLE),
        needs: &[],
        objective: "Find out whether the console shows a password while it is typed.",
        criterion: "No four characters in a row of the password come back on the line.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(echo(p)) },
    },
    Case {
        id: "same-refusal",
        title: "a refusal does not tell which part was wrong",
        requirements: &["CR 1.10"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::PASSWORD),
        needs: &[],
        objective: "Find out whether the device tells an unknown user from a wrong password.",
        criterion: "The answers to an unknown user and to a wrong password are the same text, apart from the user name itself.",
        svv: Svv::Vulnerability,
        body: |p| -> Run<'_> { Box::pin(same_refusal(p)) },
    },
];

/// How many characters of a secret in a row are no chance.
const TELLING: usize = 4;

async fn echo(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let name = account_with_password(p)?;
    let user = p.bench().user(name).to_owned();
    // A password of the test's own, so that the real one need not be looked for in what is kept.
    let typed = fresh::strong_password();
    let mark = p.bench().recorder().mark();
    let wrong = Secret::new(typed.clone());
    let entry = p
        .enter(&Who::Password {
            user: &user,
            password: &wrong,
        })
        .await?;
    if let Entry::In(session) = entry {
        session.close().await;
        return Err(Stop::inconclusive(
            "a wrong password was let in: see CR 1.1",
        ));
    }
    let events = p.bench().recorder().since(mark)?;
    let received = bytes_of(&events, p.name(), Direction::Received);
    let shown = typed
        .as_bytes()
        .windows(TELLING)
        .any(|part| find(&received, part).is_some());
    let observed = if shown {
        "parts of the password came back"
    } else {
        "nothing of it came back"
    };
    p.check("the typed password", "not shown", observed, !shown);
    // A success resets what the failure has counted.
    p.login(name).await?.close().await;
    Ok(())
}

async fn same_refusal(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let name = account_with_password(p)?;
    let user = p.bench().user(name).to_owned();
    let unknown: String = format!("x{}", fresh::tag())
        .chars()
        .take(user.len().max(3))
        .collect();
    let wrong = refusal(p, &user).await?;
    let nobody = refusal(p, &unknown).await?;
    p.login(name).await?.close().await;
    let same = wrong.0 == nobody.0;
    p.check(
        "an unknown user, beside a wrong password",
        format!(
            "the same answer: {}",
            slcert_reports::excerpt(&wrong.0, 120)
        ),
        &nobody.0,
        same,
    );
    p.check(
        "the time of both answers (for information; a difference alone is no proof)",
        "recorded",
        format!(
            "{} ms for a wrong password, {} ms for an unknown user",
            wrong.1, nobody.1
        ),
        true,
    );
    Ok(())
}

/// The text of a refusal with the user's name taken out, and how long it took in milliseconds.
async fn refusal(p: &Procedure<'_>, user: &str) -> Result<(String, u128), Stop> {
    let password = Secret::new(fresh::strong_password());
    let began = std::time::Instant::now();
    match p
        .enter(&Who::Password {
            user,
            password: &password,
        })
        .await?
    {
        Entry::In(session) => {
            session.close().await;
            Err(Stop::inconclusive(
                "a wrong password was let in: see CR 1.1",
            ))
        }
        Entry::Refused(answer) => {
            let text = answer.text.replace(user, "<user>");
            // A console that talks on its own, and the banner, are not part of the answer.
            let text = match p.interface()?.kind {
                InterfaceKind::Console => verdict_lines(p, &text)?,
                _ => text,
            };
            Ok((text, began.elapsed().as_millis()))
        }
    }
}

/// What the console said to the password.
fn verdict_lines(p: &Procedure<'_>, text: &str) -> Result<String, Stop> {
    let manner = p.interface()?.console.as_ref();
    let Some(manner) = manner else {
        return Ok(text.to_owned());
    };
    let at = manner.login_refused.find(text);
    Ok(match at {
        Some(found) => {
            let start = text[..found.start()].rfind('\n').map_or(0, |at| at + 1);
            let end = text[found.end()..]
                .find('\n')
                .map_or(text.len(), |at| found.end() + at);
            text[start..end].trim().to_owned()
        }
        None => text.trim().to_owned(),
    })
}
