//! Where the campaigns of a qualification keep what only they need.

use std::io;
use std::path::Path;

use tempfile::TempDir;

use crate::selftest::free;

/// A file system in memory, on Linux: two hundred campaigns sync their journals, and their devices their stores, for
/// nobody who comes later.
const IN_MEMORY: &str = "/dev/shm";
/// How much room there has to be.
const ROOM: u64 = 4 << 30;

/// A folder that goes away when it is dropped.
///
/// # Errors
/// It cannot be made.
pub fn folder() -> io::Result<TempDir> {
    let builder = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix("slcert-qualify-");
        builder
    };
    if free(Path::new(IN_MEMORY)).is_some_and(|bytes| bytes >= ROOM)
        && let Ok(folder) = builder().tempdir_in(IN_MEMORY)
    {
        return Ok(folder);
    }
    builder().tempdir()
}
