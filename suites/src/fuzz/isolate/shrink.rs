//! What of each input is needed.

use super::reduce::{Replays, next_part};
use super::sparing;
use crate::fuzz::input::{Act, Generated, Input};

/// The most steps of shrinking one input.
const STEPS: u32 = 4000;
/// After so many in a row that bring nothing about, no simpler one is looked for: what is left to try is something else.
const IN_VAIN: u32 = 64;

/// Makes each input simpler, the last one first: it is the one that shows. Inputs that are the same stay so.
pub(super) async fn shrunk<R: Replays>(on: &mut R, mut inputs: Vec<Generated>) -> Vec<Generated> {
    let mut rest: Vec<usize> = (0..inputs.len()).collect();
    while let Some(&at) = rest.last() {
        if inputs[at].input.steps().next().is_some() {
            rest.pop();
            simpler_history(on, &mut inputs, at).await;
            continue;
        }
        let acts = inputs[at].input.acts.clone();
        let (same, others) = rest
            .into_iter()
            .partition(|&it| inputs[it].input.acts == acts);
        rest = others;
        let mut plainer = Vec::new();
        for change in PLAINER {
            let plain = change(inputs[at].input.clone());
            let is_new = plain.acts != inputs[at].input.acts;
            if is_new && replaced(on, &mut inputs, &same, &plain).await {
                plainer.push(change);
            }
        }
        if inputs[at].input.size() > 0 {
            simpler(on, &mut inputs, &same, &plainer).await;
        }
    }
    inputs
}

/// Makes what is the same at some places simpler. What is plainer already stays so.
async fn simpler<R: Replays>(
    on: &mut R,
    inputs: &mut Vec<Generated>,
    places: &[usize],
    plainer: &[fn(Input) -> Input],
) {
    let Some(&at) = places.first() else { return };
    let Some(shrinker) = on.shrinker(inputs[at].origin.clone()) else {
        return;
    };
    let mut next = shrinker.simpler();
    let (mut steps, mut in_vain) = (0, 0);
    while let Some(input) = next {
        steps += 1;
        if steps > STEPS || in_vain >= IN_VAIN || on.is_over() {
            break;
        }
        let input = plainer.iter().fold(input, |input, change| change(input));
        let is_new = input.acts != inputs[at].input.acts;
        let does = is_new && replaced(on, inputs, places, &input).await;
        in_vain = match (is_new, does) {
            (true, true) => 0,
            (true, false) => in_vain + 1,
            (false, _) => in_vain,
        };
        next = match does || !is_new {
            true => shrinker.simpler(),
            false => shrinker.less_simple(),
        };
    }
}

/// Puts an input at some places, where it does as well there.
async fn replaced<R: Replays>(
    on: &mut R,
    inputs: &mut Vec<Generated>,
    places: &[usize],
    input: &Input,
) -> bool {
    let mut tried = inputs.clone();
    for &at in places {
        tried[at].input = Input {
            anew: inputs[at].input.anew,
            ..input.clone()
        };
    }
    let power = sparing(inputs);
    let breaks = !on.is_over() && on.again(&tried, power).await;
    if breaks {
        *inputs = tried;
    }
    breaks
}

/// Leaves out the steps of a history that are not needed, and puts simpler ones in the place of those that are.
async fn simpler_history<R: Replays>(on: &mut R, inputs: &mut Vec<Generated>, at: usize) {
    fewer_steps(on, inputs, at).await;
    while !on.is_over() && simpler_steps(on, inputs, at).await {
        fewer_steps(on, inputs, at).await;
    }
}

/// Leaves out steps, the later and the larger parts first; their order stays.
async fn fewer_steps<R: Replays>(on: &mut R, inputs: &mut Vec<Generated>, at: usize) {
    let mut part = inputs[at].input.acts.len().div_ceil(2);
    while part > 0 {
        let mut to = inputs[at].input.acts.len();
        let mut left_out = false;
        while to > 0 && !on.is_over() {
            let from = to.saturating_sub(part);
            let mut input = inputs[at].input.clone();
            input.acts.drain(from..to);
            left_out |= !input.acts.is_empty() && replaced(on, inputs, &[at], &input).await;
            to = from;
        }
        if on.is_over() {
            return;
        }
        part = next_part(part, left_out);
    }
}

/// Puts a simpler step in the place of one, the later first: of a file that the power is cut under, the cut may do, and
/// what the file needs can go then. Says whether one did.
async fn simpler_steps<R: Replays>(on: &mut R, inputs: &mut Vec<Generated>, at: usize) -> bool {
    let mut any = false;
    for place in (0..inputs[at].input.acts.len()).rev() {
        let simpler = match &inputs[at].input.acts[place] {
            Act::Step(step) => step.simpler(),
            _ => Vec::new(),
        };
        for step in simpler {
            let mut input = inputs[at].input.clone();
            input.acts[place] = Act::Step(step);
            if replaced(on, inputs, &[at], &input).await {
                any = true;
                break;
            }
        }
    }
    any
}

/// What makes an input plainer as a whole, the most first.
const PLAINER: [fn(Input) -> Input; 3] = [without_bytes, whole, without_end];

/// An input that says nothing, where it does something else: closes a side, or lets nobody in.
fn without_bytes(mut input: Input) -> Input {
    if (input.acts.iter()).any(|act| matches!(act, Act::Shut | Act::Tear)) {
        input.acts.retain(|act| !matches!(act, Act::Send(_)));
    }
    input
}

/// One that says all in one segment, and at once.
fn whole(mut input: Input) -> Input {
    let mut acts: Vec<Act> = Vec::new();
    for act in input.acts {
        match (acts.last_mut(), act) {
            (Some(Act::Send(before)), Act::Send(bytes)) => before.extend(bytes),
            // How long nobody is let in is another thing.
            (last, Act::Pause(_)) if last != Some(&mut Act::Tear) => {}
            (_, act) => acts.push(act),
        }
    }
    input.acts = acts;
    input
}

/// One that leaves the connection open.
fn without_end(mut input: Input) -> Input {
    input.acts.retain(|act| *act != Act::Shut);
    input
}

#[cfg(test)]
mod tests {
    use std::future::{Future, ready};
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::Power;
    use super::super::reduce::{alike, reduced};
    use super::*;
    use crate::fuzz::generate::{Grammar, Shrinker, Source};
    use crate::fuzz::history::step::{Carried, Step};
    use crate::fuzz::input::Origin;

    #[derive(Clone, Copy)]
    struct Lines;

    impl Grammar for Lines {
        fn inputs(&self) -> BoxedStrategy<Input> {
            prop::collection::vec(any::<u8>(), 1..17)
                .prop_map(|bytes| Input {
                    label: "bytes, and the end".to_owned(),
                    anew: true,
                    acts: vec![Act::Send(bytes), Act::Shut],
                })
                .boxed()
        }

        fn variations(&self, _: &Input) -> BoxedStrategy<Input> {
            self.inputs()
        }
    }

    /// A device that shows it at one of the inputs, or not at all.
    struct Fake {
        shows: fn(&[Generated]) -> Option<usize>,
        sent: usize,
        replays: usize,
    }

    impl Fake {
        fn that(shows: fn(&[Generated]) -> Option<usize>) -> Self {
            Self {
                shows,
                sent: 0,
                replays: 0,
            }
        }
    }

    impl Replays for Fake {
        fn again(&mut self, inputs: &[Generated], _: Power) -> impl Future<Output = bool> + Send {
            self.replays += 1;
            let shown = (self.shows)(inputs);
            self.sent = shown.map_or(inputs.len(), |at| at + 1);
            ready(shown.is_some())
        }

        fn sent(&self) -> usize {
            self.sent
        }

        fn is_over(&self) -> bool {
            self.replays > 9999
        }

        fn shrinker(&self, origin: Origin) -> Option<Shrinker> {
            Shrinker::start(Arc::new(Lines), 1, origin).ok()
        }
    }

    fn some(count: usize) -> Vec<Generated> {
        let mut source = Source::start(Arc::new(Lines), 1).unwrap();
        (0..count).filter_map(|_| source.another()).collect()
    }

    fn longest(inputs: &[Generated], least: usize) -> impl Iterator<Item = usize> {
        let sizes: Vec<_> = inputs.iter().map(|one| one.input.size()).collect();
        (0..sizes.len()).filter(move |&at| sizes[at] >= least)
    }

    #[tokio::test]
    async fn what_is_sent_to_a_device_that_is_gone_is_left_out_at_once() {
        // It is gone after three of them that are long.
        let mut fake = Fake::that(|inputs| longest(inputs, 4).nth(2));
        let left = reduced(&mut fake, some(64)).await;
        assert_eq!(left.len(), 3);
        assert!(fake.replays < 10, "{}", fake.replays);
    }

    #[tokio::test]
    async fn inputs_that_do_the_same_become_one_that_is_made_smaller_once() {
        let mut fake = Fake::that(|inputs| longest(inputs, 4).nth(4));
        let needed = reduced(&mut fake, some(64)).await;
        let inputs = alike(&mut fake, needed).await;
        let reduced = fake.replays;
        let left = shrunk(&mut fake, inputs).await;
        let acts = &left[0].input.acts;
        assert_eq!(*acts, [Act::Send(vec![0; 4])]);
        assert!(left.len() == 5 && left.iter().all(|one| one.input.acts == *acts));
        assert!(fake.replays - reduced < 60, "{}", fake.replays - reduced);
    }

    #[tokio::test]
    async fn inputs_that_do_different_things_stay_different() {
        let mut fake = Fake::that(|inputs| {
            let long = longest(inputs, 6).next()?;
            (long + 1..inputs.len()).find(|&at| inputs[at].input.size() < 3)
        });
        let needed = reduced(&mut fake, some(64)).await;
        let inputs = alike(&mut fake, needed).await;
        let sizes: Vec<_> = shrunk(&mut fake, inputs)
            .await
            .iter()
            .map(|one| one.input.size())
            .collect();
        assert_eq!(sizes, [6, 0]);
    }

    #[tokio::test]
    async fn bytes_that_do_not_matter_are_left_out() {
        let mut fake = Fake::that(|inputs| inputs[0].input.acts.contains(&Act::Shut).then_some(0));
        let left = shrunk(&mut fake, some(1)).await;
        assert_eq!(left[0].input.acts, [Act::Shut]);
        // The other is whether the end matters.
        assert_eq!(fake.replays, 2);
    }

    #[tokio::test]
    async fn pieces_that_do_not_matter_become_one_and_stay_one() {
        let mut fake = Fake::that(|inputs| (inputs[0].input.size() > 1).then_some(0));
        let mut inputs = some(1);
        let bytes = inputs[0].input.bytes();
        let pieces = bytes.iter().map(|byte| Act::Send(vec![*byte]));
        let pauses = std::iter::repeat(Act::Pause(std::time::Duration::from_millis(5)));
        inputs[0].input.acts = pieces.zip(pauses).flat_map(<[Act; 2]>::from).collect();
        inputs[0].input.acts.push(Act::Shut);
        let left = shrunk(&mut fake, inputs).await;
        assert_eq!(left[0].input.acts, [Act::Send(vec![0; 2])]);
        assert!(fake.replays < 40, "{}", fake.replays);
    }

    #[tokio::test]
    async fn what_gets_no_simpler_is_not_tried_for_ever() {
        let largest = || some(64).into_iter().max_by_key(|one| one.input.size());
        let mut fake = Fake::that(|inputs| {
            let largest = some(64).into_iter().max_by_key(|one| one.input.size())?;
            (inputs[0].input.acts == largest.input.acts).then_some(0)
        });
        let left = shrunk(&mut fake, largest().into_iter().collect()).await;
        assert_eq!(left[0].input.acts, largest().unwrap().input.acts);
        assert!(fake.replays as u32 <= IN_VAIN + 2, "{}", fake.replays);
    }

    #[test]
    fn a_time_in_which_nobody_is_let_in_stays() {
        let pause = || Act::Pause(std::time::Duration::from_millis(5));
        let mut input = Input::of("refused", vec![1]);
        input.acts.extend([pause(), Act::Tear, pause()]);
        let acts = whole(input).acts;
        assert_eq!(acts, [Act::Send(vec![1]), Act::Tear, pause()]);
    }

    fn history(steps: Vec<Step>) -> Vec<Generated> {
        vec![Generated {
            input: Input::history("a history", steps),
            origin: Origin {
                index: 0,
                base: None,
            },
        }]
    }

    #[tokio::test]
    async fn a_power_cut_under_a_file_becomes_a_power_cycle_where_that_does() {
        // The limit is set, the power goes, whatever is done then, and a backup is made.
        let mut fake = Fake::that(|inputs| {
            let steps: Vec<_> = inputs[0].input.steps().collect();
            let has_backup = |at: usize| {
                let before = &mut steps[..at].iter();
                before.any(|it| matches!(it, Step::BackUp { .. }))
            };
            let set = steps.iter().position(|it| matches!(it, Step::Set { .. }))?;
            let cut = (set..steps.len()).find(|&at| match steps[at] {
                Step::PowerCycle => true,
                Step::Offer { cut_ms, .. } => cut_ms.is_some() && has_backup(at),
                _ => false,
            })?;
            let mut behind = steps[cut..].iter();
            behind
                .any(|it| matches!(it, Step::BackUp { .. }))
                .then_some(0)
        });
        let backed_up = || Step::BackUp { backup: 1 };
        let set = Step::Set {
            setting: "limit".to_owned(),
            value: "825".to_owned(),
        };
        let cut = Step::Offer {
            file: Carried::Backup(1),
            by: None,
            cut_ms: Some(220),
            altered: Vec::new(),
        };
        let inputs = history(vec![backed_up(), set.clone(), cut, backed_up()]);
        let left = shrunk(&mut fake, inputs).await;
        let steps: Vec<_> = left[0].input.steps().cloned().collect();
        assert_eq!(steps, [set, Step::PowerCycle, backed_up()]);
    }
}
