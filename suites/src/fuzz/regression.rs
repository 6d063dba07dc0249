//! What was found once is looked for first: the reproducers beside the rig file.

use std::path::{Path, PathBuf};

use slcert_reports::escape;

use super::replay_on;
use super::reproducer::Reproducer;
use super::target::Target;
use crate::procedure::{Procedure, Stop};

/// The folder beside the rig file.
pub const FOLDER: &str = "regressions";

/// Replays each reproducer of the folder that is of this trial.
///
/// # Errors
/// INCONCLUSIVE for a file that does not read as one, and where the device does not serve.
pub async fn check<T: Target>(p: &mut Procedure<'_>, target: &T) -> Result<(), Stop> {
    let rig = p.bench().values().get("rig").cloned().unwrap_or_default();
    for path in files(&Path::new(&rig).join(FOLDER)) {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let unusable = |why: String| Stop::inconclusive(escape(&format!("{FOLDER}/{name}: {why}")));
        let text = std::fs::read_to_string(&path).map_err(|error| unusable(error.to_string()))?;
        let read = Reproducer::read(&text).map_err(|error| unusable(error.to_string()))?;
        if read.trial != p.trial() {
            continue;
        }
        let inputs = read.inputs().map_err(|error| unusable(error.to_string()))?;
        let mut found = replay_on(p.bench(), target, &inputs)
            .await
            .map_err(&unusable)?;
        // What may have another cause decides where it comes about again, here as in a finding that is new.
        let once = match &found {
            Some(one) if one.to_confirm => {
                let again = replay_on(p.bench(), target, &inputs).await;
                let again = again.map_err(&unusable)?;
                let once = again.is_none();
                found = again.or(found);
                once
            }
            _ => false,
        };
        let observed = match &found {
            Some(found) => format!("{}: {}: {}", found.oracle, found.what, found.seen),
            None => "nothing is wrong".to_owned(),
        };
        let what = format!("{FOLDER}/{name}: {}", read.what);
        if once {
            let observed = format!("{observed}; once, and not when it was replayed again");
            p.cannot_tell(what, read.criterion, observed);
        } else {
            p.check(what, read.criterion, observed, found.is_none());
            if found.is_some() {
                p.keep_now(None);
            }
        }
    }
    Ok(())
}

/// The reproducers of a folder, in the order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut files: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    files.sort();
    files
}
