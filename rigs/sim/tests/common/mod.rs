//! A device on the bench, and clients for its interfaces.

#![allow(dead_code, reason = "each test file uses a part")]

pub mod mqtt;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use serde_json::Value;
use slcert_sim::{Component, Config, Device, FlawSet};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_serial::{SerialPortBuilderExt, SerialStream};

pub struct Bench {
    pub device: Device,
    pub sheet: Value,
    flaws: FlawSet,
    _copy: Option<tempfile::TempDir>,
}

impl Bench {
    pub async fn sound() -> Self {
        Self::flawed(&[]).await
    }

    pub async fn flawed(flaws: &[&str]) -> Self {
        Self::start(Config {
            flaws: FlawSet::named(flaws).unwrap(),
            // It has the most ports.
            component: Component::NetworkDevice,
            ..Config::default()
        })
        .await
    }

    pub async fn start(config: Config) -> Self {
        let flaws = config.flaws.clone();
        let device = Device::start(config).await.unwrap();
        let sheet = std::fs::read(&device.ready().provisioning).unwrap();
        Self {
            device,
            flaws,
            sheet: serde_json::from_slice(&sheet).unwrap(),
            _copy: None,
        }
    }

    /// The folder that the device keeps its state in.
    pub fn store(&self) -> &Path {
        self.device.ready().provisioning.parent().unwrap()
    }

    /// What the vendor hands out beside the device, in base64.
    pub fn vendor(&self, name: &str) -> String {
        use base64::Engine;
        let bytes = std::fs::read(self.store().join("vendor").join(name)).unwrap();
        base64::engine::general_purpose::STANDARD.encode(bytes)
    }

    /// Another device of the type, with the same flaws.
    pub async fn sister(&self) -> Self {
        Self::start(Config {
            flaws: self.flaws.clone(),
            ..Config::default()
        })
        .await
    }

    /// The key of the certificate that the device shows at a port with TLS, whoever issued it.
    pub async fn key_shown_at(&self, port: u16) -> Vec<u8> {
        use x509_parser::prelude::{FromDer, X509Certificate};
        let address = self.device.ready().address;
        let config = rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyIssuer))
            .with_no_client_auth();
        let stream = TcpStream::connect((address, port)).await.unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let server = ServerName::IpAddress(address.into());
        let stream = connector.connect(server, stream).await.unwrap();
        let certificate = &stream.get_ref().1.peer_certificates().unwrap()[0];
        let (_, certificate) = X509Certificate::from_der(certificate).unwrap();
        certificate.public_key().raw.to_vec()
    }

    /// A device that starts with a copy of what this one has stored, as this one would after a power cut.
    pub async fn again(&self) -> Self {
        let copy = tempfile::tempdir().unwrap();
        copy_files(self.store(), copy.path());
        // This one is still at the address.
        std::fs::remove_file(copy.path().join("address.json")).unwrap();
        let bench = Self::start(Config {
            store: Some(copy.path().to_owned()),
            flaws: self.flaws.clone(),
            ..Config::default()
        });
        Self {
            _copy: Some(copy),
            ..bench.await
        }
    }

    /// Another device with the same flaws, in a folder that outlives it.
    pub async fn alike(&self, folder: &Path) -> Self {
        Self::start(Config {
            store: Some(folder.to_owned()),
            flaws: self.flaws.clone(),
            ..Config::default()
        })
        .await
    }

    /// Another device with the same flaws, and with one file of this one's store: what a restart finds.
    pub async fn again_with(&self, file: &str) -> (Self, tempfile::TempDir) {
        let folder = self.device.ready().provisioning.parent().unwrap();
        let again = tempfile::tempdir().unwrap();
        std::fs::copy(folder.join(file), again.path().join(file)).unwrap();
        let config = Config {
            store: Some(again.path().to_owned()),
            flaws: self.flaws.clone(),
            ..Config::default()
        };
        (Self::start(config).await, again)
    }

    pub fn password(&self, user: &str) -> String {
        self.sheet["accounts"][user]["password"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub async fn console(&self) -> Console {
        let path = self.device.ready().console.to_str().unwrap().to_owned();
        let stream = tokio_serial::new(path, 115_200)
            .open_native_async()
            .unwrap();
        let mut console = Console {
            stream,
            read: String::new(),
        };
        // A device that has just started shows its login; one that was used before shows it when it is asked.
        if !console.shows("login: ", Duration::from_millis(300)).await {
            console.send("").await;
        }
        console.expect("login: ").await;
        console
    }

    pub async fn logged_in(&self, user: &str) -> Console {
        let mut console = self.console().await;
        console.login(user, &self.password(user)).await;
        console
    }

    pub async fn tcp(&self) -> Raw<TcpStream> {
        let ready = self.device.ready();
        Raw(TcpStream::connect((ready.address, ready.modbus_tcp))
            .await
            .unwrap())
    }

    /// A Modbus/TLS connection with one of the sheet's identities; an error when the device refuses it.
    pub async fn tls(&self, group: &str, name: &str) -> std::io::Result<Raw<TlsStream<TcpStream>>> {
        self.tls_named(group, name, self.device.ready().address)
            .await
    }

    /// The same, to a device whose certificate is of another address.
    pub async fn tls_named(
        &self,
        group: &str,
        name: &str,
        certified: std::net::Ipv4Addr,
    ) -> std::io::Result<Raw<TlsStream<TcpStream>>> {
        let ready = self.device.ready();
        let identity = &self.sheet[group][name];
        let path = |field: &str| identity[field].as_str().unwrap().to_owned();
        let chain: Vec<_> = CertificateDer::pem_file_iter(path("chain"))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let key = PrivateKeyDer::from_pem_file(path("key")).unwrap();
        let config = rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots())
            .with_client_auth_cert(chain, key)
            .unwrap();
        let stream = TcpStream::connect((ready.address, ready.modbus_tls)).await?;
        let server = ServerName::IpAddress(certified.into());
        let stream = TlsConnector::from(Arc::new(config))
            .connect(server, stream)
            .await?;
        let mut raw = Raw(stream);
        // TLS 1.3 tells a client of its refusal only after its own handshake is done.
        raw.ask(&[3, 0, 0, 0, 1]).await?;
        Ok(raw)
    }

    pub fn roots(&self) -> rustls::RootCertStore {
        let mut roots = rustls::RootCertStore::empty();
        let ca = self.sheet["pki"]["ca"].as_str().unwrap();
        roots
            .add(CertificateDer::from_pem_file(ca).unwrap())
            .unwrap();
        roots
    }
}

/// Takes a certificate whoever issued it; the handshake still proves its key.
#[derive(Debug)]
struct AnyIssuer;

impl ServerCertVerifier for AnyIssuer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = provider().signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, &known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, &known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

pub fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (kind, place) = (entry.file_type().unwrap(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy_files(&entry.path(), &place);
        } else if kind.is_file() {
            std::fs::copy(entry.path(), place).unwrap();
        }
    }
}

pub fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A terminal that remembers what it has read and not yet matched.
pub struct Console {
    pub stream: SerialStream,
    read: String,
}

impl Console {
    /// Reads up to and including a text; panics after 3 s without it.
    pub async fn expect(&mut self, text: &str) -> String {
        self.expect_within(text, Duration::from_secs(3)).await
    }

    pub async fn expect_within(&mut self, text: &str, time: Duration) -> String {
        let deadline = Instant::now() + time;
        loop {
            if let Some(at) = self.read.find(text) {
                let rest = self.read.split_off(at + text.len());
                return std::mem::replace(&mut self.read, rest);
            }
            let mut buffer = [0; 1024];
            let read = timeout_at(deadline, self.stream.read(&mut buffer)).await;
            let count = read
                .unwrap_or_else(|_| panic!("no {text:?} in {:?}", self.read))
                .unwrap();
            self.read
                .push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    }

    /// Whether a text comes within a time; it is not taken.
    async fn shows(&mut self, text: &str, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        let mut buffer = [0; 1024];
        while !self.read.contains(text) {
            match timeout_at(deadline, self.stream.read(&mut buffer)).await {
                Ok(count) => self
                    .read
                    .push_str(&String::from_utf8_lossy(&buffer[..count.unwrap()])),
                Err(_) => return false,
            }
        }
        true
    }

    /// What comes within a time.
    pub async fn listen(&mut self, time: Duration) -> String {
        let deadline = Instant::now() + time;
        let mut buffer = [0; 1024];
        while let Ok(count) = timeout_at(deadline, self.stream.read(&mut buffer)).await {
            self.read
                .push_str(&String::from_utf8_lossy(&buffer[..count.unwrap()]));
        }
        std::mem::take(&mut self.read)
    }

    pub async fn stream_write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    pub async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
        self.stream.write_all(b"\r").await.unwrap();
    }

    /// Tries a login at the prompt `login: `; true if it came to a session.
    pub async fn try_login(&mut self, user: &str, password: &str) -> bool {
        self.send(user).await;
        self.expect("Password: ").await;
        self.send(password).await;
        self.expect("\r\n").await;
        // Both prompts that may follow end in a blank: `login: ` and `user@tc-100> `.
        loop {
            let part = self.expect(" ").await;
            if part.ends_with("> ") || part.ends_with("login: ") {
                return part.ends_with("> ");
            }
        }
    }

    pub async fn log_out(&mut self) {
        self.send("logout").await;
        self.expect("login: ").await;
    }

    pub async fn login(&mut self, user: &str, password: &str) {
        self.send(user).await;
        self.expect("Password: ").await;
        self.send(password).await;
        self.expect("@tc-100\x1b[0m> ").await;
    }

    /// The lines of a command's answer.
    pub async fn ask(&mut self, command: &str) -> Vec<String> {
        self.send(command).await;
        self.expect(command).await;
        self.expect("\r\n").await;
        let mut lines = Vec::new();
        loop {
            let line = self.expect("\r\n").await;
            let line = line.trim_end().to_owned();
            let last = line.starts_with("OK") || line.starts_with("error: ");
            lines.push(line);
            if last {
                self.expect("@tc-100\x1b[0m> ").await;
                return lines;
            }
        }
    }

    /// The last line of a command's answer.
    pub async fn answer(&mut self, command: &str) -> String {
        self.ask(command).await.pop().unwrap()
    }

    /// Answers the prompts for a new password.
    pub async fn new_password(&mut self, command: &str, password: &str) -> String {
        self.send(command).await;
        for prompt in ["New password: ", "Again: "] {
            self.expect(prompt).await;
            self.send(password).await;
        }
        self.expect("\r\n").await;
        let answer = self.expect("\r\n").await;
        self.expect("> ").await;
        answer.trim().to_owned()
    }
}

/// A Modbus client that sends whatever it is told, within the MBAP header.
pub struct Raw<S>(pub S);

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Raw<S> {
    pub async fn ask(&mut self, request: &[u8]) -> std::io::Result<Vec<u8>> {
        self.ask_unit(1, request).await
    }

    pub async fn ask_unit(&mut self, unit: u8, request: &[u8]) -> std::io::Result<Vec<u8>> {
        let length = (request.len() + 1) as u8;
        let frame = [&[0xab, 0xcd, 0, 0, 0, length, unit], request].concat();
        self.0.write_all(&frame).await?;
        let mut head = [0; 7];
        self.0.read_exact(&mut head).await?;
        assert_eq!(head[..4], [0xab, 0xcd, 0, 0]);
        let mut answer = vec![0; usize::from(u16::from_be_bytes([head[4], head[5]])) - 1];
        self.0.read_exact(&mut answer).await?;
        Ok(answer)
    }
}
