//! A comparison for the terminal.

use std::fmt::Write;

use textwrap::Options;

use super::{Comparison, Kind, Pair};
use crate::verdict::Verdict;

/// How many trials of one kind are listed.
const MOST: usize = 100;

/// The comparison in lines of at most `width` columns. Harmless on a terminal.
pub fn text(comparison: &Comparison, width: usize) -> String {
    let width = width.clamp(50, 160);
    let mut out = String::new();
    let _ = writeln!(
        out,
        "old  {}\nnew  {}\n",
        comparison.campaigns.old, comparison.campaigns.new
    );
    for condition in &comparison.conditions {
        let (old, new) = (&condition.values.old, &condition.values.new);
        wrapped(
            &mut out,
            width,
            "",
            &format!("{} was {old}, is {new}", condition.what),
        );
    }
    if !comparison.conditions.is_empty() {
        out.push('\n');
    }
    let levels = &comparison.levels;
    for (what, pair) in [
        ("claimed", &levels.claimed),
        ("demonstrated", &levels.demonstrated),
        ("demonstrated and reviewed", &levels.reviewed),
    ] {
        let arrow = if pair.old == pair.new {
            String::new()
        } else {
            format!("  was {}", vector(&pair.old))
        };
        let _ = writeln!(out, "SL-C {what:<25}  {}{arrow}", vector(&pair.new));
    }
    out.push('\n');
    for kind in Kind::ALL {
        trials(&mut out, comparison, kind, width);
    }
    if !comparison.requirements.is_empty() {
        let _ = writeln!(out, "requirements that came to something else");
        for row in &comparison.requirements {
            let beyond = if row.claimed {
                ""
            } else {
                ", asked for by neither claim"
            };
            let _ = writeln!(
                out,
                "  {:<12}  {}{beyond}",
                row.id.to_string(),
                arrow(&row.verdicts)
            );
        }
        out.push('\n');
    }
    let counts: Vec<String> = Kind::ALL
        .into_iter()
        .filter(|kind| comparison.count(*kind) > 0)
        .map(|kind| format!("{} {}", comparison.count(kind), kind.words()))
        .chain([format!("{} the same", comparison.same)])
        .collect();
    let _ = writeln!(out, "trials  {}", counts.join(", "));
    out
}

fn trials(out: &mut String, comparison: &Comparison, kind: Kind, width: usize) {
    let count = comparison.count(kind);
    if count == 0 {
        return;
    }
    let _ = writeln!(out, "{}", kind.words());
    for trial in comparison.of(kind).take(MOST) {
        let verdicts = match kind {
            Kind::StillFailing => String::new(),
            _ => format!(" ({})", arrow(&trial.verdicts)),
        };
        wrapped(
            out,
            width,
            "  ",
            &format!("{}{verdicts}: {}", trial.id, trial.why),
        );
    }
    if count > MOST {
        let _ = writeln!(out, "  and {} more", count - MOST);
    }
    out.push('\n');
}

/// `PASS, was FAIL`.
pub(super) fn arrow(pair: &Pair<Option<Verdict>>) -> String {
    let word = |verdict: Option<Verdict>| verdict.map_or("not there", Verdict::word);
    if pair.old == pair.new {
        return word(pair.new).to_owned();
    }
    format!("{}, was {}", word(pair.new), word(pair.old))
}

pub(super) fn vector(levels: &[u8; 7]) -> String {
    let levels: Vec<String> = levels.iter().map(ToString::to_string).collect();
    format!("{{{}}}", levels.join(" "))
}

fn wrapped(out: &mut String, width: usize, indent: &str, text: &str) {
    let deeper = format!("{indent}    ");
    let options = Options::new(width)
        .initial_indent(indent)
        .subsequent_indent(&deeper);
    for line in textwrap::wrap(text, options) {
        out.push_str(&line);
        out.push('\n');
    }
}
