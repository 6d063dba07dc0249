//! What answers each row of the catalogue: cases, a person, or nothing yet. Nothing is silently absent.

use slcert_profiles::RequirementId;

use crate::case::{Case, Kind};
use crate::cases;

/// What answers a requirement.
pub enum Answer {
    /// Cases that test it, and what is left to a person.
    Cases(Vec<&'static Case>),
    /// A person alone.
    Person(Vec<&'static Case>),
    /// Nothing yet, and why.
    Nothing(&'static str),
}

/// Rows without a case, and why; none of the 2019 edition.
const OPEN: &[(&[&str], &str)] = &[];

/// What answers a requirement; none for an id that no catalogue has.
pub fn answer(id: RequirementId) -> Option<Answer> {
    let found: Vec<_> = cases()
        .into_iter()
        .filter(|case| case.requirements.iter().any(|one| one.parse() == Ok(id)))
        .collect();
    if found.is_empty() {
        let (_, why) = OPEN
            .iter()
            .find(|(ids, _)| ids.iter().any(|one| one.parse() == Ok(id)))?;
        return Some(Answer::Nothing(why));
    }
    let person = found.iter().all(|case| case.kind == Kind::Inspection);
    Some(if person {
        Answer::Person(found)
    } else {
        Answer::Cases(found)
    })
}

#[cfg(test)]
mod tests {
    use slcert_profiles::Catalogue;

    use super::*;

    #[test]
    fn every_row_of_the_catalogue_has_an_answer() {
        let catalogue = Catalogue::of("IEC 62443-4-2", "2019").unwrap();
        let without: Vec<_> = catalogue
            .requirements()
            .iter()
            .filter(|row| answer(row.id).is_none())
            .map(|row| row.id.to_string())
            .collect();
        assert_eq!(without, Vec::<String>::new());
    }

    #[test]
    fn no_row_is_called_open_that_has_a_case() {
        for (ids, _) in OPEN {
            for id in *ids {
                let answer = answer(id.parse().unwrap());
                assert!(matches!(answer, Some(Answer::Nothing(_))), "{id}");
            }
        }
    }
}
