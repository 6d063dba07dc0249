//! An order that the device takes as a client, and whether one that was none has been carried out.

use std::time::Duration;

use memchr::memmem;
use slcert_rigs::bench::Bench;
use slcert_rigs::mqtt::wire::{ClientPacket, Properties, Publish, Version};
use slcert_rigs::rig::{self, Template};
use tokio::time::sleep;

use super::grammar::OrderText;
use crate::fuzz::deed::Deed;
use crate::fuzz::finding::{Finding, Oracle};
use crate::modbus::hex;
use crate::procedure::Stop;

/// How often it is looked whether an order was carried out, and the time between two looks.
const LOOKS: (u32, Duration) = (2, Duration::from_millis(20));
/// What stands in place of the number while the text around it is looked for.
const NUMBER: &str = "\u{1}";

/// An order, and who reads what it changes.
pub struct Order<'b> {
    /// How it is written.
    pub text: OrderText,
    bench: &'b Bench,
    reads: Deed<'b>,
}

impl<'b> Order<'b> {
    /// Of the rig file.
    ///
    /// # Errors
    /// NOT EVALUATED where nobody can read what it changes.
    pub fn of(bench: &'b Bench, order: &'b rig::Order) -> Result<Self, Stop> {
        let operation = order.changes.value.as_str();
        let reads = Deed::quickest(bench, operation, |_| true).ok_or_else(|| {
            Stop::not_evaluated(format!(
                "nobody can read what the order changes (`{operation}`)"
            ))
        })?;
        let mut values = bench.values();
        values.insert("value".to_owned(), NUMBER.to_owned());
        let fill = |template: &Template| {
            template
                .fill(&values)
                .map_err(|error| Stop::inconclusive(error.to_string()))
        };
        let payload = fill(&order.payload)?;
        let (before, behind) = payload.split_once(NUMBER).unwrap_or((&payload, ""));
        Ok(Self {
            text: OrderText {
                topic: fill(&order.topic)?,
                around: (before.to_owned(), behind.to_owned()),
                values: order.values,
            },
            bench,
            reads,
        })
    }

    /// Whether bytes name it.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        memmem::find(bytes, self.text.topic.as_bytes()).is_some()
    }

    /// The right order for a value that was read, where the suite may order that.
    pub fn right(&self, value: &str, id: u16, version: Version) -> Option<Vec<u8>> {
        let (from, to) = self.text.values;
        let number = value.parse::<u32>().ok()?;
        (from..=to).contains(&number).then_some(())?;
        let publish = Publish {
            topic: self.text.topic.clone(),
            payload: self.text.payload(number),
            qos: 1,
            retain: false,
            dup: false,
            packet_id: id,
            properties: Properties::default(),
        };
        ClientPacket::Publish(publish).emit(version).ok()
    }

    /// What it changes, as it is now; none where the bench cannot read it.
    pub async fn value(&self) -> Option<String> {
        self.reads.read(self.bench).await
    }

    /// Whether an order in bytes that are none was carried out.
    pub async fn carried_out(&self, before: &str, bytes: &[u8]) -> Option<Finding> {
        let (looks, between) = LOOKS;
        for look in 0..looks {
            if look > 0 {
                sleep(between).await;
            }
            let after = self.value().await?;
            if after != before && memmem::find(bytes, &self.text.payload(&after)).is_some() {
                return Some(Finding::new(
                    Oracle::Acceptance,
                    "an order is carried out whose PUBLISH does not read as one",
                    format!(
                        "`{}` went from {before} to {after} after {}",
                        self.reads.operation,
                        hex(bytes)
                    ),
                ));
            }
        }
        None
    }
}
