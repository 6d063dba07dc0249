//! A serial line in its own time: what was written has left it only once its bits have.

use std::time::Duration;

use slcert_rigs::line::Line;
use slcert_rigs::modbus::wire::Rtu as Frame;
use slcert_rigs::modbus::wire::rtu;
use slcert_rigs::modbus::{Raw, RawError};
use slcert_rigs::rig::{Parity, SerialPort};
use tokio::time::{Instant, sleep_until};

/// The silence that ends an answer at the least: ptys need more than 3.5 characters.
const GAP: Duration = Duration::from_millis(4);
/// How late a timer of the runtime is at the least, which a slow line has no time for.
const LATE: Duration = Duration::from_millis(1);
/// The silence that ends one that is no whole frame yet: adapters hand on what came every 16 ms.
const REST: Duration = Duration::from_millis(40);
/// The least bytes of an answer: `01 94 01 8F` begins an exception, and has a right CRC by chance.
const SHORTEST: usize = 5;
/// The silence between frames on a line faster than 19,200 baud (Modbus over Serial Line V1.02, section 2.5.1.1).
const FAST: (u32, Duration) = (19_200, Duration::from_micros(1750));

/// An open line.
pub struct Port {
    raw: Raw<Line>,
    settings: SerialPort,
    /// When what was written has left the line.
    left: Instant,
}

impl Port {
    pub fn new(line: Line, settings: SerialPort) -> Self {
        Self {
            raw: Raw::new(line),
            settings,
            left: Instant::now(),
        }
    }

    /// How long so many bytes are on the line.
    pub fn takes(&self, bytes: usize) -> Duration {
        takes(self.settings, bytes)
    }

    /// The silence that ends a frame.
    pub fn gap(&self) -> Duration {
        let (baud, least) = FAST;
        let silence = match self.settings.baud {
            fast if fast > baud => least,
            _ => self.takes(7) / 2,
        };
        GAP.max(silence)
    }

    /// Writes bytes; nothing is waited for.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), RawError> {
        self.raw.send(bytes).await?;
        self.left = self.left.max(Instant::now()) + self.takes(bytes.len());
        Ok(())
    }

    /// Leaves the line silent, once all has left it.
    pub async fn pause(&mut self, time: Duration) {
        let left = self.left.max(Instant::now());
        sleep_until(left + time).await;
    }

    /// Takes a frame, legal or not, that begins so long after all has left the line at the latest.
    pub async fn receive(&mut self, limit: Duration) -> Result<Option<Vec<u8>>, RawError> {
        let limit = limit + self.left.saturating_duration_since(Instant::now());
        let gap = self.gap() - LATE;
        let Some(mut bytes) = self.raw.receive_rtu(limit, gap).await? else {
            return Ok(None);
        };
        let is_whole = |bytes: &[u8]| bytes.len() >= SHORTEST && Frame::new_checked(bytes).is_ok();
        while bytes.len() < rtu::MAX_FRAME && !is_whole(&bytes) {
            match self.raw.receive_rtu(REST, gap).await? {
                Some(more) => bytes.extend(more),
                None => break,
            }
        }
        if let Some(came) = self.raw.came() {
            silent_until(came + self.gap()).await;
        }
        Ok(Some(bytes))
    }

    /// All has left the line: it was answered. A pty is faster than its bits.
    pub fn is_answered(&mut self) {
        self.left = self.left.min(Instant::now());
    }
}

/// Waits until then, and no longer: timers of the runtime count in milliseconds.
async fn silent_until(then: Instant) {
    let left = then.saturating_duration_since(Instant::now());
    if !left.is_zero() {
        // A sleep does not panic.
        let _ = tokio::task::spawn_blocking(move || std::thread::sleep(left)).await;
    }
}

/// How long so many bytes are on a line.
pub fn takes(settings: SerialPort, bytes: usize) -> Duration {
    let SerialPort {
        baud,
        parity,
        stop_bits,
    } = settings;
    let bits = 9 + u64::from(parity != Parity::None) + u64::from(stop_bits);
    Duration::from_nanos(bytes as u64 * bits * 1_000_000_000 / u64::from(baud.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(baud: u32, parity: Parity) -> Port {
        let (ours, _) = tokio::io::duplex(64);
        let settings = SerialPort {
            baud,
            parity,
            stop_bits: 1,
        };
        Port::new(Box::new(ours), settings)
    }

    #[tokio::test]
    async fn a_character_has_the_bits_that_the_rig_file_gives_it() {
        let even = port(9600, Parity::Even);
        assert_eq!(even.takes(96), Duration::from_millis(110));
        assert_eq!(
            port(9600, Parity::None).takes(96),
            Duration::from_millis(100)
        );
        assert_eq!(port(1200, Parity::Even).gap().as_micros(), 32_083);
        assert_eq!(port(115_200, Parity::Even).gap(), GAP);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_in_pieces_is_one_and_the_line_is_given_its_time() {
        use tokio::io::AsyncWriteExt;
        let (ours, mut peer) = tokio::io::duplex(1 << 10);
        let settings = SerialPort {
            baud: 9600,
            parity: Parity::Even,
            stop_bits: 1,
        };
        let mut port = Port::new(Box::new(ours), settings);
        let began = Instant::now();
        port.send(&[0; 96]).await.unwrap();
        assert_eq!(port.receive(Duration::from_millis(10)).await.unwrap(), None);
        assert!(began.elapsed().as_millis() >= 120, "{:?}", began.elapsed());
        let frame = rtu::seal(vec![1, 0x94, 1]);
        let (first, rest) = frame.split_at(4);
        let (first, rest) = (first.to_vec(), rest.to_vec());
        tokio::spawn(async move {
            peer.write_all(&first).await.unwrap();
            tokio::time::sleep(Duration::from_millis(16)).await;
            peer.write_all(&rest).await.unwrap();
            tokio::time::sleep(Duration::from_secs(9)).await;
        });
        let came = port.receive(Duration::from_millis(10)).await.unwrap();
        assert_eq!(came.unwrap(), frame);
    }
}
