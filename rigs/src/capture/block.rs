//! The blocks of a pcapng file, by the IETF's draft-ietf-opsawg-pcapng. Little-endian throughout.

const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const DECRYPTION_SECRETS: u32 = 10;

const BYTE_ORDER: u32 = 0x1A2B_3C4D;
/// Lines of a key log as TLS libraries write it for debuggers ("TLSK").
const TLS_KEY_LOG: u32 = 0x544C_534B;

/// Options. A comment may stand in any block.
const COMMENT: u16 = 1;
const SECTION_APPLICATION: u16 = 4;
const INTERFACE_NAME: u16 = 2;
const INTERFACE_RESOLUTION: u16 = 9;
const PACKET_FLAGS: u16 = 2;

/// Times are in units of 10^-9 s.
const NANOSECONDS: u8 = 9;

/// Which way a packet went, as its flags say.
pub const INBOUND: u32 = 1;
pub const OUTBOUND: u32 = 2;

/// Begins a file.
pub fn section(application: &str, comment: Option<&str>) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(BYTE_ORDER.to_le_bytes());
    // Version 1.0, of a length that is not said.
    body.extend([1, 0, 0, 0]);
    body.extend((-1_i64).to_le_bytes());
    option(&mut body, SECTION_APPLICATION, application.as_bytes());
    end(&mut body, comment);
    block(SECTION_HEADER, &body)
}

/// Says where packets are from. The first one is number 0.
pub fn interface(link_type: u16, name: &str) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(link_type.to_le_bytes());
    body.extend([0, 0]);
    // No packet is cut.
    body.extend(0_u32.to_le_bytes());
    option(&mut body, INTERFACE_NAME, name.as_bytes());
    option(&mut body, INTERFACE_RESOLUTION, &[NANOSECONDS]);
    end(&mut body, None);
    block(INTERFACE_DESCRIPTION, &body)
}

/// A packet, at a time in nanoseconds since 1970.
pub fn packet(interface: u32, at: u64, bytes: &[u8], flags: u32, comment: Option<&str>) -> Vec<u8> {
    let length = (bytes.len() as u32).to_le_bytes();
    let mut body = Vec::with_capacity(bytes.len() + 48);
    body.extend(interface.to_le_bytes());
    body.extend(((at >> 32) as u32).to_le_bytes());
    body.extend((at as u32).to_le_bytes());
    body.extend(length);
    body.extend(length);
    padded(&mut body, bytes);
    option(&mut body, PACKET_FLAGS, &flags.to_le_bytes());
    end(&mut body, comment);
    block(ENHANCED_PACKET, &body)
}

/// The keys of TLS sessions whose packets follow.
pub fn tls_keys(lines: &str) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(TLS_KEY_LOG.to_le_bytes());
    body.extend((lines.len() as u32).to_le_bytes());
    padded(&mut body, lines.as_bytes());
    block(DECRYPTION_SECRETS, &body)
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32 + 12).to_le_bytes();
    [&kind.to_le_bytes(), &length, body, &length].concat()
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    padded(body, value);
}

/// Ends the options of a block.
fn end(body: &mut Vec<u8>, comment: Option<&str>) {
    if let Some(comment) = comment {
        option(body, COMMENT, comment.as_bytes());
    }
    body.extend([0; 4]);
}

fn padded(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend(bytes);
    body.resize(body.len().next_multiple_of(4), 0);
}
