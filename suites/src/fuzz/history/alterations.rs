//! Which alterations are tried: at a file's head, at its end and anywhere, small ones more often than large ones.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

use super::alteration::Alteration;

/// The part of a file in which its header is looked for, and the one in which its signature is.
const HEAD: i64 = 64;
const TAIL: i64 = 96;

/// Any alterations of a file that has this many bytes, with parts of others in it; of text where numbers are worth it.
pub fn alterations(length: usize, others: &[String], text: bool) -> BoxedStrategy<Vec<Alteration>> {
    let one = alteration(length, others, text);
    prop_oneof![
        4 => prop::collection::vec(one.clone(), 1),
        1 => prop::collection::vec(one, 2..=3),
    ]
    .boxed()
}

fn alteration(length: usize, others: &[String], text: bool) -> BoxedStrategy<Alteration> {
    let length = i64::try_from(length).unwrap_or(i64::MAX).max(1);
    let at = || {
        let (head, tail) = (0..HEAD.min(length), -TAIL.min(length)..0);
        prop_oneof![2 => head, 1 => tail, 3 => 0..length]
    };
    let count = || prop_oneof![1..=4u32, 1..=256u32];
    let value = || prop_oneof![Just(0u8), Just(0xFF), any::<u8>()];
    let mut all = vec![
        (
            6,
            (at(), 0..8u8)
                .prop_map(|(at, bit)| Alteration::Flip { at, bit })
                .boxed(),
        ),
        (
            3,
            (at(), count(), value())
                .prop_map(|(at, count, value)| Alteration::Fill { at, count, value })
                .boxed(),
        ),
        (
            1,
            (at(), count(), value())
                .prop_map(|(at, count, value)| Alteration::Insert { at, count, value })
                .boxed(),
        ),
        (
            1,
            (at(), count())
                .prop_map(|(at, count)| Alteration::Remove { at, count })
                .boxed(),
        ),
        (
            1,
            (at(), at(), count())
                .prop_map(|(at, with, count)| Alteration::Swap { at, with, count })
                .boxed(),
        ),
        (1, at().prop_map(|at| Alteration::Cut { at }).boxed()),
        (
            1,
            (count(), value())
                .prop_map(|(count, value)| Alteration::Append { count, value })
                .boxed(),
        ),
    ];
    if text {
        all.push((12, at().prop_map(|at| Alteration::Number { at }).boxed()));
    }
    if !others.is_empty() {
        let graft = (select(others.to_vec()), at(), count());
        all.push((
            2,
            graft
                .prop_map(|(of, at, count)| Alteration::Graft { of, at, count })
                .boxed(),
        ));
    }
    Union::new_weighted(all).boxed()
}
