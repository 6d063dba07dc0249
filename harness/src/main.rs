//! The command line of slcert.

use std::process::ExitCode;

use slcert::command::{Command, CommandLine};

fn main() -> ExitCode {
    match CommandLine::read().command() {
        Command::Run(run) => slcert::campaign::run(&run),
        Command::List(list) => slcert::list::list(&list),
        Command::Check(check) => slcert::check::check(&check),
        Command::Selftest(selftest) => slcert::selftest::run(&selftest),
        Command::Explain(explain) => slcert::explain::explain(&explain),
        Command::Report(report) => slcert::report::report(&report),
        Command::Compare(compare) => slcert::compare::compare(&compare),
        Command::Verify(verify) => slcert::verify::verify(&verify),
        Command::Sign(sign) => slcert::verify::sign(&sign),
        Command::Redact(redact) => slcert::redact::redact(&redact),
        Command::Qualify(qualify) => slcert::qualify::qualify(&qualify),
        Command::Replay(replay) => slcert::replay::replay_file(&replay),
        Command::Sim(sim) => slcert_sim::run(sim),
    }
}
