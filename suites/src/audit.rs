//! Reading the device's audit log.

use slcert_rigs::rig::{Audit, Category, Values};

use crate::procedure::{Procedure, Stop};

/// One entry of the log, as the rig file's pattern reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditEntry {
    /// The whole entry.
    pub text: String,
    /// The fields that were found, by the names of the pattern's groups.
    pub fields: std::collections::BTreeMap<String, String>,
}

impl AuditEntry {
    /// A field; none where it is missing or empty.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty() && *value != "-")
    }

    /// Whether the entry is of a category.
    pub fn is_of(&self, audit: &Audit, category: Category) -> bool {
        match (audit.categories.get(&category), self.field("category")) {
            (Some(pattern), Some(found)) => pattern.is_match(found),
            _ => false,
        }
    }
}

/// How the log reads.
///
/// # Errors
/// NOT EVALUATED where the rig file does not say.
pub fn format<'r>(p: &Procedure<'r>) -> Result<&'r Audit, Stop> {
    p.rig().audit.as_ref().ok_or_else(|| {
        Stop::not_evaluated("the rig file does not say how the audit log reads (`audit`)")
    })
}

/// Reads the log as whoever may.
///
/// # Errors
/// `read_audit` is bound nowhere, or the device did not show its log.
pub async fn read(p: &Procedure<'_>) -> Result<Vec<AuditEntry>, Stop> {
    let audit = format(p)?;
    let (interface, account) = p.anywhere("read_audit")?;
    let mut session = p.bench().login(interface, account).await?;
    let attempt = session.perform("read_audit", &Values::new()).await;
    session.close().await;
    let attempt = attempt?;
    if !attempt.is_done() {
        return Err(Stop::inconclusive(format!(
            "`{account}` could not read the audit log on `{interface}`: {}",
            slcert_reports::excerpt(&attempt.answer().text, 200)
        )));
    }
    let text = &attempt.answer().text;
    Ok(audit
        .entry
        .captures_iter(text)
        .map(|found| AuditEntry {
            text: found
                .get(0)
                .map(|all| all.as_str().to_owned())
                .unwrap_or_default(),
            fields: audit
                .entry
                .capture_names()
                .flatten()
                .filter_map(|name| Some((name.to_owned(), found.name(name)?.as_str().to_owned())))
                .collect(),
        })
        .collect())
}

/// The entries of `after` that are not in `before`.
pub fn new_entries(before: &[AuditEntry], after: Vec<AuditEntry>) -> Vec<AuditEntry> {
    after
        .into_iter()
        .filter(|entry| !before.contains(entry))
        .collect()
}
