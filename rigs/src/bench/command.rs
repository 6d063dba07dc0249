//! What the bench does by itself: commands on this machine, and the files that they and the device are given.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;

use super::session::judge;
use super::{Bench, BenchError};
use crate::attempt::{Answer, Attempt};
use crate::rig::{Template, Values};

/// The largest file that is read, in bytes.
const LARGEST: u64 = 64 << 20;
/// How much of a command's output is kept, in bytes.
const MAX_OUTPUT: u64 = 1 << 16;

/// The number of the next file: no two of a run have the same name.
static NEXT: AtomicU32 = AtomicU32::new(1);

impl Bench {
    /// Performs an operation by the bench's own command.
    ///
    /// # Errors
    /// The rig file names none, or it cannot be run, or it took too long.
    pub async fn run(&self, operation: &str, values: &Values) -> Result<Attempt, BenchError> {
        let bound = self.rig().bench_command(operation).ok_or_else(|| {
            BenchError::Rig(format!("operation `{operation}` has no command (`bench`)"))
        })?;
        let mut all = self.values();
        all.extend(values.clone());
        let words = fill(&bound.command, &all)?;
        self.recorder().note("bench", &words.join(" "));
        let (done, said) = run(&words, bound.limit.0).await?;
        self.recorder().note("bench", &said);
        let attempt = judge(&said, &bound.meaning, None, &all)?;
        let told = bound.meaning.ok.is_some() || bound.meaning.answer.is_some();
        Ok(match attempt {
            Attempt::Refused(answer) => Attempt::Refused(answer),
            // A command that fails may have failed before it reached the device.
            _ if !done => Attempt::Unclear(Answer::of(format!("the command failed: {said}"))),
            other if told => other,
            other => Attempt::Done(other.answer().clone()),
        })
    }

    /// Runs one of the commands that switch the device's power.
    pub(super) async fn switch(
        &self,
        command: Option<&[Template]>,
        limit: Duration,
    ) -> Result<(), BenchError> {
        let command = command.ok_or_else(|| {
            BenchError::Power("the rig file has no `power.off` and `power.on`".to_owned())
        })?;
        let words = fill(command, &self.values())?;
        match run(&words, limit).await? {
            (true, _) => Ok(()),
            (false, said) => Err(BenchError::Power(said)),
        }
    }

    /// Puts bytes into a file of the bench, and gives what an operation on a file may use: `{data}` in base64, `{text}`
    /// where it is text, `{file}`, `{size}`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn place(&self, bytes: &[u8]) -> Result<Values, BenchError> {
        let path = self.empty_file()?;
        std::fs::write(&path, bytes).map_err(|error| file(&path, &error))?;
        let mut values = Values::from([
            ("data".to_owned(), BASE64.encode(bytes)),
            ("file".to_owned(), path.display().to_string()),
            ("size".to_owned(), bytes.len().to_string()),
        ]);
        if let Ok(text) = str::from_utf8(bytes) {
            values.insert("text".to_owned(), text.trim_end().to_owned());
        }
        Ok(values)
    }

    /// The name of a file of the bench that is not there yet.
    ///
    /// # Errors
    /// Its folder cannot be made.
    pub fn empty_file(&self) -> Result<PathBuf, BenchError> {
        let work = self.fill(&Template::new("{work}"))?;
        let folder = PathBuf::from(work).join("bench");
        std::fs::create_dir_all(&folder).map_err(|error| file(&folder, &error))?;
        Ok(folder.join(format!("{}", NEXT.fetch_add(1, Ordering::Relaxed))))
    }

    /// Reads a file that the rig file names.
    ///
    /// # Errors
    /// It cannot be read, or it is larger than 64 MiB.
    pub fn file(&self, named: &Template) -> Result<Vec<u8>, BenchError> {
        use std::io::Read;
        let path = PathBuf::from(self.fill(named)?);
        let mut bytes = Vec::new();
        std::fs::File::open(&path)
            .and_then(|opened| opened.take(LARGEST + 1).read_to_end(&mut bytes))
            .map_err(|error| file(&path, &error))?;
        if bytes.len() as u64 > LARGEST {
            return Err(BenchError::Rig(format!(
                "{} is larger than {} MiB",
                path.display(),
                LARGEST >> 20
            )));
        }
        Ok(bytes)
    }
}

fn file(path: &std::path::Path, error: &std::io::Error) -> BenchError {
    BenchError::Rig(format!("{}: {error}", path.display()))
}

fn fill(command: &[Template], values: &Values) -> Result<Vec<String>, BenchError> {
    let mut words = Vec::new();
    for word in command {
        words.push(word.fill(values)?);
    }
    Ok(words)
}

/// Runs a command; whether it ended well, and what it printed.
async fn run(words: &[String], limit: Duration) -> Result<(bool, String), BenchError> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(BenchError::Command("the command is empty".to_owned()));
    };
    let failed = |why: String| BenchError::Command(format!("`{program}`: {why}"));
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ended = timeout(limit, async {
        let (out, err) = tokio::join!(read(stdout), read(stderr));
        (child.wait().await, out, err)
    });
    match ended.await {
        Ok((Ok(status), out, err)) => {
            let mut said = format!("{out}{err}").trim().to_owned();
            if !status.success() {
                said = format!("{said} ({status})").trim().to_owned();
            }
            Ok((status.success(), said))
        }
        Ok((Err(error), ..)) => Err(failed(error.to_string())),
        Err(_) => Err(failed(format!("it took longer than {} s", limit.as_secs()))),
    }
}

/// What a command prints, up to a bound; the rest is read and dropped, so that it does not block.
async fn read(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else {
        return String::new();
    };
    let mut kept = Vec::new();
    let _ = (&mut stream).take(MAX_OUTPUT).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[tokio::test]
    async fn a_command_is_run_without_a_shell_and_tells_how_it_ended() {
        let limit = Duration::from_secs(5);
        let (done, said) = run(&words(&["echo", "$HOME; false"]), limit).await.unwrap();
        assert!(done);
        assert_eq!(said, "$HOME; false");
        let (done, said) = run(&words(&["ls", "/no/such"]), limit).await.unwrap();
        assert!(!done && said.contains("exit status"), "{said}");
        assert!(run(&words(&["no-such-program-here"]), limit).await.is_err());
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_ended() {
        let began = std::time::Instant::now();
        let ended = run(&words(&["sleep", "30"]), Duration::from_millis(100)).await;
        assert!(ended.is_err() && began.elapsed() < Duration::from_secs(5));
    }
}
