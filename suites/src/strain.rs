//! How the essential functions bear up under what a case does to the device.

use std::time::Duration;

use slcert_rigs::bench::{Bench, Strain};
use tokio::time::{Instant, sleep};

use crate::procedure::{Procedure, Stop};

/// How long what was done may take to show.
const SETTLE: Duration = Duration::from_millis(200);
/// Right readings that have to follow after it.
const READINGS: u64 = 3;

/// That the rig file names an essential function: without one, nothing shows that control goes on.
///
/// # Errors
/// NOT EVALUATED.
pub fn needs_essential(p: &Procedure<'_>) -> Result<(), Stop> {
    if p.rig().essential.is_empty() {
        return Err(Stop::not_evaluated(
            "the rig file names no essential function (`essential`), so nothing shows that control goes on",
        ));
    }
    Ok(())
}

/// Begins to note how the functions bear up.
pub fn begin(p: &Procedure<'_>) {
    p.bench().note_strain();
}

/// Measures the functions anew once each has been right again, at the latest from a moment on: the bench itself had stopped
/// them.
pub async fn anew(bench: &Bench, latest: Instant) {
    loop {
        bench.note_strain();
        sleep(SETTLE / 2).await;
        if Instant::now() >= latest || bench.strain().iter().all(|one| one.right > 0) {
            break;
        }
    }
    bench.note_strain();
}

/// Whether each function had so many more right readings.
pub fn go_on(now: &[Strain], before: &[Strain], readings: u64) -> bool {
    let mut both = now.iter().zip(before);
    both.all(|(now, before)| now.right >= before.right + readings)
}

/// Writes down how the functions have borne up since [`begin`]; `what` was done to the device, and `came` of it.
pub async fn judge(p: &mut Procedure<'_>, what: &str, came: &str) {
    sleep(SETTLE).await;
    let (began, before) = (Instant::now(), p.bench().strain());
    let longest = before.iter().map(|one| one.allowed).max();
    let mut strain = before.clone();
    while !go_on(&strain, &before, READINGS) && began.elapsed() < longest.unwrap_or_default() * 2 {
        sleep(Duration::from_millis(20)).await;
        strain = p.bench().strain();
    }
    let allowed: Vec<_> = strain
        .iter()
        .map(|one| {
            format!(
                "`{}` right each {} ms",
                one.function,
                one.allowed.as_millis()
            )
        })
        .collect();
    let words: Vec<_> = strain.iter().map(Strain::words).collect();
    p.check(
        format!("the essential functions, {what}"),
        allowed.join(", "),
        format!("{}; {came}", words.join("; ")),
        !strain.is_empty() && strain.iter().all(Strain::held),
    );
}
