//! Cutting the device's power, and putting things back on a device that may have gone.

use std::time::Duration;

use slcert_rigs::rig::Values;
use tokio::time::{Instant, sleep};

use crate::audit::{self, AuditEntry};
use crate::procedure::{Procedure, Stop};
use crate::rights::all_by_whoever_may;

/// How long a device is waited for where the rig file does not say.
const READY: Duration = Duration::from_secs(10);

/// Switches the device off and on, and waits until its audit log can be read.
///
/// # Errors
/// NOT EVALUATED without power control; the device does not come back.
pub async fn cycle(p: &Procedure<'_>) -> Result<Vec<AuditEntry>, Stop> {
    if !p.bench().can_power_cycle() {
        return Err(Stop::not_evaluated(
            "the bench cannot switch the device off and on: add `power` to the rig file",
        ));
    }
    p.bench().power_cycle().await?;
    let limit = p.rig().power.as_ref().map_or(READY, |power| power.ready.0);
    let deadline = Instant::now() + limit;
    loop {
        match audit::read(p).await {
            Ok(entries) => return Ok(entries),
            Err(stop) if Instant::now() >= deadline => return Err(stop),
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Performs operations that put back what a case has set, once more after a power cycle where the device does not answer.
///
/// # Errors
/// The device is not as it was.
pub async fn put_back(p: &Procedure<'_>, operations: &[(&str, Values)]) -> Result<(), Stop> {
    if all_by_whoever_may(p, operations).await.is_ok() {
        return Ok(());
    }
    if p.bench().can_power_cycle() {
        p.bench().power_cycle().await?;
    }
    all_by_whoever_may(p, operations).await
}
