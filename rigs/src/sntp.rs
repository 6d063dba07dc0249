//! A time server of the bench (RFC 5905, as a server of SNTP): it tells the bench's time, or one that is so far ahead.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use crate::line::Recorder;

/// The header of RFC 5905 section 7.3, as far as SNTP uses it.
mod field {
    use std::ops::Range;

    pub const FLAGS: usize = 0;
    pub const STRATUM: usize = 1;
    pub const POLL: usize = 2;
    pub const PRECISION: usize = 3;
    pub const REFERENCE_ID: Range<usize> = 12..16;
    pub const REFERENCE: Range<usize> = 16..24;
    pub const ORIGIN: Range<usize> = 24..32;
    pub const RECEIVE: Range<usize> = 32..40;
    pub const TRANSMIT: Range<usize> = 40..48;
    pub const LENGTH: usize = 48;
}

/// The modes of section 7.3 that stand here.
const CLIENT: u8 = 3;
const SERVER: u8 = 4;
/// Seconds from 1900, where the time of NTP begins, to 1970.
const EPOCH: u64 = 2_208_988_800;

/// A time server. Dropping it ends it.
#[derive(Debug)]
pub struct TimeServer {
    address: SocketAddr,
    told: Arc<Told>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Told {
    ahead_ms: AtomicI64,
    answers: AtomicU64,
}

impl TimeServer {
    /// Starts to answer at an address and a port, such as `127.0.0.1:0`.
    ///
    /// # Errors
    /// The address cannot be had.
    pub async fn start(listen: &str, recorder: &Recorder) -> io::Result<Self> {
        let socket = UdpSocket::bind(listen).await?;
        let address = socket.local_addr()?;
        let told = Arc::new(Told::default());
        let task = tokio::spawn(serve(socket, Arc::clone(&told), recorder.clone()));
        Ok(Self {
            address,
            told,
            task,
        })
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Tells a time that is so many seconds ahead of the bench's from now on; behind it, where the number is negative.
    pub fn set_ahead(&self, seconds: i64) {
        self.told
            .ahead_ms
            .store(seconds.saturating_mul(1000), Relaxed);
    }

    /// How many clients' questions it has answered.
    pub fn answers(&self) -> u64 {
        self.told.answers.load(Relaxed)
    }
}

impl Drop for TimeServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(socket: UdpSocket, told: Arc<Told>, recorder: Recorder) {
    let mut request = [0; 512];
    loop {
        let Ok((length, client)) = socket.recv_from(&mut request).await else {
            // An ICMP error of an earlier answer: the next question may be a good one.
            tokio::task::yield_now().await;
            continue;
        };
        let ahead = told.ahead_ms.load(Relaxed);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis() as i64);
        if let Some(answer) = answer(&request[..length], now.saturating_add(ahead))
            && socket.send_to(&answer, client).await.is_ok()
        {
            told.answers.fetch_add(1, Relaxed);
            recorder.note(
                "time server",
                &format!("told {client} a time that is {ahead} ms ahead"),
            );
        }
    }
}

/// The answer to a client's question; none to anything else. The time is in milliseconds since 1970.
fn answer(request: &[u8], now: i64) -> Option<[u8; field::LENGTH]> {
    let request = request.get(..field::LENGTH)?;
    let (version, mode) = (request[field::FLAGS] >> 3 & 7, request[field::FLAGS] & 7);
    if mode != CLIENT || !(1..=4).contains(&version) {
        return None;
    }
    let time = timestamp(now).to_be_bytes();
    let mut answer = [0; field::LENGTH];
    answer[field::FLAGS] = version << 3 | SERVER;
    answer[field::STRATUM] = 1;
    answer[field::POLL] = request[field::POLL];
    // A millisecond is about 2^-10 s.
    answer[field::PRECISION] = (-10_i8).to_be_bytes()[0];
    answer[field::REFERENCE_ID].copy_from_slice(b"LOCL");
    answer[field::REFERENCE].copy_from_slice(&time);
    answer[field::ORIGIN].copy_from_slice(&request[field::TRANSMIT]);
    answer[field::RECEIVE].copy_from_slice(&time);
    answer[field::TRANSMIT].copy_from_slice(&time);
    Some(answer)
}

/// The 64 bits of section 6: seconds since 1900, and a fraction.
fn timestamp(millis: i64) -> u64 {
    let seconds = millis.div_euclid(1000).wrapping_add(EPOCH as i64) as u64;
    let fraction = ((millis.rem_euclid(1000) as u64) << 32) / 1000;
    (seconds & 0xFFFF_FFFF) << 32 | fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_gets_its_own_time_back() {
        let mut request = [0; 48];
        request[0] = 0x23;
        request[40..].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        let answer = answer(&request, 500).unwrap();
        assert_eq!(answer[..4], [0x24, 1, 0, 0xF6]);
        assert_eq!(answer[24..32], [1, 2, 3, 4, 5, 6, 7, 8]);
        // 1970-01-01 00:00:00.5 of RFC 5905 figure 4.
        assert_eq!(answer[40..], [0x83, 0xAA, 0x7E, 0x80, 0x80, 0, 0, 0]);
    }

    #[test]
    fn what_is_no_question_gets_no_answer() {
        let mut request = [0; 48];
        for flags in [0x24, 0x21, 0x2B, 0x03] {
            request[0] = flags;
            assert_eq!(answer(&request, 0), None, "{flags:#x}");
        }
        request[0] = 0x23;
        assert_eq!(answer(&request[..47], 0), None);
    }

    #[tokio::test]
    async fn it_tells_the_time_it_is_set_to() {
        let server = TimeServer::start("127.0.0.1:0", &Recorder::new())
            .await
            .unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut request = [0; 48];
        request[0] = 0x1B;
        let mut seconds = Vec::new();
        for ahead in [0, 7200] {
            server.set_ahead(ahead);
            client.send_to(&request, server.address()).await.unwrap();
            let mut answer = [0; 64];
            assert_eq!(client.recv(&mut answer).await.unwrap(), 48);
            seconds.push(u32::from_be_bytes(answer[40..44].try_into().unwrap()));
        }
        assert!((7200..7203).contains(&(seconds[1] - seconds[0])));
        assert_eq!(server.answers(), 2);
    }
}
