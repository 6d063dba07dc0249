//! How sessions are ended from elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use slcert_rigs::rig::Values;

use crate::administrator::ask_all;
use crate::procedure::{Procedure, Stop};

/// The open sessions of accounts, as the device names them.
pub type Listed = BTreeMap<String, BTreeSet<String>>;

/// The open sessions of accounts; none where the rig file binds no list.
///
/// # Errors
/// The bench could not ask.
pub async fn listed(
    p: &Procedure<'_>,
    accounts: impl IntoIterator<Item = &str>,
) -> Result<Option<Listed>, Stop> {
    let Ok((interface, lister)) = p.anywhere("list_sessions") else {
        return Ok(None);
    };
    let pattern = p
        .rig()
        .binding("list_sessions", interface)
        .and_then(|binding| binding.meaning()?.answer.as_ref())
        .ok_or_else(|| {
            Stop::not_evaluated(format!(
                "the binding of `list_sessions` on `{interface}` has no `answer` that finds a session"
            ))
        })?;
    let mut session = p.bench().login(interface, lister).await?;
    let mut listed = Listed::new();
    for account in accounts {
        let user = p.bench().user(account).to_owned();
        let values = Values::from([("name".to_owned(), user)]);
        let pattern = pattern
            .with(&values)
            .map_err(|error| Stop::not_evaluated(error.to_string()))?;
        let attempt = session.perform("list_sessions", &values).await?;
        let found = pattern.captures_iter(&attempt.answer().text);
        let names = found
            .filter_map(|it| it.get(1).or_else(|| it.get(0)))
            .map(|it| it.as_str().to_owned());
        listed.insert(account.to_owned(), names.collect());
    }
    session.close().await;
    Ok(Some(listed))
}

/// What ends the sessions that an account has opened between two lists.
///
/// # Errors
/// NOT EVALUATED where nobody can end them; INCONCLUSIVE where fewer are listed than were opened.
pub fn ends(
    p: &Procedure<'_>,
    account: &str,
    opened: usize,
    before: &Option<Listed>,
    after: &Option<Listed>,
) -> Result<Vec<(&'static str, Values)>, Stop> {
    let by_user = Values::from([("name".to_owned(), p.bench().user(account).to_owned())]);
    let (interface, _) = p.anywhere("end_session")?;
    let binding = p.rig().binding("end_session", interface);
    let by_name = binding.is_some_and(|it| it.placeholders().iter().any(|name| name == "session"));
    if !by_name {
        return Ok(vec![("end_session", by_user)]);
    }
    let (Some(before), Some(after)) = (before, after) else {
        return Err(Stop::not_evaluated(
            "`end_session` wants a `{session}`, and `list_sessions`, which would tell it, is bound on no interface of this rig",
        ));
    };
    let none = BTreeSet::new();
    let (old, all) = (
        before.get(account).unwrap_or(&none),
        after.get(account).unwrap_or(&none),
    );
    let new: Vec<_> = all.difference(old).collect();
    if new.len() < opened {
        return Err(Stop::inconclusive(format!(
            "the device lists {} new sessions of `{account}`, where {opened} were opened",
            new.len()
        )));
    }
    let end = |session: &&String| {
        let mut values = by_user.clone();
        values.insert("session".to_owned(), (*session).clone());
        ("end_session", values)
    };
    Ok(new.iter().map(end).collect())
}

/// Ends all sessions of an account, of which so many are open at least; whether the device has done all of it.
///
/// # Errors
/// As [`ends`].
pub async fn end_all(p: &Procedure<'_>, account: &str, open: usize) -> Result<bool, Stop> {
    let all = listed(p, [account]).await?;
    let deeds = ends(p, account, open, &Some(Listed::new()), &all)?;
    let attempts = ask_all(p, &deeds).await?;
    Ok(attempts.iter().all(slcert_rigs::Attempt::is_done))
}
