//! Messages that are sealed with a key that the device shares with a peer, and what comes of them.

use std::time::Duration;

use slcert_rigs::bench::{Entry, Sealer, Session, Who};
use slcert_rigs::rig::{Binding, Form, MqttBinding, Name, Operation, Seal, SharedKey, Values};
use slcert_rigs::{Attempt, Secret};
use tokio::time::sleep;

use crate::effect::other_value;
use crate::fresh;
use crate::hands::{Desk, Hand, hands};
use crate::procedure::{Procedure, Stop};

/// How often a change is looked for before it counts as not made.
const LOOKS: u32 = 4;
/// The same where the device has refused in words.
const LOOKS_AFTER_REFUSAL: u32 = 2;
/// The time between two looks.
const BETWEEN: Duration = Duration::from_millis(80);

/// Sees that something is sealed with every key.
///
/// # Errors
/// NOT EVALUATED for keys with which nothing is.
pub fn all_sealed(without: &[&str]) -> Result<(), Stop> {
    if without.is_empty() {
        return Ok(());
    }
    Err(Stop::not_evaluated(format!(
        "no operation that changes something is sealed with {}: these keys were not tried",
        without.join(", ")
    )))
}

/// What is sealed with each key, and the keys with which nothing is.
///
/// # Errors
/// NOT EVALUATED where the rig file names no keys, or nothing that is sealed; NOT APPLICABLE where it says that there are none.
pub fn senders<'r>(p: &Procedure<'r>) -> Result<(Vec<Sender<'r>>, Vec<&'r str>), Stop> {
    let rig = p.rig();
    if rig.keys.is_empty() {
        return Err(match p.declared_absent() {
            Some(why) => Stop::not_applicable(format!(
                "declared absent: {why}; and the rig file names no shared key"
            )),
            None => Stop::not_evaluated("the rig file names no key that the device shares (`key`)"),
        });
    }
    let sealer = p.bench().sealer();
    let mut senders = Vec::new();
    let mut without = Vec::new();
    for (name, described) in &rig.keys {
        match Sender::of(p, name, described, &sealer) {
            Some(sender) => senders.push(sender),
            None => without.push(name.as_str()),
        }
    }
    if senders.is_empty() {
        return Err(all_sealed(&without).err().unwrap_or_else(|| {
            Stop::not_evaluated("the rig file names no key that the device shares (`key`)")
        }));
    }
    Ok((senders, without))
}

/// Who seals messages with a key, and sends them.
pub struct Sender<'r> {
    /// The name of the key in the rig file.
    pub name: &'r str,
    /// The key, as the rig file describes it.
    pub described: &'r SharedKey,
    /// Who reads back what a message has set.
    pub desk: Desk<'r>,
    read_back: &'r str,
    sealer: Sealer,
    session: Option<Session>,
    hand: Hand<'r>,
    operation: &'r str,
    what: &'r Operation,
    seal: &'r Seal,
}

/// A message, and the value that it sets.
#[derive(Clone)]
pub struct Message {
    values: Values,
    /// The value.
    pub value: String,
}

impl Message {
    /// The same with another seal.
    #[must_use]
    pub fn with(&self, seal: impl Into<String>) -> Self {
        let mut message = self.clone();
        message.values.insert("seal".to_owned(), seal.into());
        message
    }

    /// Its seal.
    pub fn seal(&self) -> &str {
        self.values.get("seal").map_or("", String::as_str)
    }
}

impl<'r> Sender<'r> {
    fn of(
        p: &Procedure<'r>,
        name: &'r Name,
        described: &'r SharedKey,
        sealer: &Sealer,
    ) -> Option<Self> {
        let rig = p.rig();
        rig.operations.iter().find_map(|(operation, what)| {
            let read_back = what.read_back.as_ref()?;
            let found = hands(p, operation.as_str()).ok()?;
            let (hand, seal) = found.into_iter().find_map(|hand| {
                match rig.binding(operation.as_str(), hand.interface()?)? {
                    Binding::Mqtt(MqttBinding::Publish {
                        seal: Some(seal), ..
                    }) if seal.key.value == *name => Some((hand, seal)),
                    _ => None,
                }
            })?;
            Some(Self {
                name: name.as_str(),
                described,
                desk: Desk::default(),
                sealer: sealer.clone(),
                session: None,
                hand,
                operation: operation.as_str(),
                what,
                read_back: read_back.value.as_str(),
                seal,
            })
        })
    }

    /// The key.
    ///
    /// # Errors
    /// It cannot be had.
    pub fn key(&self) -> Result<&Secret, Stop> {
        Ok(self.sealer.key(self.name)?)
    }

    /// A new message that would change something, sealed with the key or with another in its place.
    ///
    /// # Errors
    /// The value cannot be read, or nothing can be sealed.
    pub async fn message(
        &mut self,
        p: &Procedure<'r>,
        other: Option<&Secret>,
    ) -> Result<Message, Stop> {
        let before = self.now(p).await?;
        let value = other_value(self.what, &before);
        let mut values = p.bench().values();
        values.insert("value".to_owned(), value.clone());
        values.insert("tag".to_owned(), fresh::tag());
        if let Hand::Account { account, .. } = self.hand {
            values.insert("user".to_owned(), p.bench().user(account).to_owned());
        }
        let mut values = self.sealer.complete(self.seal, values)?;
        if other.is_some() {
            let seal = self.sealer.seal(self.seal, other, &values)?;
            values.insert("seal".to_owned(), seal);
        }
        Ok(Message { values, value })
    }

    /// The value now.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn now(&mut self, p: &Procedure<'r>) -> Result<String, Stop> {
        self.desk.read(p, self.read_back).await
    }

    /// Ends the sessions.
    pub async fn leave(&mut self) {
        self.desk.close().await;
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }

    /// The session that the messages are sent in: one for all, where the device leaves it open.
    async fn session(&mut self, p: &Procedure<'r>) -> Result<&mut Session, Stop> {
        if self.session.as_ref().is_none_or(Session::is_over) {
            let (interface, who) = match self.hand {
                Hand::Account { interface, account } => (interface, Who::Account(account)),
                Hand::Anyone { interface } => (interface, Who::Nobody),
                Hand::Bench => return Err(Stop::inconclusive("the bench seals nothing itself")),
            };
            self.session = match p.bench().enter(interface, &who).await? {
                Entry::In(session) => Some(session),
                Entry::Refused(answer) => {
                    return Err(Stop::inconclusive(format!(
                        "{} was not let in: {}",
                        self.hand,
                        slcert_reports::excerpt(&answer.text, 200)
                    )));
                }
            };
        }
        let session = self.session.as_mut();
        session.ok_or_else(|| Stop::inconclusive("the session was lost"))
    }

    /// Whether a message sets its value, and in what words.
    ///
    /// # Errors
    /// It cannot be sent, or the value cannot be read.
    pub async fn acts(
        &mut self,
        p: &Procedure<'r>,
        message: Message,
    ) -> Result<(bool, String), Stop> {
        let operation = self.operation;
        let session = self.session(p).await?;
        let attempt = session.perform(operation, &message.values).await?;
        let (refused, said) = match attempt {
            Attempt::Refused(answer) => (true, answer.text),
            Attempt::Done(answer) | Attempt::Unclear(answer) => (false, answer.text),
        };
        let looks = if refused { LOOKS_AFTER_REFUSAL } else { LOOKS };
        let mut now = String::new();
        for look in 0..looks {
            if look > 0 {
                sleep(BETWEEN).await;
            }
            now = self.now(p).await?;
            if now == message.value {
                let words = format!("`{}` is {now}; the device said: {said}", self.read_back);
                return Ok((true, words));
            }
        }
        let words = format!("`{}` stays {now}; the device said: {said}", self.read_back);
        Ok((false, words))
    }

    /// Sees a right message acted upon.
    ///
    /// # Errors
    /// INCONCLUSIVE where it is not.
    pub async fn control(&mut self, p: &mut Procedure<'r>, when: &str) -> Result<Message, Stop> {
        let message = self.message(p, None).await?;
        let (acts, words) = self.acts(p, message.clone()).await?;
        if !acts {
            return Err(Stop::inconclusive(format!(
                "{when}, a message that is sealed with {} as the rig file says comes to nothing: {words}",
                self.name
            )));
        }
        p.check(
            format!("{}: the right seal, {when}", self.name),
            "is acted upon",
            words,
            true,
        );
        Ok(message)
    }

    /// Sends a message that must change nothing.
    ///
    /// # Errors
    /// It cannot be sent.
    pub async fn in_vain(
        &mut self,
        p: &mut Procedure<'r>,
        what: impl AsRef<str>,
        message: Message,
    ) -> Result<(), Stop> {
        let (acts, words) = self.acts(p, message).await?;
        let name = format!("{}: {}", self.name, what.as_ref());
        p.check(name, "changes nothing", words, !acts);
        Ok(())
    }

    /// A key of the same length that nobody has.
    ///
    /// # Errors
    /// The key is not of the form that the rig file says.
    pub fn new_key(&self, old: &Secret) -> Result<Secret, Stop> {
        let bytes = self.described.bytes(old).ok_or_else(|| {
            Stop::inconclusive(format!("the key {} is not of its `form`", self.name))
        })?;
        let new: Vec<u8> = match self.described.form {
            Form::Text => fresh::strong_password()
                .bytes()
                .cycle()
                .take(bytes.len())
                .collect(),
            _ => bytes.iter().map(|_| fresh::below(256) as u8).collect(),
        };
        Ok(Secret::new(self.described.form.write(&new)))
    }

    /// Gives the device another key.
    ///
    /// # Errors
    /// INCONCLUSIVE where it does not take it.
    pub async fn change(
        &mut self,
        p: &Procedure<'r>,
        changer: Hand<'r>,
        new: &Secret,
    ) -> Result<(), Stop> {
        let peer = self.described.peer.as_deref().unwrap_or(self.name);
        let values = Values::from([
            ("name".to_owned(), peer.to_owned()),
            ("new_key".to_owned(), new.reveal().to_owned()),
        ]);
        self.desk.must(p, changer, "change_key", &values).await?;
        self.desk.close().await;
        Ok(())
    }
}
