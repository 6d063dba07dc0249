//! Which steps of a history are needed, and what of each.

use super::reduce::{Replays, next_part};
use super::shrink::replaced;
use crate::fuzz::input::{Act, Generated};

/// Leaves out the steps of a history that are not needed, and puts simpler ones in the place of those that are.
pub(super) async fn simpler_history<R: Replays>(
    on: &mut R,
    inputs: &mut Vec<Generated>,
    at: usize,
) {
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

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::super::shrink::shrunk;
    use super::*;
    use crate::fuzz::history::step::{Carried, Step};
    use crate::fuzz::input::{Input, Origin};

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
