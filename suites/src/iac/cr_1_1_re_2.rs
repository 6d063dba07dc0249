//! CR 1.1 RE(2): multifactor authentication of people.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use regex::Regex;
use slcert_rigs::Secret;
use slcert_rigs::bench::{Entry, Who};
use slcert_rigs::otp::Otp;
use slcert_rigs::rig::{Binding, Rig, Step, User, Values};

use crate::case::{Case, Fits, Kind, Run, Scope, Svv, Wait};
use crate::fresh;
use crate::hands::{Desk, restart};
use crate::procedure::{Procedure, Stop};
use crate::second_factor::Switch;
use crate::session::{acts, deed};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "second-factor",
    title: "one factor alone opens nothing",
    requirements: &["CR 1.1 RE(2)"],
    kind: Kind::Conformance,
    scope: Scope::Each(Fits::PASSWORD),
    needs: &[],
    objective: "Find out, on every interface that a person's account can be used on, whether anything can be done with one factor, or with a \
                second one that does not count.",
    criterion: "With the right password and the right code the account's session works. Nothing can be done with the password alone, a wrong \
                code, a command in its place, a code that was used (at once, and after a newer one) or whose time is over, or the right code and a wrong password; and with the \
                password alone after a restart. The account works in between: it was not locked.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(second_factor(p)) },
}];

/// What they wait for.
pub const WAITS: &[Wait] = &[Wait {
    case: "second-factor",
    requirement: "CR 1.1 RE(2)",
    time: |rig| longest(rig).unwrap_or_default(),
}];

/// How often a code that was used is tried again, until both attempts are within its time.
const TRIES: u32 = 3;
/// How many codes later than the last one that the device takes a code counts as old.
const BEYOND: u64 = 2;
/// About how many codes are used in a trial.
const USED: u32 = 8;

fn longest(rig: &Rig) -> Option<Duration> {
    let times = rig.accounts.values().filter_map(|it| it.otp.as_ref());
    times
        .map(|otp| otp.period.0 * (USED + u32::from(otp.window) + BEYOND as u32))
        .max()
}

async fn second_factor(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let here = p.name();
    let rig = p.rig();
    let mut bearers = rig.accounts_on(here).filter(|(_, it)| it.otp.is_some());
    let Some((account, _)) = bearers.next() else {
        return Err(if p.interface()?.used_by(User::Human) {
            Stop::not_evaluated(format!(
                "the rig file gives no account on `{here}` a second factor (`account.NAME.otp`)"
            ))
        } else {
            Stop::not_applicable(format!(
                "no person uses `{here}`, by the users and accounts of the rig file"
            ))
        });
    };
    let account = account.as_str();
    let switch = Switch::find(p, account)?;
    let mut bearer = Bearer::of(p, account)?;
    let mut desk = Desk::default();
    if let Some(switch) = &switch {
        switch.turn(p, &mut desk, true).await?;
    }
    let tried = try_all(p, &mut desk, &mut bearer).await;
    if let Some(switch) = &switch {
        switch.turn(p, &mut desk, false).await?;
        let (works, words) = bearer.works(p, &bearer.password, "").await?;
        if !works && tried.is_ok() {
            return Err(Stop::inconclusive(format!(
                "the second factor of `{account}` could not be waived again: {words}"
            )));
        }
    }
    tried
}

async fn try_all<'r>(
    p: &mut Procedure<'r>,
    desk: &mut Desk<'r>,
    bearer: &mut Bearer<'r>,
) -> Result<(), Stop> {
    let here = p.name();
    let password = bearer.password.clone();
    if !p.interface()?.takes_code() {
        let (works, words) = bearer.works(p, &password, "").await?;
        p.check("the password alone", NOTHING, words, !works);
        return Err(Stop::not_evaluated(format!(
            "the login of `{here}` has no place for a code in the rig file (`{{otp}}`): that it is what the device wants was not seen"
        )));
    }
    bearer
        .in_vain(p, "the password alone", &password, "")
        .await?;
    let words = bearer.control(p).await?;
    p.check(
        "the right password and the right code",
        "works",
        words,
        true,
    );
    bearer.used_again(p).await?;
    let wrong = bearer.wrong_code(p)?;
    bearer.in_vain(p, "a wrong code", &password, &wrong).await?;
    let other = Secret::new(fresh::strong_password());
    let code = p.waiting(p.bench().fresh_code(bearer.account)).await?;
    let said = bearer
        .in_vain(p, "the right code and a wrong password", &other, &code)
        .await?;
    if let Some(asks) = asks(p) {
        let asked = said.lines().any(|line| asks.is_match(line));
        let words = if asked { "yes" } else { "no" };
        p.check(
            "asked for the code after a wrong password (for information)",
            "recorded",
            words,
            true,
        );
    }
    if let Some((command, answer)) = a_command(p) {
        let said = bearer
            .in_vain(p, "a command in place of the code", &password, &command)
            .await?;
        let answered = answer.is_match(&said);
        p.check("its answer", "none", said, !answered);
    }
    bearer.settle(p).await?;
    let old = bearer.sit_out(p).await?;
    bearer
        .in_vain(p, "a code whose time is over", &password, &old)
        .await?;
    if p.bench().can_power_cycle() {
        bearer.settle(p).await?;
        restart(p, desk).await?;
        bearer
            .in_vain(p, "the password alone, after a restart", &password, "")
            .await?;
    }
    bearer.settle(p).await
}

const NOTHING: &str = "nothing can be done";

/// A person with two factors.
struct Bearer<'r> {
    account: &'r str,
    user: String,
    password: Secret,
    otp: &'r Otp,
    /// What shows that a session works.
    deed: Option<&'r str>,
    /// Logins in vain since one that worked.
    failures: u32,
    /// How many of them do not lock the account.
    spare: u32,
    /// The step of the last code that was taken, at the latest.
    last: u64,
}

impl<'r> Bearer<'r> {
    fn of(p: &Procedure<'r>, account: &'r str) -> Result<Self, Stop> {
        let limit = p.rig().policy.failed_logins.unwrap_or(2);
        Ok(Self {
            account,
            user: p.bench().user(account).to_owned(),
            password: p.bench().password(account)?,
            otp: p.bench().otp(account)?,
            deed: deed(p, p.name(), account),
            failures: 0,
            spare: limit.saturating_sub(1).max(1),
            last: 0,
        })
    }

    /// Whether something can be done with a password and a code, and in what words.
    async fn works(
        &self,
        p: &Procedure<'r>,
        password: &Secret,
        code: &str,
    ) -> Result<(bool, String), Stop> {
        let who = Who::Factors {
            user: &self.user,
            password,
            code,
        };
        let mut session = match p.enter(&who).await? {
            Entry::Refused(answer) => return Ok((false, format!("refused: {}", answer.text))),
            Entry::In(session) => session,
        };
        let acted = match self.deed {
            Some(deed) => acts(p, &mut session, deed).await,
            None => Ok((true, "let in".to_owned())),
        };
        session.close().await;
        acted
    }

    /// Sees both factors work.
    async fn control(&mut self, p: &Procedure<'r>) -> Result<String, Stop> {
        let code = p.waiting(p.bench().fresh_code(self.account)).await?;
        let (works, words) = self.works(p, &self.password, &code).await?;
        self.last = self.otp.step(SystemTime::now());
        self.failures = 0;
        if works {
            return Ok(words);
        }
        Err(Stop::inconclusive(format!(
            "with the right password and the right code `{}` can do nothing (are the device's clock, and `account.{}.otp`, right?): {words}",
            self.account, self.account
        )))
    }

    /// Sees both factors work, where a login in vain came last: the account was not locked.
    async fn settle(&mut self, p: &Procedure<'r>) -> Result<(), Stop> {
        if self.failures > 0 {
            self.control(p).await?;
        }
        Ok(())
    }

    /// Tries what must come to nothing; what the device said.
    async fn in_vain(
        &mut self,
        p: &mut Procedure<'r>,
        what: &str,
        password: &Secret,
        code: &str,
    ) -> Result<String, Stop> {
        if self.failures >= self.spare {
            self.control(p).await?;
        }
        let (works, words) = self.works(p, password, code).await?;
        self.failures += 1;
        p.check(what, NOTHING, &words, !works);
        Ok(words)
    }

    /// Tries a code again that has opened a session, while its time lasts: at once, and after a newer one.
    async fn used_again(&mut self, p: &mut Procedure<'r>) -> Result<(), Stop> {
        const AT_ONCE: &str = "a code that was used before, within its time";
        const LATER: &str = "the same after a newer one, while the device takes both";
        for _ in 0..TRIES {
            let code = p.waiting(p.bench().fresh_code(self.account)).await?;
            let step = self.otp.step(SystemTime::now());
            let (works, words) = self.works(p, &self.password, &code).await?;
            if !works {
                return Err(Stop::inconclusive(format!(
                    "with the right password and the right code `{}` can do nothing: {words}",
                    self.account
                )));
            }
            let at_once = self.works(p, &self.password, &code).await?;
            let in_time = self.otp.step(SystemTime::now()) == step;
            self.control(p).await?;
            let later = self.works(p, &self.password, &code).await?;
            self.failures = 1;
            let now = self.otp.step(SystemTime::now());
            let in_window = now <= step + u64::from(self.otp.window);
            self.settle(p).await?;
            // One that is refused after its time says nothing.
            let told = (at_once.0 || in_time) && (later.0 || in_window || self.otp.window == 0);
            if told {
                p.check(AT_ONCE, NOTHING, at_once.1, !at_once.0);
                if later.0 || in_window {
                    p.check(LATER, NOTHING, later.1, !later.0);
                }
                return Ok(());
            }
        }
        p.cannot_tell(
            AT_ONCE,
            NOTHING,
            "the logins took longer than the device takes a code, each time",
        );
        Ok(())
    }

    /// A code that is none of those near the present one.
    fn wrong_code(&self, p: &Procedure<'r>) -> Result<String, Stop> {
        let now = self.otp.step(SystemTime::now());
        let near = u64::from(self.otp.window) + 5;
        let mut right = Vec::new();
        for step in now.saturating_sub(near)..=now + near {
            right.push(p.bench().code(self.account, step)?);
        }
        let digits = usize::from(self.otp.digits);
        loop {
            let number = fresh::below(10_u64.pow(u32::from(self.otp.digits)));
            let code = format!("{number:0digits$}");
            if !right.contains(&code) {
                return Ok(code);
            }
        }
    }

    /// Waits until a code that nobody has used, and that is newer than the last one taken, is out of its time.
    async fn sit_out(&self, p: &Procedure<'r>) -> Result<String, Stop> {
        let old = self.last + 1;
        let over = old + u64::from(self.otp.window) + BEYOND;
        let left = self.otp.until(over, SystemTime::now());
        p.wait(left).await;
        Ok(p.bench().code(self.account, old)?)
    }
}

/// What the console shows when it asks for the code.
fn asks(p: &Procedure<'_>) -> Option<Arc<Regex>> {
    let manner = p.interface().ok()?.console.as_ref()?;
    match manner.second_factor.first()? {
        Step::Expect(pattern) => Some(pattern.0.clone()),
        Step::Send(_) => None,
    }
}

/// A command of the console that reads, and what its answer looks like.
fn a_command(p: &Procedure<'_>) -> Option<(String, Arc<Regex>)> {
    let (rig, here) = (p.rig(), p.name());
    rig.operations.keys().find_map(|name| {
        let operation = name.as_str();
        if !rig.only_reads(operation, here) || p.interface().ok()?.is_open(operation) {
            return None;
        }
        match rig.binding(operation, here)? {
            Binding::Console(console) => match &console.steps[..] {
                [Step::Send(command)] => {
                    let answer = console.meaning.answer.as_ref()?;
                    Some((command.to_string(), answer.with(&Values::new()).ok()?))
                }
                _ => None,
            },
            _ => None,
        }
    })
}
