//! Secrets of a rig: passwords and keys that never reach a log, the journal or the bundle.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use slcert_profiles::file::{Fields, Table};
use thiserror::Error;

use crate::rig::{NoValue, Template, Values};

/// The placeholder that stands wherever a secret would be printed.
pub const MASK: &str = "[secret]";

/// A secret's value. It has no way to be printed: `Debug` and `Display` show [`MASK`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the moment it goes onto a line.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Where a secret's value is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file: the secret alone (a newline at its end is dropped), or a member of a JSON file, as a dotted path.
    File {
        /// The file.
        file: Template,
        /// The member, such as `accounts.vera.password`.
        member: Option<String>,
    },
}

/// A secret cannot be had.
#[derive(Debug, Error)]
pub enum NoSecret {
    /// The environment lacks it.
    #[error("the environment variable `{0}` is not set; set it to the secret before the run")]
    Env(String),
    /// The path has a placeholder without a value.
    #[error("the path of a secret cannot be made: {0}")]
    Path(#[from] NoValue),
    /// The file cannot be read.
    #[error("the secret's file {} cannot be read: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file has no such member, or is no JSON.
    #[error("{} has no text at `{member}`", path.display())]
    Member {
        /// The file.
        path: PathBuf,
        /// The member.
        member: String,
    },
}

/// The largest file a secret is read from, in bytes.
const MAX_FILE: u64 = 1 << 20;

impl SecretSource {
    /// Fetches the secret.
    ///
    /// # Errors
    /// [`NoSecret`] says where it was looked for; it never holds any part of a secret.
    pub fn fetch(&self, values: &Values) -> Result<Secret, NoSecret> {
        match self {
            Self::Env(name) => std::env::var(name)
                .map(Secret)
                .map_err(|_| NoSecret::Env(name.clone())),
            Self::File { file, member } => {
                let path = PathBuf::from(file.fill(values)?);
                let text = read(&path).map_err(|source| NoSecret::File {
                    path: path.clone(),
                    source,
                })?;
                let Some(member) = member else {
                    return Ok(Secret(text.trim_end_matches(['\r', '\n']).to_owned()));
                };
                let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
                let found = member.split('.').try_fold(&json, |at, key| at.get(key));
                match found.and_then(serde_json::Value::as_str) {
                    Some(text) => Ok(Secret::new(text)),
                    None => Err(NoSecret::Member {
                        path,
                        member: member.clone(),
                    }),
                }
            }
        }
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(MAX_FILE)
        .read_to_string(&mut text)?;
    Ok(text)
}

impl Table for SecretSource {
    fn fields(f: &mut impl Fields) -> Option<Self> {
        let env = f.optional("env", "The environment variable that holds the secret.");
        let file = f.optional(
            "file",
            "The file that holds the secret; may have placeholders such as `{work}`.",
        );
        let member = f.optional(
            "member",
            "In a JSON file, the member that is the secret, as a dotted path.",
        );
        let (env, file, member) = (env?, file?, member?);
        match (env, file) {
            (Some(env), None) => Some(Self::Env(env)),
            (None, Some(file)) => Some(Self::File { file, member }),
            _ => {
                let help = "write { env = \"NAME\" } or { file = \"path\" }";
                f.refuse(
                    "env",
                    "a secret comes from the environment or from a file".into(),
                    help,
                );
                None
            }
        }
    }
}

slcert_profiles::settings_table!(SecretSource);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "[secret] [secret]");
    }

    #[test]
    fn secrets_come_from_files_alone_or_as_a_member() {
        let folder = tempfile::tempdir().unwrap();
        let values = Values::from([("work".to_owned(), folder.path().display().to_string())]);
        std::fs::write(folder.path().join("plain"), "one\n").unwrap();
        std::fs::write(folder.path().join("many.json"), r#"{"a": {"b": "two"}}"#).unwrap();
        let fetch = |file: &str, member: Option<&str>| {
            SecretSource::File {
                file: Template::new(file),
                member: member.map(str::to_owned),
            }
            .fetch(&values)
        };
        assert_eq!(fetch("{work}/plain", None).unwrap().reveal(), "one");
        assert_eq!(
            fetch("{work}/many.json", Some("a.b")).unwrap().reveal(),
            "two"
        );
        let missing = fetch("{work}/many.json", Some("a.c"))
            .unwrap_err()
            .to_string();
        assert!(missing.contains("a.c"), "{missing}");
    }
}
