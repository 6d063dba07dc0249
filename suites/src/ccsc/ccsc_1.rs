//! CCSC 1: support of essential functions. The runner watches them in every trial, and a trial under which one goes bad
//! breaks this constraint as well; here they are measured through the security events that might stop control.

use std::time::Duration;

use slcert_reports::Verdict;
use slcert_rigs::bench::{Entry, Who};
use slcert_rigs::rig::{InterfaceKind, Values};
use slcert_rigs::tls::pki::Fault;

use crate::alter::alterations;
use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::hands::{Desk, hand};
use crate::offer::{offer, sound};
use crate::password::fail;
use crate::procedure::{Procedure, Stop};
use crate::provoke::Provoker;
use crate::rights::{all_by_whoever_may, by_whoever_may};
use crate::session::watches;
use crate::strain;
use crate::uc::cr_2_9::Capacity;

/// The cases of this constraint.
pub const CASES: &[Case] = &[Case {
    id: "security-events",
    title: "control goes on through the events of security",
    requirements: &["CCSC 1"],
    kind: Kind::Conformance,
    scope: Scope::Device,
    needs: &[],
    objective: "Lock an account, show a wrong certificate, change the policy, end a session, fill the audit log and make its storage fail, \
                offer an altered update, and make a backup, and measure the essential functions meanwhile.",
    criterion: "Through each of these, every essential function is right as often as the rig file says. Where the rig cannot bring one about, it \
                stays open.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(security_events(p)) },
}];

/// The longest lockout that is waited for where nobody can end it.
const LOCKOUT: Duration = Duration::from_secs(30);
/// Events beyond what a full log keeps, and events while its storage fails.
const MORE: u32 = 5;

/// The events, in the order in which they are brought about.
const EVENTS: [(&str, Event); 8] = [
    ("an account is locked", Event::Lockout),
    ("a wrong certificate is shown", Event::Certificate),
    ("the policy is changed", Event::Policy),
    ("a session is ended", Event::Session),
    ("the audit log is full", Event::LogFull),
    ("the audit log cannot be written", Event::LogFails),
    ("an altered update is offered", Event::Update),
    ("a backup is made", Event::Backup),
];

#[derive(Clone, Copy)]
enum Event {
    Lockout,
    Certificate,
    Policy,
    Session,
    LogFull,
    LogFails,
    Update,
    Backup,
}

async fn security_events(p: &mut Procedure<'_>) -> Result<(), Stop> {
    strain::needs_essential(p)?;
    let mut left_out = Vec::new();
    let mut brought = 0;
    for (what, event) in EVENTS {
        strain::begin(p);
        let came = match event {
            Event::Lockout => lockout(p).await,
            Event::Certificate => certificate(p).await,
            Event::Policy => policy(p).await,
            Event::Session => session(p).await,
            Event::LogFull => log_full(p).await,
            Event::LogFails => log_fails(p).await,
            Event::Update => update(p).await,
            Event::Backup => backup(p).await,
        };
        match came {
            Ok(words) => {
                brought += 1;
                strain::judge(p, &format!("while {what}"), &words).await;
            }
            Err(stop) if stop.verdict == Verdict::NotEvaluated => {
                left_out.push(format!("{what} ({})", stop.reason));
            }
            Err(stop) => p.cannot_tell(
                format!("the essential functions, while {what}"),
                "the event is brought about",
                stop.reason,
            ),
        }
    }
    if left_out.is_empty() {
        return Ok(());
    }
    Err(lacks(&format!(
        "this rig can bring about {brought} of {} events of security, and not: {}",
        EVENTS.len(),
        left_out.join("; ")
    )))
}

fn lacks(what: &str) -> Stop {
    Stop::not_evaluated(what)
}

/// Fails to log in until an account is locked, and unlocks it.
async fn lockout(p: &Procedure<'_>) -> Result<String, Stop> {
    let rig = p.rig();
    let limit = rig.policy.failed_logins;
    let limit = limit.ok_or_else(|| lacks("no limit of failed logins is stated"))?;
    let unlocked = p.anywhere("unlock_account").ok();
    let period = rig.policy.lockout.filter(|period| period.0 <= LOCKOUT);
    if unlocked.is_none() && period.is_none() {
        return Err(lacks("nobody can unlock an account again"));
    }
    let password = [InterfaceKind::Console, InterfaceKind::Mqtt];
    let found = rig.interfaces.iter().find_map(|(name, interface)| {
        let fits = |account: &str| {
            !watches(rig, account) && unlocked.is_none_or(|(_, unlocker)| unlocker != account)
        };
        let (account, _) = rig
            .accounts_on(name.as_str())
            .find(|(account, it)| it.password.is_some() && fits(account.as_str()))?;
        password
            .contains(&interface.kind)
            .then_some((name.as_str(), account.as_str()))
    });
    let (interface, account) = found.ok_or_else(|| lacks("no account can be locked"))?;
    let user = p.bench().user(account).to_owned();
    for _ in 0..limit {
        fail(p, interface, &user).await?;
    }
    let locked = match p.bench().enter(interface, &Who::Account(account)).await? {
        Entry::In(session) => {
            session.close().await;
            false
        }
        Entry::Refused(_) => true,
    };
    match unlocked {
        Some(_) => {
            let values = Values::from([("name".to_owned(), user)]);
            by_whoever_may(p, "unlock_account", &values).await?;
        }
        None => p.wait(period.map_or(LOCKOUT, |period| period.0)).await,
    }
    if locked {
        return Ok(format!(
            "`{account}` on `{interface}` was locked, and unlocked"
        ));
    }
    Err(Stop::inconclusive(format!(
        "`{account}` on `{interface}` is let in after {limit} failures: see CR 1.11"
    )))
}

/// Shows certificates that the device has to refuse.
async fn certificate(p: &Procedure<'_>) -> Result<String, Stop> {
    let rig = p.rig();
    let found = rig.interfaces.iter().find(|(_, interface)| {
        interface
            .tls
            .as_ref()
            .is_some_and(|tls| tls.client_certificate)
    });
    let (name, _) = found.ok_or_else(|| lacks("no client shows a certificate"))?;
    let name = name.as_str();
    let mut faults = vec![Fault::SelfSigned];
    if p.bench().has_issuer(name) {
        faults.push(Fault::Expired);
    }
    let mut words = Vec::new();
    for fault in faults {
        let identity = p.bench().faulty_identity(name, fault)?;
        let came = match p.bench().enter(name, &Who::Certificate(&identity)).await? {
            Entry::In(session) => {
                session.close().await;
                "let in: see CR 1.9"
            }
            Entry::Refused(_) => "refused",
        };
        words.push(format!("{} on `{name}`: {came}", fault.words()));
    }
    Ok(words.join(", "))
}

/// Sets a rule of the policy to what it is.
async fn policy(p: &Procedure<'_>) -> Result<String, Stop> {
    let stated = &p.rig().policy;
    let settings = [
        ("set_failed_logins", stated.failed_logins.map(u64::from)),
        (
            "set_session_lock",
            stated.session_lock.map(|period| period.0.as_secs()),
        ),
        (
            "set_password_length",
            stated.password.map(|rules| u64::from(rules.length)),
        ),
    ];
    for (operation, value) in settings {
        if let (Some(value), Ok(_)) = (value, p.anywhere(operation)) {
            let values = Values::from([("value".to_owned(), value.to_string())]);
            by_whoever_may(p, operation, &values).await?;
            return Ok(format!("`{operation}` to {value}"));
        }
    }
    Err(lacks("no rule of the policy can be set"))
}

/// Ends somebody's session.
async fn session(p: &Procedure<'_>) -> Result<String, Stop> {
    let rig = p.rig();
    let (desk, administrator) = p.anywhere("list_sessions")?;
    p.anywhere("end_session")?;
    let found = rig.interfaces.iter().find_map(|(name, interface)| {
        let (account, _) = rig
            .accounts_on(name.as_str())
            .find(|(account, _)| !watches(rig, account.as_str()))?;
        let apart = name.as_str() != desk && interface.has_identity();
        apart.then_some((name.as_str(), account.as_str()))
    });
    let (interface, account) = found.ok_or_else(|| lacks("no session can be ended"))?;
    let open = p.bench().login(interface, account).await?;
    let ended = async {
        let mut session = p.bench().login(desk, administrator).await?;
        let mut values = Values::from([("name".to_owned(), p.bench().user(account).to_owned())]);
        let listed = session.perform("list_sessions", &values).await;
        session.close().await;
        let number = listed?.answer().value.clone();
        let number = number.ok_or_else(|| {
            Stop::inconclusive(format!(
                "the session of `{account}` is not listed: see CR 2.6"
            ))
        })?;
        values.insert("session".to_owned(), number);
        by_whoever_may(p, "end_session", &values).await
    }
    .await;
    open.abandon().await;
    ended?;
    Ok(format!(
        "the session of `{account}` on `{interface}` was ended"
    ))
}

/// Fills the audit log, where that takes little time.
async fn log_full(p: &mut Procedure<'_>) -> Result<String, Stop> {
    let capacity = Capacity::of(p, 0)?;
    let Some(setting) = capacity.operation() else {
        return Err(lacks("the log is too large to be filled"));
    };
    let mut provoker = Provoker::find(p).await?;
    let tried = async {
        all_by_whoever_may(p, &[setting]).await?;
        provoker.events(p, capacity.entries + MORE).await
    }
    .await;
    let back = all_by_whoever_may(p, &capacity.restoring()).await;
    let done = provoker.end(p, tried).await?;
    back?;
    Ok(format!("{done} events, with room for {}", capacity.entries))
}

/// Makes the log's storage fail for some events.
async fn log_fails(p: &mut Procedure<'_>) -> Result<String, Stop> {
    for operation in ["break_audit", "mend_audit"] {
        if p.rig().bench_command(operation).is_none() {
            return Err(lacks("the log's storage cannot be made to fail"));
        }
    }
    let mut provoker = Provoker::find(p).await?;
    let broken = p.bench().run("break_audit", &Values::new()).await?;
    let tried = provoker.events(p, MORE).await;
    let mended = p.bench().run("mend_audit", &Values::new()).await?;
    let done = provoker.end(p, tried).await?;
    if !broken.is_done() || !mended.is_done() {
        return Err(Stop::inconclusive(
            "the bench could not break and mend the log's storage",
        ));
    }
    Ok(format!("{done} events meanwhile"))
}

/// Offers an altered image.
async fn update(p: &Procedure<'_>) -> Result<String, Stop> {
    let installer = hand(p, "install_update")?;
    let Some(image) = sound(p.rig().images.values()).next() else {
        return Err(lacks("the rig file names no image"));
    };
    let altered = alterations(&p.bench().file(&image.file)?);
    let Some(altered) = altered.first() else {
        return Err(lacks("the image cannot be altered"));
    };
    let mut desk = Desk::default();
    let said = offer(p, &mut desk, installer, "install_update", &altered.bytes).await;
    desk.close().await;
    let said = said?;
    if said.is_done() {
        return Err(Stop::inconclusive(
            "an altered image is taken: see EDR 3.10 RE(1)",
        ));
    }
    Ok(format!("the device said: {}", said.words().trim()))
}

/// Makes a backup.
async fn backup(p: &Procedure<'_>) -> Result<String, Stop> {
    let hand = hand(p, "backup")?;
    let mut desk = Desk::default();
    let file = p.bench().empty_file()?.display().to_string();
    let values = Values::from([("file".to_owned(), file.clone())]);
    let made = desk.must(p, hand, "backup", &values).await;
    desk.close().await;
    let _ = std::fs::remove_file(&file);
    made?;
    Ok(format!("made by {hand}"))
}
