//! `slcert compare`: a campaign against an earlier one.

use std::path::Path;
use std::process::ExitCode;

use slcert_reports::Record;
use slcert_reports::compare::{compare as comparison, page, text};

use crate::command::{Compare, Format};
use crate::report;
use crate::sources::{BENCH, USAGE, Unusable};

/// Compares two campaigns.
pub fn compare(compare: &Compare) -> ExitCode {
    let read = || Ok::<_, Unusable>((record(&compare.old)?, record(&compare.new)?));
    let (old, new) = match read() {
        Ok(both) => both,
        Err(unusable) => return unusable.into(),
    };
    let comparison = comparison(&old, &new);
    if let Some(path) = &compare.html {
        let page = match page(&comparison) {
            Ok(page) => page,
            Err(error) => {
                eprintln!("error: {error}");
                return ExitCode::from(BENCH);
            }
        };
        if let Err(error) = std::fs::write(path, page) {
            eprintln!("error: cannot write {}: {error}", path.display());
            return ExitCode::from(USAGE);
        }
    }
    match compare.format {
        Format::Text => {
            let width =
                terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0));
            anstream::print!("{}", text(&comparison, width));
        }
        Format::Json => match serde_json::to_string_pretty(&comparison) {
            Ok(json) => println!("{json}"),
            Err(error) => {
                eprintln!("error: {error}");
                return ExitCode::from(BENCH);
            }
        },
    }
    ExitCode::from(comparison.exit_status())
}

/// The record of a campaign: its folder, or the record alone.
fn record(path: &Path) -> Result<Record, Unusable> {
    if path.is_file() {
        return Record::read(path).map_err(|error| {
            eprintln!("error: {error}");
            Unusable
        });
    }
    report::record(path)
}
