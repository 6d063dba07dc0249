//! Passwords that histories have changed, and how the rig's own are set again.

use std::collections::{BTreeMap, BTreeSet};

use slcert_rigs::Secret;

use crate::password::{Subject, Way};
use crate::procedure::{Procedure, Stop};

/// The passwords that accounts have in place of the rig's.
#[derive(Debug, Default)]
pub struct Passwords(BTreeMap<String, Changed>);

#[derive(Debug)]
struct Changed {
    /// Where its user logs in.
    interface: String,
    /// What it is, and what it may be where the device said one thing and did another: the likeliest first.
    candidates: Vec<Secret>,
}

impl Passwords {
    /// The password of an account; none where it is the rig's.
    pub fn now(&self, account: &str) -> Option<&Secret> {
        self.candidates(account).first()
    }

    /// What it may be; nothing where it is the rig's.
    pub fn candidates(&self, account: &str) -> &[Secret] {
        let changed = self.0.get(account);
        changed.map_or(&[], |it| &it.candidates)
    }

    /// The device is asked for another one.
    pub fn ask(&mut self, account: &str, interface: &str, now: &Secret, new: &Secret) {
        let changed = self.0.entry(account.to_owned()).or_insert_with(|| Changed {
            interface: interface.to_owned(),
            candidates: vec![now.clone()],
        });
        changed.candidates.push(new.clone());
    }

    /// The account has this one.
    pub fn settle(&mut self, account: &str, now: &Secret) {
        if let Some(changed) = self.0.get_mut(account) {
            changed.candidates.retain(|it| it != now);
            changed.candidates.insert(0, now.clone());
        }
    }

    /// Has an administrator set the rig's passwords again, where one can; whether the accounts are let in is still to be seen.
    ///
    /// # Errors
    /// The device did not do it.
    pub async fn set_back(
        &mut self,
        p: &Procedure<'_>,
        unseen: &mut BTreeSet<String>,
    ) -> Result<(), Stop> {
        let Ok((interface, by)) = p.anywhere("set_password") else {
            return Ok(());
        };
        let theirs = |account: &&String| *account != by;
        while let Some(account) = self.0.keys().find(theirs).cloned() {
            let subject = subject(p, &account, Way::Set { interface, by })?;
            let now = subject.original.clone();
            subject.set_back(p, &now).await?;
            self.0.remove(&account);
            unseen.insert(account);
        }
        Ok(())
    }

    /// Has the users do so, who are let in.
    ///
    /// # Errors
    /// The device did not do it.
    pub async fn put_back(&mut self, p: &Procedure<'_>) -> Result<(), Stop> {
        while let Some((account, changed)) = self.0.first_key_value() {
            let subject = subject(p, account, Way::Own)?;
            let now = changed.candidates.first();
            if let Some(now) = now.filter(|it| **it != subject.original) {
                let place = Some(changed.interface.as_str());
                let there = Procedure::new(p.bench(), place, p.requirement());
                subject.put_back(&there, now).await?;
            }
            self.0.pop_first();
        }
        Ok(())
    }
}

fn subject<'a>(p: &Procedure<'_>, account: &'a str, way: Way<'a>) -> Result<Subject<'a>, Stop> {
    Ok(Subject {
        account,
        way,
        original: p.bench().password(account)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_may_be_the_password_whatever_the_device_said() {
        let [own, first, second] = ["own", "first", "second"].map(Secret::new);
        let mut passwords = Passwords::default();
        assert_eq!(passwords.now("vera"), None);
        passwords.ask("vera", "console", &own, &first);
        assert_eq!(passwords.now("vera"), Some(&own));
        passwords.settle("vera", &first);
        passwords.ask("vera", "console", &first, &second);
        assert_eq!(passwords.candidates("vera"), [first, own, second]);
        assert_eq!(passwords.now("otto"), None);
    }
}
