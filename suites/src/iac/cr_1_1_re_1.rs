//! CR 1.1 RE(1): unique identification and authentication of people.

use slcert_rigs::rig::Values;

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "unique-users",
    title: "the device tells its users apart",
    requirements: &["CR 1.1 RE(1)"],
    kind: Kind::Conformance,
    scope: Scope::Each(Fits {
        identity: true,
        ..Fits::HUMAN
    }),
    needs: &["whoami"],
    objective: "Find out whether the device knows each person by a name of their own, also two with the same role.",
    criterion: "Every account's session has the account's own identifier, and no two sessions have the same.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(unique_users(p)) },
}];

async fn unique_users(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let rig = p.rig();
    let accounts: Vec<_> = rig
        .accounts_on(p.name())
        .map(|(name, _)| name.as_str())
        .filter(|name| rig.may(name, "whoami"))
        .collect();
    if accounts.len() < 2 {
        return Err(Stop::not_evaluated(format!(
            "two accounts on `{}` that may perform `whoami` are needed",
            p.name()
        )));
    }
    let mut seen: Vec<(String, &str)> = Vec::new();
    for account in accounts {
        let mut session = p.login(account).await?;
        let attempt = session.perform("whoami", &Values::new()).await;
        session.close().await;
        let attempt = attempt?;
        let answer = attempt.answer();
        let identity = answer
            .value
            .clone()
            .unwrap_or_else(|| answer.text.trim().to_owned());
        let user = p.bench().user(account);
        p.check(
            format!("{account}'s session"),
            format!("identified as `{user}`"),
            &answer.text,
            identity == user,
        );
        if let Some((_, other)) = seen.iter().find(|(known, _)| *known == identity) {
            p.check(
                format!("{account} and {other}"),
                "told apart",
                format!("both are {identity}"),
                false,
            );
        }
        seen.push((identity, account));
    }
    Ok(())
}
