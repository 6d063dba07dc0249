//! A value that can be written and read back, and that the device keeps: a backup holds it, and it outlives a power cut.

use slcert_rigs::rig::Operation;

use crate::effect::other_value;
use crate::hands::{Desk, Hand, hand, reader, value};
use crate::procedure::{Procedure, Stop};

/// A value that the device keeps.
#[derive(Clone, Copy)]
pub struct Held<'r> {
    /// The operation that writes it.
    pub write: &'r str,
    /// The operation that reads it.
    pub read: &'r str,
    described: &'r Operation,
    hand: Hand<'r>,
}

impl<'r> Held<'r> {
    /// The value that an operation writes.
    ///
    /// # Errors
    /// NOT EVALUATED where nobody can write it, or nothing reads it back.
    pub fn of(p: &Procedure<'r>, write: &str) -> Result<Self, Stop> {
        let found = p
            .rig()
            .operations
            .iter()
            .find(|(name, _)| name.as_str() == write);
        let (name, described) = found.ok_or_else(|| unusable(write))?;
        let read = described
            .read_back
            .as_ref()
            .ok_or_else(|| unusable(write))?;
        Ok(Self {
            write: name.as_str(),
            read: read.value.as_str(),
            described,
            hand: hand(p, write)?,
        })
    }

    /// The value that the rig file says a backup holds.
    ///
    /// # Errors
    /// NOT EVALUATED where it does not say.
    pub fn in_backup(p: &Procedure<'r>) -> Result<Self, Stop> {
        let holds = p.rig().policy.backup_holds.as_ref().ok_or_else(|| {
            Stop::not_evaluated(
                "the rig file names no value that a backup holds (`policy.backup_holds`)",
            )
        })?;
        Self::of(p, holds.as_str())
    }

    /// What writes the value that an operation reads; none where nothing does.
    pub fn read_by(p: &Procedure<'r>, read: &str) -> Option<Self> {
        let mut all = p.rig().operations.iter().filter(|(_, operation)| {
            operation
                .read_back
                .as_ref()
                .is_some_and(|back| back.as_str() == read)
        });
        all.find_map(|(name, _)| Self::of(p, name.as_str()).ok())
    }

    /// The same, written where nothing is in its way: on Modbus where that can be.
    ///
    /// # Errors
    /// As [`Held::of`].
    pub fn quickly(self, p: &Procedure<'r>) -> Result<Self, Stop> {
        let hand = reader(p, self.write)?;
        Ok(Self { hand, ..self })
    }

    /// The value now.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn now(&self, p: &Procedure<'r>, desk: &mut Desk<'r>) -> Result<String, Stop> {
        desk.read(p, self.read).await
    }

    /// Writes a value, and sees it read back.
    ///
    /// # Errors
    /// INCONCLUSIVE where it is not.
    pub async fn set(
        &self,
        p: &Procedure<'r>,
        desk: &mut Desk<'r>,
        wanted: &str,
    ) -> Result<(), Stop> {
        desk.must(p, self.hand, self.write, &value(wanted)).await?;
        let now = self.now(p, desk).await?;
        if now == wanted {
            return Ok(());
        }
        Err(Stop::inconclusive(format!(
            "`{}` wrote {wanted}, and `{}` reads {}",
            self.write,
            self.read,
            slcert_reports::excerpt(&now, 100)
        )))
    }

    /// Writes another value than the one now, and hands it back.
    ///
    /// # Errors
    /// As [`Held::set`].
    pub async fn change(
        &self,
        p: &Procedure<'r>,
        desk: &mut Desk<'r>,
        now: &str,
    ) -> Result<String, Stop> {
        let other = other_value(self.described, now);
        self.set(p, desk, &other).await?;
        Ok(other)
    }
}

fn unusable(write: &str) -> Stop {
    Stop::not_evaluated(format!(
        "operation `{write}` is not bound, or the rig file names nothing that reads it back (`read_back`)"
    ))
}
