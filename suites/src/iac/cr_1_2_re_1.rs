//! CR 1.2 RE(1): unique identification and authentication of software processes and devices.

use slcert_rigs::bench::Bench;
use slcert_rigs::rig::{Name, Values};
use slcert_rigs::tls::ShownKey;

use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::hands::{Desk, hand, reader};
use crate::held::Held;
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "distinct-devices",
    title: "two devices of the type are told apart",
    requirements: &["CR 1.2 RE(1)"],
    kind: Kind::Conformance,
    scope: Scope::Device,
    needs: &[],
    objective: "Compare what this device and a second one of the same type show who they are by: the key of the certificate on each interface \
                with TLS, and the serial number.",
    criterion: "Each interface with TLS has another key on the other device, which proves that it holds it, and the two tell different serial \
                numbers.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(distinct_devices(p)) },
}];

async fn distinct_devices(p: &mut Procedure<'_>) -> Result<(), Stop> {
    if p.rig().specimen.is_none() {
        return Err(Stop::not_evaluated(
            "the rig file describes no second device of this type to compare with: add `specimen`, with `start` or with `interfaces`",
        ));
    }
    let own = Shown::by(p).await?;
    let specimen = p.bench().specimen().await?;
    let other = told(p, &specimen, &own).await;
    specimen.stop().await;
    compare(p, &own, &other?)
}

/// What the second device shows.
async fn told(p: &Procedure<'_>, specimen: &Bench, own: &Shown) -> Result<Shown, Stop> {
    for interface in specimen.rig().interfaces.keys() {
        let name = interface.as_str();
        if p.bench().is_at_the_same_place(specimen, name).await? {
            return Err(itself(&format!("`{name}` is at the same place")));
        }
    }
    let theirs = Procedure::new(specimen, None, p.requirement());
    let other = Shown::by(&theirs).await?;
    if other.is_the_same_as(own)
        && let Some(value) = follows(p, &theirs).await?
    {
        return Err(itself(&format!(
            "it reads {value} once this one was set to it"
        )));
    }
    Ok(other)
}

fn itself(why: &str) -> Stop {
    Stop::inconclusive(format!("the specimen is the device itself: {why}"))
}

/// A value that the specimen reads once it was written to the device: two addresses may lead to one device. None where it
/// reads another, or where the rig file names no value to try it with.
async fn follows(p: &Procedure<'_>, theirs: &Procedure<'_>) -> Result<Option<String>, Stop> {
    let Ok(held) = Held::in_backup(p) else {
        return Ok(None);
    };
    if reader(theirs, held.read).is_err() {
        return Ok(None);
    }
    let (mut desk, mut their_desk) = (Desk::default(), Desk::default());
    let before = held.now(p, &mut desk).await?;
    let changed = held.change(p, &mut desk, &before).await;
    let read = their_desk.read(theirs, held.read).await;
    let back = held.set(p, &mut desk, &before).await;
    desk.close().await;
    their_desk.close().await;
    back?;
    let (changed, read) = (changed?, read?);
    Ok((read == changed).then_some(changed))
}

/// What a device shows who it is by.
struct Shown {
    keys: Vec<(Name, ShownKey)>,
    serial: Option<String>,
}

impl Shown {
    async fn by(p: &Procedure<'_>) -> Result<Self, Stop> {
        let mut keys = Vec::new();
        for (name, interface) in &p.rig().interfaces {
            if interface.tls.is_some() {
                keys.push((name.clone(), p.bench().shown_key(name.as_str()).await?));
            }
        }
        let serial = match hand(p, "read_serial") {
            Ok(reader) => {
                let mut desk = Desk::default();
                let serial = desk.must(p, reader, "read_serial", &Values::new()).await;
                desk.close().await;
                Some(serial?)
            }
            Err(_) => None,
        };
        Ok(Self { keys, serial })
    }

    /// Whether nothing tells two devices apart.
    fn is_the_same_as(&self, other: &Self) -> bool {
        let differs = |(name, key): &(Name, ShownKey)| {
            let theirs = other.keys.iter().find(|(one, _)| one == name);
            theirs.is_some_and(|(_, theirs)| theirs.fingerprint != key.fingerprint)
        };
        let serials = self.serial.as_ref().zip(other.serial.as_ref());
        !self.keys.iter().any(differs) && serials.is_none_or(|(own, theirs)| own == theirs)
    }
}

fn compare(p: &mut Procedure<'_>, own: &Shown, other: &Shown) -> Result<(), Stop> {
    let mut proven = false;
    for (name, key) in &own.keys {
        let Some((_, theirs)) = other.keys.iter().find(|(one, _)| one == name) else {
            continue;
        };
        proven = true;
        let same = if key.certificate == theirs.certificate {
            ", in the same certificate"
        } else {
            ""
        };
        p.check(
            format!("the key on `{name}`"),
            "another one on each device",
            format!("{} and {}{same}", key.fingerprint, theirs.fingerprint),
            key.fingerprint != theirs.fingerprint,
        );
    }
    if let (Some(serial), Some(theirs)) = (&own.serial, &other.serial) {
        p.check(
            "the serial number",
            "another one on each device",
            format!("{serial} and {theirs}"),
            serial != theirs && !serial.is_empty() && !theirs.is_empty(),
        );
    }
    if proven {
        return Ok(());
    }
    Err(Stop::not_evaluated(
        "no interface with TLS could be compared: a serial number alone proves nothing",
    ))
}
