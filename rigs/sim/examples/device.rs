//! Runs the simulated device as a process of its own: `cargo run -p slcert-sim --example device -- --help`.

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(about = "A simulated device under test, with real ports")]
struct Cli {
    #[command(flatten)]
    args: slcert_sim::Args,
}

fn main() -> ExitCode {
    slcert_sim::run(Cli::parse().args)
}
