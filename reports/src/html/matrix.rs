//! Requirements by interfaces.

use slcert_profiles::FoundationalRequirement;

use super::cards;
use super::model::{DEVICE, class, line};
use crate::assess::{Assessment, RequirementResult};
use crate::record::Record;
use crate::verdict::Verdict;

pub(super) struct MatrixGroup {
    pub name: String,
    pub rows: Vec<MatrixRow>,
}

pub(super) struct MatrixRow {
    pub slug: String,
    pub id: String,
    pub title: String,
    pub level: String,
    pub claimed: bool,
    pub class: &'static str,
    pub verdict: Verdict,
    pub reason: String,
    pub cells: Vec<Option<Cell>>,
}

pub(super) struct Cell {
    pub class: &'static str,
    pub trial: String,
    pub says: String,
    pub count: usize,
}

/// The interfaces in the order of the plan.
pub(super) fn interfaces(record: &Record) -> Vec<String> {
    let planned = record.planned.iter().map(|one| &one.interface);
    let run = record.trials.iter().map(|one| &one.interface);
    let mut names: Vec<String> = Vec::new();
    let mut whole = false;
    for interface in planned.chain(run) {
        match interface {
            None => whole = true,
            Some(name) if names.contains(&line(name)) => {}
            Some(name) => names.push(line(name)),
        }
    }
    names.extend(whole.then(|| DEVICE.to_owned()));
    names
}

pub(super) fn matrix(
    record: &Record,
    assessment: &Assessment,
    interfaces: &[String],
) -> Vec<MatrixGroup> {
    let frs = FoundationalRequirement::ALL.map(Some);
    let groups = frs.into_iter().chain([None]).map(|fr| {
        let rows = assessment.requirements.iter();
        let rows = rows.filter(|row| row.id.fr() == fr && (row.claimed || !row.trials.is_empty()));
        MatrixGroup {
            name: cards::name(fr),
            rows: rows
                .map(|row| matrix_row(row, record, interfaces))
                .collect(),
        }
    });
    groups.filter(|group| !group.rows.is_empty()).collect()
}

fn matrix_row(row: &RequirementResult, record: &Record, interfaces: &[String]) -> MatrixRow {
    let trials: Vec<_> = record
        .trials
        .iter()
        .filter(|trial| trial.requirements.contains(&row.id))
        .collect();
    let cells = interfaces.iter().map(|column| {
        let here = trials
            .iter()
            .filter(|trial| cards::column(trial) == *column);
        let worst = here.clone().min_by_key(|trial| trial.verdict.place())?;
        let count = here.count();
        let more = if count > 1 {
            format!(", the worst of {count} trials")
        } else {
            String::new()
        };
        Some(Cell {
            class: class(worst.verdict),
            trial: line(&worst.id),
            says: format!("{} on {column}: {}{more}", row.id, worst.verdict),
            count,
        })
    });
    MatrixRow {
        slug: row.id.slug(),
        id: row.id.to_string(),
        title: line(&row.title),
        level: row.level.to_string(),
        claimed: row.claimed,
        class: class(row.reviewed),
        verdict: row.reviewed,
        reason: line(&row.reason),
        cells: cells.collect(),
    }
}
