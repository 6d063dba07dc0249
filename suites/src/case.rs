//! What a case is: one test, written once, for every interface that fits.

use std::future::Future;
use std::pin::Pin;

use slcert_rigs::rig::{Interface, InterfaceKind, Rig, UserKind};

use crate::procedure::{Procedure, Stop};

/// One test. It is scheduled once for each interface that fits it; each of those is a trial.
pub struct Case {
    /// Stable for ever, unique among the cases of its first requirement: `lockout`.
    pub id: &'static str,
    /// What it shows, in a few words: the name that people see.
    pub title: &'static str,
    /// The requirements that it gives evidence for. The first one owns it.
    pub requirements: &'static [&'static str],
    /// How it works.
    pub kind: Kind,
    /// What it is scheduled on.
    pub scope: Scope,
    /// What the rig has to offer, beyond an interface that fits.
    pub needs: &'static [Need],
    /// What the case finds out.
    pub objective: &'static str,
    /// What decides its verdict, fixed before the run.
    pub criterion: &'static str,
    /// The practice of IEC 62443-4-1 that it gives evidence for.
    pub svv: Svv,
    /// The procedure.
    pub body: Body,
}

/// The procedure of a case.
pub type Body = for<'p> fn(
    &'p mut Procedure<'_>,
) -> Pin<Box<dyn Future<Output = Result<(), Stop>> + Send + 'p>>;

/// How a case works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A fixed procedure with a fixed expectation.
    Conformance,
    /// A property held over generated inputs.
    Fuzz,
    /// A person looks, or reads.
    Inspection,
}

/// What a case is scheduled on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Each interface that the filter lets through, on its own.
    Each(Fits),
    /// The whole device, once.
    Device,
}

/// Which interfaces a case fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fits {
    /// Only interfaces with these users; all where empty.
    pub users: &'static [UserKind],
    /// Only these kinds; all where empty.
    pub kinds: &'static [InterfaceKind],
}
