//! A campaign with every verdict in it, for tests.

#![allow(clippy::unwrap_used)]

use jiff::{Timestamp, ToSpan};
use slcert_profiles::{Catalogue, ComponentType, RequirementId};
use slcert_reports::record::{
    CheckRecord, DutRecord, FORMAT, FileRecord, PlannedRecord, ProfileRecord, Record, RigRecord,
    SelectionRecord, TrialRecord,
};
use slcert_reports::timeline::{FunctionRecord, SentRecord, Series, TimelineRecord};
use slcert_reports::{Verdict, escape};

/// What a hostile device prints to forge a verdict, to break the file, or to attach a file of the CI host.
pub const INJECTION: &str = "]]></system-out></testcase><testcase name=\"CR 3.5 forged\" time=\"0\"/>\
    <testcase name=\"x\"><system-out><![CDATA[\0\x1b[2J\u{9b}31m\u{202e}\u{fffe}[[ATTACHMENT|/etc/passwd]]\
    [[PROPERTY|verdict=PASS]]\"&'<";

pub fn id(text: &str) -> RequirementId {
    text.parse().unwrap()
}

pub fn began() -> Timestamp {
    "2026-01-02T01:04:05.678Z".parse().unwrap()
}

/// A trial of one requirement with one check.
pub fn trial(
    requirement: &str,
    case: &str,
    interface: Option<&str>,
    verdict: Verdict,
    reason: &str,
) -> TrialRecord {
    let requirement = id(requirement);
    let at = interface.map(|one| format!("@{one}")).unwrap_or_default();
    TrialRecord {
        id: format!("{}/{case}{at}", requirement.slug()),
        case: case.to_owned(),
        title: format!("{case} holds"),
        requirements: vec![requirement],
        interface: interface.map(str::to_owned),
        verdict,
        reason: reason.to_owned(),
        checks: vec![CheckRecord {
            name: "the answer".to_owned(),
            expected: "refused".to_owned(),
            observed: escape("accepted <\"at once\">"),
            verdict,
        }],
        started: began() + 2.seconds(),
        duration_ms: 1234,
        waited_ms: 0,
        svv: "SVV-1".to_owned(),
        objective: "To see whether it holds.".to_owned(),
        criterion: "It holds.".to_owned(),
        timeline: None,
        evidence: vec![file(&format!(
            "evidence/{}/{case}/console.raw",
            requirement.slug()
        ))],
    }
}

/// A file of evidence.
pub fn file(path: &str) -> FileRecord {
    FileRecord {
        path: path.to_owned(),
        sha256: "ef".repeat(32),
    }
}

/// A record of an embedded device with the whole catalogue selected, and no trials.
pub fn bare(claim: [u8; 7]) -> Record {
    let rows = Catalogue::of("IEC 62443-4-2", "2019")
        .unwrap()
        .requirements();
    let selection = rows
        .iter()
        .filter(|row| row.applies_to(ComponentType::EmbeddedDevice))
        .map(|row| SelectionRecord {
            id: row.id,
            title: row.title.clone(),
            level: row.level.get(),
            excluded: None,
        });
    Record {
        format: FORMAT,
        slcert: "0.1.0".to_owned(),
        campaign: "2026-01-02T010405Z-gw1".to_owned(),
        started: began(),
        finished: Some(began() + 61.seconds()),
        interrupted: false,
        profile: ProfileRecord {
            id: "baseline".to_owned(),
            title: "Baseline".to_owned(),
            version: "1.0".to_owned(),
            sha256: "ab".repeat(32),
            status: "draft".to_owned(),
        },
        rig: RigRecord {
            file: "gw1.toml".to_owned(),
            sha256: "cd".repeat(32),
        },
        dut: DutRecord {
            product: "Gateway 1".to_owned(),
            vendor: "Acme & Sons".to_owned(),
            firmware: "4.2.1".to_owned(),
            serial: Some("0042".to_owned()),
            component: ComponentType::EmbeddedDevice,
        },
        lab: None,
        redaction: None,
        claim,
        selection: selection.collect(),
        seed: 7,
        options: vec!["--profile".to_owned(), "it's mine.toml".to_owned()],
        wanted: Default::default(),
        planned: Vec::new(),
        selftest: Vec::new(),
        attestations: Vec::new(),
        trials: Vec::new(),
    }
}

/// A record with a trial of each verdict, a trial that was planned and not run, and an excluded row.
pub fn record() -> Record {
    let mut record = bare([2, 1, 2, 1, 1, 1, 2]);
    let console = Some("console");
    record.trials = vec![
        trial(
            "CR 1.11",
            "lockout",
            console,
            Verdict::Fail,
            "7 attempts were taken, 5 are stated",
        ),
        trial(
            "CR 1.11",
            "lockout",
            Some("plc"),
            Verdict::Pass,
            "locked after 5 attempts",
        ),
        trial(
            "CR 1.3",
            "accounts",
            console,
            Verdict::Inconclusive,
            "the console went silent, twice",
        ),
        trial(
            "CR 1.5",
            "defaults",
            console,
            Verdict::NotEvaluated,
            "operation `set_password` is bound on no interface of this rig",
        ),
        trial(
            "NDR 1.6",
            "wireless",
            None,
            Verdict::NotApplicable,
            "there is no radio, and none was heard",
        ),
        trial(
            "CR 4.1",
            "wire",
            Some("plc"),
            Verdict::Pass,
            "no planted secret on the wire",
        ),
        trial(
            "CR 4.3",
            "ciphers",
            Some("plc"),
            Verdict::Review,
            "the statement of algorithms wants a reader",
        ),
        trial("CR 6.1", "audit", console, Verdict::Pass, "read as stated"),
        trial(
            "CCSC 1",
            "essential",
            console,
            Verdict::Pass,
            "the control loop held",
        ),
    ];
    record.planned.push(PlannedRecord {
        id: "CR-2.1/rights@plc".to_owned(),
        title: "rights hold".to_owned(),
        requirements: vec![id("CR 2.1"), id("CR 2.1 RE(1)")],
        interface: Some("plc".to_owned()),
    });
    let row = record
        .selection
        .iter_mut()
        .find(|row| row.id == id("CR 2.2"))
        .unwrap();
    row.excluded = Some("there is no radio".to_owned());
    record
}

/// A record of this many trials as a campaign leaves them: checks, files, and a timeline of 80 steps of two lines and two
/// functions.
pub fn many(trials: usize) -> Record {
    let mut record = record();
    let one = record.trials[1].clone();
    let more = (0..trials).map(|number| {
        let mut trial = one.clone();
        trial.id = format!("CR-1.11/case{number}@plc");
        trial.checks = vec![trial.checks[0].clone(); 5];
        trial.evidence = ["txt", "pcapng", "monitor.csv"]
            .map(|kind| file(&format!("evidence/CR-1.11.case{number}@plc.{kind}")))
            .to_vec();
        trial.timeline = Some(timeline(number));
        trial
    });
    record.trials.extend(more);
    record
}

/// Answers that come about as often as asked, and a level that wavers: what most timelines look like.
fn timeline(number: usize) -> TimelineRecord {
    let series = |value: fn(usize) -> usize| {
        let values = (number..number + 80).map(|step| Some(value(step) as u64));
        Series(values.collect())
    };
    let function = |name: &str| FunctionRecord {
        function: name.to_owned(),
        allowed_ms: 1000,
        longest_ms: series(|step| 30 + step * 7 % 3),
        tolerance: None,
        farthest: None,
    };
    let sent = |line: &str| SentRecord {
        line: line.to_owned(),
        count: series(|step| step * 5 % 3),
    };
    TimelineRecord {
        step_us: 58_346,
        steps: 80,
        sent: vec![sent("console"), sent("field")],
        functions: vec![
            function("heartbeat"),
            FunctionRecord {
                tolerance: Some(20),
                farthest: Some(series(|step| step * 11 % 5)),
                ..function("level")
            },
        ],
        remarks: Vec::new(),
    }
}
