//! Mobile code: rules for the plant that an engineer loads while the device runs, signed by the engineering station.
//!
//! A program is text. Each of its rules switches a coil by the level; it is run ten times a second.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use crate::audit::Category;
use crate::controller::{Actor, Controller, Refusal};
use crate::firmware::Signer;
use crate::flaw::{Defect, FlawSet};
use crate::import;
use crate::role::Permission;
use crate::store::{Durability, Store, StoreError};

const FIRST_LINE: &str = "TC-100 program";
const STORED: &str = "program.json";
/// Where the flaw `removed-code-returns` keeps what was removed.
const KEPT: &str = "program.kept.json";
/// The longest program, in bytes, and the most rules.
const LONGEST: usize = 2048;
const MOST_RULES: usize = 16;
/// How often the rules are run.
const PERIOD: Duration = Duration::from_millis(100);
/// The coils that a rule may switch.
const COILS: std::ops::RangeInclusive<u16> = 4..=7;

/// Switches a coil on while the level is above a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Rule {
    above: u16,
    coil: u16,
}

/// A program that was found to be sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Program {
    version: String,
    rules: Vec<Rule>,
}

/// What is loaded, and whether it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Loaded {
    program: Option<Program>,
    running: bool,
    /// What the flaw `loaded-code-replaces` runs at the next start of the device.
    refused: Option<Program>,
}

impl Loaded {
    /// What was loaded before the power was cut; it runs again where it ran.
    pub(crate) fn open(store: &Store, flaws: &FlawSet) -> Result<Self, StoreError> {
        let mut loaded: Self = store.read(STORED)?.unwrap_or_default();
        if flaws.enabled(Defect::RemovedCodeReturns)
            && let Some(kept) = store.read(KEPT)?
        {
            loaded = kept;
        }
        if let Some(refused) = loaded.refused.take() {
            loaded.program = Some(refused);
            loaded.running = true;
        }
        Ok(loaded)
    }
}

/// Why a program was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadProgram {
    #[error("not a program")]
    Form,
    #[error("signature")]
    Signature,
    #[error("signer")]
    Signer,
    #[error("nothing is loaded")]
    Nothing,
}

/// A program, signed.
pub(crate) fn sealed(version: &str, rules: &str, signer: &Signer) -> String {
    import::signed(&format!("{FIRST_LINE}\nversion={version}\n{rules}"), signer)
}

/// A program that nobody has signed.
pub(crate) fn unsigned(version: &str, rules: &str) -> String {
    format!("{FIRST_LINE}\nversion={version}\n{rules}\n")
}

fn parse(text: &str) -> Option<(Program, Vec<u8>)> {
    let mut lines = text.lines();
    if lines.next()? != FIRST_LINE {
        return None;
    }
    let version = lines.next()?.strip_prefix("version=")?.to_owned();
    let (mut rules, mut signer) = (Vec::new(), Vec::new());
    for line in lines {
        if let Some(key) = line.strip_prefix("signer=") {
            signer = BASE64.decode(key).ok()?;
            continue;
        }
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let ["above", above, "coil", coil] = words[..] else {
            return None;
        };
        let rule = Rule {
            above: above.parse().ok()?,
            coil: coil.parse().ok()?,
        };
        if !COILS.contains(&rule.coil) || rules.len() == MOST_RULES {
            return None;
        }
        rules.push(rule);
    }
    let printable = version.bytes().all(|byte| byte.is_ascii_graphic());
    (printable && !version.is_empty() && version.len() <= 16)
        .then_some((Program { version, rules }, signer))
}

impl Controller {
    /// Takes a program in the place of the one that is loaded. It does not run yet; the one before runs on until then.
    pub(crate) fn load_code(&self, actor: &Actor, data: &str) -> Result<(), Refusal> {
        let permitted = if self.flaws.enabled(Defect::CodeByAnyone) {
            Ok(())
        } else {
            self.require(actor, Permission::ManageCode)
        };
        if permitted.is_err() && !self.flaws.enabled(Defect::CodeRefusedButRuns) {
            return permitted;
        }
        let bytes = BASE64.decode(data).unwrap_or_default();
        let text = String::from_utf8(bytes).unwrap_or_default();
        let (program, bad) = self.inspect_code(&text);
        let Some(program) = program else {
            permitted?;
            return self.refuse_code(actor, BadProgram::Form);
        };
        if let Some(bad) = bad {
            permitted?;
            if self.flaws.enabled(Defect::RefusedCodeStored) {
                self.change_code(|loaded| loaded.refused = Some(program))?;
            }
            return self.refuse_code(actor, bad);
        }
        let version = program.version.clone();
        let at_once = permitted.is_err();
        self.change_code(|loaded| {
            loaded.program = Some(program);
            loaded.running = at_once;
        })?;
        permitted?;
        self.record(actor, Category::Configuration, "code_load", true, &version);
        Ok(())
    }

    /// Runs the program that is loaded.
    pub(crate) fn run_code(&self, actor: &Actor) -> Result<(), Refusal> {
        if !self.flaws.enabled(Defect::CodeByAnyone) {
            self.require(actor, Permission::ManageCode)?;
        }
        let version = self.code().program.as_ref().map(|it| it.version.clone());
        let version = version.ok_or(BadProgram::Nothing)?;
        self.change_code(|loaded| loaded.running = true)?;
        self.record(actor, Category::Configuration, "code_run", true, &version);
        Ok(())
    }

    /// Stops the program, and forgets it.
    pub(crate) fn remove_code(&self, actor: &Actor) -> Result<(), Refusal> {
        self.require(actor, Permission::ManageCode)?;
        if self.flaws.enabled(Defect::RemovedCodeReturns) && self.code().program.is_some() {
            let kept = self.code().clone();
            self.store.write(KEPT, &kept, Durability::Synced)?;
        }
        self.change_code(|loaded| *loaded = Loaded::default())?;
        self.record(actor, Category::Configuration, "code_remove", true, "");
        Ok(())
    }

    /// The version of the program that runs.
    pub(crate) fn running_code(&self) -> String {
        let loaded = self.code();
        match &loaded.program {
            Some(program) if loaded.running => program.version.clone(),
            _ => "none".into(),
        }
    }

    /// The program in a text, and what is wrong with it though it reads.
    fn inspect_code(&self, text: &str) -> (Option<Program>, Option<BadProgram>) {
        let (signed, signature) = match text.rfind("signature=") {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let Some((program, signer)) = parse(signed).filter(|_| text.len() <= LONGEST) else {
            return (None, None);
        };
        if self.flaws.enabled(Defect::CodeUnchecked) {
            return (Some(program), None);
        }
        let signature = signature
            .strip_prefix("signature=")
            .and_then(|text| text.strip_suffix('\n'))
            .and_then(|text| BASE64.decode(text).ok())
            .unwrap_or_default();
        let key = UnparsedPublicKey::new(&ED25519, &signer);
        let known =
            import::is_trusted(&self.store, &signer) || self.flaws.enabled(Defect::CodeAnySigner);
        let bad = if !known {
            Some(BadProgram::Signer)
        } else if key.verify(signed.as_bytes(), &signature).is_err() {
            Some(BadProgram::Signature)
        } else {
            None
        };
        (Some(program), bad)
    }

    fn refuse_code(&self, actor: &Actor, bad: BadProgram) -> Result<(), Refusal> {
        if !self.flaws.enabled(Defect::RefusedCodeUnrecorded) {
            let detail = format!("program refused, {bad}");
            self.record(actor, Category::RequestError, "integrity", false, &detail);
        }
        Err(bad.into())
    }

    fn change_code(&self, change: impl FnOnce(&mut Loaded)) -> Result<(), Refusal> {
        let mut loaded = self.code();
        let mut fresh = loaded.clone();
        change(&mut fresh);
        self.store.write(STORED, &fresh, Durability::Synced)?;
        *loaded = fresh;
        Ok(())
    }

    fn code(&self) -> std::sync::MutexGuard<'_, Loaded> {
        self.code.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs the rules, for as long as the device is on.
pub(crate) async fn run(controller: Arc<Controller>) {
    loop {
        tokio::time::sleep(PERIOD).await;
        let loaded = controller.code().clone();
        let rules = loaded.program.filter(|_| loaded.running);
        for rule in rules.into_iter().flat_map(|program| program.rules) {
            let process = &controller.process;
            process.set_coil(rule.coil, process.level() > rule.above);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_reads_as_it_is_written() {
        let text = unsigned("1.0", "above 850 coil 7");
        let (program, signer) = parse(&text).unwrap();
        assert_eq!((program.version.as_str(), program.rules.len()), ("1.0", 1));
        assert!(signer.is_empty());
        for bad in ["above 850 coil 0", "above x coil 7", "below 3 coil 7"] {
            assert_eq!(parse(&unsigned("1.0", bad)), None, "{bad}");
        }
        assert_eq!(parse(&unsigned("", "above 850 coil 7")), None);
    }
}
