//! A device that is a process of this machine: started, killed as a power cut would, started again, never left behind.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::error::StartError;
use crate::rig::{Start, Values};

/// The longest report that is read, in bytes.
const MAX_REPORT: u64 = 1 << 16;
/// How much of the error output is kept for messages, in bytes.
const MAX_SAID: usize = 2048;
/// The exit code with which a start command says that this machine lacks something.
const MISSING: i32 = 77;

/// A running device. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// What it reported, as `start.…` placeholders.
    pub(super) report: Values,
}

impl Process {
    /// Starts the device, and waits until it reports that it is ready.
    pub(super) async fn start(start: &Start, values: &Values) -> Result<Self, StartError> {
        let mut words = Vec::new();
        for word in &start.command {
            words.push(word.fill(values)?);
        }
        let (program, arguments) = match words.split_first() {
            Some((program, arguments)) => (program.clone(), arguments.to_vec()),
            None => (String::new(), Vec::new()),
        };
        let mut child = Command::new(&program)
            .args(arguments)
            // The device watches its standard input: it ends when the bench is gone, however that went.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| StartError::Spawn {
                program: program.clone(),
                source,
            })?;
        let said = Arc::new(Mutex::new(Vec::new()));
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(keep_tail(stderr, Arc::clone(&said)));
        }
        let line = match child.stdout.take() {
            Some(stdout) => timeout(start.ready.0, first_line(stdout)).await,
            None => Ok(None),
        };
        match line {
            Err(_) => Err(StartError::Slow {
                program,
                seconds: start.ready.0.as_secs(),
            }),
            Ok(None) => {
                let status = timeout(Duration::from_secs(2), child.wait()).await;
                // The last words may still be on their way.
                tokio::time::sleep(Duration::from_millis(20)).await;
                let said = said
                    .lock()
                    .map(|said| String::from_utf8_lossy(&said).trim().to_owned())
                    .unwrap_or_default();
                match status {
                    Ok(Ok(status)) if status.code() == Some(MISSING) => {
                        Err(StartError::Missing(said))
                    }
                    Ok(Ok(status)) => Err(StartError::Ended {
                        program,
                        status: status.to_string(),
                        said,
                    }),
                    _ => Err(StartError::Ended {
                        program,
                        status: "its output was closed".to_owned(),
                        said,
                    }),
                }
            }
            Ok(Some(line)) => {
                let report = report(&line).ok_or(StartError::Report { program, line })?;
                Ok(Self { child, report })
            }
        }
    }

    /// Kills the device as a power cut would, and waits until it is gone.
    pub(super) async fn kill(&mut self) {
        let _ = self.child.start_kill();
        let _ = timeout(Duration::from_secs(5), self.child.wait()).await;
    }

    /// Whether the process still runs.
    pub(super) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The process that the device names in its report (`pid`), else its own.
    fn pid(&self) -> Option<u32> {
        let named = self
            .report
            .get("start.pid")
            .and_then(|pid| pid.parse().ok());
        named.or(self.child.id())
    }

    /// How long each of the device's threads has run on a processor or waited for one, by its id.
    pub(super) fn wanted(&self) -> Option<BTreeMap<OsString, Duration>> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid()?)).ok()?;
        let wanted = tasks.flatten().filter_map(|task| {
            // proc(5), `schedstat`: nanoseconds on a processor, and waiting for one.
            let figures = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            let figures = figures.split_whitespace().take(2);
            let nanos: u64 = figures
                .filter_map(|figure| figure.parse::<u64>().ok())
                .sum();
            Some((task.file_name(), Duration::from_nanos(nanos)))
        });
        Some(wanted.collect())
    }

    /// The memory that the device holds, in bytes.
    pub(super) fn memory(&self) -> Option<u64> {
        let pid = self.pid()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kilobytes * 1024)
    }

    /// Asks the device to end, and kills it if it does not.
    pub(super) async fn stop(&mut self) {
        drop(self.child.stdin.take());
        if timeout(Duration::from_secs(3), self.child.wait())
            .await
            .is_err()
        {
            self.kill().await;
        }
    }
}

async fn first_line(stdout: impl AsyncRead + Unpin + Send + 'static) -> Option<String> {
    let mut reader = BufReader::new(stdout.take(MAX_REPORT));
    let mut line = String::new();
    let read = reader.read_line(&mut line).await;
    let whole = matches!(read, Ok(length) if length > 0);
    // Whatever it prints later must not block it.
    tokio::spawn(async move {
        let mut rest = reader.into_inner().into_inner();
        let _ = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
    });
    whole.then(|| line.trim().to_owned())
}

async fn keep_tail(mut stderr: impl AsyncRead + Unpin, said: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = [0; 1024];
    while let Ok(length) = stderr.read(&mut buffer).await {
        if length == 0 {
            break;
        }
        if let Ok(mut said) = said.lock() {
            said.extend_from_slice(&buffer[..length]);
            let excess = said.len().saturating_sub(MAX_SAID);
            said.drain(..excess);
        }
    }
}

/// The members of a JSON object that are text, numbers or truth values, as placeholders; objects in it by dotted names.
fn report(line: &str) -> Option<Values> {
    fn walk(prefix: &str, value: &serde_json::Value, values: &mut Values) {
        match value {
            serde_json::Value::Object(members) => {
                for (name, value) in members {
                    walk(&format!("{prefix}.{name}"), value, values);
                }
            }
            serde_json::Value::String(text) => {
                values.insert(prefix.to_owned(), text.clone());
            }
            serde_json::Value::Number(number) => {
                values.insert(prefix.to_owned(), number.to_string());
            }
            serde_json::Value::Bool(it) => {
                values.insert(prefix.to_owned(), it.to_string());
            }
            serde_json::Value::Null | serde_json::Value::Array(_) => {}
        }
    }
    let json: serde_json::Value = serde_json::from_str(line).ok()?;
    let mut values = Values::new();
    json.is_object()
        .then(|| walk("start", &json, &mut values))?;
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig::Template;
    use slcert_profiles::file::Period;

    fn shell(script: &str, ready: u64) -> Start {
        Start {
            command: ["sh", "-c", script].map(Template::new).to_vec(),
            ready: Period(Duration::from_millis(ready)),
        }
    }

    #[tokio::test]
    async fn what_it_reports_becomes_placeholders() {
        let start = shell(r#"echo '{"port": 502, "tls": {"ca": "x.pem"}}'; cat"#, 2000);
        let mut process = Process::start(&start, &Values::new()).await.unwrap();
        assert_eq!(process.report["start.port"], "502");
        assert_eq!(process.report["start.tls.ca"], "x.pem");
        assert!(process.runs());
        process.stop().await;
        assert!(!process.runs());
    }

    #[tokio::test]
    async fn a_device_that_does_not_start_says_why() {
        let error = |script: &str| {
            let start = shell(script, 300);
            async move {
                Process::start(&start, &Values::new())
                    .await
                    .unwrap_err()
                    .to_string()
            }
        };
        assert!(error("echo no port >&2; exit 3").await.contains("no port"));
        assert_eq!(error("echo install x >&2; exit 77").await, "install x");
        assert!(
            error("echo hello; sleep 9")
                .await
                .contains("no JSON object: hello")
        );
        assert!(error("sleep 9").await.contains("start.ready"));
    }
}
