//! Sends what the device gets to a reference as well, beside the inputs of a suite.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::differences::{Answer, Comes, Differences, Kind};
use super::input::{Generated, Input};
use super::target::Target;

/// Comparing takes one part of so many of the time that inputs are sent for, and this at the least; what brought nothing about, half
/// of it.
const PART: (u32, Duration) = (4, Duration::from_millis(300));
/// Sending again what differs takes as long as inputs are sent for, and this at the least.
pub const AGAIN: Duration = Duration::from_secs(3);
/// The most inputs whose silences are waited for beside those that follow.
const WAITING: usize = 8;
/// How long one input may take on one side.
const MOST: Duration = Duration::from_secs(5);
/// How often in a row the reference may not take an input before it is given up.
const FAILS: u32 = 3;
/// The most kinds of differences that are kept.
const KINDS: usize = 64;

/// A kind that was not sent again yet.
pub struct Unclear {
    /// The first input of the kind.
    pub input: Generated,
    kind: Kind,
    count: u64,
}

/// Sends what the device gets to a reference as well.
pub struct Comparison<'c, T> {
    reference: &'c T,
    /// The most silences that are waited for at a time.
    most: usize,
    waits: JoinSet<(Generated, (Answer, Answer))>,
    spent: Duration,
    /// What differs, until it is sent again.
    unclear: Vec<Unclear>,
    fails: u32,
    differences: Differences,
}

impl<'c, T: Target> Comparison<'c, T> {
    /// With a reference that serves; otherwise it says why there is none.
    pub async fn with(reference: &'c T) -> Self {
        let mut differences = Differences::default();
        for _ in 0..3 {
            if let Err(why) = reference.serves(MOST).await {
                differences = Differences::none(format!("the reference does not serve: {why}"));
                break;
            }
        }
        Self {
            reference,
            most: reference.waiting().min(WAITING),
            waits: JoinSet::new(),
            spent: Duration::ZERO,
            unclear: Vec::new(),
            fails: 0,
            differences,
        }
    }

    /// Whether one more input is compared, after inputs were sent for so long; `first` is one that has brought something about.
    pub fn takes(&mut self, first: bool, time: Duration) -> bool {
        while let Some(Ok((input, both))) = self.waits.try_join_next() {
            self.note(input, &both);
        }
        let (part, least) = PART;
        let most = least.max(time / part);
        let most = if first { most } else { most / 2 };
        self.differences.ended.is_none() && self.spent < most && self.waits.len() < self.most
    }

    /// Sends an input to both and compares what comes.
    pub async fn compare(&mut self, device: &T, input: Generated) {
        let began = Instant::now();
        match self.both(device, &input.input, false).await {
            Some((Comes::Now(device), Comes::Now(reference))) => {
                self.note(input, &(device, reference));
            }
            Some((device, reference)) => {
                self.waits.spawn(async move {
                    let both = tokio::join!(device.answer(), reference.answer());
                    (input, both)
                });
            }
            None => {}
        }
        self.spent += began.elapsed();
    }

    fn note(&mut self, input: Generated, both: &(Answer, Answer)) {
        self.differences.compared += 1;
        let kind = Kind::of(&input.input, both);
        if !kind.differs() {
            return;
        }
        if let Some(known) = self.unclear.iter_mut().find(|it| it.kind == kind) {
            known.count += 1;
        } else if self.unclear.len() < KINDS {
            self.unclear.push(Unclear {
                input,
                kind,
                count: 1,
            });
        } else {
            self.differences.more += 1;
        }
    }

    /// What has to be sent again, once no more inputs are sent.
    pub async fn take_unclear(&mut self) -> Vec<Unclear> {
        while let Some(waited) = self.waits.join_next().await {
            if let Ok((input, both)) = waited {
                self.note(input, &both);
            }
        }
        std::mem::take(&mut self.unclear)
    }

    /// Sends these again at the same time, and writes down what comes about again; whether they were sent. There is time for
    /// it until the moment.
    pub async fn send_again(&mut self, device: &T, unclear: &[Unclear], until: Instant) -> bool {
        if self.differences.ended.is_some() || Instant::now() >= until {
            self.differences.left += unclear.len();
            return false;
        }
        let mut waits = Vec::new();
        for one in unclear {
            let both = self.both(device, &one.input.input, true).await;
            waits.push(both.map(|(device, reference)| {
                tokio::spawn(async move { tokio::join!(device.answer(), reference.answer()) })
            }));
        }
        for (one, waits) in unclear.iter().zip(waits) {
            let both = match waits {
                Some(waits) => waits.await.ok(),
                None => None,
            };
            match both {
                Some(both) if Kind::of(&one.input.input, &both) == one.kind => {
                    self.differences.add(&one.input.input, &both, one.count);
                }
                _ => self.differences.passing += 1,
            }
        }
        true
    }

    /// How many are sent again at the same time.
    pub fn at_a_time(&self) -> usize {
        self.most
    }

    /// What it came to.
    pub fn end(mut self) -> Differences {
        self.differences.left += self.unclear.len();
        self.differences
    }

    /// What comes of an input on both sides; none where one of them does not take it.
    async fn both(&mut self, device: &T, input: &Input, patient: bool) -> Option<(Comes, Comes)> {
        let (device, reference) = tokio::join!(
            timeout(MOST, device.comes_of(input, patient)),
            timeout(MOST, self.reference.comes_of(input, patient)),
        );
        let reference = reference.ok().flatten();
        self.fails = match reference {
            Some(_) => 0,
            None => self.fails + 1,
        };
        if self.fails >= FAILS {
            self.differences.ended = Some("the reference takes no input any more".to_owned());
        }
        Some((device.ok()??, reference?))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use proptest::prelude::*;
    use proptest::strategy::BoxedStrategy;

    use super::*;
    use crate::fuzz::coverage::Seen;
    use crate::fuzz::differences::Class;
    use crate::fuzz::generate::Grammar;
    use crate::fuzz::input::Origin;
    use crate::fuzz::target::Delivered;

    /// A side that answers each input with the class of its turn, the last for ever; none takes no input.
    struct Side {
        answers: &'static [Option<Class>],
        asked: AtomicU32,
    }

    impl Side {
        fn that(answers: &'static [Option<Class>]) -> Self {
            let asked = AtomicU32::new(0);
            Self { answers, asked }
        }
    }

    struct Nothing;

    impl Grammar for Nothing {
        fn inputs(&self) -> BoxedStrategy<Input> {
            Just(Input::of("one", vec![1])).boxed()
        }

        fn variations(&self, _: &Input) -> BoxedStrategy<Input> {
            self.inputs()
        }
    }

    impl Target for Side {
        type Link = ();

        fn grammar(&self) -> Arc<dyn Grammar> {
            Arc::new(Nothing)
        }

        fn forbidden(&self, _: &Input) -> Option<&'static str> {
            None
        }

        async fn open(&self) -> Result<(), String> {
            Ok(())
        }

        async fn deliver(&self, (): (), _: &Input) -> Delivered<()> {
            Delivered::fine(None, Seen::default())
        }

        async fn comes_of(&self, _: &Input, _: bool) -> Option<Comes> {
            let turn = self.asked.fetch_add(1, Ordering::Relaxed) as usize;
            let class = self.answers.get(turn).or(self.answers.last())?;
            let mut answer = Answer::default();
            answer.add((*class)?, format!("answer {turn}"));
            let silent = *class == Some(Class::Silence);
            Some(match silent {
                true => Comes::Later(Box::pin(async { answer })),
                false => Comes::Now(answer),
            })
        }

        async fn serves(&self, _: Duration) -> Result<Duration, String> {
            Ok(Duration::ZERO)
        }
    }

    async fn compared(device: Side, reference: Side, inputs: usize) -> Differences {
        let mut comparison = Comparison::with(&reference).await;
        for _ in 0..inputs {
            if comparison.takes(true, Duration::ZERO) {
                let input = Generated {
                    input: Input::of("one", vec![1]),
                    origin: Origin {
                        index: 0,
                        base: None,
                    },
                };
                comparison.compare(&device, input).await;
            }
        }
        let unclear = comparison.take_unclear().await;
        let until = Instant::now() + AGAIN;
        comparison.send_again(&device, &unclear, until).await;
        comparison.end()
    }

    const DONE: Option<Class> = Some(Class::Done);
    const REFUSED: Option<Class> = Some(Class::Refused);
    const SILENCE: Option<Class> = Some(Class::Silence);

    #[tokio::test]
    async fn only_the_class_of_an_answer_is_compared() {
        let same = compared(Side::that(&[DONE]), Side::that(&[DONE]), 5).await;
        assert_eq!((same.compared, same.count(), same.text()), (5, 0, None));
        let differ = compared(Side::that(&[DONE]), Side::that(&[SILENCE]), 5).await;
        assert_eq!((differ.compared, differ.count()), (5, 1));
        let words = differ.words();
        assert!(
            words.contains("1 of them taken by the device alone"),
            "{words}"
        );
        let text = differ.text().unwrap();
        let read: toml::Value = toml::from_str(&text).unwrap();
        let first = &read["difference"][0];
        assert_eq!(first["seen"].as_integer(), Some(5), "{text}");
        assert!(text.contains("device = \"done: answer 5\""), "{text}");
        assert!(text.contains("reference = \"silence: answer 5\""), "{text}");
        assert!(text.contains("send = \"01\""), "{text}");
    }

    #[tokio::test]
    async fn what_does_not_come_about_again_is_not_written_down() {
        let passes = compared(Side::that(&[SILENCE, DONE]), Side::that(&[DONE]), 1).await;
        assert_eq!((passes.count(), passes.passing), (0, 1));
        let otherwise = compared(Side::that(&[REFUSED, SILENCE]), Side::that(&[DONE]), 1).await;
        assert_eq!((otherwise.count(), otherwise.passing), (0, 1));
    }

    #[tokio::test]
    async fn a_reference_that_takes_nothing_any_more_ends_the_comparison_and_nothing_else() {
        let ends = Side::that(&[DONE, REFUSED, None]);
        let lost = compared(Side::that(&[DONE]), ends, 20).await;
        assert_eq!((lost.compared, lost.count(), lost.left), (2, 0, 1));
        let words = lost.words();
        assert!(words.contains("nothing more was compared"), "{words}");
    }

    #[tokio::test]
    async fn a_device_that_takes_nothing_is_not_the_references_fault() {
        let down = compared(Side::that(&[None]), Side::that(&[DONE]), 20).await;
        assert_eq!((down.compared, down.ended.clone()), (0, None));
    }
}
