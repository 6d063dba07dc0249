//! The folder that survives a power cut: every file is replaced as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What went wrong with a file of the store.
#[derive(Debug, thiserror::Error)]
#[error("{action} {path}: {cause}")]
pub struct StoreError {
    action: &'static str,
    path: PathBuf,
    cause: io::Error,
}

impl StoreError {
    pub(crate) fn new(action: &'static str, path: PathBuf, cause: io::Error) -> Self {
        Self {
            action,
            path,
            cause,
        }
    }
}

/// How long a write has to have reached the disk when it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// On the disk.
    Synced,
    /// With the kernel: it outlives the process, whatever ends it.
    Written,
}

/// The device's folder.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    dir: PathBuf,
}

impl Store {
    /// Opens a store, making its folder if need be.
    pub(crate) fn open(dir: &Path) -> Result<Self, StoreError> {
        let at = |action| {
            move |cause| StoreError {
                action,
                path: dir.to_owned(),
                cause,
            }
        };
        fs::create_dir_all(dir).map_err(at("make folder"))?;
        let dir = fs::canonicalize(dir).map_err(at("find"))?;
        Ok(Self { dir })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Reads a JSON file; `None` when there is none yet.
    pub(crate) fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let Some(bytes) = self.read_bytes(name)? else {
            return Ok(None);
        };
        let value = serde_json::from_slice(&bytes);
        value
            .map(Some)
            .map_err(|cause| StoreError::new("read", self.path(name), cause.into()))
    }

    /// Reads a file; `None` when there is none yet.
    pub(crate) fn read_bytes(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(StoreError::new("read", path, cause)),
        }
    }

    /// Replaces a JSON file.
    pub(crate) fn write<T: Serialize>(
        &self,
        name: &str,
        value: &T,
        durability: Durability,
    ) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec_pretty(value).map_err(|cause| StoreError {
            action: "write",
            path: self.path(name),
            cause: cause.into(),
        })?;
        self.write_bytes(name, &bytes, durability)
    }

    /// Replaces a file, readable by its owner alone; readers see the old content or the new.
    pub(crate) fn write_bytes(
        &self,
        name: &str,
        bytes: &[u8],
        durability: Durability,
    ) -> Result<(), StoreError> {
        let path = self.path(name);
        let write = || -> io::Result<()> {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let fresh = path.with_extension("new");
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&fresh)?;
            file.write_all(bytes)?;
            if durability == Durability::Synced {
                file.sync_all()?;
            }
            fs::rename(&fresh, &path)?;
            if durability == Durability::Synced
                && let Some(folder) = path.parent()
            {
                File::open(folder)?.sync_all()?;
            }
            Ok(())
        };
        write().map_err(|cause| StoreError {
            action: "write",
            path: path.clone(),
            cause,
        })
    }

    /// Removes a file, where it is there.
    pub(crate) fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::new("remove", path, cause))
            }
            _ => Ok(()),
        }
    }

    /// Replaces a symbolic link.
    pub(crate) fn link(&self, name: &str, target: &Path) -> Result<PathBuf, StoreError> {
        let path = self.path(name);
        let fresh = path.with_extension("new");
        let link = || -> io::Result<()> {
            match fs::remove_file(&fresh) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
                _ => {}
            }
            std::os::unix::fs::symlink(target, &fresh)?;
            fs::rename(&fresh, &path)
        };
        link().map_err(|cause| StoreError {
            action: "link",
            path: path.clone(),
            cause,
        })?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_by_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("deep/store")).unwrap();
        assert_eq!(store.read::<Vec<u8>>("state.json").unwrap(), None);
        store
            .write("state.json", &vec![1u8, 2], Durability::Synced)
            .unwrap();
        store
            .write("state.json", &vec![3u8], Durability::Written)
            .unwrap();
        let again = Store::open(&dir.path().join("deep/store")).unwrap();
        assert_eq!(again.read::<Vec<u8>>("state.json").unwrap(), Some(vec![3]));
    }

    #[test]
    fn a_damaged_file_is_an_error_with_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store
            .write_bytes("state.json", b"{", Durability::Written)
            .unwrap();
        let error = store.read::<Vec<u8>>("state.json").unwrap_err();
        assert!(error.to_string().contains("state.json"), "{error}");
    }

    #[test]
    fn a_link_can_be_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.link("console", Path::new("/dev/null")).unwrap();
        let path = store.link("console", Path::new("/dev/zero")).unwrap();
        assert_eq!(fs::read_link(path).unwrap(), Path::new("/dev/zero"));
    }
}
