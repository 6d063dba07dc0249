//! CR 1.1: human user identification and authentication.

use slcert_rigs::bench::{Entry, Who};

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::effect::{Actor, Effect, attempt};
use crate::fresh;
use crate::password::{account_with_password, accounts_with_password};
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "before-login",
        title: "nothing protected works before login",
        requirements: &["CR 1.1"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::HUMAN),
        needs: &[],
        objective: "Find out whether any operation can be had without logging in.",
        criterion: "Every operation that the rig file does not declare as open fails without a login, by the device's answer and \
                    by reading back, and the same operation works for an account that may perform it.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(before_login(p)) },
    },
    Case {
        id: "wrong-credentials",
        title: "only the right password opens a session",
        requirements: &["CR 1.1"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits {
            identity: true,
            ..Fits::HUMAN
        }),
        needs: &[],
        objective: "Find out whether a session opens with anything but an account's own authenticator.",
        criterion: "An unknown user, a wrong password, an empty password and another account's password are refused, and the right \
                    password is taken.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(wrong_credentials(p)) },
    },
];

async fn before_login(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let rig = p.rig();
    let interface = p.interface()?;
    let mut tried = Vec::new();
    for name in rig.operations.keys() {
        let operation = name.as_str();
        if interface.is_open(operation) || !is_plain(p, operation) {
            continue;
        }
        let Some(account) = rig.who_may_str(operation, p.name()) else {
            continue;
        };
        let mut nobody = Actor::new(Who::Nobody);
        let effect = attempt(p, &mut nobody, operation).await?;
        nobody.leave().await;
        tried.push((account, operation, effect));
    }
    if tried.is_empty() {
        return Err(Stop::not_evaluated(format!(
            "no protected operation is bound on `{}` for an account that may perform it",
            p.name()
        )));
    }
    // Each account logs in once for all that it shows.
    tried.sort_by_key(|(account, ..)| *account);
    for by_one in tried.chunk_by(|one, next| one.0 == next.0) {
        controls(p, by_one).await?;
    }
    Ok(())
}

/// Shows that what nobody could do works for an account that may.
async fn controls(p: &mut Procedure<'_>, tried: &[(&str, &str, Effect)]) -> Result<(), Stop> {
    let Some((account, ..)) = tried.first() else {
        return Ok(());
    };
    let mut control = Actor::new(Who::Account(account));
    for (account, operation, effect) in tried {
        let works = attempt(p, &mut control, operation).await?;
        let name = format!("{operation} without login");
        match (&effect, &works) {
            (Effect::Happened(words), _) => p.check(name, "refused", words.as_str(), false),
            (_, Effect::Happened(_)) => p.check(name, "refused", effect.words(), true),
            (_, other) => p.cannot_tell(
                name,
                "refused",
                format!("it does not work for `{account}` either: {}", other.words()),
            ),
        }
    }
    control.leave().await;
    Ok(())
}

/// Operations that read, or that write a value which can be read back: they can be tried without doing harm.
fn is_plain(p: &Procedure<'_>, operation: &str) -> bool {
    let rig = p.rig();
    let writes = rig
        .operations
        .get(operation)
        .is_some_and(|it| it.changes_state());
    (writes && rig.binding(operation, p.name()).is_some()) || rig.only_reads(operation, p.name())
}

async fn wrong_credentials(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let account = account_with_password(p)?;
    let user = p.bench().user(account).to_owned();
    let right = p.bench().password(account)?;
    let nobody = format!("no{}", &fresh::tag()[..6]);
    let mut wrong = vec![
        ("an unknown user", nobody.as_str(), fresh::strong_password()),
        ("a wrong password", user.as_str(), fresh::strong_password()),
    ];
    if let Some(other) = accounts_with_password(p).get(1) {
        wrong.push((
            "another account's password",
            user.as_str(),
            p.bench().password(other)?.reveal().to_owned(),
        ));
    }
    // As many failures in a row as the device allows would lock the account.
    for (what, user, password) in wrong {
        let refused = enter(p, user, &password).await?;
        p.check(
            what,
            "refused",
            if refused { "refused" } else { "let in" },
            refused,
        );
        let back = enter(p, p.bench().user(account), right.reveal()).await?;
        if back {
            return Err(Stop::inconclusive(format!(
                "the right password of `{account}` is refused"
            )));
        }
    }
    let refused = enter(p, &user, "").await?;
    p.check(
        "an empty password",
        "refused",
        if refused { "refused" } else { "let in" },
        refused,
    );
    let refused = enter(p, &user, right.reveal()).await?;
    p.check(
        "the right password",
        "let in",
        if refused { "refused" } else { "let in" },
        !refused,
    );
    Ok(())
}

async fn enter(p: &Procedure<'_>, user: &str, password: &str) -> Result<bool, Stop> {
    let password = slcert_rigs::Secret::new(password);
    let who = Who::Password {
        user,
        password: &password,
    };
    Ok(match p.enter(&who).await? {
        Entry::In(session) => {
            session.close().await;
            false
        }
        Entry::Refused(_) => true,
    })
}
