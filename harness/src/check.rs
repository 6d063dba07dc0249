//! `slcert check`.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};
use slcert_profiles::Profile;
use slcert_profiles::file::{Diagnostics, Source};
use slcert_reports::notice::page;
use slcert_rigs::rig::Rig;

use crate::command::{Check, Format};
use crate::sources::{self, USAGE};

mod live;

/// The version of what `--format json` shows.
const SCHEMA: &str = "slcert-check/1";

/// Checks files, and with `--live` every binding of a rig on its device.
pub fn check(check: &Check) -> ExitCode {
    if check.live {
        if check.files.len() > 1 {
            eprintln!("error: --live takes one rig file");
            return ExitCode::from(USAGE);
        }
        return match sources::rig(check.files.first().map(std::path::PathBuf::as_path), None) {
            Ok(rig) => live::check(rig, check.format),
            Err(unusable) => unusable.into(),
        };
    }
    let checked: Vec<_> = check.files.iter().map(|path| Checked::of(path)).collect();
    match check.format {
        Format::Text => checked.iter().for_each(Checked::tell),
        Format::Json => show("files", checked.iter().map(Checked::document).collect()),
    }
    if checked.iter().all(|one| one.words.is_some()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(USAGE)
    }
}

/// Writes a list of what was found for programs.
fn show(name: &str, found: Vec<Value>) {
    let document = json!({ "schema": SCHEMA, name: found });
    print!("{}", page(&document));
}

/// What was found of one file.
struct Checked<'a> {
    path: &'a Path,
    /// What it is; none if it is not usable.
    words: Option<String>,
    faults: Option<Diagnostics>,
}

impl<'a> Checked<'a> {
    fn of(path: &'a Path) -> Self {
        let checked = Source::open(path).and_then(|source| look(&source));
        let (words, faults) = match checked {
            Ok((words, warnings)) => (Some(words), warnings),
            Err(faults) => (None, Some(faults)),
        };
        Self {
            path,
            words,
            faults,
        }
    }

    fn tell(&self) {
        if let Some(faults) = &self.faults {
            sources::tell(faults);
        }
        if let Some(words) = &self.words {
            anstream::println!("{}: {words}", self.path.display());
        }
    }

    fn document(&self) -> Value {
        let faults = self.faults.iter().flat_map(Diagnostics::placed);
        let faults = faults.map(|((line, column), fault)| {
            json!({
                "severity": fault.severity.word(),
                "line": line,
                "column": column,
                "what": fault.what,
                "help": fault.help,
            })
        });
        json!({
            "file": self.path.display().to_string(),
            "usable": self.words.is_some(),
            "is": self.words,
            "faults": faults.collect::<Vec<_>>(),
            "left_out": self.faults.as_ref().map_or(0, Diagnostics::left_out),
        })
    }
}

/// What a file is, with its warnings.
fn look(source: &Source) -> Result<(String, Option<Diagnostics>), Diagnostics> {
    // A rig file is known by its device, a profile by its claim.
    let is_rig = source.text.lines().any(|line| {
        let line = line.trim_start();
        line.starts_with("[dut]") || line.starts_with("[interface")
    });
    if is_rig {
        let rig = Rig::load(source)?;
        let words = format!(
            "a rig file with {} interfaces, {} accounts and {} operations",
            rig.interfaces.len(),
            rig.accounts.len(),
            rig.operations.len()
        );
        return Ok((words, None));
    }
    let profile = Profile::load(source)?;
    let words = format!(
        "a profile with {} requirements, {} gaps to its claim",
        profile.required().count(),
        profile.gaps().count()
    );
    let warnings = profile.warnings();
    Ok((words, (!warnings.is_empty()).then(|| warnings.clone())))
}
