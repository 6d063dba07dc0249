//! A campaign in a process of its own, which never outlives the qualification.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::interrupt::Interrupt;

/// The longest that one campaign may take.
const LONGEST: Duration = Duration::from_secs(20 * 60);
/// How long one may take to end that was interrupted: its trial ends, and its device comes into its safe state.
const ENDING: Duration = Duration::from_secs(60);
/// How often it is looked for its end.
const BETWEEN: Duration = Duration::from_millis(50);

/// Runs a campaign to its end, whatever it comes to.
///
/// # Errors
/// It could not be begun, or did not end.
pub(super) fn run(command: &mut Command, interrupt: &Interrupt) -> Result<(), String> {
    // However this process ends, the pipe goes with it, and the campaign takes that for an interrupt.
    let mut child = command
        .arg("--stdin-guard")
        // A terminal's interrupt would be its second one, which ends it at once.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut until = Instant::now() + LONGEST;
    loop {
        if interrupt.came() && drop_guard(&mut child) {
            until = until.min(Instant::now() + ENDING);
        }
        match child.try_wait() {
            Ok(Some(_)) => return Ok(()),
            Ok(None) if Instant::now() < until => std::thread::sleep(BETWEEN),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("no end after {} s", LONGEST.as_secs()));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Ends a campaign as by an interrupt; whether that was not done before.
fn drop_guard(child: &mut Child) -> bool {
    child.stdin.take().is_some()
}
