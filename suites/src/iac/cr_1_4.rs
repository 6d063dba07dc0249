//! CR 1.4: identifier management.

use std::collections::BTreeSet;

use slcert_rigs::Secret;
use slcert_rigs::bench::Who;
use slcert_rigs::rig::{InterfaceKind, MqttVersion, Values};

use crate::account::{Made, one_of_each_kind};
use crate::administrator::{administer, ask, ask_all, needs};
use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::effect::{Actor, Effect, attempt};
use crate::fresh;
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "duplicate",
        title: "an identifier stands for one account only",
        requirements: &["CR 1.4"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits::PASSWORD),
        needs: &[],
        objective: "Find out what becomes of an account when one of the same identifier is created.",
        criterion: "The second one is refused; the first one's password is taken as before, the second one's is not, and the first one's role \
                    has gained nothing.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(duplicate(p)) },
    },
    Case {
        id: "listed",
        title: "the device's list of accounts is whole, and as declared",
        requirements: &["CR 1.4"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &[],
        objective: "Find out whether the device lists the identifiers of all accounts, and whether there are others than declared.",
        criterion: "Every identifier in the list is declared; every account that logs in is in the list; a new account is in the list, and a \
                    removed one is not.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(listed(p)) },
    },
];

async fn duplicate(p: &mut Procedure<'_>) -> Result<(), Stop> {
    needs(p, &["create_account", "delete_account"])?;
    let (made, more) = match pair(p) {
        Some((less, more, operation)) => (Made::like(p.name(), less), Some((more, operation))),
        None => (Made::on(p, p.name())?, None),
    };
    administer(p, &[made.deed(p, "create_account")]).await?;
    let tried = twice(p, &made, more).await;
    let removed = administer(p, &[made.deed(p, "delete_account")]).await;
    tried.and(removed)
}

/// Two accounts of the interface of which the second may do something that the first may not.
fn pair<'r>(p: &Procedure<'r>) -> Option<(&'r str, &'r str, &'r str)> {
    let rig = p.rig();
    let names: Vec<&str> = rig
        .accounts_on(p.name())
        .filter(|(_, account)| account.password.is_some())
        .map(|(name, _)| name.as_str())
        .collect();
    rig.operations.iter().find_map(|(operation, described)| {
        let operation = operation.as_str();
        let telling = described.changes_state() && rig.binding(operation, p.name()).is_some();
        let more = names.iter().find(|name| rig.may(name, operation))?;
        let less = names.iter().find(|name| !rig.may(name, operation))?;
        telling.then_some((*less, *more, operation))
    })
}

/// Whether this interface has no word for a refusal (MQTT 3.1.1), and the account can be used on another that has: there
/// its trial shows the same sooner.
fn told_elsewhere(p: &Procedure<'_>, account: &str) -> bool {
    let silent = |name: &str| {
        let interface = p.rig().interface(name);
        interface
            .is_some_and(|it| it.kind == InterfaceKind::Mqtt && it.version == MqttVersion::V311)
    };
    let interfaces = &p.rig().accounts[account].interfaces;
    silent(p.name()) && interfaces.iter().any(|name| !silent(name.as_str()))
}

async fn twice(
    p: &mut Procedure<'_>,
    made: &Made<'_>,
    more: Option<(&str, &str)>,
) -> Result<(), Stop> {
    made.control(p).await?.close().await;
    let second = Secret::new(fresh::strong_password());
    let like = more.map_or(made.like, |(more, _)| more);
    let values = made.values_as(p, like, &second);
    let said = ask(p, "create_account", &values).await?;
    let (interface, _) = p.anywhere("create_account")?;
    let words = &said.answer().text;
    let told = p
        .rig()
        .binding("create_account", interface)
        .and_then(|binding| binding.meaning())
        .is_some_and(|meaning| meaning.ok.is_some());

    let (first_taken, first_words) = made.opens(p, &made.password).await?;
    let (second_taken, second_words) = made.opens(p, &second).await?;
    let name = "an account of the same identifier";
    if said.is_done() && !told && first_taken && !second_taken {
        let why = format!("{words}; nothing came of it, and the binding has no pattern `ok`");
        p.cannot_tell(name, "refused", why);
    } else {
        p.check(name, "refused", words, !said.is_done());
    }
    p.check(
        "the first one's password",
        "taken as before",
        first_words,
        first_taken,
    );
    p.check(
        "the second one's password",
        "refused",
        second_words,
        !second_taken,
    );

    let Some((more, operation)) = more.filter(|(more, _)| !told_elsewhere(p, more)) else {
        return Ok(());
    };
    let mut control = Actor::new(Who::Account(more));
    let works = attempt(p, &mut control, operation).await;
    control.leave().await;
    if !matches!(works?, Effect::Happened(_)) {
        return Err(Stop::inconclusive(format!(
            "`{operation}` does not work for `{more}` either"
        )));
    }
    let mut like = Actor::new(Who::Account(made.like));
    let works = attempt(p, &mut like, operation).await;
    like.leave().await;
    if matches!(works?, Effect::Happened(_)) {
        return Err(Stop::inconclusive(format!(
            "`{operation}` works for `{}` as well, whose role the first one has: see CR 2.1",
            made.like
        )));
    }
    let password = if first_taken { &made.password } else { &second };
    let user = made.name.as_str();
    let mut actor = Actor::new(Who::Password { user, password });
    let effect = attempt(p, &mut actor, operation).await;
    actor.leave().await;
    let effect = effect?;
    p.check(
        format!("the first one, {operation}, which the second one's role may"),
        "refused",
        effect.words(),
        !matches!(effect, Effect::Happened(_)),
    );
    Ok(())
}

async fn listed(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let rig = p.rig();
    let before = list(p).await?;
    let declared: BTreeSet<&str> = rig
        .accounts
        .keys()
        .map(|name| p.bench().user(name.as_str()))
        .chain(rig.policy.identifiers.iter().map(String::as_str))
        .collect();
    let unknown: Vec<_> = before
        .iter()
        .filter(|name| !declared.contains(name.as_str()))
        .collect();
    p.check(
        "the identifiers that the device lists",
        "all of them are declared in the rig file",
        format!("{before:?}; not declared: {unknown:?}"),
        unknown.is_empty(),
    );

    let proven = new_accounts(p).await?;
    for (name, account) in &rig.accounts {
        let (name, user) = (name.as_str(), p.bench().user(name.as_str()));
        if account.password.is_none() || before.contains(user) {
            continue;
        }
        let Some(interface) = account.interfaces.first().map(|it| it.as_str()) else {
            continue;
        };
        let kind = rig.interface(interface).map(|it| it.kind);
        p.bench().login(interface, name).await?.close().await;
        // What the same list shows of a new account it has to show of this one.
        if proven
            .iter()
            .any(|at| rig.interface(at).map(|it| it.kind) == kind)
        {
            p.check(
                format!("{name}, which logs in on `{interface}`"),
                "in the list",
                "not in the list",
                false,
            );
        } else {
            return Err(Stop::not_evaluated(format!(
                "`{user}` logs in on `{interface}` and is not in the list: if the device keeps it elsewhere, bind `list_accounts` there as well"
            )));
        }
    }
    Ok(())
}

/// Creates an account for each kind of interface, looks for it in the list, and removes it; where they logged in.
async fn new_accounts<'r>(p: &mut Procedure<'r>) -> Result<Vec<&'r str>, Stop> {
    if needs(p, &["create_account", "delete_account"]).is_err() {
        return Ok(Vec::new());
    }
    let mut accounts = Vec::new();
    for interface in one_of_each_kind(p) {
        accounts.push(Made::on(p, interface)?);
    }
    let deeds = |p: &Procedure<'_>, operation| -> Vec<_> {
        accounts
            .iter()
            .map(|made| made.deed(p, operation))
            .collect()
    };
    let create = deeds(p, "create_account");
    let tried = async {
        administer(p, &create).await?;
        for made in &accounts {
            made.control(p).await?.close().await;
        }
        list(p).await
    };
    let during = tried.await;
    ask_all(p, &deeds(p, "delete_account")).await?;
    let (during, after) = (during?, list(p).await?);
    for made in &accounts {
        let place = |list: &BTreeSet<String>| {
            if list.contains(&made.name) {
                "in the list"
            } else {
                "not in the list"
            }
        };
        let kind = made.interface;
        let shown = during.contains(&made.name);
        p.check(
            format!("a new account of `{kind}`"),
            "in the list",
            place(&during),
            shown,
        );
        let gone = !after.contains(&made.name);
        p.check(
            format!("the account of `{kind}`, removed"),
            "not in the list",
            place(&after),
            gone,
        );
    }
    Ok(accounts.iter().map(|made| made.interface).collect())
}

/// All identifiers that the device lists, on every interface that can.
async fn list(p: &Procedure<'_>) -> Result<BTreeSet<String>, Stop> {
    let operation = "list_accounts";
    p.anywhere(operation)?;
    let rig = p.rig();
    let mut names = BTreeSet::new();
    for interface in rig.interfaces.keys().map(|name| name.as_str()) {
        let Some(account) = rig.who_may_str(operation, interface) else {
            continue;
        };
        let Some(binding) = rig.binding(operation, interface) else {
            continue;
        };
        let pattern = binding.meaning().and_then(|it| it.answer.as_ref()).ok_or_else(|| {
            Stop::not_evaluated(format!("the binding of `{operation}` on `{interface}` has no `answer` that finds each identifier"))
        })?;
        let pattern = pattern
            .with(&Values::new())
            .map_err(|error| Stop::not_evaluated(error.to_string()))?;
        let mut session = p.bench().login(interface, account).await?;
        let attempt = session.perform(operation, &Values::new()).await;
        session.close().await;
        let attempt = attempt?;
        let text = &attempt.answer().text;
        if !attempt.is_done() {
            let said = slcert_reports::excerpt(text, 200);
            return Err(Stop::inconclusive(format!(
                "`{account}` could not list the accounts: {said}"
            )));
        }
        let found = pattern
            .captures_iter(text)
            .filter_map(|it| it.get(1).or_else(|| it.get(0)));
        names.extend(found.map(|it| it.as_str().to_owned()));
    }
    Ok(names)
}
