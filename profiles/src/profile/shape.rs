//! The shape of a profile file.

use std::collections::BTreeSet;

use semver::Version;
use serde_json::json;

use super::Profile;
use super::claim::Claim;
use super::identity::{Context, ProfileId, Scheme, Status};
use super::lookup::Scope;
use super::select::Select;
use super::selection;
use crate::catalogue::Catalogue;
use crate::component::ComponentType;
use crate::file::{
    DeValue, Diagnostic, Diagnostics, Fields, Located, Schema, Setting, Several, Source, Spanned,
    Table, Text, choose, excerpt,
};

/// Why a text of a requirement is not used.
pub(super) const NO_RESTATING: (&str, &str, &str) = (
    "requirement_text",
    "a profile cannot restate a requirement: this text is not used",
    "remove it; say what the requirement's words mean in your sector under `[context.terms]`",
);

/// A profile as its file has it: without the hash of the file and the warnings.
pub(super) struct Shape(pub Profile);

impl Table for Shape {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let id =
            f.required::<ProfileId>("id", "The profile's name, the same for all its versions.");
        let title = f.required::<Text>("title", "The profile's title.");
        let version = f.required::<Version>("version", "The profile's version, by semver.org.");
        let scheme = f.required::<Scheme>("scheme", "The scheme that the profile follows.");
        let publisher = f.required::<Text>("publisher", "Who publishes the profile.");
        let date = f.optional("date", "The day of this version.");
        let status = f.required::<Status>("status", "Whether the profile is in force.");
        let components = f.required::<Several<ComponentType>>(
            "components",
            "The component types that the profile is for.",
        );
        let basis = f.required::<Basis>("basis", "The standard's edition that is selected from.");
        let claim = f.required::<Claim>("claim", "The claimed SL-C.");
        let select = f.required::<Select>("select", "The selected and the excluded requirements.");
        let context = f.or(
            "context",
            "The sector, and what words mean there.",
            Context::default(),
        );
        let (restated, why, help) = NO_RESTATING;
        f.discouraged(restated, why, help);

        if let Some(Status::Withdrawn) = status {
            let what = "this profile is withdrawn".to_owned();
            f.warn("status", what, "look for its successor");
        }
        // The selection is checked against whatever else could be read, so that all faults are told at once.
        let entries = match (&select, &basis) {
            (Some(select), Some(Basis(Some(catalogue)))) => {
                let scope = Scope {
                    catalogue,
                    components: components.as_ref().map_or(&[], |it| it.0.as_slice()),
                };
                let claim = claim.as_ref().map(|claim| claim.0);
                let (entries, faults) = selection::decide(select, &scope, claim);
                faults.into_iter().for_each(|fault| f.report(fault));
                Some(entries)
            }
            _ => None,
        };
        Some(Self(Profile {
            id: id?.0,
            title: title?.0,
            version: version?,
            scheme: scheme?,
            publisher: publisher?.0,
            date: date?,
            status: status?,
            context: context?,
            components: components?.0,
            basis: basis?.0?,
            claim: claim?.0,
            entries: entries?,
            sha256: String::new(),
            warnings: Diagnostics::new(Source::new("", ""), Vec::new()),
        }))
    }
}

/// The table `[basis]`; no catalogue where the edition is not known, which has been reported.
struct Basis(Option<&'static Catalogue>);

impl Table for Basis {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let standard = f.required::<Standard>("standard", "The standard that is selected from.");
        let edition = f.required::<Edition>("edition", "The standard's edition, by its year.");
        let (Standard(standard), Edition(edition)) = (standard?, edition?);
        let catalogue = Catalogue::of(&standard, &edition);
        if catalogue.is_none() {
            let known: Vec<_> = Catalogue::all()
                .iter()
                .filter(|one| one.standard() == standard)
                .map(Catalogue::edition)
                .collect();
            let shown = excerpt(&edition);
            let what = format!("there is no catalogue of {standard}, edition `{shown}`");
            let help = match known[..] {
                [only] => format!("the only edition known is `{only}`"),
                _ => format!("the editions known are `{}`", known.join("`, `")),
            };
            f.refuse("edition", what, &help);
        }
        Some(Self(catalogue))
    }
}

crate::settings_table!(Basis);

struct Standard(String);

impl Setting for Standard {
    fn schema() -> Schema {
        json!({ "enum": distinct(Catalogue::standard) })
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        let text = String::read(value, faults)?;
        let known = distinct(Catalogue::standard);
        if !known.contains(&text.as_str()) {
            let what = format!("there is no catalogue of `{}`", excerpt(&text));
            faults.push(Diagnostic::error(value.span(), what).help(choose(&text, &known)));
            return None;
        }
        Some(Self(text))
    }
}

struct Edition(String);

impl Setting for Edition {
    fn schema() -> Schema {
        json!({ "enum": distinct(Catalogue::edition) })
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        String::read(value, faults).map(Self)
    }
}

/// An id as the file has it. The schema lists all ids for editors; they are looked up when the edition is known.
pub(super) struct IdText(pub Located<String>);

impl Setting for IdText {
    fn schema() -> Schema {
        let ids: BTreeSet<_> = Catalogue::all()
            .iter()
            .flat_map(Catalogue::requirements)
            .map(|row| row.id)
            .collect();
        json!({ "enum": Vec::from_iter(ids) })
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Diagnostic>) -> Option<Self> {
        Located::read(value, faults).map(Self)
    }
}

fn distinct(of: fn(&'static Catalogue) -> &'static str) -> Vec<&'static str> {
    BTreeSet::from_iter(Catalogue::all().iter().map(of))
        .into_iter()
        .collect()
}
