//! EDR, HDR and NDR 3.10: what an update leaves behind that the power is cut under.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::fresh;
use crate::hands::{Desk, Hand, restart};
use crate::offer::{Said, offer};
use crate::procedure::{Procedure, Stop};
use crate::strain;
use crate::update::Update;

/// How often the power is cut at a random moment.
const CUTS: u32 = 4;
/// The longest update that the power is cut under so often.
const LONGEST: Duration = Duration::from_secs(60);

pub(super) async fn power_cut(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let mut desk = Desk::default();
    if !p.bench().can_power_cycle() {
        return restart(p, &mut desk).await;
    }
    let update = Update::prepare(p, &mut desk).await?;
    let mut tried = Ok(());
    for &installer in &update.installers {
        tried = cuts(p, &mut desk, &update, installer).await;
        if tried.is_err() {
            break;
        }
    }
    let back = update.put_back(p, &mut desk).await;
    desk.close().await;
    tried.and(back)
}

async fn cuts<'r>(
    p: &mut Procedure<'r>,
    desk: &mut Desk<'r>,
    update: &Update<'r>,
    installer: Hand<'r>,
) -> Result<(), Stop> {
    // The way that works: how long it takes, and that it works at all.
    let began = Instant::now();
    let (said, version) = update.install(p, desk, installer).await?;
    let took = began.elapsed();
    if version != update.version {
        return Err(Stop::inconclusive(format!(
            "{installer} cannot install the vendor's image with the power on: {}",
            slcert_reports::excerpt(said.words(), 200)
        )));
    }
    p.check(
        format!("the vendor's image by {installer}, with the power on"),
        format!("version {}", update.version),
        format!("version {version} after {} ms", took.as_millis()),
        true,
    );
    update.put_back(p, desk).await?;
    if took > LONGEST {
        return Err(Stop::not_evaluated(format!(
            "an update takes {} s, and the power would have to be cut under {CUTS} of them",
            took.as_secs()
        )));
    }
    for _ in 0..CUTS {
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let moment = Duration::from_millis(fresh::below(millis.max(1)));
        cut(p, desk, update, installer, Some(moment)).await?;
    }
    cut(p, desk, update, installer, None).await
}

/// Cuts the power a time after the update has begun, or as soon as the device says that it is done.
async fn cut<'r>(
    p: &mut Procedure<'r>,
    desk: &mut Desk<'r>,
    update: &Update<'r>,
    installer: Hand<'r>,
    moment: Option<Duration>,
) -> Result<(), Stop> {
    let when = match moment {
        Some(moment) => format!("{} ms after the update has begun", moment.as_millis()),
        None => "as soon as the device has said that it is done".to_owned(),
    };
    let reader = &*p;
    let installing = offer(reader, desk, installer, "install_update", &update.image);
    let said = match moment {
        None => installing.await?,
        // Whatever it would say after the cut, nobody hears.
        Some(moment) => tokio::select! {
            said = installing => said?,
            () = sleep(moment) => Said::Else("nothing yet".to_owned()),
        },
    };
    let started = reader.bench().power_cycle().await;
    desk.forget();
    let name = format!("the version, after the power was cut {when}");
    let (before, new) = (&update.before, update.version);
    let expected = if said.is_done() {
        format!("version {new}: the device said that it is installed")
    } else {
        format!("version {before} or {new}")
    };
    if let Err(error) = started {
        p.check(
            name,
            expected,
            format!("the device does not start: {error}"),
            false,
        );
        return Err(Stop::inconclusive("the device does not start any more"));
    }
    let version = match desk.read_after_restart(p, "read_version").await {
        Ok(version) => version,
        Err(stop) => {
            p.check(
                name,
                expected,
                format!("it tells none: {}", stop.reason),
                false,
            );
            return Err(stop);
        }
    };
    let right = version == new || (version == *before && !said.is_done());
    let observed = format!(
        "version {version}; the device had said: {}",
        said.words().trim()
    );
    p.check(name, expected, observed, right);
    if !p.rig().essential.is_empty() {
        strain::begin(p);
        strain::judge(
            p,
            &format!("after that, cut {when}"),
            "the power is on again",
        )
        .await;
    }
    update.put_back(p, desk).await
}
