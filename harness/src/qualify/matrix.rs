//! The matrix of a qualification, for people.

use std::fmt::Write;

use slcert_reports::one_line;

use super::{Other, Row};

/// A line a device; what is not as it should be stands below with its reasons.
pub(super) fn text(rows: &[Row], color: bool, quick: bool) -> String {
    let mut text = String::new();
    let width = |of: fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let names = width(|row| row.name().len());
    let ids = width(|row| row.requirement.unwrap_or("-").len());
    for row in rows {
        let word = match (row.is_right(), row.flaw) {
            (true, None) => "sound",
            (true, Some(_)) => "seen",
            (false, _) => "WRONG",
        };
        let painted = match (color, row.is_right()) {
            (false, _) => format!("{word:5}"),
            (true, true) => format!("\x1b[32m{word:5}\x1b[0m"),
            (true, false) => format!("\x1b[31m{word:5}\x1b[0m"),
        };
        let also = match row.related.len() {
            0 => String::new(),
            _ => format!("; also {}", trials(&row.related)),
        };
        let _ = writeln!(
            text,
            "{painted}  {:ids$}  {:names$}  {}{also}",
            row.requirement.unwrap_or("-"),
            row.name(),
            match row.flaw {
                None => format!("{} trials", row.trials),
                Some(_) => row.seen_by.join(", "),
            },
        );
    }
    for row in rows.iter().filter(|row| !row.is_right()) {
        let _ = write!(
            text,
            "\n{}: {}\n{}",
            row.name(),
            row.description,
            reasons(row)
        );
    }
    let right = rows.iter().filter(|row| row.is_right()).count();
    let scope = if quick {
        "each flaw with the trials of its own requirement"
    } else {
        "each flaw with all trials"
    };
    let _ = write!(
        text,
        "\n{right} of {} devices as expected, {scope}",
        rows.len()
    );
    text
}

/// Why a device was not judged as it should be, a line for each reason; nothing for one that was.
pub(super) fn reasons(row: &Row) -> String {
    let mut text = String::new();
    if row.is_right() {
        return text;
    }
    if let Some(trouble) = &row.trouble {
        let _ = writeln!(text, "  no result: {}", one_line(trouble));
    } else if row.flaw.is_some() && row.seen_by.is_empty() {
        let own = row.requirement.unwrap_or_default();
        let _ = writeln!(text, "  no case of {own} saw it");
    }
    let unseen: &[Other] = match row.seen_by.len() {
        0 => &row.not_seen_by,
        _ => &[],
    };
    for other in unseen {
        let _ = writeln!(text, "  {}: {}", other.trial, one_line(&other.reason));
    }
    for (what, others) in [
        ("FAIL", &row.unrelated),
        ("INCONCLUSIVE", &row.inconclusive),
    ] {
        for other in others {
            let _ = writeln!(
                text,
                "  {what} {}: {}",
                other.trial,
                one_line(&other.reason)
            );
        }
    }
    text
}

fn trials(others: &[Other]) -> String {
    let names: Vec<_> = others.iter().map(|other| other.trial.as_str()).collect();
    names.join(", ")
}
