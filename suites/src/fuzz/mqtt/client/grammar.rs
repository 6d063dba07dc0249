//! What a hostile broker says to its client at each step: in place of CONNACK, in place of SUBACK, and in a session.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use slcert_rigs::mqtt::wire::Version;

use super::packets::{acknowledged, orders, packet};
use crate::fuzz::alter::{altered, in_pieces};
use crate::fuzz::generate::Grammar;
use crate::fuzz::input::{Act, Input};
use crate::fuzz::mqtt::grammar::{cut_off, five_bytes, shut, whole};

/// The most bytes that are sent one by one.
const DRIBBLED: usize = 48;

/// Inputs for a device that comes to the bench's broker.
#[derive(Clone, Debug)]
pub struct ClientGrammar {
    /// The version of the sessions.
    pub version: Version,
    /// An order that the device takes, where there is one.
    pub order: Option<OrderText>,
}

/// How an order is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderText {
    /// The topic.
    pub topic: String,
    /// What stands before the number, and what behind it.
    pub around: (String, String),
    /// The least number, and the greatest.
    pub values: (u32, u32),
}

impl OrderText {
    /// The payload that orders a number.
    pub fn payload(&self, number: impl std::fmt::Display) -> Vec<u8> {
        format!("{}{number}{}", self.around.0, self.around.1).into_bytes()
    }
}

/// How far the bench has answered rightly before an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The device's CONNECT is not answered yet.
    Connect,
    /// It is, and what the device asks next is not.
    Subscribe,
    /// All is answered.
    Session,
}

impl Step {
    /// How often the bench has to answer rightly.
    pub fn logins(self) -> usize {
        self as usize
    }

    /// The step that an input wants.
    pub fn of(input: &Input) -> Self {
        match input.acts.iter().filter(|act| **act == Act::Login).count() {
            0 => Self::Connect,
            1 => Self::Subscribe,
            _ => Self::Session,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Connect => " in answer to CONNECT",
            Self::Subscribe => " in answer to what comes behind CONNECT",
            Self::Session => "",
        }
    }
}

impl Grammar for ClientGrammar {
    fn inputs(&self) -> BoxedStrategy<Input> {
        let step = prop_oneof![3 => Just(Step::Connect), 2 => Just(Step::Subscribe), 6 => Just(Step::Session)];
        let version = self.version;
        let order = self.order.clone();
        (step, shut())
            .prop_flat_map(move |(step, shut)| {
                let sent = sent(version, step, order.as_ref());
                sent.prop_map(move |(label, sent)| {
                    input(format!("{label}{}", step.words()), step, sent, shut)
                })
            })
            .boxed()
    }

    fn variations(&self, base: &Input) -> BoxedStrategy<Input> {
        let (step, label) = (Step::of(base), base.varied_label());
        let bytes = base.bytes();
        let orders =
            |order: &OrderText| memchr::memmem::find(&bytes, order.topic.as_bytes()).is_some();
        // What an altered order would order is not known.
        if self.order.as_ref().is_some_and(orders) {
            return self.inputs();
        }
        altered(bytes)
            .prop_map(move |bytes| input(label.clone(), step, whole(bytes), false))
            .boxed()
    }
}

fn input(label: String, step: Step, sent: Vec<Act>, shut: bool) -> Input {
    let mut acts = vec![Act::Login; step.logins()];
    acts.extend(sent);
    if shut {
        acts.push(Act::Shut);
    }
    Input {
        label,
        anew: step < Step::Session,
        acts,
    }
}

/// What is sent at a step, and what it is.
fn sent(
    version: Version,
    step: Step,
    order: Option<&OrderText>,
) -> BoxedStrategy<(String, Vec<Act>)> {
    let one = packet(version, step);
    let in_one = vec(packet(version, step), 2..=4).prop_map(|packets| {
        let bytes = packets.into_iter().flat_map(|(_, bytes)| bytes);
        ("packets in one segment".to_owned(), whole(bytes.collect()))
    });
    // Right ones keep the session up: what breaks a client may take several of them.
    let flow = vec(acknowledged(), 2..=6).prop_map(|packets| {
        (
            "acknowledgements for nothing, in one segment".to_owned(),
            whole(packets.concat()),
        )
    });
    let cuts = vec((any::<Index>(), Just(1)), 1..=3);
    let cut = (packet(version, step), cuts).prop_map(|((label, bytes), cuts)| {
        (format!("{label}, in pieces"), in_pieces(&bytes, &cuts))
    });
    let dribbled = packet(version, step).prop_map(|(label, bytes)| {
        let (single, rest) = bytes.split_at(bytes.len().min(DRIBBLED));
        let mut acts: Vec<_> = single.iter().map(|byte| Act::Send(vec![*byte])).collect();
        acts.push(Act::Send(rest.to_vec()));
        (format!("{label}, byte by byte"), acts)
    });
    let noise = vec(any::<u8>(), 1..=64).prop_map(|bytes| ("noise".to_owned(), whole(bytes)));
    let nothing = Just(("nothing".to_owned(), vec![Act::Shut]));
    let cut_off = cut_off(packet(version, step)).prop_map(|(label, bytes)| (label, whole(bytes)));
    let five = five_bytes(packet(version, step)).prop_map(|(label, bytes)| (label, whole(bytes)));
    let orders = match order {
        Some(order) => orders(version, order)
            .prop_map(|(label, bytes)| (label, whole(bytes)))
            .boxed(),
        None => packet(version, step)
            .prop_map(|(label, bytes)| (label, whole(bytes)))
            .boxed(),
    };
    prop_oneof![
        12 => one.prop_map(|(label, bytes)| (label, whole(bytes))),
        3 => in_one,
        4 => flow,
        2 => cut,
        1 => dribbled,
        2 => cut_off,
        1 => five,
        1 => noise,
        1 => nothing,
        3 => orders,
    ]
    .boxed()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::fuzz::generate::Source;
    use crate::fuzz::mqtt::client::reading::read;

    #[test]
    fn each_step_is_answered_wrongly_and_no_order_is_right() {
        let order = OrderText {
            topic: "site/demand".into(),
            around: ("{\"to\": ".into(), "}".into()),
            values: (0, 9),
        };
        for version in [Version::V311, Version::V5] {
            let grammar = ClientGrammar {
                version,
                order: Some(order.clone()),
            };
            let mut source = Source::start(std::sync::Arc::new(grammar), 7).unwrap();
            let (mut labels, mut steps) = (BTreeSet::new(), BTreeSet::new());
            for _ in 0..3000 {
                let input = source.another().unwrap().input;
                let sent = read(&input.bytes(), version);
                assert!(!sent.topics.contains(&order.topic), "{input:?}");
                if input.label.starts_with("an order") {
                    assert!(sent.unreadable, "{input:?}");
                }
                steps.insert(Step::of(&input));
                labels.insert(input.label);
            }
            assert_eq!(steps.len(), 3);
            for wanted in [
                "CONNACK in answer to CONNECT",
                "SUBACK in answer to what comes behind CONNECT",
                "PUBLISH",
                "an order that is cut off",
            ] {
                assert!(labels.contains(wanted), "{wanted}: {labels:?}");
            }
        }
    }
}
