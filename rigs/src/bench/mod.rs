//! The bench: the rig's device with its lines, and the verbs that cases are written in.

mod boundary;
mod command;
mod console;
mod curve;
mod error;
mod factor;
mod identity;
mod modbus;
mod monitor;
mod mqtt;
mod process;
mod reference;
mod seal;
mod session;
mod specimen;
mod visitors;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::attempt::Answer;
use crate::line::{
    Carrier, Keep, Line, LineError, Recorded, Recorder, Stream, open_serial, open_tcp,
};
use crate::rig::{Interface, InterfaceKind, Name, Rig, Template, Values};
use crate::secret::Secret;
use crate::sntp::TimeServer;
use crate::tls::{Identity, Sealed, TlsFacts, TlsLine, TlsSettings, open_tls};
use process::Process;

pub use boundary::{Crossing, Held, Visit, Way};
pub use console::{ConsoleSession, LoginLook, Place, Said};
pub use curve::{Curve, Reading};
pub use error::{BenchError, StartError};
pub use monitor::{Monitor, Strain, Violation};
pub use seal::Sealer;
pub use session::Session;
pub use visitors::{Visitor, Visitors};

/// How long a connection may take.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take, unless the rig file says otherwise.
pub(crate) const ANSWER: Duration = Duration::from_secs(2);
/// The time between two looks whether the device is back.
const BETWEEN: Duration = Duration::from_millis(200);

/// Who comes to an interface.
#[derive(Clone, Copy, Debug)]
pub enum Who<'a> {
    /// Somebody who shows nothing.
    Nobody,
    /// An account of the rig, with its own authenticator.
    Account(&'a str),
    /// A user name and a password.
    Password {
        /// The user name.
        user: &'a str,
        /// The password.
        password: &'a Secret,
    },
    /// A user name, a password, and the code of a second factor: these and no others.
    Factors {
        /// The user name.
        user: &'a str,
        /// The password.
        password: &'a Secret,
        /// The code; nothing is given where it is empty.
        code: &'a str,
    },
    /// A certificate.
    Certificate(&'a Identity),
}

/// What coming to an interface led to.
pub enum Entry {
    /// The device let them in.
    In(Session),
    /// The device did not.
    Refused(Answer),
}

/// The bench around one device. Dropping it ends a device that it started.
pub struct Bench {
    rig: Rig,
    recorder: Recorder,
    /// What stands before the names of its lines in the recording.
    label: &'static str,
    fixed: Values,
    process: tokio::sync::Mutex<Option<Process>>,
    values: Mutex<Values>,
    /// Set while the bench itself has cut the power.
    down: AtomicBool,
    /// How many times in which the device may stop are not over.
    excused: AtomicUsize,
    /// The network that the bench comes from now, where that is not the usual one.
    comes_from: Mutex<Option<String>>,
    /// The second factors of the accounts.
    factors: factor::Factors,
    /// How the essential functions bear up.
    notes: monitor::Notes,
    /// What was read of them.
    curves: curve::Curves,
    /// The bench's own servers.
    hosts: visitors::Hosts,
}

impl Bench {
    /// Starts the device, where the rig file says how. `work` is a folder for the device's state, `rig_folder` where the
    /// rig file is, `slcert` this program.
    ///
    /// # Errors
    /// The device could not be started.
    pub async fn start(
        rig: Rig,
        work: &Path,
        rig_folder: &Path,
        slcert: &Path,
    ) -> Result<Self, BenchError> {
        Self::with_recorder(rig, work, rig_folder, slcert, (Recorder::new(), "")).await
    }

    async fn with_recorder(
        rig: Rig,
        work: &Path,
        rig_folder: &Path,
        slcert: &Path,
        (recorder, label): (Recorder, &'static str),
    ) -> Result<Self, BenchError> {
        let hosts = visitors::Hosts::start(&rig.servers).await?;
        let mut fixed = Values::from([
            ("work".to_owned(), work.display().to_string()),
            ("rig".to_owned(), rig_folder.display().to_string()),
            ("slcert".to_owned(), slcert.display().to_string()),
        ]);
        fixed.extend(hosts.addresses());
        let bench = Self {
            rig,
            recorder,
            label,
            values: Mutex::new(fixed.clone()),
            fixed,
            process: tokio::sync::Mutex::new(None),
            down: AtomicBool::new(false),
            excused: AtomicUsize::new(0),
            comes_from: Mutex::new(None),
            factors: factor::Factors::default(),
            notes: monitor::Notes::default(),
            curves: curve::Curves::default(),
            hosts,
        };
        bench.power_on().await?;
        bench.conceal_secrets();
        Ok(bench)
    }

    /// The rig.
    pub fn rig(&self) -> &Rig {
        &self.rig
    }

    /// The recorder of all lines.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Text without any known secret.
    pub fn conceal(&self, text: &str) -> String {
        self.recorder.masked(text)
    }

    /// The placeholders that have a value now.
    pub fn values(&self) -> Values {
        self.values
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Fills a template of the rig file.
    ///
    /// # Errors
    /// A placeholder has no value.
    pub fn fill(&self, template: &Template) -> Result<String, BenchError> {
        Ok(template.fill(&self.values())?)
    }

    async fn power_on(&self) -> Result<(), BenchError> {
        let Some(start) = &self.rig.start else {
            return Ok(());
        };
        let process = Process::start(start, &self.fixed).await?;
        let mut values = self.fixed.clone();
        values.extend(process.report.clone());
        *self.values.lock().unwrap_or_else(PoisonError::into_inner) = values;
        *self.process.lock().await = Some(process);
        Ok(())
    }

    /// Cuts the device's power and gives it back, and waits until it answers.
    ///
    /// # Errors
    /// The rig has no power control, or the device does not come back.
    pub async fn power_cycle(&self) -> Result<(), BenchError> {
        self.recorder.note("power", "off and on");
        self.down.store(true, Ordering::SeqCst);
        let cycled = match self.cycle().await {
            Ok(()) => self.answers().await,
            failed => failed,
        };
        self.down.store(false, Ordering::SeqCst);
        cycled
    }

    /// Waits until the device answers somebody, be it with a refusal. One that the bench starts has reported that it is
    /// ready.
    ///
    /// # Errors
    /// It does not in the time that the rig file gives it.
    pub async fn answers(&self) -> Result<(), BenchError> {
        let Some(power) = &self.rig.power else {
            return Ok(());
        };
        self.answers_within(power.ready.0).await
    }

    /// Waits until the device answers somebody, be it with a refusal.
    ///
    /// # Errors
    /// It does not within `limit`.
    pub async fn answers_within(&self, limit: Duration) -> Result<(), BenchError> {
        let named = self.rig.interfaces.keys().find_map(|name| {
            let (account, _) = self.rig.accounts_on(name.as_str()).next()?;
            Some((name.as_str(), Who::Account(account.as_str())))
        });
        let first = self.rig.interfaces.keys().next();
        let Some((interface, who)) = named.or(first.map(|name| (name.as_str(), Who::Nobody)))
        else {
            return Ok(());
        };
        let deadline = Instant::now() + limit;
        loop {
            match self.enter(interface, &who).await {
                Ok(Entry::In(session)) => {
                    session.close().await;
                    return Ok(());
                }
                Ok(Entry::Refused(_)) => return Ok(()),
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => sleep(BETWEEN).await,
            }
        }
    }

    /// Whether the rig can switch the device off, do something, and switch it on again.
    pub fn can_switch_off(&self) -> bool {
        match &self.rig.power {
            Some(power) => power.off.is_some() && power.on.is_some(),
            None => self.rig.start.is_some(),
        }
    }

    /// Whether the rig can cut the device's power and give it back.
    pub fn can_power_cycle(&self) -> bool {
        self.rig.power.is_some() || self.rig.start.is_some()
    }

    /// Cuts the device's power, until [`Bench::switch_on`].
    ///
    /// # Errors
    /// The rig cannot.
    pub async fn switch_off(&self) -> Result<(), BenchError> {
        self.recorder.note("power", "off");
        self.down.store(true, Ordering::SeqCst);
        if let Some(power) = &self.rig.power {
            return self.switch(power.off.as_deref(), power.ready.0).await;
        }
        match self.process.lock().await.take() {
            Some(mut process) => {
                process.kill().await;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Gives the device its power back, and waits until it answers.
    ///
    /// # Errors
    /// The rig cannot, or the device does not start.
    pub async fn switch_on(&self) -> Result<(), BenchError> {
        self.recorder.note("power", "on");
        if let Some(power) = &self.rig.power {
            self.switch(power.on.as_deref(), power.ready.0).await?;
        } else {
            self.power_on().await?;
        }
        self.answers().await?;
        self.down.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Lets the device stop what it does for as long as what is handed back lives: it was asked for something that the
    /// rig file says it may stop for.
    pub fn excuse(&self) -> Excused<'_> {
        self.recorder.note("bench", "the device may pause");
        self.excused.fetch_add(1, Ordering::SeqCst);
        Excused(self)
    }

    /// Whether the bench itself has cut the power, or asked for something that the device may stop for.
    pub fn is_down(&self) -> bool {
        self.down.load(Ordering::SeqCst) || self.excused.load(Ordering::SeqCst) > 0
    }

    /// Starts the bench's time server where the rig file says that the device reaches it.
    ///
    /// # Errors
    /// The address cannot be had.
    pub async fn time_server(&self) -> Result<TimeServer, BenchError> {
        let listen = &self.rig.time_server.listen;
        TimeServer::start(listen, &self.recorder)
            .await
            .map_err(|error| {
                BenchError::Rig(format!(
                    "the bench's time server cannot listen on {listen} (`time_server.listen`): {error}"
                ))
            })
    }

    async fn cycle(&self) -> Result<(), BenchError> {
        if let Some(power) = &self.rig.power {
            return self.switch(Some(&power.cycle), power.ready.0).await;
        }
        let process = self.process.lock().await.take();
        let Some(mut process) = process else {
            return Err(BenchError::Power(
                "the rig file has neither `power` nor `start`".to_owned(),
            ));
        };
        process.kill().await;
        self.power_on().await
    }

    /// Whether the device's process still runs; true for a device that this bench did not start.
    pub async fn device_runs(&self) -> bool {
        match self.process.lock().await.as_mut() {
            Some(process) => process.runs(),
            None => self.rig.start.is_none(),
        }
    }

    /// The memory that the device holds, in bytes; none where it is no process of this machine.
    pub async fn device_memory(&self) -> Option<u64> {
        self.process.lock().await.as_ref()?.memory()
    }

    /// How long each of the device's threads has run on a processor or waited for one; none where it is no process of this machine.
    pub async fn device_wanted(&self) -> Option<BTreeMap<OsString, Duration>> {
        self.process.lock().await.as_ref()?.wanted()
    }

    /// Ends the device, where this bench started it.
    pub async fn stop(&self) {
        if let Some(mut process) = self.process.lock().await.take() {
            process.stop().await;
        }
    }

    /// Makes every secret of the rig known to the recorder, before any of them goes onto a line.
    fn conceal_secrets(&self) {
        let values = self.values();
        for account in self.rig.accounts.values() {
            let factor = account.otp.as_ref().map(|otp| &otp.secret);
            for source in account.password.iter().chain(factor) {
                if let Ok(secret) = source.fetch(&values) {
                    self.recorder.conceal(&secret);
                }
            }
        }
        for server in self.rig.servers.keys() {
            // One that cannot be had is told by the trial that needs it.
            let _ = self.server_password(server.as_str());
        }
        self.sealer();
    }

    /// The identifier that the device knows an account by.
    pub fn user<'a>(&'a self, account: &'a str) -> &'a str {
        self.rig
            .accounts
            .get(account)
            .and_then(|it| it.user.as_deref())
            .unwrap_or(account)
    }

    /// An account's password.
    ///
    /// # Errors
    /// It has none, or it cannot be had.
    pub fn password(&self, account: &str) -> Result<Secret, BenchError> {
        let source = self
            .rig
            .accounts
            .get(account)
            .and_then(|it| it.password.as_ref());
        let source = source.ok_or_else(|| {
            BenchError::Rig(format!(
                "the account `{account}` has no password in the rig file"
            ))
        })?;
        let secret = source.fetch(&self.values())?;
        self.recorder.conceal(&secret);
        Ok(secret)
    }

    /// The password that the device shows to a server of the bench's, where it shows one.
    ///
    /// # Errors
    /// It cannot be had.
    pub fn server_password(&self, server: &str) -> Result<Option<Secret>, BenchError> {
        let described = self.rig.server(server);
        let Some(source) = described.and_then(|it| it.password.as_ref()) else {
            return Ok(None);
        };
        let secret = source.fetch(&self.values())?;
        self.recorder.conceal(&secret);
        Ok(Some(secret))
    }

    pub(crate) fn interface(&self, name: &str) -> Result<&Interface, BenchError> {
        self.rig.interface(name).ok_or_else(|| {
            BenchError::Rig(format!("there is no interface `{name}` in the rig file"))
        })
    }

    /// Where an interface is.
    ///
    /// # Errors
    /// A placeholder has no value.
    pub fn address(&self, interface: &str) -> Result<String, BenchError> {
        match self.elsewhere(interface) {
            Some((address, _)) => self.fill(address),
            None => self.fill(&self.interface(interface)?.address),
        }
    }

    /// Opens the line of an interface without TLS and without a word said on it; its bytes are kept under `label`.
    ///
    /// # Errors
    /// The line cannot be opened.
    pub async fn open_line(&self, interface: &str, label: &str) -> Result<Line, BenchError> {
        let line = self.open_bare(interface, Leave::InOrder).await?;
        let carrier = self.interface(interface)?.carrier();
        Ok(self.recorded(line, label, carrier, Keep::All))
    }

    fn recorded(
        &self,
        line: impl Stream + 'static,
        label: &str,
        carrier: Option<Carrier>,
        keep: Keep,
    ) -> Line {
        let label = format!("{}{label}", self.label);
        Box::new(Recorded::new(line, &self.recorder, &label, carrier, keep))
    }

    /// Opens the line of an interface; nothing keeps its bytes.
    async fn open_bare(&self, interface: &str, leave: Leave) -> Result<Line, BenchError> {
        let described = self.interface(interface)?;
        let address = self.address(interface)?;
        if described.kind.is_serial() {
            return open_serial(&address, described.serial, CONNECT)
                .await
                .map_err(|source| on(interface, source));
        }
        let stream = if let Some((_, network)) = self.elsewhere(interface) {
            let namespace = self.namespace(network)?;
            let stream = boundary::connect(namespace.as_deref(), &address, CONNECT).await;
            stream.map_err(|error| on(interface, LineError::io(&address, error)))?
        } else {
            open_tcp(&address, CONNECT)
                .await
                .map_err(|source| on(interface, source))?
        };
        if leave == Leave::Torn {
            let _ = stream.set_zero_linger();
        }
        Ok(Box::new(stream))
    }

    /// Opens an interface's line for a fuzz suite, with TLS where it has it. Of its bytes the last are kept when something
    /// comes of them ([`Recorder::keep_window`]): the suite keeps its own inputs. Dropping a TCP connection resets it, so that
    /// thousands a second leave no ports behind that wait.
    ///
    /// # Errors
    /// The line cannot be opened, or the device refuses the handshake.
    pub async fn open_fuzzed(&self, interface: &str, who: &Who<'_>) -> Result<Line, BenchError> {
        let identity = self.shown_by(interface, who)?;
        let kept = self.open_kept(interface, identity, Leave::Torn, Keep::Window);
        Ok(kept.await?.0)
    }

    /// Opens the line of an interface for a fuzz suite as [`Bench::open_fuzzed`] does, below TLS and without a word said on it.
    ///
    /// # Errors
    /// The line cannot be opened.
    pub async fn open_fuzzed_wire(&self, interface: &str) -> Result<Line, BenchError> {
        let line = self.open_bare(interface, Leave::Torn).await?;
        let carrier = self.interface(interface)?.carrier();
        Ok(self.recorded(line, &format!("{interface}.wire"), carrier, Keep::Window))
    }

    /// Opens TLS over such a line.
    ///
    /// # Errors
    /// The device refuses the handshake.
    pub async fn secure_fuzzed(
        &self,
        interface: &str,
        who: &Who<'_>,
        wire: Line,
    ) -> Result<TlsLine, BenchError> {
        let identity = self.shown_by(interface, who)?;
        let settings = self.tls_settings(interface, identity)?;
        Ok(self.open_tls_over(interface, wire, &settings).await?.0)
    }

    /// Opens TLS over such a line so that any record can be sealed; `old` offers TLS 1.2 alone.
    ///
    /// # Errors
    /// The device refuses the handshake.
    pub async fn seal_fuzzed(
        &self,
        interface: &str,
        who: &Who<'_>,
        wire: Line,
        old: bool,
    ) -> Result<Sealed, BenchError> {
        let identity = self.shown_by(interface, who)?;
        let settings = self.tls_settings(interface, identity)?;
        let address = self.address(interface)?;
        Sealed::open(wire, &address, &settings, old, CONNECT)
            .await
            .map_err(|source| on(interface, source))
    }

    /// The certificate that somebody shows on an interface, if any.
    fn shown_by(&self, interface: &str, who: &Who<'_>) -> Result<Option<Identity>, BenchError> {
        let has_tls = self.interface(interface)?.tls.is_some();
        Ok(match who {
            _ if !has_tls => None,
            Who::Account(account)
                if self
                    .rig
                    .accounts
                    .get(*account)
                    .is_some_and(|it| it.certificate.is_some()) =>
            {
                Some(self.identity(interface, account)?)
            }
            Who::Certificate(identity) => Some((*identity).clone()),
            _ => None,
        })
    }

    /// Opens the line of an interface, with TLS where it has it; what is under TLS is on the wire.
    async fn open_kept(
        &self,
        interface: &str,
        identity: Option<Identity>,
        leave: Leave,
        keep: Keep,
    ) -> Result<(Line, Option<TlsFacts>), BenchError> {
        let described = self.interface(interface)?;
        let (has_tls, carrier) = (described.tls.is_some(), described.carrier());
        let line = self.open_bare(interface, leave).await?;
        if !has_tls {
            return Ok((self.recorded(line, interface, carrier, keep), None));
        }
        let wire = self.recorded(line, &format!("{interface}.wire"), carrier, keep);
        let settings = self.tls_settings(interface, identity)?;
        let (tls, facts) = self.open_tls_over(interface, wire, &settings).await?;
        Ok((self.recorded(tls, interface, None, keep), Some(facts)))
    }

    /// How TLS is opened on an interface. The device's certificate is not verified: that is a case of its own, and a
    /// device with a bad certificate is tested in all else.
    ///
    /// # Errors
    /// A placeholder has no value.
    pub fn tls_settings(
        &self,
        interface: &str,
        identity: Option<Identity>,
    ) -> Result<TlsSettings, BenchError> {
        let address = self.address(interface)?;
        let tls = self.interface(interface)?.tls.as_ref();
        let host = address
            .rsplit_once(':')
            .map_or(address.as_str(), |(host, _)| host);
        Ok(TlsSettings {
            server_name: tls
                .and_then(|tls| tls.server_name.clone())
                .unwrap_or_else(|| host.to_owned()),
            roots: None,
            identity,
            keys: self.recorder.keys(),
        })
    }

    /// Opens TLS on an interface over any stream to it.
    ///
    /// # Errors
    /// As [`open_tls`].
    pub async fn open_tls_over(
        &self,
        interface: &str,
        stream: impl Stream + 'static,
        settings: &TlsSettings,
    ) -> Result<(TlsLine, TlsFacts), BenchError> {
        let address = self.address(interface)?;
        open_tls(Box::new(stream), &address, settings, CONNECT)
            .await
            .map_err(|source| on(interface, source))
    }

    /// Opens an interface's line, with TLS where it has it.
    pub(crate) async fn open(
        &self,
        interface: &str,
        identity: Option<Identity>,
    ) -> Result<Line, BenchError> {
        let kept = self.open_kept(interface, identity, Leave::InOrder, Keep::All);
        let (line, facts) = kept.await?;
        if let Some(facts) = facts {
            let label = format!("{}{interface}", self.label);
            self.recorder
                .note(&label, &format!("{} {}", facts.version, facts.suite));
        }
        Ok(line)
    }

    /// Comes to an interface.
    ///
    /// # Errors
    /// The bench could not try. A refusal by the device is an [`Entry`].
    pub async fn enter(&self, interface: &str, who: &Who<'_>) -> Result<Entry, BenchError> {
        match self.interface(interface)?.kind {
            InterfaceKind::Console => console::enter(self, interface, who).await,
            InterfaceKind::Mqtt => mqtt::enter(self, interface, who, true).await,
            _ => modbus::enter(self, interface, who).await,
        }
    }

    /// The same with a session that a broker is to keep when its line is gone. Whoever opens it has to see to its end.
    ///
    /// # Errors
    /// As [`Bench::enter`].
    pub async fn enter_kept(&self, interface: &str, who: &Who<'_>) -> Result<Entry, BenchError> {
        match self.interface(interface)?.kind {
            InterfaceKind::Mqtt => mqtt::enter(self, interface, who, false).await,
            _ => self.enter(interface, who).await,
        }
    }

    /// Comes with an account of the rig.
    ///
    /// # Errors
    /// The bench could not try, or [`BenchError::Refused`]: the device refuses what the rig file says is right.
    pub async fn login(&self, interface: &str, account: &str) -> Result<Session, BenchError> {
        match self.enter(interface, &Who::Account(account)).await? {
            Entry::In(session) => Ok(session),
            Entry::Refused(answer) => Err(BenchError::Refused {
                interface: interface.to_owned(),
                account: account.to_owned(),
                said: answer.text,
            }),
        }
    }

    /// Waits until an interface's line can be opened again after a power cycle or a drop, with growing pauses.
    ///
    /// # Errors
    /// The last error, once `limit` has passed.
    pub async fn reopen(&self, interface: &str, limit: Duration) -> Result<Line, BenchError> {
        let deadline = Instant::now() + limit;
        let mut pause = Duration::from_millis(50);
        loop {
            match self.open_line(interface, interface).await {
                Ok(line) => return Ok(line),
                Err(error) if Instant::now() + pause >= deadline => return Err(error),
                Err(_) => sleep(pause).await,
            }
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }
}

/// How a TCP connection ends when the bench drops it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leave {
    /// With a FIN.
    InOrder,
    /// With a reset.
    Torn,
}

/// A time in which the device may stop what it does.
pub struct Excused<'b>(&'b Bench);

impl Drop for Excused<'_> {
    fn drop(&mut self) {
        self.0.excused.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Rig {
    /// As [`Rig::who_may`], as text.
    pub fn who_may_str(&self, operation: &str, interface: &str) -> Option<&str> {
        self.who_may(operation, interface).map(Name::as_str)
    }
}

pub(crate) fn on(interface: &str, source: LineError) -> BenchError {
    BenchError::Line {
        interface: interface.to_owned(),
        source,
    }
}
