//! What goes wrong on a bench.

use thiserror::Error;

use crate::console::ConsoleError;
use crate::line::LineError;
use crate::modbus::ModbusError;
use crate::mqtt::MqttError;
use crate::rig::NoValue;
use crate::secret::NoSecret;

/// The bench could not do what was asked. None of these is the device's verdict.
#[derive(Debug, Error)]
pub enum BenchError {
    /// The device's process could not be started.
    #[error("the device could not be started: {0}")]
    Start(#[from] StartError),
    /// A line could not be opened, or dropped.
    #[error("`{interface}`: {source}")]
    Line {
        /// The interface.
        interface: String,
        /// What happened.
        source: LineError,
    },
    /// The console did not behave as the rig file says.
    #[error("`{interface}`, {step}: {source}")]
    Console {
        /// The interface.
        interface: String,
        /// The step.
        step: String,
        /// What happened.
        source: ConsoleError,
    },
    /// Modbus failed in a way that is no answer.
    #[error("`{interface}`: {source}")]
    Modbus {
        /// The interface.
        interface: String,
        /// What happened.
        source: ModbusError,
    },
    /// MQTT failed in a way that is no answer.
    #[error("`{interface}`: {source}")]
    Mqtt {
        /// The interface.
        interface: String,
        /// What happened.
        source: MqttError,
    },
    /// A placeholder has no value.
    #[error("{0}")]
    Value(#[from] NoValue),
    /// A secret cannot be had.
    #[error("{0}")]
    Secret(#[from] NoSecret),
    /// The device refuses what the rig file says is right.
    #[error(
        "`{interface}` refused `{account}`, which the rig file says may log in; the device said: {said}"
    )]
    Refused {
        /// The interface.
        interface: String,
        /// The account.
        account: String,
        /// The device's words.
        said: String,
    },
    /// The rig file lacks something.
    #[error("{0}")]
    Rig(String),
    /// A command on this machine could not be run.
    #[error("a command of the rig file failed: {0}")]
    Command(String),
    /// The power could not be switched.
    #[error("the power command failed: {0}")]
    Power(String),
}

/// The device's process could not be started.
#[derive(Debug, Error)]
pub enum StartError {
    /// The command cannot be run.
    #[error("`{program}` cannot be run: {source}")]
    Spawn {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// A placeholder has no value.
    #[error("{0}")]
    Value(#[from] NoValue),
    /// It ended before it was ready.
    #[error("`{program}` ended ({status}) before it was ready; it said: {said}")]
    Ended {
        /// The program.
        program: String,
        /// How it ended.
        status: String,
        /// The last of what it wrote to its error output.
        said: String,
    },
    /// It says that this machine lacks something (exit code 77).
    #[error("{0}")]
    Missing(String),
    /// It was not ready in time.
    #[error(
        "`{program}` printed no line of JSON within {seconds} s; raise `start.ready` in the rig file if it needs longer"
    )]
    Slow {
        /// The program.
        program: String,
        /// The limit.
        seconds: u64,
    },
    /// Its report is no JSON.
    #[error("`{program}` printed what is no JSON object: {line}")]
    Report {
        /// The program.
        program: String,
        /// The line.
        line: String,
    },
}
