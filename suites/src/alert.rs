//! Listening to what the device tells by itself.

use std::time::Duration;

use slcert_rigs::bench::Who;
use slcert_rigs::mqtt;
use slcert_rigs::rig::{Binding, MqttBinding};
use tokio::time::Instant;

use crate::fresh;
use crate::procedure::{Procedure, Stop};

/// Somebody who listens to the device's alerts.
pub struct Ear {
    client: mqtt::Session,
}

/// How long a subscription may take.
const SUBSCRIBE: Duration = Duration::from_secs(2);
/// How long old alerts, which a broker may keep, are waited for.
const OLD: Duration = Duration::from_millis(60);

impl Ear {
    /// Begins to listen, with an account other than `not`.
    ///
    /// # Errors
    /// NOT EVALUATED where nobody can; the bench could not.
    pub async fn open(p: &Procedure<'_>, not: Option<&str>) -> Result<Self, Stop> {
        let rig = p.rig();
        for name in rig.interfaces.keys().map(|name| name.as_str()) {
            let Some(Binding::Mqtt(MqttBinding::Subscribe { topic, .. })) =
                rig.binding("alerts", name)
            else {
                continue;
            };
            let account = rig
                .accounts_on(name)
                .map(|(account, _)| account.as_str())
                .find(|account| rig.may(account, "alerts") && Some(*account) != not);
            let Some(account) = account else {
                continue;
            };
            let topic = p.bench().fill(topic)?;
            let id = format!("slcert-{}", fresh::tag());
            let who = Who::Account(account);
            let client = p.bench().mqtt_client(name, &who, &id, true).await?;
            let mut client = client.map_err(|answer| {
                Stop::inconclusive(format!(
                    "`{account}` is refused on `{name}`: {}",
                    answer.text
                ))
            })?;
            client.subscribe(&topic, SUBSCRIBE).await.map_err(|error| {
                Stop::inconclusive(format!(
                    "`{account}` may not subscribe to `{topic}`: {error}"
                ))
            })?;
            while client.next_message(OLD).await.is_some() {}
            return Ok(Self { client });
        }
        Err(Stop::not_evaluated(
            "operation `alerts` is bound as a subscription on no interface of this rig, for an account that may perform it",
        ))
    }

    /// Listens until an alert is as wanted, at most for `limit`; what was heard, and whether the last of it is wanted.
    ///
    /// # Errors
    /// The connection ended: nothing more could be heard.
    pub async fn hear(
        &mut self,
        limit: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(bool, Vec<String>), Stop> {
        let deadline = Instant::now() + limit;
        let mut heard = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(message) = self.client.next_message(left).await else {
                break;
            };
            let text = String::from_utf8_lossy(&message.payload).into_owned();
            let found = wanted(&text);
            heard.push(text);
            if found {
                return Ok((true, heard));
            }
        }
        match self.client.ended(Duration::ZERO).await {
            Some(error) => Err(Stop::inconclusive(format!(
                "the listener's connection ended: {error}"
            ))),
            None => Ok((false, heard)),
        }
    }

    /// Ends the listening.
    pub async fn close(self) {
        self.client.disconnect().await;
    }
}

/// What was heard, for a report.
pub fn words(heard: &[String]) -> String {
    if heard.is_empty() {
        "no alert".to_owned()
    } else {
        heard.join("\n")
    }
}
