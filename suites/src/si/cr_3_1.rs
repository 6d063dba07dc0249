//! CR 3.1: communication integrity.

use std::time::Duration;

use slcert_rigs::bench::Who;
use slcert_rigs::modbus::wire::{Mbap, Rtu, mbap, rtu};
use slcert_rigs::rig::{Area, Binding, InterfaceKind, ModbusBinding, Operation};

use crate::case::{Case, Fits, Kind, Run, Scope, Svv};
use crate::effect::{other_value, state};
use crate::modbus::{hex, reading};
use crate::procedure::{Procedure, Stop};

/// The cases of this requirement.
pub const CASES: &[Case] = &[Case {
    id: "corrupt-frames",
    title: "corrupt frames are dropped without effect",
    requirements: &["CR 3.1"],
    kind: Kind::Conformance,
    scope: Scope::Each(Fits {
        kinds: &[InterfaceKind::ModbusRtu, InterfaceKind::ModbusTcp],
        ..Fits::ALL
    }),
    needs: &[],
    objective: "Find out whether a frame whose checksum, length or header is wrong is taken for a request.",
    criterion: "No corrupt frame gets an answer that carries out its request, and nothing that such a frame would write changes; right \
                frames before and after are answered.",
    svv: Svv::Requirements,
    body: |p| -> Run<'_> { Box::pin(corrupt_frames(p)) },
}];

/// How long an answer to a corrupt frame is waited for.
const WAIT: Duration = Duration::from_millis(300);
/// The silence that ends an RTU frame here; longer than any real gap between its bytes.
const GAP: Duration = Duration::from_millis(60);

/// What an interface can write and read back: one item of an operation.
struct Item<'r> {
    area: Area,
    address: u16,
    operation: &'r Operation,
    read_back: &'r str,
}

impl Item<'_> {
    /// A request that writes another value than there is now.
    fn write(&self, now: &str) -> Vec<u8> {
        let value: u16 = other_value(self.operation, now).parse().unwrap_or(1);
        let [high, low] = self.address.to_be_bytes();
        let [first, second] = value.to_be_bytes();
        match self.area {
            Area::Coil | Area::Discrete => vec![5, high, low, if value == 0 { 0 } else { 0xFF }, 0],
            _ => vec![6, high, low, first, second],
        }
    }
}

fn item<'r>(p: &Procedure<'r>) -> Option<Item<'r>> {
    let rig = p.rig();
    rig.operations.iter().find_map(|(name, operation)| {
        let read_back = operation.read_back.as_ref()?.value.as_str();
        operation.values?;
        match rig.binding(name.as_str(), p.name())? {
            Binding::Modbus(ModbusBinding::Write(area, address)) => Some(Item {
                area: *area,
                address: *address,
                operation,
                read_back,
            }),
            _ => None,
        }
    })
}

async fn corrupt_frames(p: &mut Procedure<'_>) -> Result<(), Stop> {
    let interface = p.interface()?;
    let who = p
        .rig()
        .accounts_on(p.name())
        .map(|(name, _)| name.as_str())
        .max_by_key(|name| {
            p.rig()
                .accounts
                .get(*name)
                .and_then(|it| p.rig().roles.get(&it.role.value))
                .map_or(0, |role| role.may.len())
        })
        .map_or(Who::Nobody, Who::Account);
    control(p, &who, "a right frame before").await?;
    let mut requests = vec![("a read", None)];
    requests.extend(item(p).map(|item| ("a write", Some(item))));
    for (what, item) in requests {
        for at in 0..corrupted(interface.kind, interface.unit, &[]).len() {
            let before = match &item {
                Some(item) => Some(state(p, item.read_back).await?),
                None => None,
            };
            let pdu = match (&item, &before) {
                (Some(item), Some(before)) => item.write(before),
                _ => reading(p),
            };
            let (how, frame) = corrupted(interface.kind, interface.unit, &pdu).swap_remove(at);
            let mut raw = p.bench().raw_modbus(p.name(), &who).await?;
            let sent = raw.send(&frame).await;
            let answer = match sent {
                Ok(()) if interface.kind == InterfaceKind::ModbusRtu => {
                    raw.receive_rtu(WAIT, GAP).await.ok().flatten()
                }
                Ok(()) => raw.receive_tcp(WAIT).await.ok().flatten(),
                Err(_) => None,
            };
            drop(raw);
            let carried_out = answer
                .as_deref()
                .is_some_and(|bytes| carries_out(interface.kind, bytes, &pdu));
            let observed = match &answer {
                Some(bytes) => format!("answered with {}", hex(bytes)),
                None => "no answer".to_owned(),
            };
            p.check(
                format!("{what} with {how}"),
                "not carried out",
                observed,
                !carried_out,
            );
            if let (Some(item), Some(before)) = (&item, before) {
                let (operation, after) = (item.read_back, state(p, item.read_back).await?);
                p.check(
                    format!("{what} with {how}, read back"),
                    format!("{operation} stays {before}"),
                    format!("{operation} is {after}"),
                    after == before,
                );
            }
        }
    }
    control(p, &who, "a right frame after").await
}

/// A right frame has to be answered: else the silences above say nothing.
async fn control(p: &mut Procedure<'_>, who: &Who<'_>, when: &str) -> Result<(), Stop> {
    let pdu = reading(p);
    let mut client = p.bench().modbus_client(p.name(), who).await?;
    match client.exchange(&pdu, Duration::from_secs(2)).await {
        Ok(answer) => {
            p.check(
                when,
                "answered",
                format!("answered with {}", hex(&answer)),
                true,
            );
            Ok(())
        }
        Err(error) => Err(Stop::inconclusive(format!(
            "{when} was not answered: {error}"
        ))),
    }
}

/// Whether an answer is of a request that was carried out: its function without the exception bit, in a right frame.
pub fn carries_out(kind: InterfaceKind, bytes: &[u8], pdu: &[u8]) -> bool {
    let answer = match kind {
        InterfaceKind::ModbusRtu => Rtu::new_checked(bytes)
            .ok()
            .map(|frame| frame.pdu().to_vec()),
        _ => Mbap::new_checked(bytes)
            .ok()
            .map(|frame| frame.pdu().to_vec()),
    };
    answer.is_some_and(|answer| answer.first() == pdu.first())
}

/// The request in frames that are wrong in one thing.
pub fn corrupted(kind: InterfaceKind, unit: u8, pdu: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    if kind == InterfaceKind::ModbusRtu {
        let mut bytes = vec![unit];
        bytes.extend_from_slice(pdu);
        let right = rtu::seal(bytes);
        let last = right.len() - 1;
        let altered = |at: usize, mask: u8| {
            let mut frame = right.clone();
            frame[at] ^= mask;
            frame
        };
        let mut swapped = right.clone();
        swapped.swap(last - 1, last);
        return vec![
            ("one bit of the checksum wrong", altered(last, 0x01)),
            ("one bit of the data wrong", altered(last - 2, 0x01)),
            ("the checksum's bytes swapped", swapped),
            ("no checksum", right[..last - 1].to_vec()),
            ("the last byte missing", right[..last].to_vec()),
        ];
    }
    let length = (pdu.len() + 1) as u16;
    vec![
        (
            "a protocol identifier that is not Modbus",
            mbap::lie(7, 0x1234, length, unit, pdu),
        ),
        ("a length of zero", mbap::lie(8, 0, 0, unit, pdu)),
        (
            "a length that ends inside the request",
            mbap::lie(9, 0, 3, unit, pdu),
        ),
        (
            "a length beyond the largest frame",
            mbap::lie(10, 0, 0xFFFF, unit, pdu),
        ),
        (
            "a length that promises more than comes",
            mbap::lie(11, 0, length + 4, unit, pdu),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_corrupted_frame_is_right() {
        let pdu = [6, 0, 1, 0, 17];
        for (how, frame) in corrupted(InterfaceKind::ModbusRtu, 1, &pdu) {
            assert!(Rtu::new_checked(&frame[..]).is_err(), "{how}");
        }
        for (how, frame) in corrupted(InterfaceKind::ModbusTcp, 1, &pdu) {
            assert!(Mbap::new_checked(&frame[..]).is_err(), "{how}");
        }
    }
}
