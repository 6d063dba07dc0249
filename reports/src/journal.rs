//! The journal of a campaign: `journal.jsonl`, append-only, one event a line, on disk before the campaign goes on.
//!
//! Each line names the SHA-256 of the line before it, so a line that was changed, taken out or put in breaks the chain
//! from there on. A campaign that is killed leaves at most its last line torn, which is told apart from a broken chain.

mod chain;
mod replay;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::record::{AttestationRecord, Record, TrialRecord};
use crate::selftest::SelfTestRecord;
use crate::store::sync_folder;
use chain::Chain;
pub use chain::Fault;

/// The longest line, in bytes.
const LONGEST_LINE: usize = 64 * 1024 * 1024;
/// The longest journal, in bytes.
const LONGEST: u64 = 1024 * 1024 * 1024;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
// One event is alive at a time, so its size does not matter.
#[allow(clippy::large_enum_variant)]
pub enum Event {
    /// The campaign began. The record has no trials yet.
    CampaignStarted {
        /// All that is fixed before the run.
        record: Record,
    },
    /// A campaign that was cut short goes on.
    CampaignResumed {
        /// The torn line that was cut off.
        torn: Option<Torn>,
    },
    /// The bench has tested itself.
    SelfTested(SelfTestRecord),
    /// A trial began.
    TrialStarted {
        /// Its id.
        id: String,
    },
    /// A trial has found something, and goes on: what it has come to so far.
    TrialFound(TrialRecord),
    /// A trial ended.
    TrialFinished(TrialRecord),
    /// A person has answered what a trial asked for.
    Answered {
        /// What was found, for each requirement that the answer is about.
        attestations: Vec<AttestationRecord>,
    },
    /// The campaign ended.
    CampaignFinished {
        /// Whether it ended before its plan did.
        interrupted: bool,
    },
}

/// One line of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its number, from 0.
    pub seq: u64,
    /// When it was written, in UTC.
    pub time: Timestamp,
    /// SHA-256 of the line before it, without the line's end, in hex; 64 zeros in the first line.
    pub prev: String,
    /// What happened.
    pub event: Event,
}

/// The last line was not written to its end: the campaign was killed in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Torn {
    /// The line's number, from 1.
    pub line: u64,
    /// How many bytes of it are there.
    pub bytes: u64,
}

/// A journal cannot be written, or cannot be believed.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The file system refused.
    #[error("cannot {verb} the journal {}: {source}", path.display())]
    Io {
        /// What was tried: `create`, `read`, `resume`, `append to`.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another campaign is writing it.
    #[error("the journal {} is in use by another campaign", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A line does not follow from the line before it.
    #[error("the journal {} is broken at line {line}: {fault}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: u64,
        /// What is wrong with it.
        fault: Fault,
    },
    /// It is longer than any journal.
    #[error("the journal {} is longer than {LONGEST} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// An event is too long for a line.
    #[error(
        "an event of {bytes} bytes is too long for the journal: {LONGEST_LINE} bytes go into a line"
    )]
    LongEvent {
        /// Its length.
        bytes: usize,
    },
    /// An event cannot be written as JSON.
    #[error("an event cannot be written as JSON: {0}")]
    Event(#[from] serde_json::Error),
    /// It does not tell of a campaign.
    #[error("the journal does not begin with a campaign")]
    NoCampaign,
}

/// A journal that is open for writing. No other process can write it as long as this one lives.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    chain: Chain,
}

impl Journal {
    /// Begins a journal. A file that is there already is left alone.
    ///
    /// # Errors
    /// [`JournalError::Io`] if the file is there or the folder does not take it, [`JournalError::InUse`].
    pub fn create(path: &Path) -> Result<Self, JournalError> {
        let io = |source| JournalError::Io {
            verb: "create",
            path: path.to_owned(),
            source,
        };
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(path)
            .map_err(io)?;
        lock(&file, path)?;
        let folder = path
            .parent()
            .filter(|folder| *folder != Path::new(""))
            .unwrap_or(Path::new("."));
        sync_folder(folder).map_err(io)?;
        Ok(Self {
            file,
            path: path.to_owned(),
            chain: Chain::new(),
        })
    }

    /// Goes on with the journal of a campaign that was cut short: checks it, cuts a torn last line off, says so in
    /// the journal, and returns what it holds up to there.
    ///
    /// # Errors
    /// As [`Journal::read`] and [`Journal::append`].
    pub fn resume(path: &Path) -> Result<(Self, Vec<Entry>), JournalError> {
        let io = |source| JournalError::Io {
            verb: "resume",
            path: path.to_owned(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .open(path)
            .map_err(io)?;
        lock(&file, path)?;
        let (entries, torn, chain) = chain::read(&mut file, path)?;
        if let Some(torn) = torn {
            let end = file.seek(SeekFrom::End(0)).map_err(io)?;
            file.set_len(end.saturating_sub(torn.bytes)).map_err(io)?;
        }
        let mut journal = Self {
            file,
            path: path.to_owned(),
            chain,
        };
        journal.append(&Event::CampaignResumed { torn })?;
        Ok((journal, entries))
    }

    /// Writes one event and waits until it is on disk; the time that it stands under.
    ///
    /// # Errors
    /// [`JournalError`] if the event is too long or the disk does not take it. The journal is then not to be used
    /// any more: its last line may be torn.
    pub fn append(&mut self, event: &Event) -> Result<Timestamp, JournalError> {
        let time = Timestamp::now();
        let (line, next) = line(&self.chain, time, event)?;
        self.file
            .write_all(&line)
            .and_then(|()| self.file.sync_data())
            .map_err(|source| JournalError::Io {
                verb: "append to",
                path: self.path.clone(),
                source,
            })?;
        self.chain = next;
        Ok(time)
    }

    /// Reads a journal and checks its chain. A last line without its end is not part of it, and is told of.
    ///
    /// # Errors
    /// [`JournalError::Broken`] with the number of the first line that does not follow; [`JournalError::Io`],
    /// [`JournalError::TooLong`].
    pub fn read(path: &Path) -> Result<(Vec<Entry>, Option<Torn>), JournalError> {
        let mut file = File::open(path).map_err(|source| JournalError::Io {
            verb: "read",
            path: path.to_owned(),
            source,
        })?;
        chain::read(&mut file, path).map(|(entries, torn, _)| (entries, torn))
    }
}

/// The text of a journal with these events at their times, chained anew.
///
/// # Errors
/// [`JournalError::Event`], [`JournalError::LongEvent`].
pub fn text(entries: &[Entry]) -> Result<Vec<u8>, JournalError> {
    let mut chain = Chain::new();
    let mut text = Vec::new();
    for entry in entries {
        let (line, next) = line(&chain, entry.time, &entry.event)?;
        text.extend(line);
        chain = next;
    }
    Ok(text)
}

/// The line of an event with its end, and the chain after it.
fn line(chain: &Chain, time: Timestamp, event: &Event) -> Result<(Vec<u8>, Chain), JournalError> {
    let mut line = serde_json::to_vec(&EntryRef {
        seq: chain.seq,
        time,
        prev: &chain.prev,
        event,
    })?;
    if line.len() > LONGEST_LINE {
        return Err(JournalError::LongEvent { bytes: line.len() });
    }
    let next = chain.after(&line);
    line.push(b'\n');
    Ok((line, next))
}

/// An [`Entry`] that borrows its event.
#[derive(Serialize)]
struct EntryRef<'a> {
    seq: u64,
    time: Timestamp,
    prev: &'a str,
    event: &'a Event,
}

fn lock(file: &File, path: &Path) -> Result<(), JournalError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(JournalError::InUse {
            path: path.to_owned(),
        }),
        // A file system without locks is no reason not to test.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        Err(TryLockError::Error(source)) => Err(JournalError::Io {
            verb: "lock",
            path: path.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests;
