//! What an account shows at a login: a name, a password, and the code of a second factor where one is asked for.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::error::BenchError;
use super::{Bench, Who};
use crate::otp::Otp;
use crate::secret::Secret;

/// What the bench knows of the accounts' second factors.
#[derive(Default)]
pub(super) struct Factors(Mutex<BTreeMap<String, Factor>>);

#[derive(Clone, Copy, Default)]
struct Factor {
    /// Whether it is asked for, where a test has switched it.
    asked: Option<bool>,
    /// The step after that of the last code that was handed out.
    next: u64,
}

/// What is shown at a login.
pub(super) struct Given {
    pub(super) user: String,
    pub(super) password: Option<Secret>,
    /// Empty where none is asked for.
    pub(super) code: String,
}

impl Factors {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Factor>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bench {
    /// What somebody gives at a login; none for who gives no name.
    pub(super) async fn given(&self, who: &Who<'_>) -> Result<Option<Given>, BenchError> {
        let (user, password, account) = match who {
            Who::Nobody | Who::Certificate(_) => return Ok(None),
            Who::Factors {
                user,
                password,
                code,
            } => {
                self.recorder.conceal(password);
                return Ok(Some(Given {
                    user: (*user).to_owned(),
                    password: Some((*password).clone()),
                    code: (*code).to_owned(),
                }));
            }
            Who::Account(account) => {
                let described = self.rig.accounts.get(*account);
                let has = described.is_some_and(|it| it.password.is_some());
                let password = has.then(|| self.password(account)).transpose()?;
                (self.user(account), password, Some(*account))
            }
            Who::Password { user, password } => {
                self.recorder.conceal(password);
                let mut names = self.rig.accounts.keys().map(|name| name.as_str());
                let account = names.find(|name| self.user(name) == *user);
                (*user, Some((*password).clone()), account)
            }
        };
        let code = match account {
            Some(account) if self.asks_code(account) => self.fresh_code(account).await?,
            _ => String::new(),
        };
        Ok(Some(Given {
            user: user.to_owned(),
            password,
            code,
        }))
    }

    /// The second factor of an account.
    ///
    /// # Errors
    /// It has none in the rig file.
    pub fn otp(&self, account: &str) -> Result<&Otp, BenchError> {
        let described = self.rig.accounts.get(account);
        described.and_then(|it| it.otp.as_ref()).ok_or_else(|| {
            BenchError::Rig(format!(
                "the account `{account}` has no second factor in the rig file (`otp`)"
            ))
        })
    }

    /// Whether an account is asked for its second factor now.
    pub fn asks_code(&self, account: &str) -> bool {
        let known = self.factors.lock().get(account).and_then(|it| it.asked);
        self.otp(account)
            .is_ok_and(|otp| known.unwrap_or(!otp.on_demand))
    }

    /// Keeps in mind whether an account is asked for its second factor from now on.
    pub fn set_asks_code(&self, account: &str, asked: bool) {
        let mut factors = self.factors.lock();
        factors.entry(account.to_owned()).or_default().asked = Some(asked);
    }

    /// A code of an account that was not handed out before; it waits until there is one (RFC 6238 section 5.2).
    ///
    /// # Errors
    /// The account has no second factor, or its secret cannot be had.
    pub async fn fresh_code(&self, account: &str) -> Result<String, BenchError> {
        let otp = self.otp(account)?;
        let step = loop {
            let now = SystemTime::now();
            let next = {
                let mut factors = self.factors.lock();
                let factor = factors.entry(account.to_owned()).or_default();
                let step = otp.step(now);
                if step >= factor.next {
                    factor.next = step + 1;
                    break step;
                }
                factor.next
            };
            // A clock that was set back must not make the bench wait for longer than one code stands.
            tokio::time::sleep(otp.until(next, now).min(otp.period.0)).await;
            let mut factors = self.factors.lock();
            if let Some(factor) = factors.get_mut(account) {
                factor.next = factor.next.min(otp.step(now) + 1);
            }
        };
        self.code(account, step)
    }

    /// The code of an account at a step.
    ///
    /// # Errors
    /// The account has no second factor, or its secret cannot be had.
    pub fn code(&self, account: &str, step: u64) -> Result<String, BenchError> {
        let otp = self.otp(account)?;
        let secret = otp.secret.fetch(&self.values())?;
        self.recorder.conceal(&secret);
        otp.code(&secret, step)
            .map_err(|error| BenchError::Rig(format!("the account `{account}`: {error}")))
    }
}
