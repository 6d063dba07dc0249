//! FR 7: resource availability.

pub mod cr_7_7;
pub mod cr_7_8;
