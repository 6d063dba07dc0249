//! CR 3.4: software and information integrity, and RE(1), its authenticity: configurations that come from elsewhere.

use crate::alter::alterations;
use crate::audit;
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::configured::{
    Settings, can_be_put_back, move_away, put_back, read, vendors, wanted, words,
};
use crate::fuzz::history::step::Matter;
use crate::fuzz::history::{self, Property};
use crate::hands::{Desk, Hand, hands};
use crate::offer::{has_to_be_refused, offer};
use crate::procedure::{Procedure, Stop};

/// The cases of these requirements.
pub const CASES: &[Case] = &[
    Case {
        id: "altered-configuration",
        title: "an altered configuration is refused, changes nothing, and is in the audit log",
        requirements: &["CR 3.4"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &["import_configuration"],
        objective: "Offer the device a configuration with a bit flipped, a number changed and parts missing.",
        criterion: "Each is refused and changes none of the settings that the configuration sets; the audit log tells of the first one; the \
                    configuration as the vendor made it is taken.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(altered_configuration(p)) },
    },
    Case {
        id: "foreign-configuration",
        title: "a configuration that somebody else has signed is refused",
        requirements: &["CR 3.4 RE(1)"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &["import_configuration"],
        objective: "Offer the device configurations that are well formed and come from somebody whom it has no reason to trust.",
        criterion: "Each is refused and changes none of the settings; the configuration as the vendor made it is taken.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(foreign_configuration(p)) },
    },
    Case {
        id: "fuzz-configurations",
        title: "no altered configuration is taken, whatever was offered, set or restarted before",
        requirements: &["CR 3.4"],
        kind: Kind::Fuzz,
        scope: Scope::Device,
        needs: &["import_configuration"],
        objective: "Offer the vendor's configuration with generated alterations, and those that the rig file says have to be refused, with the right one, other \
                    settings, power cuts and power cycles in between, and read what it sets after each.",
        criterion: "No configuration that is altered or has to be refused changes a setting, at once or after a restart; white space, capitals and what stands \
                    behind its end are not judged. The one as the vendor made it is taken after them, whole.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(configurations(p)) },
    },
];

/// A file that has to be refused, with its name in words.
type File = (String, Vec<u8>);

async fn altered_configuration(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let (_, bytes) = vendors(p)?;
    let files = alterations(&bytes)
        .into_iter()
        .map(|one| (format!("the configuration with {}", one.how), one.bytes))
        .collect();
    run(p, files, true).await
}

async fn configurations(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let property = Property::files(p, Matter::Configurations)?;
    history::hold(p, property).await
}

async fn foreign_configuration(p: &mut Procedure<'_>) -> Result<(), Stop> {
    vendors(p)?;
    let mut files = Vec::new();
    for (name, file) in &p.rig().configurations {
        if let Some(fault) = file.fault {
            let bytes = p.bench().file(&file.file)?;
            files.push((
                format!("the configuration `{name}`, {}", fault.words()),
                bytes,
            ));
        }
    }
    if files.is_empty() {
        return Err(Stop::not_evaluated(
            "the rig file names no configuration that the device has to refuse (`configuration.NAME.fault`)",
        ));
    }
    run(p, files, false).await
}

/// Offers files that have to be refused, and the vendor's own after them; then puts the settings back.
async fn run(p: &mut Procedure<'_>, files: Vec<File>, recorded: bool) -> Result<(), Stop> {
    let (vendors, _) = vendors(p)?;
    let importers = hands(p, "import_configuration")?;
    let mut desk = Desk::default();
    let before = read(p, &mut desk, vendors).await?;
    can_be_put_back(p, &before)?;
    let tried = offer_all(p, &mut desk, &importers, &files, &before, recorded).await;
    let back = put_back(p, &mut desk, vendors, &before).await;
    desk.close().await;
    back.and(tried)
}

async fn offer_all<'r>(
    p: &mut Procedure<'r>,
    desk: &mut Desk<'r>,
    importers: &[Hand<'r>],
    files: &[File],
    before: &Settings,
    recorded: bool,
) -> Result<(), Stop> {
    let (vendors, bytes) = vendors(p)?;
    let wanted = wanted(vendors);
    let mut unread = Ok(());
    for &importer in importers {
        move_away(p, desk, &wanted).await?;
        let before_files = read(p, desk, vendors).await?;
        for (at, (name, file)) in files.iter().enumerate() {
            let log = match recorded && at == 0 {
                true => Some(log(p, desk).await),
                false => None,
            };
            let said = offer(p, desk, importer, "import_configuration", file).await?;
            let after = read(p, desk, vendors).await?;
            let name = format!("{name}, by {importer}");
            let (was, is) = (words(&before_files), words(&after));
            if has_to_be_refused(p, &name, &said, &was, &is) {
                put_back(p, desk, vendors, before).await?;
                move_away(p, desk, &wanted).await?;
            }
            match log {
                Some(Ok(log)) => is_recorded(p, desk, importer, log).await?,
                Some(Err(stop)) => unread = Err(stop),
                None => {}
            }
        }
        // The refusals count where the same way takes the vendor's own.
        let said = offer(p, desk, importer, "import_configuration", &bytes).await?;
        let after = read(p, desk, vendors).await?;
        if after != wanted {
            return Err(Stop::inconclusive(format!(
                "{importer} cannot import the vendor's configuration either: {}",
                slcert_reports::excerpt(said.words(), 200)
            )));
        }
        p.check(
            format!("the vendor's configuration, by {importer}"),
            words(&wanted),
            format!("{}; the device said: {}", words(&after), said.words()),
            true,
        );
        put_back(p, desk, vendors, before).await?;
    }
    unread
}

/// The audit log, where the rig file says how it tells of something altered.
async fn log<'r>(p: &Procedure<'r>, desk: &mut Desk<'r>) -> Result<Vec<audit::AuditEntry>, Stop> {
    if audit::format(p)?.integrity.is_none() {
        return Err(Stop::not_evaluated(
            "the rig file does not say how the audit log tells of something altered (`audit.integrity`)",
        ));
    }
    desk.close().await;
    audit::read(p).await
}

async fn is_recorded<'r>(
    p: &mut Procedure<'r>,
    desk: &mut Desk<'r>,
    importer: Hand<'r>,
    before: Vec<audit::AuditEntry>,
) -> Result<(), Stop> {
    desk.close().await;
    let entries = audit::new_entries(&before, audit::read(p).await?);
    let pattern = audit::format(p)?.integrity.as_ref();
    let told = entries
        .iter()
        .find(|entry| pattern.is_some_and(|pattern| pattern.is_match(&entry.text)));
    let observed = match told {
        Some(entry) => entry.text.clone(),
        None => {
            let texts: Vec<_> = entries.iter().map(|entry| entry.text.as_str()).collect();
            format!("no such entry among the new ones: {}", texts.join("\n"))
        }
    };
    p.check(
        format!("the audit log after the first altered configuration by {importer}"),
        "an entry that tells of it",
        observed,
        told.is_some(),
    );
    Ok(())
}
