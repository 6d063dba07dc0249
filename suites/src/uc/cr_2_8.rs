//! CR 2.8: auditable events.

use slcert_rigs::rig::{Category, Values};

use crate::audit::{self, AuditEntry};
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::fuzz::history::{self, Property};
use crate::password::fail;
use crate::procedure::{Procedure, Stop};
use crate::rights::by_whoever_may;

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "events",
        title: "each category of event is in the audit log, with all its fields",
        requirements: &["CR 2.8"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &[],
        objective: "Provoke an event of each category, and find it in the audit log.",
        criterion: "Each category that the bench can provoke has a new entry with timestamp, source, category, type, event id and result.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(events(p)) },
    },
    Case {
        id: "fuzz-histories",
        title: "in every order, each change is in the audit log under the name of who made it",
        requirements: &["CR 2.8"],
        kind: Kind::Fuzz,
        scope: Scope::Device,
        needs: &["read_audit"],
        objective: "Make generated changes as several users on all interfaces together, with logouts, new connections and restarts in between, and read the audit \
                    log before and after.",
        criterion: "Every change that came about has an entry of its own under the name of who made it.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(histories(p)) },
    },
];

/// The six fields, by the names that the rig file's pattern gives them.
const FIELDS: [&str; 6] = ["time", "source", "category", "type", "id", "result"];

async fn histories(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let property = Property::trail(p)?;
    history::hold(p, property).await
}

async fn events(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let format = audit::format(p)?;
    let mut provoked = Vec::new();
    for (category, pattern) in &format.categories {
        let before = audit::read(p).await?;
        match provoke(p, *category).await {
            Ok(how) => {
                let entries = audit::new_entries(&before, audit::read(p).await?);
                let found: Vec<_> = entries
                    .iter()
                    .filter(|entry| entry.is_of(format, *category))
                    .collect();
                let name = format!("{}: {how}", category.word());
                let missing = |entry: &AuditEntry| -> Vec<&str> {
                    let fields = FIELDS.into_iter();
                    fields
                        .filter(|field| entry.field(field).is_none())
                        .collect()
                };
                // Beside the event itself, the bench's own coming and going leaves entries: the best one counts.
                match found.iter().min_by_key(|entry| missing(entry).len()) {
                    None => {
                        let seen: Vec<_> =
                            entries.iter().map(|entry| entry.text.as_str()).collect();
                        p.check(
                            name,
                            format!("an entry of category `{}`", pattern.as_str()),
                            seen.join("\n"),
                            false,
                        );
                    }
                    Some(entry) => {
                        let missing = missing(entry);
                        p.check(
                            name,
                            "an entry with all six fields",
                            format!("{}; missing: {missing:?}", entry.text),
                            missing.is_empty(),
                        );
                    }
                }
                provoked.push(*category);
            }
            Err(stop) if stop.verdict == slcert_reports::Verdict::NotEvaluated => {}
            Err(stop) => return Err(stop),
        }
    }
    let open: Vec<_> = [
        Category::AccessControl,
        Category::RequestError,
        Category::ControlSystem,
        Category::Backup,
        Category::Configuration,
        Category::AuditLog,
    ]
    .into_iter()
    .filter(|category| !provoked.contains(category))
    .map(Category::word)
    .collect();
    if open.is_empty() {
        return Ok(());
    }
    Err(Stop::not_evaluated(format!(
        "the bench cannot provoke, or the rig file does not name, these categories: {}",
        open.join(", ")
    )))
}

/// Provokes an event; how it did.
async fn provoke(p: &Procedure<'_>, category: Category) -> Result<String, Stop> {
    let rig = p.rig();
    match category {
        Category::AccessControl => {
            let (interface, account) = p.anywhere("read_audit")?;
            fail(p, interface, p.bench().user(account)).await?;
            Ok(format!("a failed login on `{interface}`"))
        }
        Category::RequestError => refused_request(p).await,
        Category::ControlSystem => {
            let (interface, account) = p.anywhere("write_output")?;
            let operation = rig.operations.get("write_output").ok_or_else(|| {
                Stop::not_evaluated("operation `write_output` is bound on no interface of this rig")
            })?;
            let value = crate::effect::other_value(operation, "");
            let mut session = p.bench().login(interface, account).await?;
            let attempt = session
                .perform("write_output", &Values::from([("value".to_owned(), value)]))
                .await;
            session.close().await;
            attempt?;
            Ok(format!("`{account}` wrote an output on `{interface}`"))
        }
        Category::Backup => {
            by_whoever_may(p, "backup", &Values::new()).await?;
            Ok("a backup".to_owned())
        }
        Category::Configuration => {
            let limit = rig.policy.failed_logins.ok_or_else(|| {
                Stop::not_evaluated("the rig file states no setting that the bench could change")
            })?;
            by_whoever_may(
                p,
                "set_failed_logins",
                &Values::from([("value".to_owned(), (limit + 1).to_string())]),
            )
            .await?;
            by_whoever_may(
                p,
                "set_failed_logins",
                &Values::from([("value".to_owned(), limit.to_string())]),
            )
            .await?;
            Ok("a setting was changed, and changed back".to_owned())
        }
        Category::AuditLog => {
            by_whoever_may(p, "clear_audit", &Values::new()).await?;
            Ok("the log was cleared".to_owned())
        }
    }
}

/// Asks for something as somebody who may not; in words.
///
/// # Errors
/// NOT EVALUATED where everybody may everything.
pub async fn refused_request(p: &Procedure<'_>) -> Result<String, Stop> {
    let rig = p.rig();
    for (name, operation) in &rig.operations {
        let operation_name = name.as_str();
        for interface in operation.bindings.keys() {
            let interface = interface.as_str();
            if !operation.changes_state() || rig.binding(operation_name, interface).is_none() {
                continue;
            }
            if let Some(account) = rig.who_may_not(operation_name, interface) {
                let mut session = p.bench().login(interface, account.as_str()).await?;
                let value = operation.values.map_or(0, |range| range.from).to_string();
                let attempt = session
                    .perform(operation_name, &Values::from([("value".to_owned(), value)]))
                    .await;
                session.close().await;
                attempt?;
                return Ok(format!(
                    "`{account}` asked for `{operation_name}` on `{interface}`, which it may not"
                ));
            }
        }
    }
    Err(Stop::not_evaluated(
        "no account lacks a right to an operation",
    ))
}
