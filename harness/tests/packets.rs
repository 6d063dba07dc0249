//! The packets of a campaign: stock tshark reads in them what the transcripts beside them say.

#![allow(clippy::unwrap_used, reason = "a test ends where something is amiss")]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use slcert_reports::Verdict;
use slcert_rigs::mqtt::wire::frame::{Length, length};

fn main() -> ExitCode {
    let tests: [(&str, fn()); 3] = [
        ("each_line_is_read_as_the_transcript_has_it", lines),
        ("packets_around_a_finding_are_kept", finding),
        ("keys_are_kept_apart_or_not_at_all", keys),
    ];
    let trials = tests.map(|(name, test)| {
        Trial::ignorable_test(name, move || -> Result<Completion, Failed> {
            if Command::new("tshark").arg("-v").output().is_err() {
                return common::leave_out("tshark is not installed");
            }
            test();
            Ok(Completion::Completed)
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

fn run(out: &Path, arguments: &[&str]) -> slcert_reports::Record {
    let (output, record) = common::campaign(out, &[&["--headless"], arguments].concat()).unwrap();
    record.unwrap_or_else(|| panic!("{}", common::said(&output)))
}

fn tshark(file: &Path, filter: &str, fields: &[&str]) -> Vec<String> {
    let output = Command::new("tshark")
        .arg("-r")
        .arg(file)
        .args(["-Y", filter, "-T", "fields", "-E", "separator=|"])
        .args(fields.iter().flat_map(|field| ["-e", field]))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", common::said(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// What a transcript says was sent over a line, event by event.
fn sent(transcript: &str, line: &str) -> Vec<Vec<u8>> {
    let sent = transcript.lines().filter_map(|text| {
        let (before, bytes) = text.split_once(" > ")?;
        before
            .ends_with(&format!(" {line}"))
            .then(|| unescaped(bytes))
    });
    sent.collect()
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let escape = if byte == b'\\' { rest.next() } else { None };
        bytes.push(match escape {
            None => byte,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'x') => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            Some(other) => other,
        });
    }
    bytes
}

fn lines() {
    let folder = tempfile::tempdir().unwrap();
    let (out, keys) = (folder.path().join("campaign"), folder.path().join("keys"));
    let options = [
        "--keep-keys",
        &keys.display().to_string(),
        "CR-2.1-RE-1/rights-matrix",
    ];
    let record = run(&out, &options);
    assert_eq!(record.trials.len(), 5);
    for trial in &record.trials {
        let stem = trial.id.replace('/', ".");
        let evidence = out.join("data/evidence");
        let transcript = std::fs::read_to_string(evidence.join(format!("{stem}.txt"))).unwrap();
        let shared = evidence.join(format!("{stem}.pcapng"));
        let at = trial.interface.as_deref().unwrap();
        // What is under TLS is read with the keys, and not without.
        let file = match at {
            "field" | "rtu" => shared.clone(),
            _ => {
                let locked = tshark(
                    &shared,
                    "mqtt or tls.app_data",
                    &["mqtt.msgtype", "tcp.len"],
                );
                assert!(!locked.is_empty() && locked.iter().all(|one| one.starts_with('|')));
                keys.join(format!("{stem}.pcapng"))
            }
        };
        let mine = match at {
            "field" | "rtu" => at.to_owned(),
            _ => format!("{at}.wire"),
        };
        let of_mine =
            format!("frame.interface_name == \"{mine}\" and frame.packet_flags_direction == 2");
        let sent = sent(&transcript, at);
        assert!(!sent.is_empty(), "{}", trial.id);
        let (filter, field, expected): (_, _, Vec<u8>) = match at {
            "field" | "plc" => (
                "modbus",
                "modbus.func_code",
                sent.iter().map(|one| one[7]).collect(),
            ),
            "rtu" => (
                "modbus",
                "modbus.func_code",
                sent.iter().map(|one| one[1]).collect(),
            ),
            _ => (
                "mqtt",
                "mqtt.msgtype",
                sent.iter().flat_map(|one| packet_types(one)).collect(),
            ),
        };
        let seen = tshark(&file, &format!("{filter} and {of_mine}"), &[field]);
        let seen: Vec<&str> = seen.iter().flat_map(|one| one.split(',')).collect();
        let expected: Vec<String> = expected.iter().map(u8::to_string).collect();
        assert_eq!(seen, expected, "{}", trial.id);
        let odd = "_ws.malformed or tcp.analysis.flags";
        assert_eq!(
            tshark(&file, odd, &["frame.number"]),
            [""; 0],
            "{}",
            trial.id
        );
    }
}

/// The types of the MQTT packets that were sent at once.
fn packet_types(mut bytes: &[u8]) -> Vec<u8> {
    let mut types = Vec::new();
    while let Length::Bytes { total, .. } = length(bytes) {
        types.push(bytes[0] >> 4);
        // A password that is masked in the transcript has another length.
        bytes = bytes.get(total..).unwrap_or_default();
    }
    types
}

/// A fuzz suite sends far more than anybody reads: what went before a finding, and what brought it about again, is kept.
fn finding() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("campaign");
    let trial = "CR-3.5/fuzz-modbus@field";
    let flaw = [
        "--flaw",
        "crash-on-record-sum",
        "--fuzz-first",
        "--fuzz-time",
        "60s",
    ];
    let record = run(&out, &[&flaw[..], &["--exact", trial]].concat());
    assert_eq!(record.trials[0].verdict, Verdict::Fail);
    let stem = out.join("data/evidence/CR-3.5.fuzz-modbus@field");
    let [text, file] = ["finding-1.toml", "pcapng"]
        .map(|name| PathBuf::from(format!("{}.{name}", stem.display())));
    let text = std::fs::read_to_string(text).unwrap();
    let mut acts = text.lines().filter_map(|line| line.strip_prefix("send = "));
    let bytes = acts.next_back().unwrap().trim_matches('"').replace(' ', "");
    let bytes = bytes.to_lowercase();
    let seen = tshark(
        &file,
        "tcp.dstport == 502 and tcp.len > 0",
        &["tcp.payload"],
    );
    let times = seen
        .iter()
        .filter(|payload| payload.contains(&bytes))
        .count();
    assert!(times >= 2, "{bytes} is there {times} times");
    let size = std::fs::metadata(&file).unwrap().len();
    assert!(size < 4 << 20, "{size}");
}

fn keys() {
    let folder = tempfile::tempdir().unwrap();
    let (out, keys) = (folder.path().join("campaign"), folder.path().join("keys"));
    let trial = "CR-4.1/secrets-on-the-wire@gateway";
    run(&out, &["--keep-keys", &keys.display().to_string(), trial]);
    let file = keys.join("CR-4.1.secrets-on-the-wire@gateway.pcapng");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&keys), mode(&file)), (0o700, 0o600));
    assert!(common::verify(&out).status.success());
    // In the campaign's own folder they would be handed on.
    let out = folder.path().join("another");
    let inside = out.join("data/keys").display().to_string();
    let (output, record) = common::campaign(&out, &["--keep-keys", &inside, trial]).unwrap();
    assert_eq!((output.status.code(), record), (Some(2), None));
    assert!(common::said(&output).contains("keys are no part of what is handed on"));
    assert!(!out.join("data/keys").exists());
}
