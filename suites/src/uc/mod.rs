//! FR 2: use control.

pub mod cr_2_1;
pub mod cr_2_10;
pub mod cr_2_11;
pub mod cr_2_11_re_1;
pub mod cr_2_11_re_2;
pub mod cr_2_12;
pub mod cr_2_12_re_1;
pub mod cr_2_1_re_1;
pub mod cr_2_1_re_2;
pub mod cr_2_1_re_3;
pub mod cr_2_1_re_4;
pub mod cr_2_5;
pub mod cr_2_6;
pub mod cr_2_7;
pub mod cr_2_8;
pub mod cr_2_9;
pub mod cr_2_9_re_1;
pub mod edr_2_4;
