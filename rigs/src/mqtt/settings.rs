//! What a session is opened with, and what can go wrong in it.

use std::fmt;
use std::io;
use std::time::Duration;

use thiserror::Error;

use super::raw::End;
use super::wire::{Illegal, Version};

/// How a session is opened.
#[derive(Clone, PartialEq, Eq)]
pub struct MqttSettings {
    /// Which MQTT.
    pub version: Version,
    /// Not empty; a test of what a server makes of an empty one is for [`Raw`](super::Raw).
    pub client_id: String,
    /// User name, if any.
    pub user: Option<String>,
    /// Password; needs a user name.
    pub password: Option<String>,
    /// Whole seconds, at least 5; zero is off, in 3.1.1 only.
    pub keep_alive: Duration,
    /// Clean session (3.1.1) or clean start (5.0). A session that is not clean is to outlive its connection.
    pub clean: bool,
}

impl MqttSettings {
    /// An anonymous clean session with 60 seconds of keep alive.
    pub fn new(version: Version, client_id: &str) -> Self {
        Self {
            version,
            client_id: client_id.to_owned(),
            user: None,
            password: None,
            keep_alive: Duration::from_secs(60),
            clean: true,
        }
    }

    /// Sets user name and password.
    #[must_use]
    pub fn with_login(mut self, user: &str, password: &str) -> Self {
        self.user = Some(user.to_owned());
        self.password = Some(password.to_owned());
        self
    }

    pub(super) fn check(&self) -> Result<(), MqttError> {
        let too_long = |text: &String| text.len() > usize::from(u16::MAX);
        let texts = [
            Some(&self.client_id),
            self.user.as_ref(),
            self.password.as_ref(),
        ];
        let what = if self.client_id.is_empty() {
            "the client identifier is empty"
        } else if texts.into_iter().flatten().any(too_long) {
            "a text is longer than 65535 bytes"
        } else if self.password.is_some() && self.user.is_none() {
            "a password needs a user name"
        } else if self.user.as_ref().is_some_and(String::is_empty) {
            "the user name is empty"
        } else if self.keep_alive.subsec_nanos() != 0 || (1..5).contains(&self.keep_alive.as_secs())
        {
            "the keep alive is no whole number of seconds, at least 5"
        } else if self.keep_alive.is_zero() && self.version == Version::V5 {
            "a keep alive of zero is for MQTT 3.1.1 only"
        } else if self.keep_alive.as_secs() > u64::from(u16::MAX) {
            "the keep alive is above 65535 seconds"
        } else {
            return Ok(());
        };
        Err(MqttError::Settings(what))
    }
}

/// Says everything but the password.
impl fmt::Debug for MqttSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MqttSettings")
            .field("version", &self.version)
            .field("client_id", &self.client_id)
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .field("keep_alive", &self.keep_alive)
            .field("clean", &self.clean)
            .finish()
    }
}

/// Why something in a session did not work.
#[derive(Debug, Error)]
pub enum MqttError {
    /// The server refused: a connection, a message, a subscription, or it ended the session with a reason.
    #[error("the server refused with {code:#04x}{}", reason.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
    Refused {
        /// Return code (3.1.1) or reason code (5.0).
        code: u8,
        /// The reason string of 5.0: evidence of what a device tells.
        reason: Option<String>,
    },
    /// The server ended the connection without a reason.
    #[error("the server ended the connection ({0:?})")]
    Closed(End),
    /// The server ended the TLS session with an alert. In TLS 1.3 that is how it refuses a client's certificate: the client's
    /// handshake is done by then (RFC 8446 section 4.4).
    #[error("the server ended the TLS session with {0}")]
    Alert(String),
    /// Nothing came in time.
    #[error("no answer in time")]
    TimedOut,
    /// The server broke the protocol.
    #[error("the server broke the protocol: {illegal}")]
    Illegal {
        /// How.
        #[source]
        illegal: Illegal,
        /// The packet, at most 64 KiB of it, as evidence.
        packet: Vec<u8>,
    },
    /// What was asked for cannot be sent legally; nothing was sent.
    #[error("{0}; nothing was sent")]
    Settings(&'static str),
    /// Anything else that the stream, or the client itself, says.
    #[error("the line failed")]
    Io(#[source] io::Error),
}
