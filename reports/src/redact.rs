//! A copy of a campaign for others: what is cut is listed, what is left is as it was, and the copy is whole by itself.
//!
//! A value that is cut has the same mark in every place. All hashes of what was cut are keyed with a key that is made for the
//! copy and is no part of it: nothing can be guessed from them, and whoever has the key and the original can show what it was.

mod find;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::escape::escape;
use crate::journal::{Entry, Event};
use crate::record::{FileRecord, Found, Record};
use crate::sha256::{self, hex};
use find::SHORTEST;

/// What can be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Keys that decrypt what was recorded: they are cut from every copy.
    Keys,
    /// Network addresses.
    Addresses,
    /// Serial numbers.
    Serials,
    /// Who tested and who reviewed.
    People,
    /// All files of evidence.
    Evidence,
    /// Texts that were named.
    Texts,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Addresses => "addresses",
            Self::Serials => "serials",
            Self::People => "people",
            Self::Evidence => "evidence",
            Self::Texts => "texts",
        }
    }

    /// The word of one such value.
    fn one(self) -> &'static str {
        match self {
            Self::Addresses => "address",
            Self::Serials => "serial",
            Self::People => "person",
            Self::Keys | Self::Evidence | Self::Texts => "text",
        }
    }
}

/// What was cut from a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedactionRecord {
    /// SHA-256 of the copy's key and of the SHA-256, in hex, of the original's `tagmanifest-sha256.txt`: what its signature is over.
    pub original: String,
    /// The kinds of things that were looked for.
    pub what: Vec<String>,
    /// The values that were cut.
    pub values: Vec<CutValue>,
    /// The files that are not in the copy, or not as they were.
    pub files: Vec<CutFile>,
}

impl RedactionRecord {
    /// What it is, in a line.
    pub fn words(&self) -> String {
        let left_out = self.files.iter().filter(|file| file.left_out).count();
        format!(
            "a redacted copy of the campaign whose tag manifest has SHA-256 {}: looked for {}; {} values cut, {left_out} files left out, {} changed",
            self.original,
            self.what.join(", "),
            self.values.len(),
            self.files.len() - left_out
        )
    }
}

/// A value that was cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutValue {
    /// What stands in its place.
    pub mark: String,
    /// SHA-256 of the copy's key and the value.
    pub sha256: String,
}

/// A file that was cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutFile {
    /// Its path.
    pub path: String,
    /// SHA-256 of the copy's key and of its SHA-256 in the original, in hex.
    pub sha256: String,
    /// Whether it is not in the copy at all.
    pub left_out: bool,
}

/// A copy cannot be made.
#[derive(Debug, Error)]
pub enum RedactError {
    /// What is to be cut stands everywhere.
    #[error("`{0}` is too short to be cut: {SHORTEST} characters are the least")]
    Short(String),
    /// What is left is no journal.
    #[error("with that cut, what is left is no record any more ({0}): cut a longer text")]
    NoRecord(#[from] serde_json::Error),
    /// The original is a copy itself.
    #[error("it is a redacted copy itself: redact the original")]
    Copy,
}

/// A value that is cut wherever it stands.
#[derive(Clone, Debug)]
struct Sought {
    /// As it was first found.
    value: String,
    cut: CutValue,
}

/// Cuts what was asked for.
#[derive(Debug)]
pub struct Redactor {
    what: BTreeSet<Kind>,
    key: [u8; 32],
    /// Each value in lower case.
    values: BTreeMap<String, Sought>,
    counts: BTreeMap<Kind, usize>,
    files: Vec<CutFile>,
    /// What became of the files that a record names; none where one is left out.
    moved: BTreeMap<String, Option<FileRecord>>,
    /// Numbers that look like addresses and are none.
    versions: Vec<String>,
}

/// A hash from which nothing can be guessed without the key.
fn keyed(key: [u8; 32], what: &str) -> String {
    hex(&Sha256::new()
        .chain_update(key)
        .chain_update(what)
        .finalize())
}

impl Redactor {
    /// Cuts these kinds of things, and these texts, from a campaign with this record. The key is the copy's own, and random.
    ///
    /// # Errors
    /// A text is too short, or the campaign is a copy.
    pub fn new(
        mut what: BTreeSet<Kind>,
        texts: &[String],
        record: &Record,
        key: [u8; 32],
    ) -> Result<Self, RedactError> {
        if record.redaction.is_some() {
            return Err(RedactError::Copy);
        }
        what.insert(Kind::Keys);
        if !texts.is_empty() {
            what.insert(Kind::Texts);
        }
        let versions = [
            &record.dut.firmware,
            &record.slcert,
            &record.profile.version,
        ];
        let mut redactor = Self {
            key,
            values: BTreeMap::new(),
            counts: BTreeMap::new(),
            files: Vec::new(),
            moved: BTreeMap::new(),
            versions: versions.map(Clone::clone).to_vec(),
            what,
        };
        for text in texts {
            redactor.add(Kind::Texts, text)?;
        }
        if redactor.cuts(Kind::Serials)
            && let Some(serial) = &record.dut.serial
        {
            redactor.add(Kind::Serials, serial)?;
        }
        if redactor.cuts(Kind::People) {
            let operator = record.lab.iter().filter_map(|lab| lab.operator.as_ref());
            let reviewers = record.attestations.iter().map(|one| &one.reviewer);
            for person in operator.chain(reviewers) {
                redactor.add(Kind::People, person)?;
            }
        }
        Ok(redactor)
    }

    fn cuts(&self, kind: Kind) -> bool {
        self.what.contains(&kind)
    }

    fn add(&mut self, kind: Kind, value: &str) -> Result<(), RedactError> {
        let value = value.trim();
        if value.len() < SHORTEST {
            return Err(RedactError::Short(escape(value)));
        }
        let lower = value.to_ascii_lowercase();
        if self.values.contains_key(&lower) {
            return Ok(());
        }
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        let cut = CutValue {
            mark: format!("(cut {} {count})", kind.one()),
            sha256: keyed(self.key, value),
        };
        let sought = Sought {
            value: value.to_owned(),
            cut,
        };
        // In a record it stands escaped.
        self.values.insert(escape(&lower), sought.clone());
        self.values.insert(lower, sought);
        Ok(())
    }

    /// Looks for values in a text of the original; all texts are looked through before any is cut.
    pub fn look(&mut self, text: &str) {
        let mut found: Vec<(Kind, &str)> = Vec::new();
        if self.cuts(Kind::Addresses) {
            let versions = &self.versions;
            let addresses = find::addresses(text);
            let real = addresses.filter(|one| !versions.iter().any(|version| version == one));
            found.extend(real.map(|one| (Kind::Addresses, one)));
        }
        if self.cuts(Kind::Serials) {
            found.extend(find::serials(text).map(|one| (Kind::Serials, one)));
        }
        for (kind, value) in found {
            // What is found is long enough to be cut, or no harm.
            let _ = self.add(kind, value);
        }
    }

    /// A text without what is cut.
    pub fn cut(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for (at, length, cut) in self.hits(text.as_bytes()) {
            // A value's ends are those of characters, as it is text itself.
            if at >= done && text.is_char_boundary(at) && text.is_char_boundary(at + length) {
                out.push_str(&text[done..at]);
                out.push_str(&cut.mark);
                done = at + length;
            }
        }
        out.push_str(&text[done..]);
        out
    }

    /// Whether anything that is to be cut stands in these bytes, as it is or in hex; the mark that it has.
    pub fn holds(&self, bytes: &[u8]) -> Option<&str> {
        if let Some((.., cut)) = self.hits(bytes).first() {
            return Some(&cut.mark);
        }
        let lower = bytes.to_ascii_lowercase();
        let hexed = self.values.iter().find(|(value, sought)| {
            let written = [
                sought.value.clone(),
                value.to_ascii_uppercase(),
                value.to_string(),
            ];
            let forms = written.iter().flat_map(|value| hex_forms(value.as_bytes()));
            forms
                .into_iter()
                .any(|form| find_in(&lower, form.as_bytes(), 0).is_some())
        });
        hexed.map(|(_, sought)| sought.cut.mark.as_str())
    }

    /// Where values stand in a text, in order, the longest first where several begin.
    fn hits(&self, text: &[u8]) -> Vec<(usize, usize, &CutValue)> {
        let lower = text.to_ascii_lowercase();
        let mut hits = Vec::new();
        for (value, sought) in &self.values {
            let mut from = 0;
            while let Some(at) = find_in(&lower, value.as_bytes(), from) {
                if is_whole(&lower, at, value.len()) {
                    hits.push((at, value.len(), &sought.cut));
                }
                from = at + 1;
            }
        }
        hits.sort_by_key(|(at, length, _)| (*at, std::cmp::Reverse(*length)));
        hits
    }

    /// What becomes of a file of evidence: its path and its bytes in the copy; none where it is left out.
    pub fn file(&mut self, path: &str, bytes: Vec<u8>) -> Option<(String, Vec<u8>)> {
        let shown = self.cut(path);
        let kept = self.kept(path, &bytes);
        let changed = kept.as_ref() != Some(&bytes);
        if changed || shown != path {
            self.files.push(CutFile {
                path: shown.clone(),
                sha256: keyed(self.key, &sha256::of_bytes(&bytes)),
                left_out: kept.is_none(),
            });
        }
        let moved = kept.as_ref().map(|bytes| FileRecord {
            path: shown.clone(),
            sha256: sha256::of_bytes(bytes),
        });
        self.moved.insert(path.to_owned(), moved);
        Some((shown, kept?))
    }

    fn kept(&self, path: &str, bytes: &[u8]) -> Option<Vec<u8>> {
        if self.cuts(Kind::Evidence) || has_keys(path, bytes) {
            return None;
        }
        let by_value = [Kind::Addresses, Kind::Serials, Kind::People, Kind::Texts];
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                let cut = self.cut(text).into_bytes();
                self.holds(&cut).is_none().then_some(cut)
            }
            // Nobody can look for a value in a picture.
            Err(_) if by_value.into_iter().any(|kind| self.cuts(kind)) => None,
            Err(_) => Some(bytes.to_vec()),
        }
    }

    /// The journal of the copy, when all files have been through. `original` is the hash of the original's tag manifest.
    ///
    /// # Errors
    /// What is left is no journal.
    pub fn journal(&self, entries: &[Entry], original: &str) -> Result<Vec<Entry>, RedactError> {
        let mut values: Vec<_> = self.values.values().map(|one| one.cut.clone()).collect();
        values.sort_by(|a, b| a.mark.cmp(&b.mark));
        values.dedup();
        let redaction = RedactionRecord {
            original: keyed(self.key, original),
            what: self
                .what
                .iter()
                .map(|kind| kind.word().to_owned())
                .collect(),
            values,
            files: self.files.clone(),
        };
        let cut = entries.iter().map(|entry| {
            let mut entry = entry.clone();
            self.follow(&mut entry.event);
            let mut value = serde_json::to_value(&entry.event)?;
            self.cut_strings(&mut value);
            entry.event = serde_json::from_value(value)?;
            if let Event::CampaignStarted { record } = &mut entry.event {
                record.redaction = Some(redaction.clone());
            }
            Ok(entry)
        });
        cut.collect()
    }

    /// Names the files of a trial, or of an answer, as they are in the copy.
    fn follow(&self, event: &mut Event) {
        let follow = |files: &mut Vec<FileRecord>| {
            *files = std::mem::take(files)
                .into_iter()
                .filter_map(|file| match self.moved.get(&file.path) {
                    Some(moved) => moved.clone(),
                    None => Some(file),
                })
                .collect();
        };
        match event {
            Event::TrialFound(trial) | Event::TrialFinished(trial) => follow(&mut trial.evidence),
            Event::Answered { attestations } => {
                let inspections = attestations.iter_mut();
                // A document does not lie in the campaign's folder.
                for one in inspections.filter(|one| one.found != Found::Document) {
                    follow(&mut one.files);
                }
            }
            _ => {}
        }
    }

    fn cut_strings(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.cut(text),
            Value::Array(values) => values.iter_mut().for_each(|one| self.cut_strings(one)),
            Value::Object(map) => map.values_mut().for_each(|one| self.cut_strings(one)),
            _ => {}
        }
    }
}

/// How dumps write bytes in hex.
fn hex_forms(bytes: &[u8]) -> [String; 4] {
    let hex = hex(bytes);
    let pairs: Vec<&str> = (0..hex.len())
        .step_by(2)
        .map(|at| &hex[at..at + 2])
        .collect();
    let (blank, colon, dash) = (pairs.join(" "), pairs.join(":"), pairs.join("-"));
    [hex, blank, colon, dash]
}

/// Whether a file has keys in it: by its place, or by what it is.
fn has_keys(path: &str, bytes: &[u8]) -> bool {
    let by_name = path.split('/').any(|part| part == "keys")
        || [".keys", ".keylog", ".key"]
            .iter()
            .any(|end| path.ends_with(end));
    // The lines of a key log, and the block of a pcapng file that holds them (its type of secrets is "TLSK").
    let words: [&[u8]; 5] = [
        b"CLIENT_RANDOM ",
        b"CLIENT_TRAFFIC_SECRET_",
        b"SERVER_TRAFFIC_SECRET_",
        b"CLIENT_HANDSHAKE_TRAFFIC_SECRET ",
        b"PRIVATE KEY-----",
    ];
    by_name || words.iter().any(|word| find_in(bytes, word, 0).is_some())
}

/// Whether what stands there is all of it: no part of a hash, and of no longer number.
fn is_whole(text: &[u8], at: usize, length: usize) -> bool {
    let end = at + length;
    let digit = |at: Option<usize>| {
        at.and_then(|at| text.get(at))
            .is_some_and(u8::is_ascii_digit)
    };
    let runs_on = digit(Some(at)) && digit(at.checked_sub(1))
        || digit(end.checked_sub(1)) && digit(Some(end));
    let hex = |byte: &&u8| byte.is_ascii_hexdigit();
    let before = text[..at].iter().rev().take_while(hex).take(65).count();
    let after = text[end..].iter().take_while(hex).take(65).count();
    let in_hash = text[at..end].iter().all(u8::is_ascii_hexdigit) && before + length + after == 64;
    !runs_on && !in_hash
}

fn find_in(text: &[u8], what: &[u8], from: usize) -> Option<usize> {
    let found = memchr::memmem::find(text.get(from..)?, what)?;
    Some(from + found)
}

#[cfg(test)]
mod tests;
