use std::fs;

use sha2::{Digest, Sha256};

use super::*;
use crate::example;
use crate::verdict::Verdict;

struct Campaign {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

/// A journal of the example's first trials: 1 start, then 2 lines a trial.
fn campaign(trials: usize) -> (Campaign, Journal) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let mut journal = Journal::create(&path).unwrap();
    let record = Record {
        attestations: Vec::new(),
        trials: Vec::new(),
        ..example::record()
    };
    journal.append(&Event::CampaignStarted { record }).unwrap();
    for trial in example::record().trials.into_iter().take(trials) {
        journal
            .append(&Event::TrialStarted {
                id: trial.id.clone(),
            })
            .unwrap();
        journal.append(&Event::TrialFinished(trial)).unwrap();
    }
    (
        Campaign {
            _folder: folder,
            path,
        },
        journal,
    )
}

impl Campaign {
    fn lines(&self) -> Vec<String> {
        fs::read_to_string(&self.path)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    fn put(&self, lines: &[String]) {
        fs::write(&self.path, lines.join("\n") + "\n").unwrap();
    }

    fn broken_at(&self) -> (u64, Fault) {
        match Journal::read(&self.path).unwrap_err() {
            JournalError::Broken { line, fault, .. } => (line, fault),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_journal_tells_the_record() {
    let all = example::record();
    let (campaign, mut journal) = campaign(all.trials.len());
    journal
        .append(&Event::CampaignFinished { interrupted: false })
        .unwrap();
    let (entries, torn) = Journal::read(&campaign.path).unwrap();
    assert_eq!(torn, None);
    let record = Record::from_journal(&entries).unwrap();
    assert_eq!(record.finished, entries.last().map(|entry| entry.time));
    assert_eq!(
        Record {
            finished: all.finished,
            ..record
        },
        all
    );
}

#[test]
fn the_first_line_names_zeros_and_each_other_line_the_one_before() {
    let (campaign, _journal) = campaign(1);
    let lines = campaign.lines();
    assert!(lines[0].contains(&format!(r#""prev":"{}""#, "0".repeat(64))));
    let hash: String = Sha256::digest(&lines[0])
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert!(lines[1].contains(&format!(r#""prev":"{hash}""#)));
}

#[test]
fn a_killed_campaign_is_an_interrupted_one_with_the_trials_that_ended() {
    let (campaign, journal) = campaign(2);
    drop(journal);
    let whole = fs::read(&campaign.path).unwrap();
    let starts: Vec<usize> = (0..whole.len())
        .filter(|at| *at == 0 || whole[at - 1] == b'\n')
        .collect();
    // Wherever the last line was torn, the lines before it stand.
    let last = *starts.last().unwrap();
    for end in [last + 1, last + 20, whole.len() - 1] {
        fs::write(&campaign.path, &whole[..end]).unwrap();
        let (entries, torn) = Journal::read(&campaign.path).unwrap();
        assert_eq!(
            torn,
            Some(Torn {
                line: 5,
                bytes: (end - last) as u64
            })
        );
        let record = Record::from_journal(&entries).unwrap();
        assert_eq!(record.trials.len(), 1);
        assert!(record.interrupted && record.finished.is_none());
    }
}

#[test]
fn a_changed_line_breaks_the_chain_at_the_next_one() {
    let (campaign, _journal) = campaign(2);
    let mut lines = campaign.lines();
    lines[2] = lines[2].replace("FAIL", "PASS");
    campaign.put(&lines);
    assert!(matches!(campaign.broken_at(), (4, Fault::Chain)));
}

#[test]
fn a_line_that_is_taken_out_put_in_or_moved_breaks_the_chain_there() {
    let (campaign, _journal) = campaign(2);
    let lines = campaign.lines();
    let mut fewer = lines.clone();
    fewer.remove(2);
    campaign.put(&fewer);
    assert!(matches!(
        campaign.broken_at(),
        (
            3,
            Fault::Seq {
                expected: 2,
                found: 3
            }
        )
    ));
    let mut more = lines.clone();
    more.insert(2, lines[1].clone());
    campaign.put(&more);
    assert!(matches!(
        campaign.broken_at(),
        (
            3,
            Fault::Seq {
                expected: 2,
                found: 1
            }
        )
    ));
    let mut moved = lines.clone();
    moved.swap(1, 3);
    campaign.put(&moved);
    assert!(matches!(campaign.broken_at(), (2, Fault::Seq { .. })));
    let mut noise = lines;
    noise[3] = "{}".to_owned();
    campaign.put(&noise);
    assert!(matches!(campaign.broken_at(), (4, Fault::Shape(_))));
}

#[test]
fn a_resumed_campaign_goes_on_in_the_same_chain_and_says_what_was_cut() {
    let (campaign, journal) = campaign(2);
    drop(journal);
    let whole = fs::read(&campaign.path).unwrap();
    fs::write(&campaign.path, &whole[..whole.len() - 9]).unwrap();
    let (mut journal, entries) = Journal::resume(&campaign.path).unwrap();
    assert_eq!(Record::from_journal(&entries).unwrap().trials.len(), 1);
    journal
        .append(&Event::TrialFinished(example::record().trials.remove(1)))
        .unwrap();
    journal
        .append(&Event::CampaignFinished { interrupted: false })
        .unwrap();
    let (entries, torn) = Journal::read(&campaign.path).unwrap();
    assert_eq!(torn, None);
    assert!(matches!(
        entries[4].event,
        Event::CampaignResumed {
            torn: Some(Torn { line: 5, .. })
        }
    ));
    let record = Record::from_journal(&entries).unwrap();
    assert_eq!((record.trials.len(), record.interrupted), (2, false));
}

#[test]
fn a_campaign_that_was_resumed_is_open_until_it_ends() {
    let (campaign, mut journal) = campaign(1);
    journal
        .append(&Event::CampaignFinished { interrupted: true })
        .unwrap();
    drop(journal);
    drop(Journal::resume(&campaign.path).unwrap());
    let (entries, _) = Journal::read(&campaign.path).unwrap();
    assert_eq!(Record::from_journal(&entries).unwrap().finished, None);
}

#[test]
fn no_repetition_turns_a_fail_into_a_pass() {
    let (campaign, mut journal) = campaign(3);
    for mut trial in example::record().trials.into_iter().take(3) {
        assert_ne!(trial.verdict, Verdict::NotApplicable);
        trial.verdict = Verdict::NotApplicable;
        journal.append(&Event::TrialFinished(trial)).unwrap();
    }
    let (entries, _) = Journal::read(&campaign.path).unwrap();
    let verdicts: Vec<_> = Record::from_journal(&entries)
        .unwrap()
        .trials
        .iter()
        .map(|trial| trial.verdict)
        .collect();
    assert_eq!(
        verdicts,
        [Verdict::Fail, Verdict::Pass, Verdict::NotApplicable]
    );
}

#[test]
fn what_a_trial_had_found_stands_where_it_did_not_end() {
    let (campaign, mut journal) = campaign(0);
    let told = |journal: &mut Journal, verdict, ends: bool| {
        let trial = TrialRecord {
            verdict,
            ..example::record().trials[0].clone()
        };
        journal
            .append(&match ends {
                true => Event::TrialFinished(trial),
                false => Event::TrialFound(trial),
            })
            .unwrap();
    };
    let verdicts = || {
        let (entries, _) = Journal::read(&campaign.path).unwrap();
        let trials = Record::from_journal(&entries).unwrap().trials;
        trials.iter().map(|one| one.verdict).collect::<Vec<_>>()
    };
    let id = example::record().trials[0].id.clone();
    let started = || Event::TrialStarted { id: id.clone() };
    journal.append(&started()).unwrap();
    assert_eq!(verdicts(), []);
    told(&mut journal, Verdict::Inconclusive, false);
    assert_eq!(verdicts(), [Verdict::Inconclusive], "killed here");
    told(&mut journal, Verdict::Pass, true);
    assert_eq!(verdicts(), [Verdict::Pass], "its own end says more");
    drop(journal);
    let (mut journal, _) = Journal::resume(&campaign.path).unwrap();
    journal.append(&started()).unwrap();
    told(&mut journal, Verdict::Fail, false);
    drop(journal);
    let (mut journal, _) = Journal::resume(&campaign.path).unwrap();
    assert_eq!(verdicts(), [Verdict::Fail], "killed, and resumed");
    journal.append(&started()).unwrap();
    told(&mut journal, Verdict::Pass, true);
    assert_eq!(verdicts(), [Verdict::Fail], "no repetition undoes it");
}

#[test]
fn two_campaigns_do_not_share_a_journal() {
    let (campaign, journal) = campaign(0);
    assert!(matches!(
        Journal::create(&campaign.path),
        Err(JournalError::Io { verb: "create", .. })
    ));
    assert!(matches!(
        Journal::resume(&campaign.path),
        Err(JournalError::InUse { .. })
    ));
    drop(journal);
    Journal::resume(&campaign.path).unwrap();
}

/// Whoever changes what this shows makes older journals unreadable.
#[test]
fn the_events_are_written_as_they_were() {
    let torn = Some(Torn { line: 5, bytes: 17 });
    for (event, text) in [
        (
            Event::TrialStarted { id: "x".to_owned() },
            r#"{"trial_started":{"id":"x"}}"#,
        ),
        (
            Event::CampaignResumed { torn },
            r#"{"campaign_resumed":{"torn":{"line":5,"bytes":17}}}"#,
        ),
        (
            Event::CampaignFinished { interrupted: true },
            r#"{"campaign_finished":{"interrupted":true}}"#,
        ),
    ] {
        assert_eq!(serde_json::to_string(&event).unwrap(), text);
        assert_eq!(serde_json::from_str::<Event>(text).unwrap(), event);
    }
}

#[test]
fn a_journal_of_no_campaign_makes_no_record() {
    assert!(matches!(
        Record::from_journal(&[]),
        Err(JournalError::NoCampaign)
    ));
}
