//! Modbus: requests over the whole protocol, in right and in wrong frames.

mod canary;
pub mod client;
mod compared;
mod framing;
mod grammar;
mod hazard;
mod judge;
mod port;
mod rtu;
mod tcp;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use slcert_rigs::bench::{Bench, Who};
use slcert_rigs::rig::{Area, Binding, ModbusBinding, Rig, Span};

use tokio::sync::Mutex;

use crate::fuzz::pace::Pace;
use crate::modbus::{first_account, reading};
use crate::procedure::{Procedure, Stop};
use framing::{Framing, ModbusGrammar};
use grammar::Map;
use hazard::{Hazards, bounded};
use judge::Judge;
pub use rtu::Serial;
pub use tcp::Tcp;

/// The server on the interface under test, where it is on TCP or TLS.
///
/// # Errors
/// For a case without an interface.
pub fn tcp<'b>(p: &Procedure<'b>) -> Result<Tcp<'b>, Stop> {
    let interface = p.interface()?;
    Ok(Tcp {
        bench: p.bench(),
        interface: p.name(),
        who: first_account(p),
        unit: interface.unit,
        grammar: grammar(p, Framing::Mbap)?,
        judge: judge(p)?,
        hazards: Hazards::of(p.rig(), p.name(), Framing::Mbap),
        read_back: read_back(p.rig(), p.name()),
        right: reading(p),
        pace: Pace::default(),
    })
}

/// The reference of the server on the interface under test, on a bench of its own.
pub fn beside<'r, 'b: 'r>(target: &Tcp<'b>, bench: &'r Bench) -> Tcp<'r> {
    Tcp {
        bench,
        interface: target.interface,
        who: Who::Nobody,
        unit: target.unit,
        grammar: Arc::clone(&target.grammar),
        judge: Judge { map: Vec::new() },
        hazards: target.hazards.clone(),
        read_back: Vec::new(),
        right: target.right.clone(),
        pace: Pace::default(),
    }
}

/// The server on the interface under test, where it is on a serial line.
///
/// # Errors
/// For a case without an interface.
pub fn serial<'b>(p: &Procedure<'b>) -> Result<Serial<'b>, Stop> {
    let interface = p.interface()?;
    Ok(Serial {
        bench: p.bench(),
        interface: p.name(),
        unit: interface.unit,
        settings: interface.serial,
        grammar: grammar(p, Framing::Rtu)?,
        judge: judge(p)?,
        hazards: Hazards::of(p.rig(), p.name(), Framing::Rtu),
        right: reading(p),
        line: Mutex::new(None),
        pace: Pace::default(),
        slow: AtomicBool::new(false),
    })
}

fn grammar(p: &Procedure<'_>, framing: Framing) -> Result<Arc<ModbusGrammar>, Stop> {
    Ok(Arc::new(ModbusGrammar {
        framing,
        unit: p.interface()?.unit,
        map: around(p.rig(), p.name()),
    }))
}

fn judge(p: &Procedure<'_>) -> Result<Judge, Stop> {
    let declared = p.interface()?.offers.map.clone();
    Ok(Judge {
        map: declared.unwrap_or_default(),
    })
}

/// The items that an operation writes on an interface, and another one reads back there.
fn read_back(rig: &Rig, interface: &str) -> Vec<(Area, u16)> {
    let written = rig.operations.values().filter_map(|operation| {
        let reader = rig
            .operations
            .get(operation.read_back.as_ref()?.value.as_str())?;
        let (
            Binding::Modbus(ModbusBinding::Write(area, at)),
            Binding::Modbus(ModbusBinding::Read(of, from)),
        ) = (operation.on(interface)?, reader.on(interface)?)
        else {
            return None;
        };
        (area == of && at == from).then_some((*area, *at))
    });
    written.collect()
}

/// What inputs are generated around: the declared data model, else the items that operations are bound to.
fn around(rig: &Rig, interface: &str) -> Map {
    let declared = rig
        .interface(interface)
        .and_then(|it| it.offers.map.clone());
    let spans = declared.unwrap_or_else(|| {
        let bindings = rig.operations.values().filter_map(|it| it.on(interface));
        let spans = bindings.filter_map(|binding| match binding {
            Binding::Modbus(ModbusBinding::Read(area, at) | ModbusBinding::Write(area, at)) => {
                Some(Span {
                    area: *area,
                    from: *at,
                    to: *at,
                })
            }
            _ => None,
        });
        spans.collect()
    });
    Map {
        spans,
        bounded: bounded(rig, interface),
    }
}
