//! FR 3: system integrity.

pub mod cr_3_1;
pub mod cr_3_1_re_1;
pub mod cr_3_4;
pub mod cr_3_4_re_2;
pub mod cr_3_5;
pub mod cr_3_5_fuzz;
pub mod cr_3_6;
pub mod cr_3_7;
pub mod cr_3_8;
pub mod cr_3_9;
pub mod edr_3_10;
pub mod edr_3_13;
pub mod edr_3_14;
