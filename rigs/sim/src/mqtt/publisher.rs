//! What the device publishes: its identity, its level each second, its output and setpoint when they change, acknowledgements, and alerts.

use std::sync::Arc;
use std::time::Duration;

use mqtt5::QoS;
use mqtt5::broker::router::MessageRouter;
use mqtt5::packet::publish::PublishPacket;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::command::Reply;
use crate::controller::{Controller, PRODUCT, VENDOR};
use crate::flaw::Defect;
use crate::process::Point;

const LEVEL_PERIOD: Duration = Duration::from_millis(300);
pub(super) const ALERTS: &str = "plant/alert";
/// How late the flaw `alert-late` is.
const LATE: Duration = Duration::from_secs(4);

pub(super) async fn run(
    controller: Arc<Controller>,
    router: Arc<MessageRouter>,
    mut replies: mpsc::Receiver<Reply>,
) {
    let mut told = [None, None];
    let mut told_firmware = None;
    let mut ticks = interval(LEVEL_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let firmware = controller.firmware_version();
        if told_firmware.replace(firmware) != Some(firmware) {
            let mut identity = json!({
                "vendor": VENDOR, "product": PRODUCT, "firmware": firmware.to_string(),
                "serial": controller.serial(),
            });
            if let Some(beside) = controller.beside_identity() {
                identity["build"] = beside.into();
            }
            retained(&router, "plant/identity", &identity).await;
        }
        for (point, told) in [Point::Output, Point::Setpoint].into_iter().zip(&mut told) {
            let value = controller.process.get(point);
            if told.replace(value) != Some(value) {
                let topic = format!("plant/{}", point.name());
                retained(&router, &topic, &json!({ point.name(): value })).await;
            }
        }
        tokio::select! {
            _ = ticks.tick() => {
                let level = json!({ "level": controller.process.level() });
                send(&router, PublishPacket::new("plant/level", level.to_string(), QoS::AtMostOnce)).await;
            }
            () = controller.changed.notified() => {}
            alert = controller.alerts.next() => {
                let (router, late) = (Arc::clone(&router), controller.flaws.enabled(Defect::AlertLate));
                tokio::spawn(async move {
                    tokio::time::sleep(if late { LATE } else { Duration::ZERO }).await;
                    send(&router, PublishPacket::new(ALERTS, alert, QoS::AtLeastOnce)).await;
                });
            }
            Some(reply) = replies.recv() => {
                if let Ok(reply) = serde_json::to_string(&reply) {
                    send(&router, PublishPacket::new("plant/ack", reply, QoS::AtLeastOnce)).await;
                }
            }
        }
    }
}

async fn retained(router: &MessageRouter, topic: &str, content: &Value) {
    let packet = PublishPacket::new(topic, content.to_string(), QoS::AtLeastOnce);
    send(router, packet.with_retain(true)).await;
}

async fn send(router: &MessageRouter, packet: PublishPacket) {
    router.route_message(&packet, None).await;
}
