//! Which of the inputs are needed.

use std::future::Future;

use super::Power;
use crate::fuzz::generate::Shrinker;
use crate::fuzz::input::{Generated, Input, Origin};
use crate::fuzz::window::kept;

/// The most inputs that are tried in the place of all.
const MODELS: usize = 8;

/// So many of the last inputs may be the one that did it: others were sent before it showed.
const LAST: usize = 2;
/// So often it is sent alone at the most.
const COPIES: usize = 8;

/// Who sends inputs again, and sees whether they bring the same about.
pub(super) trait Replays: Send {
    /// Whether these do.
    fn again(&mut self, inputs: &[Generated], power: Power) -> impl Future<Output = bool> + Send;
    /// How many of the last ones had been sent when it showed.
    fn sent(&self) -> usize;
    /// Whether there is no time for another replay.
    fn is_over(&self) -> bool;
    /// What makes an input simpler.
    fn shrinker(&self, origin: Origin) -> Option<Shrinker>;
}

/// One of the last inputs again and again, where that does as well: what shows at the third of a kind needs nothing else, and all
/// others need not be left out one by one.
pub(super) async fn repeated<R: Replays>(on: &mut R, inputs: Vec<Generated>) -> Vec<Generated> {
    if inputs.len() <= LAST || inputs.iter().any(|one| one.input.is_history()) {
        return inputs;
    }
    let mut places = inputs[inputs.len().saturating_sub(COPIES)..].to_vec();
    places[0].input.anew = true;
    let models = inputs.iter().rev().take(LAST);
    let copies = one_for_all(on, &places, models).await;
    copies.unwrap_or(inputs)
}

/// Leaves out what is not needed, the larger parts first; order and connections stay.
pub(super) async fn reduced<R: Replays>(on: &mut R, mut inputs: Vec<Generated>) -> Vec<Generated> {
    let mut part = inputs.len().div_ceil(2);
    while inputs.len() > 1 && part > 0 {
        let mut from = 0;
        let mut left_out = false;
        while from < inputs.len() && inputs.len() > 1 && !on.is_over() {
            let to = (from + part).min(inputs.len());
            let keep: Vec<bool> = (0..inputs.len()).map(|at| at < from || at >= to).collect();
            let mut rest = kept(&inputs, &keep);
            if !rest.is_empty() && on.again(&rest, Power::Cycle).await {
                rest.truncate(on.sent());
                inputs = rest;
                left_out = true;
            } else {
                from = to;
            }
        }
        if on.is_over() {
            break;
        }
        part = next_part(part, left_out);
    }
    inputs
}

/// Puts one of the inputs in the place of all where that does as well, the smaller first: one is made smaller sooner than
/// several, and says more.
pub(super) async fn alike<R: Replays>(on: &mut R, inputs: Vec<Generated>) -> Vec<Generated> {
    let same = |one: &Generated| one.input.acts == inputs[0].input.acts;
    if inputs.iter().all(same) || inputs.iter().any(|one| one.input.is_history()) {
        return inputs;
    }
    let mut models: Vec<_> = inputs.iter().collect();
    models.sort_by_key(|one| one.input.size());
    let models = models.into_iter().take(MODELS);
    match one_for_all(on, &inputs, models).await {
        // Where some of them did it only at times, more were left than it takes.
        Some(same) => reduced(on, same).await,
        None => inputs,
    }
}

/// The first model that does as well in the place of all, up to where it shows; none where none does.
async fn one_for_all<'g, R: Replays>(
    on: &mut R,
    places: &[Generated],
    models: impl Iterator<Item = &'g Generated> + Send,
) -> Option<Vec<Generated>> {
    for model in models {
        if on.is_over() {
            break;
        }
        let mut tried: Vec<_> = places.iter().map(|one| in_place_of(one, model)).collect();
        if on.again(&tried, Power::Cycle).await {
            tried.truncate(on.sent());
            return Some(tried);
        }
    }
    None
}

/// An input in the place of another, which may have begun a connection.
fn in_place_of(one: &Generated, model: &Generated) -> Generated {
    Generated {
        input: Input {
            anew: one.input.anew,
            ..model.input.clone()
        },
        origin: model.origin.clone(),
    }
}

/// How large a part is left out next; 0 once parts of one have been tried in vain.
pub(super) fn next_part(part: usize, left_out: bool) -> usize {
    match part {
        1 if !left_out => 0,
        1 => 1,
        more => more.div_ceil(2),
    }
}
