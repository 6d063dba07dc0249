//! FR 7: resource availability.

pub mod cr_7_2;
pub mod cr_7_3;
pub mod cr_7_4;
pub mod cr_7_6;
pub mod cr_7_7;
pub mod cr_7_8;
