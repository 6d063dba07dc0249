//! How fast the fuzz suite for Modbus TCP is, with every answer judged and the device looked at, as a ratio to a bare loop
//! that sends one right request to the same server and throws the answer away. Both sides have a core of their own.

#![allow(clippy::expect_used, reason = "a benchmark may end by a panic")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use slcert_profiles::file::Source;
use slcert_rigs::bench::Bench;
use slcert_rigs::rig::{Rig, SIMULATED, Template};
use slcert_suites::Procedure;
use slcert_suites::fuzz::engine::{self, Budget};
use slcert_suites::fuzz::generate::Grammar;
use slcert_suites::fuzz::input::Input;
use slcert_suites::fuzz::modbus::Tcp;
use slcert_suites::fuzz::target::{Delivered, Target};

/// How long each side runs, and how often; the medians are compared.
const TIME: Duration = Duration::from_secs(2);
const ROUNDS: usize = 5;
/// Read holding register 0 of unit 1.
const REQUEST: [u8; 12] = [0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1];
const ANSWER: usize = 11;
/// Set in the process that is pinned.
const PINNED: &str = "SLCERT_BENCH_PINNED";

fn main() -> ExitCode {
    if std::env::var_os(PINNED).is_none() {
        let program = std::env::current_exe().expect("this program's path");
        let pinned = Command::new("taskset")
            .args(["-c", "0"])
            .arg(program)
            .env(PINNED, "1")
            .status();
        return match pinned {
            Ok(status) if status.success() => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        };
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(compare());
    ExitCode::SUCCESS
}

async fn compare() {
    let work = tempfile::tempdir().expect("a temporary folder");
    let source = Source::new("simulated.toml", SIMULATED);
    let mut rig = Rig::load(&source).expect("the built-in rig");
    let start = rig.start.as_mut().expect("a start command");
    for word in ["1", "-c", "taskset"] {
        start.command.insert(0, Template::new(word));
    }
    rig.essential.clear();
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_slcert"));
    let bench = Bench::start(rig, work.path(), work.path(), program)
        .await
        .expect("the simulated device");
    let address = bench.address("field").expect("an address");
    let requirement = "CR 3.5".parse().expect("an id");
    let procedure = Procedure::new(&bench, Some("field"), requirement);
    let target = slcert_suites::fuzz::modbus::tcp(&procedure).expect("a target");
    for (name, anew) in [
        ("a kept connection", false),
        ("a connection per input", true),
    ] {
        let (mut bare, mut suite) = (Vec::new(), Vec::new());
        for seed in 0..ROUNDS as u64 {
            bare.push(loop_of_one(&address, anew));
            let one = OneByOne {
                target: &target,
                anew,
            };
            let budget = Budget {
                time: TIME,
                seed,
                ..Budget::default()
            };
            let outcome = engine::run(&bench, &one, budget)
                .await
                .expect("a device that serves");
            suite.push(outcome.coverage.inputs() as f64 / outcome.time.as_secs_f64());
        }
        let (bare, suite) = (median(bare), median(suite));
        println!(
            "{name:24} bare loop {bare:8.0}/s, fuzz suite {suite:8.0}/s, ratio {:.2}",
            suite / bare
        );
    }
    bench.stop().await;
}

/// Requests a second of a loop that does nothing else.
fn loop_of_one(address: &str, anew: bool) -> f64 {
    let began = Instant::now();
    let open = || {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        socket2::SockRef::from(&stream)
            .set_linger(Some(Duration::ZERO))
            .expect("a reset at the end");
        stream
    };
    let mut stream = open();
    let mut answer = [0; ANSWER];
    let mut count = 0;
    while began.elapsed() < TIME {
        if anew {
            stream = open();
        }
        stream.write_all(&REQUEST).expect("a request");
        stream.read_exact(&mut answer).expect("an answer");
        count += 1;
    }
    f64::from(count) / began.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// The suite's inputs, each a single frame, all on one connection or each on its own.
struct OneByOne<'t, 'b> {
    target: &'t Tcp<'b>,
    anew: bool,
}

struct Single {
    grammar: Arc<dyn Grammar>,
    anew: bool,
}

impl Single {
    fn only(&self, strategy: BoxedStrategy<Input>) -> BoxedStrategy<Input> {
        let anew = self.anew;
        // A right frame: its header's length is what follows.
        let whole = |input: &Input| {
            let bytes = input.bytes();
            input.acts.len() == 1
                && bytes.len() > 7
                && bytes[2..4] == [0, 0]
                && usize::from(u16::from_be_bytes([bytes[4], bytes[5]])) == bytes.len() - 6
                && bytes.len() <= 260
        };
        strategy
            .prop_filter("one frame", whole)
            .prop_map(move |mut input| {
                input.anew = anew;
                input
            })
            .boxed()
    }
}

impl Grammar for Single {
    fn inputs(&self) -> BoxedStrategy<Input> {
        self.only(self.grammar.inputs())
    }

    fn variations(&self, base: &Input) -> BoxedStrategy<Input> {
        self.only(self.grammar.variations(base))
    }
}

impl<'b> Target for OneByOne<'_, 'b> {
    type Link = <Tcp<'b> as Target>::Link;

    fn grammar(&self) -> Arc<dyn Grammar> {
        Arc::new(Single {
            grammar: self.target.grammar(),
            anew: self.anew,
        })
    }

    fn forbidden(&self, input: &Input) -> Option<&'static str> {
        self.target.forbidden(input)
    }

    fn open(&self) -> impl Future<Output = Result<Self::Link, String>> + Send {
        self.target.open()
    }

    fn deliver(
        &self,
        link: Self::Link,
        input: &Input,
    ) -> impl Future<Output = Delivered<Self::Link>> + Send {
        self.target.deliver(link, input)
    }

    fn serves(&self, patience: Duration) -> impl Future<Output = Result<Duration, String>> + Send {
        self.target.serves(patience)
    }
}
