//! The common component security constraints.

pub mod ccsc_1;
