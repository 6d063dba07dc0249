//! CR 3.4 RE(2): automated notification of integrity violations.

use std::time::Duration;

use slcert_profiles::file::{Pattern, Period};
use slcert_rigs::bench::Session;
use slcert_rigs::rig::Values;

use crate::alert::{self, Ear};
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "altered-backup-alert",
    title: "the device reports by itself that it was given an altered backup",
    requirements: &["CR 3.4 RE(2)"],
    kind: Kind::Conformance,
    scope: Scope::Device,
    needs: &[],
    objective: "Give the device its own backup with one character altered, and listen whether it reports that by itself.",
    criterion: "The altered backup is not taken, and an alert of it leaves the device within the time that the rig file states. The backup \
                as it was is taken, without such an alert.",
    svv: Svv::ThreatMitigation,
    body: |p| -> Run<'_> { Box::pin(altered_backup_alert(p)) },
}];

/// How long an alert is listened for that is not to come.
const QUIET: Duration = Duration::from_millis(100);

async fn altered_backup_alert(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let within = p.rig().policy.alert_within.ok_or_else(|| {
        Stop::not_evaluated(
            "the rig file does not say how soon an alert leaves the device (`policy.alert_within`)",
        )
    })?;
    let integrity = p.rig().alert.integrity.clone().ok_or_else(|| {
        Stop::not_evaluated(
            "the rig file does not say how the alert of an integrity violation reads (`alert.integrity`)",
        )
    })?;
    let (interface, account) = p.anywhere("restore")?;
    if p.rig().binding("backup", interface).is_none() || !p.rig().may(account, "backup") {
        return Err(Stop::not_evaluated(format!(
            "`{account}` may restore a backup on `{interface}`, and cannot make one there"
        )));
    }
    let mut ear = Ear::open(p, Some(account)).await?;
    let mut session = p.bench().login(interface, account).await?;
    let tried = give(p, &mut session, &mut ear, &integrity, within).await;
    session.close().await;
    ear.close().await;
    tried
}

async fn give(
    p: &mut Procedure<'_>,
    session: &mut Session,
    ear: &mut Ear,
    integrity: &Pattern,
    within: Period,
) -> Result<(), Stop> {
    let made = session.perform("backup", &Values::new()).await?;
    let backup = made.answer().value.clone().ok_or_else(|| {
        Stop::not_evaluated(
            "the binding of `backup` does not find the backup in the answer (`answer`)",
        )
    })?;
    // The control: the backup as it was is taken, and nobody is told of a violation.
    let whole = session
        .perform("restore", &p.bench().place(backup.as_bytes())?)
        .await?;
    if !whole.is_done() {
        return Err(Stop::inconclusive(format!(
            "the device does not take its own backup either: {}",
            slcert_reports::excerpt(&whole.answer().text, 200)
        )));
    }
    let (alerted, heard) = ear.hear(QUIET, |text| integrity.is_match(text)).await?;
    p.check(
        "the backup as it was",
        "taken, without an alert",
        alert::words(&heard),
        !alerted,
    );
    let altered = p.bench().place(altered(&backup).as_bytes())?;
    let refused = session.perform("restore", &altered).await?;
    p.check(
        "the backup with one character altered",
        "not taken",
        &refused.answer().text,
        !refused.is_done(),
    );
    let (alerted, heard) = ear.hear(within.0, |text| integrity.is_match(text)).await?;
    p.check(
        "the alert of it",
        format!("within {within}"),
        alert::words(&heard),
        alerted,
    );
    Ok(())
}

/// The same text with the letter or digit in its middle replaced by another one.
fn altered(text: &str) -> String {
    let middle = text.len() / 2;
    let place = text
        .char_indices()
        .filter(|(_, c)| c.is_ascii_alphanumeric())
        .min_by_key(|(at, _)| at.abs_diff(middle));
    let mut altered = text.to_owned();
    if let Some((at, old)) = place {
        let new = if old == 'A' { "B" } else { "A" };
        altered.replace_range(at..=at, new);
    }
    altered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_character_is_altered() {
        assert_eq!(altered("abcde"), "abAde");
        assert_eq!(altered("{\"A\":=}"), "{\"B\":=}");
        assert_eq!(altered("é"), "é");
    }
}
