//! An account that a case adds, and removes again.

use slcert_rigs::Secret;
use slcert_rigs::rig::Values;

use crate::fresh;
use crate::hands::{Desk, Hand, hand};
use crate::own::lets_in;
use crate::procedure::{Procedure, Stop};

/// An account that was added.
pub struct Added<'r> {
    /// Who added it.
    pub maker: Hand<'r>,
    /// Where it logs in.
    pub interface: &'r str,
    /// Its name.
    pub name: String,
    /// Its password.
    pub password: Secret,
}

impl<'r> Added<'r> {
    /// Adds an account with the fewest rights that there are, and sees it let in.
    ///
    /// # Errors
    /// NOT EVALUATED where nobody can add and remove accounts; INCONCLUSIVE where the account is not let in.
    pub async fn make(p: &Procedure<'r>, desk: &mut Desk<'r>) -> Result<Self, Stop> {
        let maker = hand(p, "create_account")?;
        let interface = maker
            .interface()
            .ok_or_else(|| Stop::not_evaluated("nothing shows where an added account logs in"))?;
        hand(p, "delete_account")?;
        let rig = p.rig();
        let least = rig
            .accounts_on(interface)
            .filter_map(|(_, account)| {
                let name = &account.role.value;
                Some((name.as_str(), rig.roles.get(name)?))
            })
            .min_by_key(|(_, role)| role.may.len());
        let (role_name, role) = least.ok_or_else(|| {
            Stop::not_evaluated(format!("the rig file lists no account on `{interface}`"))
        })?;
        // Letters alone: the prompt that the rig file describes may hold the name.
        let letters = fresh::tag().replace(|c: char| !c.is_ascii_lowercase(), "");
        let name = format!("tmp{}", letters.chars().take(8).collect::<String>());
        let password = fresh::strong_password();
        let values = Values::from([
            ("name".to_owned(), name.clone()),
            (
                "role".to_owned(),
                role.called.clone().unwrap_or_else(|| role_name.to_owned()),
            ),
            ("new_password".to_owned(), password.clone()),
        ]);
        desk.must(p, maker, "create_account", &values).await?;
        let added = Self {
            maker,
            interface,
            name,
            password: Secret::new(password),
        };
        desk.close().await;
        match lets_in(p, interface, &added.name, &added.password).await {
            Ok(true) => Ok(added),
            other => {
                added.remove(p, desk).await?;
                other?;
                Err(Stop::inconclusive(
                    "the added account is not let in, before the power cut",
                ))
            }
        }
    }

    /// Removes the account, where it is still there.
    ///
    /// # Errors
    /// The bench could not ask.
    pub async fn remove(&self, p: &Procedure<'r>, desk: &mut Desk<'r>) -> Result<(), Stop> {
        let values = Values::from([("name".to_owned(), self.name.clone())]);
        // It may be gone already: then the device refuses.
        let remover = hand(p, "delete_account")?;
        desk.perform(p, remover, "delete_account", &values)
            .await
            .map(|_| ())
    }
}
