//! What a campaign does beside its reports where it runs as a step of GitHub Actions.

use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::path::Path;

use slcert_reports::github::annotations;
use slcert_reports::{Assessment, Record};

use super::output::Output;

/// The longest that GitHub shows as a step's summary, in bytes; a longer one is dropped whole.
const LONGEST: u64 = 1024 * 1024;

/// Keeps the runner from acting on what a device said, until it is dropped.
pub struct Quiet {
    /// What makes the runner listen again: no device can know it.
    token: Option<String>,
    output: Output,
}

impl Quiet {
    /// Begins, where this is a step of GitHub Actions.
    pub fn begin(output: Output) -> Self {
        let token = is_here().then(|| {
            let random = || RandomState::new().hash_one("");
            format!("slcert-{:016x}{:016x}", random(), random())
        });
        if let Some(token) = &token {
            output.say(&format!("::stop-commands::{token}"));
        }
        Self { token, output }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(token) = &self.token {
            self.output.say(&format!("::{token}::"));
        }
    }
}

/// Annotates what failed, and adds `summary.md` to the step's summary.
pub fn tell(record: &Record, assessment: &Assessment, summary: &Path, output: Output) {
    let annotations = annotations(record, assessment);
    if is_here() && !annotations.is_empty() {
        output.say(annotations.trim_end());
    }
    let Some(step) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else {
        return;
    };
    if let Err(error) = append(summary, Path::new(&step)) {
        eprintln!("warning: the step's summary was not written: {error}");
    }
}

fn append(summary: &Path, step: &Path) -> std::io::Result<()> {
    let text = std::fs::read(summary)?;
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(step)?;
    if file.metadata()?.len() + text.len() as u64 > LONGEST {
        return Err(std::io::Error::other(
            "it would be longer than GitHub shows",
        ));
    }
    file.write_all(&text)?;
    file.write_all(b"\n")
}

fn is_here() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}
