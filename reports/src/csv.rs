//! `requirements.csv`: one row a requirement, the table that a lab pastes into its own template.
//!
//! Every field is quoted, and one that a spreadsheet would take for a formula begins with an apostrophe, which it shows
//! as text.

use crate::assess::{Assessment, RequirementResult};
use crate::escape::{one_line, shorten};
use crate::record::{Record, TrialRecord};

/// The names of the columns. New ones come at the end, so that templates keep working.
const COLUMNS: [&str; 12] = [
    "requirement",
    "title",
    "FR",
    "lowest SL-C",
    "claimed",
    "verdict",
    "verdict with reviews",
    "reason",
    "reviewed by",
    "interfaces",
    "trials",
    "evidence",
];
/// The longest text of a field; a list may be as long as a spreadsheet takes.
const LONGEST: usize = 1000;
const LONGEST_LIST: usize = 30_000;
/// What lists within a field are separated by.
const BETWEEN: &str = " | ";

/// The requirements of a campaign as CSV (RFC 4180).
pub fn requirements(record: &Record, assessment: &Assessment) -> String {
    let mut text = line(COLUMNS);
    for row in &assessment.requirements {
        text.push_str(&line(fields(row, record).each_ref().map(String::as_str)));
    }
    text
}

fn fields(row: &RequirementResult, record: &Record) -> [String; 12] {
    let trials = || {
        let of_row = |trial: &&TrialRecord| trial.requirements.contains(&row.id);
        record.trials.iter().filter(of_row)
    };
    let mut interfaces: Vec<&str> = trials()
        .filter_map(|one| one.interface.as_deref())
        .collect();
    interfaces.dedup();
    let reviews = record
        .attestations
        .iter()
        .filter(|one| one.requirement == row.id);
    let reviewers: Vec<String> = reviews
        .clone()
        .map(|one| format!("{} {}", one.reviewer, one.date))
        .collect();
    let evidence = trials().flat_map(|trial| &trial.evidence);
    let evidence: Vec<&str> = evidence
        .chain(reviews.flat_map(|one| &one.files))
        .map(|file| file.path.as_str())
        .collect();
    [
        row.id.to_string(),
        row.title.clone(),
        row.id
            .fr()
            .map_or("CCSC".to_owned(), |fr| fr.number().to_string()),
        row.level.to_string(),
        if row.claimed { "yes" } else { "no" }.to_owned(),
        row.verdict.to_string(),
        row.reviewed.to_string(),
        row.reason.clone(),
        reviewers.join(BETWEEN),
        interfaces.join(BETWEEN),
        row.trials.join(BETWEEN),
        evidence.join(BETWEEN),
    ]
}

/// A row: each field is quoted, and text for every spreadsheet.
pub fn line<const N: usize>(fields: [&str; N]) -> String {
    fields.map(cell).join(",") + "\r\n"
}

/// A field that is text for every spreadsheet.
fn cell(text: &str) -> String {
    let is_list = text.contains(BETWEEN);
    let text = shorten(
        &one_line(text),
        if is_list { LONGEST_LIST } else { LONGEST },
    );
    // Their wide forms are taken for them in some countries.
    let formula = text.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '|', '%']);
    let text = text.replace('"', "\"\"");
    if formula {
        format!("\"'{text}\"")
    } else {
        format!("\"{text}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::assess;
    use crate::example::{id, record};
    use crate::verdict::Verdict;

    fn read(text: &str) -> Vec<Vec<String>> {
        let mut reader = ::csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(text.as_bytes());
        let rows = reader
            .records()
            .map(|row| row.unwrap().iter().map(str::to_owned).collect());
        rows.collect()
    }

    #[test]
    fn a_reader_of_csv_finds_a_row_for_each_requirement() {
        let record = record();
        let assessment = assess(&record);
        let rows = read(&requirements(&record, &assessment));
        assert_eq!(rows[0], COLUMNS);
        assert_eq!(rows.len(), 1 + assessment.requirements.len());
        let lockout = rows.iter().find(|row| row[0] == "CR 1.11").unwrap();
        let expected = [
            "CR 1.11",
            "Unsuccessful login attempts",
            "1",
            "1",
            "yes",
            "FAIL",
            "FAIL",
            "7 attempts were taken, 5 are stated",
            "",
            "console | plc",
            "CR-1.11/lockout@console | CR-1.11/lockout@plc",
            "evidence/CR-1.11/lockout/console.raw | evidence/CR-1.11/lockout/console.raw",
        ];
        assert_eq!(lockout, &expected);
    }

    #[test]
    fn no_field_is_a_formula() {
        for text in [
            "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "＝1", "|calc", "%0A=1",
        ] {
            let mut record = record();
            record.trials[0].reason = text.to_owned();
            record.trials[0].interface = Some(text.to_owned());
            record.trials[0].verdict = Verdict::Fail;
            let rows = read(&requirements(&record, &assess(&record)));
            let row = rows
                .iter()
                .find(|row| row[0] == id("CR 1.11").to_string())
                .unwrap();
            assert!(row[7].starts_with('\''), "{text:?}: {:?}", row[7]);
            for field in rows.iter().flatten() {
                assert!(
                    !field.starts_with(['=', '+', '-', '@', '\t', '\r', '＝']),
                    "{field:?}"
                );
            }
        }
    }

    #[test]
    fn quotes_and_line_ends_stay_in_their_field() {
        let mut record = record();
        record.trials[0].reason = "a\"b,c;d\r\n\"x\",=1".to_owned();
        let rows = read(&requirements(&record, &assess(&record)));
        let row = rows.iter().find(|row| row[0] == "CR 1.11").unwrap();
        assert_eq!(row[7], "a\"b,c;d\\x0d \"x\",=1");
    }
}
