//! Second factors that a device asks for on demand.

use slcert_rigs::rig::Values;

use crate::hands::{Desk, Hand, hand};
use crate::procedure::{Procedure, Stop};

/// What makes the device ask for the second factor of an account, or leave it.
pub struct Switch<'r> {
    account: &'r str,
    demand: Hand<'r>,
    waive: Hand<'r>,
}

impl<'r> Switch<'r> {
    /// None where the device always asks.
    ///
    /// # Errors
    /// NOT EVALUATED where the rig cannot switch it.
    pub fn find(p: &Procedure<'r>, account: &'r str) -> Result<Option<Self>, Stop> {
        if !p.bench().otp(account)?.on_demand {
            return Ok(None);
        }
        Ok(Some(Self {
            account,
            demand: hand(p, "demand_second_factor")?,
            waive: hand(p, "waive_second_factor")?,
        }))
    }

    /// Makes the device ask for it from now on, or not.
    ///
    /// # Errors
    /// INCONCLUSIVE where the device did not do it.
    pub async fn turn(&self, p: &Procedure<'r>, desk: &mut Desk<'r>, on: bool) -> Result<(), Stop> {
        let (by, operation) = if on {
            (self.demand, "demand_second_factor")
        } else {
            (self.waive, "waive_second_factor")
        };
        let user = p.bench().user(self.account).to_owned();
        let values = Values::from([("name".to_owned(), user)]);
        let turned = desk.must(p, by, operation, &values).await;
        desk.close().await;
        turned?;
        p.bench().set_asks_code(self.account, on);
        Ok(())
    }
}
