//! Modbus RTU on a serial line (Modbus over Serial Line V1.02, section 2.5.1).
//!
//! A pseudo-terminal has no bit times, so frames are told apart by the length that their function code implies, and by pauses.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::{Access, Client, UNIT, answer};
use crate::audit::Source;
use crate::controller::Controller;
use crate::flaw::Defect;
use crate::pty::Pty;

/// The pause that ends what is no whole frame.
const SILENCE: Duration = Duration::from_millis(20);
/// The pause that ends a whole frame: a little more than the 1.75 ms of a line above 19200 baud.
const FRAME_END: Duration = Duration::from_millis(2);
const LONGEST: usize = 256;
const SHORTEST: usize = 4;
const BROADCAST: u8 = 0;

/// Serves the line for as long as the system lets it.
pub(crate) async fn serve(pty: Pty, controller: Arc<Controller>) {
    let client = Client::unknown(Source::ModbusRtu, Access::ReadOnly);
    let mut received: Vec<u8> = Vec::with_capacity(LONGEST);
    let mut buffer = [0; LONGEST];
    // Whether the flaw `next-frame-lost` loses what comes.
    let mut loses = false;
    loop {
        // A frame of known length is over when nothing follows at once; any other when the line falls silent.
        let wait = match (received.len(), expected_length(&received)) {
            (0, _) => Duration::MAX,
            (length, Some(expected)) if length == expected => FRAME_END,
            _ => SILENCE,
        };
        match timeout(wait, pty.read(&mut buffer)).await {
            Ok(Ok(count)) => {
                received.extend(&buffer[..count]);
                // One byte more than the longest frame is enough to know that it is none.
                received.truncate(LONGEST + 1);
            }
            Ok(Err(error)) => {
                eprintln!("modbus rtu: {error}");
                return;
            }
            Err(_pause) => {
                let whole =
                    expected_length(&received).is_none_or(|length| length == received.len());
                if std::mem::take(&mut loses) {
                    // Nothing comes of it.
                } else if whole && is_intact(&received, &controller) {
                    if respond(&pty, &controller, &client, &received)
                        .await
                        .is_err()
                    {
                        return;
                    }
                } else {
                    loses = whole && controller.flaws.enabled(Defect::NextFrameLost);
                    controller
                        .audit
                        .record_malformed(Source::ModbusRtu, "broken frame");
                }
                received.clear();
            }
        }
    }
}

async fn respond(
    pty: &Pty,
    controller: &Controller,
    client: &Client,
    frame: &[u8],
) -> std::io::Result<()> {
    let (unit, request) = (frame[0], &frame[1..frame.len() - 2]);
    match unit {
        UNIT => {
            let mut reply = vec![UNIT];
            reply.extend(answer(controller, client, request));
            reply.extend(crc(&reply).to_le_bytes());
            pty.write(&reply).await
        }
        BROADCAST => {
            // Obeyed, as far as a read-only line goes, and never answered.
            let answer = answer(controller, client, request);
            if controller.flaws.enabled(Defect::BroadcastAnswered) {
                let mut reply = vec![BROADCAST];
                reply.extend(answer);
                reply.extend(crc(&reply).to_le_bytes());
                return pty.write(&reply).await;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn is_intact(frame: &[u8], controller: &Controller) -> bool {
    if frame.len() < SHORTEST || frame.len() > LONGEST {
        return false;
    }
    let (body, check) = frame.split_at(frame.len() - 2);
    crc(body).to_le_bytes() == check || controller.flaws.enabled(Defect::AcceptsBadCrc)
}

/// The length of the frame that begins here, as far as its function code tells.
fn expected_length(bytes: &[u8]) -> Option<usize> {
    match bytes.get(1)? {
        1..=6 => Some(8),
        // Until the byte count is there, the head's own length stands for the frame's.
        15 | 16 => Some(9 + bytes.get(6).map_or(0, |count| usize::from(*count))),
        43 => Some(7),
        _ => None,
    }
}

/// CRC-16 of section 6.2.2, sent low byte first.
fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                crc >> 1 ^ 0xa001
            } else {
                crc >> 1
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_is_the_specifications() {
        // Read one holding register of unit 1, as every Modbus tool sends it.
        assert_eq!(crc(&[1, 3, 0, 0, 0, 1]).to_le_bytes(), [0x84, 0x0a]);
    }

    #[test]
    fn lengths_follow_the_function_code() {
        assert_eq!(expected_length(&[1, 3]), Some(8));
        assert_eq!(expected_length(&[1, 16, 0, 0, 0, 2, 4]), Some(13));
        assert_eq!(expected_length(&[1, 16, 0]), Some(9));
        assert_eq!(expected_length(&[1, 43, 14, 1, 0]), Some(7));
        assert_eq!(expected_length(&[1, 99]), None);
        assert_eq!(expected_length(&[1]), None);
    }
}
