//! A session at an interface, whatever it speaks.

use std::time::Duration;

use crate::attempt::{Answer, Attempt};
use crate::rig::{Meaning, NoValue, Values};

use super::console::ConsoleSession;
use super::error::BenchError;
use super::modbus::ModbusSession;
use super::mqtt::MqttSession;

/// A session at an interface.
pub struct Session {
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    Console(Box<ConsoleSession>),
    Modbus(Box<ModbusSession>),
    Mqtt(Box<MqttSession>),
}

impl Session {
    /// Asks the device to do something, with values for the placeholders of the operation's binding.
    ///
    /// # Errors
    /// The interface does not bind the operation, or the bench could not ask. A refusal is an [`Attempt`].
    pub async fn perform(
        &mut self,
        operation: &str,
        values: &Values,
    ) -> Result<Attempt, BenchError> {
        match &mut self.kind {
            Kind::Console(session) => session.perform(operation, values).await,
            Kind::Modbus(session) => session.perform(operation, values).await,
            Kind::Mqtt(session) => session.perform(operation, values).await,
        }
    }

    /// Whether the device has ended the session.
    pub fn is_over(&self) -> bool {
        match &self.kind {
            Kind::Console(session) => session.is_over(),
            Kind::Modbus(session) => session.over,
            Kind::Mqtt(session) => session.over,
        }
    }

    /// Waits, without a word, until the device ends the session; how it did, or none where it has not within `limit`.
    /// A console tells by its login or its lock.
    ///
    /// # Errors
    /// The line failed in a way that is no end.
    pub async fn ended(&mut self, limit: Duration) -> Result<Option<String>, BenchError> {
        match &mut self.kind {
            Kind::Console(session) => session.ended(limit).await,
            Kind::Modbus(session) => session.ended(limit).await,
            Kind::Mqtt(session) => session.ended(limit).await,
        }
    }

    /// Leaves the line without a word, as a client does that dies; a console is logged out, for whoever comes next.
    pub async fn abandon(self) {
        if let Kind::Console(session) = self.kind {
            session.close().await;
        }
    }

    /// Ends the session.
    pub async fn close(self) {
        match self.kind {
            Kind::Console(session) => session.close().await,
            Kind::Modbus(_) => {}
            Kind::Mqtt(session) => session.close().await,
        }
    }

    /// What an MQTT broker knows the session by.
    pub fn client_id(&self) -> Option<&str> {
        match &self.kind {
            Kind::Mqtt(session) => Some(&session.client_id),
            _ => None,
        }
    }

    /// The console session, where it is one.
    pub fn console(&mut self) -> Option<&mut ConsoleSession> {
        match &mut self.kind {
            Kind::Console(session) => Some(session),
            _ => None,
        }
    }
}

/// Judges an answer by the patterns of the rig file: the binding's own first, the interface's after them.
pub(super) fn judge(
    text: &str,
    meaning: &Meaning,
    interface_refused: Option<&regex::Regex>,
    values: &Values,
) -> Result<Attempt, NoValue> {
    let value = match &meaning.answer {
        Some(pattern) => pattern
            .with(values)?
            .captures(text)
            .and_then(|found| found.get(1).or_else(|| found.get(0)))
            .map(|found| found.as_str().to_owned()),
        None => None,
    };
    let answer = Answer {
        text: text.to_owned(),
        value,
    };
    if let Some(refused) = &meaning.refused
        && refused.with(values)?.is_match(text)
    {
        return Ok(Attempt::Refused(answer));
    }
    if interface_refused.is_some_and(|pattern| pattern.is_match(text)) {
        return Ok(Attempt::Refused(answer));
    }
    let done = match (&meaning.ok, &meaning.answer) {
        (Some(ok), _) => ok.with(values)?.is_match(text),
        (None, Some(_)) => answer.value.is_some(),
        // Without a pattern, any words that are no refusal are an answer.
        (None, None) => !text.trim().is_empty(),
    };
    Ok(if done {
        Attempt::Done(answer)
    } else {
        Attempt::Unclear(answer)
    })
}
