//! `result.json` on disk.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use crate::record::{FORMAT, NotARecord, Record};

/// The longest `result.json` that is read, in bytes.
const LONGEST: u64 = 256 * 1024 * 1024;

/// What the names of files begin with that are not whole yet.
const PARTIAL: &str = ".slcert-";

/// A record was not read or not written.
#[derive(Debug, Error)]
pub enum RecordError {
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
    /// It is longer than any record.
    #[error("{} is longer than {LONGEST} bytes, so it is no record", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// It is not JSON of the right shape.
    #[error("{} is no record: {source}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// Where and why not.
        source: serde_json::Error,
    },
    /// It holds what cannot be.
    #[error("{} is no record: {source}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What cannot be.
        source: NotARecord,
    },
}

/// What is read first: a record of another format may have another shape.
#[derive(Deserialize)]
struct Header {
    format: u32,
}

impl Record {
    /// Reads `result.json` and checks it.
    ///
    /// # Errors
    /// [`RecordError`] if the file cannot be read, is no record, or is one of another format.
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        let io = |source| RecordError::Io {
            verb: "read",
            path: path.to_owned(),
            source,
        };
        let shape = |source| RecordError::Shape {
            path: path.to_owned(),
            source,
        };
        let content = |source| RecordError::Content {
            path: path.to_owned(),
            source,
        };
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes))
            .map_err(io)?;
        if bytes.len() as u64 > LONGEST {
            return Err(RecordError::TooLong {
                path: path.to_owned(),
            });
        }
        let header: Header = serde_json::from_slice(&bytes).map_err(shape)?;
        if header.format != FORMAT {
            return Err(content(NotARecord::Format(header.format)));
        }
        let record: Self = serde_json::from_slice(&bytes).map_err(shape)?;
        record.check().map_err(content)?;
        Ok(record)
    }

    /// Writes `result.json`, so that at any time either the old file stands there or the new one, whole. It is not
    /// checked: what a campaign found is kept, even if it is odd.
    ///
    /// # Errors
    /// [`RecordError::Io`] if the folder does not take it.
    pub fn write(&self, path: &Path) -> Result<(), RecordError> {
        let mut text = serde_json::to_vec_pretty(self).map_err(|source| RecordError::Shape {
            path: path.to_owned(),
            source,
        })?;
        text.push(b'\n');
        replace(path, &text).map_err(|source| RecordError::Io {
            verb: "write",
            path: path.to_owned(),
            source,
        })
    }
}

/// Puts a file in the place of another in one step that survives a loss of power.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new()
        .prefix(PARTIAL)
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    readable_as_usual(file.as_file())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Takes away what a [`replace`] left that was killed in the middle.
pub(crate) fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let random = name.to_str().and_then(|name| name.strip_prefix(PARTIAL));
        let ours = random.is_some_and(|random| {
            random.len() == 6 && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        if ours && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// A temporary file is its owner's alone; a report is read by others too.
#[cfg(unix)]
fn readable_as_usual(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_as_usual(_: &File) -> io::Result<()> {
    Ok(())
}

/// A new name in a folder is on disk only when the folder is.
#[cfg(unix)]
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
pub(crate) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.json");
        let mut record = example::record();
        record.write(&path).unwrap();
        record.seed += 1;
        record.write(&path).unwrap();
        assert_eq!(Record::read(&path).unwrap(), record);
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "no temporary file stays behind");
    }

    /// Whoever changes what this shows changes the format, and its number.
    #[test]
    fn the_format_is_what_it_was() {
        let mut record = example::record();
        record.selection.truncate(1);
        record.trials.truncate(1);
        insta::assert_snapshot!(serde_json::to_string_pretty(&record).unwrap());
    }

    #[test]
    fn a_record_of_another_format_is_named_as_such_whatever_its_shape() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.json");
        fs::write(&path, r#"{"format": 3, "other": "shape"}"#).unwrap();
        let error = Record::read(&path).unwrap_err();
        assert!(
            matches!(
                error,
                RecordError::Content {
                    source: NotARecord::Format(3),
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_record_is_refused_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.json");
        assert!(matches!(
            Record::read(&path),
            Err(RecordError::Io { verb: "read", .. })
        ));
        fs::write(&path, "{\n  \"format\": 2,\n  \"surprise\": 2\n}").unwrap();
        let error = Record::read(&path).unwrap_err().to_string();
        assert!(
            error.contains("surprise") && error.contains("line 3"),
            "{error}"
        );
    }

    #[test]
    fn what_a_killed_program_left_is_swept_away_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            ".slcert-a1B2c3",
            ".slcert-notes.txt",
            "slcert-a1B2c3",
            ".other",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join(".slcert-a1B2c4")).unwrap();
        sweep(folder.path()).unwrap();
        assert!(!folder.path().join(".slcert-a1B2c3").exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
    }

    #[test]
    fn a_folder_that_is_not_there_is_said_to_be() {
        let error = example::record()
            .write(Path::new("/nowhere/at/all/result.json"))
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("cannot write /nowhere/at/all/result.json"),
            "{error}"
        );
    }
}
