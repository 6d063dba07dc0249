//! The figures, the next level and the zone, in a few lines.

use std::fmt::Write;

use super::{code, plain};
use crate::metrics::Metrics;

/// How many rows of the next step are named.
const MOST: usize = 10;

pub(super) fn measures(text: &mut String, metrics: &Metrics) {
    let whole = &metrics.whole;
    let _ = writeln!(
        text,
        "Coverage {}; by tests alone {}; decisive {}; with evidence {}.\n",
        whole.coverage, whole.automation, whole.decisiveness, whole.evidence
    );
    let essential = whole.essential;
    if let (Some(margin), Some(recovery)) = (essential.margin_percent, essential.recovery_ms) {
        let _ = writeln!(
            text,
            "Essential functions came to {margin} % of what is allowed, and were right again within {recovery} ms in 95 of 100 cases.\n"
        );
    }
    zone(text, metrics);
    step(text, metrics);
}

fn zone(text: &mut String, metrics: &Metrics) {
    let Some(zone) = &metrics.zone else {
        return;
    };
    let name = zone.name.as_deref().map_or("The zone".to_owned(), |name| {
        format!("The zone {}", code(name))
    });
    if zone.is_met {
        let _ = writeln!(text, "{name} asks for SL-T {}: reached.\n", zone.target);
        return;
    }
    let _ = writeln!(
        text,
        "{name} asks for SL-T {}, and needs compensating countermeasures where the SL-C is short of it:\n\n\
         | FR | SL-T | SL-C | short | caused by |\n|---|:-:|:-:|:-:|---|",
        zone.target
    );
    for one in zone.frs.iter().filter(|one| one.shortfall > 0) {
        let ids: Vec<String> = one.rows.iter().map(|row| row.id.to_string()).collect();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            one.fr,
            one.target,
            one.reviewed,
            one.shortfall,
            ids.join(", ")
        );
    }
    text.push('\n');
}

/// The lowest level that is not reached, and what wins the most on the way there.
fn step(text: &mut String, metrics: &Metrics) {
    let Some(step) = metrics.steps.first() else {
        return;
    };
    let _ = writeln!(
        text,
        "<details><summary>{} requirements to SL-C {}, which give {}</summary>\n\n\
         | requirement | | verdict | wins |\n|---|---|---|---|",
        step.rows.len(),
        step.to,
        step.reaches
    );
    for one in step.rows.iter().take(MOST) {
        let row = &one.row;
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            row.id,
            plain(&row.title),
            row.verdict,
            one.wins()
        );
    }
    text.push('\n');
    let more = step.rows.len().saturating_sub(MOST);
    if more > 0 {
        let _ = writeln!(text, "and {more} more\n");
    }
    text.push_str("</details>\n\n");
}
