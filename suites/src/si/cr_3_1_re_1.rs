//! CR 3.1 RE(1): communication authentication.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use slcert_rigs::bench::BenchError;
use slcert_rigs::line::Line;
use slcert_rigs::modbus::Client;
use slcert_rigs::rig::{Area, Binding, InterfaceKind, ModbusBinding, Name, Operation};
use slcert_rigs::tls::TlsLine;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::effect::{other_value, state};
use crate::plain;
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "tampering",
    title: "what is altered or replayed on the way has no effect",
    requirements: &["CR 3.1 RE(1)"],
    kind: Kind::Conformance,
    scope: Scope::Each(Fits {
        kinds: &[
            InterfaceKind::ModbusTls,
            InterfaceKind::ModbusTcp,
            InterfaceKind::ModbusRtu,
        ],
        ..Fits::PROCESS
    }),
    needs: &[],
    objective: "Find out whether a write that was altered on the wire, or recorded and sent again, is carried out.",
    criterion: "A write with one bit altered on the wire, and a recorded session sent again, change nothing; the same write unaltered \
                works. An interface that authenticates nothing changes nothing for anyone.",
    svv: Svv::ThreatMitigation,
    body: |p| -> Run<'_> { Box::pin(tampering(p)) },
}];

async fn tampering(p: &mut Procedure<'_>) -> Result<(), Stop> {
    if p.interface()?.tls.is_none() {
        return plain::changes_nothing(p).await;
    }
    let rig = p.rig();
    let found = rig.operations.iter().find_map(|(name, operation)| {
        let Binding::Modbus(ModbusBinding::Write(Area::Holding, address)) =
            rig.binding(name.as_str(), p.name())?
        else {
            return None;
        };
        let account = rig.who_may(name.as_str(), p.name())?;
        Some((name, operation, *address, account))
    });
    let Some((name, operation, address, account)) = found else {
        return Err(Stop::not_evaluated(format!(
            "no operation that writes a register is bound on `{}`",
            p.name()
        )));
    };
    altered(p, name, operation, address, account).await?;
    replayed(p, name, operation, address, account).await
}

async fn altered(
    p: &mut Procedure<'_>,
    name: &Name,
    operation: &Operation,
    address: u16,
    account: &Name,
) -> Result<(), Stop> {
    let read_back = read_back(operation)?;
    // The control: the same way through, with nothing altered.
    let before = state(p, read_back).await?;
    let value = other_value(operation, &before);
    let tamper = Tamper::default();
    let mut client = through(p, account, &tamper).await?;
    let wrote = client
        .write_single_register(address, number(&value)?, LIMIT)
        .await;
    let after = state(p, read_back).await?;
    if wrote.is_err() || after != value {
        return Err(Stop::inconclusive(format!(
            "`{name}` does not work unaltered: {wrote:?}, {read_back} is {after}"
        )));
    }
    p.check(
        format!("{name}, unaltered"),
        format!("{read_back} is {value}"),
        &after,
        true,
    );

    let value = other_value(operation, &after);
    tamper.arm();
    let wrote = client
        .write_single_register(address, number(&value)?, LIMIT)
        .await;
    let last = state(p, read_back).await?;
    let answered = wrote.is_ok();
    p.check(
        format!("{name}, one bit altered on the wire"),
        format!("not carried out: {read_back} stays {after}"),
        format!(
            "{}; {read_back} is {last}",
            if answered {
                "answered as done"
            } else {
                "no answer to it"
            }
        ),
        !answered && last == after,
    );
    Ok(())
}

async fn replayed(
    p: &mut Procedure<'_>,
    name: &Name,
    operation: &Operation,
    address: u16,
    account: &Name,
) -> Result<(), Stop> {
    let read_back = read_back(operation)?;
    let tamper = Tamper::default();
    let first = other_value(operation, &state(p, read_back).await?);
    let mut client = through(p, account, &tamper).await?;
    client
        .write_single_register(address, number(&first)?, LIMIT)
        .await
        .map_err(|error| Stop::inconclusive(format!("`{name}` does not work: {error}")))?;
    drop(client);
    let recorded = tamper.sent();
    // Another value, so that the recorded write would show.
    let second = other_value(operation, &first);
    let tamper = Tamper::default();
    let mut client = through(p, account, &tamper).await?;
    client
        .write_single_register(address, number(&second)?, LIMIT)
        .await
        .map_err(|error| Stop::inconclusive(format!("`{name}` does not work: {error}")))?;
    drop(client);

    let mut line = p
        .bench()
        .open_line(p.name(), &format!("{}.wire", p.name()))
        .await?;
    for piece in &recorded {
        if line.write_all(piece).await.is_err() {
            break;
        }
        // The device answers each flight before the next one came, as it did when this was recorded.
        let mut sink = [0; 4096];
        let _ = tokio::time::timeout(Duration::from_millis(150), line.read(&mut sink)).await;
    }
    drop(line);
    let after = state(p, read_back).await?;
    p.check(
        format!("{name}, a recorded session sent again"),
        format!("not carried out: {read_back} stays {second}"),
        format!("{read_back} is {after}"),
        after == second,
    );
    Ok(())
}

const LIMIT: Duration = Duration::from_secs(2);

fn read_back(operation: &Operation) -> Result<&str, Stop> {
    operation
        .read_back
        .as_ref()
        .map(|name| name.value.as_str())
        .ok_or_else(|| Stop::not_evaluated("the operation has no `read_back`"))
}

fn number(value: &str) -> Result<u16, Stop> {
    value
        .parse()
        .map_err(|_| Stop::not_evaluated("the operation's values do not fit a register"))
}

/// A client whose TLS goes through a place where it can be altered.
async fn through(
    p: &Procedure<'_>,
    account: &Name,
    tamper: &Tamper,
) -> Result<Client<TlsLine>, BenchError> {
    let bench = p.bench();
    let name = p.name();
    let wire = bench.open_line(name, &format!("{name}.wire")).await?;
    let settings = bench.tls_settings(name, Some(bench.identity(name, account.as_str())?))?;
    let stream = Altering {
        line: wire,
        tamper: tamper.clone(),
    };
    let (tls, _) = bench.open_tls_over(name, stream, &settings).await?;
    let unit = p.rig().interface(name).map_or(1, |it| it.unit);
    Ok(Client::tcp(tls, unit))
}

/// What is done to the bytes on the way.
#[derive(Clone, Debug, Default)]
struct Tamper {
    armed: Arc<AtomicBool>,
    sent: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Tamper {
    /// From now on, the last bit of every piece that is sent is altered.
    fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    /// What was sent, piece by piece.
    fn sent(&self) -> Vec<Vec<u8>> {
        self.sent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// A line on which somebody sits.
#[derive(Debug)]
struct Altering {
    line: Line,
    tamper: Tamper,
}

impl AsyncRead for Altering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_read(context, buffer)
    }
}

impl AsyncWrite for Altering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut bytes = bytes.to_vec();
        if self.tamper.armed.load(Ordering::SeqCst)
            && let Some(last) = bytes.last_mut()
        {
            *last ^= 0x01;
        }
        let polled = Pin::new(&mut self.line).poll_write(context, &bytes);
        if let Poll::Ready(Ok(written)) = polled {
            let piece = bytes[..written].to_vec();
            self.tamper
                .sent
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(piece);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_shutdown(context)
    }
}
