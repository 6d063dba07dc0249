//! CR 6.1 RE(1): programmatic access to audit logs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};
use slcert_rigs::rig::{Audit, Values};

use crate::audit::{self, AuditEntry};
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::procedure::{Procedure, Stop};
use crate::provoke::Provoker;

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "export",
    title: "software can read the audit log, whole and with every field",
    requirements: &["CR 6.1 RE(1)"],
    kind: Kind::Conformance,
    scope: Scope::Device,
    needs: &[],
    objective: "Read the audit log in its form for software, and compare it with what people are shown.",
    criterion: "It is JSON, an object an entry, with each field that every entry has; each entry that people are shown is in it, the oldest \
                excepted, failures as well as successes.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(export(p)) },
}];

async fn export(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let format = audit::format(p)?;
    let (interface, account) = p.anywhere("export_audit")?;
    p.anywhere("read_audit")?;
    // What failed has to be in it as well: a role that may not write leaves such an entry.
    crate::uc::cr_2_8::refused_request(p).await?;
    let mut provoker = Provoker::find(p).await?;
    let done = provoker.events(p, 2).await;
    provoker.end(p, done).await?;
    let listed = audit::read(p).await?;
    let mut session = p.bench().login(interface, account).await?;
    let answer = session.perform("export_audit", &Values::new()).await;
    session.close().await;
    let answer = answer?;
    if !answer.is_done() {
        return Err(Stop::inconclusive(format!(
            "`{account}` could not export the audit log on `{interface}`: {}",
            slcert_reports::excerpt(&answer.answer().text, 200)
        )));
    }
    let (objects, broken) = audit::objects(&answer.answer().text);
    p.check(
        "the form of the export",
        "JSON, an object for each entry",
        match &broken {
            Some(line) => format!("{} objects, and this: {line}", objects.len()),
            None => format!("{} objects", objects.len()),
        },
        broken.is_none() && !objects.is_empty(),
    );
    let names: Vec<&str> = format.entry.capture_names().flatten().collect();
    let exported: Vec<_> = objects
        .iter()
        .map(|object| Exported::of(object, &names, format))
        .collect();
    fields(p, &names, &listed, &exported);
    complete(p, format, &names, &listed, &exported);
    Ok(())
}

/// What every entry has that people are shown, every object has as well.
fn fields(p: &mut Procedure<'_>, names: &[&str], listed: &[AuditEntry], exported: &[Exported]) {
    let always = |name: &&&str| listed.iter().all(|entry| entry.field(name).is_some());
    let missing: Vec<_> = names
        .iter()
        .filter(always)
        .filter(|name| !exported.iter().all(|object| object.0.contains_key(**name)))
        .collect();
    p.check(
        "the fields of each object",
        "all that each entry has",
        format!("missing: {missing:?}"),
        missing.is_empty(),
    );
}

/// Each entry that people are shown is in the export, in all fields of which any value reads alike in both.
fn complete(
    p: &mut Procedure<'_>,
    format: &Audit,
    names: &[&str],
    listed: &[AuditEntry],
    exported: &[Exported],
) {
    let alike: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| {
            let some = |object: &Exported| {
                object.0.contains_key(*name)
                    && listed
                        .iter()
                        .any(|entry| object.agrees(name, entry, format))
            };
            exported.iter().any(some)
        })
        .collect();
    let title = format!("{} entries as people are shown them", listed.len());
    let expected = "each is in the export, the oldest excepted";
    if !alike.contains(&"time") {
        let why =
            format!("no time reads alike in both, so that entries cannot be told: {alike:?} do");
        p.cannot_tell(title, expected, why);
        return;
    }
    let here: Vec<bool> = listed
        .iter()
        .map(|entry| {
            let same =
                |object: &Exported| alike.iter().all(|name| object.agrees(name, entry, format));
            exported.iter().any(same)
        })
        .collect();
    let missing = listed.iter().zip(&here).filter(|(_, here)| !**here);
    let missing: Vec<_> = missing.map(|(entry, _)| entry.clone()).collect();
    let observed = format!(
        "{} are not, by {}: {}",
        missing.len(),
        alike.join(", "),
        audit::words(&missing)
    );
    p.check(title, expected, observed, whole(&here));
}

/// One object of the export, its fields by the names of the pattern's groups.
struct Exported(BTreeMap<String, String>);

impl Exported {
    fn of(object: &Map<String, Value>, names: &[&str], format: &Audit) -> Self {
        let field = |name: &&str| {
            let member = format.export.get(*name).map_or(*name, String::as_str);
            let text = match object.get(member)? {
                Value::String(text) => text.clone(),
                Value::Null => return None,
                other => other.to_string(),
            };
            let some = !text.is_empty() && text != "-";
            some.then(|| ((*name).to_owned(), text))
        };
        Self(names.iter().filter_map(field).collect())
    }

    /// Whether a field has the value that people are shown. A time may be written in another way.
    fn agrees(&self, name: &str, entry: &AuditEntry, format: &Audit) -> bool {
        let (shown, exported) = (entry.field(name), self.0.get(name).map(String::as_str));
        if shown == exported {
            return true;
        }
        let (Some(shown), Some(exported)) = (shown, exported) else {
            return false;
        };
        if name != "time" {
            // People may be shown a name in quotes.
            return shown
                .trim_matches('"')
                .eq_ignore_ascii_case(exported.trim_matches('"'));
        }
        let shown = entry.stamp(format).ok();
        shown
            .zip(moment(exported))
            .is_some_and(|(shown, exported)| {
                // People may be shown whole seconds.
                (exported.as_millisecond() - shown.as_millisecond()).abs() < 1000
            })
    }
}

/// A time as software writes it: RFC 3339, or seconds or milliseconds since 1970.
fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(stamp) = text.parse() {
        return Some(stamp);
    }
    let number: f64 = text.parse().ok()?;
    // Seconds have ten digits until the year 2286.
    let millis = if number.abs() < 1e11 {
        number * 1000.0
    } else {
        number
    };
    Timestamp::from_millisecond(millis as i64).ok()
}

/// Whether nothing is missing, or only the entries at one end: an export may reach less far back than a listing.
fn whole(here: &[bool]) -> bool {
    let last = here.len().saturating_sub(1);
    let edges = here.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let fresh = here.first() == Some(&true) || here.get(last) == Some(&true);
    edges <= 1 && fresh && here.iter().filter(|here| **here).count() * 2 >= here.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_may_be_a_number() {
        let time = Some("2026-11-24T00:00:00Z".parse().unwrap());
        assert_eq!(moment("2026-11-24T01:00:00+01:00"), time);
        assert_eq!(moment("1795478400"), time);
        assert_eq!(moment("1795478400000"), time);
        assert_eq!(moment("now"), None);
    }

    #[test]
    fn the_oldest_may_be_missing_and_no_other() {
        assert!(whole(&[true, true]) && whole(&[false, true, true]) && whole(&[true, true, false]));
        assert!(!whole(&[true, false, true]) && !whole(&[false, false]) && !whole(&[]));
        assert!(!whole(&[false, true, false]));
    }
}
