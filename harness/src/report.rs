//! `slcert report`: the reports of a campaign, written again from its record. `slcert run` writes them by the same function.

use std::path::Path;
use std::process::ExitCode;

use slcert_reports::{Assessment, JunitError, Record, RecordError, assess, views};
use thiserror::Error;

use crate::campaign::folder::DATA;
use crate::command::Report;
use crate::sources::{BENCH, USAGE, Unusable};

/// The reports could not be written.
#[derive(Debug, Error)]
pub enum Unwritten {
    /// The record or a report was not written.
    #[error("{0}")]
    File(#[from] RecordError),
    /// The JUnit report could not be made.
    #[error("{0}")]
    Junit(#[from] JunitError),
}

/// Writes the reports of a campaign again.
pub fn report(report: &Report) -> ExitCode {
    let data = report.campaign.join(DATA);
    let record = match record(&report.campaign) {
        Ok(record) => record,
        Err(unusable) => return unusable.into(),
    };
    let folder = report.out.as_deref().unwrap_or(&data);
    if let Err(error) = std::fs::create_dir_all(folder) {
        eprintln!("error: {} cannot be made: {error}", folder.display());
        return ExitCode::from(USAGE);
    }
    match write(&record, &assess(&record), folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(BENCH)
        }
    }
}

/// The record of a campaign's folder.
///
/// # Errors
/// There is none, or it is none; it has been told why.
pub fn record(campaign: &Path) -> Result<Record, Unusable> {
    Record::read(&campaign.join(DATA).join("result.json")).map_err(|error| {
        eprintln!("error: {error}");
        if !campaign.join(DATA).exists() {
            eprintln!("       {} is no campaign's folder", campaign.display());
        }
        Unusable
    })
}

/// Writes every view of a record into a folder.
///
/// # Errors
/// A view cannot be made, or the folder does not take it.
pub fn write(record: &Record, assessment: &Assessment, folder: &Path) -> Result<(), Unwritten> {
    for view in views(record, assessment)? {
        view.write(folder)?;
    }
    Ok(())
}
