//! The figures of a campaign, what higher levels want, and how the device compares with a zone.

use super::model::class;
use crate::metrics::{Against, Figures, Group, Metrics, OpenRow, Share, Step};

/// What the page says of a campaign's figures.
pub(super) struct Measures {
    pub metrics: Metrics,
    /// The groups that the claim asks something of, and all of it.
    pub lines: Vec<Group>,
}

impl Measures {
    pub fn of(metrics: Metrics) -> Self {
        let mut lines = metrics.groups.clone();
        lines.retain(|group| group.figures.rows.total > 0);
        lines.push(Group {
            name: "All".to_owned(),
            figures: metrics.whole.clone(),
        });
        Self { lines, metrics }
    }

    /// The colour and the words of a comparison with a zone.
    pub fn zone(&self) -> Option<(&'static str, String)> {
        let zone = self.metrics.zone.as_ref()?;
        let short = zone.frs.iter().filter(|one| one.shortfall > 0).count();
        let name = zone.name.as_deref().unwrap_or("the zone");
        Some(match short {
            0 => ("pass", format!("The SL-C reaches what {name} asks for.")),
            _ => (
                "fail",
                format!(
                    "{short} of the seven do not reach what {name} asks for: there the zone needs a compensating countermeasure."
                ),
            ),
        })
    }

    /// The shares of a line, as they stand in its cells.
    pub fn shares(&self, figures: &Figures) -> [Share; 4] {
        [
            figures.coverage,
            figures.automation,
            figures.decisiveness,
            figures.evidence,
        ]
    }

    /// A share in its cell.
    pub fn percent(&self, share: &Share) -> String {
        share
            .percent()
            .map_or("–".to_owned(), |percent| format!("{percent} %"))
    }

    /// A figure that the record may not have.
    pub fn recorded(&self, figure: &Option<u64>, unit: &str) -> String {
        figure.map_or("not recorded".to_owned(), |figure| {
            format!("{figure} {unit}")
        })
    }

    /// What a step asks for, in a few words.
    pub fn heading(&self, step: &Step) -> String {
        let rows = match step.rows.len() {
            1 => "1 requirement, which gives".to_owned(),
            count => format!("{count} requirements, which give"),
        };
        format!("To SL-C {}: {rows} {}", step.to, step.reaches)
    }

    pub fn class(&self, row: &OpenRow) -> &'static str {
        class(row.verdict)
    }

    /// Whether reviews are what reaches the level, and not tests alone.
    pub fn by_review(&self, one: &Against) -> bool {
        one.shortfall == 0 && one.demonstrated < one.target
    }
}
