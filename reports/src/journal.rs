//! The journal of a campaign: `journal.jsonl`, append-only, one event a line, on disk before the campaign goes on.
//!
//! Each line names the SHA-256 of the line before it, so a line that was changed, taken out or put in breaks the chain
//! from there on. A campaign that is killed leaves at most its last line torn, which is told apart from a broken chain.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::record::{Record, TrialRecord};
use crate::store::sync_folder;
use crate::verdict::Verdict;

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
    /// A trial began.
    TrialStarted {
        /// Its id.
        id: String,
    },
    /// A trial ended.
    TrialFinished(TrialRecord),
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
        let (entries, torn, chain) = read(&mut file, path)?;
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

    /// Writes one event and waits until it is on disk.
    ///
    /// # Errors
    /// [`JournalError`] if the event is too long or the disk does not take it. The journal is then not to be used
    /// any more: its last line may be torn.
    pub fn append(&mut self, event: &Event) -> Result<(), JournalError> {
        let entry = EntryRef {
            seq: self.chain.seq,
            time: Timestamp::now(),
            prev: &self.chain.prev,
            event,
        };
        let mut line = serde_json::to_vec(&entry)?;
        if line.len() > LONGEST_LINE {
            return Err(JournalError::LongEvent { bytes: line.len() });
        }
        let next = self.chain.after(&line);
        line.push(b'\n');
        self.file
            .write_all(&line)
            .and_then(|()| self.file.sync_data())
            .map_err(|source| JournalError::Io {
                verb: "append to",
                path: self.path.clone(),
                source,
            })?;
        self.chain = next;
        Ok(())
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
        read(&mut file, path).map(|(entries, torn, _)| (entries, torn))
    }
}

impl Record {
    /// The record that a journal tells of, finished or not.
    ///
    /// A campaign whose end is not in the journal was interrupted. A trial that ended twice, because its campaign was
    /// resumed, keeps its first verdict unless that was INCONCLUSIVE or NOT EVALUATED, or the second is worse: no
    /// repetition turns a FAIL into a PASS.
    ///
    /// # Errors
    /// [`JournalError::NoCampaign`] if the first entry is not the beginning of a campaign, or another begins later.
    pub fn from_journal(entries: &[Entry]) -> Result<Self, JournalError> {
        let Some((
            Entry {
                event: Event::CampaignStarted { record },
                ..
            },
            rest,
        )) = entries.split_first()
        else {
            return Err(JournalError::NoCampaign);
        };
        let mut record = Self {
            trials: Vec::new(),
            finished: None,
            interrupted: true,
            ..record.clone()
        };
        for entry in rest {
            match &entry.event {
                Event::CampaignStarted { .. } => return Err(JournalError::NoCampaign),
                Event::TrialStarted { .. } => {}
                Event::TrialFinished(trial) => record.add(trial),
                Event::CampaignResumed { .. } => {
                    record.finished = None;
                    record.interrupted = true;
                }
                Event::CampaignFinished { interrupted } => {
                    record.finished = Some(entry.time);
                    record.interrupted = *interrupted;
                }
            }
        }
        Ok(record)
    }

    fn add(&mut self, trial: &TrialRecord) {
        match self.trials.iter_mut().find(|one| one.id == trial.id) {
            None => self.trials.push(trial.clone()),
            Some(first) => {
                let open = matches!(first.verdict, Verdict::Inconclusive | Verdict::NotEvaluated);
                if open || trial.verdict.is_worse_than(first.verdict) {
                    *first = trial.clone();
                }
            }
        }
    }
}

/// An [`Entry`] that borrows its event.
#[derive(Serialize)]
struct EntryRef<'a> {
    seq: u64,
    time: Timestamp,
    prev: &'a str,
    event: &'a Event,
}

/// What the next line has to name.
#[derive(Debug)]
struct Chain {
    seq: u64,
    prev: String,
}

impl Chain {
    fn new() -> Self {
        Self {
            seq: 0,
            prev: "0".repeat(64),
        }
    }

    fn after(&self, line: &[u8]) -> Self {
        let hash = Sha256::digest(line);
        Self {
            seq: self.seq + 1,
            prev: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
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

fn read(file: &mut File, path: &Path) -> Result<(Vec<Entry>, Option<Torn>, Chain), JournalError> {
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

#[cfg(test)]
mod tests;
