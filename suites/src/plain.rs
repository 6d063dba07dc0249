//! Interfaces that cannot tell who their users are, such as plain Modbus.

use slcert_rigs::bench::Who;

use crate::effect::{Actor, Effect, attempt};
use crate::procedure::{Procedure, Stop};

/// Checks that such an interface changes nothing for anyone. Then what the requirement asks for has nothing to protect
/// here: NOT APPLICABLE, with the probe that agreed.
///
/// # Errors
/// NOT APPLICABLE where nothing can be changed; REVIEW where the rig file names a countermeasure around the device.
pub async fn changes_nothing(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let rig = p.rig();
    let here = p.name();
    let mut tried = 0;
    let mut changed = Vec::new();
    let mut silent = Vec::new();
    for (name, operation) in &rig.operations {
        if !operation.changes_state() || rig.binding(name.as_str(), here).is_none() {
            continue;
        }
        tried += 1;
        let mut nobody = Actor::new(Who::Nobody);
        let effect = attempt(p, &mut nobody, name.as_str()).await?;
        nobody.leave().await;
        match effect {
            Effect::Happened(words) => changed.push((name.as_str(), words)),
            Effect::Refused(_) => {}
            Effect::Nothing(words) => silent.push((name.as_str(), words)),
        }
    }
    if let (Some(measure), Some((operation, _))) = (p.compensated(), changed.first()) {
        return Err(Stop::review(format!(
            "not met by the component (`{operation}` works for anyone); compensating measure declared: {measure}"
        )));
    }
    for (operation, words) in &changed {
        p.check(
            format!("`{operation}` by anyone"),
            "refused: this interface cannot tell who asks",
            words,
            false,
        );
    }
    for (operation, words) in &silent {
        p.cannot_tell(format!("`{operation}` by anyone"), "refused", words);
    }
    if !changed.is_empty() || !silent.is_empty() {
        return Ok(());
    }
    if tried == 0 {
        return Err(Stop::not_evaluated(format!(
            "no operation that changes something is bound on `{here}`, so that nothing shows it to be read-only"
        )));
    }
    Err(Stop::not_applicable(format!(
        "`{here}` has no identities; it changes nothing for anyone: of the operations tried ({tried}) each was refused, and its value read back unchanged"
    )))
}
