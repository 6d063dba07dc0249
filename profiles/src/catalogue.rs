//! The catalogue: what a standard's edition asks for, as data.

use std::sync::LazyLock;

use serde::Deserialize;
use thiserror::Error;

use crate::component::ComponentType;
use crate::level::{NoSuchLevel, SecurityLevel};
use crate::requirement::{NotAnId, RequirementId};

/// The requirements of one edition of one standard, in the standard's order.
#[derive(Debug, PartialEq, Eq)]
pub struct Catalogue {
    standard: String,
    edition: String,
    requirements: Vec<Requirement>,
}

/// One row of a catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Its id.
    pub id: RequirementId,
    /// Its short title.
    pub title: String,
    /// The component types that it applies to.
    pub components: Vec<ComponentType>,
    /// The lowest SL-C that asks for it.
    pub level: SecurityLevel,
    /// How far a test from outside can reach.
    pub test: TestClass,
}

/// How far a test from outside can reach: our own judgement, row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum TestClass {
    /// Automatic.
    A,
    /// Automatic, given the rig's accounts and fixtures.
    B,
    /// In part; the rest is documents.
    C,
    /// Documents.
    D,
    /// A bench with hands or instruments.
    P,
}

/// A catalogue file is not right. It is a fault of this program, not of its user.
#[derive(Debug, Error)]
pub enum CatalogueError {
    /// It is not TOML of the right shape.
    #[error("the catalogue cannot be read: {0}")]
    Shape(#[from] toml::de::Error),
    /// A row has no valid id.
    #[error("the catalogue has a bad row: {0}")]
    Id(#[from] NotAnId),
    /// A row has no valid level.
    #[error("the catalogue has a bad row: {0}")]
    Level(#[from] NoSuchLevel),
    /// A row names a component type by a letter that stands for none.
    #[error("the catalogue has a bad row: {id} names the component type `{letter}`")]
    Component {
        /// The row.
        id: RequirementId,
        /// The letter.
        letter: char,
    },
    /// A row stands twice.
    #[error("the catalogue has {0} twice")]
    Twice(RequirementId),
    /// An enhancement has no base requirement.
    #[error("the catalogue has {0} without its base requirement")]
    NoBase(RequirementId),
}

/// The catalogue files that are built in, one an edition: a new edition is a new file here.
const EDITIONS: [&str; 1] = [include_str!("../catalogue/iec-62443-4-2-2019.toml")];

static BUILT_IN: LazyLock<Vec<Catalogue>> = LazyLock::new(|| {
    // A catalogue that cannot be read would be seen by the tests below.
    EDITIONS
        .iter()
        .filter_map(|text| Catalogue::read(text).ok())
        .collect()
});

impl Catalogue {
    /// All catalogues that are built in.
    pub fn all() -> &'static [Catalogue] {
        &BUILT_IN
    }

    /// The catalogue of a standard's edition: `("IEC 62443-4-2", "2019")`.
    pub fn of(standard: &str, edition: &str) -> Option<&'static Catalogue> {
        Self::all()
            .iter()
            .find(|one| one.standard == standard && one.edition == edition)
    }

    /// The standard: `IEC 62443-4-2`.
    pub fn standard(&self) -> &str {
        &self.standard
    }

    /// The edition: `2019`.
    pub fn edition(&self) -> &str {
        &self.edition
    }

    /// All rows, in the standard's order.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// The row with this id.
    pub fn get(&self, id: RequirementId) -> Option<&Requirement> {
        self.requirements.iter().find(|row| row.id == id)
    }

    /// The rows that a component of this type has to meet at `level`, the common constraints included.
    pub fn required(
        &self,
        component: ComponentType,
        level: SecurityLevel,
    ) -> impl Iterator<Item = &Requirement> {
        self.requirements
            .iter()
            .filter(move |row| row.level <= level && row.applies_to(component))
    }

    /// Reads a catalogue file.
    ///
    /// # Errors
    /// [`CatalogueError`] for the first row that is not right.
    pub fn read(text: &str) -> Result<Self, CatalogueError> {
        let file: File = toml::from_str(text)?;
        let mut requirements: Vec<Requirement> = Vec::with_capacity(file.requirement.len());
        for row in file.requirement {
            let row = row.checked()?;
            if requirements.iter().any(|other| other.id == row.id) {
                return Err(CatalogueError::Twice(row.id));
            }
            requirements.push(row);
        }
        for row in &requirements {
            if let Some(base) = row.id.base()
                && !requirements.iter().any(|other| other.id == base)
            {
                return Err(CatalogueError::NoBase(row.id));
            }
        }
        Ok(Self {
            standard: file.standard,
            edition: file.edition,
            requirements,
        })
    }
}

impl Requirement {
    /// Whether it applies to components of this type.
    pub fn applies_to(&self, component: ComponentType) -> bool {
        self.components.contains(&component)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    standard: String,
    edition: String,
    requirement: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    components: String,
    level: u8,
    test: TestClass,
    title: String,
}

impl Row {
    fn checked(self) -> Result<Requirement, CatalogueError> {
        let id: RequirementId = self.id.parse()?;
        let component = |letter| {
            ComponentType::ALL
                .into_iter()
                .find(|one| one.letter() == letter)
                .ok_or(CatalogueError::Component { id, letter })
        };
        Ok(Requirement {
            id,
            title: self.title,
            components: self
                .components
                .chars()
                .map(component)
                .collect::<Result<_, _>>()?,
            level: SecurityLevel::try_from(self.level)?,
            test: self.test,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edition_2019() -> &'static Catalogue {
        Catalogue::of("IEC 62443-4-2", "2019").unwrap()
    }

    #[test]
    fn every_built_in_catalogue_can_be_read() {
        for text in EDITIONS {
            Catalogue::read(text).unwrap();
        }
        assert_eq!(Catalogue::all().len(), EDITIONS.len());
    }

    #[test]
    fn the_2019_edition_has_122_requirements_and_4_common_constraints() {
        let (ccsc, rest): (Vec<_>, Vec<_>) = edition_2019()
            .requirements()
            .iter()
            .partition(|row| row.id.fr().is_none());
        assert_eq!((rest.len(), ccsc.len()), (122, 4));
    }

    #[test]
    fn the_2019_edition_asks_for_the_published_number_of_rows_at_each_level() {
        let published = [
            (ComponentType::SoftwareApplication, [34, 53, 67, 73]),
            (ComponentType::EmbeddedDevice, [36, 61, 77, 83]),
            (ComponentType::HostDevice, [36, 62, 78, 84]),
            (ComponentType::NetworkDevice, [40, 67, 86, 92]),
        ];
        for (component, counts) in published {
            for (level, count) in SecurityLevel::CLAIMABLE.into_iter().zip(counts) {
                let rows = edition_2019()
                    .required(component, level)
                    .filter(|row| row.id.fr().is_some());
                assert_eq!(rows.count(), count, "{component} at SL {level}");
            }
        }
    }

    #[test]
    fn the_2019_edition_stands_in_the_standards_order() {
        let rows = edition_2019().requirements();
        for pair in rows.windows(2) {
            assert!(
                pair[0].id < pair[1].id,
                "{} before {}",
                pair[0].id,
                pair[1].id
            );
        }
    }

    #[test]
    fn a_catalogue_with_an_enhancement_alone_is_refused() {
        let text = "standard = 'x'\nedition = '1'\n[[requirement]]\nid = 'CR 1.1 RE(1)'\ncomponents = 'S'\nlevel = 1\ntest = 'A'\ntitle = 't'\n";
        assert!(matches!(
            Catalogue::read(text),
            Err(CatalogueError::NoBase(_))
        ));
    }
}
