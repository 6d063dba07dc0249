//! CR 2.11 RE(1): time synchronization.

use std::time::Duration;

use jiff::Timestamp;
use slcert_rigs::sntp::TimeServer;
use tokio::time::{Instant, sleep};

use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::clock::{time, time_source};
use crate::power;
use crate::procedure::{Procedure, Stop};
use crate::provoke::Provoker;
use crate::rights::by_whoever_may;
use crate::uc::cr_2_11::{ahead, tolerance};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "follows",
    title: "the clock follows a time server",
    requirements: &["CR 2.11 RE(1)"],
    kind: Kind::Conformance,
    scope: Scope::Device,
    needs: &[],
    objective: "Point the device at a time server of the bench, step that server's time, and find out whether the stamps of audit entries follow.",
    criterion: "Within the time that the rig file states, the stamps follow the server's time ahead, and back again, within the clock's \
                tolerance.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(follows(p)) },
}];

/// The largest step that a test makes, in seconds.
const STEP: i64 = 120;
/// The least and the most time between two looks at the clock.
const SOON: Duration = Duration::from_millis(30);
const LATER: Duration = Duration::from_secs(5);

async fn follows(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let bench = TimeBench::of(p)?;
    let step = bench.step(p)?;
    let mut provoker = Provoker::find(p).await?;
    let tried = with_the_bench_as_server(p, &mut provoker, &bench, step).await;
    provoker.end(p, tried).await
}

async fn with_the_bench_as_server(
    p: &mut Procedure<'_>,
    provoker: &mut Provoker<'_>,
    bench: &TimeBench<'_>,
    step: i64,
) -> Result<(), Stop> {
    let right = ahead(p, provoker).await?;
    if right.unsigned_abs() > bench.tolerance.as_millis() as u64 {
        return Err(Stop::inconclusive(format!(
            "the clock is off by {right} ms before anything was done: see CR 2.11"
        )));
    }
    let server = bench.connect(p).await;
    let tried = match &server {
        Ok(server) => steps(p, provoker, bench, server, step).await,
        Err(stop) => Err(stop.clone()),
    };
    let back = bench.restore(p, provoker).await;
    tried.and(back)
}

async fn steps(
    p: &mut Procedure<'_>,
    provoker: &mut Provoker<'_>,
    bench: &TimeBench<'_>,
    server: &TimeServer,
    step: i64,
) -> Result<(), Stop> {
    for (what, seconds) in [("a step ahead", step), ("a step back", 0)] {
        let (followed, off) = bench.follow(p, provoker, server, seconds).await?;
        p.check(
            format!("{what} of the time server, by {step} s"),
            format!(
                "the stamps are {seconds} s ahead of the bench within {} ms, at most {} ms later",
                bench.tolerance.as_millis(),
                bench.within.as_millis()
            ),
            format!("they are {off} ms ahead"),
            followed,
        );
    }
    Ok(())
}

/// What the rig file states of the device's time, and how it is put back.
pub struct TimeBench<'r> {
    /// How far the clock may be off.
    pub tolerance: Duration,
    /// How long the device may take to follow.
    pub within: Duration,
    source: &'r str,
}

impl<'r> TimeBench<'r> {
    /// What the rig file states.
    ///
    /// # Errors
    /// NOT EVALUATED where it lacks something.
    pub fn of(p: &Procedure<'r>) -> Result<Self, Stop> {
        p.anywhere("set_time_source")?;
        let policy = &p.rig().policy;
        let within = policy.time_within.ok_or_else(|| {
            Stop::not_evaluated(
                "the rig file does not say how soon the device follows its time server (`policy.time_within`)",
            )
        })?;
        let source = policy.time_source.as_deref().ok_or_else(|| {
            Stop::not_evaluated(
                "the rig file does not say which time server the device is set to (`policy.time_source`), so that it could not be put back",
            )
        })?;
        Ok(Self {
            tolerance: tolerance(p)?,
            within: within.0,
            source,
        })
    }

    /// A step that the device follows and that shows, in seconds.
    ///
    /// # Errors
    /// NOT EVALUATED where there is none.
    pub fn step(&self, p: &Procedure<'_>) -> Result<i64, Stop> {
        let largest = p.rig().policy.clock_step.map_or(STEP, |step| {
            i64::try_from(step.0.as_secs() / 2).unwrap_or(STEP)
        });
        let step = largest.min(STEP);
        let least = 3.0 * self.tolerance.as_secs_f64();
        if (step as f64) < least.max(1.0) {
            return Err(Stop::not_evaluated(format!(
                "a step of {step} s, half of the largest that the device follows, does not show beside the clock's tolerance"
            )));
        }
        Ok(step)
    }

    /// Starts the bench's time server, and points the device at it.
    ///
    /// # Errors
    /// INCONCLUSIVE where the device does not ask it: nothing shows that it could.
    pub async fn connect(&self, p: &Procedure<'_>) -> Result<TimeServer, Stop> {
        let server = p.bench().time_server().await?;
        let address = server.address().to_string();
        by_whoever_may(p, "set_time_source", &time_source(&address)).await?;
        if self.asked(&server, 1).await {
            return Ok(server);
        }
        Err(Stop::inconclusive(format!(
            "the device did not ask the bench's time server at {address} within {} ms: can it reach that (`time_server.listen`)?",
            self.within.as_millis()
        )))
    }

    /// Whether the device asks so many times more within the time that it has.
    pub async fn asked(&self, server: &TimeServer, times: u64) -> bool {
        let deadline = Instant::now() + self.within;
        let wanted = server.answers() + times;
        while server.answers() < wanted {
            if Instant::now() >= deadline {
                return false;
            }
            sleep(Duration::from_millis(10)).await;
        }
        true
    }

    /// Lets the server tell a time so many seconds ahead; whether the stamps follow, and how far ahead they are, in ms.
    ///
    /// # Errors
    /// There is no stamp.
    pub async fn follow(
        &self,
        p: &Procedure<'_>,
        provoker: &mut Provoker<'_>,
        server: &TimeServer,
        seconds: i64,
    ) -> Result<(bool, i64), Stop> {
        server.set_ahead(seconds);
        let deadline = Instant::now() + self.within;
        self.asked(server, 1).await;
        loop {
            // The answer is on its way to the clock; each look leaves entries in the log, so a slow device gets few.
            sleep((self.within / 50).clamp(SOON, LATER)).await;
            let off = ahead(p, provoker).await?;
            let wrong = (off - seconds * 1000).unsigned_abs();
            let followed = wrong <= self.tolerance.as_millis() as u64;
            if followed || Instant::now() >= deadline {
                return Ok((followed, off));
            }
        }
    }

    /// Puts the time source back, and the clock right where that is needed and can be done.
    ///
    /// # Errors
    /// The device is not as it was.
    pub async fn restore(
        &self,
        p: &Procedure<'_>,
        provoker: &mut Provoker<'_>,
    ) -> Result<(), Stop> {
        let mut operations = vec![("set_time_source", time_source(self.source))];
        power::put_back(p, &operations).await?;
        let off = ahead(p, provoker).await?;
        if off.unsigned_abs() <= self.tolerance.as_millis() as u64 {
            return Ok(());
        }
        if p.anywhere("set_time").is_err() {
            return Err(Stop::inconclusive(format!(
                "the device's clock is left {off} ms ahead: `set_time` is bound for nobody who may perform it"
            )));
        }
        operations = vec![("set_time", time(Timestamp::now()))];
        power::put_back(p, &operations).await
    }
}
