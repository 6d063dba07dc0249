//! The chain of hashes: how a line names the one before it, and how a file is read that claims to be chained.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::sha256;
use thiserror::Error;

use super::{Entry, JournalError, LONGEST, LONGEST_LINE, Torn};

/// What is wrong with a line.
#[derive(Debug, Error)]
pub enum Fault {
    /// It is no entry.
    #[error("it is no entry: {0}")]
    Shape(serde_json::Error),
    /// Its number is not the next one.
    #[error("it has number {found} where {expected} comes next")]
    Seq {
        /// The number that comes next.
        expected: u64,
        /// The number that it has.
        found: u64,
    },
    /// The line before it is not the one that it was written after.
    #[error("the line before it was changed, or this one was put in")]
    Chain,
    /// It is longer than any entry.
    #[error("it is longer than {LONGEST_LINE} bytes")]
    TooLong,
}

/// What the next line has to name.
#[derive(Debug)]
pub(super) struct Chain {
    pub seq: u64,
    pub prev: String,
}

impl Chain {
    pub fn new() -> Self {
        Self {
            seq: 0,
            prev: "0".repeat(64),
        }
    }

    pub fn after(&self, line: &[u8]) -> Self {
        Self {
            seq: self.seq + 1,
            prev: sha256::of_bytes(line),
        }
    }

    fn check(&self, line: &[u8]) -> Result<Entry, Fault> {
        let entry: Entry = serde_json::from_slice(line).map_err(Fault::Shape)?;
        if entry.seq != self.seq {
            return Err(Fault::Seq {
                expected: self.seq,
                found: entry.seq,
            });
        }
        if entry.prev != self.prev {
            return Err(Fault::Chain);
        }
        Ok(entry)
    }
}

/// Reads a journal from its beginning, up to a torn last line.
pub(super) fn read(
    file: &mut File,
    path: &Path,
) -> Result<(Vec<Entry>, Option<Torn>, Chain), JournalError> {
    let io = |source| JournalError::Io {
        verb: "read",
        path: path.to_owned(),
        source,
    };
    if file.metadata().map_err(io)?.len() > LONGEST {
        return Err(JournalError::TooLong {
            path: path.to_owned(),
        });
    }
    let mut reader = BufReader::new(file);
    let mut entries = Vec::new();
    let mut chain = Chain::new();
    loop {
        let mut line = Vec::new();
        reader
            .by_ref()
            .take(LONGEST_LINE as u64 + 1)
            .read_until(b'\n', &mut line)
            .map_err(io)?;
        let number = entries.len() as u64 + 1;
        let broken = |fault| JournalError::Broken {
            path: path.to_owned(),
            line: number,
            fault,
        };
        if line.is_empty() {
            return Ok((entries, None, chain));
        }
        if line.pop_if(|last| *last == b'\n').is_none() {
            if line.len() > LONGEST_LINE {
                return Err(broken(Fault::TooLong));
            }
            let torn = Torn {
                line: number,
                bytes: line.len() as u64,
            };
            return Ok((entries, Some(torn), chain));
        }
        entries.push(chain.check(&line).map_err(broken)?);
        chain = chain.after(&line);
    }
}
