//! `slcert explain`.

use std::process::ExitCode;

use slcert_profiles::{Catalogue, RequirementId, TestClass};
use slcert_suites::case::{Case, Scope};
use slcert_suites::cases;

use crate::command::Explain;
use crate::sources::USAGE;

/// Tells what is known of a requirement, and how it is tested.
pub fn explain(explain: &Explain) -> ExitCode {
    let Some(id) = parse(&explain.requirement) else {
        eprintln!(
            "error: `{}` is no requirement's id: write it as CR-1.11, CR-1.1-RE-1 or \"CR 1.1 RE(1)\"",
            explain.requirement
        );
        return ExitCode::from(USAGE);
    };
    let Some((catalogue, row)) = Catalogue::all()
        .iter()
        .find_map(|one| Some((one, one.get(id)?)))
    else {
        eprintln!("error: no catalogue has {id}");
        let close: Vec<_> = Catalogue::all()
            .iter()
            .flat_map(Catalogue::requirements)
            .filter(|row| {
                row.id.base() == Some(id) || row.id.to_string().starts_with(&id.to_string()[..2])
            })
            .map(|row| row.id.slug())
            .collect();
        eprintln!(
            "       {}",
            slcert_profiles::file::choose(
                &explain.requirement,
                &close.iter().map(String::as_str).collect::<Vec<_>>()
            )
        );
        return ExitCode::from(USAGE);
    };
    anstream::println!("{id}  {}", row.title);
    anstream::println!("{}, edition {}", catalogue.standard(), catalogue.edition());
    if let Some(fr) = id.fr() {
        anstream::println!(
            "FR {} ({}), asked for from SL-C {} on",
            fr.number(),
            fr.abbreviation(),
            row.level.get()
        );
    }
    let components: Vec<_> = row
        .components
        .iter()
        .map(|component| component.word())
        .collect();
    anstream::println!("Applies to: {}", components.join(", "));
    anstream::println!("Test: {}", test(row.test));
    let cases: Vec<_> = cases()
        .into_iter()
        .filter(|case| {
            case.requirements
                .iter()
                .any(|other| other.parse() == Ok(id))
        })
        .collect();
    if cases.is_empty() {
        anstream::println!("\nslcert has no case for it yet: it is NOT EVALUATED.");
    }
    for case in cases {
        describe(id, case);
    }
    anstream::println!(
        "\nThe requirement's text is in the standard; what stands here is slcert's own statement of its tests."
    );
    ExitCode::SUCCESS
}

fn describe(id: RequirementId, case: &Case) {
    anstream::println!("\n{}/{}: {}", id.slug(), case.id, case.title);
    anstream::println!(
        "  kind       {}, evidence for {} of IEC 62443-4-1",
        case.kind.word(),
        case.svv.id()
    );
    let scope = match case.scope {
        Scope::Device => "the whole device, once".to_owned(),
        Scope::Servers(kind) => format!(
            "each server of kind {} that the device comes to",
            kind.word()
        ),
        Scope::Each(fits) => match fits.describe() {
            words if words.is_empty() => "each interface".to_owned(),
            words => format!("each interface {words}"),
        },
    };
    anstream::println!("  runs on    {scope}");
    if !case.needs.is_empty() {
        anstream::println!("  needs      the operations {}", case.needs.join(", "));
    }
    anstream::println!("  objective  {}", case.objective);
    anstream::println!("  criterion  {}", case.criterion);
}

fn test(class: TestClass) -> &'static str {
    match class {
        TestClass::A => "automatic, from outside",
        TestClass::B => "automatic, given the rig file's accounts and fixtures",
        TestClass::C => "in part: a test can show a fault, the rest is documents",
        TestClass::D => "documents",
        TestClass::P => "a bench with hands or instruments",
    }
}

/// Reads an id as people type it.
fn parse(text: &str) -> Option<RequirementId> {
    let upper = text.trim().to_uppercase();
    let spaced = upper
        .replacen('-', " ", 1)
        .replace("-RE-", " RE(")
        .replace("-RE(", " RE(");
    let closed = if spaced.contains("RE(") && !spaced.ends_with(')') {
        format!("{spaced})")
    } else {
        spaced
    };
    closed.parse().or_else(|_| text.parse()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_people_type_them() {
        for (text, id) in [
            ("CR-1.11", "CR 1.11"),
            ("cr 1.11", "CR 1.11"),
            ("CR-1.1-RE-1", "CR 1.1 RE(1)"),
            ("CR 1.1 RE(1)", "CR 1.1 RE(1)"),
            ("ccsc-1", "CCSC 1"),
        ] {
            assert_eq!(
                parse(text).map(|id| id.to_string()).as_deref(),
                Some(id),
                "{text}"
            );
        }
        assert_eq!(parse("hello"), None);
    }
}
