//! CR 7.6: network and security configuration settings, and RE(1), their machine-readable report.

use std::collections::BTreeMap;

use serde_json::Value;
use slcert_rigs::rig::Values;

use crate::baseline::{change, changeable, read, recommended};
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::hands::{Desk, hand};
use crate::procedure::{Procedure, Stop};

/// The cases of these requirements.
pub const CASES: &[Case] = &[
    Case {
        id: "settings",
        title: "the settings are the recommended ones, and what is shown is what is set",
        requirements: &["CR 7.6"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &["read_setting"],
        objective: "Read each setting that the vendor recommends, change those that can be changed, and read them again.",
        criterion: "Each setting reads as recommended; after a change it reads as changed, and after it was put back as recommended.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(settings(p)) },
    },
    Case {
        id: "report",
        title: "the settings can be had in a form for machines, and it tells what is in force",
        requirements: &["CR 7.6 RE(1)"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &["report_settings", "read_setting"],
        objective: "Fetch the report of all settings, before and after a change, and compare it with the settings as they read one by one.",
        criterion: "The report is JSON, it has every setting that the vendor recommends, and it agrees with what each reads.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(report(p)) },
    },
];

async fn settings(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let baseline = recommended(p)?;
    let mut desk = Desk::default();
    for (name, one) in baseline {
        let now = read(p, &mut desk, name).await?;
        let met = now == one.value;
        p.check(format!("`{name}`"), &one.value, now, met);
    }
    let changed = change_each(p, &mut desk).await;
    desk.close().await;
    changed
}

/// Changes what can be changed and puts it back: a setting that reads the same whatever it is set to tells nothing.
async fn change_each<'r>(p: &mut Procedure<'r>, desk: &mut Desk<'r>) -> Result<(), Stop> {
    let baseline = recommended(p)?;
    if changeable(baseline).next().is_none() {
        return Err(Stop::not_evaluated(
            "the rig file gives no other value for a setting (`baseline.NAME.other`), so that nothing shows that what is read is in force",
        ));
    }
    for (name, other) in changeable(baseline) {
        let before = read(p, desk, name).await?;
        change(p, desk, name, other).await?;
        let seen = read(p, desk, name).await;
        change(p, desk, name, &before).await?;
        let (seen, back) = (seen?, read(p, desk, name).await?);
        let (is_other, is_before) = (seen == other, back == before);
        p.check(
            format!("`{name}` after it was set to {other}"),
            other,
            seen,
            is_other,
        );
        if !is_before {
            p.check(
                format!("`{name}` after it was put back"),
                before,
                back,
                false,
            );
        }
    }
    Ok(())
}

async fn report(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let baseline = recommended(p)?;
    let mut desk = Desk::default();
    let agrees = agrees(p, &mut desk, "the report").await;
    let first = changeable(baseline).next();
    let changed = match (&agrees, first) {
        (Ok(()), Some((name, other))) if hand(p, "change_setting").is_ok() => {
            let before = read(p, &mut desk, name).await?;
            change(p, &mut desk, name, other).await?;
            let what = format!("the report after `{name}` was set to {other}");
            let seen = self::agrees(p, &mut desk, &what).await;
            change(p, &mut desk, name, &before).await?;
            seen
        }
        (Ok(()), _) => Err(Stop::not_evaluated(
            "no setting can be changed (`change_setting`, `baseline.NAME.other`), so that nothing shows that the report tells what is in force",
        )),
        _ => Ok(()),
    };
    desk.close().await;
    agrees.and(changed)
}

/// Fetches the report, and compares it with each setting as it reads.
async fn agrees<'r>(p: &mut Procedure<'r>, desk: &mut Desk<'r>, what: &str) -> Result<(), Stop> {
    let reporter = hand(p, "report_settings")?;
    let text = desk
        .must(p, reporter, "report_settings", &Values::new())
        .await?;
    if text.trim_start().starts_with('<') {
        return Err(Stop::not_evaluated(
            "the report is XML, which slcert does not read yet",
        ));
    }
    let parsed: Result<Value, _> = serde_json::from_str(&text);
    let told = match &parsed {
        Ok(json) => members(json),
        Err(error) => {
            let observed = format!("{error}: {text}");
            p.check(what, "JSON", observed, false);
            return Ok(());
        }
    };
    for name in recommended(p)?.keys() {
        let shown = read(p, desk, name).await?;
        let in_report = told.get(name).map(String::as_str);
        p.check(
            format!("`{name}` in {what}"),
            &shown,
            in_report.unwrap_or("it is not there"),
            in_report == Some(&shown),
        );
    }
    Ok(())
}

/// The members of a JSON text that are no objects, by their names with dots between; text as it stands.
fn members(json: &Value) -> BTreeMap<String, String> {
    fn walk(prefix: &str, json: &Value, found: &mut BTreeMap<String, String>) {
        match json {
            Value::Object(members) => {
                for (name, value) in members {
                    let name = match prefix {
                        "" => name.clone(),
                        _ => format!("{prefix}.{name}"),
                    };
                    walk(&name, value, found);
                }
            }
            Value::String(text) => {
                found.insert(prefix.to_owned(), text.clone());
            }
            other => {
                found.insert(prefix.to_owned(), other.to_string());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk("", json, &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_by_dotted_names() {
        let json = serde_json::json!({ "ntp": { "server": "a", "port": 123 }, "lock": true });
        let found = members(&json);
        assert_eq!(found["ntp.server"], "a");
        assert_eq!(found["ntp.port"], "123");
        assert_eq!(found["lock"], "true");
    }
}
