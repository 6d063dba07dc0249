//! FR 4: data confidentiality.

pub mod cr_4_1;
pub mod cr_4_2;
pub mod cr_4_2_re_1;
pub mod cr_4_2_re_2;
pub mod cr_4_3;
