//! What of each input is needed.

use super::reduce::Replays;
use super::sparing;
use super::steps::simpler_history;
use crate::fuzz::input::{Act, Generated, Input};

/// The most steps of shrinking one input.
const STEPS: u32 = 4000;
/// After so many in a row that bring nothing about, no simpler one is looked for: what is left to try is something else.
const IN_VAIN: u32 = 64;

/// Makes each input simpler, the last one first: it is the one that shows. Inputs that are the same stay so.
pub(super) async fn shrunk<R: Replays>(on: &mut R, mut inputs: Vec<Generated>) -> Vec<Generated> {
    let mut rest: Vec<usize> = (0..inputs.len()).collect();
    while let Some(&at) = rest.last() {
        if inputs[at].input.is_history() {
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
pub(super) async fn replaced<R: Replays>(
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
    use super::super::fake::{Fake, some};
    use super::super::reduce::{alike, reduced, repeated};
    use super::*;

    fn longest(inputs: &[Generated], least: usize) -> impl Iterator<Item = usize> {
        let sizes: Vec<_> = inputs.iter().map(|one| one.input.size()).collect();
        (0..sizes.len()).filter(move |&at| sizes[at] >= least)
    }

    /// A short one behind a long one.
    fn short_behind(inputs: &[Generated], least: usize) -> Option<usize> {
        let long = longest(inputs, least).next()?;
        (long + 1..inputs.len()).find(|&at| inputs[at].input.size() < 3)
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
    async fn what_shows_at_the_third_of_a_kind_is_that_kind_three_times() {
        let mut fake = Fake::that(|inputs| longest(inputs, 10).nth(2));
        let mut inputs = some(64);
        let fifth = longest(&inputs, 10).nth(4).unwrap();
        inputs.truncate(fifth + 1);
        let last = inputs[inputs.len() - 1].input.acts.clone();
        let left = repeated(&mut fake, inputs).await;
        assert_eq!((left.len(), fake.replays), (3, 1));
        assert!(left.iter().all(|one| one.input.acts == last));
    }

    #[tokio::test]
    async fn inputs_of_different_kinds_are_left_as_they_are() {
        let mut fake = Fake::that(|inputs| short_behind(inputs, 10));
        let left = repeated(&mut fake, some(64)).await;
        assert_eq!((left.len(), fake.replays), (64, 2));
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
        let mut fake = Fake::that(|inputs| short_behind(inputs, 6));
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
}
