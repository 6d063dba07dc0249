//! Finding the row that an id in a profile names, or saying which one was probably meant.

use crate::catalogue::{Catalogue, Requirement};
use crate::component::ComponentType;
use crate::file::{Diagnostic, Located, closest, excerpt};
use crate::requirement::RequirementId;

/// What a profile selects from.
pub(super) struct Scope<'s> {
    pub catalogue: &'static Catalogue,
    /// Empty where the profile's own list is not right; then any component type will do.
    pub components: &'s [ComponentType],
}

/// What an id in the file leads to.
pub(super) enum Found {
    /// The row that it names.
    Row(&'static Requirement),
    /// It names none that fits. The fault is reported; the row is the one that was probably meant.
    Meant(Option<&'static Requirement>),
}

impl Scope<'_> {
    /// Finds the row of an id; a fault if it has none, or one that is not for the profile's component types.
    pub fn find(&self, text: &Located<String>, faults: &mut Vec<Diagnostic>) -> Found {
        let (what, help, meant) = match text.parse::<RequirementId>() {
            Err(_) => self.no_id(text),
            Ok(id) => match self.catalogue.get(id) {
                None => self.unknown(id),
                Some(row) if !self.fits(row) => self.not_for_these(row),
                Some(row) if id.to_string() != **text => (
                    format!("`{}` is not how the standard writes it", excerpt(text)),
                    format!("write `{id}`"),
                    Some(row),
                ),
                Some(row) => return Found::Row(row),
            },
        };
        faults.push(Diagnostic::error(text.span.clone(), what).help(help));
        Found::Meant(meant)
    }

    fn fits(&self, row: &Requirement) -> bool {
        self.components.is_empty() || self.components.iter().any(|one| row.applies_to(*one))
    }

    fn no_id(&self, text: &str) -> (String, String, Option<&'static Requirement>) {
        let what = format!("`{}` is no requirement id", excerpt(text));
        let meant = self.closest(&text.to_ascii_uppercase());
        let help = match meant {
            Some(row) => format!("did you mean `{}`?", row.id),
            None => "write it like `CR 1.11`, `CR 1.1 RE(2)`, `EDR 3.10` or `CCSC 1`".to_owned(),
        };
        (what, help, meant)
    }

    fn unknown(&self, id: RequirementId) -> (String, String, Option<&'static Requirement>) {
        let (standard, edition) = (self.catalogue.standard(), self.catalogue.edition());
        let what = format!("{standard}, edition {edition}, has no `{id}`");
        let siblings: Vec<_> = self.siblings(id).collect();
        if let Some(row) = siblings.iter().find(|row| self.fits(row)) {
            let help = format!("did you mean `{}`, which is for {}?", row.id, kinds(row));
            return (what, help, Some(row));
        }
        if let Some(row) = siblings.first() {
            let help = format!(
                "`{}` is for {}, and this profile is for {}",
                row.id,
                kinds(row),
                words(self.components)
            );
            return (what, help, Some(row));
        }
        if let Some(base) = id.base().filter(|base| self.catalogue.get(*base).is_some()) {
            let enhancements: Vec<_> = self
                .catalogue
                .requirements()
                .iter()
                .filter(|row| row.id.base() == Some(base))
                .collect();
            let ids: Vec<_> = enhancements.iter().map(|row| row.id.to_string()).collect();
            let help = match ids[..] {
                [] => format!("`{base}` has no enhancement"),
                _ => format!("`{base}` has `{}`", ids.join("`, `")),
            };
            return (what, help, enhancements.last().copied());
        }
        let meant = self.closest(&id.to_string());
        let help = match meant {
            Some(row) => format!("did you mean `{}`, {}?", row.id, row.title),
            None => "a profile cannot add requirements: remove it".to_owned(),
        };
        (what, help, meant)
    }

    fn not_for_these(
        &self,
        row: &'static Requirement,
    ) -> (String, String, Option<&'static Requirement>) {
        let what = format!(
            "`{}` is for {}, and this profile is for {}",
            row.id,
            kinds(row),
            words(self.components)
        );
        match self.siblings(row.id).find(|other| self.fits(other)) {
            Some(other) => (what, format!("did you mean `{}`?", other.id), Some(other)),
            None => {
                let help = format!(
                    "remove it, or add `{}` to `components`",
                    words(&row.components)
                );
                (what, help, Some(row))
            }
        }
    }

    fn siblings(&self, id: RequirementId) -> impl Iterator<Item = &'static Requirement> {
        self.catalogue
            .requirements()
            .iter()
            .filter(move |row| row.id.is_sibling_of(&id))
    }

    /// The row that fits the profile and is spelt most alike.
    fn closest(&self, text: &str) -> Option<&'static Requirement> {
        let rows = || {
            self.catalogue
                .requirements()
                .iter()
                .filter(|row| self.fits(row))
        };
        let ids: Vec<_> = rows().map(|row| row.id.to_string()).collect();
        let id = closest(text, ids.iter().map(String::as_str))?;
        rows().find(|row| row.id.to_string() == id)
    }
}

fn kinds(row: &Requirement) -> String {
    words(&row.components)
}

fn words(components: &[ComponentType]) -> String {
    let words: Vec<_> = components.iter().map(|one| one.word()).collect();
    words.join(", ")
}
