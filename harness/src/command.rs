//! The command line: what can be asked for, and what each option means.

mod wants;

use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use slcert_profiles::file::Period;
use slcert_suites::fuzz;

pub use wants::Wants;

/// Tests a device against IEC 62443-4-2, and reports what it demonstrates.
///
/// Without a command, the built-in profile `embedded-device-sl2` is run against the simulated device.
///
/// Exit codes: 0 the claim is demonstrated; 1 a FAIL; 2 wrong usage or a bad file; 3 INCONCLUSIVE without a FAIL; 4 nothing
/// was run; 5 rows that are NOT EVALUATED or under REVIEW keep the claim open; 6 the bench failed; 7 a verification failed; 130 interrupted.
#[derive(Debug, Parser)]
#[command(
    name = "slcert",
    version,
    verbatim_doc_comment,
    args_conflicts_with_subcommands = true
)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
}

impl CommandLine {
    /// Reads the program's arguments; wrong usage, `--help` and `--version` end the program.
    pub fn read() -> Self {
        let matches = Self::described().get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// `slcert run` with the options of a campaign's record.
    ///
    /// # Errors
    /// They are not options of this program.
    pub fn run_with(options: &[String]) -> Result<Run, clap::Error> {
        let words = ["slcert", "run"]
            .into_iter()
            .chain(options.iter().map(String::as_str));
        let matches = Self::described().try_get_matches_from(words)?;
        match Self::from_arg_matches(&matches)?.command() {
            Command::Run(run) => Ok(*run),
            _ => Ok(Run::default()),
        }
    }

    /// The command line with its help. What libtest-mimic says of its own arguments is true of tests, not of trials.
    fn described() -> clap::Command {
        <Self as CommandFactory>::command().mut_subcommand("run", |run| {
            run.help_template(
                "{about-with-newline}\n{usage-heading} {usage}\n\n{all-args}{after-help}\n",
            )
            .override_usage("slcert run [OPTIONS] [FILTER]")
            .after_help(RUN_HELP)
            .mut_args(|argument| {
                let hidden = WITHOUT_EFFECT.contains(&argument.get_id().as_str());
                let argument = argument.hide(hidden);
                // `run` has more formats than libtest: its own argument is the one that people see.
                let argument = match argument.get_id() == "format" {
                    true => argument.long("libtest-format"),
                    false => argument,
                };
                let told = TOLD.iter().find(|(id, _)| argument.get_id() == *id);
                match told {
                    Some((_, help)) => argument.help(*help).long_help(None),
                    None => argument,
                }
            })
        })
    }

    /// The command; `run` with its defaults where none is given.
    pub fn command(self) -> Command {
        self.command.unwrap_or_else(|| Command::Run(Box::default()))
    }
}

/// Arguments of libtest that mean nothing to trials: a rig's trials never overlap, and none is ignored beforehand.
const WITHOUT_EFFECT: [&str; 9] = [
    "include_ignored",
    "ignored",
    "test",
    "bench",
    "nocapture",
    "show_output",
    "unstable_flags",
    "test_threads",
    "format",
];

/// Arguments of libtest as they apply to trials.
const TOLD: [(&str, &str); 7] = [
    (
        "filter",
        "Run only the trials whose names have this in them",
    ),
    (
        "skip",
        "Leave out the trials whose names have this in them; may be repeated",
    ),
    ("exact", "Compare FILTER and --skip with whole names"),
    ("list", "List the trials as libtest does, and run none"),
    ("quiet", "Show one character a trial"),
    ("logfile", "Write a line a trial into this file instead"),
    ("color", "When to use colours"),
];

/// What stands at the end of `slcert run --help`.
const RUN_HELP: &str = "\
A rig is one resource: its trials run one after the other. Names are REQUIREMENT/CASE@INTERFACE, as in CR-1.11/lockout@console.
The arguments of libtest are taken as well, so that what drives `cargo test` can drive this.";

/// What stands at the end of `slcert compare --help`.
const COMPARE_HELP: &str = "\
Exit codes: 0 nothing got worse; 1 something FAILs that did not; 3 something is INCONCLUSIVE that was not; 4 nothing was run;
5 something is not run, NOT EVALUATED or under REVIEW that was not. What failed before and still does is listed, and is nothing worse.";

/// What stands at the end of `slcert verify --help`.
const VERIFY_HELP: &str = "\
Every file is compared with the manifest, the journal is followed line by line and compared with the record, and evidence is compared
with what it was when its trial ended. Exit codes: 0 all is as it was; 2 there is nothing to verify; 7 something differs, or the
signature is not good. `bagit.py --validate` and `ssh-keygen -Y verify -n slcert-bundle` check the folder without slcert.";

/// What stands at the end of `slcert sign --help`.
const SIGN_HELP: &str = "\
The signature covers every file of the folder, and lies in tagmanifest-sha256.txt.sig; with an ed25519 key, attestation.dsse.json
states the result for in-toto. A key that needs a passphrase, an agent or a token
makes the same with `ssh-keygen -Y sign -f KEY -n slcert-bundle DIR/tagmanifest-sha256.txt`.";

/// What stands at the end of `slcert redact --help`.
const REDACT_HELP: &str = "\
Each value that is cut has one mark in every place, and result.json lists it with a hash. All hashes are keyed: the key lies in
COPY.key, which stays with you, and with it the original explains them. A file that cannot be searched, such as a picture, is left out
as soon as a value is cut. The copy is whole by itself for `slcert verify`, and can be signed.
Exit codes: 0 the copy is made; 2 wrong usage; 6 it could not be written; 7 the original is not what it was when it was sealed.";

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a campaign.
    Run(Box<Run>),
    /// List the trials that a campaign would run, or the built-in profiles.
    List(List),
    /// Check profile and rig files, and with --live every binding of a rig on its device.
    Check(Check),
    /// Test the bench itself: its clock, its lines, and its judgement of devices that are known to be sound or bad.
    Selftest(SelfTest),
    /// Tell what is known of a requirement, and how it is tested.
    Explain(Explain),
    /// Write the reports of a campaign again, from its record alone.
    Report(Report),
    /// Compare a campaign with an earlier one: what fails now, what was fixed, what is not known any more.
    Compare(Compare),
    /// Check that a campaign's folder is what it was when the campaign ended, and who signed it.
    Verify(Verify),
    /// Sign a campaign's folder.
    Sign(Sign),
    /// Make a copy of a campaign's folder for others, without what they are not to see.
    Redact(Redact),
    /// Run the suites against the simulated device, sound and with each of its flaws, and show what they see.
    Qualify(Qualify),
    /// Send the inputs of a reproducer again, and tell whether its finding comes about.
    Replay(Replay),
    /// Be the simulated device.
    Sim(slcert_sim::Args),
}

/// What to run on what.
#[derive(Debug, Args)]
pub struct On {
    /// The profile: a file, or the name of a built-in one.
    #[arg(long, short, default_value = DEFAULT_PROFILE, value_name = "NAME|FILE")]
    pub profile: String,
    /// The rig file of the device; the built-in simulated device, of the profile's component type, where left out.
    #[arg(long, short, value_name = "FILE")]
    pub rig: Option<PathBuf>,
}

/// The profile that is run where none is named.
pub const DEFAULT_PROFILE: &str = "embedded-device-sl2";

impl Default for On {
    fn default() -> Self {
        Self {
            profile: DEFAULT_PROFILE.to_owned(),
            rig: None,
        }
    }
}

/// Runs a campaign.
#[derive(Debug, Default, Args)]
pub struct Run {
    /// What to run on what.
    #[command(flatten)]
    pub on: On,
    /// The campaign's folder; it must not exist, or be empty. `campaigns/TIME-PROFILE` where left out.
    #[arg(long, short, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with a campaign that was cut short: the trials that have no verdict yet are run, with the same profile, rig and options.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["profile", "rig", "out", "seed", "attestations", "lab", "zone", "junit", "oscal", "flaw", "fuzz_time", "fuzz_cases", "fuzz_first", "evidence_size"])]
    pub resume: Option<PathBuf>,
    /// The seed of the values that tests make up, such as passwords; one from the clock where left out. The record has it.
    #[arg(long)]
    pub seed: Option<u64>,
    /// What was reviewed, for what no test shows: a file with a table `[attestation."CCSC 4"]` for each requirement.
    #[arg(long, value_name = "FILE")]
    pub attestations: Option<PathBuf>,
    /// The lab record: laboratory, customer, equipment with calibration dates, deviations, and more; in each report.
    #[arg(long, value_name = "FILE")]
    pub lab: Option<PathBuf>,
    /// Ask, after the trials, for each inspection that a person has to make; so it is where input and errors are terminals.
    #[arg(long, conflicts_with = "headless")]
    pub guided: bool,
    /// Ask nothing, even on a terminal.
    #[arg(long)]
    pub headless: bool,
    /// Who makes the inspections.
    #[arg(long, value_name = "NAME")]
    pub operator: Option<String>,
    /// End as by an interrupt when standard input ends: whoever began the campaign is gone.
    #[arg(long, conflicts_with = "guided")]
    pub stdin_guard: bool,
    /// Sign the campaign's folder when it ends, with this private SSH key (see `slcert sign`).
    #[arg(long, value_name = "KEY")]
    pub sign: Option<PathBuf>,
    /// Exit with 0 where nothing but rows that are NOT EVALUATED or under REVIEW keep the claim open.
    #[arg(long)]
    pub allow_review: bool,
    /// What its reports have beyond the usual.
    #[command(flatten)]
    pub wants: Wants,
    /// How much the fuzz suites do.
    #[command(flatten)]
    pub fuzz: Fuzz,
    /// What is kept of lines.
    #[command(flatten)]
    pub evidence: Evidence,
    /// Give the simulated device a defect (see `slcert sim --list-flaws`).
    #[arg(long, value_name = "NAME", conflicts_with = "rig")]
    pub flaw: Vec<String>,
    /// How the campaign is told of on standard output.
    #[arg(
        id = "shown",
        long = "format",
        value_enum,
        default_value_t,
        conflicts_with = "quiet"
    )]
    pub format: RunFormat,
    /// The arguments of libtest.
    #[command(flatten)]
    pub libtest: libtest_mimic::Arguments,
}

/// How a campaign is told of on standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum RunFormat {
    /// In words, with a line a trial.
    #[default]
    Pretty,
    /// In words, with one character a trial.
    Terse,
    /// For programs: one document at the end. Words go to standard error.
    Json,
    /// For programs: one event a line, as it happens. Words go to standard error.
    Jsonl,
}

impl RunFormat {
    /// Whether it is for programs.
    pub fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::Jsonl)
    }
}

/// How much the fuzz suites do.
#[derive(Clone, Debug, Args)]
pub struct Fuzz {
    /// How long each fuzz suite sends inputs for: `30s`, `5m`, `2h`; `lab` is 10 minutes, and hours for a whole campaign.
    #[arg(long, value_name = "TIME", default_value_t = Period(fuzz::TIME), value_parser = fuzz_time)]
    pub fuzz_time: Period,
    /// The most inputs that each fuzz suite sends.
    #[arg(long, value_name = "N")]
    pub fuzz_cases: Option<u64>,
    /// End each fuzz suite at its first finding.
    #[arg(long)]
    pub fuzz_first: bool,
}

impl Default for Fuzz {
    fn default() -> Self {
        Self {
            fuzz_time: Period(fuzz::TIME),
            fuzz_cases: None,
            fuzz_first: false,
        }
    }
}

fn fuzz_time(text: &str) -> Result<Period, String> {
    if text == "lab" {
        return Ok(Period(fuzz::LAB));
    }
    Period::parse(text).ok_or_else(|| {
        "write a number and a unit: `500ms`, `8s`, `5m` or `2h`; or `lab`".to_owned()
    })
}

/// What is kept of lines.
#[derive(Clone, Debug, Args)]
pub struct Evidence {
    /// The most that each trial's transcript, and its packets, may take: `512KiB`, `16MiB`, `1GiB`. Of a longer one the beginning
    /// and the end are kept, and it says how much is left out.
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = size)]
    pub evidence_size: usize,
    /// Also write the packets of each trial with the keys of its TLS sessions into this folder, so that tshark and Wireshark decrypt
    /// them. Whoever has such a file can read every password that TLS carried: the folder is not the campaign's and is in no manifest,
    /// and nobody but this user can read the files, or open the folder where it is made. The campaign's own packets have no keys, and passwords that went in clear are overwritten.
    #[arg(long, value_name = "DIR")]
    pub keep_keys: Option<PathBuf>,
}

impl Default for Evidence {
    fn default() -> Self {
        Self {
            evidence_size: 16 << 20,
            keep_keys: None,
        }
    }
}

fn size(text: &str) -> Result<usize, String> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("", 0)];
    let read = units.into_iter().find_map(|(unit, shift)| {
        let number: usize = text.strip_suffix(unit)?.trim().parse().ok()?;
        number.checked_mul(1 << shift)
    });
    read.ok_or_else(|| {
        "write a number of bytes, or one with a unit: `512KiB`, `16MiB` or `1GiB`".to_owned()
    })
}

/// Lists trials or profiles.
#[derive(Debug, Args)]
pub struct List {
    /// What would be run on what.
    #[command(flatten)]
    pub on: On,
    /// List the built-in profiles instead.
    #[arg(long, conflicts_with = "requirements")]
    pub profiles: bool,
    /// List the requirements of the profile instead, and what answers each: cases, a person, or nothing yet.
    #[arg(long)]
    pub requirements: bool,
    /// Say about how long each trial takes, and all of them.
    #[arg(long, conflicts_with_all = ["profiles", "requirements"])]
    pub estimate: bool,
    /// How the list is shown.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Only trials, or requirements, whose name has this in it.
    pub filter: Option<String>,
}

/// Checks files.
#[derive(Debug, Args)]
pub struct Check {
    /// Profile and rig files.
    #[arg(required_unless_present = "live")]
    pub files: Vec<PathBuf>,
    /// Try every binding of the rig file on its device, and tell which works. Without a file: the simulated device's.
    #[arg(long)]
    pub live: bool,
    /// How what was found is shown.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Tests the bench itself. Exit codes: 0 it is sound; 2 a bad file; 6 it is not.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct SelfTest {
    /// The rig file; the built-in simulated device where left out.
    #[arg(long, short, value_name = "FILE")]
    pub rig: Option<PathBuf>,
}

/// Replays a reproducer. Exit codes: 0 its finding does not come about; 1 it does; 2 a bad file; 6 the bench failed.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Replay {
    /// The reproducer: `data/evidence/TRIAL.finding-1.toml` of a campaign.
    pub file: PathBuf,
    /// The rig file of the device; the built-in simulated device where left out.
    #[arg(long, short, value_name = "FILE")]
    pub rig: Option<PathBuf>,
    /// How often the inputs are sent, each time on a device that was switched off and on before where the bench can.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub times: u32,
    /// Give the simulated device a defect (see `slcert sim --list-flaws`).
    #[arg(long, value_name = "NAME", conflicts_with = "rig")]
    pub flaw: Vec<String>,
}

/// Explains a requirement.
#[derive(Debug, Args)]
pub struct Explain {
    /// The requirement: `CR-1.11`, `"CR 1.1 RE(1)"`, `CR-1.1-RE-1`.
    pub requirement: String,
}

/// Writes the reports of a campaign again.
#[derive(Debug, Args)]
pub struct Report {
    /// The campaign's folder.
    #[arg(value_name = "DIR")]
    pub campaign: PathBuf,
    /// Where the reports go; the campaign's own folder where left out.
    #[arg(long, short, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// What they have beyond the usual, and beyond what the campaign was told.
    #[command(flatten)]
    pub wants: Wants,
    /// Print `metrics.json` instead, and write nothing.
    #[arg(long, value_enum, conflicts_with = "out")]
    pub format: Option<ReportFormat>,
}

/// How a campaign is told of where nothing is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ReportFormat {
    /// For programs.
    Json,
}

/// Compares a campaign with an earlier one.
#[derive(Debug, Args)]
#[command(after_help = COMPARE_HELP)]
pub struct Compare {
    /// The earlier campaign's folder, or its result.json.
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// The later one.
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
    /// How the comparison is shown.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Write it as a page as well.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// How an answer is shown.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Checks a campaign's folder.
#[derive(Debug, Args)]
#[command(after_help = VERIFY_HELP)]
pub struct Verify {
    /// The campaign's folder.
    #[arg(value_name = "DIR")]
    pub campaign: PathBuf,
    /// Who may sign: a file in the form of OpenSSH's `allowed_signers`, such as `lab@example.org ssh-ed25519 AAAA...`. With it,
    /// a folder that none of them signed is not accepted.
    #[arg(long, value_name = "FILE")]
    pub allowed_signers: Option<PathBuf>,
}

/// Signs a campaign's folder.
#[derive(Debug, Args)]
#[command(after_help = SIGN_HELP)]
pub struct Sign {
    /// The campaign's folder.
    #[arg(value_name = "DIR")]
    pub campaign: PathBuf,
    /// The private key: ed25519, or ECDSA over P-256 or P-384, as `ssh-keygen` makes it.
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
}

/// Makes a copy without what others are not to see.
#[derive(Debug, Args)]
#[command(after_help = REDACT_HELP)]
pub struct Redact {
    /// The campaign's folder: it stays as it is.
    #[arg(value_name = "DIR")]
    pub campaign: PathBuf,
    /// The copy's folder; it must not exist, or be empty.
    #[arg(long, short, value_name = "COPY")]
    pub out: PathBuf,
    /// What is cut beside keys; may be given with commas.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub what: Vec<What>,
    /// A text that is cut wherever it stands, such as a name; may be repeated.
    #[arg(long, value_name = "TEXT")]
    pub text: Vec<String>,
}

/// What is cut from a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Keys that decrypt what was recorded: always cut.
    Keys,
    /// Network addresses: IPv4, IPv6, and MAC in pairs.
    Addresses,
    /// Serial numbers: the device's, and what stands behind the word.
    Serials,
    /// Who tested, and who reviewed.
    People,
    /// All files of evidence.
    Evidence,
}

/// Qualifies the suites.
#[derive(Debug, Args)]
pub struct Qualify {
    /// Give each flawed device only the trials of the requirement that its flaw breaks.
    #[arg(long)]
    pub quick: bool,
    /// The profile whose trials are run.
    #[arg(
        long,
        short,
        default_value = crate::qualify::USUAL,
        value_name = "NAME|FILE"
    )]
    pub profile: String,
    /// How many devices are tested side by side; where left out, many for each processor core, as their trials wait more than they work.
    #[arg(long, short, value_name = "N")]
    pub jobs: Option<usize>,
    /// The seed of each campaign: of the values that its tests make up, and of the inputs that it generates.
    #[arg(long, default_value_t = crate::qualify::SEED, value_name = "N")]
    pub seed: u64,
    /// Write the result as a record of the method's validation, in JSON.
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Only flaws with this in their name or in their requirement's: `lockout`, `CR-1.11`.
    pub filter: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fuzz_suite_takes_the_time_that_is_usual_where_nobody_says() {
        let run = CommandLine::run_with(&[]).unwrap();
        assert_eq!(run.fuzz.fuzz_time.0, fuzz::TIME);
        for (word, time) in [
            ("lab", fuzz::LAB),
            ("90s", std::time::Duration::from_secs(90)),
        ] {
            assert_eq!(fuzz_time(word).map(|it| it.0), Ok(time));
        }
        assert!(fuzz_time("labs").is_err());
    }
}
