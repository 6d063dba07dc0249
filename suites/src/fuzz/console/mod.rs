//! A console: what is typed in a session and before a login.

mod dialogue;
mod grammar;
mod hazard;
mod keys;
mod oracles;
mod terminal;
mod words;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use regex::Regex;
use slcert_rigs::rig::{Binding, ConsoleManner, Meaning, Rig, Step, Values};
use tokio::sync::Mutex;

use crate::fuzz::pace::Pace;
use crate::procedure::{Procedure, Stop};
use grammar::ConsoleGrammar;
use hazard::Hazards;
pub use terminal::Terminal;
use terminal::{Signs, State};
use words::Words;

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
        let written = rig.binding(name.as_str(), p.name()).is_some() && it.values.is_some();
        let reads = rig.surely_reads(read, p.name()) && rig.may(account, read);
        let mut accounts = alone(rig, p.name());
        (written && reads).then(|| State {
            read,
            write: name.as_str(),
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
        password: Some(p.bench().password(account)?),
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
        quiet: manner.quiet.0,
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
