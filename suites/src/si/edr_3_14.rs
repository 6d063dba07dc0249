//! EDR, HDR and NDR 3.14: integrity of the boot process, and RE(1), its authenticity, as far as they show from outside.

use slcert_rigs::bench::BenchError;
use slcert_rigs::rig::{FileFault, Template, Values};

use crate::alter::{alterations, renamed};
use crate::audit::{self, AuditEntry};
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::hands::Desk;
use crate::procedure::{Procedure, Stop};

/// The cases of these requirements.
pub const CASES: &[Case] = &[
    Case {
        id: "altered-image",
        title: "a stored image that was altered is not started",
        requirements: &["EDR 3.14", "HDR 3.14", "NDR 3.14"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &["read_stored_image", "store_image", "read_version"],
        objective: "Alter the device's stored firmware image while the power is off - the version that it names, or a bit - and switch it on.",
        criterion: "The device does not start, or it starts another image, or it tells that the image was altered; it never tells the altered \
                    version. With the image as it was, it starts as before.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(altered_image(p)) },
    },
    Case {
        id: "foreign-image",
        title: "a stored image that somebody else has signed is not started",
        requirements: &["EDR 3.14 RE(1)", "HDR 3.14 RE(1)", "NDR 3.14 RE(1)"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &["read_stored_image", "store_image", "read_version"],
        objective: "Put an image that is unsigned or signed by somebody else in the place of the stored one while the power is off, and switch \
                    the device on.",
        criterion: "The device does not start, or it starts another image; it never tells the foreign image's version. With the image as it \
                    was, it starts as before.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(foreign_image(p)) },
    },
];

/// An image that must not be started.
struct Bad {
    how: String,
    bytes: Vec<u8>,
    /// The version that the device tells where it starts it.
    version: Option<String>,
}

async fn altered_image(p: &mut Procedure<'_>) -> Result<(), Stop> {
    must_not_start(p, |stored, version| {
        if let Some((bytes, other)) = renamed(stored, version) {
            return Some(Bad {
                how: format!("the stored image with {other} for its version"),
                bytes,
                version: Some(other),
            });
        }
        let all = alterations(stored);
        let middle = all.into_iter().nth(2)?;
        Some(Bad {
            how: format!("the stored image with {}", middle.how),
            bytes: middle.bytes,
            version: None,
        })
    })
    .await
}

async fn foreign_image(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let found = p.rig().images.iter().find_map(|(name, file)| {
        let fault = file.fault?;
        matches!(fault, FileFault::ForeignSignature | FileFault::Unsigned)
            .then_some((name, file, fault))
    });
    let (name, file, fault) = found.ok_or_else(|| {
        Stop::not_evaluated(
            "the rig file names no image that is unsigned or signed by somebody else (`image.NAME.fault`)",
        )
    })?;
    let bad = Bad {
        how: format!("the image `{name}`, {}", fault.words()),
        bytes: p.bench().file(&file.file)?,
        version: file.version.clone(),
    };
    must_not_start(p, |_, _| Some(bad)).await
}

/// Puts an image that must not be started in the place of the stored one, looks what the device does, and puts the stored
/// one back.
async fn must_not_start(
    p: &mut Procedure<'_>,
    bad: impl FnOnce(&[u8], &str) -> Option<Bad> + Send,
) -> Result<(), Stop> {
    for operation in ["read_stored_image", "store_image"] {
        if p.rig().bench_command(operation).is_none() {
            return Err(Stop::not_evaluated(format!(
                "the bench cannot reach the stored image: no command for `{operation}` (`bench`)"
            )));
        }
    }
    if !p.bench().can_switch_off() {
        return Err(Stop::not_evaluated(
            "the rig file does not say how the power is switched off and on (`power.off`, `power.on`)",
        ));
    }
    let mut desk = Desk::default();
    let before = desk.read(p, "read_version").await?;
    desk.close().await;
    let log = log(p).await;

    p.bench().switch_off().await?;
    let altered = async {
        let stored = read_stored(p).await?;
        let bad = bad(&stored, &before)
            .ok_or_else(|| Stop::inconclusive("the stored image cannot be altered: it is empty"))?;
        if let Err(stop) = store(p, &bad.bytes).await {
            // It may have been stored in part.
            let _ = store(p, &stored).await;
            return Err(stop);
        }
        Ok((stored, bad))
    }
    .await;
    let started = p.bench().switch_on().await;
    let (stored, bad) = altered?;
    let seen = look(p, &mut desk, started, log).await;
    desk.close().await;

    p.bench().switch_off().await?;
    let restored = store(p, &stored).await;
    let started = p.bench().switch_on().await;
    restored?;
    started?;
    judge(p, &bad, &before, &seen?);
    let now = desk.read_after_restart(p, "read_version").await?;
    desk.close().await;
    if now != before {
        return Err(Stop::inconclusive(format!(
            "with its image as it was, the device tells version {}, where it told {}",
            slcert_reports::excerpt(&now, 40),
            slcert_reports::excerpt(&before, 40)
        )));
    }
    p.check(
        "the image as it was",
        format!("version {before}"),
        format!("version {now}"),
        true,
    );
    Ok(())
}

/// What a device did with an image that must not be started.
enum Seen {
    /// It did not come up.
    Nothing(String),
    /// It tells this version, and this of an altered image.
    Version(String, Option<String>),
}

async fn look<'r>(
    p: &Procedure<'r>,
    desk: &mut Desk<'r>,
    started: Result<(), BenchError>,
    log: Option<Vec<AuditEntry>>,
) -> Result<Seen, Stop> {
    match started {
        Ok(()) => {}
        // The device's own process ended, or was not ready in time.
        Err(error @ BenchError::Start(_)) => return Ok(Seen::Nothing(error.to_string())),
        Err(error) => return Err(error.into()),
    }
    let version = match desk.read_after_restart(p, "read_version").await {
        Ok(version) => version,
        Err(stop) => return Ok(Seen::Nothing(stop.reason)),
    };
    desk.close().await;
    let told = match log {
        Some(before) => told(p, &before).await,
        None => None,
    };
    Ok(Seen::Version(version, told))
}

fn judge(p: &mut Procedure<'_>, bad: &Bad, before: &str, seen: &Seen) {
    let expected = "not started";
    let name = format!("{}, at a start", bad.how);
    match seen {
        Seen::Nothing(why) => {
            let observed = format!("the device did not come up: {why}");
            p.check(name, expected, observed, true);
        }
        Seen::Version(version, told) => {
            let log = match told {
                Some(entry) => format!("; the audit log tells: {entry}"),
                None => String::new(),
            };
            let observed =
                format!("the device tells version {version}, before it was {before}{log}");
            let runs = bad.version.as_ref() == Some(version) && version != before;
            if runs && told.is_some() {
                let why = format!("the device contradicts itself: {observed}");
                p.cannot_tell(name, expected, why);
            } else if runs {
                p.check(name, expected, observed, false);
            } else if version != before || told.is_some() {
                p.check(name, expected, observed, true);
            } else {
                let why = format!("nothing shows which image was started: {observed}");
                p.cannot_tell(name, expected, why);
            }
        }
    }
}

/// The audit log, where the rig file says how it tells of something altered.
async fn log(p: &Procedure<'_>) -> Option<Vec<AuditEntry>> {
    p.rig().audit.as_ref()?.integrity.as_ref()?;
    audit::read(p).await.ok()
}

/// The new entry that tells of something altered.
async fn told(p: &Procedure<'_>, before: &[AuditEntry]) -> Option<String> {
    let pattern = p.rig().audit.as_ref()?.integrity.as_ref()?;
    let entries = audit::new_entries(before, audit::read(p).await.ok()?);
    let entry = entries.iter().find(|entry| pattern.is_match(&entry.text))?;
    Some(entry.text.clone())
}

async fn read_stored(p: &Procedure<'_>) -> Result<Vec<u8>, Stop> {
    let file = p.bench().empty_file()?.display().to_string();
    let values = Values::from([("file".to_owned(), file.clone())]);
    by_bench(p, "read_stored_image", &values).await?;
    Ok(p.bench().file(&Template::new(&file))?)
}

async fn store(p: &Procedure<'_>, image: &[u8]) -> Result<(), Stop> {
    let values = p.bench().place(image)?;
    by_bench(p, "store_image", &values).await
}

async fn by_bench(p: &Procedure<'_>, operation: &str, values: &Values) -> Result<(), Stop> {
    let attempt = p.bench().run(operation, values).await?;
    if attempt.is_done() {
        return Ok(());
    }
    Err(Stop::inconclusive(format!(
        "the bench could not perform `{operation}`: {}",
        slcert_reports::excerpt(&attempt.answer().text, 200)
    )))
}
