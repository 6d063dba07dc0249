//! A rig file of the hostile device, and campaigns against it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::peer;

/// The longest that a campaign may take.
const LONGEST: Duration = Duration::from_secs(200);

/// What a campaign left.
pub struct Left {
    pub folder: TempDir,
    pub stdout: String,
    pub stderr: String,
    /// The most memory that it held, in KiB.
    pub peak: u64,
}

/// A folder with the rig file of a device, which listens from now on.
fn device() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), authority()).unwrap();
    std::fs::write(folder.path().join("rig.toml"), rig()).unwrap();
    folder
}

fn command(folder: &Path, arguments: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slcert"));
    command
        .args(["run", "--headless", "--seed", "7", "--fuzz-time", "1s"])
        .arg("--rig")
        .arg(folder.join("rig.toml"))
        .args(arguments)
        .env("HOSTILE_PASSWORD", "correct-horse-7")
        .env_remove("GITHUB_ACTIONS")
        .stdin(Stdio::null());
    command
}

/// The names of all trials.
pub fn trials() -> Vec<String> {
    let folder = device();
    let output = command(folder.path(), &["--list".to_owned()]).output();
    let list = String::from_utf8(output.unwrap().stdout).unwrap();
    let names = list.lines().filter_map(|line| line.strip_suffix(": test"));
    names.map(str::to_owned).collect()
}

/// The arguments of campaigns that have each trial once between them. They are dealt as they are listed: what takes long does
/// so on several interfaces, whose trials stand side by side.
pub fn dealt(trials: &[String], campaigns: usize) -> Vec<Vec<String>> {
    let hand = |campaign: usize| {
        let others = trials.iter().enumerate();
        let others = others.filter(|(place, _)| place % campaigns != campaign);
        let skipped = others.flat_map(|(_, trial)| ["--skip".to_owned(), trial.clone()]);
        ["--exact".to_owned()].into_iter().chain(skipped).collect()
    };
    (0..campaigns).map(hand).collect()
}

/// Runs a campaign against it; its output goes to files, as one that nobody reads would wait.
pub fn campaign(arguments: &[String]) -> Left {
    let folder = device();
    let path = |name: &str| folder.path().join(name);
    let file = |name: &str| Stdio::from(std::fs::File::create(path(name)).unwrap());
    let mut child = command(folder.path(), arguments)
        .arg("--out")
        .arg(path("campaign"))
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

/// A certificate that is none of the device's.
fn authority() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["ca.example".to_owned()]).unwrap();
    params.self_signed(&key).unwrap().pem()
}

/// A console of the rig file.
fn console(name: &str, port: u16) -> String {
    format!(
        r#"[interface.{name}]
kind = "console"
port = "tcp://127.0.0.1:{port}"
users = ["human"]

[interface.{name}.console]
prompt = 'dev> $'
login = [{{ expect = 'login: $' }}, {{ send = "{{user}}" }}, {{ expect = 'Password: $' }}, {{ send = "{{password}}" }}]
login_refused = 'never'
refused = 'never'
logout = "logout"
newline = "\n"
patience = "1s"
"#
    )
}

fn rig() -> String {
    let [console, stream_console] = [(false, "console"), (true, "stream-console")]
        .map(|(streams, name)| console(name, peer::console(streams)));
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

{console}

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
{stream_console}

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
