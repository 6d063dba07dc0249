//! A bench without a campaign: for the commands that ask a device something, and keep no record.

use std::process::ExitCode;
use std::sync::Arc;

use slcert_rigs::bench::Bench;

use crate::sources::{BENCH, RigFile};

/// Starts the rig's device, does something with it, and ends it.
pub fn with_bench(rig: RigFile, work: impl AsyncFnOnce(&Arc<Bench>) -> ExitCode) -> ExitCode {
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    else {
        eprintln!("error: the operating system gives no threads");
        return ExitCode::from(BENCH);
    };
    let Ok(folder) = tempfile::Builder::new().prefix("slcert-").tempdir() else {
        eprintln!("error: no folder for the device's state can be made");
        return ExitCode::from(BENCH);
    };
    let Ok(program) = std::env::current_exe() else {
        eprintln!("error: this program does not know where it is");
        return ExitCode::from(BENCH);
    };
    runtime.block_on(async {
        match Bench::start(rig.rig, folder.path(), &rig.folder, &program).await {
            Ok(bench) => {
                let bench = Arc::new(bench);
                let code = work(&bench).await;
                bench.stop().await;
                code
            }
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::from(BENCH)
            }
        }
    })
}
