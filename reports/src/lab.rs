//! `lab.toml`: what ISO/IEC 17025 wants to be on record beside the results, and no device can tell.
//!
//! ```toml
//! report = "R-2026-017"
//! laboratory = "Example Lab, 1 Example Street, Karlsruhe"
//! customer = "Acme & Sons, Basel"
//! operator = "A. Tester"
//! site = "bench 3"
//! received = 2026-11-20
//! condition = "sealed, no damage"
//! environment = "23 °C, 45 % relative humidity"
//! decision_rule = "simple acceptance (ILAC-G8:09/2019)"
//! deviations = ["the device was powered from the bench"]
//!
//! [equipment."INV-0815"]
//! what = "USB RS-485 adapter"
//! software = "firmware 1.2"
//! calibrated = 2026-01-10
//! due = 2027-01-10
//! ```
//!
//! Nothing of it is required. A report shows what is missing as missing.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use slcert_profiles::file::{
    Diagnostics, Fields, Located, Schema, Source, Table, Text, read_with_warnings, schema_of,
};

/// What a laboratory has on record. Days are written `2026-11-20`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LabRecord {
    /// The report's own number.
    pub report: Option<String>,
    /// Name and address of the laboratory.
    pub laboratory: Option<String>,
    /// Name and address of whoever ordered the test.
    pub customer: Option<String>,
    /// Who ran it.
    pub operator: Option<String>,
    /// Where it was run.
    pub site: Option<String>,
    /// When the device came in.
    pub received: Option<String>,
    /// In which condition it was then.
    pub condition: Option<String>,
    /// Temperature, humidity, supply.
    pub environment: Option<String>,
    /// By which rule a measured value meets its criterion.
    pub decision_rule: Option<String>,
    /// What was done otherwise than the method says.
    pub deviations: Vec<String>,
    /// What it was tested with.
    pub equipment: Vec<EquipmentRecord>,
}

/// One piece of equipment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EquipmentRecord {
    /// The laboratory's id of it.
    pub id: String,
    /// What it is.
    pub what: String,
    /// The version of the software or firmware in it.
    pub software: Option<String>,
    /// When it was calibrated.
    pub calibrated: Option<String>,
    /// When it is to be calibrated next.
    pub due: Option<String>,
}

impl LabRecord {
    /// Every fact with its name, and none for what is missing.
    pub fn facts(&self) -> [(&'static str, Option<&str>); 9] {
        [
            ("Report", self.report.as_deref()),
            ("Laboratory", self.laboratory.as_deref()),
            ("Customer", self.customer.as_deref()),
            ("Operator", self.operator.as_deref()),
            ("Site", self.site.as_deref()),
            ("Device received", self.received.as_deref()),
            ("Its condition", self.condition.as_deref()),
            ("Environment", self.environment.as_deref()),
            ("Decision rule", self.decision_rule.as_deref()),
        ]
    }

    /// Reads the file. Equipment whose calibration is overdue on the day of the campaign is a warning.
    ///
    /// # Errors
    /// Everything that is wrong with the file.
    pub fn load(source: &Source, today: Date) -> Result<(Self, Diagnostics), Diagnostics> {
        let (file, mut warnings): (File, Diagnostics) = read_with_warnings(source)?;
        let mut overdue = Vec::new();
        for (id, one) in &file.equipment {
            if let Some(due) = one.due.as_ref().filter(|due| due.value < today) {
                let what = format!("the calibration of {id} was due on {}", due.value);
                let warning = slcert_profiles::file::Diagnostic::warning(due.span.clone(), what);
                overdue.push(
                    warning.help("the report says so; have it calibrated, or use another one"),
                );
            }
        }
        if !overdue.is_empty() {
            overdue.extend(warnings.list().iter().cloned());
            warnings = Diagnostics::new(source.clone(), overdue);
        }
        Ok((file.record(), warnings))
    }

    /// The JSON Schema of these files.
    pub fn schema() -> Schema {
        schema_of::<File>("slcert lab record")
    }
}

impl EquipmentRecord {
    /// Whether its calibration was overdue on a day.
    pub fn is_overdue(&self, day: Date) -> bool {
        let due = self.due.as_ref().and_then(|due| due.parse::<Date>().ok());
        due.is_some_and(|due| due < day)
    }
}

/// The file.
struct File {
    report: Option<Text>,
    laboratory: Option<Text>,
    customer: Option<Text>,
    operator: Option<Text>,
    site: Option<Text>,
    received: Option<Date>,
    condition: Option<Text>,
    environment: Option<Text>,
    decision_rule: Option<Text>,
    deviations: Vec<Text>,
    equipment: BTreeMap<String, Equipment>,
}

struct Equipment {
    what: Text,
    software: Option<Text>,
    calibrated: Option<Date>,
    due: Option<Located<Date>>,
}

impl Table for File {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let report = f.optional("report", "The report's own number.");
        let laboratory = f.optional("laboratory", "Name and address of the laboratory.");
        let customer = f.optional("customer", "Name and address of whoever ordered the test.");
        let operator = f.optional("operator", "Who runs it.");
        let site = f.optional("site", "Where it is run.");
        let received = f.optional("received", "The day on which the device came in.");
        let condition = f.optional("condition", "In which condition it was then.");
        let environment = f.optional("environment", "Temperature, humidity, supply.");
        let decision_rule = f.optional(
            "decision_rule",
            "By which rule a measured value meets its criterion.",
        );
        let deviations = f.or(
            "deviations",
            "What is done otherwise than the method says.",
            Vec::new(),
        );
        let equipment = f.or(
            "equipment",
            "What it is tested with, by the laboratory's id of it.",
            BTreeMap::new(),
        );
        Some(Self {
            report: report?,
            laboratory: laboratory?,
            customer: customer?,
            operator: operator?,
            site: site?,
            received: received?,
            condition: condition?,
            environment: environment?,
            decision_rule: decision_rule?,
            deviations: deviations?,
            equipment: equipment?,
        })
    }
}

impl Table for Equipment {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let what = f.required("what", "What it is.");
        let software = f.optional("software", "The version of the software or firmware in it.");
        let calibrated = f.optional("calibrated", "The day of its calibration.");
        let due = f.optional("due", "The day of its next calibration.");
        Some(Self {
            what: what?,
            software: software?,
            calibrated: calibrated?,
            due: due?,
        })
    }
}

slcert_profiles::settings_table!(File, Equipment);

impl File {
    fn record(self) -> LabRecord {
        let text = |text: Option<Text>| text.map(|text| text.0);
        let equipment = self.equipment.into_iter().map(|(id, one)| EquipmentRecord {
            id,
            what: one.what.0,
            software: text(one.software),
            calibrated: one.calibrated.map(|day| day.to_string()),
            due: one.due.map(|day| day.value.to_string()),
        });
        LabRecord {
            report: text(self.report),
            laboratory: text(self.laboratory),
            customer: text(self.customer),
            operator: text(self.operator),
            site: text(self.site),
            received: self.received.map(|day| day.to_string()),
            condition: text(self.condition),
            environment: text(self.environment),
            decision_rule: text(self.decision_rule),
            deviations: self.deviations.into_iter().map(|one| one.0).collect(),
            equipment: equipment.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example at the head of this file.
    fn example() -> String {
        let head = include_str!("lab.rs")
            .lines()
            .skip_while(|line| *line != "//! ```toml")
            .skip(1);
        let lines = head.take_while(|line| *line != "//! ```");
        lines
            .map(|line| {
                line.trim_start_matches("//!")
                    .trim_start_matches(' ')
                    .to_owned()
                    + "\n"
            })
            .collect()
    }

    fn load(text: &str, today: &str) -> Result<(LabRecord, String), String> {
        let loaded = LabRecord::load(&Source::new("lab.toml", text), today.parse().unwrap());
        let told = |faults: Diagnostics| faults.to_string();
        loaded
            .map(|(record, warnings)| (record, told(warnings)))
            .map_err(told)
    }

    #[test]
    fn the_example_is_a_lab_record_with_nothing_missing() {
        let (record, warnings) = load(&example(), "2026-11-26").unwrap();
        assert_eq!(warnings, "");
        assert!(record.facts().iter().all(|(_, value)| value.is_some()));
        assert_eq!(
            (record.deviations.len(), record.equipment[0].id.as_str()),
            (1, "INV-0815")
        );
        assert!(!record.equipment[0].is_overdue("2027-01-10".parse().unwrap()));
        assert!(record.equipment[0].is_overdue("2027-01-11".parse().unwrap()));
    }

    #[test]
    fn equipment_that_is_overdue_is_told_of_with_its_place() {
        let (_, warnings) = load(&example(), "2027-02-01").unwrap();
        assert!(
            warnings.contains("lab.toml:16") && warnings.contains("was due on 2027-01-10"),
            "{warnings}"
        );
    }

    #[test]
    fn a_misspelt_field_is_a_fault() {
        let fault = load(&example().replace("operator", "operater"), "2026-11-26").unwrap_err();
        assert!(
            fault.contains("operater") && fault.contains("operator"),
            "{fault}"
        );
    }
}
