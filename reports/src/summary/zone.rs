//! Where the device is short of what a zone asks for, in a line.

use super::{LONGEST_NAME, Summary};
use crate::assess::Assessment;
use crate::escape::shorten;
use crate::metrics::ZoneResult;
use crate::record::Record;

impl Summary {
    pub(super) fn zone(&mut self, record: &Record, assessment: &Assessment) {
        let Some(zone) = &record.wanted.zone else {
            return;
        };
        let zone = ZoneResult::of(zone, assessment);
        let short = zone.frs.iter().filter(|one| one.shortfall > 0);
        let short: Vec<String> = short
            .map(|one| format!("{} by {}", one.fr, one.shortfall))
            .collect();
        let standing = match short.is_empty() {
            true => "reached".to_owned(),
            false => format!(
                "short in {}: compensating countermeasures are needed there",
                short.join(", ")
            ),
        };
        let name = zone
            .name
            .map(|name| format!(" of {}", shorten(&name, LONGEST_NAME)));
        self.wrapped(
            "SL-T of the zone                ",
            "                                ",
            &format!("{}{}, {standing}", zone.target, name.unwrap_or_default()),
        );
    }
}
