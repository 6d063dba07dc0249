//! A broker that answers as the standard asks, and hands nothing on: what a device finds that comes to the bench.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::raw::Raw;
use super::wire::Version;
use super::wire::frame::{Length, PacketType, length, packet, sized};

/// A client that says nothing for so long is gone.
const IDLE: Duration = Duration::from_secs(1200);

/// Serves one client until it leaves.
pub(crate) async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, version: Version) {
    let mut raw = Raw::new(stream);
    while let Ok(Some(came)) = raw.receive(IDLE).await {
        let leaves = PacketType::of(came[0]) == PacketType::Disconnect;
        if leaves || raw.send(&answer(&came, version)).await.is_err() {
            return;
        }
    }
}

/// What a broker owes a client for a packet of it; nothing where that is no answer, or where the packet does not read as one.
pub fn answer(came: &[u8], version: Version) -> Vec<u8> {
    owed(came, version == Version::V5).unwrap_or_default()
}

fn owed(came: &[u8], v5: bool) -> Option<Vec<u8>> {
    let Length::Bytes { header, total } = length(came) else {
        return None;
    };
    let body = came.get(header..total)?;
    let (kind, body) = match PacketType::of(came[0]) {
        PacketType::Connect => (
            PacketType::ConnAck,
            if v5 { vec![0; 3] } else { vec![0; 2] },
        ),
        PacketType::PingReq => (PacketType::PingResp, Vec::new()),
        PacketType::Publish => {
            let kind = match came[0] >> 1 & 3 {
                1 => PacketType::PubAck,
                2 => PacketType::PubRec,
                _ => return None,
            };
            let topic = usize::from(u16::from_be_bytes(*body.first_chunk()?));
            (kind, body.get(2 + topic..4 + topic)?.to_vec())
        }
        PacketType::PubRec => (PacketType::PubRel, body.get(..2)?.to_vec()),
        PacketType::PubRel => (PacketType::PubComp, body.get(..2)?.to_vec()),
        PacketType::Subscribe => (PacketType::SubAck, acknowledged(body, v5, true)?),
        PacketType::Unsubscribe => (PacketType::UnsubAck, acknowledged(body, v5, false)?),
        _ => return None,
    };
    packet(kind.first_byte(), &body).ok()
}

/// The body of a SUBACK or an UNSUBACK: each filter is granted as it was asked for.
fn acknowledged(body: &[u8], v5: bool, subscribes: bool) -> Option<Vec<u8>> {
    let (id, mut rest) = body.split_first_chunk::<2>()?;
    let mut answer = id.to_vec();
    if v5 {
        let (size, after) = rest.split_first()?;
        // More properties than fit into 127 bytes are no client's that is served here.
        rest = after.get(usize::from(*size)..)?;
        answer.push(0);
    }
    while let Some((size, after)) = rest.split_first_chunk::<2>() {
        rest = after.get(usize::from(u16::from_be_bytes(*size))..)?;
        if subscribes {
            let (options, after) = rest.split_first()?;
            answer.push((options & 3).min(2));
            rest = after;
        } else if v5 {
            answer.push(0);
        }
    }
    Some(answer)
}

/// What a CONNECT says, as far as a broker has to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Came {
    /// The protocol's level.
    pub level: u8,
    /// The user name.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Vec<u8>>,
}

/// Reads a CONNECT (§3.1).
///
/// # Errors
/// What is wrong with it.
pub fn connect(came: &[u8]) -> Result<Came, &'static str> {
    const SHORT: &str = "a CONNECT that ends inside a field";
    let Length::Bytes { header, total } = length(came) else {
        return Err("no packet");
    };
    if came.first() != Some(&PacketType::Connect.first_byte()) {
        return Err("another packet than CONNECT comes first");
    }
    let body = came.get(header..total).ok_or(SHORT)?;
    let name = sized(b"MQTT").unwrap_or_default();
    let rest = body.strip_prefix(&name[..]).ok_or("no CONNECT of MQTT")?;
    let [level, flags, _, _, rest @ ..] = rest else {
        return Err(SHORT);
    };
    let mut fields = Fields(rest);
    if flags & 1 != 0 {
        return Err("a CONNECT with a reserved flag");
    }
    if *level == Version::V5.level() {
        fields.properties().ok_or(SHORT)?;
    }
    fields.next().ok_or(SHORT)?;
    if flags & 0x04 != 0 {
        if *level == Version::V5.level() {
            fields.properties().ok_or(SHORT)?;
        }
        fields.next().and_then(|_| fields.next()).ok_or(SHORT)?;
    }
    let mut named = |flag: u8| match flags & flag {
        0 => Ok(None),
        _ => fields.next().map(Some).ok_or(SHORT),
    };
    let (user, password) = (named(0x80)?, named(0x40)?);
    if !fields.0.is_empty() {
        return Err("a CONNECT with bytes behind its last field");
    }
    Ok(Came {
        level: *level,
        user: user.map(|user| String::from_utf8_lossy(user).into_owned()),
        password: password.map(<[u8]>::to_vec),
    })
}

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let (size, rest) = self.0.split_first_chunk::<2>()?;
        let (field, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*size)))?;
        self.0 = rest;
        Some(field)
    }

    fn properties(&mut self) -> Option<()> {
        let super::wire::frame::Variable::Value { value, size } =
            super::wire::frame::read_variable(self.0)
        else {
            return None;
        };
        self.0 = self.0.get(size + usize::try_from(value).ok()?..)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::wire::Connect;

    #[test]
    fn each_packet_gets_what_it_is_owed() {
        let subscribe = [0x82, 9, 0, 7, 0, 0, 3, b'a', b'/', b'b', 1];
        assert_eq!(answer(&subscribe, Version::V5), [0x90, 4, 0, 7, 0, 1]);
        let subscribe = [0x82, 10, 0, 7, 0, 1, b'a', 0, 0, 1, b'b', 2];
        assert_eq!(answer(&subscribe, Version::V311), [0x90, 4, 0, 7, 0, 2]);
        let publish = [0x32, 7, 0, 3, b'a', b'/', b'b', 0, 9];
        assert_eq!(answer(&publish, Version::V311), [0x40, 2, 0, 9]);
        assert_eq!(answer(&[0x62, 2, 0, 9], Version::V5), [0x70, 2, 0, 9]);
        assert_eq!(answer(&[0xC0, 0], Version::V5), [0xD0, 0]);
        assert_eq!(answer(&[0x82, 3, 0, 7, 0], Version::V311), [0x90, 2, 0, 7]);
        assert_eq!(answer(&[0x32, 1, 0], Version::V311), [0u8; 0]);
    }

    #[test]
    fn a_connect_is_read_and_what_is_none_is_told() {
        let mut written = Connect::new(Version::V5, "device");
        written.user = Some("u".into());
        written.password = Some(b"p".to_vec());
        let bytes = written.emit().unwrap();
        let came = connect(&bytes).unwrap();
        assert_eq!((came.level, came.user.as_deref()), (5, Some("u")));
        assert_eq!(came.password.as_deref(), Some(&b"p"[..]));
        assert!(connect(&[0xC0, 0]).is_err());
        let mut short = bytes.clone();
        short[1] -= 1;
        short.pop();
        assert!(connect(&short).is_err());
        let plain = Connect::new(Version::V311, "device").emit().unwrap();
        assert_eq!(connect(&plain).unwrap().user, None);
    }
}
