//! CR 1.12: system use notification.

use slcert_rigs::rig::Values;

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::fresh;
use crate::procedure::{Procedure, Stop};
use crate::rights::by_whoever_may;

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "banner",
        title: "a notice is shown before login",
        requirements: &["CR 1.12"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits {
            users: &[slcert_rigs::rig::User::Human],
            ..Fits::CONSOLE
        }),
        needs: &[],
        objective: "Find out whether people see the notice before they authenticate.",
        criterion: "What the console shows before a login has the text that the rig file states.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(banner(p)) },
    },
    Case {
        id: "configurable",
        title: "the notice can be changed by who may, and by nobody else",
        requirements: &["CR 1.12"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits {
            users: &[slcert_rigs::rig::User::Human],
            ..Fits::CONSOLE
        }),
        needs: &["set_banner"],
        objective: "Find out whether a change of the notice has effect.",
        criterion: "A new text set by an authorised role is shown at the next login.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(configurable(p)) },
    },
];

async fn banner(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let pattern =
        p.rig().policy.banner.clone().ok_or_else(|| {
            Stop::not_evaluated("the rig file states no notice (`policy.banner`)")
        })?;
    let shown = shown(p).await?;
    let met = pattern.is_match(&shown);
    p.check(
        "the console before login",
        format!("shows `{}`", pattern.as_str()),
        &shown,
        met,
    );
    Ok(())
}

async fn configurable(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let before = shown(p).await?;
    let marker = format!("authorized use only {}", fresh::tag());
    by_whoever_may(
        p,
        "set_banner",
        &Values::from([("text".to_owned(), marker.clone())]),
    )
    .await?;
    let after = shown(p).await?;
    // The notice that stood there before: its first line that is no login.
    let original = before
        .lines()
        .map(str::trim)
        .find(|line| {
            p.rig()
                .policy
                .banner
                .as_ref()
                .is_some_and(|pattern| pattern.is_match(line))
        })
        .unwrap_or("Authorized use only.")
        .to_owned();
    by_whoever_may(
        p,
        "set_banner",
        &Values::from([("text".to_owned(), original)]),
    )
    .await?;
    p.check(
        "the console before login",
        format!("shows `{marker}`"),
        &after,
        after.contains(&marker),
    );
    Ok(())
}

/// What the console shows to somebody who comes to it after a session has ended.
async fn shown(p: &Procedure<'_>) -> Result<String, Stop> {
    // The end of a session is what makes a console greet the next one.
    if let Some((account, _)) = p.rig().accounts_on(p.name()).next() {
        let mut session = p.login(account.as_str()).await?;
        if let Some(console) = session.console() {
            let logout = console.manner().logout.clone();
            let said = console.say(&logout).await?;
            let rest = console
                .line()
                .until_quiet(
                    std::time::Duration::from_millis(150),
                    std::time::Duration::from_secs(2),
                )
                .await
                .unwrap_or_default();
            session.close().await;
            return Ok(format!("{}{rest}", said.text));
        }
    }
    let mut console = p.bench().console(p.name()).await?;
    let text = console.look().before.clone();
    console.log_out().await;
    Ok(text)
}
