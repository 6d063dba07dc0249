//! `slcert check`.

use std::path::Path;
use std::process::ExitCode;

use slcert_profiles::Profile;
use slcert_profiles::file::Source;
use slcert_rigs::rig::Rig;

use crate::command::Check;
use crate::sources::{self, USAGE};

mod live;

/// Checks files, and with `--live` every binding of a rig on its device.
pub fn check(check: &Check) -> ExitCode {
    if check.live {
        if check.files.len() > 1 {
            eprintln!("error: --live takes one rig file");
            return ExitCode::from(USAGE);
        }
        return match sources::rig(check.files.first().map(std::path::PathBuf::as_path), None) {
            Ok(rig) => live::check(rig),
            Err(unusable) => unusable.into(),
        };
    }
    let bad = check.files.iter().filter(|path| !check_file(path)).count();
    if bad == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(USAGE)
    }
}

/// Checks one file; false if it is not usable.
fn check_file(path: &Path) -> bool {
    let source = match Source::open(path) {
        Ok(source) => source,
        Err(faults) => {
            sources::tell(&faults);
            return false;
        }
    };
    // A rig file is known by its device, a profile by its claim.
    let is_rig = source.text.lines().any(|line| {
        let line = line.trim_start();
        line.starts_with("[dut]") || line.starts_with("[interface")
    });
    let checked = if is_rig {
        Rig::load(&source).map(|rig| {
            format!(
                "a rig file with {} interfaces, {} accounts and {} operations",
                rig.interfaces.len(),
                rig.accounts.len(),
                rig.operations.len()
            )
        })
    } else {
        Profile::load(&source).map(|profile| {
            if !profile.warnings().is_empty() {
                sources::tell(profile.warnings());
            }
            format!(
                "a profile with {} requirements, {} gaps to its claim",
                profile.required().count(),
                profile.gaps().count()
            )
        })
    };
    match checked {
        Ok(words) => {
            anstream::println!("{}: {words}", path.display());
            true
        }
        Err(faults) => {
            sources::tell(&faults);
            false
        }
    }
}
