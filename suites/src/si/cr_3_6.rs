//! CR 3.6: deterministic output.

use std::time::Duration;

use slcert_rigs::bench::{Entry, Session, Who};
use slcert_rigs::rig::{OutputOnLoss, OutputState, User};
use tokio::time::{Instant, sleep};

use crate::case::{Case, Kind, Run, Scope, Svv};
use crate::effect::other_value;
use crate::hands::{Desk, Hand, hand, hands, restart, value};
use crate::held::Held;
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[
    Case {
        id: "loss-of-master",
        title: "the output goes where it is set to go when its master is gone",
        requirements: &["CR 3.6"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &["write_output"],
        objective: "Write the output in a session of each process interface, drop the connection without a word, and watch the output.",
        criterion: "Within the stated time the output is in the stated state; where the state can be set, in each of two. While the session \
                    lasts, the output stays as written.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(loss_of_master(p)) },
    },
    Case {
        id: "restart",
        title: "the output goes to its stated state at a start",
        requirements: &["CR 3.6"],
        kind: Kind::Conformance,
        scope: Scope::Device,
        needs: &["write_output"],
        objective: "Write the output, cut the power, give it back, and watch the output.",
        criterion: "After the start the output is in the stated state, and stays there.",
        svv: Svv::Requirements,
        body: |p| -> Run<'_> { Box::pin(at_restart(p)) },
    },
];

/// How often the output is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How long the output is watched after a start.
const SETTLED: Duration = Duration::from_millis(500);
/// The longest time for the state that a test sits out.
const LONGEST: Duration = Duration::from_secs(120);

/// Without outputs there is nothing to be deterministic: declared, and no interface writes one.
fn has_outputs(p: &Procedure<'_>) -> Result<(), Stop> {
    match (p.declared_absent(), hands(p, "write_output")) {
        (Some(reason), Err(_)) => Err(Stop::not_applicable(format!(
            "declared absent: {reason}; and no interface binds `write_output`"
        ))),
        _ => Ok(()),
    }
}

async fn loss_of_master(p: &mut Procedure<'_>) -> Result<(), Stop> {
    has_outputs(p)?;
    let declared = p.rig().policy.output_on_loss.as_ref().ok_or_else(|| {
        Stop::not_evaluated(
            "the rig file does not state what the output does when its master is gone (`policy.output_on_loss`)",
        )
    })?;
    if declared.within.0 > LONGEST {
        return Err(Stop::not_evaluated(format!(
            "the output may take {}: set the device to at most {} s for the test",
            declared.within,
            LONGEST.as_secs()
        )));
    }
    let output = Held::of(p, "write_output")?;
    let masters = masters(p)?;
    let mut desk = Desk::default();
    let original = output.now(p, &mut desk).await?;
    let tried = in_each_state(p, &mut desk, declared, &masters, output).await;
    let back = output.set(p, &mut desk, &original).await;
    desk.close().await;
    tried.and(back)
}

/// Who writes the output from an interface with sessions that software uses.
fn masters<'r>(p: &Procedure<'r>) -> Result<Vec<Hand<'r>>, Stop> {
    let all = hands(p, "write_output")?;
    let masters: Vec<_> = all
        .into_iter()
        .filter(|hand| {
            let interface = hand.interface().and_then(|name| p.rig().interface(name));
            interface.is_some_and(|it| it.used_by(User::Process) && !it.kind.is_serial())
        })
        .collect();
    if masters.is_empty() {
        return Err(Stop::not_evaluated(
            "nobody may perform `write_output` in a session of a process, so that there is no master to lose",
        ));
    }
    Ok(masters)
}

async fn in_each_state<'r>(
    p: &mut Procedure<'r>,
    desk: &mut Desk<'r>,
    declared: &OutputOnLoss,
    masters: &[Hand<'r>],
    output: Held<'r>,
) -> Result<(), Stop> {
    let within = declared.within.0;
    let Ok(setter) = hand(p, "set_output_on_loss") else {
        for &master in masters {
            lose(p, desk, master, output, &declared.state, within, true).await?;
        }
        return Ok(());
    };
    // One is enough to see that the declared state is in force; the one that is set is seen on every interface.
    for &master in masters.iter().take(1) {
        lose(p, desk, master, output, &declared.state, within, true).await?;
    }
    let state = OutputState::Value(another(p, &declared.state)?);
    let set = value(state.to_string());
    desk.must(p, setter, "set_output_on_loss", &set).await?;
    // The waits below are longer than a session may idle.
    desk.close().await;
    let mut tried = Ok(());
    for (at, &master) in masters.iter().enumerate() {
        if tried.is_ok() {
            tried = lose(p, desk, master, output, &state, within, at == 0).await;
        }
    }
    let declared = value(declared.state.to_string());
    desk.must(p, setter, "set_output_on_loss", &declared)
        .await?;
    tried
}

/// A value of the output that is not the declared state.
fn another(p: &Procedure<'_>, declared: &OutputState) -> Result<u16, Stop> {
    let described = p.rig().operations.get("write_output");
    let range = described
        .and_then(|described| described.values)
        .ok_or_else(|| {
            Stop::not_evaluated("the rig file gives no values for `write_output` (`values`)")
        })?;
    Ok(if *declared == OutputState::Value(range.from) {
        range.to
    } else {
        range.from
    })
}

/// Loses a master, and watches the output; where `stays`, also for a while before.
async fn lose<'r>(
    p: &mut Procedure<'r>,
    desk: &mut Desk<'r>,
    master: Hand<'r>,
    output: Held<'r>,
    state: &OutputState,
    within: Duration,
    stays: bool,
) -> Result<(), Stop> {
    let (session, written) = write(p, desk, master, output, state).await?;
    // While the master is there, nothing happens: else the state below would say nothing of the loss.
    if *state != OutputState::Hold && stays {
        p.wait(within).await;
    }
    let kept = output.now(p, desk).await?;
    if kept != written {
        session.close().await;
        return Err(Stop::inconclusive(format!(
            "the output went from {written} to {}, with its master ({master}) still connected",
            slcert_reports::excerpt(&kept, 40)
        )));
    }
    drop(session);
    let wanted = match state {
        OutputState::Hold => written.clone(),
        OutputState::Value(value) => value.to_string(),
    };
    let (now, took) = watch(p, desk, output, state, &wanted, within).await?;
    let name = format!("the output after the loss of {master}");
    let expected = format!("{wanted} ({state}) within {} ms", within.as_millis());
    let observed = format!(
        "{now} after {} ms, where {written} was written",
        took.as_millis()
    );
    let shared = p
        .rig()
        .essential
        .values()
        .any(|essential| Some(essential.interface.as_str()) == master.interface());
    if now != wanted && shared {
        let why = format!(
            "{observed}; the bench itself is still connected there, to watch an essential function"
        );
        p.cannot_tell(name, expected, why);
    } else {
        p.check(name, expected, observed, now == wanted);
    }
    Ok(())
}

/// Writes a value that is neither the one now nor the state; the session in which it was written, and the value.
async fn write<'r>(
    p: &Procedure<'r>,
    desk: &mut Desk<'r>,
    master: Hand<'r>,
    output: Held<'r>,
    state: &OutputState,
) -> Result<(Session, String), Stop> {
    let (interface, who) = match master {
        Hand::Account { interface, account } => (interface, Who::Account(account)),
        Hand::Anyone { interface } => (interface, Who::Nobody),
        Hand::Bench => return Err(Stop::inconclusive("the bench is no master")),
    };
    let now = output.now(p, desk).await?;
    let described = p
        .rig()
        .operations
        .get("write_output")
        .ok_or_else(|| Stop::not_evaluated("operation `write_output` is bound nowhere"))?;
    let mut written = other_value(described, &now);
    for _ in 0..20 {
        if written != now && written != state.to_string() {
            break;
        }
        written = other_value(described, &now);
    }
    desk.leave(interface).await;
    let Entry::In(mut session) = p.bench().enter(interface, &who).await? else {
        return Err(Stop::inconclusive(format!("{master} was not let in")));
    };
    session
        .perform("write_output", &value(written.clone()))
        .await?;
    // MQTT 3.1.1 has no word for done: the read-back tells.
    let deadline = Instant::now() + Duration::from_secs(2);
    while output.now(p, desk).await? != written {
        if Instant::now() > deadline {
            session.close().await;
            return Err(Stop::inconclusive(format!(
                "{master} wrote {written}, and the output did not become it"
            )));
        }
        sleep(LOOK).await;
    }
    Ok((session, written))
}

/// Watches the output until it is what is wanted, at most for `within`; a state that holds is watched for all that time.
async fn watch<'r>(
    p: &Procedure<'r>,
    desk: &mut Desk<'r>,
    output: Held<'r>,
    state: &OutputState,
    wanted: &str,
    within: Duration,
) -> Result<(String, Duration), Stop> {
    let began = Instant::now();
    loop {
        // What is read late is no fault of the device: the moment before the reading counts.
        let at = began.elapsed();
        let now = output.now(p, desk).await?;
        let right = now == wanted;
        let over = at >= within;
        match state {
            OutputState::Value(_) if right || over => return Ok((now, at)),
            OutputState::Hold if !right || over => return Ok((now, at)),
            _ => sleep(LOOK).await,
        }
    }
}

async fn at_restart(p: &mut Procedure<'_>) -> Result<(), Stop> {
    has_outputs(p)?;
    let state = p.rig().policy.output_on_restart.as_ref().ok_or_else(|| {
        Stop::not_evaluated(
            "the rig file does not state what the output does at a start (`policy.output_on_restart`)",
        )
    })?;
    let output = Held::of(p, "write_output")?;
    let mut desk = Desk::default();
    let original = output.now(p, &mut desk).await?;
    let tried = restarted(p, &mut desk, state, output, &original).await;
    let back = output.set(p, &mut desk, &original).await;
    desk.close().await;
    tried.and(back)
}

async fn restarted<'r>(
    p: &mut Procedure<'r>,
    desk: &mut Desk<'r>,
    state: &OutputState,
    output: Held<'r>,
    original: &str,
) -> Result<(), Stop> {
    if !p.bench().can_power_cycle() {
        return restart(p, desk).await;
    }
    let mut written = output.change(p, desk, original).await?;
    if written == state.to_string() {
        written = output.change(p, desk, &written).await?;
    }
    restart(p, desk).await?;
    let wanted = match state {
        OutputState::Hold => written.clone(),
        OutputState::Value(value) => value.to_string(),
    };
    desk.read_after_restart(p, output.read).await?;
    let (now, _) = watch(p, desk, output, state, &wanted, SETTLED).await?;
    p.check(
        "the output after a restart",
        format!("{wanted} ({state})"),
        format!("{now}, where {written} was written before"),
        now == wanted,
    );
    Ok(())
}
