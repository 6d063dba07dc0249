//! The files of evidence of a trial.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use slcert_reports::record::FileRecord;
use slcert_reports::sha256;
use slcert_rigs::line::Recording;
use thiserror::Error;

use super::folder::Folder;
use crate::command::Evidence;
use crate::sources::lies_in;

/// Keys cannot be kept where that was asked for.
#[derive(Debug, Error)]
pub enum KeysError {
    /// They would be part of the bundle.
    #[error(
        "{} lies in the campaign's folder: keys are no part of what is handed on, so name a folder elsewhere with --keep-keys",
        _0.display()
    )]
    Inside(PathBuf),
    /// The folder cannot be made.
    #[error("{}, for keys, cannot be made: {source}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// The folder does not take a file of evidence.
#[derive(Debug, Error)]
#[error("cannot write {path}: {source}")]
pub(super) struct Unwritten {
    path: String,
    source: io::Error,
}

/// Makes the folder for keys where there is none; one that is made is nobody's but this user's.
pub(super) fn private(keys: &Path, folder: &Folder) -> Result<(), KeysError> {
    let io = |source| KeysError::Io {
        path: keys.to_owned(),
        source,
    };
    if lies_in(keys, folder.root()).map_err(io)? {
        return Err(KeysError::Inside(keys.to_owned()));
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700).create(keys).map_err(io)
}

/// Writes the recording of a trial, and the texts that its procedure kept, each with its file's name; what was written,
/// with the files that were written when they were found.
///
/// # Errors
/// The folder does not take one of them.
pub(super) fn keep(
    folder: &Folder,
    stem: &str,
    recording: &Recording,
    (found, kept): (&[FileRecord], Vec<(String, String)>),
    asked: &Evidence,
) -> Result<Vec<FileRecord>, Unwritten> {
    if let Some(keys) = &asked.keep_keys
        && let Some(packets) = recording.pcapng_with_keys(asked.evidence_size)
    {
        let path = keys.join(format!("{stem}.pcapng"));
        let written = secretly(&path).and_then(|mut file| file.write_all(&packets));
        if let Err(error) = written {
            eprintln!("error: {}: {error}", path.display());
        }
    }
    let transcript = recording.transcript(asked.evidence_size);
    let transcript = (!transcript.is_empty()).then(|| transcript.into_bytes());
    let packets = recording.pcapng(asked.evidence_size);
    let files = [("txt", transcript), ("pcapng", packets)];
    let files = files
        .into_iter()
        .filter_map(|(name, bytes)| Some((name, bytes?)))
        .map(|(name, bytes)| write(folder, stem, name, &bytes).map(|(record, _)| record));
    let kept = kept
        .iter()
        .map(|(name, text)| write(folder, stem, name, text.as_bytes()).map(|(record, _)| record));
    files
        .chain(found.iter().cloned().map(Ok))
        .chain(kept)
        .collect()
}

/// Writes a file, and waits until it is on disk.
///
/// # Errors
/// The folder does not take it.
pub(super) fn keep_now(
    folder: &Folder,
    stem: &str,
    name: &str,
    text: &str,
) -> Result<FileRecord, Unwritten> {
    let (record, file) = write(folder, stem, name, text.as_bytes())?;
    let evidence = File::open(folder.path("evidence"));
    let synced = file.sync_all().and_then(|()| evidence?.sync_all());
    match synced {
        Ok(()) => Ok(record),
        Err(source) => Err(Unwritten {
            path: record.path,
            source,
        }),
    }
}

/// Whether there are files of evidence that are called so.
pub(super) fn has(folder: &Folder, stem: &str) -> bool {
    let files = std::fs::read_dir(folder.path("evidence"));
    let mut names = files.into_iter().flatten().flatten();
    names.any(|file| {
        let name = file.file_name();
        let behind = name.to_str().and_then(|name| name.strip_prefix(stem));
        behind.is_some_and(|behind| behind.starts_with('.'))
    })
}

fn write(
    folder: &Folder,
    stem: &str,
    name: &str,
    bytes: &[u8],
) -> Result<(FileRecord, File), Unwritten> {
    let path = format!("evidence/{stem}.{name}");
    // A campaign that was refused this folder may have taken an empty one away.
    let made = std::fs::create_dir_all(folder.path("evidence"));
    let written = made.and_then(|()| {
        let mut file = File::create(folder.path(&path))?;
        file.write_all(bytes)?;
        Ok(file)
    });
    match written {
        Ok(file) => {
            let sha256 = sha256::of_bytes(bytes);
            Ok((FileRecord { path, sha256 }, file))
        }
        Err(source) => Err(Unwritten { path, source }),
    }
}

/// A file that nobody but this user can read. One that stands there is another campaign's, and stays.
pub fn secretly(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)
}
