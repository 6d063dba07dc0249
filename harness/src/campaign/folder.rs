//! The campaign's folder: a bag (RFC 8493) once the campaign has ended. What was found lies in `data/`.

use std::io;
use std::path::{Path, PathBuf};

use slcert_reports::bag::DATA;
use thiserror::Error;

/// Where campaigns go, unless told otherwise.
const CAMPAIGNS: &str = "campaigns";

/// A campaign's folder.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    /// Whether it was not there before.
    made: bool,
}

/// The folder cannot be used.
#[derive(Debug, Error)]
pub enum FolderError {
    /// It holds something already.
    #[error("{} is not empty: name another folder with --out, so that nothing that was recorded is lost", _0.display())]
    NotEmpty(PathBuf),
    /// There is no campaign in it.
    #[error("{} is no campaign's folder: it has no {DATA}/journal.jsonl", _0.display())]
    NoCampaign(PathBuf),
    /// It cannot be made.
    #[error("{} cannot be made: {source}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Folder {
    /// Makes the folder: the one that was asked for, or one with a name of its own.
    ///
    /// # Errors
    /// It holds something already, or cannot be made.
    pub fn create(asked: Option<&Path>, profile: &str) -> Result<Self, FolderError> {
        let path = match asked {
            Some(path) => path.to_owned(),
            None => fresh(profile),
        };
        let failed = |source| FolderError::Io {
            path: path.clone(),
            source,
        };
        let made = !path.exists();
        if holds_something(&path) {
            return Err(FolderError::NotEmpty(path));
        }
        std::fs::create_dir_all(path.join(DATA).join("evidence")).map_err(failed)?;
        Ok(Self { path, made })
    }

    /// Opens the folder of a campaign that goes on.
    ///
    /// # Errors
    /// It has no journal.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let folder = Self {
            path: path.to_owned(),
            made: false,
        };
        match folder.path("journal.jsonl").is_file() {
            true => Ok(folder),
            false => Err(FolderError::NoCampaign(folder.path)),
        }
    }

    /// Takes the folder away again, of a campaign that did not begin. What holds a file stays.
    pub fn discard(&self) {
        // `remove_dir` leaves alone what is not empty.
        let data = self.path.join(DATA);
        let _ = std::fs::remove_dir(data.join("evidence"));
        let _ = std::fs::remove_dir(data);
        if self.made {
            let _ = std::fs::remove_dir(&self.path);
        }
    }

    /// The folder's own name.
    pub fn name(&self) -> &str {
        self.path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("campaign")
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.path
    }

    /// Where what was found lies.
    pub fn data(&self) -> PathBuf {
        self.path.join(DATA)
    }

    /// A file of what was found.
    pub fn path(&self, name: &str) -> PathBuf {
        self.data().join(name)
    }
}

/// Whether there is more than empty folders: a campaign that was killed before it began leaves those.
fn holds_something(path: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(path) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        !is_folder || holds_something(&entry.path())
    })
}

fn fresh(profile: &str) -> PathBuf {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%SZ");
    let profile: String = Path::new(profile)
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or("profile")
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_')
        .collect();
    let base = Path::new(CAMPAIGNS).join(format!("{now}-{profile}"));
    let mut path = base.clone();
    let mut number = 2;
    while path.exists() {
        path = base.with_file_name(format!("{now}-{profile}-{number}"));
        number += 1;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_which_nothing_was_recorded_goes_away() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("campaign");
        Folder::create(Some(&path), "p").unwrap().discard();
        assert!(!path.exists());
        // One that was there before stays, as it was.
        std::fs::create_dir(&path).unwrap();
        Folder::create(Some(&path), "p").unwrap().discard();
        assert!(path.exists() && std::fs::read_dir(&path).unwrap().next().is_none());
    }

    #[test]
    fn a_campaign_that_was_killed_before_it_began_is_in_nobodys_way() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("campaign");
        Folder::create(Some(&path), "p").unwrap();
        let again = Folder::create(Some(&path), "p").unwrap();
        std::fs::write(again.path("evidence/one.txt"), "").unwrap();
        let taken = Folder::create(Some(&path), "p");
        assert!(matches!(taken, Err(FolderError::NotEmpty(_))));
    }

    #[test]
    fn nothing_that_was_recorded_is_taken_away() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = Folder::create(Some(&scratch.path().join("campaign")), "p").unwrap();
        std::fs::write(folder.path("journal.jsonl"), "one").unwrap();
        std::fs::write(folder.path("evidence/one.txt"), "one").unwrap();
        folder.discard();
        assert!(folder.path("journal.jsonl").exists());
        assert!(folder.path("evidence/one.txt").exists());
    }
}
