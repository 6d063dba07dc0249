//! What an attempt really came to: by the device's words, and by reading the state back as somebody else.

use slcert_rigs::Attempt;
use slcert_rigs::bench::{Entry, Session, Who};
use slcert_rigs::rig::{Operation, Values};

use crate::fresh;
use crate::hands::{Hand, rank, ways};
use crate::procedure::{Procedure, Stop};

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It took effect.
    Happened(String),
    /// The device refused in so many words, and nothing changed.
    Refused(String),
    /// Nothing came of it, and the device did not say why: it counts only beside an attempt that works.
    Nothing(String),
}

impl Effect {
    /// The words for a report.
    pub fn words(&self) -> &str {
        match self {
            Self::Happened(words) | Self::Refused(words) | Self::Nothing(words) => words,
        }
    }
}

/// Somebody at the interface under test, with a session that is opened when it is needed.
pub struct Actor<'w> {
    /// Who it is.
    pub who: Who<'w>,
    session: Option<Session>,
}

impl<'w> Actor<'w> {
    /// Somebody without a session yet.
    pub fn new(who: Who<'w>) -> Self {
        Self { who, session: None }
    }

    /// Ends the session.
    pub async fn leave(&mut self) {
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }
}

/// How often a change that was not refused is looked for before it counts as not made.
const LOOKS: u32 = 6;
/// The time between two looks.
const BETWEEN: std::time::Duration = std::time::Duration::from_millis(80);

/// Attempts `operation` on the interface under test, and finds out what came of it.
///
/// # Errors
/// The bench could not try, or could not read back.
pub async fn attempt(
    p: &Procedure<'_>,
    actor: &mut Actor<'_>,
    operation: &str,
) -> Result<Effect, Stop> {
    attempt_with(p, actor, operation, None).await
}

/// The same with values for the placeholders of the operation's binding.
///
/// # Errors
/// The bench could not try, or could not read back.
pub async fn attempt_with(
    p: &Procedure<'_>,
    actor: &mut Actor<'_>,
    operation: &str,
    values: Option<Values>,
) -> Result<Effect, Stop> {
    let described = p.rig().operations.get(operation).ok_or_else(|| {
        Stop::not_evaluated(format!(
            "operation `{operation}` is bound on no interface of this rig"
        ))
    })?;
    match (&described.read_back, values) {
        (Some(read_back), None) => {
            let read_back = read_back.value.as_str();
            let before = read(p, actor, read_back).await?;
            let value = other_value(described, &before);
            let values = Values::from([("value".to_owned(), value.clone())]);
            let attempt = match perform(p, actor, operation, &values).await? {
                Ok(attempt) => attempt,
                Err(refused) => return Ok(Effect::Refused(refused)),
            };
            let looks = if attempt.is_refused() { 1 } else { LOOKS };
            let mut after = before.clone();
            for look in 0..looks {
                if look > 0 {
                    tokio::time::sleep(BETWEEN).await;
                }
                after = read(p, actor, read_back).await?;
                if after != before {
                    break;
                }
            }
            let said = &attempt.answer().text;
            Ok(if after == value {
                Effect::Happened(format!(
                    "{read_back} went from {before} to {value}; the device said: {said}"
                ))
            } else if after != before {
                // Something else moves this value: the read-back is no witness.
                return Err(Stop::inconclusive(format!(
                    "{read_back} went from {before} to {after}, where {value} was written: something else changes it"
                )));
            } else if attempt.is_refused() {
                Effect::Refused(format!(
                    "{read_back} stayed {before}; the device said: {said}"
                ))
            } else {
                Effect::Nothing(format!(
                    "{read_back} stayed {before}; the device said: {said}"
                ))
            })
        }
        (_, values) => {
            let attempt = perform(p, actor, operation, &values.unwrap_or_default()).await?;
            Ok(match attempt {
                Err(refused) => Effect::Refused(refused),
                Ok(Attempt::Done(answer)) => Effect::Happened(answer.text),
                Ok(Attempt::Refused(answer)) => Effect::Refused(answer.text),
                Ok(Attempt::Unclear(answer)) => Effect::Nothing(answer.text),
            })
        }
    }
}

/// Performs as the actor; the inner error is a refusal to let the actor in at all.
async fn perform(
    p: &Procedure<'_>,
    actor: &mut Actor<'_>,
    operation: &str,
    values: &Values,
) -> Result<Result<Attempt, String>, Stop> {
    if actor.session.is_none() {
        match p.enter(&actor.who).await? {
            Entry::In(session) => actor.session = Some(session),
            Entry::Refused(answer) => return Ok(Err(format!("not let in: {}", answer.text))),
        }
    }
    let Some(session) = actor.session.as_mut() else {
        return Err(Stop::inconclusive("the session was lost"));
    };
    let attempt = session.perform(operation, values).await?;
    if session.is_over() {
        actor.leave().await;
    }
    Ok(Ok(attempt))
}

/// Reads a value as a witness: on another interface where one can, and after the actor has left otherwise.
async fn read(p: &Procedure<'_>, actor: &mut Actor<'_>, operation: &str) -> Result<String, Stop> {
    let rig = p.rig();
    let here = p.name();
    let from = |hand: &Hand<'_>| u8::from(hand.interface() == Some(here)) * 4 + rank(rig, *hand);
    let all = ways(rig, operation).into_iter();
    let nearest = all.filter(|hand| *hand != Hand::Bench).min_by_key(from);
    let Some((name, who)) = nearest.and_then(Hand::comes) else {
        return Err(Stop::not_evaluated(format!(
            "operation `{operation}`, which would read back, is bound on no interface for anyone who may perform it"
        )));
    };
    if name == here && p.interface()?.kind.is_serial() {
        actor.leave().await;
    }
    let mut session = match p.bench().enter(name, &who).await? {
        Entry::In(session) => session,
        Entry::Refused(answer) => {
            return Err(Stop::inconclusive(format!(
                "the witness was not let in on `{name}`: {}",
                answer.text
            )));
        }
    };
    let answer = session.perform(operation, &Values::new()).await;
    session.close().await;
    match answer? {
        Attempt::Done(answer) => Ok(answer.value.unwrap_or(answer.text)),
        other => Err(Stop::inconclusive(format!(
            "the witness cannot read `{operation}` on `{name}`: {}",
            other.answer().text
        ))),
    }
}

/// Reads a value as whoever may.
///
/// # Errors
/// Nobody may, or the bench could not.
pub async fn state(p: &Procedure<'_>, operation: &str) -> Result<String, Stop> {
    read(p, &mut Actor::new(Who::Nobody), operation).await
}

/// A value in the operation's range that differs from the one now.
pub fn other_value(operation: &Operation, now: &str) -> String {
    let (from, to) = operation
        .values
        .map_or((0, 1), |range| (range.from, range.to));
    let width = u64::from(to - from) + 1;
    let value = u64::from(from) + fresh::below(width);
    let value = if value.to_string() == now {
        u64::from(from) + (value - u64::from(from) + 1) % width
    } else {
        value
    };
    value.to_string()
}
