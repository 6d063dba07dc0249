//! FR 6: timely response to events.

pub mod cr_6_1;
pub mod cr_6_1_re_1;
pub mod cr_6_2;
