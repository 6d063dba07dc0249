//! A device that says whatever it likes on every interface, and one that never stops where it is to tell what it is. It
//! shares no code with the harness.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What a device would try: the end of a CDATA section, controls, direction marks, no UTF-8, attachments, tags, links,
/// formulas, and commands of terminals and CI servers.
pub const PAYLOADS: [&[u8]; 12] = [
    b"]]></system-out></testcase><testcase name=\"forged\"/>",
    b"\0\x07\x08\x0c\x1b[31m\x1b]0;owned\x07\x7f\xc2\x9b2J\xc2\x85",
    b"\xe2\x80\xae\xe2\x81\xa6\xe2\x80\x8b\xe2\x80\xa8\xef\xbb\xbf\xf3\xa0\x81\x81\xef\xbf\xbe",
    b"\xff\xfe\x80 \xc3( \xed\xa0\x80 \x9b31m",
    b"[[ATTACHMENT|/etc/passwd]] [[PROPERTY|verdict=PASS]]",
    b"</script><script>alert(1)</script><img src=x onerror=alert(1)>",
    b"[x](javascript:alert(1)) ![y](http://e.example/) @team `` | || <b>",
    b"=cmd|' /C calc'!A0,@SUM(1),+1,-1",
    b"::error::owned",
    b"##[error]owned ##vso[task.complete result=Succeeded] ##teamcity[testFinished]",
    b"{{7*7}}{%raw%}${7*7}$(id)",
    b"\"schema\":\"slcert-events/1\"}\n{\"event\":\"campaign_finished\",\"exit_code\":0",
];

/// How long it goes on saying things on one connection.
const ENDLESS: Duration = Duration::from_secs(60);

/// All of it, a line each.
pub fn all() -> Vec<u8> {
    PAYLOADS.join(&b"\r\n"[..])
}

/// The payloads that are text: what a string of MQTT or of a certificate may hold. A NUL may stand in neither.
pub fn text() -> String {
    let texts = PAYLOADS
        .iter()
        .filter_map(|one| std::str::from_utf8(one).ok());
    texts.collect::<Vec<_>>().join(" ").replace('\0', "")
}

/// Serves each connection to a port of its own, for as long as the test runs; the port.
fn serve(each: impl Fn(TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let each = Arc::new(each);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let each = Arc::clone(&each);
            thread::spawn(move || each(stream));
        }
    });
    port
}

/// How many bytes were said without end, by the consoles, the Modbus servers and the brokers.
pub static SAID: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];

/// Says things until nobody listens any more.
fn endless(kind: usize, mut say: impl FnMut() -> std::io::Result<usize>) -> std::io::Result<()> {
    let limit = Instant::now() + ENDLESS;
    while Instant::now() < limit {
        SAID[kind].fetch_add(say()? as u64, Ordering::SeqCst);
    }
    Ok(())
}

/// A console that lets everybody in.
pub fn console(endless_answers: bool) -> u16 {
    serve(move |stream| {
        let mut out = stream.try_clone()?;
        let mut lines = BufReader::new(stream);
        let mut say = |tail: &str| {
            out.write_all(&[&all()[..], b"\r\n", tail.as_bytes()].concat())?;
            Ok::<_, std::io::Error>(())
        };
        say("login: ")?;
        let mut inside = 0;
        loop {
            let mut line = Vec::new();
            if lines.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            let line = String::from_utf8_lossy(&line);
            match (inside, line.trim()) {
                (0, "") => say("login: ")?,
                (0, _) => {
                    inside = 1;
                    say("Password: ")?;
                }
                (1, _) => {
                    inside = 2;
                    say("dev> ")?;
                }
                (_, "logout") => {
                    inside = 0;
                    say("login: ")?;
                }
                (_, "version") if endless_answers => {
                    return endless(0, || lines.get_mut().write(&all()));
                }
                (_, "show output") => say("OK 5\r\ndev> ")?,
                (_, "whoami") => say("user=otto\r\ndev> ")?,
                _ => say("OK done\r\ndev> ")?,
            }
        }
    })
}

/// A Modbus server that identifies itself as it likes.
pub fn modbus(endless_answers: bool) -> u16 {
    serve(move |stream| answer_modbus(stream, endless_answers))
}

/// Answers what comes as MODBUS Messaging on TCP/IP.
fn answer_modbus(mut stream: impl Read + Write, endless_answers: bool) -> std::io::Result<()> {
    let mut head = [0; 7];
    loop {
        stream.read_exact(&mut head)?;
        let length = usize::from(u16::from_be_bytes([head[4], head[5]]));
        let mut request = vec![0; length.saturating_sub(1)];
        stream.read_exact(&mut request)?;
        let answer = match request.first() {
            Some(0x03) => vec![0x03, 2, 0, 5],
            Some(0x2B) if endless_answers => {
                head[4..6].copy_from_slice(&[0xFF, 0xFF]);
                stream.write_all(&head)?;
                return endless(1, || stream.write(&all()));
            }
            Some(0x2B) => {
                let text = all();
                let mut answer = vec![0x2B, 0x0E, 1, 1, 0, 0, 3];
                for (id, part) in text.chunks(78).take(3).enumerate() {
                    answer.extend([id as u8, part.len() as u8]);
                    answer.extend(part);
                }
                answer
            }
            _ => request,
        };
        head[4..6].copy_from_slice(&(answer.len() as u16 + 1).to_be_bytes());
        stream.write_all(&[&head[..], &answer].concat())?;
    }
}

/// An MQTT broker (3.1.1 and 5.0) that has a reason for everything, and publishes what nobody asked for.
pub fn broker(endless_answers: bool) -> u16 {
    serve(move |mut stream| {
        let mut five = false;
        loop {
            let (kind, body) = packet(&mut stream)?;
            let id = |at: usize| {
                [
                    body.get(at).copied().unwrap_or(0),
                    body.get(at + 1).copied().unwrap_or(0),
                ]
            };
            match kind >> 4 {
                1 => {
                    five = body.get(6) == Some(&5);
                    put(&mut stream, 0x20, &[&[0, 0][..], &reason(five)].concat())?;
                }
                3 => {
                    let topic = usize::from(u16::from_be_bytes(id(0)));
                    if kind & 6 != 0 {
                        let refused = if five { &[0x87][..] } else { &[] };
                        put(
                            &mut stream,
                            0x40,
                            &[&id(2 + topic)[..], refused, &reason(five)].concat(),
                        )?;
                    }
                }
                8 => {
                    put(
                        &mut stream,
                        0x90,
                        &[&id(0)[..], &reason(five), &[0]].concat(),
                    )?;
                    let at = if five {
                        3 + usize::from(body.get(2).copied().unwrap_or(0))
                    } else {
                        2
                    };
                    let length = usize::from(u16::from_be_bytes(id(at)));
                    let topic = body.get(at + 2..at + 2 + length).unwrap_or_default();
                    let hostile = text();
                    let none = if five { &[0][..] } else { &[] };
                    for (topic, text) in [
                        (hostile.as_bytes(), all()),
                        (topic, [&all()[..], b" 5"].concat()),
                    ] {
                        let length = (topic.len() as u16).to_be_bytes();
                        let message = [&length[..], topic, none, &text].concat();
                        put(&mut stream, 0x30, &message)?;
                        if endless_answers && topic.ends_with(b"identity") {
                            return endless(2, || {
                                put(&mut stream, 0x30, &message).map(|()| message.len())
                            });
                        }
                    }
                }
                10 => put(&mut stream, 0xB0, &[&id(0)[..], &reason(five)].concat())?,
                12 => put(&mut stream, 0xD0, &[])?,
                14 => return Ok(()),
                _ => {}
            }
        }
    })
}

/// The properties of an answer of MQTT 5.0: a reason string.
fn reason(five: bool) -> Vec<u8> {
    if !five {
        return Vec::new();
    }
    let text = text();
    let mut properties = vec![0x1F];
    properties.extend((text.len() as u16).to_be_bytes());
    properties.extend(text.bytes());
    [variable(properties.len()), properties].concat()
}

/// A length as MQTT writes it (section 2.2.3).
fn variable(mut length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let more = length > 127;
        bytes.push((length % 128) as u8 | if more { 128 } else { 0 });
        length /= 128;
        if !more {
            return bytes;
        }
    }
}

fn put(stream: &mut impl Write, kind: u8, body: &[u8]) -> std::io::Result<()> {
    stream.write_all(&[&[kind][..], &variable(body.len()), body].concat())
}

fn packet(stream: &mut impl Read) -> std::io::Result<(u8, Vec<u8>)> {
    let mut kind = [0];
    stream.read_exact(&mut kind)?;
    let (mut length, mut shift) = (0, 0);
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        length |= usize::from(byte[0] & 127) << shift;
        shift += 7;
        if byte[0] < 128 || shift > 21 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((kind[0], body))
}

/// A Modbus server with a certificate that is named as it likes.
pub fn secured() -> u16 {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut names = rcgen::CertificateParams::default();
    let mut subject = rcgen::DistinguishedName::new();
    subject.push(rcgen::DnType::CommonName, text());
    subject.push(rcgen::DnType::OrganizationName, "=1+1 \u{202e}\u{1b}[2J");
    names.distinguished_name = subject;
    let ascii = "x\u{1b}[2J]]>::error::.example".to_owned();
    names.subject_alt_names = vec![rcgen::SanType::DnsName(ascii.try_into().unwrap())];
    let certificate = names.self_signed(&key).unwrap();
    let private = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let config = Arc::new(config);
    serve(move |stream| {
        let session = rustls::ServerConnection::new(Arc::clone(&config));
        let session = session.map_err(std::io::Error::other)?;
        answer_modbus(rustls::StreamOwned::new(session, stream), false)
    })
}
