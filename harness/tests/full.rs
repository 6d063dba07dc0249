//! A disk that is full, a folder that takes nothing and two campaigns in one folder: each is a clear error, and nothing that
//! was recorded is lost.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::{record, slcert};
use slcert_reports::{Journal, Record, bag};

const FILTER: &str = "CR-7.8";

fn run(out: &str) -> Output {
    slcert(&["run", "--headless", "--seed", "7", "--out", out, FILTER])
}

fn verdicts(record: &Record) -> Vec<(String, slcert_reports::Verdict)> {
    let trials = record.trials.iter();
    trials
        .map(|trial| (trial.id.clone(), trial.verdict))
        .collect()
}

/// The trials that a journal has verdicts of, whatever became of its last line.
fn recorded(campaign: &Path) -> usize {
    let (entries, _) = Journal::read(&campaign.join("data/journal.jsonl")).unwrap();
    Record::from_journal(&entries).unwrap().trials.len()
}

/// The campaign goes on where there is room again, and comes to what an unbroken one comes to.
fn goes_on(campaign: &Path, whole: &Record) {
    let resumed = slcert(&[
        "run",
        "--headless",
        "--resume",
        &campaign.display().to_string(),
        FILTER,
    ]);
    assert_eq!(resumed.status.code(), Some(5), "{}", common::said(&resumed));
    assert_eq!(verdicts(&record(campaign)), verdicts(whole));
    let verified = slcert(&["verify", &campaign.display().to_string()]);
    assert!(verified.status.success(), "{}", common::said(&verified));
}

#[test]
fn a_journal_that_cannot_grow_ends_the_campaign_and_keeps_what_it_has() {
    let scratch = tempfile::tempdir().unwrap();
    let unbroken = scratch.path().join("unbroken");
    run(&unbroken.display().to_string());
    let whole = record(&unbroken);
    let journal = std::fs::metadata(unbroken.join("data/journal.jsonl"))
        .unwrap()
        .len();
    // In steps of 512 bytes, from nearly all of it downwards.
    for (number, missing) in [(1, 1), (2, 3), (3, 7), (4, 11)] {
        let campaign = scratch.path().join(number.to_string());
        let blocks = journal / 512 - missing;
        let output = Command::new("sh")
            .args(["-c", "ulimit -f $0; trap '' XFSZ; exec \"$@\""])
            .arg(blocks.to_string())
            .arg(env!("CARGO_BIN_EXE_slcert"))
            .args(["run", "--headless", "--seed", "7", "--out"])
            .arg(&campaign)
            .arg(FILTER)
            .output()
            .unwrap();
        let said = common::said(&output);
        assert!(matches!(output.status.code(), Some(6 | 130)), "{said}");
        assert!(
            said.contains("File too large") && said.contains("--resume"),
            "{said}"
        );
        let kept = recorded(&campaign);
        assert!(
            kept < whole.trials.len() || number == 1,
            "{kept} of {}",
            whole.trials.len()
        );
        goes_on(&campaign, &whole);
    }
}

/// Fills a small file system of its own while a campaign runs, and takes the fill away again.
const FILL: &str = r#"
set -e
mount -t tmpfs -o size=160m tmpfs "$1"
mkfifo "$1/events"
"$2" run --headless --seed 7 --format jsonl --out "$1/campaign" "$3" >"$1/events" 2>"$4/said" &
exec 3<"$1/events"
while read -r line <&3; do
  case $line in *trial_finished*) break ;; esac
done
dd if=/dev/zero of="$1/fill" bs=1M 2>/dev/null || true
dd if=/dev/zero of="$1/fill2" bs=1 2>/dev/null || true
cat <&3 >"$4/events"
wait $! && code=0 || code=$?
echo "$code" >"$4/code"
rm "$1/fill" "$1/fill2"
cp -r "$1/campaign" "$4/campaign"
"#;

#[test]
fn a_disk_that_fills_up_ends_the_campaign_and_keeps_what_it_has() {
    let here = Command::new("unshare").args(["-rm", "true"]).output();
    if !here.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("SLCERT_REQUIRE").is_none());
        eprintln!("left out: no file system can be mounted here");
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let (disk, kept) = (scratch.path().join("disk"), scratch.path().join("kept"));
    std::fs::create_dir(&disk).unwrap();
    std::fs::create_dir(&kept).unwrap();
    let output = Command::new("unshare")
        .args(["-rm", "sh", "-c", FILL, "sh"])
        .arg(&disk)
        .arg(env!("CARGO_BIN_EXE_slcert"))
        .arg(FILTER)
        .arg(&kept)
        .output()
        .unwrap();
    let said = std::fs::read_to_string(kept.join("said")).unwrap_or_default();
    assert!(output.status.success(), "{}{said}", common::said(&output));
    let code = std::fs::read_to_string(kept.join("code")).unwrap();
    assert!(matches!(code.trim(), "6" | "130"), "{code}{said}");
    assert!(
        said.contains("No space left on device") && said.contains("--resume"),
        "{said}"
    );
    let campaign = kept.join("campaign");
    assert!(recorded(&campaign) >= 1, "{said}");
    let unbroken = scratch.path().join("unbroken");
    run(&unbroken.display().to_string());
    goes_on(&campaign, &record(&unbroken));
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_before_anything_is_run() {
    for out in ["/dev/null/campaign", "/proc/campaign"] {
        let output = run(out);
        let said = common::said(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains("cannot be made") && said.contains(out),
            "{said}"
        );
    }
}

#[test]
fn two_campaigns_do_not_share_a_folder() {
    let scratch = tempfile::tempdir().unwrap();
    for round in 0..4 {
        let campaign = scratch.path().join(round.to_string());
        let out = campaign.display().to_string();
        let outputs: Vec<Output> = std::thread::scope(|scope| {
            let both = [0, 1].map(|_| scope.spawn(|| run(&out)));
            both.map(|one| one.join().unwrap()).into()
        });
        let said = outputs
            .iter()
            .map(common::said)
            .collect::<Vec<_>>()
            .join("\n---\n");
        let codes: Vec<_> = outputs
            .iter()
            .filter_map(|output| output.status.code())
            .collect();
        assert_eq!(codes.iter().filter(|code| **code == 5).count(), 1, "{said}");
        assert_eq!(
            codes.iter().filter(|code| matches!(code, 2 | 6)).count(),
            1,
            "{said}"
        );
        assert!(said.contains("error: "), "{said}");
        assert_eq!(record(&campaign).trials.len(), 6);
        let verified = slcert(&["verify", &out]);
        assert!(verified.status.success(), "{}", common::said(&verified));
    }
}

#[test]
fn a_campaign_that_runs_is_not_resumed() {
    let scratch = tempfile::tempdir().unwrap();
    let campaign = scratch.path().join("campaign");
    let out = campaign.display().to_string();
    run(&out);
    let before = std::fs::read(campaign.join("data/journal.jsonl")).unwrap();
    // As one that was killed, whose journal another campaign now has.
    bag::unseal(&campaign).unwrap();
    let journal = std::fs::File::open(campaign.join("data/journal.jsonl")).unwrap();
    journal.lock().unwrap();
    let output = slcert(&["run", "--headless", "--resume", &out, "CR-1.12"]);
    let said = common::said(&output);
    assert_eq!(output.status.code(), Some(6), "{said}");
    assert!(said.contains("in use by another campaign"), "{said}");
    let after = std::fs::read(campaign.join("data/journal.jsonl")).unwrap();
    assert!(before == after, "nothing is added to it");
}
