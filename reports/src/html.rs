//! `report.html`: one file that opens from a USB stick. It asks no network, and shows text of the record as text: the
//! template escapes each value, and its content security policy lets nothing run but the script that we wrote.

mod annex;
mod cards;
mod findings;
mod levels;
mod matrix;
mod measures;
mod model;
mod practices;
mod standing;
mod timeline;

use askama::Template;
use base64ct::{Base64, Encoding};
use sha2::{Digest, Sha256};

use crate::assess::Assessment;
use crate::record::Record;
use model::Page;
pub(crate) use model::class;

pub(crate) const STYLE: &str = include_str!("../templates/report.css");
const SCRIPT: &str = include_str!("../templates/report.js");

/// The report of a campaign for people to read.
///
/// # Errors
/// [`askama::Error`], which is a fault of this program.
pub fn html(record: &Record, assessment: &Assessment) -> Result<String, askama::Error> {
    Page::of(record, assessment).render()
}

/// The style with what each printed page says at its foot.
fn style(record: &Record) -> String {
    // Nothing but these stands in a name of ours, and none of them ends a string of CSS.
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    let campaign: String = record.campaign.chars().filter(plain).take(80).collect();
    format!(
        "{STYLE}@page {{\n  @bottom-left {{ content: \"{campaign} \\B7  pre-check evidence\"; font: 8pt system-ui; color: #666; }}\n  \
         @bottom-right {{ content: counter(page) \" / \" counter(pages); font: 8pt system-ui; color: #666; }}\n}}\n"
    )
}

/// What a page may do: have this style and, at most, run this script.
pub(crate) fn policy(style: &str, script: Option<&str>) -> String {
    let hash = |text: &str| {
        format!(
            "'sha256-{}'",
            Base64::encode_string(&Sha256::digest(text.as_bytes()))
        )
    };
    format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash(style),
        script.map_or("'none'".to_owned(), hash)
    )
}

#[cfg(test)]
mod tests;
