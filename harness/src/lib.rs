//! Runs campaigns: the plan, the runner, and the commands around them.

#![deny(missing_docs)]

mod bench;
pub mod campaign;
pub mod check;
pub mod command;
pub mod compare;
pub mod explain;
pub mod list;
pub mod qualify;
pub mod redact;
pub mod replay;
pub mod report;
pub mod selftest;
mod signals;
pub mod sources;
pub mod verify;
