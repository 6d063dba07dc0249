//! A device's own certificate: asked for, handed over, shown, and put back.

use std::time::Duration;

use slcert_rigs::rig::Values;
use slcert_rigs::tls::fingerprint;
use slcert_rigs::tls::pki::Authority;
use slcert_rigs::tls::request::{Possession, Request};
use tokio::time::Instant;

use super::ours;
use super::shown::{Shown, Spread, short};
use crate::hands::{Desk, Hand, hand, restart};
use crate::offer::{Said, has_to_be_refused, offer};
use crate::procedure::{Procedure, Stop};

const REQUEST: &str = "request_certificate";
const INSTALL: &str = "install_certificate";
const REMOVE: &str = "remove_certificate";
const TRUST: &str = "trust_authority";
const DISTRUST: &str = "distrust_authority";

/// The name under which the device gets the bench's authority.
const NAME: &str = "slcert";
/// The strength in bits that NIST SP 800-57 part 1 asks for at the least.
const STRENGTH: u32 = 112;

/// A device, who has its certificates in hand, and what it showed at first.
pub(super) struct Enrolment<'r> {
    desk: Desk<'r>,
    requester: Hand<'r>,
    installer: Hand<'r>,
    remover: Hand<'r>,
    trust: Option<(Hand<'r>, Hand<'r>)>,
    before: Shown,
    /// The certificate that the device was handed last, and has to show.
    latest: Option<String>,
    /// Whether it may have one of the bench's.
    changed: bool,
    /// Whether it may trust an authority of the bench's.
    trusting: bool,
    /// How long it took to show the one that it took the longest for.
    took: Duration,
    /// Whether it shows one after a restart only.
    restarts: bool,
}

impl<'r> Enrolment<'r> {
    pub(super) async fn prepare(p: &Procedure<'r>) -> Result<Self, Stop> {
        let requester = hand(p, REQUEST).map_err(|stop| absent(p).unwrap_or(stop))?;
        let device = Self {
            desk: Desk::default(),
            requester,
            installer: hand(p, INSTALL)?,
            // Without it the device would not be left as it was found.
            remover: hand(p, REMOVE)?,
            trust: hand(p, TRUST).ok().zip(hand(p, DISTRUST).ok()),
            before: Shown::settled(p, |_| true).await?,
            latest: None,
            changed: false,
            trusting: false,
            took: Duration::ZERO,
            restarts: false,
        };
        if device.before.has_certificate() {
            return Ok(device);
        }
        Err(Stop::not_evaluated(
            "no interface with TLS shows which certificate the device has",
        ))
    }

    pub(super) fn has_a_trust_list(&self, p: &Procedure<'r>) -> Result<(), Stop> {
        match self.trust {
            Some(_) => Ok(()),
            None => hand(p, TRUST).and(hand(p, DISTRUST)).map(drop),
        }
    }

    /// An authority whose certificates the device takes: a new one that it is told to trust, or one that it trusts for its
    /// clients where it has no list.
    pub(super) async fn trusted_authority(&mut self, p: &Procedure<'r>) -> Result<Authority, Stop> {
        if self.trust.is_some() {
            let authority = Authority::new("slcert trial CA").map_err(ours)?;
            self.trust(p, &authority).await?;
            return Ok(authority);
        }
        let mut names = p.rig().interfaces.keys().map(|name| name.as_str());
        let issuer = names.find(|name| p.bench().has_issuer(name));
        let issuer = issuer.ok_or_else(|| {
            Stop::not_evaluated(format!(
                "the device trusts no authority of the bench's: bind `{TRUST}` and `{DISTRUST}`, or name one in an interface's `tls.issuer`"
            ))
        })?;
        Ok(p.bench().authority(issuer)?)
    }

    pub(super) async fn trust(
        &mut self,
        p: &Procedure<'r>,
        authority: &Authority,
    ) -> Result<(), Stop> {
        let Some((truster, _)) = self.trust else {
            return Ok(());
        };
        let mut values = p.bench().place(authority.pem().as_bytes())?;
        values.extend(named());
        self.trusting = true;
        self.desk.must(p, truster, TRUST, &values).await.map(drop)
    }

    /// Tells the device to trust the bench's authority no more. What it has of it goes first, so that nothing hinders it.
    pub(super) async fn distrust(&mut self, p: &Procedure<'r>) -> Result<(), Stop> {
        self.remove(p).await?;
        if let Some((_, distruster)) = self.trust {
            self.desk.must(p, distruster, DISTRUST, &named()).await?;
        }
        self.trusting = false;
        Ok(())
    }

    /// Lets the device forget what it has of the bench's.
    async fn remove(&mut self, p: &Procedure<'r>) -> Result<(), Stop> {
        if std::mem::take(&mut self.changed) {
            let nothing = Values::new();
            self.desk.perform(p, self.remover, REMOVE, &nothing).await?;
        }
        Ok(())
    }

    /// A certificate of an authority for a request of the device's; none where the request does not hold.
    pub(super) async fn certified(
        &mut self,
        p: &mut Procedure<'r>,
        what: &str,
        by: &Authority,
    ) -> Result<Option<String>, Stop> {
        let Some(request) = self.request(p, what).await? else {
            return Ok(None);
        };
        let names = p.bench().server_names()?;
        by.certify(&request, &names).map(Some).map_err(ours)
    }

    /// A request of the device's, which is judged; none where it does not hold.
    pub(super) async fn request(
        &mut self,
        p: &mut Procedure<'r>,
        what: &str,
    ) -> Result<Option<Request>, Stop> {
        let what = &format!("the request for {what}");
        let text = self
            .desk
            .must(p, self.requester, REQUEST, &Values::new())
            .await?;
        let request = match Request::read(&text) {
            Ok(request) => request,
            Err(why) => {
                let observed = format!("{why}: {}", slcert_reports::excerpt(&text, 200));
                p.check(what, "a request of PKCS#10, in PEM", observed, false);
                return Ok(None);
            }
        };
        let subject = format!("a request for {}", request.subject());
        p.check(what, "a request of PKCS#10, in PEM", subject, true);
        let name = format!("the signature of {what}");
        let expected = "made with the key that it is for";
        let possession = request.possession();
        match possession {
            Possession::Proven => p.check(name, expected, "it is", true),
            Possession::NotProven => p.check(name, expected, "it is not", false),
            Possession::Unknown => {
                p.cannot_tell(name, expected, "the bench does not know its algorithm");
            }
        }
        let least = p.rig().policy.key_strength.unwrap_or(STRENGTH);
        let (name, expected) = (
            format!("the key of {what}"),
            format!("{least} bits of strength at the least"),
        );
        let strength = request.strength();
        match &strength {
            Some((bits, kind)) => {
                p.check(
                    name,
                    expected,
                    format!("{kind}: {bits} bits"),
                    *bits >= least,
                );
            }
            None => p.cannot_tell(name, expected, "the bench does not know this kind of key"),
        }
        let strong = strength.is_some_and(|(bits, _)| bits >= least);
        Ok((possession == Possession::Proven && strong).then_some(request))
    }

    async fn hand_over(&mut self, p: &Procedure<'r>, certificate: &str) -> Result<Said, Stop> {
        self.changed = true;
        offer(
            p,
            &mut self.desk,
            self.installer,
            INSTALL,
            certificate.as_bytes(),
        )
        .await
    }

    /// Hands over a certificate that the device has to refuse, and looks when the right one had its effect.
    pub(super) async fn is_refused(
        &mut self,
        p: &mut Procedure<'r>,
        what: &str,
        certificate: &str,
    ) -> Result<(), Stop> {
        let was = Shown::settled(p, |_| true).await?;
        let said = self.hand_over(p, certificate).await?;
        p.wait(self.took).await;
        let mut is = Shown::settled(p, |_| true).await?;
        if self.restarts && is == was {
            restart(p, &mut self.desk).await?;
            is = Shown::settled(p, |_| true).await?;
        }
        has_to_be_refused(p, what, &said, &was.to_string(), &is.to_string());
        Ok(())
    }

    /// Hands over the right certificate; whether it is shown.
    pub(super) async fn is_taken(
        &mut self,
        p: &mut Procedure<'r>,
        what: &str,
        certificate: &str,
    ) -> Result<bool, Stop> {
        let handed = fingerprint_of(certificate)?;
        let began = Instant::now();
        let said = self.hand_over(p, certificate).await?;
        self.latest = Some(handed.clone());
        let mut is = Shown::with(p, &self.before, &handed).await?;
        self.took = self.took.max(began.elapsed());
        if is.spread(&self.before, &handed) == Spread::Nowhere {
            if !said.is_done() {
                return Err(Stop::inconclusive(format!(
                    "the device does not take {what}: {}",
                    slcert_reports::excerpt(said.words(), 200)
                )));
            }
            restart(p, &mut self.desk).await?;
            is = Shown::with(p, &self.before, &handed).await?;
            self.restarts = true;
        }
        let spread = is.spread(&self.before, &handed);
        p.check(
            what,
            format!("shown: {}", short(&handed)),
            match &spread {
                Spread::Everywhere => is.to_string(),
                Spread::Nowhere => {
                    let said = slcert_reports::excerpt(said.words(), 100);
                    format!("nowhere: {is}; the device said: {said}")
                }
                Spread::NotOn(name) => format!("not on `{name}`: {is}"),
            },
            spread == Spread::Everywhere,
        );
        Ok(spread == Spread::Everywhere)
    }

    /// Checks that the device shows its certificate after a restart.
    pub(super) async fn is_kept(&mut self, p: &mut Procedure<'r>) -> Result<(), Stop> {
        let Some(handed) = self.latest.clone() else {
            return Ok(());
        };
        restart(p, &mut self.desk).await?;
        let is = Shown::with(p, &self.before, &handed).await?;
        p.check(
            "the renewed certificate, after a restart",
            format!("shown: {}", short(&handed)),
            is.to_string(),
            is.spread(&self.before, &handed) == Spread::Everywhere,
        );
        Ok(())
    }

    /// Leaves the device with what it showed at first.
    pub(super) async fn put_back(&mut self, p: &Procedure<'r>) -> Result<(), Stop> {
        let gone = if self.trusting {
            self.distrust(p).await
        } else {
            self.remove(p).await
        };
        let mut is = Shown::settled(p, |is| *is == self.before).await?;
        if is != self.before && p.bench().can_power_cycle() {
            restart(p, &mut self.desk).await?;
            is = Shown::settled(p, |is| *is == self.before).await?;
        }
        self.desk.close().await;
        if is == self.before {
            return gone;
        }
        Err(Stop::inconclusive(format!(
            "the device was not put back: it shows {is}, where it showed {}",
            self.before
        )))
    }
}

fn fingerprint_of(chain: &str) -> Result<String, Stop> {
    slcert_rigs::tls::first_certificate(chain)
        .map(|der| fingerprint(&der))
        .ok_or_else(|| Stop::inconclusive("the bench made no certificate"))
}

fn named() -> Values {
    Values::from([("name".to_owned(), NAME.to_owned())])
}

/// What a declaration that there are no certificates comes to; none where the rig file declares nothing.
fn absent(p: &Procedure<'_>) -> Option<Stop> {
    let why = p.declared_absent()?;
    let shows = p.rig().interfaces.iter().find(|(_, it)| it.tls.is_some());
    Some(match shows {
        None => Stop::not_applicable(format!("declared absent: {why}; and no interface has TLS")),
        Some((name, _)) => Stop::inconclusive(format!(
            "declared absent: {why}; but `{name}` has TLS, and a certificate with it"
        )),
    })
}
