//! FR 1: identification and authentication control.

pub mod cr_1_1;
pub mod cr_1_10;
pub mod cr_1_11;
pub mod cr_1_12;
pub mod cr_1_14;
pub mod cr_1_1_re_1;
pub mod cr_1_1_re_2;
pub mod cr_1_2;
pub mod cr_1_2_re_1;
pub mod cr_1_3;
pub mod cr_1_4;
pub mod cr_1_5;
pub mod cr_1_7;
pub mod cr_1_7_re_1;
pub mod cr_1_7_re_2;
pub mod cr_1_8;
pub mod cr_1_9;
pub mod ndr_1_13;
pub mod ndr_1_13_re_1;
