//! The command line of the device.

use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::component::Component;
use crate::device::{Config, Device};
use crate::flaw::{FlawSet, flaws};
use crate::site::Broker;

/// A bad command line.
const USAGE: u8 = 2;
/// What a device that died of a flaw leaves behind, as a Rust program that panicked does.
const CRASHED: u8 = 101;

/// The options of the simulated device.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Args {
    /// Folder that keeps the device's state; a fresh temporary one if not given
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// Loopback address of a new device; a random one if not given
    #[arg(long, value_name = "127.X.Y.Z")]
    pub address: Option<Ipv4Addr>,
    /// What type of component the device is
    #[arg(long, value_name = "TYPE", default_value = "embedded-device")]
    pub component: Component,
    /// The site's broker of MQTT 5.0, which the device comes to as a client
    #[arg(long, value_name = "HOST:PORT")]
    pub broker: Option<String>,
    /// The site's broker of MQTT 3.1.1
    #[arg(long, value_name = "HOST:PORT")]
    pub broker311: Option<String>,
    /// The Modbus TCP server upstream, which the device polls
    #[arg(long, value_name = "HOST:PORT")]
    pub poll: Option<String>,
    /// Give the device a flaw; may be repeated
    #[arg(long, value_name = "NAME")]
    pub flaw: Vec<String>,
    /// List the flaws there are, with the requirements they break
    #[arg(long)]
    pub list_flaws: bool,
    /// Stop when standard input ends, so that the device does not outlive who started it
    #[arg(long)]
    pub stdin_guard: bool,
}

/// Runs the device until SIGTERM or SIGINT, or, with `--stdin-guard`, until standard input ends.
///
/// Prints one line of JSON to standard output when every port is served. Ends with 2 for a flaw that is not known, 101 when a flaw killed
/// the device, and 1 when it cannot start.
pub fn run(args: Args) -> ExitCode {
    if args.list_flaws {
        return list();
    }
    let flaws = match FlawSet::named(&args.flaw) {
        Ok(flaws) => flaws,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(USAGE);
        }
    };
    // A few threads may wait for a slow disk, and control and the lines go on.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(8)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let at = |address: Option<String>, v5| address.map(|address| Broker { address, v5 });
    let brokers = [at(args.broker, true), at(args.broker311, false)];
    let config = Config {
        brokers: brokers.into_iter().flatten().collect(),
        upstream: args.poll,
        store: args.store,
        address: args.address,
        component: args.component,
        flaws,
    };
    let code = runtime.block_on(serve(config, args.stdin_guard));
    runtime.shutdown_timeout(Duration::from_millis(100));
    code
}

async fn serve(config: Config, stdin_guard: bool) -> ExitCode {
    let signals = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
        eprintln!("error: no signal handler could be set");
        return ExitCode::FAILURE;
    };
    let device = match Device::start(config).await {
        Ok(device) => device,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    if let Err(error) = announce(&device) {
        eprintln!("error: cannot tell that the device is ready: {error}");
        return ExitCode::FAILURE;
    }
    let parent_gone = guard(stdin_guard);
    let code = tokio::select! {
        _ = terminate.recv() => ExitCode::SUCCESS,
        _ = interrupt.recv() => ExitCode::SUCCESS,
        _ = parent_gone => ExitCode::SUCCESS,
        // A crash ends everything at once: nothing is served any more while the rest is put away.
        () = device.crashed() => std::process::exit(i32::from(CRASHED)),
    };
    device.stop().await;
    code
}

fn announce(device: &Device) -> io::Result<()> {
    let line = serde_json::to_string(device.ready())?;
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Resolves when standard input ends; never, without the guard.
async fn guard(wanted: bool) {
    let (gone, wait) = oneshot::channel::<()>();
    let watch = move || {
        let mut buffer = [0; 256];
        let mut input = io::stdin().lock();
        loop {
            match input.read(&mut buffer) {
                Ok(0) => break,
                Err(error) if error.kind() != io::ErrorKind::Interrupted => break,
                _ => {}
            }
        }
        let _ = gone.send(());
    };
    // A thread of its own: a blocked read must not hold up the end of the runtime.
    if !wanted
        || std::thread::Builder::new()
            .name("stdin-guard".into())
            .spawn(watch)
            .is_err()
    {
        std::future::pending::<()>().await;
    }
    let _ = wait.await;
}

fn list() -> ExitCode {
    let mut out = io::stdout().lock();
    for flaw in flaws() {
        if writeln!(
            out,
            "{:28} {:12} {}",
            flaw.name, flaw.requirement, flaw.description
        )
        .is_err()
        {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
