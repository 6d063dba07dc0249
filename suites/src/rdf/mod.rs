//! FR 5: restricted data flow.

pub mod cr_5_1;
pub mod ndr_5_2;
pub mod ndr_5_2_re_1;
pub mod ndr_5_2_re_2;
pub mod ndr_5_2_re_3;
pub mod ndr_5_3;
