//! Sessions at an MQTT broker.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::error::BenchError;
use super::seal::Sealer;
use super::session::{Kind, Session, judge};
use super::{ANSWER, Bench, CONNECT, Entry, Who};
use crate::attempt::{Answer, Attempt};
use crate::line::{Line, LineError};
use crate::mqtt::wire::Version;
use crate::mqtt::{MqttError, MqttSettings, Raw, Session as Client};
use crate::rig::{Binding, MqttBinding, Values};

/// A session at an MQTT broker.
pub struct MqttSession {
    interface: String,
    bindings: Vec<(String, MqttBinding)>,
    client: Client,
    pub(super) client_id: String,
    values: Values,
    sealer: Sealer,
    version: Version,
    pub(super) over: bool,
}

/// The end of client ids and tags: no two of a run are alike.
static NEXT: AtomicU32 = AtomicU32::new(1);

fn fresh(prefix: &str) -> String {
    format!(
        "{prefix}-{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

pub(super) async fn enter(
    bench: &Bench,
    interface: &str,
    who: &Who<'_>,
    clean: bool,
) -> Result<Entry, BenchError> {
    let client_id = fresh("slcert");
    let client = match bench.mqtt_client(interface, who, &client_id, clean).await? {
        Ok(client) => client,
        Err(refused) => return Ok(Entry::Refused(refused)),
    };
    let bindings = bench
        .rig()
        .operations
        .keys()
        .filter_map(
            |name| match bench.rig().binding(name.as_str(), interface)? {
                Binding::Mqtt(binding) => Some((name.as_str().to_owned(), binding.clone())),
                _ => None,
            },
        )
        .collect();
    let mut values = bench.values();
    if let Who::Account(account) = who {
        values.insert("user".to_owned(), bench.user(account).to_owned());
    }
    Ok(Entry::In(Session {
        kind: Kind::Mqtt(Box::new(MqttSession {
            interface: interface.to_owned(),
            bindings,
            client,
            client_id,
            values,
            sealer: bench.sealer(),
            version: version(bench, interface)?,
            over: false,
        })),
    }))
}

fn version(bench: &Bench, interface: &str) -> Result<Version, BenchError> {
    Ok(bench.interface(interface)?.version.into())
}

impl Bench {
    /// A client of the broker with a client id of its own. The inner error is the broker's refusal.
    ///
    /// # Errors
    /// The bench could not try.
    pub async fn mqtt_client(
        &self,
        interface: &str,
        who: &Who<'_>,
        client_id: &str,
        clean: bool,
    ) -> Result<Result<Client, Answer>, BenchError> {
        let mut settings = MqttSettings::new(version(self, interface)?, client_id);
        settings.clean = clean;
        let mut identity = None;
        if let Some(given) = self.given(who).await?
            && let Some(password) = given.password
        {
            let mut values = self.values();
            values.insert("password".to_owned(), password.reveal().to_owned());
            values.insert("otp".to_owned(), given.code);
            let sent = self.interface(interface)?.password.fill(&values)?;
            settings = settings.with_login(&given.user, &sent);
        }
        match who {
            Who::Account(account) => {
                let described = self.rig().accounts.get(*account);
                if described.is_some_and(|it| it.certificate.is_some()) {
                    identity = Some(self.identity(interface, account)?);
                }
            }
            Who::Certificate(shown) => identity = Some((*shown).clone()),
            _ => {}
        }
        settings.clean = clean;
        let line = match self.open(interface, identity).await {
            Ok(line) => line,
            Err(BenchError::Line {
                source: LineError::PeerAlert { alert, .. },
                ..
            }) => return Ok(Err(Answer::of(alert))),
            Err(other) => return Err(other),
        };
        match Client::open(settings, line, CONNECT).await {
            Ok(client) => Ok(Ok(client)),
            Err(
                error @ (MqttError::Refused { .. } | MqttError::Closed(_) | MqttError::Alert(_)),
            ) => Ok(Err(Answer::of(error.to_string()))),
            Err(source) => Err(BenchError::Mqtt {
                interface: interface.to_owned(),
                source,
            }),
        }
    }

    /// A line to the broker on which anything can be sent.
    ///
    /// # Errors
    /// The line cannot be opened.
    pub async fn raw_mqtt(&self, interface: &str) -> Result<Raw<Line>, BenchError> {
        Ok(Raw::new(self.open(interface, None).await?))
    }
}

impl MqttSession {
    pub(super) async fn close(self: Box<Self>) {
        self.client.disconnect().await;
    }

    pub(super) async fn ended(&mut self, limit: Duration) -> Result<Option<String>, BenchError> {
        let ended = self.client.ended(limit).await;
        self.over |= ended.is_some();
        Ok(ended.map(|error| error.to_string()))
    }

    pub(super) async fn perform(
        &mut self,
        operation: &str,
        values: &Values,
    ) -> Result<Attempt, BenchError> {
        let binding = self
            .bindings
            .iter()
            .find(|(name, _)| name == operation)
            .map(|(_, binding)| binding.clone());
        let binding = binding.ok_or_else(|| {
            BenchError::Rig(format!(
                "operation `{operation}` is not bound on `{}`",
                self.interface
            ))
        })?;
        let mut all = self.values.clone();
        all.insert("tag".to_owned(), fresh("t"));
        all.extend(values.clone());
        match binding {
            MqttBinding::Subscribe { topic, meaning } => {
                let topic = topic.fill(&all)?;
                match self.client.subscribe(&topic, ANSWER).await {
                    Ok(_) => {}
                    Err(error) => return self.refused(error),
                }
                let deadline = tokio::time::Instant::now() + ANSWER;
                loop {
                    let left = deadline.saturating_duration_since(tokio::time::Instant::now());
                    let Some(message) = self.client.next_message(left).await else {
                        let words = format!(
                            "subscribed to `{topic}`, and nothing came within {} s",
                            ANSWER.as_secs()
                        );
                        return Ok(Attempt::Unclear(Answer::of(words)));
                    };
                    if message.topic == topic || topic.contains(['+', '#']) {
                        return Ok(judge(
                            &String::from_utf8_lossy(&message.payload),
                            &meaning,
                            None,
                            &all,
                        )?);
                    }
                }
            }
            MqttBinding::Publish {
                topic,
                payload,
                reply,
                retain,
                seal,
                meaning,
            } => {
                if let Some(seal) = &seal {
                    all = self.sealer.complete(seal, all)?;
                }
                let (topic, payload) = (topic.fill(&all)?, payload.fill(&all)?);
                let reply = reply.map(|reply| reply.fill(&all)).transpose()?;
                if let Some(reply) = reply {
                    let ours = [&meaning.ok, &meaning.refused]
                        .into_iter()
                        .flatten()
                        .map(|pattern| pattern.with(&all))
                        .collect::<Result<Vec<_>, _>>()?;
                    let is_answer = |message: &crate::mqtt::Message| {
                        let text = String::from_utf8_lossy(&message.payload);
                        ours.is_empty() || ours.iter().any(|pattern| pattern.is_match(&text))
                    };
                    match self.client.subscribe(&reply, ANSWER).await {
                        Ok(_) => {
                            let asked = self
                                .client
                                .request(&topic, payload.as_bytes(), &reply, is_answer, ANSWER)
                                .await;
                            return match asked {
                                Ok(message) => Ok(judge(
                                    &String::from_utf8_lossy(&message.payload),
                                    &meaning,
                                    None,
                                    &all,
                                )?),
                                Err(MqttError::TimedOut) => Ok(Attempt::Unclear(Answer::of(
                                    format!("published to `{topic}`, no answer on `{reply}`"),
                                ))),
                                Err(error) => self.refused(error),
                            };
                        }
                        // Who may not hear the answer may still ask: reading back tells what came of it.
                        Err(MqttError::Refused { .. }) => {}
                        Err(error) => return self.refused(error),
                    }
                }
                match self
                    .client
                    .publish(&topic, payload.as_bytes(), retain, ANSWER)
                    .await
                {
                    Ok(published) if self.version == Version::V5 => Ok(Attempt::Done(Answer::of(
                        format!("PUBACK with reason 0x{:02X}", published.reason),
                    ))),
                    // MQTT 3.1.1 section 3.3.5: a broker that does not let a client publish says nothing of it.
                    Ok(_) => Ok(Attempt::Unclear(Answer::of(
                        "PUBACK, which in MQTT 3.1.1 says nothing about rights",
                    ))),
                    Err(error) => self.refused(error),
                }
            }
        }
    }

    /// What an error says about an attempt.
    fn refused(&mut self, error: MqttError) -> Result<Attempt, BenchError> {
        let answer = Answer::of(error.to_string());
        match error {
            MqttError::Refused { .. } => Ok(Attempt::Refused(answer)),
            MqttError::Closed(_) | MqttError::Alert(_) => {
                self.over = true;
                Ok(Attempt::Refused(answer))
            }
            MqttError::TimedOut => Ok(Attempt::Unclear(answer)),
            // An answer that breaks the protocol is the device's own fault, and no word about what was asked.
            MqttError::Illegal { .. } => {
                self.over = true;
                Ok(Attempt::Unclear(answer))
            }
            source => Err(BenchError::Mqtt {
                interface: self.interface.clone(),
                source,
            }),
        }
    }
}
