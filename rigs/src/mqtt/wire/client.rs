//! What a client sends once it is connected (§3.3 to §3.14).

use super::frame::{PacketType, packet, sized};
use super::{EmitError, Properties, Version};

/// A message to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// The topic name.
    pub topic: String,
    /// The payload.
    pub payload: Vec<u8>,
    /// 0..=2.
    pub qos: u8,
    /// Whether the server keeps it.
    pub retain: bool,
    /// Whether it is sent again.
    pub dup: bool,
    /// Not 0 for QoS 1 and 2; not sent for QoS 0.
    pub packet_id: u16,
    /// Only in MQTT 5.0.
    pub properties: Properties,
}

/// PUBACK, PUBREC, PUBREL, PUBCOMP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// That of the PUBLISH.
    pub packet_id: u16,
    /// Only in MQTT 5.0; 0 is success.
    pub reason: u8,
    /// Only in MQTT 5.0.
    pub properties: Properties,
}

impl Ack {
    /// Success.
    pub fn of(packet_id: u16) -> Self {
        Self {
            packet_id,
            reason: 0,
            properties: Properties::default(),
        }
    }
}

/// One topic filter of a SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The topic filter.
    pub filter: String,
    /// The subscription options (5.0, §3.8.3.1) or the QoS (3.1.1).
    pub options: u8,
}

/// A packet from a client other than CONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientPacket {
    /// §3.3.
    Publish(Publish),
    /// §3.4.
    PubAck(Ack),
    /// §3.5.
    PubRec(Ack),
    /// §3.6.
    PubRel(Ack),
    /// §3.7.
    PubComp(Ack),
    /// §3.8.
    Subscribe {
        /// Not 0.
        packet_id: u16,
        /// At least one.
        filters: Vec<Subscription>,
        /// Only in MQTT 5.0.
        properties: Properties,
    },
    /// §3.10.
    Unsubscribe {
        /// Not 0.
        packet_id: u16,
        /// At least one.
        filters: Vec<String>,
        /// Only in MQTT 5.0.
        properties: Properties,
    },
    /// §3.12.
    PingReq,
    /// §3.14.
    Disconnect {
        /// Only in MQTT 5.0; 0 is normal.
        reason: u8,
        /// Only in MQTT 5.0.
        properties: Properties,
    },
}

impl ClientPacket {
    /// Writes the packet.
    ///
    /// # Errors
    /// [`EmitError`] says what cannot be written legally; [`frame`](super::frame) writes anything.
    pub fn emit(&self, version: Version) -> Result<Vec<u8>, EmitError> {
        let v5 = version == Version::V5;
        let mut body = Vec::new();
        let first = match self {
            Self::Publish(publish) => {
                if publish.qos > 2 {
                    return Err(EmitError::Qos(publish.qos));
                }
                body.extend(sized(publish.topic.as_bytes())?);
                if publish.qos > 0 {
                    body.extend(packet_id(publish.packet_id)?);
                }
                if v5 {
                    body.extend(publish.properties.emit()?);
                }
                body.extend(&publish.payload);
                let flags =
                    u8::from(publish.dup) << 3 | publish.qos << 1 | u8::from(publish.retain);
                PacketType::Publish.first_byte() | flags
            }
            Self::PubAck(ack) => put_ack(&mut body, ack, PacketType::PubAck, v5)?,
            Self::PubRec(ack) => put_ack(&mut body, ack, PacketType::PubRec, v5)?,
            Self::PubRel(ack) => put_ack(&mut body, ack, PacketType::PubRel, v5)?,
            Self::PubComp(ack) => put_ack(&mut body, ack, PacketType::PubComp, v5)?,
            Self::Subscribe {
                packet_id: id,
                filters,
                properties,
            } => {
                body.extend(packet_id(*id)?);
                if v5 {
                    body.extend(properties.emit()?);
                }
                for subscription in filters {
                    body.extend(sized(subscription.filter.as_bytes())?);
                    body.push(subscription.options);
                }
                if filters.is_empty() {
                    return Err(EmitError::NoFilter);
                }
                PacketType::Subscribe.first_byte()
            }
            Self::Unsubscribe {
                packet_id: id,
                filters,
                properties,
            } => {
                body.extend(packet_id(*id)?);
                if v5 {
                    body.extend(properties.emit()?);
                }
                for filter in filters {
                    body.extend(sized(filter.as_bytes())?);
                }
                if filters.is_empty() {
                    return Err(EmitError::NoFilter);
                }
                PacketType::Unsubscribe.first_byte()
            }
            Self::PingReq => PacketType::PingReq.first_byte(),
            Self::Disconnect { reason, properties } => {
                if v5 && (*reason != 0 || !properties.0.is_empty()) {
                    body.push(*reason);
                    body.extend(properties.emit()?);
                }
                PacketType::Disconnect.first_byte()
            }
        };
        packet(first, &body)
    }
}

fn packet_id(id: u16) -> Result<[u8; 2], EmitError> {
    if id == 0 {
        Err(EmitError::PacketId)
    } else {
        Ok(id.to_be_bytes())
    }
}

fn put_ack(body: &mut Vec<u8>, ack: &Ack, kind: PacketType, v5: bool) -> Result<u8, EmitError> {
    body.extend(packet_id(ack.packet_id)?);
    if v5 && (ack.reason != 0 || !ack.properties.0.is_empty()) {
        body.push(ack.reason);
        body.extend(ack.properties.emit()?);
    }
    Ok(kind.first_byte())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(qos: u8) -> Publish {
        Publish {
            topic: "a/b".into(),
            payload: b"on".to_vec(),
            qos,
            retain: false,
            dup: false,
            packet_id: 10,
            properties: Properties::default(),
        }
    }

    #[test]
    fn publishes() {
        let bytes = ClientPacket::Publish(publish(1))
            .emit(Version::V311)
            .unwrap();
        assert_eq!(bytes, [0x32, 9, 0, 3, b'a', b'/', b'b', 0, 10, b'o', b'n']);
        let retained = Publish {
            retain: true,
            dup: true,
            ..publish(0)
        };
        let bytes = ClientPacket::Publish(retained).emit(Version::V5).unwrap();
        assert_eq!(bytes, [0x39, 8, 0, 3, b'a', b'/', b'b', 0, b'o', b'n']);
        assert_eq!(
            ClientPacket::Publish(publish(3)).emit(Version::V5),
            Err(EmitError::Qos(3))
        );
        let nameless = Publish {
            packet_id: 0,
            ..publish(1)
        };
        assert_eq!(
            ClientPacket::Publish(nameless).emit(Version::V5),
            Err(EmitError::PacketId)
        );
    }

    #[test]
    fn subscribes_and_the_rest() {
        let subscribe = |filters| ClientPacket::Subscribe {
            packet_id: 10,
            filters,
            properties: Properties::default(),
        };
        let filters = vec![Subscription {
            filter: "a/b".into(),
            options: 1,
        }];
        assert_eq!(
            subscribe(filters.clone()).emit(Version::V311).unwrap(),
            [0x82, 8, 0, 10, 0, 3, b'a', b'/', b'b', 1]
        );
        assert_eq!(
            subscribe(filters).emit(Version::V5).unwrap(),
            [0x82, 9, 0, 10, 0, 0, 3, b'a', b'/', b'b', 1]
        );
        assert_eq!(
            subscribe(vec![]).emit(Version::V5),
            Err(EmitError::NoFilter)
        );
        assert_eq!(
            ClientPacket::PingReq.emit(Version::V311).unwrap(),
            [0xC0, 0]
        );
        let ack = |reason| {
            ClientPacket::PubRel(Ack {
                reason,
                ..Ack::of(7)
            })
        };
        assert_eq!(ack(0).emit(Version::V5).unwrap(), [0x62, 2, 0, 7]);
        assert_eq!(
            ack(0x92).emit(Version::V5).unwrap(),
            [0x62, 4, 0, 7, 0x92, 0]
        );
        let disconnect = ClientPacket::Disconnect {
            reason: 4,
            properties: Properties::default(),
        };
        assert_eq!(disconnect.emit(Version::V5).unwrap(), [0xE0, 2, 4, 0]);
        assert_eq!(disconnect.emit(Version::V311).unwrap(), [0xE0, 0]);
        let unsubscribe = ClientPacket::Unsubscribe {
            packet_id: 1,
            filters: vec!["#".into()],
            properties: Properties::default(),
        };
        assert_eq!(
            unsubscribe.emit(Version::V311).unwrap(),
            [0xA2, 5, 0, 1, 0, 1, b'#']
        );
    }
}
