//! Reading the device's audit log.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use slcert_rigs::rig::{Audit, Category, Values};

use crate::procedure::{Procedure, Stop};

/// One entry of the log, as the rig file's pattern reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditEntry {
    /// The whole entry.
    pub text: String,
    /// The fields that were found, by the names of the pattern's groups.
    pub fields: BTreeMap<String, String>,
}

impl AuditEntry {
    /// A field; none where it is missing or empty.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty() && *value != "-")
    }

    /// The whole entry without its time and its numbers: the same for all entries of one thing done by one user.
    pub fn alike(&self) -> String {
        let text = match self.field("time") {
            Some(time) => self.text.replacen(time, "", 1),
            None => self.text.clone(),
        };
        text.chars().filter(|c| !c.is_ascii_digit()).collect()
    }

    /// The moment that the entry is stamped with.
    ///
    /// # Errors
    /// NOT EVALUATED where the rig file's pattern finds no time, or the time does not read as the file says.
    pub fn stamp(&self, audit: &Audit) -> Result<Timestamp, Stop> {
        let text = self.field("time").ok_or_else(|| {
            Stop::not_evaluated("the rig file's pattern of an audit entry finds no `time`")
        })?;
        let zone = zone(audit.time_zone.as_deref().unwrap_or("+00:00"));
        let stamp = zone.and_then(|zone| stamp(text, audit.time_format.as_deref(), &zone));
        stamp.ok_or_else(|| {
            Stop::not_evaluated(format!(
                "the time of an audit entry does not read as the rig file says (`audit.time_format`, `audit.time_zone`): {}",
                slcert_reports::excerpt(text, 60)
            ))
        })
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

/// A time zone by its offset or its name.
fn zone(text: &str) -> Option<TimeZone> {
    let offset = BrokenDownTime::parse("%:z", text).ok();
    match offset.and_then(|parts| parts.offset()) {
        Some(offset) => Some(TimeZone::fixed(offset)),
        None => TimeZone::get(text).ok(),
    }
}

/// A time of the log. Where it leaves out the year, the nearest one is taken.
fn stamp(text: &str, format: Option<&str>, zone: &TimeZone) -> Option<Timestamp> {
    let Some(format) = format else {
        return text.parse().ok();
    };
    let mut parts = BrokenDownTime::parse(format, text).ok()?;
    if let Ok(stamp) = parts.to_timestamp() {
        return Some(stamp);
    }
    let now = Timestamp::now();
    let this_year = zone.to_datetime(now).year();
    let years = match parts.year() {
        Some(year) => vec![year],
        None => vec![this_year - 1, this_year, this_year + 1],
    };
    let stamps = years.into_iter().filter_map(|year| {
        parts.set_year(Some(year)).ok()?;
        zone.to_timestamp(parts.to_datetime().ok()?).ok()
    });
    stamps.min_by_key(|stamp| (stamp.as_second() - now.as_second()).abs())
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
    Ok(entries(audit, text))
}

/// The entries in a text.
pub fn entries(audit: &Audit, text: &str) -> Vec<AuditEntry> {
    audit
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
        .collect()
}

/// The JSON objects in an answer, and the first piece of it that looks like one and is none.
pub fn objects(text: &str) -> (Vec<Map<String, Value>>, Option<String>) {
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

/// The entries of `after` that are not in `before`; of entries that are alike to the letter, those that are more.
pub fn new_entries(before: &[AuditEntry], after: Vec<AuditEntry>) -> Vec<AuditEntry> {
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in before {
        *known.entry(&entry.text).or_default() += 1;
    }
    after
        .into_iter()
        .filter(|entry| match known.get_mut(entry.text.as_str()) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        })
        .collect()
}

/// Entries in words, for a report: the newest few of them.
pub fn words(entries: &[AuditEntry]) -> String {
    let texts: Vec<_> = entries.iter().map(|entry| entry.text.as_str()).collect();
    match texts.len() {
        0 => "no entry".to_owned(),
        1..=3 => texts.join("\n"),
        count => format!("{count} entries, the last: {}", texts[count - 1]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> AuditEntry {
        AuditEntry {
            text: text.to_owned(),
            ..AuditEntry::default()
        }
    }

    #[test]
    fn objects_stand_in_lines_or_in_an_array() {
        assert_eq!(objects("{\"id\":1}\n{\"id\":2}\nOK").0.len(), 2);
        assert_eq!(objects("[{\"id\":1},\n {\"id\":2}]").0.len(), 2);
        let (whole, broken) = objects("{\"id\":1}\n{\"id\":");
        assert_eq!((whole.len(), broken.as_deref()), (1, Some("{\"id\":")));
    }

    #[test]
    fn entries_that_are_alike_to_the_letter_are_counted() {
        let (a, b) = (entry("a"), entry("b"));
        let before = [a.clone(), b.clone()];
        let after = vec![b.clone(), a.clone(), a.clone()];
        assert_eq!(new_entries(&before, after), [a]);
    }

    #[test]
    fn entries_of_one_thing_differ_in_numbers_alone() {
        let one = entry("2026-11-24T01:02:03Z id=7 write output=5");
        let other = entry("2026-11-24T01:02:04Z id=8 write output=17");
        assert_eq!(one.alike(), other.alike());
    }

    #[test]
    fn times_read_as_the_rig_file_says() {
        let read = |text, format| {
            let utc = zone("+00:00").unwrap();
            stamp(text, format, &utc).map(|stamp| stamp.as_second())
        };
        assert_eq!(read("2026-11-24T00:00:00.5Z", None), Some(1_795_478_400));
        let local = Some("%d.%m.%Y %H:%M:%S");
        assert_eq!(read("24.11.2026 00:00:00", local), Some(1_795_478_400));
        let zoned = Some("%Y-%m-%d %H:%M:%S %z");
        assert_eq!(
            read("2026-11-24 01:00:00 +0100", zoned),
            Some(1_795_478_400)
        );
        assert_eq!(read("yesterday", zoned), None);
        let east = zone("+01:00").unwrap();
        let stamp = stamp("24.11.2026 01:00:00", local, &east);
        assert_eq!(stamp.unwrap().as_second(), 1_795_478_400);
        assert!(zone("Europe/Atlantis").is_none());
        let now = Timestamp::now();
        let text = now.strftime("%b %d %H:%M:%S").to_string();
        assert_eq!(read(&text, Some("%b %d %H:%M:%S")), Some(now.as_second()));
    }
}
