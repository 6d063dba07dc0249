//! `oscal/`: the campaign in NIST's Open Security Controls Assessment Language 1.1.3: the rows of the catalogue, the profile
//! that selects of them, the plan, and what was found.
//!
//! Ids and short titles are all that stands here of the standard; objectives are those of our own trials. Each UUID is
//! made of the campaign and of what it names, so that the same record gives the same bytes.

mod catalog;
mod plan;
mod profile;
mod results;

use jiff::Timestamp;
use serde_json::{Value, json};
use slcert_profiles::RequirementId;
use uuid::Uuid;

use crate::assess::Assessment;
use crate::escape::{address, one_line, shorten};
use crate::record::{FileRecord, Record, is_inside};
use crate::sha256;

/// The version of the language.
const VERSION: &str = "1.1.3";
/// Whose names our properties are. It is no address: readers want one that looks like one.
const NAMESPACE: &str = "https://slcert.invalid/oscal";
/// The longest text in one place.
const LONGEST: usize = 1000;
/// The longest path that is linked to: no system knows longer ones.
const LONGEST_PATH: usize = 4096;

/// The documents, by their paths beside `result.json`. They refer to each other by these names.
pub fn oscal(record: &Record, assessment: &Assessment) -> [(&'static str, String); 4] {
    let campaign = Campaign { record, assessment };
    let text = |document: Value| format!("{document:#}\n");
    [
        ("oscal/catalog.json", text(catalog::catalog(&campaign))),
        ("oscal/profile.json", text(profile::profile(&campaign))),
        ("oscal/assessment-plan.json", text(plan::plan(&campaign))),
        (
            "oscal/assessment-results.json",
            text(results::results(&campaign)),
        ),
    ]
}

/// What the documents are made of.
struct Campaign<'a> {
    record: &'a Record,
    assessment: &'a Assessment,
}

impl Campaign<'_> {
    /// The UUID of a thing of this campaign.
    fn uuid(&self, kind: &str, name: &str) -> String {
        let record = self.record;
        let space = Uuid::new_v5(&Uuid::NAMESPACE_URL, NAMESPACE.as_bytes());
        let began = record.started;
        let thing = format!(
            "{}\0{began}\0{}\0{kind}\0{name}",
            record.campaign, record.rig.sha256
        );
        Uuid::new_v5(&space, thing.as_bytes()).to_string()
    }

    fn metadata(&self, title: &str) -> Value {
        json!({
            "title": title,
            "last-modified": time(self.record.finished.unwrap_or(self.record.started)),
            "version": line(&self.record.slcert),
            "oscal-version": VERSION,
            "remarks": "Pre-check evidence of slcert; a statement of conformity is the test laboratory's.",
        })
    }

    /// The rows that the profile selects and the claim asks for.
    fn asked(&self) -> impl Iterator<Item = RequirementId> {
        let excluded = |id| {
            let mut rows = self.record.selection.iter();
            rows.any(|row| row.id == id && row.excluded.is_some())
        };
        let rows = self.assessment.requirements.iter();
        rows.filter(move |row| row.claimed && !excluded(row.id))
            .map(|row| row.id)
    }

    /// The device under test as a component of plan and results.
    fn device(&self) -> Value {
        let dut = &self.record.dut;
        let serial = dut
            .serial
            .iter()
            .map(|serial| property("serial-number", serial));
        let properties = [
            property("vendor", &dut.vendor),
            property("version", &dut.firmware),
        ];
        let kind = match dut.component {
            slcert_profiles::ComponentType::SoftwareApplication => "software",
            _ => "hardware",
        };
        json!({
            "uuid": self.device_uuid(),
            "type": kind,
            "title": line(&dut.product),
            "description": format!("{}, the device under test", dut.component),
            "props": properties.into_iter().chain(serial).collect::<Vec<_>>(),
            "status": { "state": "operational" },
        })
    }

    fn device_uuid(&self) -> String {
        self.uuid("component", "dut")
    }

    /// A file that a document refers to as `#UUID`; none of its links leads out of the campaign's folder.
    fn resource(&self, title: &str, href: Option<String>, hash: &str) -> Value {
        let mut resource = json!({ "uuid": self.uuid("resource", title), "title": line(title) });
        if let Some(href) = href {
            let mut link = json!({ "href": href });
            if sha256::is_hash(hash) {
                link["hashes"] = json!([{ "algorithm": "SHA-256", "value": hash }]);
            }
            resource["rlinks"] = json!([link]);
        } else {
            resource["description"] = line(&format!("SHA-256 {hash}")).into();
        }
        resource
    }
}

/// A path of evidence, seen from the folder of these documents.
fn evidence(file: &FileRecord) -> Option<String> {
    let is_there = file.path.len() <= LONGEST_PATH && is_inside(&file.path);
    is_there.then(|| format!("../{}", address(&file.path)))
}

/// A requirement as OSCAL names it: `cr-1.1`, and `cr-1.1.2` for `CR 1.1 RE(2)`.
fn control(id: RequirementId) -> String {
    id.slug().to_lowercase().replace("-re-", ".")
}

/// Its objective, which findings are about.
fn objective(id: RequirementId) -> String {
    format!("{}_obj", control(id))
}

/// A property of ours.
fn property(name: &str, value: &str) -> Value {
    json!({ "name": name, "ns": NAMESPACE, "value": line(value) })
}

/// A list, which has something in it or is not there.
fn put(object: &mut Value, name: &str, list: Vec<Value>) {
    if !list.is_empty() {
        object[name] = list.into();
    }
}

/// Controls as a plan and its results select them. Since OSCAL 1.2 a selection has to include something: where there is none,
/// it is all of the catalogue but each of its rows.
fn selected(campaign: &Campaign<'_>, ids: impl Iterator<Item = RequirementId>) -> Value {
    let named = |id| json!({ "control-id": control(id) });
    let ids: Vec<Value> = ids.map(named).collect();
    if !ids.is_empty() {
        return json!({ "control-selections": [{ "include-controls": ids }] });
    }
    let mut nothing = json!({ "description": "none", "include-all": {} });
    let rows = campaign.record.selection.iter();
    put(
        &mut nothing,
        "exclude-controls",
        rows.map(|row| named(row.id)).collect(),
    );
    json!({ "control-selections": [nothing] })
}

/// Text in one line, never empty.
fn line(text: &str) -> String {
    let line = shorten(&one_line(text), LONGEST);
    if line.is_empty() {
        "not stated".to_owned()
    } else {
        line
    }
}

/// RFC 3339 in UTC, of the years that the language knows.
fn time(at: Timestamp) -> String {
    let text = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let is_known = text.len() == 20 && (text.starts_with("19") || text.starts_with('2'));
    if is_known {
        text
    } else {
        "1970-01-01T00:00:00Z".to_owned()
    }
}

#[cfg(test)]
mod tests;
