//! Handing the device a file - a backup, a configuration, an image - and finding out what came of it.

use slcert_rigs::Attempt;
use slcert_rigs::rig::VendorFile;

use crate::hands::{Desk, Hand};
use crate::procedure::{Procedure, Stop};

/// The operations that change what the device is, most of them by a file.
pub const CHANGE_THE_DEVICE: [&str; 16] = [
    "decommission",
    "install_update",
    "roll_back_update",
    "import_configuration",
    "restore",
    "provision_trust",
    "remove_trust",
    "load_revocations",
    "request_certificate",
    "install_certificate",
    "remove_certificate",
    "trust_authority",
    "distrust_authority",
    "load_code",
    "run_code",
    "remove_code",
];

/// What the device said to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// That it took it.
    Done(String),
    /// Anything else: a refusal, nothing clear, or the end of the session.
    Else(String),
}

impl Said {
    /// The device's words.
    pub fn words(&self) -> &str {
        match self {
            Self::Done(words) | Self::Else(words) => words,
        }
    }

    /// Whether the device said that it took the file.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }
}

/// Hands the device a file.
///
/// # Errors
/// The file cannot be put where the bench needs it.
pub async fn offer<'r>(
    p: &Procedure<'r>,
    desk: &mut Desk<'r>,
    hand: Hand<'r>,
    operation: &str,
    file: &[u8],
) -> Result<Said, Stop> {
    let values = p.bench().place(file)?;
    let wanted = hand
        .interface()
        .and_then(|interface| p.rig().binding(operation, interface))
        .map(|binding| binding.placeholders())
        .unwrap_or_default();
    if wanted.iter().any(|name| name == "text") && !values.contains_key("text") {
        return Err(Stop::inconclusive(format!(
            "{hand} cannot type a file that is no text: bind `{operation}` with `{{data}}` or `{{file}}`"
        )));
    }
    Ok(match desk.perform(p, hand, operation, &values).await {
        Ok(Attempt::Done(answer)) => Said::Done(answer.text),
        Ok(other) => Said::Else(other.answer().text.clone()),
        // A device may end the session over a file, and restart over one that it takes: what it does then is read back.
        Err(stop) => Said::Else(stop.reason),
    })
}

/// Writes down what came of a file that has to be refused; true where the device took it.
pub fn has_to_be_refused(
    p: &mut Procedure<'_>,
    name: &str,
    said: &Said,
    before: &str,
    after: &str,
) -> bool {
    let expected = "refused, and nothing changes";
    let words = said.words();
    if after != before {
        let observed = format!("{after}, where it was {before}; the device said: {words}");
        p.check(name, expected, observed, false);
        return true;
    }
    let observed = format!("{after} as before; the device said: {words}");
    if said.is_done() {
        let why = format!("the device says that it took it, and nothing changed: {observed}");
        p.cannot_tell(name, expected, why);
    } else {
        p.check(name, expected, observed, true);
    }
    false
}

/// The ones of a vendor's files that the device takes as it is delivered, in the order of their names.
pub fn sound<'r>(
    files: impl IntoIterator<Item = &'r VendorFile>,
) -> impl Iterator<Item = &'r VendorFile> {
    files
        .into_iter()
        .filter(|file| file.fault.is_none() && file.trust.is_none())
}
