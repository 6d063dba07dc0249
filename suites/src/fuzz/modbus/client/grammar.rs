//! What a hostile server does when it is asked: wrong answers, right ones in a wrong way, and none.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::answers::{Answer, Asked};
use super::reading::known_by;
use crate::fuzz::alter::{altered, in_pieces};
use crate::fuzz::generate::Grammar;
use crate::fuzz::input::{Act, Input};

/// The most bytes that are sent one by one.
const DRIBBLED: usize = 32;

/// Inputs for a device that polls the bench's server.
#[derive(Clone, Debug)]
pub struct ClientGrammar {
    /// What the device asks; not empty.
    pub asked: Vec<Asked>,
    /// How long nobody is let in at a time.
    pub refusal: Duration,
}

/// How an input ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Open,
    Shut,
    Torn,
    Refused,
}

/// The request that an input answers.
pub fn asked_of(input: &Input) -> &[u8] {
    let asked = input.acts.iter().find_map(|act| match act {
        Act::Asked(asked) => Some(asked.as_slice()),
        _ => None,
    });
    asked.unwrap_or_default()
}

impl Grammar for ClientGrammar {
    fn inputs(&self) -> BoxedStrategy<Input> {
        let refusal = self.refusal;
        let end = prop_oneof![
            24 => Just(End::Open),
            2 => Just(End::Shut),
            1 => Just(End::Torn),
            1 => Just(End::Refused),
        ];
        let anew = prop_oneof![15 => Just(false), 1 => Just(true)];
        (select(self.asked.clone()), end, anew)
            .prop_flat_map(move |(asked, end, anew)| {
                let known = known_by(&asked.request).to_vec();
                said(&asked).prop_map(move |(label, said)| {
                    let mut acts = vec![Act::Asked(known.clone())];
                    acts.extend(said);
                    let label = match end {
                        End::Open => label,
                        End::Shut => {
                            acts.push(Act::Shut);
                            format!("{label}, and the end of the connection")
                        }
                        End::Torn => {
                            acts.push(Act::Tear);
                            format!("{label}, and a reset")
                        }
                        End::Refused => {
                            acts.extend([Act::Tear, Act::Pause(refusal)]);
                            format!("{label}, a reset, and nobody is let in")
                        }
                    };
                    Input { label, anew, acts }
                })
            })
            .boxed()
    }

    fn variations(&self, base: &Input) -> BoxedStrategy<Input> {
        let (known, label) = (asked_of(base).to_vec(), base.varied_label());
        altered(base.bytes())
            .prop_map(move |bytes| Input {
                label: label.clone(),
                anew: false,
                acts: vec![Act::Asked(known.clone()), Act::Send(bytes)],
            })
            .boxed()
    }
}

/// What is said to a request, and what that is.
fn said(asked: &Asked) -> BoxedStrategy<(String, Vec<Act>)> {
    let whole = |(label, bytes): Answer| (label, vec![Act::Send(bytes)]);
    let one = asked.answer().prop_map(whole);
    let several = vec(asked.answer(), 2..=4).prop_map(|answers| {
        let bytes = answers.into_iter().flat_map(|(_, bytes)| bytes);
        (
            "answers in one segment".to_owned(),
            vec![Act::Send(bytes.collect())],
        )
    });
    let cuts = vec((any::<Index>(), 0..=3u64), 1..=3);
    let pieces = (asked.answer(), cuts).prop_map(|((label, bytes), cuts)| {
        (format!("{label}, in pieces"), in_pieces(&bytes, &cuts))
    });
    let dribbled = asked.answer().prop_map(|(label, bytes)| {
        let (single, rest) = bytes.split_at(bytes.len().min(DRIBBLED));
        let mut acts: Vec<_> = single.iter().map(|byte| Act::Send(vec![*byte])).collect();
        acts.push(Act::Send(rest.to_vec()));
        (format!("{label}, byte by byte"), acts)
    });
    let cut_off = (asked.answer(), any::<Index>()).prop_map(|((label, mut bytes), at)| {
        bytes.truncate(at.index(bytes.len().max(1)).max(1));
        (format!("{label}, cut off"), vec![Act::Send(bytes)])
    });
    let late = (asked.answer(), 5..=150u64).prop_map(|((label, bytes), millis)| {
        let pause = Act::Pause(Duration::from_millis(millis));
        (format!("{label}, late"), vec![pause, Act::Send(bytes)])
    });
    let twice = asked.answer().prop_map(|(label, bytes)| {
        let again = Act::Send(bytes.clone());
        (format!("{label}, twice"), vec![Act::Send(bytes), again])
    });
    prop_oneof![
        14 => one,
        2 => several,
        2 => pieces,
        1 => dribbled,
        2 => cut_off,
        1 => late,
        1 => twice,
        1 => asked.noise().prop_map(whole),
        1 => Just(("nothing".to_owned(), Vec::new())),
    ]
    .boxed()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::fuzz::generate::Source;

    const REQUESTS: [&[u8]; 8] = [
        &[1, 0, 0, 0, 9],
        &[3, 0, 0, 0, 125],
        &[4, 0, 0, 0, 2],
        &[5, 0, 1, 0xFF, 0],
        &[6, 0, 1, 0, 9],
        &[16, 0, 0, 0, 1, 2, 0, 9],
        &[43, 14, 1, 0],
        &[0x41],
    ];

    #[test]
    fn each_request_is_answered_wrongly_in_each_way_and_some_rightly() {
        let others: Vec<_> = REQUESTS.iter().map(|one| one.to_vec()).collect();
        let asked = others.iter().map(|request| Asked {
            request: request.clone(),
            others: others.clone(),
            shown: (request[0] == 4).then_some((0, (5, 9))),
            unit: 1,
        });
        let grammar = ClientGrammar {
            asked: asked.collect(),
            refusal: Duration::from_millis(50),
        };
        let mut source = Source::start(Arc::new(grammar), 7).unwrap();
        let (mut labels, mut answered) = (BTreeSet::new(), BTreeSet::new());
        for at in 0..6000 {
            let input = source.another().unwrap().input;
            if at % 50 == 0 {
                source.is_new(&input);
            }
            answered.insert(asked_of(&input).to_vec());
            labels.insert(input.label);
        }
        assert_eq!(answered.len(), REQUESTS.len());
        for wanted in [
            "FC 4, answered rightly",
            "FC 4, another transaction",
            "FC 1, a byte count that lies",
            "FC 16, exception 6",
            "FC 6, its own request",
            "nothing",
        ] {
            assert!(labels.contains(wanted), "{wanted}: {labels:?}");
        }
    }
}
