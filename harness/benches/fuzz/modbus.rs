//! Modbus TCP: single right frames on a kept connection, and each on one of its own, to the simulated device.

use std::io::{Read, Write};
use std::net::TcpStream;
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
use slcert_suites::fuzz::target::Target;

use super::narrowed::Narrowed;
use super::{ROUNDS, TIME, say};

/// Read holding register 0 of unit 1.
const REQUEST: [u8; 12] = [0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1];
const ANSWER: usize = 11;

/// The simulated device on the other core, and nothing that is watched.
pub struct Device {
    bench: Bench,
    _work: tempfile::TempDir,
}

impl Device {
    pub async fn start() -> Self {
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
        Self { bench, _work: work }
    }

    pub fn bench(&self) -> &Bench {
        &self.bench
    }

    pub fn target(&self) -> Tcp<'_> {
        let requirement = "CR 3.5".parse().expect("an id");
        let procedure = Procedure::new(&self.bench, Some("field"), requirement);
        slcert_suites::fuzz::modbus::tcp(&procedure).expect("a target")
    }

    pub async fn stop(&self) {
        self.bench.stop().await;
    }
}

pub async fn compare() {
    let device = Device::start().await;
    let target = device.target();
    let address = device.bench().address("field").expect("an address");
    for (name, anew) in [
        ("Modbus, a kept connection", false),
        ("Modbus, a connection per input", true),
    ] {
        let (mut bare, mut suite) = (Vec::new(), Vec::new());
        for seed in 0..ROUNDS as u64 {
            bare.push(loop_of_one(&address, anew));
            let grammar = target.grammar();
            let one = Narrowed::new(&target, Arc::new(Single { grammar, anew }));
            let budget = Budget {
                time: TIME,
                seed,
                ..Budget::default()
            };
            let outcome = engine::run(device.bench(), &one, budget)
                .await
                .expect("a device that serves");
            suite.push(outcome.coverage.inputs() as f64 / outcome.time.as_secs_f64());
        }
        say(name, bare, suite);
    }
    device.stop().await;
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

/// The suite's inputs, each a single frame, all on one connection or each on its own.
pub struct Single {
    pub grammar: Arc<dyn Grammar>,
    pub anew: bool,
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
