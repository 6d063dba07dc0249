//! CR 4.2 RE(2): verification of erasure.

use slcert_rigs::Attempt;
use slcert_rigs::rig::Values;

use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::dc::cr_4_2::{Storage, erase};
use crate::hands::{Desk, Hand, hand};
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "verified-erasure",
    title: "the device tells whether the erasure was verified, and tells the truth",
    requirements: &["CR 4.2 RE(2)"],
    kind: Kind::Conformance,
    scope: Scope::Device,
    needs: &["decommission", "recommission", "verify_erasure"],
    objective: "Take the device out of service, ask it whether the erasure was verified, and look for what was there before; and once more where \
                the bench can make a part of its storage impossible to erase.",
    criterion: "After the erasure the device reports that it was verified, and nothing of an account that was added before is found; it does not \
                report so with the same words before it, nor where a part could not be erased.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(verified_erasure(p)) },
}];

/// What the device reports of an erasure.
struct Report {
    verified: bool,
    text: String,
}

async fn verified_erasure(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let teller = hand(p, "verify_erasure")?;
    let mut desk = Desk::default();
    let tried = try_both(p, &mut desk, teller).await;
    desk.close().await;
    tried
}

async fn try_both<'r>(
    p: &mut Procedure<'r>,
    desk: &mut Desk<'r>,
    teller: Hand<'r>,
) -> Result<(), Stop> {
    let before = ask(p, desk, teller).await?;
    let erased = erase(p, desk, Storage::Sound).await?;
    let report = ask(p, desk, teller).await?;
    if !report.verified && erased.left() {
        return Err(Stop::inconclusive(format!(
            "not all was erased, and the device says so: see CR 4.2; it said: {}",
            report.text
        )));
    }
    p.check(
        "the report of the erasure",
        "it was verified",
        &report.text,
        report.verified,
    );
    erased.judge(p);
    let breakable = hand(p, "break_erasure").is_ok() && hand(p, "mend_erasure").is_ok();
    if breakable {
        erase(p, desk, Storage::Worn).await?;
        let worn = ask(p, desk, teller).await?;
        let name = "the report where a part could not be erased";
        if worn.text.trim().is_empty() {
            p.cannot_tell(name, "not verified", "nothing");
        } else {
            p.check(name, "not verified", &worn.text, !worn.verified);
        }
    } else if before.verified && before.text == report.text {
        p.cannot_tell(
            "the report before the erasure",
            "another one",
            format!("the same: {}", before.text),
        );
    }
    Ok(())
}

async fn ask<'r>(p: &Procedure<'r>, desk: &mut Desk<'r>, teller: Hand<'r>) -> Result<Report, Stop> {
    let values = Values::new();
    let said = desk.perform(p, teller, "verify_erasure", &values).await?;
    Ok(match said {
        Attempt::Done(answer) => Report {
            verified: true,
            text: answer.text,
        },
        Attempt::Refused(answer) => {
            return Err(Stop::inconclusive(format!(
                "{teller} may not ask whether the erasure was verified: {}",
                slcert_reports::excerpt(&answer.text, 200)
            )));
        }
        Attempt::Unclear(answer) => Report {
            verified: false,
            text: answer.text,
        },
    })
}
