//! The load that the device is declared to bear.

use std::time::Duration;

use slcert_profiles::file::{Fields, Period, Table};

/// The most of anything that a rig file may declare a second: more is a task for a load generator.
const MOST: u32 = 10_000;
/// The longest that a flood may last.
const LONGEST: Duration = Duration::from_secs(60);

/// How much may come to each interface in a second while the essential functions hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Connections that are opened and closed.
    pub connections: u32,
    /// TLS handshakes.
    pub handshakes: u32,
    /// Logins that fail.
    pub logins: u32,
    /// For how long.
    pub period: Period,
}

impl Default for Load {
    /// What any device on a network has to bear.
    fn default() -> Self {
        Self {
            connections: 50,
            handshakes: 20,
            logins: 5,
            period: Period(Duration::from_secs(2)),
        }
    }
}

impl Table for Load {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let usual = Self::default();
        let connections = f.or(
            "connections",
            "Connections a second that are opened and closed.",
            usual.connections,
        );
        let handshakes = f.or("handshakes", "TLS handshakes a second.", usual.handshakes);
        let logins = f.or("logins", "Logins a second that fail.", usual.logins);
        let period = f.or("period", "For how long.", usual.period);
        let load = Self {
            connections: connections?,
            handshakes: handshakes?,
            logins: logins?,
            period: period?,
        };
        for (field, rate) in [
            ("connections", load.connections),
            ("handshakes", load.handshakes),
            ("logins", load.logins),
        ] {
            if !(1..=MOST).contains(&rate) {
                f.refuse(
                    field,
                    format!("{rate} a second is no load that the bench makes"),
                    &format!("write a number from 1 to {MOST}"),
                );
                return None;
            }
        }
        if load.period.0.is_zero() || load.period.0 > LONGEST {
            f.refuse(
                "period",
                format!("a flood of {} is not made", load.period),
                "write a time from \"1s\" to \"60s\"",
            );
            return None;
        }
        Some(load)
    }
}

slcert_profiles::settings_table!(Load);
