//! What an administrator does to the device for a test, and undoes.

use slcert_rigs::Attempt;
use slcert_rigs::bench::Session;
use slcert_rigs::rig::Values;

use crate::procedure::{Procedure, Stop};

/// That each of these operations can be performed somewhere.
///
/// # Errors
/// NOT EVALUATED names the first that cannot.
pub fn needs(p: &Procedure<'_>, operations: &[&str]) -> Result<(), Stop> {
    operations
        .iter()
        .try_for_each(|operation| p.anywhere(operation).map(|_| ()))
}

/// Performs operations one after the other as whoever may, with one login for as long as it is the same account.
///
/// # Errors
/// Nobody may, or the device did not do one of them.
pub async fn administer(p: &Procedure<'_>, deeds: &[(&str, Values)]) -> Result<(), Stop> {
    for ((operation, _), attempt) in deeds.iter().zip(attempts(p, deeds, true).await?) {
        if !attempt.is_done() {
            let said = slcert_reports::excerpt(&attempt.answer().text, 200);
            return Err(Stop::inconclusive(format!(
                "`{operation}` was not done: {said}"
            )));
        }
    }
    Ok(())
}

/// The same with whatever the device says to each.
///
/// # Errors
/// Nobody may, or the bench could not ask.
pub async fn ask_all(p: &Procedure<'_>, deeds: &[(&str, Values)]) -> Result<Vec<Attempt>, Stop> {
    attempts(p, deeds, false).await
}

/// The same for one operation; whatever the device says to it.
///
/// # Errors
/// Nobody may, or the bench could not ask.
pub async fn ask(p: &Procedure<'_>, operation: &str, values: &Values) -> Result<Attempt, Stop> {
    let (interface, account) = p.anywhere(operation)?;
    let mut session = p.bench().login(interface, account).await?;
    let attempt = session.perform(operation, values).await;
    session.close().await;
    Ok(attempt?)
}

/// Sets something of the device for the test, where an operation for it is bound; whether the device took the value.
///
/// # Errors
/// The bench could not ask.
pub async fn try_set(p: &Procedure<'_>, operation: &str, values: &Values) -> Result<bool, Stop> {
    if p.anywhere(operation).is_err() {
        return Ok(false);
    }
    Ok(ask(p, operation, values).await?.is_done())
}

/// Puts everything back, also where one of it fails.
///
/// # Errors
/// The first that could not be put back.
pub async fn put_back(p: &Procedure<'_>, deeds: &[(&str, Values)]) -> Result<(), Stop> {
    let mut first = Ok(());
    for deed in deeds {
        let done = administer(p, std::slice::from_ref(deed)).await;
        first = first.and(done.map_err(|stop| {
            let why = stop.reason;
            Stop::inconclusive(format!("not everything could be put back as it was: {why}"))
        }));
    }
    first
}

/// The values of an operation that takes a number.
pub fn number(value: impl std::fmt::Display) -> Values {
    Values::from([("value".to_owned(), value.to_string())])
}

/// What the device said to each, up to the first that was not done where that is the end of it.
async fn attempts(
    p: &Procedure<'_>,
    deeds: &[(&str, Values)],
    all_or_none: bool,
) -> Result<Vec<Attempt>, Stop> {
    let mut said = Vec::new();
    let mut desk: Option<((&str, &str), Session)> = None;
    for (operation, values) in deeds {
        let place = p.anywhere(operation)?;
        let mut session = match desk.take() {
            Some((at, session)) if at == place => session,
            other => {
                if let Some((_, session)) = other {
                    session.close().await;
                }
                p.bench().login(place.0, place.1).await?
            }
        };
        let attempt = session.perform(operation, values).await;
        match &attempt {
            Ok(attempt) if attempt.is_done() || !all_or_none => desk = Some((place, session)),
            _ => session.close().await,
        }
        said.push(attempt?);
        if desk.is_none() {
            break;
        }
    }
    if let Some((_, session)) = desk {
        session.close().await;
    }
    Ok(said)
}
