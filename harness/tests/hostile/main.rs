//! A whole campaign against a device that says whatever it likes: nothing of it reaches a file of text or the terminal but as
//! text, and however much it says, the harness stays small.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

#[path = "../common/mod.rs"]
mod common;
mod peer;

use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use slcert_reports::Verdict;

/// The most memory that the harness may hold, in KiB.
const MEMORY: u64 = 300 * 1024;
/// The longest that the campaign may take.
const LONGEST: Duration = Duration::from_secs(400);

/// Leaves out the trials that take two of the three minutes.
const SHORTER: [&str; 8] = [
    "--skip",
    "CR-3.5/fuzz",
    "--skip",
    "mqtt-limits",
    "--skip",
    "CR-3.5/framing@stream",
    "--skip",
    "before-login",
];

fn rig() -> String {
    let [console, stream_console] = [false, true].map(peer::console);
    let [field, stream_field] = [false, true].map(peer::modbus);
    let [broker, stream_broker] = [false, true].map(peer::broker);
    let secured = peer::secured();
    format!(
        r#"
[dut]
product = "Hostile"
vendor = "Nobody"
firmware = "6.6.6"
component = "embedded-device"

[interface.console]
kind = "console"
port = "tcp://127.0.0.1:{console}"
users = ["human"]

[interface.console.console]
prompt = 'dev> $'
login = [{{ expect = 'login: $' }}, {{ send = "{{user}}" }}, {{ expect = 'Password: $' }}, {{ send = "{{password}}" }}]
login_refused = 'never'
refused = 'never'
logout = "logout"
newline = "\n"
patience = "1s"

[interface.field]
kind = "modbus-tcp"
address = "127.0.0.1:{field}"
users = ["process"]
anonymous = ["identify", "read_output"]

[interface.plc]
kind = "modbus-tls"
address = "127.0.0.1:{secured}"
users = ["process"]
tls = {{ ca = "{{rig}}/ca.pem" }}

[interface.gateway]
kind = "mqtt"
version = "5.0"
address = "127.0.0.1:{broker}"
users = ["process"]

[interface.gateway311]
kind = "mqtt"
version = "3.1.1"
address = "127.0.0.1:{broker}"
users = ["process"]

# What never stops where it is to tell what it is.
[interface.stream-console]
kind = "console"
port = "tcp://127.0.0.1:{stream_console}"
users = ["human"]

[interface.stream-console.console]
prompt = 'dev> $'
login = [{{ expect = 'login: $' }}, {{ send = "{{user}}" }}, {{ expect = 'Password: $' }}, {{ send = "{{password}}" }}]
login_refused = 'never'
refused = 'never'
logout = "logout"
newline = "\n"
patience = "1s"

[interface.stream-field]
kind = "modbus-tcp"
address = "127.0.0.1:{stream_field}"
users = ["process"]
anonymous = ["identify"]

[interface.stream-gateway]
kind = "mqtt"
version = "5.0"
address = "127.0.0.1:{stream_broker}"
users = ["process"]

[role.viewer]
may = ["identify", "read_output"]

[role.operator]
may = ["identify", "read_output", "write_output", "whoami", "read_audit"]

[account.vera]
role = "viewer"
password = {{ env = "HOSTILE_PASSWORD" }}
interfaces = ["console", "gateway", "gateway311"]

[account.otto]
role = "operator"
password = {{ env = "HOSTILE_PASSWORD" }}
interfaces = ["console", "gateway", "gateway311", "stream-console", "stream-gateway"]

[operation.identify]
console = {{ send = "version" }}
field = {{ identify = true }}
plc = {{ identify = true }}
gateway = {{ subscribe = "plant/identity" }}
gateway311 = {{ subscribe = "plant/identity" }}
stream-console = {{ send = "version" }}
stream-field = {{ identify = true }}
stream-gateway = {{ subscribe = "plant/identity" }}

[operation.whoami]
console = {{ send = "whoami", answer = 'user=(\S+)' }}

[operation.read_audit]
console = {{ send = "audit", ok = 'OK' }}

[operation.read_output]
console = {{ send = "show output", answer = '(?m)^OK (\d+)' }}
field = {{ read_holding = 1 }}
plc = {{ read_holding = 1 }}
gateway = {{ subscribe = "plant/output", answer = '(\d+)$' }}
gateway311 = {{ subscribe = "plant/output", answer = '(\d+)$' }}

[operation.write_output]
read_back = "read_output"
values = {{ from = 0, to = 1000 }}
console = {{ send = "set output {{value}}", ok = '(?m)^OK' }}
field = {{ write_holding = 1 }}
plc = {{ write_holding = 1 }}
gateway = {{ publish = "plant/cmd", payload = "{{value}}" }}
gateway311 = {{ publish = "plant/cmd", payload = "{{value}}" }}

[policy]
failed_logins = 3
lockout = "1s"
"#
    )
}

/// A certificate that is none of the device's.
fn authority() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["ca.example".to_owned()]).unwrap();
    params.self_signed(&key).unwrap().pem()
}

/// What a campaign left.
struct Left {
    folder: tempfile::TempDir,
    stdout: String,
    stderr: String,
    /// The most memory that it held, in KiB.
    peak: u64,
}

/// Runs a campaign against it; its output goes to files, as one that nobody reads would wait.
fn campaign(arguments: &[&str]) -> Left {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("ca.pem"), authority()).unwrap();
    std::fs::write(path("rig.toml"), rig()).unwrap();
    let file = |name: &str| Stdio::from(std::fs::File::create(path(name)).unwrap());
    let mut child = Command::new(env!("CARGO_BIN_EXE_slcert"))
        .args([
            "run",
            "--headless",
            "--seed",
            "7",
            "--fuzz-time",
            "1s",
            "--rig",
        ])
        .arg(path("rig.toml"))
        .arg("--out")
        .arg(path("campaign"))
        .args(arguments)
        .env("HOSTILE_PASSWORD", "correct-horse-7")
        .env_remove("GITHUB_ACTIONS")
        .stdin(Stdio::null())
        .stdout(file("stdout"))
        .stderr(file("stderr"))
        .spawn()
        .unwrap();
    let limit = Instant::now() + LONGEST;
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        peak = peak.max(held(child.id()).unwrap_or(0));
        if Instant::now() > limit {
            child.kill().unwrap();
            let said = std::fs::read_to_string(path("stdout")).unwrap();
            panic!("it takes too long:\n{said}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let read = |name: &str| String::from_utf8(std::fs::read(path(name)).unwrap()).unwrap();
    let (stdout, stderr) = (read("stdout"), read("stderr"));
    Left {
        folder,
        stdout,
        stderr,
        peak,
    }
}

/// The most memory that a process has held until now (proc(5), `VmHWM`), in KiB.
fn held(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// No command that a CI server finds in what is printed.
fn assert_no_command(text: &str, name: &str) {
    for (number, line) in text.split('\n').enumerate() {
        assert!(
            !line.trim_start().starts_with("::"),
            "{line:?} in line {number} of {name}"
        );
        let upper = line.to_ascii_uppercase();
        for command in [
            "##[",
            "##VSO[",
            "##TEAMCITY[",
            "[[ATTACHMENT|/",
            "[[PROPERTY|VERDICT=PASS",
        ] {
            assert!(
                !upper.contains(command),
                "{command} in line {number} of {name}"
            );
        }
    }
}

/// No character that does something.
fn assert_harmless(text: &str, name: &str) {
    for (number, line) in text.split('\n').enumerate() {
        let line = line
            .strip_suffix('\r')
            .filter(|_| name.ends_with(".csv"))
            .unwrap_or(line);
        for c in line.chars() {
            let hidden = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}');
            assert!(
                c == '\t' || !(c.is_control() || hidden),
                "{c:?} in line {number} of {name}"
            );
        }
    }
}

#[test]
fn a_campaign_against_a_hostile_device_leaves_text_alone_and_stays_small() {
    // The longest trials wait for what never comes; they are run where everything has to be here.
    let whole = std::env::var_os("SLCERT_REQUIRE").is_some();
    let left = campaign(if whole { &[] } else { &SHORTER });
    let root = left.folder.path().join("campaign");
    let record = common::record(&root);
    assert!(
        record.trials.len() > 100 && !record.interrupted,
        "{}",
        left.stderr
    );
    // It was heard on each of its interfaces.
    let whole = serde_json::to_string(&record.trials).unwrap();
    assert!(
        whole.contains("forged") && whole.contains("owned"),
        "{}",
        left.stdout
    );
    for (text, name) in [
        (&left.stdout, "standard output"),
        (&left.stderr, "standard error"),
    ] {
        assert_harmless(text, name);
        assert_no_command(text, name);
    }
    let mut heard = [
        ("console", false),
        ("field", false),
        ("gateway", false),
        ("plc", false),
    ];
    for (name, bytes) in common::files(&root) {
        assert!(bytes.len() < 64 * 1024 * 1024, "{name}");
        // Packets are bytes, for tools that read packets.
        if name.ends_with(".pcapng") {
            continue;
        }
        let text = String::from_utf8(bytes);
        let text = text.unwrap_or_else(|_| panic!("{name} is no text"));
        assert_harmless(&text, &name);
        // What was recorded is read in an editor, and printed by nobody.
        if !name.contains("evidence/") {
            assert_no_command(&text, &name);
        }
        for (interface, heard) in &mut heard {
            let evidence = name.contains("evidence/") && name.contains(&format!("@{interface}."));
            *heard |= evidence && text.contains("forged");
        }
        match name.as_str() {
            "data/report.html" => {
                assert_eq!(text.matches("<script").count(), 1);
                assert!(!text.contains("<img"));
            }
            "data/junit.xml" => {
                let read = quick_junit::Report::deserialize_from_str(&text).unwrap();
                let cases = read.test_suites.iter().flat_map(|suite| &suite.test_cases);
                assert!(cases.clone().count() > 100);
                assert!(cases.clone().all(|case| case.name.as_str() != "forged"));
            }
            "data/requirements.csv" => {
                let formula = |cell: &str| {
                    cell.trim_start_matches('"')
                        .starts_with(['=', '+', '@', '\t'])
                };
                let cells = text.lines().flat_map(|line| line.split(','));
                assert!(!cells.clone().any(formula));
            }
            _ => {}
        }
    }
    assert!(heard.iter().all(|(_, heard)| *heard), "{heard:?}");
    for (said, interface) in
        peer::SAID
            .iter()
            .zip(["stream-console", "stream-field", "stream-gateway"])
    {
        assert!(
            said.load(Ordering::SeqCst) > 10_000,
            "{interface} went on and on"
        );
        let id = format!("CR-7.8/identification@{interface}");
        let asked = record.trials.iter().find(|trial| trial.id == id).unwrap();
        // Whatever it came to, it came to an end, and to no PASS.
        assert_ne!(asked.verdict, Verdict::Pass, "{id}");
    }
    let spent = left.stdout.find("\ntime  ").unwrap_or(0);
    println!("peak memory {} KiB{}", left.peak, &left.stdout[spent..]);
    assert!(left.peak > 0 && left.peak < MEMORY, "{} KiB", left.peak);
    let verified = common::verify(&root);
    assert!(verified.status.success());
}

#[test]
fn no_device_forges_an_event() {
    let left = campaign(&["--format", "jsonl", "CR-7.8"]);
    assert_harmless(&left.stdout, "events");
    assert_no_command(&left.stdout, "events");
    assert_harmless(&left.stderr, "standard error");
    let events: Vec<serde_json::Value> = left
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let finished = events
        .iter()
        .filter(|event| event["event"] == "campaign_finished");
    assert_eq!(finished.count(), 1);
    assert_eq!(events.last().unwrap()["exit_code"], 1);
}
