//! A device is compared with references that others wrote. No difference decides a verdict, and no reference that fails does.

mod common;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use slcert_reports::Verdict;
use slcert_rigs::rig::SIMULATED;

const MODBUS: &str = "CR-3.5/fuzz-modbus@field";
const MQTT5: &str = "CR-3.5/fuzz-mqtt@gateway";
const MQTT: &str = "CR-3.5/fuzz-mqtt@gateway311";

/// Becomes the device, once it is written down who that is.
const START: &str = "echo $$ >\"$2\"; exec \"$0\" \"$1\"";
/// Ends the device a second after it has answered.
const ENDS: &str = "echo $$ >\"$2\"; exec 3<&0; \"$0\" \"$1\" <&3 >\"$1/said\" & \
    until [ -s \"$1/said\" ]; do sleep 0.05; done; cat \"$1/said\"; sleep 1; kill $!";

const TCP: &str = "address = \"{start.address}:{start.modbus_tcp}\"";
const TLS: &str = r#"address = "{start.address}:{start.mqtt_tls}"
tls = true
user = "gw-control"
password = { file = "{work}/provisioning.json", member = "accounts.gw-control.password" }"#;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let test =
        |name: &str, run: fn() -> Result<Completion, Failed>| Trial::ignorable_test(name, run);
    let trials = vec![
        test("a right Modbus server may differ from pymodbus", || {
            let started = Started::new("pymodbus", START, TCP);
            let compared = started.compare(MODBUS, "field", &[])?;
            // pymodbus has functions and items that the device has not.
            compared.judge(Verdict::Pass, &["reference = \"done: FC"])
        }),
        test(
            "what a device ignores and mosquitto does not is listed",
            || {
                let started = Started::new("mosquitto", START, TLS);
                let compared = started.compare(MQTT5, "gateway", &["connack-ignored"])?;
                compared.judge(Verdict::Fail, &["input = \"CONNACK"])
            },
        ),
        test("a right broker may differ from mosquitto", || {
            let started = Started::new("mosquitto", START, TLS);
            started
                .compare(MQTT, "gateway311", &[])?
                .judge(Verdict::Pass, &[])
        }),
        test(
            "a reference that ends ends the comparison and nothing else",
            || {
                let started = Started::new("pymodbus", ENDS, TCP);
                let compared = started.compare(MODBUS, "field", &[])?;
                compared.ended("nothing more was compared: the reference ")
            },
        ),
        test("a reference that does not answer harms nothing", || {
            let nobody = "[reference.field]\naddress = \"127.0.0.1:1\"\n";
            let compared = Compared::run(MODBUS, nobody, &[])?;
            compared.ended("nothing more was compared: the reference does not serve")
        }),
        test("a reference that does not start harms nothing", || {
            let fails =
                "[reference.field]\nstart = { command = [\"false\"] }\naddress = \"127.0.0.1:1\"\n";
            let compared = Compared::run(MODBUS, fails, &[])?;
            compared.ended("nothing more was compared: the reference could not be started")
        }),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A device of `rigs/devices` as a reference.
struct Started {
    device: String,
    script: &'static str,
    reached: &'static str,
}

impl Started {
    fn new(device: &str, script: &'static str, reached: &'static str) -> Self {
        let devices = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rigs/devices");
        let device = devices.join(device).join("start").display().to_string();
        Self {
            device,
            script,
            reached,
        }
    }

    /// Compares the simulated device with it. It is gone afterwards.
    fn compare(&self, trial: &str, interface: &str, flaws: &[&str]) -> Result<Compared, Failed> {
        let folder = tempfile::tempdir()?;
        let pid = folder.path().join("pid");
        let Self {
            device,
            script,
            reached,
        } = self;
        let said = pid.display();
        let reference = format!(
            "[reference.{interface}]\nstart = {{ command = [\"sh\", \"-c\", '''{script}''', \"{device}\", \"{{work}}\", \"{said}\"], ready = \"60s\" }}\n{reached}\n"
        );
        let compared = Compared::run(trial, &reference, flaws)?;
        let pid = std::fs::read_to_string(&pid)?;
        match Path::new("/proc").join(pid.trim()).exists() {
            true => Err(format!("the reference still runs: {pid}").into()),
            false => Ok(compared),
        }
    }
}

/// What a campaign with a reference came to.
struct Compared {
    verdict: Verdict,
    /// What is said of all inputs.
    words: String,
    /// The differences.
    listed: String,
}

impl Compared {
    fn run(trial: &str, reference: &str, flaws: &[&str]) -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        let rig = folder.path().join("rig.toml");
        let flaws: String = flaws
            .iter()
            .map(|name| format!(", \"--flaw\", \"{name}\""))
            .collect();
        let started = "\"--stdin-guard\", \"--broker\"";
        let flawed = format!("\"--stdin-guard\"{flaws}, \"--broker\"");
        let device = SIMULATED.replace(started, &flawed);
        std::fs::write(&rig, format!("{device}\n{reference}"))?;
        let rig = rig.display().to_string();
        let out = folder.path().join("campaign");
        let arguments = [
            "--rig",
            &rig,
            "--seed",
            "1",
            "--fuzz-time",
            "6s",
            "--exact",
            trial,
        ];
        let (output, record) = common::campaign(&out, &arguments)?;
        let record = record.ok_or_else(|| Failed::from(common::said(&output)))?;
        let ran = record.trials.iter().find(|it| it.id == trial);
        let ran = ran.ok_or("nothing was run")?;
        let evidence = out.join("data/evidence");
        let read = |what: &str| {
            let name = format!("{}.{what}", trial.replace('/', "."));
            std::fs::read_to_string(evidence.join(name)).unwrap_or_default()
        };
        Ok(Self {
            verdict: ran.verdict,
            words: read("coverage.txt"),
            listed: read("differences.toml"),
        })
    }

    /// The verdict is this one whatever differs, and this is listed.
    fn judge(&self, verdict: Verdict, listed: &[&str]) -> Result<Completion, Failed> {
        if self.words.contains("the reference could not be started") {
            return common::leave_out(self.words.lines().next().unwrap_or_default());
        }
        let all = listed.iter().all(|what| self.listed.contains(what));
        let some = self.words.contains(" inputs compared with the reference: ");
        let whole = !self.words.contains("nothing more was compared");
        self.is(self.verdict == verdict && all && some && whole)
    }

    /// The device passes, and this is said of the reference.
    fn ended(&self, why: &str) -> Result<Completion, Failed> {
        if !self.words.contains(why) && self.words.contains("the reference could not be started") {
            return common::leave_out(self.words.lines().next().unwrap_or_default());
        }
        self.is(self.verdict == Verdict::Pass && self.words.contains(why))
    }

    fn is(&self, right: bool) -> Result<Completion, Failed> {
        let Self {
            verdict,
            words,
            listed,
        } = self;
        match right {
            true => Ok(Completion::Completed),
            false => Err(format!("{verdict}\n{words}\n{listed}").into()),
        }
    }
}
