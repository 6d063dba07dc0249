//! What was found: the record of a campaign, its assessment, and the views of it.

#![deny(missing_docs)]

pub mod assess;
pub mod escape;
pub mod journal;
pub mod junit;
pub mod record;
pub mod store;
pub mod summary;
pub mod verdict;

pub use assess::{Assessment, assess, exit_status};
pub use escape::{defuse, escape, escape_bytes, excerpt, one_line};
pub use journal::{Entry, Event, Journal, JournalError};
pub use junit::{JunitError, JunitOptions, junit, junit_with};
pub use record::Record;
pub use store::RecordError;
pub use summary::summary;
pub use verdict::Verdict;

// The example is shared with the tests outside of the crate, so it names the crate as they do.
#[cfg(test)]
extern crate self as slcert_reports;
#[cfg(test)]
#[path = "../tests/example/mod.rs"]
mod example;
