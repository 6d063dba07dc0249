//! Sessions at a Modbus server.

use std::time::Duration;

use super::error::BenchError;
use super::session::{Kind, Session};
use super::{ANSWER, Bench, Entry, Who};
use crate::attempt::{Answer, Attempt};
use crate::line::{Line, LineError};
use crate::modbus::wire::AccessCode;
use crate::modbus::{Client, ModbusError, Raw};
use crate::rig::{Area, Binding, InterfaceKind, ModbusBinding, Values};

/// A session at a Modbus server.
pub struct ModbusSession {
    interface: String,
    bindings: Vec<(String, ModbusBinding)>,
    client: Client<Line>,
    pub(super) over: bool,
}

/// A request that every server answers, if only with an exception: its identification.
const KNOCK: [u8; 4] = [0x2B, 0x0E, 0x01, 0x00];

pub(super) async fn enter(
    bench: &Bench,
    interface: &str,
    who: &Who<'_>,
) -> Result<Entry, BenchError> {
    let described = bench.interface(interface)?;
    let line = match open(bench, interface, who).await? {
        Ok(line) => line,
        Err(refused) => return Ok(Entry::Refused(refused)),
    };
    let mut client = if described.kind == InterfaceKind::ModbusRtu {
        Client::rtu(line, described.unit)
    } else {
        Client::tcp(line, described.unit)
    };
    if described.kind == InterfaceKind::ModbusTls {
        // In TLS 1.3 the client's handshake ends before the server has judged the client's certificate (RFC 8446
        // section 4.4): only an answer shows that the client is let in.
        match client.exchange(&KNOCK, ANSWER).await {
            Ok(_) | Err(ModbusError::Illegal { .. } | ModbusError::Exception(_)) => {}
            Err(error @ (ModbusError::Closed(_) | ModbusError::Io(_))) => {
                return Ok(Entry::Refused(Answer::of(format!(
                    "the device ended the session: {}",
                    why(&error)
                ))));
            }
            Err(source) => {
                return Err(BenchError::Modbus {
                    interface: interface.to_owned(),
                    source,
                });
            }
        }
    }
    let bindings = bench
        .rig()
        .operations
        .keys()
        .filter_map(
            |name| match bench.rig().binding(name.as_str(), interface)? {
                Binding::Modbus(binding) => Some((name.as_str().to_owned(), *binding)),
                _ => None,
            },
        )
        .collect();
    Ok(Entry::In(Session {
        kind: Kind::Modbus(Box::new(ModbusSession {
            interface: interface.to_owned(),
            bindings,
            client,
            over: false,
        })),
    }))
}

/// The error with its cause, which says what TLS or the system had to say.
fn why(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Opens the line as somebody; the inner error is the device's refusal.
async fn open(
    bench: &Bench,
    interface: &str,
    who: &Who<'_>,
) -> Result<Result<Line, Answer>, BenchError> {
    let identity = match who {
        Who::Account(account) if bench.interface(interface)?.tls.is_some() => {
            Some(bench.identity(interface, account)?)
        }
        Who::Certificate(identity) => Some((*identity).clone()),
        _ => None,
    };
    match bench.open(interface, identity).await {
        Ok(line) => Ok(Ok(line)),
        Err(BenchError::Line {
            source: LineError::PeerAlert { alert, .. },
            ..
        }) => Ok(Err(Answer::of(alert))),
        Err(other) => Err(other),
    }
}

impl Bench {
    /// A line to a Modbus server on which anything can be sent, as somebody.
    ///
    /// # Errors
    /// The line cannot be opened, or the device refuses.
    pub async fn raw_modbus(
        &self,
        interface: &str,
        who: &Who<'_>,
    ) -> Result<Raw<Line>, BenchError> {
        match open(self, interface, who).await? {
            Ok(line) => Ok(Raw::new(line)),
            Err(refused) => Err(BenchError::Refused {
                interface: interface.to_owned(),
                account: format!("{who:?}"),
                said: refused.text,
            }),
        }
    }

    /// A client of a Modbus server, as somebody.
    ///
    /// # Errors
    /// The line cannot be opened, or the device refuses.
    pub async fn modbus_client(
        &self,
        interface: &str,
        who: &Who<'_>,
    ) -> Result<Client<Line>, BenchError> {
        let described = self.interface(interface)?;
        match open(self, interface, who).await? {
            Ok(line) if described.kind == InterfaceKind::ModbusRtu => {
                Ok(Client::rtu(line, described.unit))
            }
            Ok(line) => Ok(Client::tcp(line, described.unit)),
            Err(refused) => Err(BenchError::Refused {
                interface: interface.to_owned(),
                account: format!("{who:?}"),
                said: refused.text,
            }),
        }
    }
}

impl ModbusSession {
    pub(super) async fn ended(&mut self, limit: Duration) -> Result<Option<String>, BenchError> {
        match self.client.ended(limit).await {
            Ok(end) => {
                self.over |= end.is_some();
                Ok(end.map(|end| format!("the device ended the connection ({end:?})")))
            }
            Err(ModbusError::Closed(end)) => Ok(Some(format!("{end:?}"))),
            Err(source) => Err(BenchError::Modbus {
                interface: self.interface.clone(),
                source,
            }),
        }
    }

    pub(super) async fn perform(
        &mut self,
        operation: &str,
        values: &Values,
    ) -> Result<Attempt, BenchError> {
        let binding = self
            .bindings
            .iter()
            .find(|(name, _)| name == operation)
            .map(|(_, binding)| *binding);
        let binding = binding.ok_or_else(|| {
            BenchError::Rig(format!(
                "operation `{operation}` is not bound on `{}`",
                self.interface
            ))
        })?;
        let done = match binding {
            ModbusBinding::Read(area, address) => self.read(area, address).await,
            ModbusBinding::Write(area, address) => {
                let value = values.get("value").map_or("", String::as_str);
                let value = value.parse::<u16>().map_err(|_| {
                    BenchError::Rig(format!(
                        "`{value}` is no value for the Modbus item {address} of `{operation}`"
                    ))
                })?;
                self.write(area, address, value).await
            }
            ModbusBinding::Identify => self.identify(ANSWER).await,
        };
        match done {
            Ok(answer) => Ok(Attempt::Done(answer)),
            Err(ModbusError::Exception(code)) => {
                let answer = Answer::of(format!("exception {code}"));
                // AP section 7: 1 is an illegal function, 2 an illegal address; both are how a server says no.
                Ok(match u8::from(code) {
                    1 | 2 => Attempt::Refused(answer),
                    _ => Attempt::Unclear(answer),
                })
            }
            Err(ModbusError::Closed(end)) => {
                self.over = true;
                Ok(Attempt::Refused(Answer::of(format!(
                    "the device ended the connection ({end:?})"
                ))))
            }
            Err(ModbusError::TimedOut) => Ok(Attempt::Unclear(Answer::of("no answer"))),
            Err(error @ ModbusError::Illegal { .. }) => {
                Ok(Attempt::Unclear(Answer::of(why(&error))))
            }
            Err(source) => Err(BenchError::Modbus {
                interface: self.interface.clone(),
                source,
            }),
        }
    }

    async fn read(&mut self, area: Area, address: u16) -> Result<Answer, ModbusError> {
        let client = &mut self.client;
        let value = match area {
            Area::Coil => client
                .read_coils(address, 1, ANSWER)
                .await?
                .first()
                .map(|on| u16::from(*on)),
            Area::Discrete => client
                .read_discrete_inputs(address, 1, ANSWER)
                .await?
                .first()
                .map(|on| u16::from(*on)),
            Area::Holding => client
                .read_holding_registers(address, 1, ANSWER)
                .await?
                .first()
                .copied(),
            Area::Input => client
                .read_input_registers(address, 1, ANSWER)
                .await?
                .first()
                .copied(),
        };
        let value = value.map(|value| value.to_string());
        Ok(Answer {
            text: value.clone().unwrap_or_default(),
            value,
        })
    }

    async fn write(&mut self, area: Area, address: u16, value: u16) -> Result<Answer, ModbusError> {
        match area {
            Area::Coil | Area::Discrete => {
                self.client
                    .write_single_coil(address, value != 0, ANSWER)
                    .await?
            }
            Area::Holding | Area::Input => {
                self.client
                    .write_single_register(address, value, ANSWER)
                    .await?
            }
        }
        Ok(Answer::of("written"))
    }

    async fn identify(&mut self, limit: Duration) -> Result<Answer, ModbusError> {
        let identification = self
            .client
            .read_device_identification(AccessCode::Basic, limit)
            .await?;
        let words: Vec<_> = identification
            .objects
            .iter()
            .map(|object| String::from_utf8_lossy(&object.value).into_owned())
            .collect();
        Ok(Answer::of(words.join("; ")))
    }
}
