//! The campaign's folder as a bag (BagIt 1.0, RFC 8493): every file hashed, in a form that tools of others check.
//!
//! ```text
//! bagit.txt  bag-info.txt          what this is
//! manifest-sha256.txt              SHA-256 of every file in data/
//! tagmanifest-sha256.txt           SHA-256 of the three above
//! tagmanifest-sha256.txt.sig       whoever signs, signs this: see `signature`
//! attestation.dsse.json            the same as an in-toto statement
//! data/                            what was found
//! ```

mod manifest;
pub mod signature;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::escape::{one_line, shorten};
use crate::record::Record;
use crate::store::{replace, sweep};
use manifest::Hashes;

/// The folder of what was found.
pub const DATA: &str = "data";
/// The list of what is in [`DATA`].
const MANIFEST: &str = "manifest-sha256.txt";
/// The list of the files beside it: what a signature is over.
pub const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";
/// The signature, which no list has.
pub const SIGNATURE: &str = "tagmanifest-sha256.txt.sig";
/// What the signature states, which no list has either.
pub const STATEMENT: &str = "attestation.dsse.json";
/// The files that [`TAG_MANIFEST`] lists.
const TAGS: [&str; 3] = ["bagit.txt", "bag-info.txt", MANIFEST];
/// What every bag says of itself.
const DECLARATION: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
/// The longest value in `bag-info.txt`.
const LONGEST_INFO: usize = 500;
/// The longest manifest that is read, in bytes.
const LONGEST: u64 = 64 * 1024 * 1024;

/// A bag cannot be read or written.
#[derive(Debug, Error)]
pub enum BagError {
    /// The file system refused.
    #[error("cannot {verb} {}: {source}", path.display())]
    Io {
        /// What was tried: `read`, `write`.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It was never sealed.
    #[error("{} is not sealed: it has no {TAG_MANIFEST}", _0.display())]
    NotSealed(PathBuf),
}

/// One thing that is not as it was sealed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file's path in the bag.
    pub path: String,
    /// What is wrong with it.
    pub kind: FaultKind,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// It has other bytes.
    Changed,
    /// It is not there.
    Missing,
    /// No list has it.
    Added,
    /// It is a list, and this line of it is none that a list has.
    Line(usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = one_line(&self.path);
        match self.kind {
            FaultKind::Changed => write!(f, "changed  {path}"),
            FaultKind::Missing => write!(f, "missing  {path}"),
            FaultKind::Added => write!(f, "added    {path}"),
            FaultKind::Line(line) => write!(f, "changed  {path}, at line {line}"),
        }
    }
}

/// What a bag holds, when it is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// How many files are in [`DATA`].
    pub files: usize,
    /// How many bytes they have.
    pub bytes: u64,
}

/// Whether a campaign's folder was sealed.
pub fn is_sealed(root: &Path) -> bool {
    root.join(TAG_MANIFEST).exists()
}

/// Seals a campaign's folder, or seals it anew. The same files give the same bytes.
///
/// # Errors
/// [`BagError::Io`].
pub fn seal(root: &Path, record: &Record) -> Result<(), BagError> {
    for folder in [root, &root.join(DATA)] {
        sweep(folder).map_err(|source| unread(folder.to_owned(), source))?;
    }
    let (payload, bytes) = hashes(root, Path::new(DATA))?;
    let info = info(record, payload.len(), bytes);
    let write = |name: &str, text: &str| {
        let path = root.join(name);
        replace(&path, text.as_bytes()).map_err(|source| BagError::Io {
            verb: "write",
            path,
            source,
        })
    };
    write("bagit.txt", DECLARATION)?;
    write("bag-info.txt", &info)?;
    write(MANIFEST, &manifest::text(&payload))?;
    let mut tags = Hashes::new();
    for name in TAGS {
        tags.insert(name.to_owned(), hash(&root.join(name))?.0);
    }
    write(TAG_MANIFEST, &manifest::text(&tags))
}

/// Takes the seal off a folder, which is then no bag. What was found stays.
///
/// # Errors
/// [`BagError::Io`].
pub fn unseal(root: &Path) -> Result<(), BagError> {
    for name in [TAG_MANIFEST].into_iter().chain(TAGS) {
        let path = root.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(BagError::Io {
                    verb: "remove",
                    path,
                    source,
                });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Compares a campaign's folder with what it was when it was sealed. The faults are in the order of their paths.
///
/// # Errors
/// [`BagError::NotSealed`], or [`BagError::Io`] where a file is there and cannot be read.
pub fn check(root: &Path) -> Result<Result<Contents, Vec<Fault>>, BagError> {
    if !is_sealed(root) {
        return Err(BagError::NotSealed(root.to_owned()));
    }
    let mut faults = Vec::new();
    let tags = list(root, TAG_MANIFEST, &mut faults)?;
    let payload = list(root, MANIFEST, &mut faults)?;
    let mut found = Hashes::new();
    for name in names(root)? {
        let unlisted = [DATA, TAG_MANIFEST, SIGNATURE, STATEMENT];
        // Without a signature there is nothing to state.
        let states = name != STATEMENT || root.join(SIGNATURE).exists();
        if !unlisted.contains(&name.as_str()) || !states {
            let hash = hash_in(root, &name)?.map_or_else(String::new, |(hash, _)| hash);
            found.insert(name, hash);
        }
    }
    compare(&tags, &found, &mut faults);
    // A list that was shortened with its files lists less than a bag of ours.
    for name in TAGS.iter().filter(|name| !tags.contains_key(**name)) {
        faults.push(Fault {
            path: TAG_MANIFEST.to_owned(),
            kind: FaultKind::Changed,
        });
        if !found.contains_key(*name) {
            faults.push(Fault {
                path: (*name).to_owned(),
                kind: FaultKind::Missing,
            });
        }
    }
    let (found, bytes) = hashes(root, Path::new(DATA))?;
    compare(&payload, &found, &mut faults);
    faults.sort();
    faults.dedup();
    if !faults.is_empty() {
        return Ok(Err(faults));
    }
    Ok(Ok(Contents {
        files: found.len(),
        bytes,
    }))
}

fn compare(listed: &Hashes, found: &Hashes, faults: &mut Vec<Fault>) {
    let mut fault = |path: &String, kind| {
        faults.push(Fault {
            path: path.clone(),
            kind,
        });
    };
    for (path, hash) in listed {
        match found.get(path) {
            None => fault(path, FaultKind::Missing),
            Some(other) if other != hash => fault(path, FaultKind::Changed),
            Some(_) => {}
        }
    }
    for path in found.keys().filter(|path| !listed.contains_key(*path)) {
        fault(path, FaultKind::Added);
    }
}

/// Reads a list; one that is not there lists nothing.
fn list(root: &Path, name: &str, faults: &mut Vec<Fault>) -> Result<Hashes, BagError> {
    let path = root.join(name);
    let mut bytes = Vec::new();
    let read = File::open(&path).and_then(|file| file.take(LONGEST).read_to_end(&mut bytes));
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Hashes::new()),
        Err(source) => return Err(unread(path, source)),
    }
    let (hashes, line) = manifest::read(&bytes);
    if let Some(line) = line {
        faults.push(Fault {
            path: name.to_owned(),
            kind: FaultKind::Line(line),
        });
    }
    Ok(hashes)
}

/// SHA-256 of every file under a folder of the bag, by its path, and how many bytes they have together. What is no file
/// and no folder, such as a link, has no hash.
fn hashes(root: &Path, folder: &Path) -> Result<(Hashes, u64), BagError> {
    let mut hashes = BTreeMap::new();
    let mut total = 0;
    for name in names(&root.join(folder))? {
        let path = folder.join(&name);
        if fs::symlink_metadata(root.join(&path)).is_ok_and(|meta| meta.is_dir()) {
            let (inner, bytes) = self::hashes(root, &path)?;
            hashes.extend(inner);
            total += bytes;
            continue;
        }
        let path = path.to_string_lossy().replace('\\', "/");
        let (hash, bytes) = hash_in(root, &path)?.unwrap_or_default();
        hashes.insert(path, hash);
        total += bytes;
    }
    Ok((hashes, total))
}

fn names(folder: &Path) -> Result<Vec<String>, BagError> {
    let io = |source| unread(folder.to_owned(), source);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        names.push(
            entry
                .map_err(io)?
                .file_name()
                .to_string_lossy()
                .into_owned(),
        );
    }
    Ok(names)
}

/// The hash of what is a file of its own; a link could lead anywhere.
fn hash_in(root: &Path, name: &str) -> Result<Option<(String, u64)>, BagError> {
    let path = root.join(name);
    match fs::symlink_metadata(&path) {
        Ok(meta) if meta.is_file() => hash(&path).map(Some),
        _ => Ok(None),
    }
}

/// SHA-256 of a file, in hex.
///
/// # Errors
/// [`BagError::Io`].
pub fn sha256(path: &Path) -> Result<String, BagError> {
    hash(path).map(|(hash, _)| hash)
}

/// SHA-256 of a file, in hex, and its length.
fn hash(path: &Path) -> Result<(String, u64), BagError> {
    crate::sha256::of_file(path).map_err(|source| unread(path.to_owned(), source))
}

fn unread(path: PathBuf, source: io::Error) -> BagError {
    BagError::Io {
        verb: "read",
        path,
        source,
    }
}

fn info(record: &Record, files: usize, bytes: u64) -> String {
    let dut = &record.dut;
    let day = record
        .finished
        .unwrap_or(record.started)
        .strftime("%Y-%m-%d");
    let serial = dut
        .serial
        .as_ref()
        .map(|serial| format!(", serial {serial}"))
        .unwrap_or_default();
    let lab = record.lab.iter().flat_map(|lab| {
        let labels = [
            ("Source-Organization", &lab.laboratory),
            ("Contact-Name", &lab.operator),
            ("Internal-Sender-Identifier", &lab.report),
        ];
        labels.map(|(label, value)| Some((label, value.clone()?)))
    });
    let lines = [
        ("Bag-Software-Agent", format!("slcert {}", record.slcert)),
        ("Bagging-Date", day.to_string()),
        ("External-Identifier", record.campaign.clone()),
        (
            "External-Description",
            format!(
                "Pre-check evidence for IEC 62443-4-2: {} of {}, firmware {}{serial}",
                dut.product, dut.vendor, dut.firmware
            ),
        ),
        ("Payload-Oxum", format!("{bytes}.{files}")),
    ];
    let lines = lines.into_iter().chain(lab.flatten());
    lines
        .map(|(label, value)| format!("{label}: {}\n", shorten(&one_line(&value), LONGEST_INFO)))
        .collect()
}

#[cfg(test)]
mod tests;
