//! A console: what is typed in a session and before a login.

mod dialogue;
mod grammar;
mod hazard;
mod keys;
mod oracles;
mod terminal;
mod words;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use regex::Regex;
use slcert_rigs::rig::{Binding, ConsoleManner, Meaning, Rig, Step, Values};
use tokio::sync::Mutex;

use crate::fuzz::pace::Pace;
use crate::procedure::{Procedure, Stop};
use grammar::ConsoleGrammar;
use hazard::Hazards;
pub use terminal::Terminal;
use terminal::{Signs, State};
use words::{Words, Write};

/// The console under test.
///
/// # Errors
/// NOT EVALUATED where the rig file binds nothing that reads, or nobody who may; INCONCLUSIVE where a password cannot be
/// had.
pub fn terminal<'b>(p: &Procedure<'b>) -> Result<Terminal<'b>, Stop> {
    let interface = p.interface()?;
    let Some(manner) = &interface.console else {
        return Err(Stop::inconclusive("this interface is no console"));
    };
    let words = Words::of(p.rig(), p.name());
    let Some((account, right)) = who_reads(p.rig(), p.name()) else {
        return Err(Stop::not_evaluated(format!(
            "no account on `{}` has a password alone and may perform an operation that only reads",
            p.name()
        )));
    };
    let Some(signs) = signs(manner) else {
        return Err(Stop::not_evaluated(format!(
            "nobody logs in on `{}`",
            p.name()
        )));
    };
    let rig = p.rig();
    let states = rig.operations.iter().filter_map(|(name, it)| {
        let read = it.read_back.as_ref()?.value.as_str();
        let line = Write::bound(rig, name.as_str(), p.name(), it.values?)?;
        let reads = rig.surely_reads(read, p.name()) && rig.may(account, read);
        let mut accounts = alone(rig, p.name());
        reads.then(|| State {
            read,
            write: name.as_str(),
            line,
            by: accounts.find(|account| rig.may(account, name.as_str())),
        })
    });
    let states = states.collect();
    let auditor = rig.surely_reads("read_audit", p.name()).then(|| {
        let mut accounts = alone(rig, p.name());
        accounts.find(|account| rig.may(account, "read_audit"))
    });
    let auditor = auditor.flatten();
    Ok(Terminal {
        bench: p.bench(),
        interface: p.name(),
        account,
        password: p.bench().password(account)?,
        right,
        told: told(rig, p.name(), right),
        states,
        auditor,
        hazards: Hazards::of(rig, p.name(), &words),
        grammar: Arc::new(ConsoleGrammar {
            words,
            log: auditor.is_some(),
        }),
        signs,
        patience: manner.patience.0,
        idle: rig.policy.session_lock.map(|it| it.0),
        refusals: rig.policy.failed_logins.unwrap_or(u32::MAX),
        interrupts: OnceLock::new(),
        quiet: manner.quiet.0,
        baud: interface.serial.baud,
        held: Mutex::new(None),
        hurried: AtomicBool::new(false),
        pace: Pace::default(),
    })
}

/// The line of an operation, and what its answer has in it, where the rig file says so.
fn told(rig: &Rig, interface: &str, operation: &str) -> Option<(String, Arc<Regex>)> {
    let Binding::Console(binding) = rig.binding(operation, interface)? else {
        return None;
    };
    let [Step::Send(line)] = binding.steps.as_slice() else {
        return None;
    };
    let Meaning { ok, answer, .. } = &binding.meaning;
    let pattern = answer.as_ref().or(ok.as_ref())?.with(&Values::new());
    Some((line.fill(&Values::new()).ok()?, pattern.ok()?))
}

fn signs(manner: &ConsoleManner) -> Option<Signs> {
    let mut expected = manner.login.iter().filter_map(|step| match step {
        Step::Expect(pattern) => Some(pattern.0.clone()),
        Step::Send(_) => None,
    });
    Some(Signs {
        prompt: manner.prompt.0.clone(),
        login: expected.next()?,
        password: expected.next(),
        locked: manner.locked.as_ref().map(|it| it.0.clone()),
    })
}

/// The accounts on a console that show a password and nothing else.
fn alone<'r>(rig: &'r Rig, interface: &'r str) -> impl Iterator<Item = &'r str> {
    let accounts = rig.accounts_on(interface);
    accounts
        .filter(|(_, account)| account.password.is_some() && account.otp.is_none())
        .map(|(name, _)| name.as_str())
}

/// Who does the least harm, and what they read: the account that may the least, and an operation whose answer can be told.
fn who_reads<'r>(rig: &'r Rig, interface: &'r str) -> Option<(&'r str, &'r str)> {
    let rights = |account: &str| {
        let role = rig
            .accounts
            .get(account)
            .and_then(|it| rig.roles.get(&it.role.value));
        role.map_or(0, |role| role.may.len())
    };
    let mut accounts: Vec<_> = alone(rig, interface).collect();
    accounts.sort_by_key(|account| rights(account));
    accounts.into_iter().find_map(|account| {
        let names = rig.operations.keys().map(|name| name.as_str());
        let reads =
            names.filter(|name| rig.surely_reads(name, interface) && rig.may(account, name));
        let mut reads: Vec<_> = reads.collect();
        // Who one is does not change by itself; a value may.
        reads.sort_by_key(|name| (*name != "whoami", told(rig, interface, name).is_none()));
        Some((account, *reads.first()?))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use slcert_profiles::file::Source as File;
    use slcert_rigs::rig::SIMULATED;

    use super::*;
    use crate::fuzz::generate::Source;
    use crate::fuzz::input::Input;

    const DEBIAN: &str = include_str!("../../../../rigs/devices/console/rig.toml");

    /// What goes out of so many inputs, and how many were held back.
    fn typed(rig: &str, count: usize) -> (Vec<Input>, usize) {
        let rig = Rig::load(&File::new("rig.toml", rig)).unwrap();
        let words = Words::of(&rig, "console");
        let hazards = Hazards::of(&rig, "console", &words);
        let grammar = ConsoleGrammar { words, log: true };
        let mut source = Source::start(Arc::new(grammar), 7).unwrap();
        let inputs = std::iter::from_fn(|| source.another()).take(count);
        let (held, out): (Vec<_>, Vec<_>) = inputs
            .map(|one| one.input)
            .partition(|input| hazards.forbid(input).is_some());
        (out, held.len())
    }

    #[test]
    fn every_kind_goes_out_and_less_than_half_is_held_back() {
        for rig in [SIMULATED, DEBIAN] {
            let (out, held) = typed(rig, 3000);
            assert!(held < 1500, "{held}");
            let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
            for input in &out {
                *kinds.entry(&input.label).or_default() += 1;
            }
            assert!(
                kinds.len() == 13 && kinds.values().all(|count| *count > 10),
                "{kinds:?}"
            );
        }
    }

    #[test]
    fn a_shell_gets_nothing_to_carry_out_but_what_its_rig_file_binds() {
        let (out, _) = typed(DEBIAN, 3000);
        let mut programs = BTreeSet::new();
        for input in out {
            let bytes = input.bytes();
            let text = String::from_utf8_lossy(&bytes);
            for line in text.split(['\r', '\n', ';', '|', '&', '(', '`']) {
                let letters = |c: char| !c.is_ascii_lowercase();
                let first = line.split(letters).find(|word| word.len() > 1);
                // An escape sequence may end in the letter before text that means nothing.
                let own = |word: &&str| !word[1..].chars().all(|c| words::NOISE.contains(c));
                programs.extend(first.filter(own).map(str::to_owned));
            }
        }
        let begins = |word: &String| {
            let known = ["cat", "echo", "exit", "tail", "whoami"];
            known
                .iter()
                .any(|program| program.starts_with(word.as_str()))
        };
        let others: Vec<_> = programs.iter().filter(|word| !begins(word)).collect();
        assert!(others.is_empty(), "{others:?}");
    }
}
