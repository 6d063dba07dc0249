//! Where inputs come from: `proptest` strategies, each input made from the campaign's seed and its place alone.
//!
//! Value trees cannot leave their thread, so inputs are made ahead in one of their own, and shrunk in another.

use std::sync::Arc;
use std::sync::mpsc;

use proptest::strategy::{BoxedStrategy, Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::input::{Generated, Input, Origin};

/// How many inputs are made at a time.
pub const BATCH: u64 = 64;
/// Each input of this many is a variation of one that brought something new about, once there is one.
const VARIED: u64 = 4;

/// Makes the strategies of a protocol, in whichever thread they are used.
pub trait Grammar: Send + Sync + 'static {
    /// Inputs over the whole protocol.
    fn inputs(&self) -> BoxedStrategy<Input>;
    /// Variations of an input.
    fn variations(&self, base: &Input) -> BoxedStrategy<Input>;
}

fn runner(seed: u64, index: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&index.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, rng)
}

/// Inputs of one suite, made ahead.
pub struct Source {
    orders: mpsc::SyncSender<Vec<Arc<Input>>>,
    batches: mpsc::Receiver<Vec<Generated>>,
    ready: std::vec::IntoIter<Generated>,
    /// What brought something new about in the batch that is being used up.
    new: Vec<Arc<Input>>,
}

impl Source {
    /// Starts to make inputs. The thread ends with the source.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(grammar: Arc<dyn Grammar>, seed: u64) -> std::io::Result<Self> {
        let (orders, ordered) = mpsc::sync_channel::<Vec<Arc<Input>>>(2);
        let (batch, batches) = mpsc::sync_channel(2);
        std::thread::Builder::new()
            .name("inputs".to_owned())
            .spawn(move || {
                let strategy = grammar.inputs();
                let mut corpus: Vec<Arc<Input>> = Vec::new();
                let mut next = 0;
                while let Ok(new) = ordered.recv() {
                    corpus.extend(new);
                    let made = (next..next + BATCH)
                        .filter_map(|index| made(&*grammar, &strategy, &corpus, seed, index));
                    if batch.send(made.collect()).is_err() {
                        return;
                    }
                    next += BATCH;
                }
            })?;
        // One batch is always ahead of the one in use: what that one shows to be new serves the batch after the next,
        // whatever the timing, so that a seed makes the same inputs again on a device that answers the same.
        let _ = orders.send(Vec::new());
        let _ = orders.send(Vec::new());
        Ok(Self {
            orders,
            batches,
            ready: Vec::new().into_iter(),
            new: Vec::new(),
        })
    }

    /// The next input; none once the thread has failed.
    pub fn another(&mut self) -> Option<Generated> {
        loop {
            if let Some(next) = self.ready.next() {
                return Some(next);
            }
            let batch = self.batches.recv().ok()?;
            let _ = self.orders.send(std::mem::take(&mut self.new));
            self.ready = batch.into_iter();
        }
    }

    /// Says that an input brought something new about: later ones vary it.
    pub fn is_new(&mut self, input: &Input) {
        self.new.push(Arc::new(input.clone()));
    }
}

fn made(
    grammar: &dyn Grammar,
    strategy: &BoxedStrategy<Input>,
    corpus: &[Arc<Input>],
    seed: u64,
    index: u64,
) -> Option<Generated> {
    let varied = index % VARIED == VARIED - 1 && !corpus.is_empty();
    // The newest half of the time, so that a thread that leads somewhere is followed.
    let base = varied.then(|| {
        let turn = (index / VARIED) as usize;
        let at = match turn % 2 {
            0 => corpus.len() - 1,
            _ => turn / 2 % corpus.len(),
        };
        Arc::clone(&corpus[at])
    });
    let tree = match &base {
        Some(base) => grammar.variations(base).new_tree(&mut runner(seed, index)),
        None => strategy.new_tree(&mut runner(seed, index)),
    };
    Some(Generated {
        input: tree.ok()?.current(),
        origin: Origin { index, base },
    })
}

/// An input's value tree, walked from outside its thread.
pub struct Shrinker {
    asks: mpsc::Sender<Ask>,
    answers: mpsc::Receiver<Option<Input>>,
}

enum Ask {
    Simpler,
    LessSimple,
}

impl Shrinker {
    /// Makes an input's tree again.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(grammar: Arc<dyn Grammar>, seed: u64, origin: Origin) -> std::io::Result<Self> {
        let (asks, asked) = mpsc::channel();
        let (answer, answers) = mpsc::channel();
        std::thread::Builder::new()
            .name("shrink".to_owned())
            .spawn(move || {
                let strategy = match &origin.base {
                    Some(base) => grammar.variations(base),
                    None => grammar.inputs(),
                };
                let Ok(mut tree) = strategy.new_tree(&mut runner(seed, origin.index)) else {
                    return;
                };
                while let Ok(ask) = asked.recv() {
                    let moved = match ask {
                        Ask::Simpler => tree.simplify(),
                        Ask::LessSimple => tree.complicate(),
                    };
                    if answer.send(moved.then(|| tree.current())).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self { asks, answers })
    }

    /// A simpler input, after one that still broke something; none when there is none.
    pub fn simpler(&self) -> Option<Input> {
        self.ask(Ask::Simpler)
    }

    /// A less simple one, after one that broke nothing any more.
    pub fn less_simple(&self) -> Option<Input> {
        self.ask(Ask::LessSimple)
    }

    fn ask(&self, ask: Ask) -> Option<Input> {
        self.asks.send(ask).ok()?;
        self.answers.recv().ok()?
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Numbers;

    impl Grammar for Numbers {
        fn inputs(&self) -> BoxedStrategy<Input> {
            any::<u8>()
                .prop_map(|byte| Input::of("a byte", vec![byte]))
                .boxed()
        }

        fn variations(&self, base: &Input) -> BoxedStrategy<Input> {
            let bytes = base.bytes();
            any::<u8>()
                .prop_map(move |byte| Input::of("two bytes", [&bytes[..], &[byte]].concat()))
                .boxed()
        }
    }

    fn first(seed: u64, count: usize) -> Vec<Input> {
        let mut source = Source::start(Arc::new(Numbers), seed).unwrap();
        let mut inputs = Vec::new();
        for at in 0..count {
            let next = source.another().unwrap().input;
            if at == 3 {
                source.is_new(&next);
            }
            inputs.push(next);
        }
        inputs
    }

    #[test]
    fn a_seed_makes_every_input_again_also_the_variations() {
        assert_eq!(first(7, 400), first(7, 400));
        assert_ne!(first(7, 400), first(8, 400));
        assert!(first(7, 400).iter().any(|input| input.bytes().len() == 2));
    }

    #[test]
    fn an_input_shrinks_to_the_least_that_still_breaks() {
        let mut source = Source::start(Arc::new(Numbers), 1).unwrap();
        let breaks = |input: &Input| input.bytes()[0] >= 17;
        let found = std::iter::from_fn(|| source.another())
            .find(|one| breaks(&one.input))
            .unwrap();
        let shrinker = Shrinker::start(Arc::new(Numbers), 1, found.origin).unwrap();
        let mut least = found.input;
        let mut next = shrinker.simpler();
        while let Some(input) = next {
            next = if breaks(&input) {
                least = input;
                shrinker.simpler()
            } else {
                shrinker.less_simple()
            };
        }
        assert_eq!(least.bytes(), [17]);
    }
}
