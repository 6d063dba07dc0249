//! What is fixed before a run, and stands at the head of its record.

use slcert_profiles::Profile;
use slcert_reports::Record;
use slcert_reports::record::{DutRecord, PlannedRecord, ProfileRecord, RigRecord, SelectionRecord};
use slcert_suites::{Trial, fresh};

use crate::command::{Evidence, Fuzz, Run};
use crate::sources::RigFile;

/// What is fixed before the run.
pub(super) fn record(
    run: &Run,
    profile: &Profile,
    rig: &RigFile,
    planned: &[Trial],
    campaign: &str,
) -> Record {
    let seed = run.seed.unwrap_or_else(fresh::seed_from_clock);
    fresh::begin(seed);
    let excluded: Vec<_> = profile
        .excluded()
        .map(|(row, why)| (row.id, why.to_owned()))
        .collect();
    let dut = &rig.rig.dut;
    let selection = profile
        .basis()
        .requirements()
        .iter()
        .filter(|row| row.applies_to(dut.component))
        .map(|row| SelectionRecord {
            id: row.id,
            title: row.title.clone(),
            level: row.level.get().max(1),
            excluded: excluded
                .iter()
                .find(|(id, _)| *id == row.id)
                .map(|(_, why)| why.clone()),
        })
        .collect();
    Record {
        format: slcert_reports::record::FORMAT,
        slcert: env!("CARGO_PKG_VERSION").to_owned(),
        campaign: campaign.to_owned(),
        started: jiff::Timestamp::now(),
        finished: None,
        interrupted: false,
        profile: ProfileRecord {
            id: profile.id.clone(),
            title: profile.title.clone(),
            version: profile.version.to_string(),
            sha256: profile.sha256().to_owned(),
            status: format!("{:?}", profile.status).to_lowercase(),
        },
        rig: RigRecord {
            file: rig.name.clone(),
            sha256: rig.sha256.clone(),
        },
        dut: DutRecord {
            product: dut.product.clone(),
            vendor: dut.vendor.clone(),
            firmware: dut.firmware.clone(),
            serial: dut.serial.clone(),
            component: dut.component,
        },
        lab: None,
        redaction: None,
        claim: profile.claim().0.map(|level| level.get()),
        selection,
        seed,
        options: options(run),
        wanted: run.wants.wanted(),
        planned: planned
            .iter()
            .map(|trial| PlannedRecord {
                id: trial.id(),
                title: trial.case.title.to_owned(),
                requirements: trial.requirements.clone(),
                interface: trial.interface.clone(),
            })
            // What a filter leaves out stays planned: a campaign demonstrates nothing by what it does not run.
            .collect(),
        selftest: Vec::new(),
        attestations: Vec::new(),
        trials: Vec::new(),
    }
}

/// What names profile, rig and flaws, and how much is done, on the command line.
fn options(run: &Run) -> Vec<String> {
    let mut options = vec!["--profile".to_owned(), run.on.profile.clone()];
    if let Some(rig) = &run.on.rig {
        options.extend(["--rig".to_owned(), rig.display().to_string()]);
    }
    for flaw in &run.flaw {
        options.extend(["--flaw".to_owned(), flaw.clone()]);
    }
    let usual = Fuzz::default();
    if run.fuzz.fuzz_time != usual.fuzz_time {
        options.extend(["--fuzz-time".to_owned(), run.fuzz.fuzz_time.to_string()]);
    }
    if let Some(cases) = run.fuzz.fuzz_cases {
        options.extend(["--fuzz-cases".to_owned(), cases.to_string()]);
    }
    if run.fuzz.fuzz_first {
        options.push("--fuzz-first".to_owned());
    }
    let size = run.evidence.evidence_size;
    if size != Evidence::default().evidence_size {
        options.extend(["--evidence-size".to_owned(), size.to_string()]);
    }
    options
}
