//! SAR, EDR, HDR and NDR 2.4: mobile code, and RE(1), its authenticity.

use std::time::Duration;

use slcert_rigs::Attempt;
use slcert_rigs::rig::{FileFault, InterfaceKind, Values, VendorFile};
use tokio::time::{Instant, sleep};

use crate::alter::alterations;
use crate::audit;
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::fresh;
use crate::hands::{self, Desk, Hand, hand, hands, restart};
use crate::offer::{Said, has_to_be_refused, offer, sound};
use crate::procedure::{Procedure, Stop};
use crate::ra::cr_7_7::listed;

/// The cases of these requirements.
pub const CASES: &[Case] = &[
    Case {
        id: "mobile-code",
        title: "mobile code runs for who may load it, and for nobody else",
        requirements: &["EDR 2.4", "SAR 2.4", "HDR 2.4", "NDR 2.4"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &[],
        objective: "Load mobile code and run it, as an account of every role and as nobody, and see what runs; do the same with a file that is \
                    no code, and remove the code again.",
        criterion: "It runs after who may has loaded it. After anybody else has tried, or a file that is no code was loaded, what ran before \
                    runs. Removed, it runs no more, also after a restart.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(by_role(p)) },
    },
    Case {
        id: "altered-code",
        title: "mobile code that was altered or comes from elsewhere does not run",
        requirements: &[
            "EDR 2.4 RE(1)",
            "SAR 2.4 RE(1)",
            "HDR 2.4 RE(1)",
            "NDR 2.4 RE(1)",
        ],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &[],
        objective: "Load mobile code with a bit flipped at several places and with parts missing, and the packages that the rig file says the \
                    device has to refuse, as who may load code.",
        criterion: "None of it runs, also after a restart, and what ran before goes on; a refusal is in the audit log, where the rig file says \
                    how it reads. The code as it was made is loaded and runs.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(altered(p)) },
    },
];

const LOAD: &str = "load_code";
const RUN: &str = "run_code";
const STATE: &str = "code_state";
const REMOVE: &str = "remove_code";

/// How long code may take until it is seen to run.
const START: Duration = Duration::from_secs(3);

/// Mobile code, with the version that the device tells when it runs it.
struct Package<'r> {
    version: &'r str,
    bytes: Vec<u8>,
}

/// What the trials work on.
struct Code<'r> {
    /// What ran at first.
    before: String,
    packages: Vec<Package<'r>>,
    loaders: Vec<Hand<'r>>,
    remover: Hand<'r>,
}

impl<'r> Code<'r> {
    async fn prepare(p: &Procedure<'r>, desk: &mut Desk<'r>) -> Result<Self, Stop> {
        let loaders = match (hands(p, LOAD), p.declared_absent()) {
            (Ok(loaders), _) => loaders,
            (Err(_), Some(why)) => return Err(absent(p, why).await?),
            (Err(stop), None) => return Err(stop),
        };
        let remover = hand(p, REMOVE)?;
        let before = desk.read(p, STATE).await?;
        let mut packages = Vec::new();
        for file in sound(p.rig().code.values()) {
            if let Some(version) = file.version.as_deref() {
                let bytes = p.bench().file(&file.file)?;
                packages.push(Package { version, bytes });
            }
        }
        if !packages.iter().any(|package| package.version != before) {
            return Err(Stop::not_evaluated(
                "the rig file names no sound mobile code of another version than the one that runs (`code.NAME`)",
            ));
        }
        Ok(Self {
            before,
            packages,
            loaders,
            remover,
        })
    }

    /// The packages that differ from what runs at first.
    fn others(&self) -> impl Iterator<Item = &Package<'r>> {
        let before = &self.before;
        self.packages
            .iter()
            .filter(move |package| package.version != before)
    }

    /// Loads a file, and runs what is loaded then, where that is an operation of its own.
    async fn load(
        &self,
        p: &Procedure<'r>,
        desk: &mut Desk<'r>,
        loader: Hand<'r>,
        file: &[u8],
    ) -> Result<Said, Stop> {
        let said = offer(p, desk, loader, LOAD, file).await?;
        let runner = hands(p, RUN).ok().and_then(|runners| {
            let same = runners.iter().copied().find(|runner| *runner == loader);
            same.or(runners.first().copied())
        });
        if let Some(runner) = runner {
            // Whatever it says: what runs is read back.
            desk.perform(p, runner, RUN, &Values::new()).await?;
        }
        Ok(said)
    }

    /// What runs, once that is `wanted`, or after as long as that may take.
    async fn runs(
        &self,
        p: &Procedure<'r>,
        desk: &mut Desk<'r>,
        wanted: &str,
    ) -> Result<String, Stop> {
        let deadline = Instant::now() + START;
        loop {
            let state = desk.read_after_restart(p, STATE).await?;
            if state == wanted || Instant::now() >= deadline {
                return Ok(state);
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Loads a package as who may: the positive control of the refusals.
    async fn is_taken(
        &self,
        p: &mut Procedure<'r>,
        desk: &mut Desk<'r>,
        loader: Hand<'r>,
        package: &Package<'r>,
    ) -> Result<(), Stop> {
        let said = self.load(p, desk, loader, &package.bytes).await?;
        let state = self.runs(p, desk, package.version).await?;
        if state != package.version {
            return Err(Stop::inconclusive(format!(
                "{loader} cannot load the code as it was made: {} runs; the device said: {}",
                slcert_reports::excerpt(&state, 60),
                slcert_reports::excerpt(said.words(), 200)
            )));
        }
        p.check(
            format!("the code as it was made, loaded by {loader}"),
            format!("{} runs", package.version),
            format!("{state} runs; the device said: {}", said.words()),
            true,
        );
        Ok(())
    }

    /// Sees to it that what ran at first runs.
    async fn put_back(&self, p: &Procedure<'r>, desk: &mut Desk<'r>) -> Result<(), Stop> {
        if desk.read_after_restart(p, STATE).await? == self.before {
            return Ok(());
        }
        let own = self
            .packages
            .iter()
            .find(|package| package.version == self.before);
        match (own, self.loaders.first()) {
            (Some(package), Some(&loader)) => {
                self.load(p, desk, loader, &package.bytes).await?;
            }
            _ => {
                desk.perform(p, self.remover, REMOVE, &Values::new())
                    .await?;
            }
        }
        let state = self.runs(p, desk, &self.before).await?;
        if state == self.before {
            return Ok(());
        }
        Err(Stop::inconclusive(format!(
            "what ran before could not be put back: {} runs, where it was {}",
            slcert_reports::excerpt(&state, 60),
            slcert_reports::excerpt(&self.before, 60)
        )))
    }
}

/// Whether a claim that there is no mobile code holds where it can be probed: what consoles list in their help.
async fn absent(p: &Procedure<'_>, why: &str) -> Result<Stop, Stop> {
    const SUSPECT: [&str; 11] = [
        "code", "eval", "exec", "java", "logic", "lua", "perl", "program", "python", "run",
        "script",
    ];
    let mut probed = Vec::new();
    for (name, interface) in &p.rig().interfaces {
        let name = name.as_str();
        let Some(help) = interface.offers.help.as_deref() else {
            continue;
        };
        let found = listed(p, name, help).await?;
        if found.is_empty() {
            continue;
        }
        let suspect = found
            .iter()
            .find(|word| SUSPECT.contains(&word.to_lowercase().as_str()));
        if let Some(word) = suspect {
            return Ok(Stop::review(format!(
                "declared absent: {why}; and `{name}` lists the command `{}`: a person has to say whether it runs mobile code",
                slcert_reports::excerpt(word, 40)
            )));
        }
        probed.push(format!("`{name}` lists no command for it"));
    }
    Ok(if probed.is_empty() {
        Stop::not_evaluated(format!(
            "declared absent: {why}; and nothing of this rig can be asked whether that is so (`offers.help`)"
        ))
    } else {
        Stop::not_applicable(format!("declared absent: {why}; {}", probed.join(", ")))
    })
}

/// Who may not perform an operation on an interface that does not leave it open to anyone: accounts, one a role.
fn outsiders<'r>(p: &Procedure<'r>, operation: &str) -> Vec<Hand<'r>> {
    let is_open = |name| {
        let interface = p.rig().interface(name);
        interface.is_some_and(|interface| interface.is_open(operation))
    };
    hands::outsiders(p, operation)
        .into_iter()
        .filter(|hand| !hand.interface().is_some_and(is_open))
        .collect()
}

/// Nobody, on each interface where something can be asked for without a login and is not open to anyone.
fn strangers<'r>(p: &Procedure<'r>, operation: &str) -> Vec<Hand<'r>> {
    let rig = p.rig();
    let asked = rig.interfaces.iter().filter(|(name, interface)| {
        // Who has not logged in at a console is CR 1.1's matter.
        interface.kind != InterfaceKind::Console
            && rig.binding(operation, name.as_str()).is_some()
            && !interface.is_open(operation)
    });
    asked
        .map(|(name, _)| Hand::Anyone {
            interface: name.as_str(),
        })
        .collect()
}

async fn by_role(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let mut desk = Desk::default();
    let code = Code::prepare(p, &mut desk).await?;
    let tried = try_roles(p, &mut desk, &code).await;
    let back = code.put_back(p, &mut desk).await;
    desk.close().await;
    tried.and(back)
}

async fn try_roles<'r>(
    p: &mut Procedure<'r>,
    desk: &mut Desk<'r>,
    code: &Code<'r>,
) -> Result<(), Stop> {
    let Some(package) = code.others().next() else {
        return Err(Stop::inconclusive("there is no code to load"));
    };
    for outsider in strangers(p, LOAD).into_iter().chain(outsiders(p, LOAD)) {
        let values = p.bench().place(&package.bytes)?;
        let mut said = match outsider {
            // Nobody may well not be let in; an account that is not let in has not tried.
            Hand::Anyone { .. } => offer(p, desk, outsider, LOAD, &package.bytes).await?,
            _ => said(desk.perform(p, outsider, LOAD, &values).await?),
        };
        let runs = p
            .rig()
            .binding(RUN, outsider.interface().unwrap_or_default());
        if runs.is_some() && matches!(outsider, Hand::Account { .. }) {
            let ran = desk.perform(p, outsider, RUN, &Values::new()).await?;
            if let (Attempt::Done(answer), false) = (ran, said.is_done()) {
                said = Said::Done(answer.text);
            }
        }
        let state = desk.read(p, STATE).await?;
        let name = format!("code that {outsider}, who may not, has loaded");
        if has_to_be_refused(p, &name, &said, &code.before, &state) {
            code.put_back(p, desk).await?;
        }
    }
    for &loader in &code.loaders {
        code.is_taken(p, desk, loader, package).await?;
        for outsider in outsiders(p, REMOVE) {
            let said = said(desk.perform(p, outsider, REMOVE, &Values::new()).await?);
            let state = desk.read(p, STATE).await?;
            let name = format!("the code, when {outsider}, who may not, removes it");
            if has_to_be_refused(p, &name, &said, package.version, &state) {
                code.load(p, desk, loader, &package.bytes).await?;
            }
        }
        let nothing = format!("{} is no code\n", fresh::tag());
        let said = code.load(p, desk, loader, nothing.as_bytes()).await?;
        let state = desk.read_after_restart(p, STATE).await?;
        let name = format!("a file that is no code, loaded by {loader}");
        has_to_be_refused(p, &name, &said, package.version, &state);
        removed(p, desk, code).await?;
    }
    Ok(())
}

/// Removes what runs, and sees that it does not come back.
async fn removed<'r>(
    p: &mut Procedure<'r>,
    desk: &mut Desk<'r>,
    code: &Code<'r>,
) -> Result<(), Stop> {
    desk.must(p, code.remover, REMOVE, &Values::new()).await?;
    let gone = |state: &str| code.others().all(|package| package.version != state);
    let state = code.runs(p, desk, &code.before).await?;
    let name = format!("the code, after {} has removed it", code.remover);
    p.check(name, "does not run", format!("{state} runs"), gone(&state));
    if p.bench().can_power_cycle() {
        restart(p, desk).await?;
        let state = code.runs(p, desk, &code.before).await?;
        let name = "the removed code, after a restart";
        p.check(name, "does not run", format!("{state} runs"), gone(&state));
    }
    code.put_back(p, desk).await
}

fn said(attempt: Attempt) -> Said {
    match attempt {
        Attempt::Done(answer) => Said::Done(answer.text),
        other => Said::Else(other.answer().text.clone()),
    }
}

async fn altered(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let mut desk = Desk::default();
    let code = Code::prepare(p, &mut desk).await?;
    let mut tried = Ok(());
    for &loader in &code.loaders {
        tried = try_altered(p, &mut desk, &code, loader).await;
        if tried.is_err() {
            break;
        }
    }
    let back = code.put_back(p, &mut desk).await;
    desk.close().await;
    tried.and(back)
}

async fn try_altered<'r>(
    p: &mut Procedure<'r>,
    desk: &mut Desk<'r>,
    code: &Code<'r>,
    loader: Hand<'r>,
) -> Result<(), Stop> {
    let others: Vec<_> = code.others().collect();
    let Some(&target) = others.last() else {
        return Err(Stop::inconclusive("there is no code to load"));
    };
    // What goes on while the altered code is refused: the vendor's other package, where there is one.
    let runs = match others.first() {
        Some(first) if first.version != target.version => {
            code.is_taken(p, desk, loader, first).await?;
            first.version
        }
        _ => code.before.as_str(),
    };
    let mut bad: Vec<(String, Vec<u8>)> = alterations(&target.bytes)
        .into_iter()
        .map(|one| (format!("code with {}", one.how), one.bytes))
        .collect();
    let altered = bad.len();
    let mut foreign = false;
    let faulty = |file: &'r VendorFile| file.fault.map(|fault| (file, fault));
    for (file, fault) in p.rig().code.values().filter_map(faulty) {
        foreign |= matches!(fault, FileFault::ForeignSignature | FileFault::Unsigned);
        let bytes = p.bench().file(&file.file)?;
        bad.push((format!("code that is {}", fault.words()), bytes));
    }
    for (at, (name, bytes)) in bad.iter().enumerate() {
        let name = format!("{name}, by {loader}");
        // One of each kind is looked for in the audit log.
        let logged = at == 0 || at >= altered;
        let before = if logged { log(p, desk).await? } else { None };
        let said = code.load(p, desk, loader, bytes).await?;
        let state = desk.read_after_restart(p, STATE).await?;
        if has_to_be_refused(p, &name, &said, runs, &state) {
            code.put_back(p, desk).await?;
            if runs != code.before {
                code.is_taken(p, desk, loader, others[0]).await?;
            }
        } else if let Some(before) = before {
            let new = audit::new_entries(&before, log(p, desk).await?.unwrap_or_default());
            let pattern = p.rig().audit.as_ref().and_then(|it| it.integrity.as_ref());
            let told = new
                .iter()
                .find(|entry| pattern.is_some_and(|pattern| pattern.is_match(&entry.text)));
            let words = told.map_or_else(|| audit::words(&new), |entry| entry.text.clone());
            p.check(
                format!("the audit log, after {name}"),
                "an entry that tells of it",
                words,
                told.is_some(),
            );
        }
    }
    if p.bench().can_power_cycle() {
        restart(p, desk).await?;
        let state = code.runs(p, desk, runs).await?;
        let sound = state == runs || state == code.before;
        let name = format!("what runs after a restart, after all these by {loader}");
        let expected = format!("{runs}, or {}", code.before);
        p.check(name, expected, format!("{state} runs"), sound);
    }
    code.is_taken(p, desk, loader, target).await?;
    code.put_back(p, desk).await?;
    if foreign {
        return Ok(());
    }
    Err(Stop::not_evaluated(
        "the rig file names no mobile code that is unsigned or signed by somebody else (`code.NAME.fault`)",
    ))
}

/// The audit log, where it can be read and the rig file says how it tells of what was altered.
async fn log<'r>(
    p: &Procedure<'r>,
    desk: &mut Desk<'r>,
) -> Result<Option<Vec<audit::AuditEntry>>, Stop> {
    let told = p
        .rig()
        .audit
        .as_ref()
        .is_some_and(|it| it.integrity.is_some());
    if !told || hand(p, "read_audit").is_err() {
        return Ok(None);
    }
    desk.close().await;
    audit::read(p).await.map(Some)
}
