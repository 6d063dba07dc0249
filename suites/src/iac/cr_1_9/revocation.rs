//! Certificates that their authority has revoked.

use std::time::Duration;

use slcert_rigs::bench::{Entry, Who};
use slcert_rigs::tls::Identity;
use slcert_rigs::tls::pki::{Authority, Fault};
use slcert_rigs::tls::revocation::ListFault;
use tokio::time::{Instant, sleep};

use super::issues;
use crate::hands::{Desk, Hand, hand, ready, restart};
use crate::offer::{Said, offer};
use crate::procedure::{Procedure, Stop};
use crate::session::revoked_within;

/// The lists that no device may believe.
const FALSE_LISTS: [ListFault; 2] = [ListFault::ForeignKey, ListFault::BadSignature];
/// The time between two looks whether a list has had its effect.
const BETWEEN: Duration = Duration::from_millis(100);

pub(super) async fn revocation(p: &mut Procedure<'_>) -> Result<(), Stop> {
    issues(p)?;
    let issue = || p.bench().faulty_identity(p.name(), Fault::None);
    let mut bench = Revocation {
        authority: p.bench().authority(p.name())?,
        loader: hand(p, "load_revocations")?,
        desk: Desk::default(),
        revoked: issue()?,
        sister: issue()?,
    };
    let tried = bench.try_all(p).await;
    let back = bench.load(p, &[], ListFault::None).await;
    bench.desk.close().await;
    tried.and(back.map(drop))
}

/// An authority with two certificates, and who hands its lists to the device.
struct Revocation<'r> {
    authority: Authority,
    loader: Hand<'r>,
    desk: Desk<'r>,
    revoked: Identity,
    sister: Identity,
}

impl<'r> Revocation<'r> {
    async fn try_all(&mut self, p: &mut Procedure<'r>) -> Result<(), Stop> {
        for (who, identity) in [("first", &self.revoked), ("second", &self.sister)] {
            if let Some(said) = refusal(p, identity).await? {
                return Err(Stop::inconclusive(format!(
                    "the {who} certificate is refused before anything was revoked: {said}"
                )));
            }
        }
        let revoked = self.revoked.clone();
        let said = self.load(p, &[&revoked], ListFault::None).await?;
        let Some(took) = self.is_refused(p, &said).await? else {
            return Ok(());
        };
        self.is_taken(p, "after the first was revoked").await?;
        for fault in FALSE_LISTS {
            self.is_not_believed(p, fault, took).await?;
            // A device may let nobody in while its list is no good: with the right one it goes by that again.
            self.load(p, &[&revoked], ListFault::None).await?;
            self.is_taken(p, "with the right list again").await?;
        }
        restart(p, &mut self.desk).await?;
        let again = refusal(p, &self.revoked).await?;
        let observed = again.as_deref().unwrap_or("taken");
        p.check(
            "the revoked certificate, after a restart",
            "refused",
            observed,
            again.is_some(),
        );
        self.is_taken(p, "after a restart").await
    }

    /// Hands the device a list of these certificates; what it said.
    async fn load(
        &mut self,
        p: &Procedure<'r>,
        listed: &[&Identity],
        fault: ListFault,
    ) -> Result<Said, Stop> {
        let list = self
            .authority
            .revoke(listed, fault)
            .map_err(|error| Stop::inconclusive(error.to_string()))?;
        offer(
            p,
            &mut self.desk,
            self.loader,
            "load_revocations",
            list.as_bytes(),
        )
        .await
    }

    /// Checks that the revoked certificate is refused in time; how long that took, none where it never was.
    async fn is_refused(
        &mut self,
        p: &mut Procedure<'r>,
        said: &Said,
    ) -> Result<Option<Duration>, Stop> {
        let (began, limit) = (Instant::now(), revoked_within(p));
        let refused = loop {
            let refused = refusal(p, &self.revoked).await?;
            if refused.is_some() || began.elapsed() > limit {
                break refused;
            }
            sleep(BETWEEN).await;
        };
        let observed = match &refused {
            Some(words) => format!("refused: {words}"),
            None if said.is_done() => told("taken", said),
            // A device that does not take the right list may want it in another form.
            None => {
                return Err(Stop::inconclusive(told(
                    "the right list has no effect",
                    said,
                )));
            }
        };
        p.check(
            "the revoked certificate",
            format!("refused, {} s after at the latest", limit.as_secs_f32()),
            observed,
            refused.is_some(),
        );
        Ok(refused.is_some().then(|| began.elapsed()))
    }

    /// The control: a refusal says nothing where the sister is refused as well.
    async fn is_taken(&mut self, p: &mut Procedure<'r>, when: &str) -> Result<(), Stop> {
        let name = format!("another certificate of the same authority, {when}");
        match self.sister(p, revoked_within(p)).await? {
            Sister::Taken => p.check(name, "taken", "taken", true),
            Sister::Refused(words) => p.check(name, "taken", words, false),
            Sister::WithAll(words) => {
                return Err(Stop::inconclusive(format!(
                    "{name}: refused, as any new one is: {words}"
                )));
            }
        }
        Ok(())
    }

    /// Hands over a list of the sister that the device must not believe.
    async fn is_not_believed(
        &mut self,
        p: &mut Procedure<'r>,
        fault: ListFault,
        took: Duration,
    ) -> Result<(), Stop> {
        let sister = self.sister.clone();
        let said = self.load(p, &[&sister], fault).await?;
        // The right one had its effect in that time.
        p.wait(took * 2 + BETWEEN).await;
        let revoked = refusal(p, &self.revoked).await?;
        p.check(
            format!(
                "the revoked certificate, after {} leaves it out",
                fault.words()
            ),
            "refused",
            match &revoked {
                Some(words) => format!("refused: {words}"),
                None => told("taken", &said),
            },
            revoked.is_some(),
        );
        let (observed, met) = match self.sister(p, Duration::ZERO).await? {
            Sister::Taken => ("taken".to_owned(), true),
            Sister::WithAll(words) => (format!("nobody is: {words}"), true),
            Sister::Refused(words) => {
                let what = format!("refused, and a new one is taken: {words}");
                (told(&what, &said), false)
            }
        };
        let name = format!("the other certificate, after {} revokes it", fault.words());
        p.check(name, "taken, or nobody is", observed, met);
        Ok(())
    }

    /// What becomes of the sister, which a device may take some time to take again.
    async fn sister(&mut self, p: &Procedure<'r>, patience: Duration) -> Result<Sister, Stop> {
        let began = Instant::now();
        let words = loop {
            match refusal(p, &self.sister).await? {
                None => return Ok(Sister::Taken),
                Some(words) if began.elapsed() >= patience => break words,
                Some(_) => sleep(BETWEEN).await,
            }
        };
        let new = p.bench().faulty_identity(p.name(), Fault::None)?;
        if refusal(p, &new).await?.is_some() {
            return Ok(Sister::WithAll(words));
        }
        // The list may have had its effect in between.
        Ok(match refusal(p, &self.sister).await? {
            None => Sister::Taken,
            Some(words) => Sister::Refused(words),
        })
    }
}

/// What becomes of the certificate that no right list names.
enum Sister {
    Taken,
    /// One that no list knows is taken.
    Refused(String),
    /// One that no list knows is refused too.
    WithAll(String),
}

fn told(what: &str, said: &Said) -> String {
    let words = slcert_reports::excerpt(said.words(), 200);
    format!("{what}; to the list, the device said: {words}")
}

/// What the device says to a certificate that it refuses; none where it takes it. A device may start anew over a list.
async fn refusal(p: &Procedure<'_>, identity: &Identity) -> Result<Option<String>, Stop> {
    let began = Instant::now();
    loop {
        match p.enter(&Who::Certificate(identity)).await {
            Ok(Entry::In(session)) => {
                session.close().await;
                return Ok(None);
            }
            Ok(Entry::Refused(answer)) => {
                return Ok(Some(slcert_reports::excerpt(&answer.text, 200)));
            }
            Err(stop) if began.elapsed() >= ready(p) => return Err(stop),
            Err(_) => sleep(BETWEEN).await,
        }
    }
}
