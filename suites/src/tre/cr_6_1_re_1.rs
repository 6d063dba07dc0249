//! CR 6.1 RE(1): programmatic access to audit logs.

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
    criterion: "It is JSON, an object an entry; each entry that people are shown is in it, the oldest excepted, with the same value in each \
                field, failures as well as successes.",
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
    provoker.events(p, 2).await?;
    provoker.end(p).await?;
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
    let (exported, broken) = objects(&answer.answer().text);
    p.check(
        "the form of the export",
        "JSON, an object for each entry",
        match &broken {
            Some(line) => format!("{} objects, and this: {line}", exported.len()),
            None => format!("{} objects", exported.len()),
        },
        broken.is_none() && !exported.is_empty(),
    );
    let here: Vec<bool> = listed
        .iter()
        .map(|entry| exported.iter().any(|object| same(entry, object, format)))
        .collect();
    let missing: Vec<_> = listed
        .iter()
        .zip(&here)
        .filter(|(_, here)| !**here)
        .map(|(entry, _)| entry.clone())
        .collect();
    p.check(
        format!("{} entries as people are shown them", listed.len()),
        "each is in the export with the same fields, the oldest excepted",
        format!("{} are not: {}", missing.len(), audit::words(&missing)),
        whole(&here),
    );
    Ok(())
}

/// The JSON objects in an answer, and the first piece of it that looks like one and is none.
fn objects(text: &str) -> (Vec<Map<String, Value>>, Option<String>) {
    if let Some(array) = text.find('[').zip(text.rfind(']'))
        && let Some(slice) = text.get(array.0..=array.1)
        && let Ok(objects) = serde_json::from_str(slice)
    {
        return (objects, None);
    }
    let mut objects = Vec::new();
    let mut broken = None;
    for line in text.lines().map(str::trim).filter(|it| it.starts_with('{')) {
        match serde_json::from_str(line) {
            Ok(object) => objects.push(object),
            Err(_) if broken.is_none() => broken = Some(line.to_owned()),
            Err(_) => {}
        }
    }
    (objects, broken)
}

/// Whether an object of the export has each field of an entry, by the name of the rig file's group.
fn same(entry: &AuditEntry, object: &Map<String, Value>, format: &Audit) -> bool {
    format.entry.capture_names().flatten().all(|name| {
        let listed = entry.field(name);
        let exported = object.get(name).map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        let exported = exported.filter(|text| !["", "-", "null"].contains(&text.as_str()));
        listed == exported.as_deref()
    })
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
    fn objects_stand_in_lines_or_in_an_array() {
        assert_eq!(objects("{\"id\":1}\n{\"id\":2}\nOK").0.len(), 2);
        assert_eq!(objects("[{\"id\":1},\n {\"id\":2}]").0.len(), 2);
        let (whole, broken) = objects("{\"id\":1}\n{\"id\":");
        assert_eq!((whole.len(), broken.as_deref()), (1, Some("{\"id\":")));
    }

    #[test]
    fn the_oldest_may_be_missing_and_no_other() {
        assert!(whole(&[true, true]) && whole(&[false, true, true]) && whole(&[true, true, false]));
        assert!(!whole(&[true, false, true]) && !whole(&[false, false]) && !whole(&[]));
        assert!(!whole(&[false, true, false]));
    }
}
