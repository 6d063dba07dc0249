//! The signature of a bag: an SSH signature over its tag manifest, which stock OpenSSH checks:
//!
//! ```console
//! $ ssh-keygen -Y verify -f allowed_signers -I NAME -n slcert-bundle -s tagmanifest-sha256.txt.sig < tagmanifest-sha256.txt
//! ```
//!
//! A key that this program cannot use, because a passphrase, an agent or a token guards it, signs with
//! `ssh-keygen -Y sign -f KEY -n slcert-bundle tagmanifest-sha256.txt`, which leaves the same file.

mod allowed;
mod statement;

use std::fs;
use std::path::{Path, PathBuf};

use ssh_key::{HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};
use thiserror::Error;

use super::{BagError, SIGNATURE, TAG_MANIFEST};
use crate::record::Record;
use crate::store::replace;
pub use allowed::{AllowedSigners, NotAllowedSigners};

/// What the signature is for, so that one made for something else does not count.
pub const NAMESPACE: &str = "slcert-bundle";

/// A bag cannot be signed.
#[derive(Debug, Error)]
pub enum SignError {
    /// The key cannot be read.
    #[error("{} is no private key in OpenSSH's form: {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: ssh_key::Error,
    },
    /// The key has a passphrase.
    #[error(
        "{} has a passphrase, which slcert does not ask for; sign with `ssh-keygen -Y sign -f {} -n {NAMESPACE} DIR/{TAG_MANIFEST}`",
        _0.display(), _0.display()
    )]
    Guarded(PathBuf),
    /// The bag has a signature.
    #[error("{} is there already: a signature is never overwritten", _0.display())]
    Signed(PathBuf),
    /// The key does not sign.
    #[error("the key does not sign: {0}")]
    Crypto(#[from] ssh_key::Error),
    /// The bag cannot be read or written.
    #[error("{0}")]
    Bag(#[from] BagError),
}

/// What is to be said of a bag's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signature {
    /// There is none.
    None,
    /// It is good, and one of those who may sign made it.
    Good {
        /// Who: the principals of the line that has the key.
        signer: String,
        /// The key: `SHA256:...`.
        key: String,
    },
    /// It is good, and whose key it is was not asked.
    Unknown {
        /// The key: `SHA256:...`.
        key: String,
    },
    /// It is good, and the key is none of those who may sign.
    NotAllowed {
        /// The key: `SHA256:...`.
        key: String,
    },
    /// It is not good, or not a signature.
    Bad(String),
}

/// A key to sign with.
pub struct Key(PrivateKey);

impl Key {
    /// Reads a private key.
    ///
    /// # Errors
    /// [`SignError::Key`], [`SignError::Guarded`].
    pub fn read(path: &Path) -> Result<Self, SignError> {
        let key = PrivateKey::read_openssh_file(path).map_err(|source| SignError::Key {
            path: path.to_owned(),
            source,
        })?;
        if key.is_encrypted() {
            return Err(SignError::Guarded(path.to_owned()));
        }
        Ok(Self(key))
    }
}

/// Signs a bag that has been sealed, and states what its record comes to.
///
/// # Errors
/// [`SignError`].
pub fn sign(root: &Path, key: &Key, record: &Record) -> Result<(), SignError> {
    let path = root.join(SIGNATURE);
    if path.exists() {
        return Err(SignError::Signed(path));
    }
    statement::write(root, key, record)?;
    let signature = key.0.sign(NAMESPACE, HashAlg::Sha512, &signed(root)?)?;
    let text = signature.to_pem(LineEnding::LF)?;
    replace(&path, text.as_bytes()).map_err(|source| {
        SignError::Bag(BagError::Io {
            verb: "write",
            path,
            source,
        })
    })
}

/// Checks a bag's signature; with `allowed`, whether the signer is one of those who may sign.
///
/// # Errors
/// [`BagError::Io`] if there is a signature and it, or what it is over, cannot be read.
pub fn check(root: &Path, allowed: Option<&AllowedSigners>) -> Result<Signature, BagError> {
    let path = root.join(SIGNATURE);
    if !path.exists() {
        return Ok(Signature::None);
    }
    let bytes = fs::read(&path).map_err(|source| super::unread(path, source))?;
    let signature = match read(&bytes) {
        Ok(signature) => signature,
        Err(why) => return Ok(Signature::Bad(why)),
    };
    let public = PublicKey::from(signature.public_key().clone());
    if let Err(error) = public.verify(NAMESPACE, &signed(root)?, &signature) {
        let why = match error {
            ssh_key::Error::Namespace => format!("it is for something else than {NAMESPACE}"),
            ssh_key::Error::AlgorithmUnsupported { .. } | ssh_key::Error::AlgorithmUnknown => {
                format!(
                    "slcert does not know {}: check it with ssh-keygen -Y verify",
                    public.algorithm()
                )
            }
            _ => format!("it is not over this {TAG_MANIFEST}"),
        };
        return Ok(Signature::Bad(why));
    }
    if let Some(why) = statement::fault(root, &public)? {
        return Ok(Signature::Bad(why));
    }
    let key = public.fingerprint(HashAlg::Sha256).to_string();
    let Some(allowed) = allowed else {
        return Ok(Signature::Unknown { key });
    };
    Ok(match allowed.signer(&public, jiff::Timestamp::now()) {
        Some(signer) => Signature::Good {
            signer: signer.to_owned(),
            key,
        },
        None => Signature::NotAllowed { key },
    })
}

/// Strict: a signature has one form, so that a changed byte of it is a changed signature.
fn read(bytes: &[u8]) -> Result<SshSig, String> {
    let signature =
        SshSig::from_pem(bytes).map_err(|error| format!("it is no signature: {error}"))?;
    let again = signature
        .to_pem(LineEnding::LF)
        .map_err(|error| error.to_string())?;
    if again.as_bytes() != bytes {
        return Err("it is not in the form that ssh-keygen writes".to_owned());
    }
    Ok(signature)
}

/// What a signature is over.
fn signed(root: &Path) -> Result<Vec<u8>, BagError> {
    let path = root.join(TAG_MANIFEST);
    fs::read(&path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => BagError::NotSealed(root.to_owned()),
        _ => super::unread(path, source),
    })
}
