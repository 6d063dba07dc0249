//! CR 7.8: control system component inventory.

use slcert_rigs::bench::{Entry, Who};
use slcert_rigs::rig::Values;

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "identification",
    title: "the device tells what it is, as its label does",
    requirements: &["CR 7.8"],
    kind: Kind::Conformance,
    scope: Scope::Each(Fits::ALL),
    needs: &["identify"],
    objective: "Ask the device for its vendor, product and revision.",
    criterion: "The answer has the vendor, the product and the firmware's version that the rig file takes from the label.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(identification(p)) },
}];

async fn identification(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let rig = p.rig();
    let who = if p.interface()?.is_open("identify") {
        Who::Nobody
    } else {
        Who::Account(p.who_may("identify")?)
    };
    let mut session = match p.enter(&who).await? {
        Entry::In(session) => session,
        Entry::Refused(answer) => {
            return Err(Stop::inconclusive(format!("not let in: {}", answer.text)));
        }
    };
    let attempt = session.perform("identify", &Values::new()).await;
    session.close().await;
    let attempt = attempt?;
    if let slcert_rigs::Attempt::Unclear(answer) = &attempt {
        p.cannot_tell("the identification", "told", &answer.text);
        return Ok(());
    }
    if !attempt.is_done() {
        p.check("the identification", "told", &attempt.answer().text, false);
        return Ok(());
    }
    let text = attempt.answer().text.clone();
    for (what, label) in [
        ("vendor", &rig.dut.vendor),
        ("product", &rig.dut.product),
        ("firmware", &rig.dut.firmware),
    ] {
        p.check(
            what,
            format!("`{label}`, as on the label"),
            &text,
            holds(&text, label),
        );
    }
    Ok(())
}

/// Whether a text has a word or phrase that is not part of a longer one: `1.4.2` does not stand in `11.4.2` or `1.4.20`.
pub fn holds(text: &str, phrase: &str) -> bool {
    let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric());
    text.match_indices(phrase).any(|(at, _)| {
        !inside(text[..at].chars().next_back()) && !inside(text[at + phrase.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_not_found_in_a_longer_one() {
        assert!(holds("firmware=1.4.2 serial", "1.4.2"));
        assert!(holds("Example Controls; TC-100; 1.4.2", "1.4.2"));
        assert!(!holds("11.4.2", "1.4.2"));
        assert!(!holds("1.4.20", "1.4.2"));
    }
}
