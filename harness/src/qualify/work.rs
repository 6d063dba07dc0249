//! One campaign against one device, in a process of its own.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use slcert_reports::Record;
use slcert_sim::Flaw;

use super::child;
use super::device::{Device, slug};
use super::interrupt::Interrupt;
use super::row::{Other, Row, empty, read, reproducer};

/// How long a fuzz suite may take to find a defect that only it finds.
const FOUND_WITHIN: Duration = Duration::from_secs(60);

/// What every campaign of a qualification has in common.
pub(super) struct Work {
    pub program: PathBuf,
    /// Where its results are, for as long as they are needed.
    pub folder: PathBuf,
    pub quick: bool,
    pub seed: u64,
    pub interrupt: Interrupt,
}

impl Work {
    /// One campaign against one device.
    pub fn judge(&self, device: Device<'_>) -> Row {
        let Device { flaw, profile } = device;
        let began = Instant::now();
        let out = self
            .folder
            .join(flaw.map_or_else(|| format!("sound-{profile}"), |flaw| flaw.name.to_owned()));
        let mut command = Command::new(&self.program);
        // The campaign's own folders, and the stores of its devices, lie where its results do.
        command
            .env("TMPDIR", &self.folder)
            .args(["run", "--profile", profile, "--out"])
            .arg(&out)
            .args(["--seed", &self.seed.to_string()]);
        match flaw {
            Some(Flaw {
                name,
                deep: Some(deep),
                ..
            }) => {
                let time = format!("{}s", FOUND_WITHIN.as_secs());
                command.args([
                    "--flaw",
                    name,
                    "--exact",
                    deep.trial,
                    "--fuzz-first",
                    "--fuzz-time",
                    &time,
                ]);
            }
            Some(flaw) => {
                command.args(["--flaw", flaw.name]);
                // The fuzz suites' time is for the defects that only they find.
                command.args(["--skip", "/fuzz-"]);
                if self.quick {
                    command.arg(format!("{}/", slug(flaw.requirement)));
                }
            }
            None => {}
        }
        let ended = child::run(&mut command, &self.interrupt);
        let record = Record::read(&out.join("data/result.json"));
        let said = |trial: &str| {
            let trials = &record.as_ref().ok()?.trials;
            let found = trials.iter().find(|one| one.id == trial);
            found.map(|one| one.reason.clone())
        };
        let said = flaw.and_then(|flaw| said(flaw.deep?.trial));
        let mut row = match (ended, record) {
            (Err(trouble), _) => empty(device, trouble),
            (Ok(()), Err(error)) => empty(device, error.to_string()),
            (Ok(()), Ok(record)) => read(device, &record),
        };
        if let Some(deep) = flaw.and_then(|flaw| flaw.deep) {
            row.reproducer = reproducer(&out);
            let got = row.reproducer.unwrap_or_default();
            let minimal = (1..=deep.inputs as usize).contains(&got) || got == 0 && deep.inputs == 0;
            if !row.seen_by.is_empty() && !minimal {
                let shortest = deep.inputs;
                row.unrelated.push(Other {
                    trial: deep.trial.to_owned(),
                    reason: format!(
                        "its reproducer should have {shortest} inputs at most, and has {got}: {}",
                        said.unwrap_or_default()
                    ),
                });
            }
        }
        row.seconds = began.elapsed().as_secs();
        // What was found is in the row; a scratch folder in memory has no room for all of them.
        let _ = std::fs::remove_dir_all(&out);
        row
    }
}
