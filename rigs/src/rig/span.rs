//! Items of the Modbus data model that lie side by side.

use super::operation::Area;

/// Items of one table: `holding[100..199]`, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The table.
    pub area: Area,
    /// The first address.
    pub from: u16,
    /// The last address.
    pub to: u16,
}

impl Span {
    /// Reads `holding[100..199]`, or `coil[3]`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (area, rest) = text.split_once('[')?;
        let range = rest.strip_suffix(']')?;
        let (from, to) = range.split_once("..").unwrap_or((range, range));
        let area = match area {
            "coil" => Area::Coil,
            "discrete" => Area::Discrete,
            "holding" => Area::Holding,
            "input" => Area::Input,
            _ => return None,
        };
        let (from, to) = (from.parse().ok()?, to.parse().ok()?);
        (from <= to).then_some(Self { area, from, to })
    }

    /// Whether an item is one of these.
    pub fn contains(&self, area: Area, address: u16) -> bool {
        self.area == area && (self.from..=self.to).contains(&address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_with_both_ends() {
        let span = Span::parse("holding[100..199]").unwrap();
        assert!(span.contains(Area::Holding, 100) && span.contains(Area::Holding, 199));
        assert!(!span.contains(Area::Holding, 200) && !span.contains(Area::Input, 150));
        assert_eq!(
            Span::parse("coil[3]").map(|it| (it.from, it.to)),
            Some((3, 3))
        );
        for wrong in [
            "holding",
            "holding[]",
            "holding[2..1]",
            "other[1]",
            "holding[1..2",
        ] {
            assert_eq!(Span::parse(wrong), None, "{wrong}");
        }
    }
}
