//! CR 7.2: resource management.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::try_join_all;
use slcert_rigs::Secret;
use slcert_rigs::bench::{BenchError, Entry, Who};
use slcert_rigs::rig::{InterfaceKind, Values};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::fresh;
use crate::procedure::{Procedure, Stop};
use crate::provoke::Provoker;
use crate::session::watches;
use crate::strain;

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "flood",
        title: "control goes on and users are served through a flood",
        requirements: &["CR 7.2"],
        kind: Kind::Conformance,
        scope: Scope::Each(Fits {
            kinds: &[
                InterfaceKind::Console,
                InterfaceKind::ModbusTcp,
                InterfaceKind::ModbusTls,
                InterfaceKind::Mqtt,
            ],
            ..Fits::ALL
        }),
        needs: &[],
        objective: "Open and close connections, begin TLS sessions and fail to log in, all at once and each at the rate that the rig file declares (`load`), and \
                    measure the essential functions meanwhile.",
        criterion: "The essential functions are right as often as the rig file says, a legal user on another interface is served meanwhile, and \
                    one on this interface after it. The device may refuse and slow down what floods it.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(flood(p)) },
    },
    Case {
        id: "events",
        title: "control goes on while the audit log is flooded",
        requirements: &["CR 7.2"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &[],
        objective: "Do what leaves entries in the audit log as fast as one session can, and measure the essential functions meanwhile.",
        criterion: "The essential functions are right as often as the rig file says, and the device goes on doing what it is asked.",
        svv: Svv::ThreatMitigation,
        body: |p| -> Run<'_> { Box::pin(events(p)) },
    },
];

/// How long a legal user may take to be served, and how long the device may take until one is after a flood.
const SERVED: Duration = Duration::from_secs(10);
/// How late the bench may wake up on average before its rate is its own fault.
const LATE: Duration = Duration::from_millis(25);
/// The part of a rate that has to be reached.
const REACHED: f64 = 0.9;
/// How many connections, handshakes or logins are on their way at once.
const AT_ONCE: u32 = 8;

/// What floods the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Connections,
    Handshakes,
    Logins,
}

impl What {
    fn words(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Handshakes => "TLS handshakes",
            Self::Logins => "failed logins",
        }
    }
}

async fn flood(p: &mut Procedure<'_>) -> Result<(), Stop> {
    strain::needs_essential(p)?;
    let here = p.name();
    served(p, here).await.map_err(|why| {
        Stop::inconclusive(format!(
            "a legal user is not served before the flood: {why}"
        ))
    })?;
    let floods = floods(p)?;
    let period = p.rig().load.period.0;
    strain::begin(p);
    let other = bystander(p);
    let over = AtomicBool::new(false);
    let reader = &*p;
    let (ended, late, meanwhile) = tokio::join!(
        async {
            let ended = try_join_all(floods.iter().map(|flood| flood.run(reader))).await;
            over.store(true, Ordering::Relaxed);
            ended
        },
        lateness(&over),
        async {
            sleep(period / 2).await;
            match other {
                Some(name) => Some((name, served(reader, name).await)),
                None => None,
            }
        },
    );
    ended?;
    let words: Vec<_> = floods.iter().map(Flood::words).collect();
    strain::judge(
        p,
        &format!("through the flood on `{here}`"),
        &words.join(", "),
    )
    .await;
    if let Some((other, served)) = meanwhile {
        let met = served.is_ok();
        p.check(
            format!("a legal user on `{other}`, through the flood on `{here}`"),
            "served",
            served.unwrap_or_else(|why| why),
            met,
        );
    }
    served_again(p, here).await;
    for flood in floods.iter().filter(|flood| flood.is_slow()) {
        if late > LATE {
            p.cannot_tell(
                format!("the rate of {}", flood.what.words()),
                format!("{} a second", flood.asked),
                format!(
                    "{}, and the bench itself was {} ms late",
                    flood.words(),
                    late.as_millis()
                ),
            );
        }
    }
    Ok(())
}

/// What the interface under test can be flooded with, at the rates that the rig file declares.
fn floods(p: &Procedure<'_>) -> Result<Vec<Flood>, Stop> {
    let interface = p.interface()?;
    let load = p.rig().load;
    let one_line = interface.kind.is_serial() || interface.kind == InterfaceKind::Console;
    let mut floods = Vec::new();
    if !one_line {
        floods.push((What::Connections, load.connections));
    }
    if interface.tls.is_some() {
        floods.push((What::Handshakes, load.handshakes));
    }
    if matches!(interface.kind, InterfaceKind::Console | InterfaceKind::Mqtt) {
        floods.push((What::Logins, load.logins));
    }
    let flood = |(what, rate)| Flood::new(what, rate, load.period.0, one_line);
    Ok(floods.into_iter().map(flood).collect())
}

/// Checks that a legal user is served on an interface again.
async fn served_again(p: &mut Procedure<'_>, here: &str) {
    let began = Instant::now();
    let mut after = served(p, here).await;
    while after.is_err() && began.elapsed() < SERVED {
        sleep(Duration::from_millis(200)).await;
        after = served(p, here).await;
    }
    let met = after.is_ok();
    let waited = began.elapsed().as_millis();
    p.check(
        format!("a legal user on `{here}`, after the flood"),
        format!("served within {} s", SERVED.as_secs()),
        format!(
            "{}, {waited} ms after the flood",
            after.unwrap_or_else(|why| why)
        ),
        met,
    );
}

/// One flood on its way.
struct Flood {
    what: What,
    asked: u32,
    period: Duration,
    /// One line serves one login after the other, at its own pace.
    one_line: bool,
    began: Instant,
    next: AtomicU32,
    done: AtomicU32,
    refused: AtomicU32,
    millis: AtomicU32,
}

impl Flood {
    fn new(what: What, asked: u32, period: Duration, one_line: bool) -> Self {
        Self {
            what,
            asked,
            period,
            one_line,
            began: Instant::now(),
            next: AtomicU32::new(0),
            done: AtomicU32::new(0),
            refused: AtomicU32::new(0),
            millis: AtomicU32::new(0),
        }
    }

    async fn run(&self, p: &Procedure<'_>) -> Result<(), Stop> {
        let workers = if self.one_line { 1 } else { AT_ONCE };
        try_join_all((0..workers).map(|_| self.work(p))).await?;
        let millis = self.began.elapsed().as_millis();
        let millis = u32::try_from(millis).unwrap_or(u32::MAX);
        self.millis.store(millis.max(1), Ordering::Relaxed);
        Ok(())
    }

    /// Whether fewer were made than were asked for, where it was not the line that set the pace.
    fn is_slow(&self) -> bool {
        !self.one_line && self.rate() < REACHED * f64::from(self.asked)
    }

    /// Takes what is next, at its time, until all is done or twice the time is over.
    async fn work(&self, p: &Procedure<'_>) -> Result<(), Stop> {
        let total = f64::from(self.asked) * self.period.as_secs_f64();
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if f64::from(number) >= total || self.began.elapsed() > self.period * 2 {
                return Ok(());
            }
            let at = Duration::from_secs_f64(f64::from(number) / f64::from(self.asked));
            sleep_until(self.began + at).await;
            let served = match once(p, self.what).await {
                Ok(served) => served,
                // The device may well refuse a connection, or let it wait.
                Err(
                    BenchError::Line { .. } | BenchError::Mqtt { .. } | BenchError::Modbus { .. },
                ) => false,
                Err(error) => return Err(error.into()),
            };
            let count = if served { &self.done } else { &self.refused };
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many a second were made.
    fn rate(&self) -> f64 {
        let made = self.done.load(Ordering::Relaxed) + self.refused.load(Ordering::Relaxed);
        let period = f64::from(self.millis.load(Ordering::Relaxed).max(1)) / 1000.0;
        f64::from(made) / period.max(self.period.as_secs_f64())
    }

    fn words(&self) -> String {
        format!(
            "{} {} taken and {} not, {:.0} a second where {} were asked for",
            self.done.load(Ordering::Relaxed),
            self.what.words(),
            self.refused.load(Ordering::Relaxed),
            self.rate(),
            self.asked
        )
    }
}

/// Does it once; whether the device went along with it.
async fn once(p: &Procedure<'_>, what: What) -> Result<bool, BenchError> {
    let (bench, here) = (p.bench(), p.name());
    match what {
        What::Connections => {
            drop(bench.open_line(here, here).await?);
            Ok(true)
        }
        What::Handshakes => {
            let shows = |account: &&str| {
                let described = p.rig().accounts.get(*account);
                described.is_some_and(|it| it.certificate.is_some())
            };
            let account = p.rig().accounts_on(here).map(|(name, _)| name.as_str());
            let account = account.into_iter().find(shows);
            let identity = account.map(|account| bench.identity(here, account));
            let settings = bench.tls_settings(here, identity.transpose()?)?;
            let wire = bench.open_line(here, here).await?;
            drop(bench.open_tls_over(here, wire, &settings).await?);
            Ok(true)
        }
        What::Logins => {
            // Of users that there are not: nobody is locked out by it.
            let (user, wrong) = (fresh::tag(), Secret::new(fresh::strong_password()));
            let who = Who::Password {
                user: &user,
                password: &wrong,
            };
            match bench.enter(here, &who).await? {
                Entry::In(session) => session.close().await,
                Entry::Refused(_) => {}
            }
            Ok(true)
        }
    }
}

/// How late the bench wakes up on average, until something is over.
async fn lateness(over: &AtomicBool) -> Duration {
    const TICK: Duration = Duration::from_millis(10);
    let (mut late, mut ticks) = (Duration::ZERO, 0);
    while !over.load(Ordering::Relaxed) {
        let due = Instant::now() + TICK;
        sleep_until(due).await;
        late += due.elapsed();
        ticks += 1;
    }
    late / ticks.max(1)
}

/// Another interface on which a legal user can be served: one that is no line for one session at a time.
fn bystander<'r>(p: &Procedure<'r>) -> Option<&'r str> {
    let rig = p.rig();
    rig.interfaces
        .iter()
        .filter(|(name, it)| name.as_str() != p.name() && !it.kind.is_serial())
        .map(|(name, _)| name.as_str())
        .find(|name| legal(p, name).is_some())
}

/// Who may read what on an interface.
fn legal<'r>(p: &Procedure<'r>, interface: &str) -> Option<(Who<'r>, &'r str)> {
    let rig = p.rig();
    let described = rig.interface(interface)?;
    let reads = |operation: &&str| rig.only_reads(operation, interface);
    let names = || rig.operations.keys().map(|name| name.as_str());
    if let Some(open) = names()
        .filter(reads)
        .find(|operation| described.is_open(operation))
    {
        return Some((Who::Nobody, open));
    }
    let accounts = rig.accounts.iter().filter(|(name, account)| {
        let here = account
            .interfaces
            .iter()
            .any(|one| one.as_str() == interface);
        here && !watches(rig, name.as_str())
    });
    for (account, _) in accounts {
        let account = account.as_str();
        if let Some(operation) = names()
            .filter(reads)
            .find(|operation| rig.may(account, operation))
        {
            return Some((Who::Account(account), operation));
        }
    }
    None
}

/// Whether a legal user is served on an interface, in words.
async fn served(p: &Procedure<'_>, interface: &str) -> Result<String, String> {
    let Some((who, operation)) = legal(p, interface) else {
        return Err("nobody may read anything there: see the rig file".to_owned());
    };
    let asking = async {
        let mut session = match p.bench().enter(interface, &who).await {
            Ok(Entry::In(session)) => session,
            Ok(Entry::Refused(answer)) => return Err(format!("not let in: {}", answer.text)),
            Err(error) => return Err(error.to_string()),
        };
        let attempt = session.perform(operation, &Values::new()).await;
        session.close().await;
        match attempt {
            Ok(attempt) if attempt.is_done() => Ok(format!("`{operation}` is answered")),
            Ok(attempt) => Err(format!("`{operation}`: {}", attempt.answer().text)),
            Err(error) => Err(error.to_string()),
        }
    };
    timeout(SERVED, asking)
        .await
        .unwrap_or_else(|_| Err(format!("not within {} s", SERVED.as_secs())))
}

async fn events(p: &mut Procedure<'_>) -> Result<(), Stop> {
    /// How many are done between two looks at the clock.
    const AT_ONCE: u32 = 10;
    strain::needs_essential(p)?;
    let period = p.rig().load.period.0;
    let mut provoker = Provoker::find(p).await?;
    strain::begin(p);
    let began = Instant::now();
    let (mut asked, mut done) = (0, 0);
    let mut tried = Ok(());
    while began.elapsed() < period {
        asked += AT_ONCE;
        match provoker.events(p, AT_ONCE).await {
            Ok(count) => done += count,
            Err(stop) => {
                tried = Err(stop);
                break;
            }
        }
    }
    let rate = f64::from(done) / began.elapsed().as_secs_f64().max(0.001);
    let what = provoker.describe();
    provoker.end(p, tried).await?;
    let words = format!("{what} {done} times, {rate:.0} a second");
    strain::judge(p, "while the audit log is flooded", &words).await;
    let expected = format!("done each of {asked} times");
    p.check(what, expected, format!("{done} times"), done == asked);
    Ok(())
}
