//! Chromium, driven over its DevTools protocol: a pipe each way, and a NUL behind each message.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::chromium;

/// Its pipes are the third and fourth of its files.
const START: &str = "exec chromium \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null 2>&1";
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    /// What came before it was waited for.
    events: Vec<Value>,
    session: Option<Value>,
    last: u64,
    profile: TempDir,
}

impl Browser {
    /// Starts it with an empty page.
    pub fn start() -> Self {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let mut child = Command::new("sh")
            .args(["-c", START, "sh"])
            .args(chromium::ALONE)
            .arg("--remote-debugging-pipe")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let to = child.stdin.take().expect("a pipe");
        let from = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut browser = Self {
            child,
            to,
            from,
            events: Vec::new(),
            session: None,
            last: 0,
            profile,
        };
        let page = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let page = json!({ "targetId": page["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", page);
        browser.session = Some(session["sessionId"].clone());
        browser.call("Page.enable", json!({}));
        browser
    }

    /// Opens a file and waits until it is loaded.
    pub fn open(&mut self, page: &Path) {
        let address = format!("file://{}", page.display());
        self.call("Page.navigate", json!({ "url": address }));
        let loaded = |event: &Value| event["method"] == "Page.loadEventFired";
        while !self.events.iter().any(loaded) {
            let event = self.next();
            self.events.push(event);
        }
    }

    /// What an expression of the page comes to.
    pub fn number(&mut self, expression: &str) -> f64 {
        let parameters =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", parameters);
        let value = answer["result"]["value"].as_f64();
        value.unwrap_or_else(|| panic!("{expression} is {answer}"))
    }

    /// What the processes that show pages hold, in MiB (proc(5), `Pss`).
    pub fn memory(&self) -> f64 {
        let ours = self.profile.path().display().to_string();
        let processes = std::fs::read_dir("/proc").expect("/proc");
        let held = processes.flatten().filter_map(|process| {
            let command = std::fs::read(process.path().join("cmdline")).ok()?;
            let command = String::from_utf8_lossy(&command).into_owned();
            if !(command.contains("--type=renderer") && command.contains(&ours)) {
                return None;
            }
            let memory = std::fs::read_to_string(process.path().join("smaps_rollup")).ok()?;
            let line = memory.lines().find_map(|line| line.strip_prefix("Pss:"))?;
            line.split_whitespace().next()?.parse::<f64>().ok()
        });
        held.sum::<f64>() / 1024.0
    }

    fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = session.clone();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).expect("chromium listens");
        loop {
            let answer = self.next();
            if answer["id"] == self.last {
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    fn next(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.from
            .read_until(0, &mut bytes)
            .expect("chromium answers");
        assert_eq!(bytes.pop(), Some(0), "chromium ended: is it installed?");
        serde_json::from_slice(&bytes).expect("a message")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self
            .to
            .write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let _ = self.child.wait();
    }
}
