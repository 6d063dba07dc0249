//! What was found: the record of a campaign, its assessment, and the views of it.
//!
//! ```text
//! journal.jsonl ──► Record ──► result.json
//!                     │
//!                     └─► assess ──► Assessment ──► views, summary, exit_status
//! ```
//!
//! One way, no going back: a view is rendered from the record and its assessment, never from a device.
//!
//! ```no_run
//! use slcert_reports::{Journal, Record, assess, exit_status, summary, views};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = std::path::Path::new("campaigns/one");
//! let (entries, _torn) = Journal::read(&folder.join("journal.jsonl"))?;
//! let record = Record::from_journal(&entries)?;
//! record.write(&folder.join("result.json"))?;
//!
//! let assessment = assess(&record);
//! for view in views(&record, &assessment)? {
//!     view.write(folder)?;
//! }
//! print!("{}", summary(&record, &assessment, false, 100));
//! std::process::exit(exit_status(&assessment, record.interrupted, false).into());
//! # }
//! ```

#![deny(missing_docs)]

pub mod assess;
pub mod attestation;
pub mod bag;
pub mod compare;
pub mod csv;
pub mod ctrf;
pub mod escape;
pub mod github;
pub mod html;
pub mod journal;
pub mod junit;
pub mod lab;
pub mod markdown;
pub mod metrics;
pub mod notice;
pub mod oscal;
pub mod record;
pub mod redact;
pub mod selftest;
pub mod sha256;
pub mod store;
pub mod summary;
pub mod timeline;
pub mod verdict;
pub mod view;
pub mod wanted;

pub use assess::{Assessment, assess, exit_status};
pub use escape::{defuse, escape, escape_bytes, excerpt, one_line};
pub use journal::{Entry, Event, Journal, JournalError};
pub use junit::{Flavour, JunitError, JunitOptions, junit, junit_with};
pub use metrics::metrics;
pub use record::Record;
pub use store::RecordError;
pub use summary::summary;
pub use verdict::Verdict;
pub use view::{View, ViewError, views};
pub use wanted::Wanted;

// The example is shared with the tests outside of the crate, so it names the crate as they do.
#[cfg(test)]
extern crate self as slcert_reports;
#[cfg(test)]
#[path = "../tests/example/mod.rs"]
mod example;
