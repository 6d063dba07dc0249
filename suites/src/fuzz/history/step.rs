//! The steps of a history: what somebody does at the device, by the rig file's own names.

use serde::{Deserialize, Serialize};

use super::alteration::Alteration;
use super::change::Fault;
use crate::fuzz::input::{Act, Input};

/// One thing done at the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// Comes with a password and leaves at once.
    Try {
        /// The account.
        account: String,
        /// Where.
        interface: String,
        /// Which password.
        password: Shown,
        /// How the user name is written.
        #[serde(default, skip_serializing_if = "Spelling::is_right")]
        spelling: Spelling,
    },
    /// Begins a login and leaves it: behind the user name on a console, behind the handshake where a certificate says who it is.
    Abandon {
        /// The account.
        account: String,
        /// Where.
        interface: String,
    },
    /// Opens a session, which has this number from here on.
    Login {
        /// The number.
        session: u8,
        /// The account.
        account: String,
        /// Where.
        interface: String,
        /// Whether a broker is to keep it when its line is gone.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        kept: bool,
    },
    /// Asks for an operation in a session, which is opened where it is not open.
    Perform {
        /// The session's number.
        session: u8,
        /// The account.
        account: String,
        /// Where.
        interface: String,
        /// The operation.
        operation: String,
    },
    /// Ends a session as its user does.
    Logout {
        /// Its number.
        session: u8,
    },
    /// Leaves a session without a word.
    Vanish {
        /// Its number.
        session: u8,
    },
    /// Does in a session what shows that it is alive; it is not opened for that.
    Act {
        /// Its number.
        session: u8,
    },
    /// Does so in all sessions of an account on an interface.
    Count {
        /// The account.
        account: String,
        /// Where.
        interface: String,
    },
    /// Comes to where a session was, with nothing but what it was known by: the line of a console, the client identifier of MQTT.
    Return {
        /// Its number.
        session: u8,
    },
    /// Another account comes with what a broker knew a session by.
    Take {
        /// The session's number.
        session: u8,
        /// The other account.
        account: String,
    },
    /// Locks a session, and unlocks it as its user does.
    Lock {
        /// Its number.
        session: u8,
    },
    /// An administrator ends all sessions of an account.
    Terminate {
        /// The account.
        account: String,
    },
    /// An administrator sets how many sessions a user may have.
    Limit {
        /// The most at a time.
        most: u32,
    },
    /// An administrator sets after how many seconds a silent session over a network ends.
    LimitIdle {
        /// The seconds.
        seconds: u64,
    },
    /// Leaves a session alone for longer than it may be silent, while somebody comes and goes; then does in it what shows
    /// that it is alive.
    Neglect {
        /// Its number.
        session: u8,
        /// Who comes, again and again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        beside: Option<Visit>,
    },
    /// An administrator gives a role the right to an operation.
    Grant {
        /// The role, by the rig file's name.
        role: String,
        /// The operation.
        operation: String,
    },
    /// An administrator takes it away; it is asked for again when the time is over in which what was revoked may go on.
    Revoke {
        /// The role, by the rig file's name.
        role: String,
        /// The operation.
        operation: String,
    },
    /// Hands the device a file.
    Offer {
        /// Which.
        file: Carried,
        /// Where; none for the bench's own command.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// The power is cut so many milliseconds after that has begun, and given back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cut_ms: Option<u64>,
        /// What was done to it before.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        altered: Vec<Alteration>,
    },
    /// Makes a backup, which has this number from here on.
    BackUp {
        /// The number.
        backup: u8,
    },
    /// Sets what such files hold.
    Set {
        /// The operation that reads it, or the device's own name for the setting.
        setting: String,
        /// To this.
        value: String,
    },
    /// The device goes back to the image that ran before.
    GoBack,
    /// Reads what such files change.
    Look {
        /// Of which kind.
        at: Matter,
    },
    /// The audit log is read.
    ReadAudit,
    /// All is done that only reads, as an account on an interface.
    ReadAll {
        /// The account.
        account: String,
        /// Where.
        interface: String,
    },
    /// An account's password is changed to one that was never used.
    Change {
        /// The account.
        account: String,
        /// Where its user does that; none where an administrator does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interface: Option<String>,
        /// Why it has to be refused, where it has to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fault: Option<Fault>,
    },
    /// Nothing, for a while.
    Pause {
        /// How long, in milliseconds.
        ms: u64,
    },
    /// The device is switched off and on.
    PowerCycle,
    /// Everything is put back: sessions, locks and rights. What follows is a history of its own.
    PutBack,
}

impl Step {
    /// Steps that do less, the one that does least first. What is left of a step does all that it did, but for what was left out.
    pub fn simpler(&self) -> Vec<Self> {
        let with = |change: &dyn Fn(&mut Self)| {
            let mut step = self.clone();
            change(&mut step);
            (step != *self).then_some(step)
        };
        let plain = with(&|step| match step {
            Self::Try { spelling, .. } => *spelling = Spelling::Right,
            Self::Login { kept, .. } => *kept = false,
            Self::Neglect { beside, .. } => *beside = None,
            Self::Offer { altered, .. } => altered.clear(),
            _ => {}
        });
        let uncut = with(&|step| {
            if let Self::Offer { cut_ms, .. } = step {
                *cut_ms = None;
            }
        });
        let (cut, alterations) = match self {
            Self::Offer {
                cut_ms, altered, ..
            } => (cut_ms.map(|_| Self::PowerCycle), altered.len()),
            _ => (None, 0),
        };
        let fewer = (0..alterations).filter(|_| alterations > 1).map(|at| {
            let mut step = self.clone();
            if let Self::Offer { altered, .. } = &mut step {
                altered.remove(at);
            }
            step
        });
        let all = cut.into_iter().chain(uncut).chain(plain);
        all.chain(fewer).collect()
    }
}

/// Somebody who comes and goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Visit {
    /// The account.
    pub account: String,
    /// Where.
    pub interface: String,
    /// Which password.
    pub password: Shown,
}

/// A file that a device is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Carried {
    /// A firmware image, by the rig file's name.
    Image(String),
    /// A configuration, by the rig file's name.
    Configuration(String),
    /// A backup of this history, by its number.
    Backup(u8),
    /// A backup that the rig file names.
    ForeignBackup(String),
}

/// What files are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Matter {
    /// Images: which firmware runs.
    Firmware,
    /// Configurations that come from elsewhere.
    Configurations,
    /// Backups.
    Backups,
}

impl Carried {
    /// What it is about.
    pub fn matter(&self) -> Matter {
        match self {
            Self::Image(_) => Matter::Firmware,
            Self::Configuration(_) => Matter::Configurations,
            Self::Backup(_) | Self::ForeignBackup(_) => Matter::Backups,
        }
    }
}

impl Matter {
    /// One such file.
    pub fn one(self) -> &'static str {
        match self {
            Self::Firmware => "an image",
            Self::Configurations => "a configuration",
            Self::Backups => "a backup",
        }
    }

    /// What such a file is called.
    pub fn word(self) -> &'static str {
        match self {
            Self::Firmware => "image",
            Self::Configurations => "configuration",
            Self::Backups => "backup",
        }
    }

    /// The operation that hands the device such a file.
    pub fn operation(self) -> &'static str {
        match self {
            Self::Firmware => "install_update",
            Self::Configurations => "import_configuration",
            Self::Backups => "restore",
        }
    }
}

/// Which password is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shown {
    /// The account's own.
    Right,
    /// One that nobody has.
    Wrong,
}

/// How a user name is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spelling {
    /// As it is.
    #[default]
    Right,
    /// In capital letters.
    Capitals,
    /// With a NUL after it.
    Nul,
    /// With a space after it.
    Space,
}

impl Spelling {
    /// All that are not right.
    pub const OTHERS: [Self; 3] = [Self::Capitals, Self::Nul, Self::Space];

    fn is_right(&self) -> bool {
        *self == Self::Right
    }

    /// A name, written so.
    pub fn of(self, name: &str) -> String {
        match self {
            Self::Right => name.to_owned(),
            Self::Capitals => name.to_uppercase(),
            Self::Nul => format!("{name}\0"),
            Self::Space => format!("{name} "),
        }
    }
}

impl Input {
    /// A history as one input.
    pub fn history(label: impl Into<String>, steps: Vec<Step>) -> Self {
        Self {
            label: label.into(),
            anew: true,
            acts: steps.into_iter().map(Act::Step).collect(),
        }
    }

    /// The steps of a history; none for an input of bytes.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.acts.iter().filter_map(|act| match act {
            Act::Step(step) => Some(step),
            _ => None,
        })
    }

    /// Whether it has steps.
    pub fn is_history(&self) -> bool {
        self.steps().next().is_some()
    }
}
