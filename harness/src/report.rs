//! `slcert report`: the reports of a campaign, written again from its record. `slcert run` writes them by the same function.

use std::path::Path;
use std::process::ExitCode;

use slcert_reports::bag::signature::SignError;
use slcert_reports::bag::{self, BagError, DATA, SIGNATURE};
use slcert_reports::{
    Assessment, Journal, Record, RecordError, ViewError, Wanted, assess, metrics, views,
};
use thiserror::Error;

use crate::command::{Report, ReportFormat};
use crate::sources::{BENCH, USAGE, Unusable};
use crate::verify::tampered;

/// The reports could not be written.
#[derive(Debug, Error)]
pub enum Unwritten {
    /// The record or a report was not written.
    #[error("{0}")]
    File(#[from] RecordError),
    /// A report could not be made.
    #[error("{0}")]
    View(#[from] ViewError),
    /// The folder could not be sealed.
    #[error("{0}")]
    Bag(#[from] BagError),
    /// It could not be signed.
    #[error("{0}")]
    Sign(#[from] SignError),
}

/// Writes the reports of a campaign again.
pub fn report(report: &Report) -> ExitCode {
    let record = match record(&report.campaign) {
        Ok(record) => record,
        Err(unusable) => return unusable.into(),
    };
    // What the campaign's record says stays: these reports alone have more.
    let shown = Record {
        wanted: record.wanted.and(&report.wants.wanted()),
        ..record.clone()
    };
    let written = match (report.format, &report.out) {
        (Some(ReportFormat::Json), _) => print(&shown),
        (None, Some(folder)) => apart(&shown, folder),
        (None, None) => in_place(&record, shown, &report.campaign),
    };
    written.map_or_else(|code| code, |()| ExitCode::SUCCESS)
}

/// Prints the figures, for programs.
fn print(record: &Record) -> Result<(), ExitCode> {
    let json = metrics(record, &assess(record)).json();
    print!(
        "{}",
        json.map_err(|error| bench(ViewError::from(error).into()))?
    );
    Ok(())
}

/// Writes the reports into a folder of their own.
fn apart(record: &Record, folder: &Path) -> Result<(), ExitCode> {
    std::fs::create_dir_all(folder).map_err(|error| {
        eprintln!("error: {} cannot be made: {error}", folder.display());
        ExitCode::from(USAGE)
    })?;
    write(record, &assess(record), folder).map_err(bench)
}

/// Writes the reports into the campaign's own folder, and seals it anew where they are others than before.
fn in_place(record: &Record, mut shown: Record, campaign: &Path) -> Result<(), ExitCode> {
    let data = campaign.join(DATA);
    // No report stays that is older than the others.
    shown.wanted = shown.wanted.and(&Wanted::found(&data));
    // What was tampered with is not sealed as if it had not been.
    if bag::is_sealed(campaign)
        && let Err(faults) = bag::check(campaign).map_err(|error| bench(error.into()))?
    {
        let code = tampered(campaign, &faults, "");
        eprintln!("       --out DIR writes the reports elsewhere, from result.json as it is now");
        return Err(code);
    }
    let views = views(&shown, &assess(&shown)).map_err(|error| bench(error.into()))?;
    let same = |view: &slcert_reports::View| {
        std::fs::read(data.join(view.name)).is_ok_and(|old| old == view.text.as_bytes())
    };
    if bag::is_sealed(campaign) && views.iter().all(same) {
        println!("every report is as it would be written now");
        return Ok(());
    }
    if campaign.join(SIGNATURE).exists() {
        eprintln!(
            "error: {} is signed, and this slcert would write other reports",
            campaign.display()
        );
        eprintln!("       --out DIR writes them elsewhere, and leaves what was signed as it is");
        return Err(ExitCode::from(USAGE));
    }
    let result = data.join("result.json");
    if !result.exists() {
        record.write(&result).map_err(|error| bench(error.into()))?;
    }
    for view in views {
        view.write(&data).map_err(|error| bench(error.into()))?;
    }
    bag::seal(campaign, record).map_err(|error| bench(error.into()))
}

fn bench(error: Unwritten) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(BENCH)
}

/// The record of a campaign's folder. Of a campaign that was killed, it is made from the journal.
///
/// # Errors
/// There is none, or it is none; it has been told why.
pub fn record(campaign: &Path) -> Result<Record, Unusable> {
    let data = campaign.join(DATA);
    let path = data.join("result.json");
    let journal = data.join("journal.jsonl");
    let tell = |error: &dyn std::error::Error| {
        eprintln!("error: {error}");
        if !data.exists() {
            eprintln!("       {} is no campaign's folder", campaign.display());
        }
        Unusable
    };
    if path.exists() || !journal.exists() {
        return Record::read(&path).map_err(|error| tell(&error));
    }
    let (entries, _torn) = Journal::read(&journal).map_err(|error| tell(&error))?;
    eprintln!(
        "{} did not end: its record is made from its journal",
        campaign.display()
    );
    Record::from_journal(&entries).map_err(|error| tell(&error))
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
