//! `slcert replay`: the inputs of a reproducer, sent again.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use slcert_profiles::RequirementId;
use slcert_reports::one_line;
use slcert_rigs::bench::{Bench, Monitor};
use slcert_suites::Procedure;
use slcert_suites::fuzz::Budget;
use slcert_suites::fuzz::input::Input;
use slcert_suites::fuzz::replay;
use slcert_suites::fuzz::reproducer::Reproducer;

use crate::bench::with_bench;
use crate::command::Replay;
use crate::sources::{self, BENCH, USAGE};

/// The inputs break the device again.
const BROKEN: u8 = 1;
/// How long the essential functions may take to be right before anything is sent.
const HEALTHY: Duration = Duration::from_secs(10);

/// Replays a reproducer.
pub fn replay_file(replay: &Replay) -> ExitCode {
    let file = replay.file.display();
    let read = std::fs::read_to_string(&replay.file)
        .map_err(|error| error.to_string())
        .and_then(|text| Reproducer::read(&text).map_err(|error| error.to_string()));
    let read = read.and_then(|reproducer| {
        let inputs = reproducer.inputs().map_err(|error| error.to_string())?;
        Ok((reproducer, inputs))
    });
    let (reproducer, inputs) = match read {
        Ok(read) => read,
        Err(error) => {
            eprintln!("error: {file}: {error}");
            eprintln!(
                "       a campaign leaves reproducers in `data/evidence` of its folder, as TRIAL.finding-N.toml"
            );
            return ExitCode::from(USAGE);
        }
    };
    let mut rig = match sources::rig(replay.rig.as_deref(), None) {
        Ok(rig) => rig,
        Err(unusable) => return unusable.into(),
    };
    if let Err(message) = sources::add_flaws(&replay.flaw, &mut rig) {
        eprintln!("error: {message}");
        return ExitCode::from(USAGE);
    }
    let described = &rig.rig;
    let named = described.interfaces.keys().chain(described.servers.keys());
    let names: Vec<_> = named.map(|name| name.as_str()).collect();
    if !reproducer.interface.is_empty() && !names.contains(&reproducer.interface.as_str()) {
        eprintln!(
            "error: {}: there is no interface `{}`, which the reproducer is for: {}",
            rig.name,
            one_line(&reproducer.interface),
            slcert_profiles::file::choose(&reproducer.interface, &names)
        );
        return ExitCode::from(USAGE);
    }
    anstream::println!(
        "finding  {}: {}",
        one_line(&reproducer.oracle),
        one_line(&reproducer.what)
    );
    anstream::println!("trial    {}", one_line(&reproducer.trial));
    match reproducer.steps.len() {
        0 => anstream::println!("inputs   {}", inputs.len()),
        steps => anstream::println!("steps    {steps}"),
    }
    with_bench(rig, async |bench| {
        again(bench, &reproducer, &inputs, replay.times.max(1)).await
    })
}

async fn again(
    bench: &Arc<Bench>,
    reproducer: &Reproducer,
    inputs: &[Input],
    times: u32,
) -> ExitCode {
    let monitor = Monitor::start(bench);
    if let Err(behind) = monitor.healthy(HEALTHY).await {
        eprintln!(
            "error: these essential functions were not right before anything was sent: {}",
            behind.join(", ")
        );
        return ExitCode::from(BENCH);
    }
    let Ok(requirement) = "CR 3.5".parse::<RequirementId>() else {
        return ExitCode::from(BENCH);
    };
    let interface = Some(reproducer.interface.as_str()).filter(|name| !name.is_empty());
    let procedure = Procedure::new(bench, interface, requirement)
        .of_trial(&reproducer.trial, Budget::default());
    let mut came = 0;
    for time in 1..=times {
        let said = match replay(&procedure, inputs).await {
            Ok(Some(found)) => {
                came += 1;
                format!(
                    "{}: {}: {}",
                    found.oracle,
                    one_line(&found.what),
                    one_line(&found.seen)
                )
            }
            Ok(None) => "nothing is wrong".to_owned(),
            Err(why) => {
                eprintln!("error: {}", one_line(&why));
                return ExitCode::from(BENCH);
            }
        };
        anstream::println!("{time} of {times}   {said}");
    }
    if came == 0 {
        anstream::println!("the finding does not come about");
        ExitCode::SUCCESS
    } else {
        anstream::println!("the device is broken by these inputs, {came} of {times} times");
        ExitCode::from(BROKEN)
    }
}
