//! A Modbus server that is asked what it need not answer: every silence counts only beside a right request that is answered.

use std::time::{Duration, Instant};

use slcert_rigs::bench::{Bench, Who};
use slcert_rigs::line::Line;
use slcert_rigs::modbus::{Client, ModbusError};
use slcert_rigs::rig::{Area, Binding, ModbusBinding};

use crate::procedure::{Procedure, Stop};

/// How long the first right request may take.
const FIRST: Duration = Duration::from_secs(2);
/// How many times longer than the slowest answer so far a silence lasts before it counts as one.
const PATIENCE: u32 = 20;
/// The least time that counts as a silence, apart from what the longest frame takes on the line.
const LEAST: Duration = Duration::from_millis(100);
/// The most that a right answer counts for that: one that was late for a reason of its own must not make every silence long.
const MOST: Duration = Duration::from_millis(25);
/// How often a right request is sent before the server counts as gone.
const TRIES: u32 = 4;
/// How often a server that was silent is given more time in vain, before that says that it does not need it.
const VAIN: u32 = 3;

/// A session at a Modbus server, opened anew when the server has ended it.
pub struct Peer<'b> {
    bench: &'b Bench,
    interface: &'b str,
    who: Who<'b>,
    /// What the longest frame takes on the line.
    line: Duration,
    /// The slowest answer to a right request so far.
    slowest: Option<Duration>,
    /// The slowest refusal of those that came only when there was more time; nothing where none did.
    late: Duration,
    /// How often there was more time in vain, the last times.
    vain: u32,
    /// Whether the last request had no answer.
    silent: bool,
    right: Vec<u8>,
    client: Option<Client<Line>>,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// An answer that the protocol allows: its PDU.
    Legal(Vec<u8>),
    /// An answer that the protocol does not allow: its frame, and why.
    Illegal(Vec<u8>, String),
    /// Nothing.
    Nothing,
    /// The server ended the connection.
    Ended,
}

/// What came of a right request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Served {
    /// It was answered at once.
    AtOnce(Vec<u8>),
    /// So many were lost before one was answered.
    After(u32),
    /// None of them was answered; the last word on it.
    Never(String),
}

impl<'b> Peer<'b> {
    /// A peer of the interface under test, as the first account that the rig file lists there.
    ///
    /// # Errors
    /// The line cannot be opened, or the device refuses.
    pub async fn open(p: &Procedure<'b>) -> Result<Self, Stop> {
        Self::open_as(p, first_account(p)).await
    }

    /// A peer of the interface under test, as somebody.
    ///
    /// # Errors
    /// As [`Peer::open`].
    pub async fn open_as(p: &Procedure<'b>, who: Who<'b>) -> Result<Self, Stop> {
        let (bench, interface) = (p.bench(), p.name());
        let described = p.interface()?;
        let line = if described.kind.is_serial() {
            // 256 bytes of eleven bits each (SL §2.5.1).
            Duration::from_secs(256 * 11) / described.serial.baud.max(1)
        } else {
            Duration::ZERO
        };
        let mut peer = Self {
            bench,
            interface,
            who,
            line,
            slowest: None,
            late: Duration::ZERO,
            vain: 0,
            silent: false,
            right: reading(p),
            client: None,
        };
        peer.client().await?;
        Ok(peer)
    }

    async fn client(&mut self) -> Result<&mut Client<Line>, Stop> {
        if self.client.is_none() {
            let opened = self.bench.modbus_client(self.interface, &self.who).await?;
            self.client = Some(opened);
        }
        self.client
            .as_mut()
            .ok_or_else(|| Stop::inconclusive("the session was lost"))
    }

    /// Sends a PDU in a right frame, and takes what comes.
    ///
    /// # Errors
    /// The line failed, or cannot be opened again.
    pub async fn ask(&mut self, pdu: &[u8]) -> Result<Said, Stop> {
        self.ask_within(pdu, self.limit()).await
    }

    /// Sends a PDU, and a right request after it. Where that has no answer at first, the server may take its time over a refusal,
    /// and hear nothing meanwhile, or the bench was late: then both are done again, with the time that a first answer may take.
    ///
    /// # Errors
    /// As [`Peer::ask`].
    pub async fn ask_and_serve(&mut self, pdu: &[u8]) -> Result<(Said, Served), Stop> {
        let said = self.ask(pdu).await?;
        let served = self.serves().await?;
        if !matches!(served, Served::After(_)) || self.vain == VAIN {
            return Ok((said, served));
        }
        let silent = said == Said::Nothing;
        let began = Instant::now();
        let said = self.ask_within(pdu, FIRST).await?;
        let took = began.elapsed();
        let served = self.serves().await?;
        if said == Said::Nothing || matches!(served, Served::After(_)) {
            self.vain += 1;
        } else {
            self.vain = 0;
            if silent {
                self.late = self.late.max(took);
            }
        }
        Ok((said, served))
    }

    async fn ask_within(&mut self, pdu: &[u8], limit: Duration) -> Result<Said, Stop> {
        let said = self.exchange(pdu, limit).await?;
        self.silent = said == Said::Nothing;
        Ok(said)
    }

    /// How long an answer is waited for, by how long the right ones took.
    fn limit(&self) -> Duration {
        match self.slowest {
            Some(slowest) => {
                let usual = self.line + LEAST + slowest.min(MOST) * PATIENCE;
                usual.max(self.late * 2).min(FIRST)
            }
            None => FIRST,
        }
    }

    /// Sends right requests until one is answered.
    ///
    /// # Errors
    /// The line failed.
    pub async fn serves(&mut self) -> Result<Served, Stop> {
        let pdu = self.right.clone();
        let mut last = String::new();
        for lost in 0..TRIES {
            let began = Instant::now();
            let after_silence = self.silent;
            // The last one has the time that tells what is slow from what is dead.
            let limit = if lost + 1 == TRIES {
                FIRST
            } else {
                self.limit()
            };
            let said = match self.ask_within(&pdu, limit).await {
                Ok(said) => said,
                // A server that lets nobody in does not serve.
                Err(stop) if self.client.is_none() => return Ok(Served::Never(stop.reason)),
                Err(stop) => return Err(stop),
            };
            // After a silence a serial client first waits for the line to be quiet: that is not the server's time.
            if matches!(said, Said::Legal(_)) && !after_silence {
                self.slowest = self.slowest.max(Some(began.elapsed()));
            }
            last = match said {
                Said::Legal(answer) if lost == 0 => return Ok(Served::AtOnce(answer)),
                Said::Legal(_) => return Ok(Served::After(lost)),
                Said::Illegal(frame, why) => format!("{}: {why}", hex(&frame)),
                Said::Nothing => "no answer".to_owned(),
                Said::Ended => "the connection was ended".to_owned(),
            };
            // What the server holds of an earlier request goes with the connection.
            self.client = None;
        }
        Ok(Served::Never(last))
    }

    async fn exchange(&mut self, pdu: &[u8], limit: Duration) -> Result<Said, Stop> {
        let said = match self.client().await?.exchange(pdu, limit).await {
            Ok(answer) => Said::Legal(answer),
            Err(ModbusError::Illegal { breach, frame }) => Said::Illegal(frame, breach.to_string()),
            Err(ModbusError::TimedOut) => Said::Nothing,
            Err(ModbusError::Closed(_)) => Said::Ended,
            Err(error) => return Err(Stop::inconclusive(error.to_string())),
        };
        if matches!(said, Said::Ended | Said::Illegal(..)) {
            // A serial port has one holder: the old session goes before the new one comes.
            self.client = None;
        }
        Ok(said)
    }
}

/// The first account of the interface under test; nobody where it has none.
pub fn first_account<'b>(p: &Procedure<'b>) -> Who<'b> {
    let mut accounts = p.rig().accounts_on(p.name());
    accounts
        .next()
        .map_or(Who::Nobody, |(name, _)| Who::Account(name.as_str()))
}

/// A request that reads one item, as a PDU: what the interface binds, or the device's identification.
pub fn reading(p: &Procedure<'_>) -> Vec<u8> {
    let bound =
        p.rig()
            .operations
            .keys()
            .find_map(|name| match p.rig().binding(name.as_str(), p.name()) {
                Some(Binding::Modbus(ModbusBinding::Read(area, address))) => {
                    Some((*area, *address))
                }
                _ => None,
            });
    match bound {
        Some((area, address)) => {
            let function = match area {
                Area::Coil => 1,
                Area::Discrete => 2,
                Area::Holding => 3,
                Area::Input => 4,
            };
            let [high, low] = address.to_be_bytes();
            vec![function, high, low, 0, 1]
        }
        None => vec![0x2B, 0x0E, 0x01, 0x00],
    }
}

/// What came of a request, for a report.
pub fn words(said: &Said) -> String {
    match said {
        Said::Legal(pdu) => match pdu[..] {
            [function, code, ..] if function & 0x80 != 0 => format!("exception {code}"),
            _ => format!("answered with {}", hex(pdu)),
        },
        Said::Illegal(frame, why) => format!("{}: {why}", hex(frame)),
        Said::Nothing => "no answer".to_owned(),
        Said::Ended => "the connection was ended".to_owned(),
    }
}

/// Bytes for people.
pub fn hex(bytes: &[u8]) -> String {
    let shown: Vec<_> = bytes
        .iter()
        .take(40)
        .map(|byte| format!("{byte:02X}"))
        .collect();
    let more = if bytes.len() > 40 {
        format!(" … ({} bytes)", bytes.len())
    } else {
        String::new()
    };
    format!("{}{more}", shown.join(" "))
}
