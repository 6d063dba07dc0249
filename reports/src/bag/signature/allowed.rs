//! Who may sign: a file in the form of OpenSSH's `allowed_signers` (ssh-keygen(1), ALLOWED SIGNERS).

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use ssh_key::PublicKey;
use thiserror::Error;

use super::NAMESPACE;

/// Who may sign.
#[derive(Clone, Debug)]
pub struct AllowedSigners(Vec<Signer>);

/// The file cannot be used.
#[derive(Debug, Error)]
pub enum NotAllowedSigners {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A line says nothing that is understood.
    #[error("{}:{line}: {why}; a line is like `lab@example.org ssh-ed25519 AAAA...`", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
        /// Why not.
        why: String,
    },
}

#[derive(Clone, Debug)]
struct Signer {
    principals: String,
    /// For what; everything where there are none.
    namespaces: Vec<String>,
    after: Option<Timestamp>,
    before: Option<Timestamp>,
    key: PublicKey,
}

impl AllowedSigners {
    /// Reads the file.
    ///
    /// # Errors
    /// [`NotAllowedSigners`]: what is not understood is not passed over.
    pub fn read(path: &Path) -> Result<Self, NotAllowedSigners> {
        let text = std::fs::read_to_string(path).map_err(|source| NotAllowedSigners::Io {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text).map_err(|(line, why)| NotAllowedSigners::Line {
            path: path.to_owned(),
            line,
            why,
        })
    }

    fn parse(text: &str) -> Result<Self, (usize, String)> {
        let lines = (1..).zip(text.lines().map(str::trim));
        let signers = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let signers = signers.map(|(number, line)| signer(line).map_err(|why| (number, why)));
        signers.collect::<Result<_, _>>().map(Self)
    }

    /// Whose key this is, if they may sign a bundle at this time.
    pub(super) fn signer(&self, key: &PublicKey, now: Timestamp) -> Option<&str> {
        let may = |signer: &&Signer| {
            signer.key.key_data() == key.key_data()
                && (signer.namespaces.is_empty()
                    || signer.namespaces.iter().any(|one| one == NAMESPACE))
                && signer.after.is_none_or(|after| after <= now)
                && signer.before.is_none_or(|before| now < before)
        };
        self.0
            .iter()
            .find(may)
            .map(|signer| signer.principals.as_str())
    }
}

fn signer(line: &str) -> Result<Signer, String> {
    let (principals, rest) = word(line);
    if principals.is_empty() || rest.is_empty() {
        return Err("it has no key".to_owned());
    }
    let mut namespaces = Vec::new();
    let (mut after, mut before) = (None, None);
    let (options, _) = word(rest);
    // What comes before the key, if it is no key's type, is options.
    let is_key = |word: &str| {
        ["ssh-", "ecdsa-", "sk-"]
            .iter()
            .any(|start| word.starts_with(start))
    };
    let key = if is_key(options) {
        rest
    } else {
        rest[options.len()..].trim_start()
    };
    if key != rest {
        for option in split(options, ',') {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let value = value.trim_matches('"');
            match name.to_ascii_lowercase().as_str() {
                "namespaces" => namespaces = value.split(',').map(str::to_owned).collect(),
                "valid-after" => after = Some(time(value)?),
                "valid-before" => before = Some(time(value)?),
                _ => return Err(format!("slcert does not know the option `{name}`")),
            }
        }
    }
    let key = PublicKey::from_openssh(key).map_err(|error| format!("its key is none: {error}"))?;
    Ok(Signer {
        principals: principals.trim_matches('"').to_owned(),
        namespaces,
        after,
        before,
        key,
    })
}

/// The first word, which quotes may hold together, and the rest.
fn word(line: &str) -> (&str, &str) {
    let first = split(line, ' ').next().unwrap_or_default();
    (first, line[first.len()..].trim_start())
}

/// The parts of a text between separators that stand outside of quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        !quoted && (c == separator || (separator == ' ' && c == '\t'))
    })
}

/// `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`, in UTC with a `Z` at its end and in the local time otherwise.
fn time(text: &str) -> Result<Timestamp, String> {
    let (digits, zone) = match text.strip_suffix('Z') {
        Some(digits) => (digits, TimeZone::UTC),
        None => (text, TimeZone::system()),
    };
    let padded = match digits.len() {
        8 => format!("{digits}000000"),
        12 => format!("{digits}00"),
        _ => digits.to_owned(),
    };
    DateTime::strptime("%Y%m%d%H%M%S", &padded)
        .and_then(|time| zone.to_timestamp(time))
        .map_err(|_| format!("`{text}` is no time: write it like 20260131 or 202601311200Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    fn signed_by(line: &str) -> Option<String> {
        let signers = AllowedSigners::parse(line).unwrap();
        let key = PublicKey::from_openssh(KEY).unwrap();
        let now = "2026-06-01T12:00:00Z".parse().unwrap();
        signers.signer(&key, now).map(str::to_owned)
    }

    #[test]
    fn lines_are_read_as_openssh_reads_them() {
        let may = |line: &str| signed_by(&line.replace("KEY", KEY)).is_some();
        assert_eq!(
            signed_by(&format!("# us\n\nlab@example.org {KEY} bench 3")),
            Some("lab@example.org".to_owned())
        );
        assert!(
            may("lab KEY")
                && may("\"a lab\"\tKEY")
                && may("lab namespaces=\"git,slcert-bundle\" KEY")
        );
        assert!(!may("lab namespaces=\"git\" KEY"));
        assert!(may(
            "lab valid-after=\"20260101Z\",valid-before=\"202606011201Z\" KEY"
        ));
        assert!(
            !may("lab valid-before=\"20260601Z\" KEY") && !may("lab valid-after=20270101Z KEY")
        );
    }

    #[test]
    fn what_is_not_understood_is_not_passed_over() {
        for (line, word) in [
            ("lab", "no key"),
            ("lab cert-authority KEY", "cert-authority"),
            ("lab ssh-ed25519 AAAA", "its key is none"),
            ("lab valid-before=tomorrow KEY", "tomorrow"),
        ] {
            let (at, why) =
                AllowedSigners::parse(&format!("\n{}", line.replace("KEY", KEY))).unwrap_err();
            assert!(at == 2 && why.contains(word), "{line}: {why}");
        }
    }
}
