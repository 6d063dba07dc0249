//! Small devices in this process that are known to be sound, bad or silent: cases judge them by the same path as any
//! other device, and a bench on which one is judged wrongly judges nothing.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use slcert_profiles::file::Source;
use slcert_reports::record::CheckRecord;
use slcert_reports::{Verdict, excerpt};
use slcert_rigs::bench::Bench;
use slcert_rigs::rig::Rig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::case::Case;
use crate::procedure::Procedure;
use crate::{iac, ra};

/// What a device of these does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// It tells what its label says, and refuses to write.
    Sound,
    /// It tells another firmware, and writes for anybody.
    Bad,
    /// It takes each connection, and ends it without a word.
    Silent,
}

/// Each device with the case that judges it, and the verdict that is right.
const KNOWN: [(&str, Manner, &str, Verdict); 6] = [
    (
        "a device that anybody may write on",
        Manner::Bad,
        "peer-credentials",
        Verdict::Fail,
    ),
    (
        "a device that nobody may write on",
        Manner::Sound,
        "peer-credentials",
        Verdict::NotApplicable,
    ),
    (
        "a device whose firmware is not that of its label",
        Manner::Bad,
        "identification",
        Verdict::Fail,
    ),
    (
        "a device that is what its label says",
        Manner::Sound,
        "identification",
        Verdict::Pass,
    ),
    (
        "a device that refuses nothing, because it says nothing",
        Manner::Silent,
        "peer-credentials",
        Verdict::Inconclusive,
    ),
    (
        "a device that ends each connection where it is to tell what it is",
        Manner::Silent,
        "identification",
        Verdict::Fail,
    ),
];

/// Judges each of them, and compares the verdict with the one that is right.
pub async fn judged() -> Vec<CheckRecord> {
    let mut checks = Vec::with_capacity(KNOWN.len());
    for (name, manner, case, right) in KNOWN {
        let (verdict, reason) = judge(manner, case)
            .await
            .unwrap_or_else(|why| (Verdict::NotEvaluated, why));
        checks.push(CheckRecord {
            name: name.to_owned(),
            expected: right.to_string(),
            observed: excerpt(&format!("{verdict}: {reason}"), 300),
            verdict: match verdict == right {
                true => Verdict::Pass,
                false => Verdict::Fail,
            },
        });
    }
    checks
}

/// The verdict of a case on such a device.
async fn judge(manner: Manner, case: &str) -> Result<(Verdict, String), String> {
    let mut cases = iac::cr_1_2::CASES.iter().chain(ra::cr_7_8::CASES);
    let case: &Case = cases
        .find(|one| one.id == case)
        .ok_or("there is no such case")?;
    let requirement = case.requirements.first().and_then(|id| id.parse().ok());
    let requirement = requirement.ok_or("the case has no requirement")?;
    let device = Device::start(manner)
        .await
        .map_err(|error| error.to_string())?;
    let rig = Rig::load(&Source::new("fixture", &rig(device.port)));
    let rig = rig.map_err(|faults| faults.to_string())?;
    let nowhere = Path::new(".");
    let bench = Bench::start(rig, nowhere, nowhere, nowhere)
        .await
        .map_err(|error| error.to_string())?;
    let mut procedure = Procedure::new(&bench, Some("field"), requirement);
    let ended = (case.body)(&mut procedure).await;
    let (verdict, reason, _) = procedure.conclude(ended);
    Ok((verdict, reason))
}

/// What the label says.
const LABEL: [&str; 3] = ["Fixture", "F-1", "1.4.2"];
/// What the bad one says that its firmware is.
const OTHER: &str = "1.4.1";

fn rig(port: u16) -> String {
    let [vendor, product, firmware] = LABEL;
    format!(
        r#"
[dut]
vendor = "{vendor}"
product = "{product}"
firmware = "{firmware}"
component = "embedded-device"

[interface.field]
kind = "modbus-tcp"
address = "127.0.0.1:{port}"
users = ["process"]
anonymous = ["identify", "read_output"]

[operation.identify]
field = {{ identify = true }}

[operation.read_output]
field = {{ read_holding = 1 }}

[operation.write_output]
read_back = "read_output"
values = {{ from = 1, to = 1000 }}
field = {{ write_holding = 1 }}
"#
    )
}

/// A device on a port of the loopback, until it is dropped.
struct Device {
    port: u16,
    task: JoinHandle<()>,
}

impl Device {
    async fn start(manner: Manner) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let output = Arc::new(AtomicU16::new(0));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if manner != Manner::Silent {
                    tokio::spawn(serve(stream, manner, Arc::clone(&output)));
                }
            }
        });
        Ok(Self { port, task })
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves one client: requests in, answers out, whatever comes.
async fn serve(mut stream: TcpStream, manner: Manner, output: Arc<AtomicU16>) {
    // Transaction, protocol, length, unit (MODBUS Messaging on TCP/IP, section 3.1.3).
    let mut head = [0; 7];
    while stream.read_exact(&mut head).await.is_ok() {
        let length = usize::from(u16::from_be_bytes([head[4], head[5]]));
        let mut request = vec![0; length.saturating_sub(1).min(253)];
        if stream.read_exact(&mut request).await.is_err() {
            return;
        }
        let answer = answer(&request, manner, &output);
        let length = (answer.len() + 1) as u16;
        head[4..6].copy_from_slice(&length.to_be_bytes());
        let sent = [&head[..], &answer].concat();
        if stream.write_all(&sent).await.is_err() {
            return;
        }
    }
}

fn answer(request: &[u8], manner: Manner, output: &AtomicU16) -> Vec<u8> {
    match request {
        [0x03, ..] => {
            let [high, low] = output.load(Ordering::SeqCst).to_be_bytes();
            vec![0x03, 2, high, low]
        }
        [0x06, _, _, high, low] if manner == Manner::Bad => {
            output.store(u16::from_be_bytes([*high, *low]), Ordering::SeqCst);
            request.to_vec()
        }
        [0x2B, 0x0E, ..] => {
            let [vendor, product, firmware] = LABEL;
            let firmware = if manner == Manner::Bad {
                OTHER
            } else {
                firmware
            };
            let mut answer = vec![0x2B, 0x0E, 0x01, 0x01, 0x00, 0x00, 3];
            for (id, text) in (0..).zip([vendor, product, firmware]) {
                answer.extend([id, text.len() as u8]);
                answer.extend(text.bytes());
            }
            answer
        }
        [function, ..] => vec![function | 0x80, 0x01],
        [] => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_device_is_judged_as_it_is_known_to_be() {
        let checks = judged().await;
        let wrong: Vec<_> = checks
            .iter()
            .filter(|check| check.verdict != Verdict::Pass)
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[tokio::test]
    async fn a_bench_that_passes_everything_is_found_out() {
        // What the sound device comes to is not what is right for the bad one.
        for case in ["peer-credentials", "identification"] {
            let sound = judge(Manner::Sound, case).await.unwrap().0;
            let bad = judge(Manner::Bad, case).await.unwrap().0;
            let silent = judge(Manner::Silent, case).await.unwrap().0;
            assert!(sound != bad && silent != sound, "{case}");
        }
    }
}
