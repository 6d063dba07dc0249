//! Cutting the device's power, and putting things back on a device that may have gone.

use std::time::Duration;

use slcert_rigs::rig::Values;
use tokio::time::{Instant, sleep};

use crate::audit::{self, AuditEntry};
use crate::hands::{Desk, ready, restart};
use crate::procedure::{Procedure, Stop};
use crate::rights::all_by_whoever_may;

/// Switches the device off and on, and waits until its audit log can be read.
///
/// # Errors
/// NOT EVALUATED without power control; the device does not come back.
pub async fn cycle(p: &Procedure<'_>) -> Result<Vec<AuditEntry>, Stop> {
    restart(p, &mut Desk::default()).await?;
    // The device answers somewhere by now: where its log is read may come up later.
    let deadline = Instant::now() + ready(p);
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
